"""How a matrix (M, C) is cut into tiles that threads share out: blocks of rows, by strips of columns.

The cut depends on the shape only. A sum over the rows is taken in each tile, in the array's dtype and in cache, and
then over the blocks of rows in float64, in order: so it has the same bits for any number of threads.
"""

import numpy as np

from minigen.kernels.jit import jit

STRIP = 256  # columns
TILE = 16384  # elements
LONGEST = 256  # rows, so that a sum in float32 stays exact enough
SERIAL = 32768  # elements of the matrix up to which one thread is faster

Tiling = tuple[int, int, int]


def tiling(m: int, c: int) -> Tiling:
    """(rows of a block, blocks of rows, strips of columns)."""
    rows = min(LONGEST, TILE // max(1, min(c, STRIP)))
    return rows, -(-m // rows), -(-c // STRIP)


@jit
def bounds(tile, cut, m, columns):
    """(block, first row, end, first column, end) of the tile of that number."""
    rows, _, strips = cut
    block, strip = tile // strips, tile % strips
    return (
        block, block * rows, min(m, (block + 1) * rows), strip * STRIP, min(columns, (strip + 1) * STRIP),
    )  # fmt: skip


@jit
def total_over_blocks(sums, out):
    """out[c] = the sum over b of sums[b, c], in float64."""
    blocks, columns = sums.shape
    total = np.zeros(columns, np.float64)
    for b in range(blocks):
        row = sums[b]
        for c in range(columns):
            total[c] += row[c]
    for c in range(columns):
        out[c] = total[c]
