"""Sums over the axes of an array, as exact for ten million terms as for ten.

A sum that takes one float32 after the other stops growing where a term is less than half a unit in its last place: of
0.1 at two million, of 1 at 16,777,216. NumPy takes pairs of terms along a row of memory, but one row after the other.
Here the rows of a matrix (M, C) are summed in blocks, four rows at a time, and the blocks in float64. The blocks depend
on the shape only: so the sum has the same bits for any number of threads.
"""

import math

import numpy as np

from minigen.config import FLOAT_DTYPES, config
from minigen.kernels.compiler.jit import jit, part, tasks
from minigen.kernels.noting import noting, run
from minigen.kernels.reference import sums as plain
from minigen.kernels.rows.cuts import span, total_over_blocks
from minigen.kernels.serial import SERIAL_ELEMENTS

ALL = tuple(range(64))  # axes: NumPy's arrays have no more
FEW_TERMS = 16  # up to which the order does not matter
BLOCK_ROWS = 64
STRIP_COLUMNS, LONG_COLUMNS = 1024, 256
ALONE_ELEMENTS = 8 * SERIAL_ELEMENTS  # of a pass that writes nothing, and is soon over
ONE, TWO, THREE = (np.uintp(i) for i in range(1, 4))


@part
def add_rows(x, low, high, left, right, sums):
    """sums[c] += the sum of x[low:high, c], left ≤ c < right. Of more rows at a time the loop would not vectorise."""
    first, last = np.uintp(left), np.uintp(right)  # a part is given signed numbers
    whole = np.uintp(high - (high - low) % 4)
    for i in range(np.uintp(low), whole, 4):
        for c in range(first, last):
            sums[c] += (x[i, c] + x[i + ONE, c]) + (x[i + TWO, c] + x[i + THREE, c])
    for i in range(whole, np.uintp(high)):
        for c in range(first, last):
            sums[c] += x[i, c]


@jit
def _one_block(x, sums):
    for c in range(x.shape[1]):
        sums[c] = 0
    add_rows(x, 0, x.shape[0], 0, x.shape[1], sums)


@tasks
def _blocks(run, length, x, strips, sums):
    first, stop = span(run, length, sums.shape[0] * strips)
    for patch in range(first, stop):
        block, left = np.intp(patch) // strips, np.intp(patch) % strips * STRIP_COLUMNS
        right, low = min(left + STRIP_COLUMNS, x.shape[1]), block * BLOCK_ROWS
        row = sums[block]
        for c in range(np.uintp(left), np.uintp(right)):
            row[c] = 0
        add_rows(x, low, min(low + BLOCK_ROWS, x.shape[0]), left, right, row)


def sum_rows(x: np.ndarray) -> np.ndarray:
    """x.sum(0) of contiguous x (M, C)."""
    m, columns = x.shape
    out = np.empty(columns, x.dtype)
    if m <= BLOCK_ROWS and x.size <= ALONE_ELEMENTS:
        _one_block(x, out)
        return out
    fold = max(1, min(m, LONG_COLUMNS // max(1, columns)))  # so many rows are read as one: long loops are faster
    rest, whole = x[m // fold * fold :], x[: m // fold * fold].reshape(m // fold, fold * columns)
    blocks, strips = -(-len(whole) // BLOCK_ROWS), -(-whole.shape[1] // STRIP_COLUMNS)
    sums = np.empty((blocks + (len(rest) > 0), whole.shape[1]), x.dtype)
    count = 1 if x.size <= ALONE_ELEMENTS else config.threads
    _blocks(count, -(-blocks * strips // count), whole, strips, sums[:blocks])
    if len(rest):
        run(np.copyto, sums[-1], 0)
        _one_block(rest, sums[-1, :columns])
    total_over_blocks(sums, out)
    return out


def by_numpy(x: np.ndarray, axes: tuple[int, ...], keepdims: bool) -> np.ndarray:
    """x.sum(axes, keepdims=keepdims)."""
    y = np.asarray(x.sum(axes, keepdims=keepdims))
    if noting.notes is not None:
        noting.notes.call(np.add.reduce, (x, axes, None, y, keepdims))
    return y


def total(x: np.ndarray, axes: tuple[int, ...], keepdims: bool = False) -> np.ndarray:
    """x.sum(axes, keepdims=keepdims), blocked; axes rising, not negative. Integers and booleans are NumPy's."""
    if x.size <= FEW_TERMS or x.dtype not in FLOAT_DTYPES:
        return by_numpy(x, axes, keepdims)
    count = len(axes)
    if x.flags.carray:
        if axes == ALL[x.ndim - count : x.ndim]:  # along rows of memory, which NumPy sums in pairs
            return by_numpy(x, axes, keepdims)
        if axes == ALL[:count]:
            y = sum_rows(x.reshape(math.prod(x.shape[:count]), -1))
            return y.reshape((1,) * count * keepdims + x.shape[count:])
    y = np.empty([1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes], x.dtype)
    run(total_into, x, axes, y)
    return y


def total_into(x: np.ndarray, axes: tuple[int, ...], y: np.ndarray) -> None:
    """`total` of an array that lies otherwise, into y."""
    y[...] = plain.by_groups(x, axes, False, sum_rows).reshape(y.shape)
