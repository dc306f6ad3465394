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


def _rows(columns: int) -> int:
    """Rows of one block."""
    return max(1, min(LONGEST, BLOCK // max(columns, 1)))


def _run(block, blocks, rows: int, size: int, *arguments: np.ndarray | np.floating) -> None:
    """`block` over [0, size) in one go when that is little work, else `blocks` in parallel."""
    count = -(-size // rows)
    if count <= FEW:
        for b in range(count):
            block(b, rows, *arguments)
    else:
        blocks(count, rows, *arguments)


@jit
def _moments(b, rows, x, total, square):
    part, total, square = x[b * rows : (b + 1) * rows], total[b], square[b]
    m, columns = part.shape
    share = x.dtype.type(1) / x.dtype.type(m)
    for c in range(columns):
        total[c] = 0
        square[c] = 0
    for i in range(m):
        for c in range(columns):
            total[c] += part[i, c]
    for i in range(m):
        for c in range(columns):
            d = part[i, c] - total[c] * share
            square[c] += d * d


@jit(parallel=True)
def _moments_blocks(count, rows, x, total, square):
    for b in prange(count):
        _moments(b, rows, x, total, square)


def _mean_var(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance of each column (Chan, Golub and LeVeque, 1979, to combine the blocks)."""
    m, columns = x.shape
    rows = _rows(columns)
    count = -(-m // rows)
    total, square = np.empty((count, columns), x.dtype), np.empty((count, columns), x.dtype)
    _run(_moments, _moments_blocks, rows, m, x, total, square)
    sizes = np.full((count, 1), rows, np.float64)
    sizes[-1:] = m - rows * (count - 1)
    mean = total.sum(axis=0, dtype=np.float64) / m
    var = (square.sum(axis=0, dtype=np.float64) + (sizes * (total / sizes - mean) ** 2).sum(axis=0)) / m
    return mean.astype(x.dtype), var.astype(x.dtype)


@jit
def _normalise(b, rows, x, mean, scale, bias, y):
    part, out = x[b * rows : (b + 1) * rows], y[b * rows : (b + 1) * rows]
    for i in range(part.shape[0]):
        for c in range(part.shape[1]):
            out[i, c] = (part[i, c] - mean[c]) * scale[c] + bias[c]


@jit(parallel=True)
def _normalise_blocks(count, rows, x, mean, scale, bias, y):
    for b in prange(count):
        _normalise(b, rows, x, mean, scale, bias, y)


def batch_norm_inference(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, mean: np.ndarray, var: np.ndarray, eps: float
) -> np.ndarray:
    """(x - mean) / √(var + eps) · weight + bias, with a given mean and var of each column."""
    x = np.ascontiguousarray(x)
    y = np.empty_like(x)
    scale = weight / np.sqrt(var + x.dtype.type(eps))
    vectors = [np.ascontiguousarray(v) for v in (mean, scale, bias)]
    _run(_normalise, _normalise_blocks, _rows(x.shape[1]), len(x), x, *vectors, y)
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
def _grad_sums(b, rows, gy, x, mean, total, product):
    part_g, part = gy[b * rows : (b + 1) * rows], x[b * rows : (b + 1) * rows]
    total, product = total[b], product[b]
    for c in range(x.shape[1]):
        total[c] = 0
        product[c] = 0
    for i in range(part.shape[0]):
        for c in range(part.shape[1]):
            total[c] += part_g[i, c]
            product[c] += part_g[i, c] * (part[i, c] - mean[c])


@jit(parallel=True)
def _grad_sums_blocks(count, rows, gy, x, mean, total, product):
    for b in prange(count):
        _grad_sums(b, rows, gy, x, mean, total, product)


@jit
def _input_grad(b, rows, gy, x, mean, by_gy, by_x, constant, gx):
    part_g, part, out = gy[b * rows : (b + 1) * rows], x[b * rows : (b + 1) * rows], gx[b * rows : (b + 1) * rows]
    for i in range(part.shape[0]):
        for c in range(part.shape[1]):
            out[i, c] = by_gy[c] * part_g[i, c] + by_x[c] * (part[i, c] - mean[c]) + constant[c]


@jit(parallel=True)
def _input_grad_blocks(count, rows, gy, x, mean, by_gy, by_x, constant, gx):
    for b in prange(count):
        _input_grad(b, rows, gy, x, mean, by_gy, by_x, constant, gx)


def batch_norm_grad(
    gy: np.ndarray, x: np.ndarray, weight: np.ndarray, mean: np.ndarray, var: np.ndarray, eps: float
) -> Triple:
    """(gx, gweight, gbias) of batch_norm, mean and var being functions of x.

    gx = weight · invstd · (gy - mean of gy - x̂ · mean of gy · x̂), x̂ the normalised x.
    """
    gy, x, mean = np.ascontiguousarray(gy), np.ascontiguousarray(x), np.ascontiguousarray(mean)
    m, columns = x.shape
    rows = _rows(columns)
    count = -(-m // rows)
    total, product = np.empty((count, columns), x.dtype), np.empty((count, columns), x.dtype)
    _run(_grad_sums, _grad_sums_blocks, rows, m, gy, x, mean, total, product)
    invstd = 1 / np.sqrt(var + x.dtype.type(eps))
    gbias = total.sum(axis=0, dtype=np.float64).astype(x.dtype)
    gweight = (product.sum(axis=0, dtype=np.float64) * invstd).astype(x.dtype)
    by_gy = weight * invstd
    by_x, constant = -by_gy * invstd * (gweight / x.dtype.type(m)), -by_gy * (gbias / x.dtype.type(m))
    gx = np.empty_like(x)
    _run(_input_grad, _input_grad_blocks, rows, m, gy, x, mean, by_gy, by_x, constant, gx)
    return gx, gweight, gbias


@jit
def _layer_norm(b, rows, x, weight, bias, eps, y, mean, invstd):
    columns = x.shape[1]
    share = x.dtype.type(1) / x.dtype.type(columns)
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for i in range(b * rows, min((b + 1) * rows, x.shape[0])):
        row, out = x[i], y[i]
        total = zero
        for c in range(columns):
            total += row[c]
        mu = total * share
        square = zero
        for c in range(columns):
            square += (row[c] - mu) * (row[c] - mu)
        scale = one / np.sqrt(square * share + eps)
        for c in range(columns):
            out[c] = (row[c] - mu) * scale * weight[c] + bias[c]
        mean[i], invstd[i] = mu, scale


@jit(parallel=True)
def _layer_norm_blocks(count, rows, x, weight, bias, eps, y, mean, invstd):
    for b in prange(count):
        _layer_norm(b, rows, x, weight, bias, eps, y, mean, invstd)


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> Triple:
    """(y, mean (M,), invstd (M,)): each row normalised by its own mean and biased variance.

    y = (x - mean) · invstd · weight + bias, invstd = 1 / √(var + eps). x (M, C), weight and bias (C,).
    Ba et al., 2016, section 3.
    """
    x = np.ascontiguousarray(x)
    y, mean, invstd = np.empty_like(x), np.empty(len(x), x.dtype), np.empty(len(x), x.dtype)
    vectors = np.ascontiguousarray(weight), np.ascontiguousarray(bias)
    eps = x.dtype.type(eps)
    _run(_layer_norm, _layer_norm_blocks, _rows(x.shape[1]), len(x), x, *vectors, eps, y, mean, invstd)
    return y, mean, invstd


@jit
def _layer_norm_grad(b, rows, gy, x, weight, mean, invstd, gx, gweight, gbias):
    columns = x.shape[1]
    share = x.dtype.type(1) / x.dtype.type(columns)
    gweight, gbias = gweight[b], gbias[b]
    for c in range(columns):
        gweight[c] = 0
        gbias[c] = 0
    for i in range(b * rows, min((b + 1) * rows, x.shape[0])):
        g_row, row, out = gy[i], x[i], gx[i]
        mu, scale = mean[i], invstd[i]
        total = x.dtype.type(0)
        product = x.dtype.type(0)
        for c in range(columns):
            normalised = (row[c] - mu) * scale
            total += g_row[c] * weight[c]
            product += g_row[c] * weight[c] * normalised
            gweight[c] += g_row[c] * normalised
            gbias[c] += g_row[c]
        total *= share
        product *= share
        for c in range(columns):
            out[c] = scale * (g_row[c] * weight[c] - total - (row[c] - mu) * scale * product)


@jit(parallel=True)
def _layer_norm_grad_blocks(count, rows, gy, x, weight, mean, invstd, gx, gweight, gbias):
    for b in prange(count):
        _layer_norm_grad(b, rows, gy, x, weight, mean, invstd, gx, gweight, gbias)


def layer_norm_grad(gy: np.ndarray, x: np.ndarray, weight: np.ndarray, mean: np.ndarray, invstd: np.ndarray) -> Triple:
    """(gx, gweight, gbias) of layer_norm.

    gx = invstd · (g - mean of g - x̂ · mean of g · x̂) in each row, g = gy · weight, x̂ the normalised x.
    """
    arrays = [np.ascontiguousarray(a) for a in (gy, x, weight, mean, invstd)]
    m, columns = x.shape
    rows = _rows(columns)
    count = -(-m // rows)
    gx = np.empty((m, columns), x.dtype)
    gweight, gbias = np.empty((count, columns), x.dtype), np.empty((count, columns), x.dtype)
    _run(_layer_norm_grad, _layer_norm_grad_blocks, rows, m, *arrays, gx, gweight, gbias)
    return gx, *(part.sum(axis=0, dtype=np.float64).astype(x.dtype) for part in (gweight, gbias))
