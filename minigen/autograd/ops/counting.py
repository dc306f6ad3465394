"""Reductions to truth and counts: any, all, count_nonzero, without gradient, and bincount. NaN counts as true."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigen.autograd.ops.operands import as_float, integers, normalize_axis
from minigen.autograd.ops.shape import Scatter
from minigen.autograd.tensor import Axis, Operand, Tensor, as_tensor
from minigen.checks import check_count, check_flag
from minigen.errors import DataError, ShapeError
from minigen.kernels.noting import made

LONGEST = 1 << 28  # counts that bincount makes room for, 2 GB


def any(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether some element over `axis` is not 0, as booleans; False over no elements."""
    x = as_tensor(x, "any")
    axes, keep = normalize_axis(axis, x.ndim, "any"), check_flag("any", "keepdims", keepdims)
    return Tensor(made(truth, np.any, x.data, axes, keep))


def all(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether no element over `axis` is 0, as booleans; True over no elements."""
    x = as_tensor(x, "all")
    axes, keep = normalize_axis(axis, x.ndim, "all"), check_flag("all", "keepdims", keepdims)
    return Tensor(made(truth, np.all, x.data, axes, keep))


def count_nonzero(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """How many elements over `axis` are not 0; int64."""
    x = as_tensor(x, "count_nonzero")
    axes, keep = normalize_axis(axis, x.ndim, "count_nonzero"), check_flag("count_nonzero", "keepdims", keepdims)
    return Tensor(made(truth, np.count_nonzero, x.data, axes, keep))


def truth(function: Callable[..., Any], x: np.ndarray, axes: tuple[int, ...], keepdims: bool) -> np.ndarray:
    """np.any, np.all or np.count_nonzero over axes, as an array."""
    result = np.asarray(function(x, axes, keepdims=keepdims))
    return result if result.dtype == bool else result.astype(np.int64)


def bincount(x: Operand, weights: Operand | None = None, minlength: int = 0) -> Tensor:
    """How often 0, 1, 2, … occur in the row x of integers; with `weights`, Σ of the weights there, differentiable.

    As long as the largest one asks, at least `minlength`. int64, or the weights' dtype. Raises ShapeError unless x is a
    row, and the weights are as long; DataError for negative integers.
    """
    shortest = check_count("bincount", "minlength", minlength, 0)
    array = integers(x, np.iinfo(np.int64).max, "bincount", "the integers")
    if array.ndim != 1:
        raise ShapeError(f"bincount: x is {array.shape}; pass one row of integers, such as x.flatten()")
    length = max(shortest, int(array.max(initial=-1)) + 1)
    if length > LONGEST:
        raise DataError(f"bincount: the largest integer is {length - 1}; counts up to there do not fit into memory")
    if weights is None:
        return Tensor(np.bincount(array, minlength=shortest))
    given = as_float(weights, "bincount")
    if given.shape != array.shape:
        raise ShapeError(f"bincount: weights {given.shape} for integers {array.shape}; the shapes must be equal")
    return Scatter((array,), (length,))(given)
