"""Lengths of vectors and what is measured with them: norm, std, normalize, cosine similarity, distances of all pairs.

A length has a kink at 0, where its gradient is set to 0, the smallest of its subgradients: a vector of zeros, two equal
points, or values that do not spread pull nowhere, and never give NaN.
"""

import math
from typing import Any

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.ops.arithmetic import abs, clip, divide, multiply, power, where
from minigen.autograd.ops.comparison import equal
from minigen.autograd.ops.elementary import sqrt
from minigen.autograd.ops.linalg import matmul
from minigen.autograd.ops.operands import as_float, broadcastable, normalize_axis, same_dtype, single_axis
from minigen.autograd.ops.reduction import max, min, sum, var
from minigen.autograd.ops.shape import expand, expand_dims, squeeze, swapaxes
from minigen.autograd.tensor import Axis, Operand, Tensor, as_tensor
from minigen.checks import check_flag, check_number, is_number, shown
from minigen.errors import ArgumentError, ShapeError
from minigen.kernels.noting import noting, refuse

BLOCK = 1 << 16  # differences held at once by cdist; they stay in the second cache


def std(x: Operand, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """√ var over `axis`: the standard deviation of the population (NumPy's default); PyTorch's default is ddof=1.

    The gradient is 0 where all elements are equal. Does not overflow where the result is a number. Raises ArgumentError
    when n - ddof is not positive.
    """
    x, keepdims = as_float(x, "std"), check_flag("std", "keepdims", keepdims)
    refuse("std decides by the size of its numbers; write var(x).sqrt()")
    squares = var(x, axis, keepdims, ddof)
    if not np.isinf(squares.data).any() or not np.isfinite(x.data).all():
        return root(squares, 0.5)
    axes = normalize_axis(axis, x.ndim, "std")
    scale = np.abs(x.data).max(axes, keepdims=True)
    scale[scale == 0] = 1
    y = root(var(divide(x, Tensor(scale)), axes, True, ddof), 0.5) * Tensor(scale)
    return y if keepdims else squeeze(y, axes)


def norm(x: Operand, p: Any = 2, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) over `axis`, all axes by default, as if they were one row.

    p: 2 or "fro" (Euclid's length; of a matrix, Frobenius'), 1 (sum of sizes), inf or -inf (largest or smallest size),
    or any number > 1. Never the spectral norm of a matrix, which np.linalg.norm(a, 2) is. The gradient at 0 is 0.
    Does not overflow where the result is a number. Raises ArgumentError for another p, ShapeError for inf over nothing.
    """
    x, p = as_float(x, "norm"), 2 if isinstance(p, str) and p == "fro" else p
    keepdims = check_flag("norm", "keepdims", keepdims)
    if not is_number(p) or not (p >= 1 or p == -math.inf):
        raise ArgumentError(f"norm: p is {shown(p)}; use a number ≥ 1, inf, -inf or 'fro'")
    if math.isinf(p):
        return (max if p > 0 else min)(abs(x), axis, keepdims)
    if p == 1:
        return sum(abs(x), axis, keepdims)
    axes = normalize_axis(axis, x.ndim, "norm")
    refuse("norm decides by the size of its numbers; write (x * x).sum(axis).sqrt()")
    scale = np.asarray(np.abs(x.data).max(axes, keepdims=True, initial=0))
    scale[(scale == 0) | ~np.isfinite(scale)] = 1
    if p == 2 and ((scale > 1e-8) & (scale < 1e8)).all():
        return norm_of_moderate(x, p, axis, keepdims)
    # Powers may leave the range of the dtype. A scale that is taken out and put in again changes no derivative.
    y = norm_of_moderate(divide(x, Tensor(scale)), p, axis, True) * Tensor(scale)
    return y if keepdims else squeeze(y, axes)


def norm_of_moderate(x: Tensor, p: float, axis: Axis, keepdims: bool) -> Tensor:
    """The norm of numbers whose powers stay in range."""
    powers = multiply(x, x) if p == 2 else power(abs(x), p)
    return root(sum(powers, axis, keepdims), 1 / p)


def root(x: Tensor, exponent: float) -> Tensor:
    """x to a power below 1, with slope 0 at 0."""
    zero = equal(x, 0)
    if noting.notes is None and not zero.data.any():  # a recorded step takes the way that is right for all values
        return sqrt(x) if exponent == 0.5 else power(x, exponent)
    safe = where(zero, 1.0, x)
    return where(zero, 0.0, sqrt(safe) if exponent == 0.5 else power(safe, exponent))


def normalize(x: Operand, p: Any = 2, axis: int = 1, eps: float = 1e-12) -> Tensor:
    """x / max(‖x‖ₚ, eps) along `axis`: vectors of length 1; a vector of zeros stays one. As PyTorch's F.normalize."""
    x, eps = as_float(x, "normalize"), check_number("normalize", "eps", eps, 0)
    axis = single_axis(axis, x.ndim, "normalize")
    return divide(x, clip(norm(x, p, axis, keepdims=True), min=eps))


def cosine_similarity(x1: Operand, x2: Operand, axis: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 · x2 / (max(‖x1‖, eps) max(‖x2‖, eps)) along `axis`, from -1 to 1; the shapes broadcast. As in PyTorch.

    Of vectors shorter than eps the gradient is the derivative of this, which PyTorch's is not there. Raises ShapeError
    when the shapes do not broadcast.
    """
    name = "cosine_similarity"
    a, b = same_dtype([as_tensor(x1, name), as_tensor(x2, name)])
    eps = check_number(name, "eps", eps, 0)
    if not broadcastable(a.shape, b.shape):
        raise ShapeError(f"{name}: shapes {a.shape} and {b.shape} do not broadcast")
    shape = np.broadcast_shapes(a.shape, b.shape)
    axis = single_axis(axis, len(shape), name)
    a, b = expand(a, shape), expand(b, shape)
    unit = [divide(x, clip(norm(x, 2, axis, keepdims=True), min=eps)) for x in (a, b)]
    return sum(multiply(*unit), axis)


# ---------------------------------------------------------------- distances of all pairs


class EuclideanDistances(Function):
    """y[…, i, j] = ‖a_i - b_j‖. With w = gy / y, 0 where y is 0: ga = a Σ_j w - w b, gb = b Σ_i w - wᵀ a.

    Forward subtracts before it squares, in blocks of rows: near points keep all digits, and no array of all
    differences is made. Backward is two matrix products, of points counted from their middle, so that they are small.
    """

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        self.save_output()
        y = np.empty((*a.shape[:-1], b.shape[-2]), a.dtype)
        step = 1 + BLOCK // (1 + b.shape[-2] * b.shape[-1])
        for lead in np.ndindex(a.shape[:-2]):
            for start in range(0, a.shape[-2], step):
                part = (*lead, slice(start, start + step))
                differences = a[part][:, None] - b[lead]
                y[part] = np.sqrt(np.einsum("ijk,ijk->ij", differences, differences))
        return y

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        a, b, y = self.saved_input(0), self.saved_input(1), self.saved_output()
        zero = y.data == 0
        w = where(zero, 0.0, divide(gy, where(zero, 1.0, y)))
        middle = Tensor(b.data.mean(-2, keepdims=True) if b.shape[-2] else np.zeros((), b.dtype))
        a, b = a - middle, b - middle
        ga = a * sum(w, -1, keepdims=True) - matmul(w, b) if self.needs[0] else None
        wt = swapaxes(w, -1, -2)
        gb = b * sum(wt, -1, keepdims=True) - matmul(wt, a) if self.needs[1] else None
        return ga, gb


def cdist(x1: Operand, x2: Operand, p: float = 2.0) -> Tensor:
    """Distances of all pairs of points: x1 (…, M, C), x2 (…, N, C) → (…, M, N), y[i, j] = ‖x1_i - x2_j‖ₚ.

    Leading axes broadcast. The gradient is 0 where two points are equal. p as in `norm`; for others than 2 all
    differences are held at once. Raises ShapeError when the shapes do not fit.
    """
    a, b = same_dtype([as_tensor(x1, "cdist"), as_tensor(x2, "cdist")])
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-1] or not broadcastable(a.shape[:-2], b.shape[:-2]):
        raise ShapeError(f"cdist: shapes {a.shape} and {b.shape}; pass (…, M, C) and (…, N, C), of one C")
    if p != 2:
        return norm(expand_dims(a, -2) - expand_dims(b, -3), p, -1)
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return EuclideanDistances()(expand(a, (*lead, *a.shape[-2:])), expand(b, (*lead, *b.shape[-2:])))
