"""Elements repeated and moved about: tile, repeat_interleave, roll, moveaxis, flatten, chunk, meshgrid, clone."""

import math
from typing import Any

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.ops.indexing import index_select
from minigen.autograd.ops.operands import integers, normalize_axis, single_axis, whole_shape
from minigen.autograd.ops.shape import expand, reshape, split, transpose
from minigen.autograd.tensor import Axis, Operand, Tensor, as_tensor
from minigen.checks import check_count, shown
from minigen.errors import ArgumentError, ShapeError


class Clone(Function):
    """y = x, in memory of its own."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x.copy()

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (gy,)


class Roll(Function):
    """Elements moved along some axes; those that fall off come in at the other end."""

    def __init__(self, shifts: tuple[int, ...], axes: tuple[int, ...]) -> None:
        self.shifts, self.axes = shifts, axes

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.roll(x, self.shifts, self.axes)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (Roll(tuple(-n for n in self.shifts), self.axes)(gy),)


def clone(x: Operand) -> Tensor:
    """A copy of x that gradients flow through; `x.detach().clone()` is one that they do not."""
    return Clone()(as_tensor(x, "clone"))


def flatten(x: Operand, start_axis: int = 0, end_axis: int = -1) -> Tensor:
    """The axes from start_axis to end_axis as one, in C order; all by default.

    Raises ArgumentError for the wrong order.
    """
    x = as_tensor(x, "flatten")
    if x.ndim == 0:
        return reshape(x, (1,))
    first, last = single_axis(start_axis, x.ndim, "flatten"), single_axis(end_axis, x.ndim, "flatten")
    if first > last:
        raise ArgumentError(f"flatten: start_axis {start_axis} stands behind end_axis {end_axis} in {x.ndim} axes")
    return reshape(x, (*x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :]))


def moveaxis(x: Operand, source: Axis, destination: Axis) -> Tensor:
    """x with the axes `source` at the places `destination`, the others in their order. A view."""
    x = as_tensor(x, "moveaxis")
    if source is None or destination is None:
        raise ArgumentError("moveaxis: source and destination are numbers of axes, not None")
    old, new = normalize_axis(source, x.ndim, "moveaxis"), normalize_axis(destination, x.ndim, "moveaxis")
    if len(old) != len(new):
        raise ArgumentError(f"moveaxis: {len(old)} axes to move, {len(new)} places for them")
    order = [i for i in range(x.ndim) if i not in old]
    for place, axis in sorted(zip(new, old, strict=True)):
        order.insert(place, axis)
    return transpose(x, order)


def tile(x: Operand, reps: Any) -> Tensor:
    """x laid side by side reps[i] times along axis i, as np.tile; a number is meant for the last axis.

    Raises ShapeError for repetitions that are no whole numbers ≥ 0.
    """
    return tiled(as_tensor(x, "tile"), whole_shape(reps, "tile"), "tile")


def repeat(x: Operand, *sizes: Any) -> Tensor:
    """The method x.repeat(2, 3) of PyTorch: x laid side by side, sizes[i] times along axis i, one for every axis.

    np.repeat, which repeats each element, is `repeat_interleave`. Raises ShapeError when there are fewer sizes than
    axes.
    """
    x = as_tensor(x, "repeat")
    reps = whole_shape(sizes[0] if len(sizes) == 1 else sizes, "repeat")
    if len(reps) < x.ndim:
        raise ShapeError(
            f"repeat: {len(reps)} sizes for {x.ndim} axes; x is laid side by side, with one size for each axis. To "
            "repeat each element, use repeat_interleave"
        )
    return tiled(x, reps, "repeat")


def tiled(x: Tensor, reps: tuple[int, ...], name: str) -> Tensor:
    """x laid side by side; the shorter of x.shape and `reps` is filled up with ones in front."""
    if any(n < 0 for n in reps):
        raise ShapeError(f"{name}: {reps} holds a negative number of repetitions")
    ndim = max(x.ndim, len(reps))
    shape, reps = (1,) * (ndim - x.ndim) + x.shape, (1,) * (ndim - len(reps)) + reps
    apart = reshape(x, [length for n in shape for length in (1, n)])
    wide = expand(apart, [length for pair in zip(reps, shape, strict=True) for length in pair])
    return reshape(wide, [r * n for r, n in zip(reps, shape, strict=True)])


def repeat_interleave(x: Operand, repeats: Any, axis: int | None = None) -> Tensor:
    """Each element, or slice along `axis`, `repeats` times in a row, as np.repeat: a number, or one for each of them.

    axis None: x as one row. Raises ShapeError unless there is one count for each slice, ArgumentError for a bad one.
    """
    x = as_tensor(x, "repeat_interleave")
    if axis is None:
        x, axis = reshape(x, (x.size,)), 0
    axis = single_axis(axis, x.ndim, "repeat_interleave")
    length = x.shape[axis]
    if isinstance(repeats, (int, np.integer)):
        times = check_count("repeat_interleave", "repeats", repeats, 0)
        wide = expand(
            reshape(x, (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :])),
            (*x.shape[: axis + 1], times, *x.shape[axis + 1 :]),
        )
        return reshape(wide, (*x.shape[:axis], length * times, *x.shape[axis + 1 :]))
    counts = integers(repeats, np.iinfo(np.int64).max, "repeat_interleave", "repeats")
    if counts.shape not in ((length,), (1,), ()):
        raise ShapeError(f"repeat_interleave: repeats is {counts.shape}, expected one for each of {length} slices")
    return index_select(x, axis, np.repeat(np.arange(length), counts.reshape(-1)))


def roll(x: Operand, shifts: int | tuple[int, ...], axis: Axis = None) -> Tensor:
    """Elements moved on by `shifts` along `axis`, round the end to the beginning; axis None: in x as one row.

    Raises ShapeError unless there is one shift for each axis.
    """
    x, moves = as_tensor(x, "roll"), whole_shape(shifts, "roll")
    if axis is None:
        if len(moves) != 1:
            raise ShapeError(f"roll: shifts {moves}, but no axes; name one axis for each")
        return reshape(Roll(moves, (0,))(reshape(x, (x.size,))), x.shape)
    axes = normalize_axis(axis, x.ndim, "roll")
    if len(axes) != len(moves):
        raise ShapeError(f"roll: {len(moves)} shifts for {len(axes)} axes; pass one for each")
    return Roll(moves, axes)(x)


def chunk(x: Operand, chunks: int, axis: int = 0) -> list[Tensor]:
    """x cut along `axis` into `chunks` pieces of ⌈n / chunks⌉, the last one shorter, or fewer when n does not suffice.

    Views. `split` takes the lengths of the pieces.
    """
    x, chunks = as_tensor(x, "chunk"), check_count("chunk", "chunks", chunks)
    axis = single_axis(axis, x.ndim, "chunk")
    return split(x, max(1, -(-x.shape[axis] // chunks)), axis)


def meshgrid(*tensors: Operand, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Coordinates of a grid: of 1-D x and y, (X, Y) with X[i, j] = x[i] and Y[i, j] = y[j] for indexing="ij".

    indexing: "ij" (rows first, PyTorch's default) or "xy" (the first two axes exchanged, NumPy's default); it must be
    said, because a wrong guess is not noticed. Views. Raises ArgumentError, or ShapeError for more axes.
    """
    if not isinstance(indexing, str) or indexing not in ("ij", "xy"):
        raise ArgumentError(f"meshgrid: indexing is {shown(indexing)}; say 'ij' (as PyTorch) or 'xy' (as NumPy)")
    xs = [as_tensor(x, "meshgrid") for x in tensors]
    if any(x.ndim > 1 for x in xs):
        raise ShapeError(f"meshgrid: shapes {[x.shape for x in xs]}; pass rows or single numbers")
    shape = [x.size for x in xs]
    grids = []
    for i, x in enumerate(xs):
        lengths = [1] * len(xs)
        lengths[i] = x.size
        grid = expand(reshape(x, lengths), shape)
        swap = indexing == "xy" and len(xs) > 1
        grids.append(transpose(grid, (1, 0, *range(2, len(xs)))) if swap else grid)
    return tuple(grids)
