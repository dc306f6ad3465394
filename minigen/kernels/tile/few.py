"""Products of a large matrix with one of few rows or columns: they take as long as the large one takes to arrive.

Such are the steps of generating text, and layers of few outputs. Nothing is packed, and every thread reads its own part
of the matrix, once. A sum runs from its first term to the last in blocks
of SUM_TERMS, each from zero, whatever the threads do.
"""

import numpy as np

from minigen.config import config
from minigen.kernels.compiler.arrays import flat
from minigen.kernels.compiler.jit import tasks
from minigen.kernels.rows.leaky import leaky
from minigen.kernels.tile.shape import SUM_TERMS
from minigen.kernels.tile.small import NO_BIAS, strided

ROWS = 8  # most rows or columns: for more the register tile is faster, and for one BLAS
STRIP = 256  # columns that are summed together: SUM_TERMS rows of them stay in the second-level cache


@tasks
def _multiply(worker, workers, a, b, b_column, bias, slope, add, m, depth, n, out):
    zero = slope - slope
    strips = -(-n // STRIP) if b_column == 1 else n
    if b_column == 1:
        strips = max(strips, min(workers, -(-n // 64)))
    sums, block = np.empty(ROWS * STRIP, out.dtype), np.empty(STRIP, out.dtype)
    for strip in range(worker * strips // workers, (worker + 1) * strips // workers):
        first, stop = strip * n // strips, (strip + 1) * n // strips
        width = np.uintp(stop - first)
        for j in range(np.uintp(m * STRIP)):
            sums[j] = zero
        for low in range(0, depth, SUM_TERMS):
            high = min(low + SUM_TERMS, depth)
            for i in range(m):
                row, so_far = a[i * depth : (i + 1) * depth], sums[i * STRIP :]
                if b_column == 1:
                    for j in range(width):
                        block[j] = zero
                    for k in range(low, high):
                        factor, terms = row[k], b[k * n + first :]
                        for j in range(width):
                            block[j] += factor * terms[j]
                    for j in range(width):
                        so_far[j] += block[j]
                else:
                    terms, total = b[first * b_column :], zero
                    for k in range(np.uintp(low), np.uintp(high)):
                        total += row[k] * terms[k]
                    so_far[0] += total
        for i in range(m):
            target, total_row = out[i * n + first : i * n + stop], sums[i * STRIP :]
            for j in range(width):
                base = target[j] if add else bias[first + j] if bias.size else zero
                target[j] = leaky(base + total_row[j], slope)


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


@tasks
def _multiply_columns(worker, workers, a, columns, bias, slope, add, m, depth, n, out):
    """C = leaky(A · columnsᵀ + bias), row by row of A."""
    zero = slope - slope
    for i in range(worker * m // workers, (worker + 1) * m // workers):
        row, target = a[i * depth : (i + 1) * depth], out[i * n : (i + 1) * n]
        for j in range(n):
            terms, sums = columns[j * depth : (j + 1) * depth], zero
            for low in range(0, depth, SUM_TERMS):
                total = zero
                for k in range(np.uintp(low), np.uintp(min(low + SUM_TERMS, depth))):
                    total += row[k] * terms[k]
                sums += total
            base = target[j] if add else bias[j] if bias.size else zero
            target[j] = leaky(base + sums, slope)


def multiply_columns(
    a: np.ndarray, b: np.ndarray, bias: np.ndarray | None, slope: float, out: np.ndarray | None, add: bool
) -> np.ndarray:
    """`matmul` of a contiguous a (M, K) and b (K, N), N up to ROWS."""
    (m, depth), n = a.shape, b.shape[1]
    out = np.empty((m, n), a.dtype) if out is None else out
    row = NO_BIAS[a.dtype] if bias is None else flat(bias)
    _multiply_columns(
        config.threads, config.threads, flat(a), flat(b.T), row, a.dtype.type(slope), add, m, depth, n, out.reshape(-1)
    )  # fmt: skip
    return out
