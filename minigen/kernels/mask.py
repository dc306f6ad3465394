"""Dropout, alone or after leaky ReLU, with a mask that is redrawn in the backward pass instead of being stored.

Element i is kept when a 32-bit hash of (key, i) is not below p · 2³²: a pure function, whatever the threads do. The
hash is the integer mixer lowbias32 (Wellons, 2018) with the halves of splitmix64(key) (Steele et al., 2014), one added
before and one xored in between its multiplications, and without its last shift, which changes only the low half. Beyond
2³² elements the mask repeats.
"""

import numpy as np

from minigen.kernels.jit import jit
from minigen.kernels.room import flat
from minigen.kernels.tasks import tasks
from minigen.kernels.tiles import LINE, bounds, folded, runs, span, tiling, total_over_blocks

MASK_64 = (1 << 64) - 1
SHIFT_A, SHIFT_B = np.uint32(16), np.uint32(15)
MULTIPLY_A, MULTIPLY_B = np.uint32(0x7FEB352D), np.uint32(0x846CA68B)


def mask_seeds(key: int) -> tuple[np.uint32, np.uint32]:
    """The halves of splitmix64(key)."""
    z = (key + 0x9E3779B97F4A7C15) & MASK_64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK_64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK_64
    z ^= z >> 31
    return np.uint32(z & 0xFFFFFFFF), np.uint32(z >> 32)


def _options(slope: float, key: int, p: float, dtype: np.dtype) -> tuple:
    """What the kernels need to know: slope, both seeds, the hash from which on an element is kept, and its factor."""
    threshold = np.uint32(min(round(p * 2.0**32), 2**32 - 1))
    return dtype.type(slope), *mask_seeds(key), threshold, dtype.type(1 / (1 - p) if p < 1 else 0)


@jit
def _kept(i, first, second, threshold):
    """Whether element i, counted from the one that `first` belongs to, is kept."""
    h = np.uint32(np.uint32(np.int32(i)) + first)
    h = np.uint32((h ^ (h >> SHIFT_A)) * MULTIPLY_A)
    h = np.uint32(h ^ second)
    h = np.uint32((h ^ (h >> SHIFT_B)) * MULTIPLY_B)
    return h >= threshold


@tasks
def _leaky_dropout(run, length, x, options, y):
    slope, first, second, threshold, scale = options
    zero = scale - scale
    low, high = span(run, length, x.size)
    for i in range(low, high):
        v = x[i]
        less = zero if slope == zero else slope * v  # not 0 · ∞
        y[i] = (less if v < zero else v) * (scale if _kept(i, first, second, threshold) else zero)


def leaky_dropout(x: np.ndarray, slope: float, key: int, p: float) -> np.ndarray:
    """dropout(leaky_relu(x, slope), key, p), in one pass; slope 1 is dropout alone."""
    y = np.empty(x.shape, x.dtype)
    count, length = runs(x.size, x.size, LINE)
    _leaky_dropout(count, length, flat(x), _options(slope, key, p, x.dtype), y.reshape(-1))
    return y


def dropout(x: np.ndarray, key: int, p: float) -> np.ndarray:
    """x / (1 - p) where the mask keeps, 0 elsewhere; the mask is a pure function of (key, flat index) and p.

    The same call on gy redraws the mask: dropout is its own gradient. Srivastava et al., 2014, inverted scaling.
    """
    return leaky_dropout(x, 1.0, key, p)


@tasks
def _leaky_dropout_grad(run, length, gy, y, options, cut, gz, sums):
    slope, seed, second, threshold, scale = options
    zero = scale - scale
    columns = gy.shape[1]
    first, stop = span(run, length, cut[1] * cut[2])
    for tile in range(first, stop):
        block, low, high, left, right = bounds(tile, cut, gy.shape[0], columns)
        for c in range(left, right):
            sums[block, c] = zero
        for i in range(low, high):
            row = np.uint32(seed + np.uint32(i) * np.uint32(columns))
            for c in range(left, right):
                g = gy[i, c]
                less = zero if slope == zero else slope * g
                t = (less if y[i, c] <= zero else g) * (scale if _kept(c, row, second, threshold) else zero)
                gz[i, c] = t
                sums[block, c] += t


def leaky_dropout_grad(
    gy: np.ndarray, y: np.ndarray, slope: float, key: int, p: float, needs_bias: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    """(gz, gbias) of dropout(bias_leaky(z, bias, slope), key, p), in one pass; gy and y (M, C), slope ≥ 0.

    gz = dropout(gy) where y > 0, slope · dropout(gy) elsewhere, y being the result, or leaky ReLU's before dropout, or
    its argument: where the mask keeps, all three have the same sign. gbias (C,) is the sum of gz over the rows, None
    unless `needs_bias`.
    """
    if slope == 1 and not needs_bias:
        return dropout(gy, key, p), None
    shape = folded(*gy.shape)
    cut = tiling(*shape)
    sums, gbias = np.empty((cut[1], shape[1]), gy.dtype), np.empty(gy.shape[1], gy.dtype)
    gz = np.empty(gy.shape, gy.dtype)
    count, length = runs(cut[1] * cut[2], gy.size)
    options = _options(slope, key, p, gy.dtype)
    rows = flat(gy).reshape(shape), flat(y).reshape(shape)
    _leaky_dropout_grad(count, length, *rows, options, cut, gz.reshape(shape), sums)
    total_over_blocks(sums, gbias)
    return gz, gbias if needs_bias else None
