"""Functions called around a module's forward, and in backward: `module.register_forward_hook(f)` and its like."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.tensor import Tensor
from minigen.errors import GradientError

Gradients = tuple[Tensor | None, ...]


class ModuleHooks:
    """The hooks of one module, by number, in the order in which they were registered."""

    def __init__(self) -> None:
        self.before: dict[int, Callable[[Any, tuple], Any]] = {}
        self.after: dict[int, Callable[[Any, tuple, Any], Any]] = {}
        self.backward: dict[int, Callable[[Any, Gradients, Gradients], Any]] = {}

    def run(self, module: Any, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """forward(*args, **kwargs), where a hook gives arguments or a result, these take the place."""
        for before in list(self.before.values()):
            given = before(module, args)
            if given is not None:
                args = given if isinstance(given, tuple) else (given,)
        call = BackwardCall(module, self.backward) if self.backward else None
        if call is not None:
            args = call.enter(args)
        result = forward(*args, **kwargs)
        for after in list(self.after.values()):
            given = after(module, args, result)
            result = result if given is None else given
        return result if call is None else call.leave(result)


class BackwardCall:
    """One call of a module with hooks for backward: the gradients of its results, until those of its arguments come."""

    def __init__(self, module: Any, hooks: dict[int, Callable[[Any, Gradients, Gradients], Any]]) -> None:
        self.module, self.hooks = module, hooks
        self.count, self.places = 0, []  # how many arguments there are, and which of them get a gradient
        self.grad_output: Gradients = ()

    def enter(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, of which the gradients go through the hooks."""
        self.count, self.places = len(args), differentiable(args)
        return passed(args, self.places, self.input_gradients)

    def leave(self, result: Any) -> Any:
        """The result, a tensor or a tuple, of which the gradients are kept for the hooks."""
        several = isinstance(result, tuple)
        results = result if several else (result,)
        results = passed(results, differentiable(results), self.output_gradients)
        return results if several else results[0]

    def output_gradients(self, gys: Gradients) -> Gradients:
        """The gradients of the results as they are; where no argument will get one, the hooks are called now."""
        self.grad_output = gys
        if not self.places:
            self.shown((None,) * self.count)
        return gys

    def input_gradients(self, gys: Gradients) -> Gradients:
        """The gradients of the arguments, after the hooks."""
        came = dict(zip(self.places, gys, strict=True))
        gradients = self.shown(tuple([came.get(i) for i in range(self.count)]))
        return tuple([gradients[i] for i in self.places])

    def shown(self, gradients: Gradients) -> Gradients:
        """The gradients of all arguments after the hooks. Raises GradientError when one gives another number."""
        for hook in list(self.hooks.values()):
            given = hook(self.module, gradients, self.grad_output)
            if given is not None:
                gradients = given if isinstance(given, tuple) else (given,)
                if len(gradients) != self.count or not all(g is None or isinstance(g, Tensor) for g in gradients):
                    raise GradientError(
                        f"{type(self.module).__name__}: a hook for backward gave {given!r:.60}; return None, or a "
                        f"tuple of {self.count} tensors, one for each argument"
                    )
        return gradients


class Passage(Function):
    """y = x of several tensors; `tell` is given their gradients in backward, and gives those that go on."""

    def __init__(self, tell: Callable[[Gradients], Gradients]) -> None:
        self.tell = tell

    def forward(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple([x.view() for x in arrays])

    def backward(self, *gys: Tensor | None) -> Gradients:
        return self.tell(gys)


def differentiable(values: Iterable[Any]) -> list[int]:
    """Which of the values are tensors that require a gradient."""
    return [i for i, x in enumerate(values) if isinstance(x, Tensor) and x.requires_grad]


def passed(values: Sequence[Any], places: list[int], tell: Callable[[Gradients], Gradients]) -> tuple[Any, ...]:
    """The values, those at `places` by way of one Passage."""
    if not places:
        return tuple(values)
    through = dict(zip(places, Passage(tell)(*[values[i] for i in places]), strict=True))
    return tuple([through.get(i, x) for i, x in enumerate(values)])
