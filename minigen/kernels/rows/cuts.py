"""How arrays are cut into parts that threads share out.

Where elements, rows or images do not depend on each other, every thread gets one run of them. A matrix (M, C) whose
rows are summed is cut into patches: blocks of rows, by strips of columns. That cut depends on the shape only. A sum is
taken in each patch, in the array's dtype and in cache, and then over the blocks of rows in float64, in order: so it has
the same bits for any number of threads.

Indices in kernels are unsigned: for the others Numba checks whether they count from the end, and such a loop does not
vectorise.
"""

import numpy as np

from minigen.config import config
from minigen.kernels.compiler.jit import jit, part
from minigen.kernels.serial import SERIAL_ELEMENTS

STRIP_COLUMNS = 256
PATCH_ELEMENTS = 16384
PATCH_ROWS = 256  # at most, so that a sum in float32 stays exact enough
EXPONENTIAL = 3  # passes over memory that take as long as an exponential
STEP_ELEMENTS = 64  # runs of elements are a multiple of it: threads side by side write to no line of the cache together

Cut = tuple[int, int, int]


def runs(items: int, size: int, step: int = 1, work: int = 1) -> tuple[int, int]:
    """(runs, items of each) to share out `items` parts of an array of `size` elements; a multiple of `step` in each.

    work: how long an element takes, in passes over memory.
    """
    if size * work <= SERIAL_ELEMENTS:
        return 1, items
    count = config.threads
    return count, -(-items // (count * step)) * step


@part
def span(run, length, items):
    """(first item, end) of that run."""
    return np.uintp(min(items, run * length)), np.uintp(min(items, (run + 1) * length))


def patches(m: int, c: int, most: int = PATCH_ROWS) -> Cut:
    """(rows of a block, blocks of rows, strips of columns); a block has at most so many rows."""
    rows = min(most, PATCH_ELEMENTS // max(1, min(c, STRIP_COLUMNS)))
    return rows, -(-m // rows), -(-c // STRIP_COLUMNS)


def folded(m: int, c: int, most: int = STRIP_COLUMNS) -> tuple[int, int]:
    """The shape (M / f, f · C) of the same memory whose rows are the longest, up to `most`: long loops are faster."""
    while 2 * c <= most and m % 2 == 0 and m and c:
        m, c = m // 2, 2 * c
    return m, c


@part
def bounds(patch, cut, m, columns):
    """(block, first row, end, first column, end) of the patch of that number."""
    rows, _, strips = cut
    block, strip = patch // strips, patch % strips
    return (
        np.uintp(block), np.uintp(block * rows), np.uintp(min(m, (block + 1) * rows)),
        np.uintp(strip * STRIP_COLUMNS), np.uintp(min(columns, (strip + 1) * STRIP_COLUMNS)),
    )  # fmt: skip


@jit
def total_over_blocks(sums, out):
    """out[c] = the sum over b and k of sums[b, c + k · C], in float64; several k when rows of C columns were folded."""
    total = np.zeros(out.size, np.float64)
    for b in range(sums.shape[0]):
        for k in range(0, sums.shape[1], out.size):
            for c in range(out.size):
                total[c] += sums[b, np.uintp(k + c)]
    for c in range(out.size):
        out[c] = total[c]
