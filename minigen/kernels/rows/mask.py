"""Dropout, with a mask that is redrawn in the backward pass instead of being stored.

Element i is kept when a 32-bit hash of (key, i) is not below p · 2³²: a pure function, whatever the threads do. The
hash is the integer mixer lowbias32 (Wellons, 2018) with the halves of splitmix64(key) (Steele et al., 2014), one added
before and one xored in between its multiplications, and without its last shift, which changes only the low half. Beyond
2³² elements the mask repeats.
"""

import numpy as np

from minigen.kernels.compiler.arrays import flat
from minigen.kernels.compiler.jit import part, tasks
from minigen.kernels.rows.cuts import STEP_ELEMENTS, runs, span

GOLDEN, MIX_A, MIX_B = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
SHIFT_30, SHIFT_27, SHIFT_31, HALF = (np.uint64(n) for n in (30, 27, 31, 32))
SHIFT_A, SHIFT_B = np.uint32(16), np.uint32(15)
MULTIPLY_A, MULTIPLY_B = np.uint32(0x7FEB352D), np.uint32(0x846CA68B)


@part
def seeds(key):
    """The halves of splitmix64(key)."""
    z = np.uint64(key) + GOLDEN
    z = (z ^ (z >> SHIFT_30)) * MIX_A
    z = (z ^ (z >> SHIFT_27)) * MIX_B
    z ^= z >> SHIFT_31
    return np.uint32(z), np.uint32(z >> HALF)


@part
def _kept(i, first, second, threshold):
    """Whether element i, counted from the one that `first` belongs to, is kept."""
    h = np.uint32(np.uint32(np.int32(i)) + first)
    h = np.uint32((h ^ (h >> SHIFT_A)) * MULTIPLY_A)
    h = np.uint32(h ^ second)
    h = np.uint32((h ^ (h >> SHIFT_B)) * MULTIPLY_B)
    return h >= threshold


@tasks
def _dropout(run, length, x, key, threshold, scale, y):
    zero = scale - scale
    first, second = seeds(key[0])
    low, high = span(run, length, x.size)
    for i in range(low, high):
        y[i] = x[i] * (scale if _kept(i, first, second, threshold) else zero)


def dropout(x: np.ndarray, key: int | np.ndarray, p: float) -> np.ndarray:
    """x / (1 - p) where the mask keeps, 0 elsewhere; the mask is a pure function of (key, flat index) and p.

    key: below 2⁶⁴, or the array (1,) of uint64 that holds it. The same call on gy redraws the mask: dropout is its own
    gradient. Srivastava et al., 2014, inverted scaling.
    """
    y = np.empty(x.shape, x.dtype)
    threshold = np.uint32(min(round(p * 2.0**32), 2**32 - 1))
    scale = x.dtype.type(1 / (1 - p) if p < 1 else 0)
    count, length = runs(x.size, x.size, STEP_ELEMENTS)
    keys = np.asarray(key, np.uint64).reshape(1)
    _dropout(count, length, flat(x), keys, threshold, scale, y.reshape(-1))
    return y
