"""Operations whose first-order gradient is a kernel on raw arrays, and how they are differentiated again."""

from typing import Any

import numpy as np

from minigen.autograd.engine import grad
from minigen.autograd.function import Function
from minigen.autograd.leaves import Destination, Written, destination
from minigen.autograd.modes import modes
from minigen.autograd.tensor import Tensor
from minigen.errors import NotTwiceDifferentiable

Gradients = tuple[np.ndarray | Written | None, ...]


class FusedFunction(Function):
    """An operation whose kernel computes the first-order gradient on raw arrays.

    `compose` is the same operation written in primitives. It is run again on the saved inputs when the gradient must
    itself be differentiated, and it is the oracle of the kernel in tests. Without it, such a request raises
    NotTwiceDifferentiable: never a wrong number.
    """

    def backward_arrays(self, *gys: Any, **_: Any) -> Gradients:
        """∂L/∂input for each input, by kernels on ndarrays. Of several outputs, one that nobody used has gy None."""
        raise NotImplementedError(f"{self.name} has no backward_arrays")

    def destination(self, index: int) -> Destination:
        """Where a kernel may put the gradient of input `index`; return `destination.holds(array)` when it has."""
        return destination(self.edges, index)

    def compose(self, *inputs: Any, **_: Any) -> Any:
        """The operation in differentiable primitives: a Tensor, or a tuple of them for several outputs."""
        raise NotTwiceDifferentiable(
            f"{self.name} has only a first derivative; write its compose() in differentiable operations, or leave out "
            "create_graph=True"
        )

    def backward(self, *gys: Any, **_: Any) -> tuple[Tensor | None, ...]:
        """First order by the kernel; when recorded, through `compose`."""
        if not modes.recording:
            arrays = (gys[0].data,) if len(gys) == 1 else [gy if gy is None else gy.data for gy in gys]
            gradients = self.backward_arrays(*arrays)
            return tuple([g if g is None or type(g) is Written else Tensor(np.asarray(g)) for g in gradients])
        if type(self).compose is FusedFunction.compose:
            self.compose()
        # Aliases keep the partial derivatives apart when one input was computed from another.
        inputs = [Alias()(self.saved_input(i)) for i in range(len(self.needs))]
        y = self.compose(*inputs)
        used = [(y, gy) for y, gy in zip(y if isinstance(y, tuple) else (y,), gys, strict=True) if gy is not None]
        wanted = [x for x, need in zip(inputs, self.needs, strict=True) if need]
        pairs = [y for y, _ in used], wanted, [gy for _, gy in used]
        gradients = iter(grad(*pairs, create_graph=True, allow_unused=len(gys) > 1))
        return tuple([next(gradients) if need else None for need in self.needs])


class Alias(Function):
    """y = x, as a new node."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x.view()

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (gy,)
