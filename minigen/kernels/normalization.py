"""Batch norm, with leaky ReLU where wanted, and layer norm of (M, C), forward and backward.

Sums over the M rows go over the blocks of `tiles.py`: within a block in the array's dtype, of differences from the
block's first row (so nothing cancels); across blocks in float64, in order, whatever the number of threads.
"""

import numpy as np
from numba import prange

from minigen.kernels.jit import jit
from minigen.kernels.tiles import LONGEST, SERIAL, TILE, bounds, tiling, total_over_blocks

Triple = tuple[np.ndarray, np.ndarray, np.ndarray]


@jit
def _moments(x, tile, cut, sums):
    """sums[0] = sum of x - first row, sums[1] = sum of its squares, over the rows of one tile."""
    block, low, high, left, right = bounds(tile, cut, x.shape[0], x.shape[1])
    first = x[low][left:right]
    total, square = sums[block, 0][left:right], sums[block, 1][left:right]
    total[:] = 0
    square[:] = 0
    even = high - (high - low) % 2
    for i in range(low, even, 2):
        a, b = x[i][left:right], x[i + 1][left:right]
        for c in range(total.size):
            d, e = a[c] - first[c], b[c] - first[c]
            total[c] += d + e
            square[c] += d * d + e * e
    if even < high:
        a = x[even][left:right]
        for c in range(total.size):
            d = a[c] - first[c]
            total[c] += d
            square[c] += d * d


@jit
def _combine_moments(x, cut, sums, mean, var):
    """Mean and biased variance from those of the blocks (Chan, Golub and LeVeque, 1979)."""
    m, columns = x.shape
    rows, blocks, _ = cut
    center, spread = np.zeros(columns, np.float64), np.zeros(columns, np.float64)
    for b in range(blocks):
        first, total = x[b * rows], sums[b, 0]
        size = np.float64(min(rows, m - b * rows))
        for c in range(columns):
            center[c] += size * first[c] + total[c]
    center /= m
    for b in range(blocks):
        first, total, square = x[b * rows], sums[b, 0], sums[b, 1]
        size = np.float64(min(rows, m - b * rows))
        for c in range(columns):
            offset = np.float64(total[c]) / size
            apart = first[c] + offset - center[c]
            spread[c] += (square[c] - total[c] * offset) + size * apart * apart
    for c in range(columns):
        mean[c] = center[c]
        var[c] = max(spread[c], 0.0) / m if spread[c] == spread[c] else spread[c]


@jit
def _scales(weight, var, eps, scale):
    for c in range(scale.size):
        scale[c] = weight[c] / np.sqrt(var[c] + eps)


@jit
def _normalise(x, mean, scale, bias, slope, tile, cut, y):
    zero = slope - slope
    _, low, high, left, right = bounds(tile, cut, x.shape[0], x.shape[1])
    mean, scale, bias = mean[left:right], scale[left:right], bias[left:right]
    for i in range(low, high):
        row, out = x[i][left:right], y[i][left:right]
        for c in range(mean.size):
            v = (row[c] - mean[c]) * scale[c] + bias[c]
            less = zero if slope == zero else slope * v  # not 0 · ∞
            out[c] = less if v < zero else v


@jit
def _batch_norm_serial(x, weight, bias, eps, slope, known, cut, sums, mean, var, scale, y):
    if not known:
        for tile in range(cut[1] * cut[2]):
            _moments(x, tile, cut, sums)
        _combine_moments(x, cut, sums, mean, var)
    _scales(weight, var, eps, scale)
    for tile in range(cut[1] * cut[2]):
        _normalise(x, mean, scale, bias, slope, tile, cut, y)


@jit(parallel=True)
def _batch_norm_tiles(x, weight, bias, eps, slope, known, cut, sums, mean, var, scale, y):
    if not known:
        for tile in prange(cut[1] * cut[2]):
            _moments(x, tile, cut, sums)
        _combine_moments(x, cut, sums, mean, var)
    _scales(weight, var, eps, scale)
    for tile in prange(cut[1] * cut[2]):
        _normalise(x, mean, scale, bias, slope, tile, cut, y)


def _batch_norm(x, weight, bias, eps, slope, known, mean, var) -> np.ndarray:
    """The result; also writes mean and var unless they are `known`."""
    x, weight, bias = (np.ascontiguousarray(a) for a in (x, weight, bias))
    real, cut = x.dtype.type, tiling(*x.shape)
    sums = np.empty((0 if known else cut[1], 2, x.shape[1]), x.dtype)
    y = np.empty_like(x)
    kernel = _batch_norm_serial if x.size <= SERIAL else _batch_norm_tiles
    kernel(x, weight, bias, real(eps), real(slope), known, cut, sums, mean, var, np.empty_like(mean), y)
    return y


def batch_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float, slope: float = 1.0) -> Triple:
    """(y, mean, var): each column normalised by its own mean and biased variance, then leaky ReLU of that slope.

    y = leaky((x - mean) / √(var + eps) · weight + bias); slope 1 is none, 0 ReLU. x (M, C), M ≥ 1; the rest (C,).
    Ioffe and Szegedy, 2015, algorithm 1.
    """
    mean, var = np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
    return _batch_norm(x, weight, bias, eps, slope, False, mean, var), mean, var


def batch_norm_inference(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, mean: np.ndarray, var: np.ndarray, eps: float,
    slope: float = 1.0,
) -> np.ndarray:  # fmt: skip
    """leaky((x - mean) / √(var + eps) · weight + bias), with a given mean and var of each column."""
    return _batch_norm(x, weight, bias, eps, slope, True, np.ascontiguousarray(mean), np.ascontiguousarray(var))


@jit
def _grad_sums(gy, x, table, slope, tile, cut, sums):
    """sums[0] = sum of g, sums[1] = sum of g · (x - mean), g = gy · (derivative of leaky ReLU)."""
    zero = slope - slope
    block, low, high, left, right = bounds(tile, cut, x.shape[0], x.shape[1])
    mean, scale, bias = table[0][left:right], table[1][left:right], table[2][left:right]
    total, product = sums[block, 0][left:right], sums[block, 1][left:right]
    total[:] = zero
    product[:] = zero
    for i in range(low, high):
        g, v = gy[i][left:right], x[i][left:right]
        for c in range(mean.size):
            d = v[c] - mean[c]
            less = zero if slope == zero else slope * g[c]
            t = less if d * scale[c] + bias[c] <= zero else g[c]
            total[c] += t
            product[c] += t * d


@jit
def _combine_grad(m, var, eps, sums, table, gweight, gbias):
    """gweight and gbias; and the two numbers of each column by which gx needs x - mean and 1."""
    columns = gbias.size
    total, product = np.zeros(columns, np.float64), np.zeros(columns, np.float64)
    for b in range(sums.shape[0]):
        t, p = sums[b, 0], sums[b, 1]
        for c in range(columns):
            total[c] += t[c]
            product[c] += p[c]
    scale, by_x, constant = table[1], table[3], table[4]
    for c in range(columns):
        invstd = 1 / np.sqrt(np.float64(var[c]) + eps)
        gbias[c] = total[c]
        gweight[c] = product[c] * invstd
        by_x[c] = -scale[c] * invstd * invstd * product[c] / m
        constant[c] = -scale[c] * total[c] / m


@jit
def _input_grad(gy, x, table, slope, tile, cut, gx):
    zero = slope - slope
    _, low, high, left, right = bounds(tile, cut, x.shape[0], x.shape[1])
    mean, scale, bias = table[0][left:right], table[1][left:right], table[2][left:right]
    by_x, constant = table[3][left:right], table[4][left:right]
    for i in range(low, high):
        g, v, out = gy[i][left:right], x[i][left:right], gx[i][left:right]
        for c in range(mean.size):
            d = v[c] - mean[c]
            less = zero if slope == zero else slope * g[c]
            t = less if d * scale[c] + bias[c] <= zero else g[c]
            out[c] = scale[c] * t + (by_x[c] * d + constant[c])


@jit
def _batch_norm_grad_serial(gy, x, var, eps, slope, cut, table, sums, gx, gweight, gbias):
    for tile in range(cut[1] * cut[2]):
        _grad_sums(gy, x, table, slope, tile, cut, sums)
    _combine_grad(x.shape[0], var, eps, sums, table, gweight, gbias)
    if gx.size:
        for tile in range(cut[1] * cut[2]):
            _input_grad(gy, x, table, slope, tile, cut, gx)


@jit(parallel=True)
def _batch_norm_grad_tiles(gy, x, var, eps, slope, cut, table, sums, gx, gweight, gbias):
    for tile in prange(cut[1] * cut[2]):
        _grad_sums(gy, x, table, slope, tile, cut, sums)
    _combine_grad(x.shape[0], var, eps, sums, table, gweight, gbias)
    if gx.size:
        for tile in prange(cut[1] * cut[2]):
            _input_grad(gy, x, table, slope, tile, cut, gx)


def batch_norm_grad(
    gy: np.ndarray, x: np.ndarray, weight: np.ndarray, bias: np.ndarray, mean: np.ndarray, var: np.ndarray, eps: float,
    slope: float = 1.0, needs_x: bool = True,
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:  # fmt: skip
    """(gx, gweight, gbias) of batch_norm, mean and var being functions of x; gx None unless `needs_x`.

    gx = weight · invstd · (g - mean of g - x̂ · mean of g · x̂), x̂ the normalised x, and g = gy where the argument of
    leaky ReLU is positive, slope · gy elsewhere.
    """
    gy, x, weight, var = (np.ascontiguousarray(a) for a in (gy, x, weight, var))
    real, cut, columns = x.dtype.type, tiling(*x.shape), x.shape[1]
    table, sums = np.empty((5, columns), x.dtype), np.empty((cut[1], 2, columns), x.dtype)
    table[0], table[2] = mean, bias
    _scales(weight, var, real(eps), table[1])
    gx = np.empty(x.shape if needs_x else (0, 0), x.dtype)
    gweight, gbias = np.empty_like(weight), np.empty_like(weight)
    kernel = _batch_norm_grad_serial if x.size <= SERIAL else _batch_norm_grad_tiles
    kernel(gy, x, var, float(eps), real(slope), cut, table, sums, gx, gweight, gbias)
    return gx if needs_x else None, gweight, gbias


@jit
def _layer_norm(x, weight, bias, eps, low, high, y, mean, invstd):
    columns = weight.size
    zero, one = eps - eps, x.dtype.type(1)
    share = one / x.dtype.type(columns)
    for i in range(low, high):
        row, out = x[i], y[i]
        total, square = zero, zero
        for c in range(columns):
            total += row[c]
        center = total * share
        for c in range(columns):
            d = row[c] - center
            square += d * d
        scale = one / np.sqrt(square * share + eps)
        for c in range(columns):
            out[c] = (row[c] - center) * scale * weight[c] + bias[c]
        mean[i], invstd[i] = center, scale


@jit(parallel=True)
def _layer_norm_blocks(x, weight, bias, eps, rows, blocks, y, mean, invstd):
    for b in prange(blocks):
        _layer_norm(x, weight, bias, eps, b * rows, min(x.shape[0], (b + 1) * rows), y, mean, invstd)


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> Triple:
    """(y, mean (M,), invstd (M,)): each row normalised by its own mean and biased variance.

    y = (x - mean) · invstd · weight + bias, invstd = 1 / √(var + eps). x (M, C), weight and bias (C,).
    Ba et al., 2016, section 3.
    """
    x, weight, bias = (np.ascontiguousarray(a) for a in (x, weight, bias))
    y, mean, invstd = np.empty_like(x), np.empty(len(x), x.dtype), np.empty(len(x), x.dtype)
    if x.size <= SERIAL:
        _layer_norm(x, weight, bias, x.dtype.type(eps), 0, len(x), y, mean, invstd)
    else:
        rows, blocks = _row_blocks(x)
        _layer_norm_blocks(x, weight, bias, x.dtype.type(eps), rows, blocks, y, mean, invstd)
    return y, mean, invstd


def _row_blocks(x: np.ndarray) -> tuple[int, int]:
    """(rows of a block, blocks): whole rows, about one tile of them."""
    rows = max(1, min(LONGEST, TILE // max(1, x.shape[1])))
    return rows, -(-len(x) // rows)


@jit
def _layer_norm_grad(gy, x, weight, mean, invstd, low, high, gx, sums):
    columns = weight.size
    zero, one = x.dtype.type(0), x.dtype.type(1)
    share = one / x.dtype.type(columns)
    gweight, gbias = sums[0], sums[1]
    gweight[:] = zero
    gbias[:] = zero
    for i in range(low, high):
        g, row, out = gy[i], x[i], gx[i]
        center, scale = mean[i], invstd[i]
        total, product = zero, zero
        for c in range(columns):
            t, normalised = g[c] * weight[c], (row[c] - center) * scale
            total += t
            product += t * normalised
        total, product = total * share, product * share
        for c in range(columns):
            out[c] = scale * (g[c] * weight[c] - (total + (row[c] - center) * scale * product))
        for c in range(columns):
            gweight[c] += g[c] * ((row[c] - center) * scale)
            gbias[c] += g[c]


@jit
def _layer_norm_grad_serial(gy, x, weight, mean, invstd, rows, gx, sums, gweight, gbias):
    for b in range(sums.shape[0]):
        _layer_norm_grad(gy, x, weight, mean, invstd, b * rows, min(x.shape[0], (b + 1) * rows), gx, sums[b])
    total_over_blocks(sums[:, 0], gweight)
    total_over_blocks(sums[:, 1], gbias)


@jit(parallel=True)
def _layer_norm_grad_blocks(gy, x, weight, mean, invstd, rows, gx, sums, gweight, gbias):
    for b in prange(sums.shape[0]):
        _layer_norm_grad(gy, x, weight, mean, invstd, b * rows, min(x.shape[0], (b + 1) * rows), gx, sums[b])
    total_over_blocks(sums[:, 0], gweight)
    total_over_blocks(sums[:, 1], gbias)


def layer_norm_grad(gy: np.ndarray, x: np.ndarray, weight: np.ndarray, mean: np.ndarray, invstd: np.ndarray) -> Triple:
    """(gx, gweight, gbias) of layer_norm.

    gx = invstd · (g - mean of g - x̂ · mean of g · x̂) in each row, g = gy · weight, x̂ the normalised x.
    """
    gy, x, weight, mean, invstd = (np.ascontiguousarray(a) for a in (gy, x, weight, mean, invstd))
    rows, blocks = _row_blocks(x)
    gx, sums = np.empty_like(x), np.empty((blocks, 2, x.shape[1]), x.dtype)
    gweight, gbias = np.empty_like(weight), np.empty_like(weight)
    kernel = _layer_norm_grad_serial if x.size <= SERIAL else _layer_norm_grad_blocks
    kernel(gy, x, weight, mean, invstd, rows, gx, sums, gweight, gbias)
    return gx, gweight, gbias
