"""The order of elements: the largest and where it stands, sorting, the top k, places in a sorted row, distinct values.

Values carry a gradient, which goes to the elements they came from; places are int64 and have none. NaN counts as the
largest, as in NumPy and PyTorch. Equal elements keep their order in `sort`; `argmax` gives the first of them.
"""

from typing import Any

import numpy as np

from minigen.autograd.ops.indexing import take_along_axis
from minigen.autograd.ops.operands import single_axis
from minigen.autograd.ops.reduction import count
from minigen.autograd.ops.shape import reshape
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.checks import check_count, check_flag
from minigen.errors import ArgumentError, DataError, ShapeError
from minigen.kernels.noting import constant, made


def argmax(x: Operand, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Place of the largest element along `axis`, the first of equal ones; None: in x as one row. int64.

    Raises ShapeError over no elements.
    """
    return extreme_place(x, axis, keepdims, "argmax")


def argmin(x: Operand, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Place of the smallest element along `axis`, the first of equal ones; None: in x as one row. int64.

    Raises ShapeError over no elements.
    """
    return extreme_place(x, axis, keepdims, "argmin")


def extreme_place(x: Operand, axis: int | None, keepdims: bool, name: str) -> Tensor:
    """What argmax and argmin share."""
    x = as_tensor(x, name)
    axis = None if axis is None else single_axis(axis, x.ndim, name)
    count(x, axis, name)
    keep = check_flag(name, "keepdims", keepdims)
    return Tensor(made(place_of_extreme, x.data, name, axis, keep))


def place_of_extreme(x: np.ndarray, name: str, axis: int | None, keepdims: bool) -> np.ndarray:
    """np.argmax or np.argmin, as an array."""
    return np.asarray(getattr(np, name)(x, axis, keepdims=keepdims), np.int64)


def sort(x: Operand, axis: int = -1, descending: bool = False) -> tuple[Tensor, Tensor]:
    """(values, places): x in order along `axis`, smallest first, and where each element stood. Equal ones keep order.

    Differs from np.sort, which gives the values alone.
    """
    x = as_tensor(x, "sort")
    places = Tensor(order(x, axis, descending, "sort"))
    return (take_along_axis(x, places, axis) if x.ndim else reshape(x, ())), places


def argsort(x: Operand, axis: int = -1, descending: bool = False) -> Tensor:
    """Where each element of the sorted x stood, along `axis`: int64. Equal ones keep their order."""
    return Tensor(order(as_tensor(x, "argsort"), axis, descending, "argsort"))


def order(x: Tensor, axis: int, descending: bool, name: str) -> np.ndarray:
    """The places in order of their elements."""
    backwards = check_flag(name, "largest" if name == "topk" else "descending", descending)
    if x.ndim == 0:
        return constant(np.zeros((), np.int64))
    return made(ordered, x.data, single_axis(axis, x.ndim, name), backwards)


def ordered(x: np.ndarray, axis: int, backwards: bool) -> np.ndarray:
    """`order` of an array."""
    if not backwards:
        return np.argsort(x, axis, kind="stable").astype(np.int64, copy=False)
    turned = np.argsort(np.flip(x, axis), axis, kind="stable")  # so that equal ones keep their order
    return np.flip(x.shape[axis] - 1 - turned, axis).astype(np.int64)


def topk(x: Operand, k: int, axis: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """(values, places): the k largest (or smallest) elements along `axis`, best first, and where they stand.

    Of equal ones the first are taken. Raises ArgumentError when k is larger than the axis.
    """
    x = as_tensor(x, "topk")
    axis, k = single_axis(axis, x.ndim, "topk"), check_count("topk", "k", k, 0)
    if k > x.shape[axis]:
        raise ArgumentError(f"topk: k is {k}, but axis {axis} of {x.shape} has {x.shape[axis]} elements")
    before = (slice(None),) * axis
    places = made(np.ascontiguousarray, order(x, axis, largest, "topk")[(*before, slice(k))])
    return take_along_axis(x, places, axis), Tensor(places)


def searchsorted(sorted_sequence: Operand, values: Operand, right: bool = False) -> Tensor:
    """Where each of `values` would go into the sorted row: sequence[i-1] < v ≤ sequence[i]; `right`: ≤ v <. int64.

    Raises ShapeError unless the sequence is 1-D, DataError when it is not sorted.
    """
    row, wanted = as_tensor(sorted_sequence, "searchsorted").data, as_tensor(values, "searchsorted").data
    if row.ndim != 1:
        raise ShapeError(f"searchsorted: the sequence is {row.shape}; pass one sorted row")
    if (row[:-1] > row[1:]).any():
        raise DataError("searchsorted: the sequence is not sorted; pass sort(x)[0]")
    return Tensor(
        np.asarray(
            np.searchsorted(row, wanted, "right" if check_flag("searchsorted", "right", right) else "left"), np.int64
        )
    )


def unique(x: Operand, return_inverse: bool = False, return_counts: bool = False) -> Any:  # a Tensor, or several
    """The distinct values of x, sorted, as one row without gradient.

    return_inverse: also where each element of x stands among them; return_counts: also how often each occurs. int64.
    """
    array = as_tensor(x, "unique").data
    values, inverse, counts = np.unique(array, return_inverse=True, return_counts=True)
    found = (values, inverse.reshape(array.shape), counts)
    flags = (("return_inverse", return_inverse), ("return_counts", return_counts))
    asked = (True, *[check_flag("unique", name, flag) for name, flag in flags])
    wanted = [part for part, want in zip(found, asked, strict=True) if want]
    return Tensor(values) if len(wanted) == 1 else tuple([Tensor(part) for part in wanted])
