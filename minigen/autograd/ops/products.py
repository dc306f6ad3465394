"""Products over an axis, whole and running.

Π x has the gradient Π_{j≠i} x_j, which y / x_i does not give where x_i is 0. So the product is made of pairwise
products, whose gradients hold for zeros too, at every order: of halves (n - 1 multiplications), and for the running one
by doubling (Hillis and Steele 1986, log₂ n passes).
"""

import math

import numpy as np

from minigen.autograd.ops.cast import astype
from minigen.autograd.ops.operands import normalize_axis, single_axis
from minigen.autograd.ops.shape import GetItem, concatenate, reshape, transpose
from minigen.autograd.tensor import Axis, Operand, Tensor, as_tensor
from minigen.checks import check_flag


def prod(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Π x over `axis`; over no elements it is 1. Integers and booleans give int64."""
    x = whole_as_int64(as_tensor(x, "prod"))
    axes = normalize_axis(axis, x.ndim, "prod")
    rest = [i for i in range(x.ndim) if i not in axes]
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    factors = reshape(transpose(x, [*axes, *rest]), (math.prod(x.shape[i] for i in axes), *[x.shape[i] for i in rest]))
    while (n := factors.shape[0]) > 1:
        half = n // 2
        pairs = piece(factors, 0, half) * piece(factors, half, 2 * half)
        factors = concatenate([pairs, piece(factors, 2 * half, n)]) if n % 2 else pairs
    if factors.shape[0] == 0:
        factors = Tensor(np.ones((1, *factors.shape[1:]), x.dtype))
    return reshape(factors, shape if check_flag("prod", "keepdims", keepdims) else [x.shape[i] for i in rest])


def cumprod(x: Operand, axis: int) -> Tensor:
    """y_i = Π_{j ≤ i} x_j along `axis`. Integers and booleans give int64."""
    x = whole_as_int64(as_tensor(x, "cumprod"))
    axis = single_axis(axis, x.ndim, "cumprod")
    y, step, n = x, 1, x.shape[axis]
    while step < n:
        y = concatenate([piece(y, 0, step, axis), piece(y, step, n, axis) * piece(y, 0, n - step, axis)], axis)
        step *= 2
    return y


def piece(x: Tensor, start: int, end: int, axis: int = 0) -> Tensor:
    """x from `start` to `end` along one axis."""
    return GetItem((*(slice(None),) * axis, slice(start, end)))(x)


def whole_as_int64(x: Tensor) -> Tensor:
    """Booleans and small integers as int64, as NumPy and PyTorch multiply them; others as they are."""
    return astype(x, np.int64) if x.dtype.kind in "bi" or x.dtype.itemsize < 4 else x
