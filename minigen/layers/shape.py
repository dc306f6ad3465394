"""Layers that only change the shape of what passes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigen.autograd import Tensor, ops
from minigen.autograd.tensor import as_tensor
from minigen.errors import ArgumentError, ShapeError
from minigen.layers.module import Module


class Identity(Module):
    """y = x. Stands where a network has no layer of some kind: `self.norm = BatchNorm(64) if norm else Identity()`."""

    def forward(self, x: Tensor) -> Tensor:
        """x itself."""
        return as_tensor(x, "Identity")


class Flatten(Module):
    """(N, …) → (N, features): every item's elements in one row; or only the axes start_axis … end_axis in one."""

    def __init__(self, start_axis: int = 1, end_axis: int = -1) -> None:
        super().__init__()
        for name, axis in (("start_axis", start_axis), ("end_axis", end_axis)):
            if isinstance(axis, bool) or not isinstance(axis, int):
                raise ArgumentError(f"Flatten: {name} is {axis!r}; use a whole number")
        self.start_axis, self.end_axis = start_axis, end_axis

    def forward(self, x: Tensor) -> Tensor:
        """(N, …) → (N, features)."""
        x = as_tensor(x, "Flatten")
        if x.ndim < 1:
            raise ShapeError("Flatten: x has no axes; the first one counts the items of the batch")
        start, end = (axis + x.ndim if axis < 0 else axis for axis in (self.start_axis, self.end_axis))
        if (start, end) == (1, 0):  # a batch of single numbers
            return ops.reshape(x, (x.shape[0], 1))
        if not 0 <= start <= end < x.ndim:
            raise ShapeError(
                f"Flatten: x {x.shape} has no axes {self.start_axis} … {self.end_axis}, in this order; use others"
            )
        return ops.flatten(x, start, end)

    def extra_repr(self) -> str:
        """The axes, when they are not the usual ones."""
        usual = (self.start_axis, self.end_axis) == (1, -1)
        return "" if usual else f"start_axis={self.start_axis}, end_axis={self.end_axis}"


class Reshape(Module):
    """(N, …) → (N, *shape): every item in another shape, given as numbers or a tuple. One length may be -1."""

    def __init__(self, *shape: int | Sequence[int]) -> None:
        super().__init__()
        lengths: Any = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= -1 for n in lengths)
        if not whole or lengths.count(-1) > 1:
            raise ArgumentError(f"Reshape: shape {lengths} must be whole numbers, one of them -1 at most")
        self.shape: tuple[int, ...] = tuple(map(int, lengths))

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
