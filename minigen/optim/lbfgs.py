"""L-BFGS: Newton's step with a Hessian guessed from the last changes of the gradient."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from minigen.autograd.modes import enable_grad
from minigen.autograd.tensor import Tensor
from minigen.checks import check_count, check_number, check_saved, is_number, shown
from minigen.errors import ArgumentError, CheckpointError
from minigen.optim.groups import Parameters, number
from minigen.optim.line_search import Trial, strong_wolfe
from minigen.optim.optimizer import Optimizer


def check_search(operation: str, name: str, value: Any) -> str | None:
    """The check of the kind of line search."""
    if value not in (None, "strong_wolfe"):
        raise ArgumentError(f'{operation}: {name} is {shown(value)}; use None or "strong_wolfe"')
    return value


class LBFGS(Optimizer):
    """p ← p + t d,  d = -H g, H the inverse Hessian that the last `history_size` pairs (y, s) speak for.

    s: a change of p, y: that of g with it; t: lr, or with line_search_fn "strong_wolfe" a length found from there. For
    small problems and whole batches: a step needs the loss several times, so `step(closure)` takes a function that
    calls zero_grad(), computes the loss, calls backward() and returns the loss.
    max_iter: iterations in one step; max_eval: evaluations in it, 1.25 max_iter by default. A step ends early when no
    component of g is above tolerance_grad, or p or the loss changes by less than tolerance_change.
    All parameters are one group. Nocedal, Wright (2006), Numerical optimization, algorithms 7.4 and 7.5; the scale of
    the first step and the tests as in PyTorch. Raises ArgumentError.
    """

    moments = ("direction", "previous")
    options: ClassVar = {
        "max_iter": check_count,
        "max_eval": check_count,
        "tolerance_grad": number(0),
        "tolerance_change": number(0),
        "history_size": check_count,
        "line_search_fn": check_search,
    }
    direction: np.ndarray
    previous: np.ndarray  # the gradient before the last change

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        if max_eval is None:
            max_eval = check_count(self.name, "max_iter", max_iter) * 5 // 4
        tolerances = {"tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change}
        options = {"max_iter": max_iter, "max_eval": max_eval, **tolerances, "history_size": history_size}
        super().__init__(parameters, lr, **options, line_search_fn=line_search_fn)
        if len(self.groups) > 1:
            raise ArgumentError("LBFGS: several groups of parameters; all of them take one step, so pass one list")
        self.history: list[tuple[np.ndarray, np.ndarray]] = []  # (y, s), the latest last
        self.length, self.scale = 0.0, 1.0  # t, and the Hessian's inverse before the history is heard
        self.iterations = self.evaluations = 0

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        raise ArgumentError("LBFGS: all parameters take one step; make a new optimizer with the longer list")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Up to max_iter iterations; the loss before the first. Raises ArgumentError without a closure."""
        if not callable(closure):
            raise ArgumentError(
                f"{self.name}: a step needs the loss several times; pass step(closure), a function that calls "
                "zero_grad(), computes the loss, calls backward() and returns it"
            )
        before, value, gradient = self.evaluated(closure)
        self.steps += 1
        options, left = self.groups[0], self.max_eval - 1
        for iteration in range(1, self.max_iter + 1):
            if largest(gradient) <= options["tolerance_grad"]:
                break
            self.iterations += 1
            d = self.moving(self.direction_for(gradient))
            slope = float(gradient @ d)
            np.copyto(self.direction, d)
            np.copyto(self.previous, gradient)
            self.length = self.lr * (min(1.0, 1.0 / float(np.abs(gradient).sum())) if self.iterations == 1 else 1.0)
            if slope > -options["tolerance_change"]:
                break
            last, start = value, Trial(0.0, value, gradient, slope)
            origin = self.flat.data.copy()
            if self.line_search_fn:
                trial, used = self.searched(closure, origin, start, left)
                value, gradient = trial.value, trial.gradient
            else:
                self.move(origin, self.length)
                if iteration == self.max_iter:  # the next step begins with an evaluation
                    break
                (_, value, gradient), used = self.evaluated(closure), 1
            left -= used
            if left <= 0 or self.length * largest(self.direction) <= options["tolerance_change"]:
                break
            if abs(value - last) < options["tolerance_change"]:
                break
        return before

    def searched(self, closure: Callable[[], Any], origin: np.ndarray, start: Trial, left: int) -> tuple[Trial, int]:
        """Moves by a length that the line search finds; the trial there, and how many evaluations it took."""

        def at(t: float) -> Trial:
            self.move(origin, t)
            _, value, gradient = self.evaluated(closure)
            return Trial(t, value, gradient, float(gradient @ self.direction))

        reach = largest(self.direction)
        trial, used = strong_wolfe(at, start, self.length, reach, self.tolerance_change, left)
        self.length = trial.t
        self.move(origin, trial.t)
        return trial, used

    def move(self, origin: np.ndarray, t: float) -> None:
        """p = origin + t d."""
        np.copyto(self.flat.data, origin + t * self.direction)
        for p in self.parameters:
            p.bump_version()

    def evaluated(self, closure: Callable[[], Any]) -> tuple[Any, float, np.ndarray]:
        """What the closure gives, that as a float, and the gradient of all parameters, 0 where there is none."""
        with enable_grad():
            loss = closure()
        value = loss.item() if isinstance(loss, Tensor) else loss
        if not is_number(value):
            raise ArgumentError(
                f"{self.name}: the closure gave {shown(loss)}; return the loss, a tensor of one element"
            )
        self.evaluations += 1
        self.flat.gather()
        return loss, float(value), self.moving(self.flat.gradients.copy())

    def moving(self, array: np.ndarray) -> np.ndarray:
        """`array` with 0 for the parameters that are frozen or have no gradient."""
        for i, p in enumerate(self.parameters):
            if p.grad is None or not p.requires_grad:
                array[self.flat.offsets[i] : self.flat.offsets[i + 1]] = 0
        return array

    def direction_for(self, gradient: np.ndarray) -> np.ndarray:
        """-H g, by the two loops over the history, after the latest pair was put into it."""
        if self.iterations > 1:
            y, s = gradient - self.previous, self.length * self.direction
            curvature = float(y @ s)
            if curvature > 1e-10:
                self.history = [*self.history, (y, s)][-self.history_size :]
                self.scale = curvature / float(y @ y)
        q, shares = -gradient, []
        for y, s in reversed(self.history):
            share = float(s @ q) / float(y @ s)
            q -= share * y
            shares.append(share)
        d = q * self.scale
        for (y, s), share in zip(self.history, reversed(shares), strict=True):
            d += (share - float(y @ d) / float(y @ s)) * s
        return d

    def state_dict(self) -> dict[str, Any]:
        history = [np.stack(pair) for pair in self.history]
        numbers = {"length": self.length, "scale": self.scale}
        counts = {"iterations": self.iterations, "evaluations": self.evaluations}
        return {**super().state_dict(), "history": history, **numbers, **counts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        own = self.state_dict()
        if isinstance(state, Mapping) and set(own) <= {*state, "groups"}:  # else the general check says what is wrong
            if not isinstance(state["history"], list):
                raise CheckpointError(
                    f"{self.name}: the saved history is {type(state['history']).__name__}, not a list"
                )
            for pair in state["history"]:
                check_saved(self.name, "history", pair, np.stack([self.direction] * 2))
            try:
                for name in ("length", "scale"):
                    check_number(self.name, name, state[name], 0)
                for name in ("iterations", "evaluations"):
                    check_count(self.name, name, state[name], 0)
            except ArgumentError as error:
                raise CheckpointError(f"{error} (in the saved state)") from None
        super().load_state_dict(state)
        self.history = [(pair[0].copy(), pair[1].copy()) for pair in state["history"]]
        self.length, self.scale = float(state["length"]), float(state["scale"])
        self.iterations, self.evaluations = int(state["iterations"]), int(state["evaluations"])


def largest(array: np.ndarray) -> float:
    """The largest component, by size; NaN when one is NaN."""
    return float(np.abs(array).max(initial=0.0))
