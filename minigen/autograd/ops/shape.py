"""Operations that move elements without changing them: reshape, transpose, expand, join, split, flip, indexing.

Each is linear, and its gradient is its adjoint: expand and sum_to, getitem and scatter.
"""

import builtins
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minigen import kernels
from minigen.autograd.function import Function
from minigen.autograd.ops.cast import astype
from minigen.autograd.ops.operands import common_dtype, normalize_axis, raw_index, single_axis, whole_shape
from minigen.autograd.tensor import Axis, Operand, Tensor, as_tensor
from minigen.checks import check_count, check_items
from minigen.errors import ArgumentError, MinigenError, ShapeError
from minigen.kernels.noting import joined, run

OFTEN = 256  # so many numbers may be added to one, one after the other, in float32
LISTS = "pass a list of tensors"


class Reshape(Function):
    """The same elements in another shape."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.target = shape

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.source = x.shape
        return x.reshape(self.target)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (Reshape(self.source)(gy),)


class Transpose(Function):
    """Axes permuted: axis i of the result is axis axes[i] of x."""

    def __init__(self, axes: tuple[int, ...]) -> None:
        self.axes = axes

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x.transpose(self.axes)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        inverse = [0] * len(self.axes)
        for i, axis in enumerate(self.axes):
            inverse[axis] = i
        return (Transpose(tuple(inverse))(gy),)


class Expand(Function):
    """x repeated along axes of length one or new leading axes; a view, no copy."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.target = shape

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.source = x.shape
        return np.broadcast_to(x, self.target)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (sum_to(gy, self.source),)


class SumTo(Function):
    """Adjoint of Expand: sums over the repeated axes."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.target = shape

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.source = x.shape
        new = x.ndim - len(self.target)
        repeated = [i + new for i, n in enumerate(self.target) if n == 1 and x.shape[i + new] != 1]
        return kernels.total(x, (*range(new), *repeated)).reshape(self.target)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (Expand(self.source)(gy),)


class Concatenate(Function):
    """Arrays joined along an existing axis."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *xs: np.ndarray) -> np.ndarray:
        self.lengths = [x.shape[self.axis] for x in xs]
        return joined(xs, self.axis)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return tuple(split(gy, self.lengths, self.axis))


class Flip(Function):
    """Order of the elements reversed along some axes; its own adjoint."""

    def __init__(self, axes: tuple[int, ...]) -> None:
        self.axes = axes

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.flip(x, self.axes)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (Flip(self.axes)(gy),)


class GetItem(Function):
    """x[index] with NumPy's basic and advanced indexing."""

    def __init__(self, index: Any) -> None:
        self.index = index

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.source = x.shape
        return x[self.index]

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (Scatter(self.index, self.source)(gy),)


def scatter(x: np.ndarray, index: Any, y: np.ndarray) -> None:
    """x added at `index` of zeros, into y."""
    parts = index if isinstance(index, tuple) else (index,)
    y[...] = 0
    if any(isinstance(part, np.ndarray) and part.dtype != bool for part in parts):
        if x.dtype == np.float32 and max(OFTEN, y.size // 4) < x.size:
            sums = np.zeros(y.shape, np.float64)
            np.add.at(sums, index, x.astype(np.float64))
            y[...] = sums
        else:
            np.add.at(y, index, x)
    else:
        y[index] = x


class Scatter(Function):
    """Adjoint of GetItem: zeros with x added at `index`; elements named several times accumulate."""

    def __init__(self, index: Any, shape: tuple[int, ...]) -> None:
        self.index, self.target = index, shape

    def forward(self, x: np.ndarray) -> np.ndarray:
        y = np.empty(self.target, x.dtype)
        run(scatter, x, self.index, y)
        return y

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (GetItem(self.index)(gy),)


def reshape(x: Operand, shape: int | Sequence[int]) -> Tensor:
    """The same elements, in C order, in another shape; one length may be -1 (what remains).

    Raises ShapeError when the number of elements differs.
    """
    x = as_tensor(x, "reshape")
    target = whole_shape(shape, "reshape")
    known = int(np.prod([n for n in target if n != -1], dtype=np.int64))
    unknown = target.count(-1)
    fits = known == x.size if unknown == 0 else unknown == 1 and known > 0 and x.size % known == 0
    if not fits or any(n < -1 for n in target):
        raise ShapeError(f"reshape: {x.shape} has {x.size} elements and can not become {target}")
    return Reshape(target)(x)


def transpose(x: Operand, axes: Sequence[int] | None = None) -> Tensor:
    """Axes permuted, reversed when `axes` is None: y.shape[i] = x.shape[axes[i]]. A view.

    Raises ArgumentError unless `axes` names every axis once.
    """
    x = as_tensor(x, "transpose")
    if axes is None:
        axes = range(x.ndim)[::-1]
    axes = tuple(axes) if isinstance(axes, Iterable) else (axes,)
    order = normalize_axis(axes, x.ndim, "transpose")
    if len(order) != x.ndim:
        raise ArgumentError(f"transpose: axes {axes} must name each of the {x.ndim} axes of {x.shape} once")
    return Transpose(order)(x)


def swapaxes(x: Operand, axis1: int, axis2: int) -> Tensor:
    """Two axes exchanged. A view."""
    x = as_tensor(x, "swapaxes")
    i, j = single_axis(axis1, x.ndim, "swapaxes"), single_axis(axis2, x.ndim, "swapaxes")
    order = list(range(x.ndim))
    order[i], order[j] = j, i
    return Transpose(tuple(order))(x)


def expand(x: Operand, shape: Sequence[int]) -> Tensor:
    """x broadcast to `shape`, as np.broadcast_to: axes of length one repeat, new axes come in front. A view.

    -1 keeps a length. Raises ShapeError when x does not broadcast to it.
    """
    x, target = as_tensor(x, "expand"), whole_shape(shape, "expand")
    if -1 in target:
        own = (*(-1,) * (len(target) - x.ndim), *x.shape)
        target = tuple([kept if n == -1 else n for n, kept in zip(target, own, strict=False)])
    try:
        fits = np.broadcast_shapes(x.shape, target) == target
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"expand: {x.shape} can not be repeated to {target}; only axes of length 1 repeat")
    return x if x.shape == target else Expand(target)(x)


def sum_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """x summed over the axes along which `shape` would be repeated to reach x.shape; the adjoint of `expand`."""
    return x if x.data.shape == shape else SumTo(shape)(x)


def squeeze(x: Operand, axis: Axis = None) -> Tensor:
    """Axes of length one removed: all of them, or those named. Raises ShapeError when a named one is longer."""
    x = as_tensor(x, "squeeze")
    axes = normalize_axis(axis, x.ndim, "squeeze")
    if axis is not None and any(x.shape[i] != 1 for i in axes):
        raise ShapeError(f"squeeze: axis {axis} of {x.shape} is longer than 1")
    return Reshape(tuple(n for i, n in enumerate(x.shape) if i not in axes or n != 1))(x)


def expand_dims(x: Operand, axis: int | tuple[int, ...]) -> Tensor:
    """New axes of length one at the positions `axis` of the result."""
    x = as_tensor(x, "expand_dims")
    count = len(axis) if isinstance(axis, tuple) else 1
    new = normalize_axis(axis, x.ndim + count, "expand_dims")
    lengths = iter(x.shape)
    return Reshape(tuple(1 if i in new else next(lengths) for i in range(x.ndim + count)))(x)


def concatenate(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Tensors joined along an existing axis; all other lengths must be equal. Mixed dtypes are promoted.

    Raises ShapeError for shapes that do not fit, ArgumentError for an axis that does not exist.
    """
    xs = [as_tensor(x, "concatenate") for x in check_items("concatenate", "tensors", tensors, object, LISTS)]
    if not xs:
        raise ShapeError("concatenate: no tensors given; at least one is needed")
    if xs[0].ndim == 0:
        raise ShapeError("concatenate: 0-d tensors have no axis to join; use stack")
    axis = single_axis(axis, xs[0].ndim, "concatenate")
    rest = {x.shape[:axis] + x.shape[axis + 1 :] for x in xs}
    if len(rest) != 1 or len({x.ndim for x in xs}) != 1:
        raise ShapeError(f"concatenate: shapes {[x.shape for x in xs]} differ in more than axis {axis}")
    dtype = common_dtype(xs)
    return Concatenate(axis)(*[astype(x, dtype) for x in xs])


def stack(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis at position `axis` of the result.

    Raises ShapeError for unequal shapes or none, ArgumentError for an axis that does not exist.
    """
    xs = [as_tensor(x, "stack") for x in check_items("stack", "tensors", tensors, object, LISTS)]
    if len({x.shape for x in xs}) != 1:
        raise ShapeError(f"stack: shapes {[x.shape for x in xs]} must be equal, and at least one is needed")
    return concatenate([expand_dims(x, axis) for x in xs], axis)


def split(x: Operand, lengths: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Pieces of x along `axis` of the given lengths; of one length the last piece may be shorter. Views.

    `chunk` cuts into so many pieces. Raises ShapeError when the lengths do not add up, ArgumentError for one below 1.
    """
    x = as_tensor(x, "split")
    axis = single_axis(axis, x.ndim, "split")
    total = x.shape[axis]
    if isinstance(lengths, (int, np.integer)):
        step = check_count("split", "lengths", lengths)
        lengths = [min(step, total - start) for start in range(0, total, step)] or [0]
    lengths = list(whole_shape(lengths, "split"))
    if builtins.sum(lengths) != total or any(n < 0 for n in lengths):
        raise ShapeError(f"split: lengths {lengths} do not add up to axis {axis} of {x.shape}")
    edges = itertools.accumulate(lengths, initial=0)
    before = (slice(None),) * axis
    return [GetItem((*before, slice(a, b)))(x) for a, b in itertools.pairwise(edges)]


def flip(x: Operand, axis: Axis = None) -> Tensor:
    """Order of the elements reversed along `axis`, all axes by default. A view."""
    x = as_tensor(x, "flip")
    return Flip(normalize_axis(axis, x.ndim, "flip"))(x)


def getitem(x: Tensor, index: Any) -> Tensor:
    """x[index]: integers, slices, None, Ellipsis, boolean masks, integer arrays or tensors, and mixtures.

    An element named several times gets the sum of its gradients. Raises ShapeError when the index does not fit.
    """
    index = raw_index(index)
    try:
        return GetItem(index)(x)
    except (IndexError, TypeError, ValueError) as error:
        if isinstance(error, MinigenError):
            raise
        raise ShapeError(f"getitem: {error}; the tensor has shape {x.shape}") from None
