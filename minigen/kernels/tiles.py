"""How a matrix (M, C) is cut into tiles that threads share out: blocks of rows, by strips of columns.

The cut depends on the shape only. A sum over the rows is taken in each tile, in the array's dtype and in cache, and
then over the blocks of rows in float64, in order: so it has the same bits for any number of threads.
"""

import numpy as np

from minigen.kernels.jit import jit

STRIP = 256  # columns
TILE = 16384  # elements
LONGEST = 256  # rows, so that a sum in float32 stays exact enough
CHUNK = 4096  # elements of a tile to work on at a time, so that they stay in the first-level cache
SERIAL = 32768  # elements of the matrix up to which one thread is faster

Tiling = tuple[int, int, int]


def tiling(m: int, c: int) -> Tiling:
    """(rows of a block, blocks of rows, strips of columns)."""
    rows = min(LONGEST, TILE // max(1, min(c, STRIP)))
    return rows, -(-m // rows), -(-c // STRIP)


def folded(m: int, c: int) -> tuple[int, int]:
    """The shape (M / f, f · C) of the same memory whose rows are the longest, within a strip: long loops are faster."""
    while 2 * c <= STRIP and m % 2 == 0 and m and c:
        m, c = m // 2, 2 * c
    return m, c


@jit
def bounds(tile, cut, m, columns):
    """(block, first row, end, first column, end) of the tile of that number."""
    rows, _, strips = cut
    block, strip = tile // strips, tile % strips
    return (
        block, block * rows, min(m, (block + 1) * rows), strip * STRIP, min(columns, (strip + 1) * STRIP),
    )  # fmt: skip


@jit
def rows_at_once(width):
    """Rows of a chunk of that width: a multiple of eight, as add_rows likes it."""
    return max(8, CHUNK // width // 8 * 8)


@jit
def add_rows(x, columns, low, high, left, right, total):
    """total += x[low:high, left:right] summed over its rows, x (M, columns) flattened; eight rows at a time."""
    width = right - left
    whole = high - (high - low) % 8
    for i in range(low, whole, 8):
        at = i * columns + left
        a, b = x[at : at + width], x[at + columns : at + columns + width]
        at += 2 * columns
        c, d = x[at : at + width], x[at + columns : at + columns + width]
        at += 2 * columns
        e, f = x[at : at + width], x[at + columns : at + columns + width]
        at += 2 * columns
        g, h = x[at : at + width], x[at + columns : at + columns + width]
        for k in range(width):
            total[k] += ((a[k] + b[k]) + (c[k] + d[k])) + ((e[k] + f[k]) + (g[k] + h[k]))
    for i in range(whole, high):
        a = x[i * columns + left : i * columns + right]
        for k in range(width):
            total[k] += a[k]


@jit
def total_over_blocks(sums, out):
    """out[c] = the sum over b and k of sums[b, c + k · C], in float64; several k when rows of C columns were folded."""
    columns = out.size
    total = np.zeros(columns, np.float64)
    for b in range(sums.shape[0]):
        for left in range(0, sums.shape[1], columns):
            row = sums[b][left : left + columns]
            for c in range(columns):
                total[c] += row[c]
    for c in range(columns):
        out[c] = total[c]
