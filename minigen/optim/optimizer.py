"""What all optimizers share: the flat parameters, step counts, and a state that can be saved and strictly restored."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from minigen.autograd.tensor import Tensor
from minigen.errors import ArgumentError, CheckpointError
from minigen.optim.flat import FlatParameters


class Optimizer:
    """Base of the optimizers: subclasses name their moments and write `update`.

    Making one moves the parameters into one flat array (see `minigen.optim.flat`): their `.data` are new arrays from
    then on, and `.grad` is memory that the next backward overwrites. A parameter without gradient in a step, or
    frozen (requires_grad False), is left untouched, and its own count of steps stands still.

    lr: the learning rate, to be read and set at any time.
    """

    moments: tuple[str, ...] = ()  # attributes that hold flat arrays, zero at the start; set before __init__ runs

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        self.lr = lr
        self.flat = FlatParameters(parameters, type(self).__name__)
        self.steps = np.zeros(len(self.parameters), np.int64)
        for name in self.moments:
            setattr(self, name, np.zeros_like(self.flat.data))

    @property
    def parameters(self) -> list[Tensor]:
        """The parameters, in the order given."""
        return self.flat.parameters

    @property
    def lr(self) -> float:
        """The learning rate. Raises ArgumentError when set to a negative or non-finite value."""
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr = self.check("lr", value, 0)

    def step(self) -> None:
        """Change every parameter that has a gradient."""
        active = self.flat.gather()
        self.steps[active] += 1
        for span, count in self.flat.runs(active, self.steps):
            self.update(span, count)
        for i in active:
            self.parameters[i].bump_version()

    def update(self, span: slice, count: int) -> None:
        """Change flat.data[span] in place; `count` is 1 in the first step of these parameters."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def zero_grad(self) -> None:
        """Set `.grad` of all parameters to None."""
        for p in self.parameters:
            p.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Everything `step` depends on besides the parameters and the options given: copies."""
        return {
            "optimizer": type(self).__name__,
            "lr": self.lr,
            "shapes": [list(p.shape) for p in self.parameters],
            "steps": self.steps.copy(),
            **{name: getattr(self, name).copy() for name in self.moments},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`. Raises CheckpointError that names what differs; then nothing was changed."""
        own = self.state_dict()
        kind = type(self).__name__
        if state.get("optimizer") != kind:
            raise CheckpointError(f"{kind}: the saved state is of {state.get('optimizer', 'something else')}")
        if set(state) != set(own):
            raise CheckpointError(f"{kind}: the saved state has {sorted(state)}, expected {sorted(own)}")
        saved = [list(shape) for shape in state["shapes"]]
        if saved != own["shapes"]:
            raise CheckpointError(f"{kind}: the saved parameters have shapes {saved}, these {own['shapes']}")
        for name in ("steps", *self.moments):
            found, expected = np.asarray(state[name]), own[name]
            if found.shape != expected.shape or found.dtype != expected.dtype:
                raise CheckpointError(
                    f"{kind}: saved {name} is {found.dtype} {found.shape}, expected {expected.dtype} {expected.shape}"
                )
        self.lr = state["lr"]
        for name in ("steps", *self.moments):
            np.copyto(getattr(self, name), state[name])

    def check(self, name: str, value: float, low: float, below: float = math.inf) -> float:
        """`value` as a float. Raises ArgumentError unless low ≤ value < below."""
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not low <= value < below:
            top = "" if below == math.inf else f", below {below:g}"
            raise ArgumentError(f"{type(self).__name__}: {name} is {value!r}; use a finite number from {low:g}{top}")
        return float(value)
