"""Reductions to truth and counts: any, all, count_nonzero. NaN counts as true, as in NumPy. No gradient."""

import numpy as np

from minigen.autograd.ops.operands import normalize_axis
from minigen.autograd.tensor import Axis, Operand, Tensor, as_tensor


def any(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether some element over `axis` is not 0, as booleans; False over no elements."""
    x = as_tensor(x, "any")
    return Tensor(np.asarray(x.data.any(normalize_axis(axis, x.ndim, "any"), keepdims=keepdims)))


def all(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether no element over `axis` is 0, as booleans; True over no elements."""
    x = as_tensor(x, "all")
    return Tensor(np.asarray(x.data.all(normalize_axis(axis, x.ndim, "all"), keepdims=keepdims)))


def count_nonzero(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """How many elements over `axis` are not 0; int64."""
    x = as_tensor(x, "count_nonzero")
    axes = normalize_axis(axis, x.ndim, "count_nonzero")
    return Tensor(np.asarray((x.data != 0).sum(axes, np.int64, keepdims=keepdims)))
