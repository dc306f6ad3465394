"""Layers that only change the shape of what passes."""

import math

from minigen.autograd import Tensor, ops
from minigen.autograd.tensor import as_tensor
from minigen.errors import ArgumentError, ShapeError
from minigen.layers.module import Module


class Flatten(Module):
    """(N, …) → (N, features): every item's elements in one row."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, …) → (N, features)."""
        x = as_tensor(x, "Flatten")
        if x.ndim < 1:
            raise ShapeError("Flatten: x has no axes; the first one counts the items of the batch")
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))


class Reshape(Module):
    """(N, …) → (N, *shape): every item in another shape. One length may be -1."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        if not all(isinstance(n, int) and n >= -1 for n in shape) or shape.count(-1) > 1:
            raise ArgumentError(f"Reshape: shape {shape} must be whole numbers, one of them -1 at most")
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """(N, …) → (N, *shape)."""
        x = as_tensor(x, f"Reshape{self.shape}")
        if x.ndim < 1:
            raise ShapeError(f"Reshape{self.shape}: x has no axes; the first one counts the items of the batch")
        size, known = math.prod(x.shape[1:]), math.prod(n for n in self.shape if n != -1)
        if size != known and not (-1 in self.shape and known > 0 and size % known == 0):
            raise ShapeError(f"Reshape{self.shape}: an item of x {x.shape} has {size} elements, which do not fit")
        return ops.reshape(x, (x.shape[0], *[size // known if n == -1 else n for n in self.shape]))

    def extra_repr(self) -> str:
        """The shape of an item."""
        return ", ".join(str(n) for n in self.shape)
