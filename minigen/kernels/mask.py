"""Dropout, alone or after leaky ReLU, with a mask that is redrawn in the backward pass instead of being stored.

Element i is kept when a 32-bit hash of (key, i) is not below p · 2³²: a pure function, whatever the threads do. The
hash is the integer mixer lowbias32 (Wellons, 2018) with the halves of splitmix64(key) (Steele et al., 2014), one added
before and one xored in between its multiplications, and without its last shift, which changes only the low half. Beyond
2³² elements the mask repeats.
"""

import numpy as np
from numba import prange

from minigen.kernels.jit import jit
from minigen.kernels.tiles import SERIAL, TILE, add_rows, bounds, folded, rows_at_once, tiling, total_over_blocks

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


@jit
def _leaky_dropout(x, start, options, y):
    slope, first, second, threshold, scale = options
    zero = scale - scale
    first = np.uint32(first + np.uint32(start))
    for i in range(x.size):
        v = x[i]
        less = zero if slope == zero else slope * v  # not 0 · ∞
        y[i] = (less if v < zero else v) * (scale if _kept(i, first, second, threshold) else zero)


@jit(parallel=True)
def _leaky_dropout_blocks(x, options, y):
    for block in prange((x.size + TILE - 1) // TILE):
        part = slice(block * TILE, (block + 1) * TILE)
        _leaky_dropout(x[part], block * TILE, options, y[part])


def leaky_dropout(x: np.ndarray, slope: float, key: int, p: float) -> np.ndarray:
    """dropout(leaky_relu(x, slope), key, p), in one pass; slope 1 is dropout alone."""
    flat = np.ascontiguousarray(x).reshape(-1)
    y = np.empty_like(flat)
    options = _options(slope, key, p, x.dtype)
    if flat.size <= SERIAL:
        _leaky_dropout(flat, 0, options, y)
    else:
        _leaky_dropout_blocks(flat, options, y)
    return y.reshape(x.shape)


def dropout(x: np.ndarray, key: int, p: float) -> np.ndarray:
    """x / (1 - p) where the mask keeps, 0 elsewhere; the mask is a pure function of (key, flat index) and p.

    The same call on gy redraws the mask: dropout is its own gradient. Srivastava et al., 2014, inverted scaling.
    """
    return leaky_dropout(x, 1.0, key, p)


@jit
def _masked_grad(gy, y, start, options, gz):
    slope, first, second, threshold, scale = options
    zero = scale - scale
    first = np.uint32(first + np.uint32(start))
    for i in range(gy.size):
        g = gy[i]
        less = zero if slope == zero else slope * g
        gz[i] = (less if y[i] <= zero else g) * (scale if _kept(i, first, second, threshold) else zero)


@jit
def _leaky_dropout_grad(gy, y, options, gz, tile, shape, cut, sums):
    m, columns = shape
    block, first, end, left, right = bounds(tile, cut, m, columns)
    total = sums[block][left:right]
    total[:] = 0
    step = rows_at_once(right - left)
    for low in range(first, end, step):
        high = min(end, low + step)
        if right - left == columns:
            part = slice(low * columns, high * columns)
            _masked_grad(gy[part], y[part], low * columns, options, gz[part])
        else:
            for i in range(low, high):
                part = slice(i * columns + left, i * columns + right)
                _masked_grad(gy[part], y[part], i * columns + left, options, gz[part])
        add_rows(gz, columns, low, high, left, right, total)


@jit
def _leaky_dropout_grad_serial(gy, y, options, gz, shape, cut, sums, gbias):
    for tile in range(cut[1] * cut[2]):
        _leaky_dropout_grad(gy, y, options, gz, tile, shape, cut, sums)
    total_over_blocks(sums, gbias)


@jit(parallel=True)
def _leaky_dropout_grad_tiles(gy, y, options, gz, shape, cut, sums, gbias):
    for tile in prange(cut[1] * cut[2]):
        _leaky_dropout_grad(gy, y, options, gz, tile, shape, cut, sums)
    total_over_blocks(sums, gbias)


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
    options = _options(slope, key, p, gy.dtype)
    flat_gy, flat = np.ascontiguousarray(gy).reshape(-1), np.ascontiguousarray(y).reshape(-1)
    gz = np.empty_like(flat)
    kernel = _leaky_dropout_grad_serial if gy.size <= SERIAL else _leaky_dropout_grad_tiles
    kernel(flat_gy, flat, options, gz, shape, cut, sums, gbias)
    return gz.reshape(gy.shape), gbias if needs_bias else None
