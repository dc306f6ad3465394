"""The twins of scaled dot-product attention and its gradient (Vaswani et al., 2017, section 3.2)."""

import numpy as np

from minigen.kernels.reference.arrays import Array, contiguous

Triple = tuple[Array, Array, Array]


def by_head(x: Array, heads: int) -> Array:
    """(N, T, C) as (N, heads, T, C / heads)."""
    n, length, c = x.shape
    return x.reshape(n, length, heads, c // heads).transpose(0, 2, 1, 3)


def side_by_side(x: Array) -> Array:
    """The inverse of by_head."""
    n, heads, length, c = x.shape
    return contiguous(x.transpose(0, 2, 1, 3)).reshape(n, length, heads * c)


def scores(q: Array, k: Array, is_causal: bool, mask: Array | None) -> Array:
    """q · kᵀ / √D, minus infinity where a query may not look."""
    s = q @ k.swapaxes(-1, -2) * q.dtype.type(q.shape[-1] ** -0.5)
    if mask is not None:
        s = np.where(mask[:, None, None, :], s, -np.inf)
    if is_causal:
        tq, tk = s.shape[-2:]
        s = np.where(np.tri(tq, tk, tk - tq, dtype=bool), s, -np.inf)
    return s.astype(q.dtype, copy=False)


def attend(q: Array, k: Array, v: Array, heads: int, is_causal: bool, mask: Array | None) -> tuple[Array, Array]:
    """(y (N, Tq, C), log_sums (N, heads, Tq)): y = softmax(q · kᵀ / √D) · v in each head, D = C / heads.

    log_sums: log of the sum of the exponentials; infinity, and y zero, for a query that may look at nothing.
    """
    q, k, v = (by_head(x, heads) for x in (q, k, v))
    s = scores(q, k, is_causal, mask)
    largest = s.max(-1, keepdims=True)
    largest = np.where(largest == -np.inf, q.dtype.type(0), largest)
    e = np.exp(s - largest)
    total = e.sum(-1, keepdims=True)
    nothing = total == 0
    total = np.where(nothing, q.dtype.type(1), total)
    log_sums = np.where(nothing, q.dtype.type(np.inf), largest + np.log(total))
    return side_by_side((e / total) @ v), contiguous(log_sums[..., 0])


def attend_grad(
    gy: Array, q: Array, k: Array, v: Array, y: Array, log_sums: Array, heads: int, is_causal: bool,
    mask: Array | None, out: Triple | None = None,
) -> Triple:  # fmt: skip
    """(gq, gk, gv) of attend. With P the weights: gv = Pᵀ gy, gs = P (gy vᵀ - Σ gy y), gq = gs k / √D, gk = gsᵀ q / √D.

    out: three arrays to write into.
    """
    gy, q, k, v, y = (by_head(x, heads) for x in (gy, q, k, v, y))
    p = np.exp(scores(q, k, is_causal, mask) - log_sums[..., None])
    gs = p * (gy @ v.swapaxes(-1, -2) - (gy * y).sum(-1, keepdims=True)) * q.dtype.type(q.shape[-1] ** -0.5)
    found = gs @ k, gs.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ gy
    gq, gk, gv = (side_by_side(g) for g in found)
    if out is not None:
        for target, g in zip(out, (gq, gk, gv), strict=True):
            target[...] = g
        return out
    return gq, gk, gv
