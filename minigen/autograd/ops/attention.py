"""Scaled dot-product attention with several heads (Vaswani et al. 2017, section 3.2), fused.

The kernels keep the result and one number for each query and head, from which backward computes the weights anew:
memory grows with the length of the sequence, not with its square.
"""

import numpy as np

from minigen import kernels
from minigen.autograd.fused import FusedFunction, Gradients
from minigen.autograd.ops.arithmetic import where
from minigen.autograd.ops.linalg import matmul
from minigen.autograd.ops.operands import as_float, boolean_mask, same_dtype
from minigen.autograd.ops.shape import reshape, split, swapaxes, transpose
from minigen.autograd.ops.softmax import softmax
from minigen.autograd.tensor import Operand, Tensor
from minigen.checks import check_count
from minigen.errors import ArgumentError, ShapeError


class Attention(FusedFunction):
    """y = softmax(q kᵀ / √D) v in each head of width D."""

    def __init__(self, heads: int, is_causal: bool, mask: np.ndarray | None) -> None:
        self.options = heads, is_causal, mask

    def forward(self, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1, 2)
        self.save_output()
        y, log_sums = kernels.attend(q, k, v, *self.options)
        self.residuals = (log_sums,)
        return y

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        q, k, v = (self.saved_array(i) for i in range(3))
        (log_sums,) = self.residuals
        return kernels.attend_grad(gy, q, k, v, self.saved_output_array(), log_sums, *self.options)

    def compose(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        heads, is_causal, mask = self.options
        q, k, v = (by_head(x, heads) for x in (q, k, v))
        weights = q * q.shape[-1] ** -0.5
        weights = matmul(weights, swapaxes(k, -1, -2))
        allowed = visible(q.shape[-2], k.shape[-2], is_causal, mask)
        if allowed is None:
            weights = softmax(weights)
        else:  # a query that sees nothing: the same weight everywhere, and then none
            lowest = float(np.finfo(q.dtype).min)
            weights = where(allowed, softmax(where(allowed, weights, lowest)), 0.0)
        y = swapaxes(matmul(weights, v), 1, 2)
        return reshape(y, (*y.shape[:2], y.shape[2] * y.shape[3]))


class SelfAttention(FusedFunction):
    """The same of q, k and v that lie side by side in one array, whose gradient is one array too."""

    def __init__(self, heads: int, is_causal: bool, mask: np.ndarray | None) -> None:
        self.options = heads, is_causal, mask

    def forward(self, qkv: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        self.save_output()
        y, log_sums = kernels.attend(*thirds(qkv), *self.options)
        self.residuals = (log_sums,)
        return y

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        qkv, y = self.saved_array(0), self.saved_output_array()
        gqkv, (log_sums,) = np.empty_like(qkv, order="C"), self.residuals
        kernels.attend_grad(gy, *thirds(qkv), y, log_sums, *self.options, out=thirds(gqkv))
        return (gqkv,)

    def compose(self, qkv: Tensor) -> Tensor:
        return Attention(*self.options).compose(*split(qkv, qkv.shape[-1] // 3, axis=-1))


def thirds(qkv: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Views of q, k and v."""
    c = qkv.shape[-1] // 3
    return qkv[..., :c], qkv[..., c : 2 * c], qkv[..., 2 * c :]


def by_head(x: Tensor, heads: int) -> Tensor:
    """(N, T, C) as (N, heads, T, C / heads)."""
    n, length, c = x.shape
    return transpose(reshape(x, (n, length, heads, c // heads)), (0, 2, 1, 3))


def visible(tq: int, tk: int, is_causal: bool, mask: np.ndarray | None) -> np.ndarray | None:
    """Which key each query may look at, to broadcast with (N, heads, Tq, Tk); None when it is every one."""
    allowed = None if mask is None else mask[:, None, None, :]
    if not is_causal:
        return allowed
    earlier = np.tri(tq, tk, tk - tq, dtype=bool)
    return earlier if allowed is None else earlier & allowed


def scaled_dot_product_attention(
    q: Operand, k: Operand, v: Operand, heads: int, is_causal: bool = False, mask: Operand | None = None
) -> Tensor:
    """softmax(q kᵀ / √D) v in each of `heads` heads, q (N, Tq, C), k and v (N, Tk, C) → (N, Tq, C), D = C / heads.

    The heads lie side by side in C. mask: booleans (N, Tk), True where a key may be looked at (all by default).
    is_causal: no query looks at a later key; the last query stands at the last key, so that query i stands at
    Tk - Tq + i. A query that may look at nothing gives zeros. Vaswani et al. 2017, section 3.2; memory is linear in the
    lengths (Rabe & Staats 2021).
    Raises ShapeError for shapes that do not fit, ArgumentError and DTypeError for a bad option or mask.
    """
    name = "scaled_dot_product_attention"
    q, k, v = same_dtype([as_float(x, name) for x in (q, k, v)])
    if q.ndim != 3 or k.ndim != 3 or k.shape != v.shape or (q.shape[0], q.shape[2]) != (k.shape[0], k.shape[2]):
        raise ShapeError(f"{name}: q {q.shape}, k {k.shape}, v {v.shape}; pass q (N, Tq, C), k and v both (N, Tk, C)")
    return Attention(*checked(name, q.shape, k.shape[1], heads, is_causal, mask))(q, k, v)


def self_attention(qkv: Operand, heads: int, is_causal: bool = False, mask: Operand | None = None) -> Tensor:
    """scaled_dot_product_attention(q, k, v, …) of qkv (N, T, 3C), in which q, k and v lie side by side → (N, T, C).

    The gradient comes as one array like qkv; nothing is split or copied.
    """
    name, qkv = "self_attention", as_float(qkv, "self_attention")
    if qkv.ndim != 3 or qkv.shape[2] % 3:
        raise ShapeError(f"{name}: qkv is {qkv.shape}; pass (N, T, 3C), queries, keys and values side by side")
    n, length, width = qkv.shape
    return SelfAttention(*checked(name, (n, length, width // 3), length, heads, is_causal, mask))(qkv)


def checked(
    name: str, q_shape: tuple[int, ...], tk: int, heads: int, is_causal: bool, mask: Operand | None
) -> tuple[int, bool, np.ndarray | None]:
    """The options, the mask as an array of our own; raises where they do not fit the shapes."""
    n, tq, c = q_shape
    heads = check_count(name, "heads", heads)
    if not isinstance(is_causal, (bool, np.bool_)):
        raise ArgumentError(f"{name}: is_causal is {type(is_causal).__name__}; pass True or False, and a mask as mask=")
    if c % heads or c == 0:
        raise ShapeError(f"{name}: {c} channels can not be cut into {heads} heads; use a multiple of {heads}")
    if tq == 0 or tk == 0:
        raise ShapeError(f"{name}: {tq} queries and {tk} keys; a sequence needs at least one step")
    if is_causal and tq > tk:
        raise ShapeError(
            f"{name}: {tq} queries but only {tk} keys; with is_causal=True the last query stands at the last key, so "
            "pass at least as many keys"
        )
    return heads, bool(is_causal), boolean_mask(mask, (n, tk), name, "(N, Tk)", "key")
