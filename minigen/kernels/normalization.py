"""Batch norm and layer norm of (M, C), forward and backward.

Sums over the M rows go over fixed blocks of rows: within a block in the array's dtype, in cache, the variance around
the block's own mean (so nothing cancels); across blocks in float64, in order, whatever the number of threads.
"""

import numpy as np
from numba import prange

from minigen.kernels.jit import jit

BLOCK = 16384  # elements, at most
LONGEST = 256  # rows of a block, at most, so that a sum in float32 stays exact enough
FEW = 2  # blocks up to which one thread is faster

Triple = tuple[np.ndarray, np.ndarray, np.ndarray]


def _blocks(x: np.ndarray) -> tuple[int, int]:
    """(rows of one block, number of blocks) for x (M, C)."""
    rows = max(1, min(LONGEST, BLOCK // max(x.shape[1], 1)))
    return rows, -(-len(x) // rows)


@jit
def _moments(x, sums):
    m, columns = x.shape
    total, square = sums[0], sums[1]
    share = x.dtype.type(1) / x.dtype.type(m)
    for i in range(m):
        for c in range(columns):
            total[c] += x[i, c]
    for i in range(m):
        for c in range(columns):
            d = x[i, c] - total[c] * share
            square[c] += d * d


@jit(parallel=True)
def _moments_blocks(rows, x, sums):
    for b in prange(sums.shape[0]):
        _moments(x[b * rows : (b + 1) * rows], sums[b])


def _mean_var(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance of each column (Chan, Golub and LeVeque, 1979, to combine the blocks)."""
    m, columns = x.shape
    rows, count = _blocks(x)
    sums = np.zeros((count, 2, columns), x.dtype)
    if count > FEW:
        _moments_blocks(rows, x, sums)
    else:
        for b in range(count):
            _moments(x[b * rows : (b + 1) * rows], sums[b])
    total, square = sums[:, 0].astype(np.float64), sums[:, 1].astype(np.float64)
    sizes = np.full((count, 1), rows, np.float64)
    sizes[-1:] = m - rows * (count - 1)
    mean = total.sum(axis=0) / m
    var = (square.sum(axis=0) + (sizes * (total / sizes - mean) ** 2).sum(axis=0)) / m
    return mean.astype(x.dtype), var.astype(x.dtype)


@jit
def _normalise(x, mean, scale, bias, y):
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            y[i, c] = (x[i, c] - mean[c]) * scale[c] + bias[c]


@jit(parallel=True)
def _normalise_blocks(count, rows, x, mean, scale, bias, y):
    for b in prange(count):
        part = slice(b * rows, (b + 1) * rows)
        _normalise(x[part], mean, scale, bias, y[part])


def batch_norm_inference(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, mean: np.ndarray, var: np.ndarray, eps: float
) -> np.ndarray:
    """(x - mean) / √(var + eps) · weight + bias, with a given mean and var of each column."""
    x = np.ascontiguousarray(x)
    y = np.empty_like(x)
    scale = weight / np.sqrt(var + x.dtype.type(eps))
    mean, bias = np.ascontiguousarray(mean), np.ascontiguousarray(bias)
    rows, count = _blocks(x)
    if count > FEW:
        _normalise_blocks(count, rows, x, mean, scale, bias, y)
    else:
        _normalise(x, mean, scale, bias, y)
    return y


def batch_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> Triple:
    """(y, mean, var): each column normalised by its own mean and biased variance.

    y = (x - mean) / √(var + eps) · weight + bias. x (M, C), M ≥ 1; the rest (C,).
    Ioffe and Szegedy, 2015, algorithm 1.
    """
    x = np.ascontiguousarray(x)
    mean, var = _mean_var(x)
    return batch_norm_inference(x, weight, bias, mean, var, eps), mean, var


@jit
def _grad_sums(gy, x, mean, sums):
    total, product = sums[0], sums[1]
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            total[c] += gy[i, c]
            product[c] += gy[i, c] * (x[i, c] - mean[c])


@jit(parallel=True)
def _grad_sums_blocks(rows, gy, x, mean, sums):
    for b in prange(sums.shape[0]):
        part = slice(b * rows, (b + 1) * rows)
        _grad_sums(gy[part], x[part], mean, sums[b])


@jit
def _input_grad(gy, x, mean, factors, gx):
    by_gy, by_x, constant = factors[0], factors[1], factors[2]
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            gx[i, c] = by_gy[c] * gy[i, c] + by_x[c] * (x[i, c] - mean[c]) + constant[c]


@jit(parallel=True)
def _input_grad_blocks(count, rows, gy, x, mean, factors, gx):
    for b in prange(count):
        part = slice(b * rows, (b + 1) * rows)
        _input_grad(gy[part], x[part], mean, factors, gx[part])


def batch_norm_grad(
    gy: np.ndarray, x: np.ndarray, weight: np.ndarray, mean: np.ndarray, var: np.ndarray, eps: float
) -> Triple:
    """(gx, gweight, gbias) of batch_norm, mean and var being functions of x.

    gx = weight · invstd · (gy - mean of gy - x̂ · mean of gy · x̂), x̂ the normalised x.
    """
    gy, x, mean = np.ascontiguousarray(gy), np.ascontiguousarray(x), np.ascontiguousarray(mean)
    gx = np.empty_like(x)
    rows, count = _blocks(x)
    sums = np.zeros((count, 2, x.shape[1]), x.dtype)
    if count > FEW:
        _grad_sums_blocks(rows, gy, x, mean, sums)
    else:
        for b in range(count):
            _grad_sums(gy[b * rows : (b + 1) * rows], x[b * rows : (b + 1) * rows], mean, sums[b])
    gbias, gweight = sums.sum(axis=0, dtype=np.float64)
    invstd = 1 / np.sqrt(var + np.float64(eps))
    gweight *= invstd
    by_gy = weight * invstd
    factors = np.stack([by_gy, -by_gy * invstd * gweight / len(x), -by_gy * gbias / len(x)]).astype(x.dtype)
    if count > FEW:
        _input_grad_blocks(count, rows, gy, x, mean, factors, gx)
    else:
        _input_grad(gy, x, mean, factors, gx)
    return gx, gweight.astype(x.dtype), gbias.astype(x.dtype)


@jit
def _layer_norm(x, weight, bias, eps, y, statistics):
    columns = x.shape[1]
    zero, one = x.dtype.type(0), x.dtype.type(1)
    share = one / x.dtype.type(columns)
    for i in range(x.shape[0]):
        total, square = zero, zero
        for c in range(columns):
            total += x[i, c]
        mean = total * share
        for c in range(columns):
            d = x[i, c] - mean
            square += d * d
        scale = one / np.sqrt(square * share + eps)
        for c in range(columns):
            y[i, c] = (x[i, c] - mean) * scale * weight[c] + bias[c]
        statistics[i, 0], statistics[i, 1] = mean, scale


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> Triple:
    """(y, mean (M,), invstd (M,)): each row normalised by its own mean and biased variance.

    y = (x - mean) · invstd · weight + bias, invstd = 1 / √(var + eps). x (M, C), weight and bias (C,).
    Ba et al., 2016, section 3.
    """
    x = np.ascontiguousarray(x)
    y, statistics = np.empty_like(x), np.empty((len(x), 2), x.dtype)
    _layer_norm(x, np.ascontiguousarray(weight), np.ascontiguousarray(bias), x.dtype.type(eps), y, statistics)
    return y, statistics[:, 0].copy(), statistics[:, 1].copy()


@jit
def _layer_norm_grad(gy, x, weight, statistics, gx, sums):
    columns = x.shape[1]
    zero, one = x.dtype.type(0), x.dtype.type(1)
    share = one / x.dtype.type(columns)
    gweight, gbias = sums[0], sums[1]
    for i in range(x.shape[0]):
        mean, scale = statistics[i, 0], statistics[i, 1]
        total, product = zero, zero
        for c in range(columns):
            g, normalised = gy[i, c], (x[i, c] - mean) * scale
            total += g * weight[c]
            product += g * weight[c] * normalised
        for c in range(columns):
            g, normalised = gy[i, c], (x[i, c] - mean) * scale
            gweight[c] += g * normalised
            gbias[c] += g
            gx[i, c] = scale * (g * weight[c] - share * (total + normalised * product))


def layer_norm_grad(gy: np.ndarray, x: np.ndarray, weight: np.ndarray, mean: np.ndarray, invstd: np.ndarray) -> Triple:
    """(gx, gweight, gbias) of layer_norm.

    gx = invstd · (g - mean of g - x̂ · mean of g · x̂) in each row, g = gy · weight, x̂ the normalised x.
    """
    gy, x, weight = np.ascontiguousarray(gy), np.ascontiguousarray(x), np.ascontiguousarray(weight)
    statistics, gx = np.stack([mean, invstd], axis=1), np.empty_like(x)
    rows, count = _blocks(x)
    sums = np.zeros((count, 2, x.shape[1]), x.dtype)
    for b in range(count):
        part = slice(b * rows, (b + 1) * rows)
        _layer_norm_grad(gy[part], x[part], weight, statistics[part], gx[part], sums[b])
    gweight, gbias = sums.sum(axis=0, dtype=np.float64).astype(x.dtype)
    return gx, gweight, gbias
