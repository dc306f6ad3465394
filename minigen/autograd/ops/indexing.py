"""Elements chosen by integers or booleans along an axis: gather, scatter, index_add, masks, one-hot.

Gathering and adding are each other's adjoints: all of it is written in `x[index]` and `Scatter`, so every order of the
gradient is there. Indices are integers from 0 on; one outside the axis raises DataError, never reads elsewhere.
"""

from typing import Any

import numpy as np

from minigen.autograd.conversion import as_array
from minigen.autograd.function import Function
from minigen.autograd.ops.arithmetic import add, where
from minigen.autograd.ops.cast import astype
from minigen.autograd.ops.comparison import greater_equal
from minigen.autograd.ops.operands import broadcastable, common_dtype, holds, integers, single_axis
from minigen.autograd.ops.shape import GetItem, Scatter, expand, reshape
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.checks import check_count, check_flag, is_number, shown
from minigen.errors import DTypeError, ShapeError
from minigen.kernels.noting import applied, constant, made, refuse, run


def gather(x: Operand, axis: int, index: Operand) -> Tensor:
    """y[i, j, …] = x[i, index[i, j, …], …], the index standing at `axis`; y has the shape of `index`.

    index: integers, as many axes as x, no longer than x along the other axes. An element named several times gets the
    sum of its gradients. Raises ShapeError, DTypeError (no integers) or DataError (out of range).
    """
    x = as_tensor(x, "gather")
    axis, places = places_along(x, axis, index, "gather")
    return GetItem(places)(x)


def take_along_axis(x: Operand, indices: Operand, axis: int) -> Tensor:
    """As `gather`, with NumPy's order of arguments; other axes of length one broadcast, and -1 names the last element.

    What argsort(x, axis) and argmax(x, axis, keepdims=True) give picks the elements in that order.
    """
    x, name = as_tensor(x, "take_along_axis"), "take_along_axis"
    axis = single_axis(axis, x.ndim, name)
    array, length = as_array(indices.data if isinstance(indices, Tensor) else indices, name), x.shape[axis]
    if array.ndim != x.ndim or not broadcastable(without(array.shape, axis), without(x.shape, axis)):
        raise ShapeError(f"{name}: indices {array.shape} do not fit x {x.shape}; apart from axis {axis} they broadcast")
    rest = list(np.broadcast_shapes(without(array.shape, axis), without(x.shape, axis)))
    wide = [*rest[:axis], array.shape[axis], *rest[axis:]]
    array = np.broadcast_to(array, wide)
    from_end = made(from_the_start, array, length) if array.dtype.kind == "i" else array
    x = expand(x, [*rest[:axis], length, *rest[axis:]])
    return gather(x, axis, from_end)


def scatter(x: Operand, axis: int, index: Operand, src: Operand) -> Tensor:
    """A copy of x with y[i, index[i, j, …], …] = src[i, j, …], the index standing at `axis`.

    src: a number, or a tensor no shorter than `index` along any axis. Where several elements go to one place, the last
    one stays, and it alone gets the gradient. Raises as `gather` does.
    """
    x, axis, places, values = written(x, axis, index, src, "scatter")
    winner = made(last_at, places, values.shape, x.shape)
    row = reshape(values, (values.size,)) if values.size else Tensor(constant(np.zeros(1, x.dtype)))
    return where(greater_equal(winner, 0), GetItem(applied(np.maximum, winner, 0))(row), x)


def from_the_start(places: np.ndarray, length: int) -> np.ndarray:
    """Places on an axis of that length, those from the end counted from the start."""
    return places + length * (places < 0)


def last_at(places: tuple[np.ndarray, ...], values: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    """The number of the last value that goes to each place, -1 where none does."""
    winner = np.full(shape, -1, np.int64)
    winner[places] = np.arange(np.prod(values, dtype=np.int64)).reshape(values)
    return winner


def scatter_add(x: Operand, axis: int, index: Operand, src: Operand) -> Tensor:
    """A copy of x with src[i, j, …] added at y[i, index[i, j, …], …], the index standing at `axis`.

    Elements that go to one place add up. Raises as `gather` does.
    """
    x, axis, places, values = written(x, axis, index, src, "scatter_add")
    return add(x, Scatter(places, x.shape)(values))


def index_select(x: Operand, axis: int, index: Operand) -> Tensor:
    """The slices index[0], index[1], … of x along `axis`; `index` is 1-D. Raises as `gather` does."""
    x = as_tensor(x, "index_select")
    axis = single_axis(axis, x.ndim, "index_select")
    return GetItem((*(slice(None),) * axis, row_of_integers(index, x.shape[axis], "index_select")))(x)


def index_add(x: Operand, axis: int, index: Operand, source: Operand, alpha: float = 1) -> Tensor:
    """A copy of x with alpha · (slice k of source) added to its slice index[k] along `axis`, for every k.

    index: 1-D integers; source: the shape of x, but len(index) long along `axis`. Slices that go to one place add up.
    Raises as `gather` does.
    """
    x, source = promoted("index_add", x, source)
    axis = single_axis(axis, x.ndim, "index_add")
    places = row_of_integers(index, x.shape[axis], "index_add")
    expected = (*x.shape[:axis], len(places), *x.shape[axis + 1 :])
    if source.shape != expected:
        raise ShapeError(f"index_add: source is {source.shape}, expected {expected}: x {x.shape}, {len(places)} slices")
    return add(x, Scatter((*(slice(None),) * axis, places), x.shape)(source if alpha == 1 else source * alpha))


def masked_fill(x: Operand, mask: Operand, value: Any) -> Tensor:
    """x with `value`, a number or one-element tensor, where `mask` (booleans that broadcast with x) is True.

    Raises DTypeError for a mask of other dtype and a value that the dtype of x can not hold, ShapeError for shapes.
    """
    x = as_tensor(x, "masked_fill")
    mask = mask_over(x, mask, "masked_fill")
    if isinstance(value, (Tensor, np.ndarray)) and value.size == 1 and value.ndim:
        value = reshape(value, ())
    if isinstance(value, np.ndarray):
        refuse("masked_fill takes a number out of an array")
    number = value.item() if isinstance(value, (Tensor, np.ndarray, np.generic)) and value.size == 1 else value
    if not (is_number(number) or isinstance(number, bool)) or not holds(x.dtype, number):
        raise DTypeError(f"masked_fill: value {shown(value)} is no number that fits into {x.dtype}")
    return where(
        mask, astype(value, x.dtype) if isinstance(value, Tensor) else constant(np.asarray(number, x.dtype)), x
    )


def masked_select(x: Operand, mask: Operand) -> Tensor:
    """The elements of x where `mask` (booleans that broadcast with x) is True, as one row in C order."""
    x = as_tensor(x, "masked_select")
    mask = mask_over(x, mask, "masked_select")
    shape = np.broadcast_shapes(x.shape, mask.shape)
    return GetItem(np.broadcast_to(mask, shape).copy())(expand(x, shape))


def one_hot(labels: Operand, num_classes: int = -1) -> Tensor:
    """Integers of any shape S as rows (*S, num_classes), 1 at the label's place and 0 elsewhere; int64, as in PyTorch.

    num_classes: by default one more than the largest label. Raises DataError for a label outside 0 … num_classes - 1.
    """
    array = as_tensor(labels, "one_hot").data
    if isinstance(num_classes, int) and num_classes == -1:
        if array.size == 0:
            raise ShapeError("one_hot: no labels to tell the number of classes from; pass num_classes")
        refuse("a value is read: one_hot without num_classes")
        num_classes = max(1, int(array.max()) + 1) if array.dtype.kind in "iu" else 1
    count = check_count("one_hot", "num_classes", num_classes)
    places = integers(array, count, "one_hot", "labels")
    return OneHot(count)(places)


class OneHot(Function):
    """Rows of `count` whole numbers, 1 at each label's place and 0 elsewhere."""

    def __init__(self, count: int) -> None:
        self.count = count

    def forward(self, labels: np.ndarray) -> np.ndarray:
        try:
            y = np.empty((*labels.shape, self.count), np.int64)
        except (MemoryError, ValueError) as error:
            raise ShapeError(f"one_hot: too large; {error}") from None
        run(ones_into, labels, y)
        return y


def ones_into(places: np.ndarray, y: np.ndarray) -> None:
    """1 at each place of the rows of y, and 0 elsewhere."""
    y[...] = 0
    np.put_along_axis(y, places[..., None], 1, -1)


def nonzero(x: Operand, as_tuple: bool = False) -> Any:  # a Tensor, or a tuple of them
    """Where x is not 0: (n, x.ndim) integers, a row for each place in C order; `as_tuple`: a tensor for each axis."""
    array = as_tensor(x, "nonzero").data
    found = np.nonzero(np.atleast_1d(array))
    if check_flag("nonzero", "as_tuple", as_tuple):
        return tuple([Tensor(places) for places in found])
    return Tensor(np.stack(found, 1)[:, : array.ndim])  # of a single number: one row, of no columns, or none


# ---------------------------------------------------------------- what they share


def places_along(x: Tensor, axis: int, index: Operand, name: str) -> tuple[int, tuple[np.ndarray, ...]]:
    """The axis, and `index` along it as one array for each axis of x, which broadcast to the shape of `index`."""
    axis = single_axis(axis, x.ndim, name)
    chosen = integers(index, x.shape[axis], name, "indices")
    fits = all(n <= m for n, m in zip(without(chosen.shape, axis), without(x.shape, axis), strict=False))
    if chosen.ndim != x.ndim or not fits:
        raise ShapeError(
            f"{name}: index {chosen.shape} does not fit x {x.shape}; it needs {x.ndim} axes, and apart from axis "
            f"{axis} none longer than that of x"
        )
    grid = [constant(np.arange(n)).reshape(-1, *(1,) * (x.ndim - 1 - i)) for i, n in enumerate(chosen.shape)]
    return axis, tuple([chosen if i == axis else places for i, places in enumerate(grid)])


def written(
    x: Operand, axis: int, index: Operand, src: Operand, name: str
) -> tuple[Tensor, int, tuple[np.ndarray, ...], Tensor]:
    """x, the axis, the places along it, and the part of `src` that goes there, of the dtype of x."""
    x, src = promoted(name, x, src)
    axis, places = places_along(x, axis, index, name)
    shape = places[axis].shape
    if src.ndim == 0:
        return x, axis, places, expand(src, shape)
    if src.ndim != len(shape) or any(n > m for n, m in zip(shape, src.shape, strict=True)):
        raise ShapeError(f"{name}: src {src.shape} must be at least as long as index {shape} along every axis")
    return x, axis, places, src if src.shape == shape else GetItem(tuple(slice(n) for n in shape))(src)


def promoted(name: str, x: Operand, src: Operand) -> tuple[Tensor, Tensor]:
    """Both as tensors of one dtype; a number takes that of x. Raises DTypeError when x can not hold it."""
    x = as_tensor(x, name)
    if is_number(src):
        if not holds(x.dtype, src):
            raise DTypeError(f"{name}: {shown(src)} does not fit into {x.dtype}; convert x with astype")
        return x, Tensor(constant(np.asarray(src, x.dtype)))
    src = as_tensor(src, name)
    dtype = common_dtype([x, src])
    return astype(x, dtype), astype(src, dtype)


def row_of_integers(index: Operand, end: int, name: str) -> np.ndarray:
    """`index` as a 1-D array of integers below `end`."""
    places = integers(index, end, name, "indices")
    if places.ndim > 1:
        raise ShapeError(f"{name}: index is {places.shape}; pass one row of integers")
    return places.reshape(-1)


def mask_over(x: Tensor, mask: Operand, name: str) -> np.ndarray:
    """`mask` as booleans that broadcast with x."""
    array = as_tensor(mask, name).data
    if array.dtype != bool:
        raise DTypeError(f"{name}: mask has dtype {array.dtype}; pass booleans, such as x > 0")
    if not broadcastable(x.shape, array.shape):
        raise ShapeError(f"{name}: mask {array.shape} does not broadcast with x {x.shape}")
    return array


def without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """The other lengths."""
    return shape[:axis] + shape[axis + 1 :]
