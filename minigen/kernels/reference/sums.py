"""The twin of sums over axes: blocked, in float64."""

import math
from collections.abc import Callable

import numpy as np

from minigen.kernels.reference.arrays import Array

BLOCK = 32  # terms that are added one after the other


def total(x: Array, axes: tuple[int, ...], keepdims: bool = False) -> Array:
    """x.sum(axes, keepdims=keepdims), exact also over many terms; axes not negative."""
    if x.dtype.kind != "f":
        return x.sum(axes, keepdims=keepdims)
    return by_groups(x, axes, keepdims, sum_rows)


def sum_rows(x: Array) -> Array:
    """The sum of the rows of (M, C), in float64 and in blocks."""
    return sum_blocks(x[None])[0]


def sum_blocks(x: Array) -> Array:
    """The sum over the middle axis of (A, M, C)."""
    dtype, x = x.dtype, x.astype(np.float64) if x.shape[1] <= BLOCK else x
    while x.shape[1] > BLOCK:
        a, m, c = x.shape
        whole = m // BLOCK * BLOCK
        blocks = x[:, :whole].reshape(a, m // BLOCK, BLOCK, c).sum(2, dtype=np.float64)
        x = np.concatenate([blocks, x[:, whole:].sum(1, keepdims=True, dtype=np.float64)], axis=1)
    return x.sum(1).astype(dtype)


def by_groups(x: Array, axes: tuple[int, ...], keepdims: bool, sum_rows: Callable[[Array], Array]) -> Array:
    """The sum over axes of any array, by sums over the rows of matrices and along rows.

    The axes are brought into the order in which they lie in memory. Then neighbours that are summed count as one, and
    so do neighbours that are kept. Along an axis that only repeats its one value, the sum is a product.
    """
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    repeated = [i for i in axes if x.strides[i] == 0 and x.shape[i] > 1]
    times = math.prod(x.shape[i] for i in repeated)
    x = x[tuple(slice(0, 1) if i in repeated else slice(None) for i in range(x.ndim))]
    order = sorted(range(x.ndim), key=lambda i: -abs(x.strides[i]))
    y = np.ascontiguousarray(x.transpose(order))
    lengths: list[int] = [1]
    summed = False
    for i in order:  # kept, summed, kept, …: the lengths of groups
        if (i in axes) != summed:
            lengths.append(1)
            summed = not summed
        lengths[-1] *= x.shape[i]
    while len(lengths) > 1:
        inner = lengths.pop() if len(lengths) % 2 else 1
        terms = lengths.pop()
        y = sum_middle(y.reshape(math.prod(lengths), terms, inner), sum_rows)
        lengths[-1] *= inner
    y = y.reshape([shape[i] for i in order]).transpose(np.argsort(order))
    y = y * y.dtype.type(times) if times != 1 else y
    return y if keepdims else y.squeeze(axes)


def sum_middle(x: Array, sum_rows: Callable[[Array], Array]) -> Array:
    """The sum over the middle axis of contiguous (A, M, C): along rows, which NumPy sums in pairs, or over rows."""
    if x.shape[2] == 1:
        return x[:, :, 0].sum(1)[:, None]
    return sum_rows(x[0])[None] if len(x) == 1 else sum_blocks(x)
