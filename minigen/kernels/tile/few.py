"""Products of a few rows with a large matrix, as in generating text: they take as long as the matrix takes to arrive.

So nothing is packed, and every thread reads its own columns, once. A sum runs from its first term to the last in blocks
of SUM_TERMS, each from zero, whatever the threads do.
"""

import numpy as np

from minigen.config import config
from minigen.kernels.compiler.arrays import flat
from minigen.kernels.compiler.jit import tasks
from minigen.kernels.rows.leaky import leaky
from minigen.kernels.tile.shape import SUM_TERMS
from minigen.kernels.tile.small import NO_BIAS, strided

ROWS = 8  # most rows: for more the register tile is faster, and for one BLAS
STRIP = 512  # columns that are summed together, so that their sums stay in the first-level cache


@tasks
def _multiply(worker, workers, a, b, b_column, bias, slope, add, m, depth, n, out):
    zero = slope - slope
    strips = -(-n // STRIP) if b_column == 1 else n
    if b_column == 1:
        strips = max(strips, min(workers, -(-n // 64)))
    sums, block = np.empty(STRIP, out.dtype), np.empty(STRIP, out.dtype)
    for strip in range(worker * strips // workers, (worker + 1) * strips // workers):
        first, stop = strip * n // strips, (strip + 1) * n // strips
        width = np.uintp(stop - first)
        for i in range(m):
            row = a[i * depth : (i + 1) * depth]
            for j in range(width):
                sums[j] = zero
            for low in range(0, depth, SUM_TERMS):
                high = min(low + SUM_TERMS, depth)
                if b_column == 1:
                    for j in range(width):
                        block[j] = zero
                    for k in range(low, high):
                        factor, terms = row[k], b[k * n + first :]
                        for j in range(width):
                            block[j] += factor * terms[j]
                    for j in range(width):
                        sums[j] += block[j]
                else:
                    terms, total = b[first * b_column :], zero
                    for k in range(np.uintp(low), np.uintp(high)):
                        total += row[k] * terms[k]
                    sums[0] += total
            target = out[i * n + first : i * n + stop]
            for j in range(width):
                base = target[j] if add else bias[first + j] if bias.size else zero
                target[j] = leaky(base + sums[j], slope)


def multiply(
    a: np.ndarray, b: np.ndarray, bias: np.ndarray | None, slope: float, out: np.ndarray | None, add: bool
) -> np.ndarray:
    """`matmul` of a (M, K) and b (K, N), or the transpose of a contiguous (N, K), M up to ROWS."""
    (m, depth), n = a.shape, b.shape[1]
    out = np.empty((m, n), a.dtype) if out is None else out
    b, _, b_column = strided(b)
    row = NO_BIAS[a.dtype] if bias is None else flat(bias)
    _multiply(
        config.threads, config.threads, flat(a), b, b_column, row, a.dtype.type(slope), add, m, depth, n,
        out.reshape(-1),
    )  # fmt: skip
    return out
