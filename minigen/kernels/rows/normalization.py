"""Batch norm, with leaky ReLU where wanted, and layer norm of (M, C), forward and backward.

Sums over the M rows go over the blocks of `cuts.py`: within a block in the array's dtype, of differences from the
block's first row (so nothing cancels); across blocks in float64, in order, whatever the number of threads. Batch norm
works on rows of (M, C) that are folded to longer ones of (M / f, f · C), each column of which has its own sums.
"""

import numpy as np

from minigen.kernels import reference
from minigen.kernels.compiler.arrays import contiguous
from minigen.kernels.compiler.jit import jit, tasks
from minigen.kernels.rows.cuts import PATCH_ELEMENTS, PATCH_ROWS, bounds, folded, patches, runs, span, total_over_blocks
from minigen.kernels.rows.leaky import leaky, leaky_grad, slope_number

Triple = tuple[np.ndarray, np.ndarray, np.ndarray]
NEXT = np.uintp(1)
LONG_ROW = 16384  # columns from which a row's sum in float32 drifts: layer norm leaves them to the twins


@tasks
def _moments(run, length, x, cut, sums):
    """sums[0] = sum of x - first row, sums[1] = sum of its squares, over the rows of each patch."""
    first, stop = span(run, length, cut[1] * cut[2])
    for patch in range(first, stop):
        block, low, high, left, right = bounds(patch, cut, x.shape[0], x.shape[1])
        total, square = sums[0, block], sums[1, block]
        for c in range(left, right):
            total[c] = 0
            square[c] = 0
        for i in range(low, high - NEXT, 2):
            for c in range(left, right):
                d, e = x[i, c] - x[low, c], x[i + NEXT, c] - x[low, c]
                total[c] += d + e
                square[c] += d * d + e * e
        if (high - low) % 2:
            for c in range(left, right):
                d = x[high - NEXT, c] - x[low, c]
                total[c] += d
                square[c] += d * d


@jit
def _combine_moments(x, rows, fold, sums, mean, var):
    """Mean and biased variance from those of the blocks (Chan, Golub and LeVeque, 1979).

    x (M, C) not folded; sums (2, P, C), where part p is column group p % fold of block p // fold.
    """
    m, columns = x.shape
    center, spread = np.zeros(columns, np.float64), np.zeros(columns, np.float64)
    for p in range(sums.shape[1]):
        first = p // fold * rows * fold
        size = np.float64(min(rows, (m - first) // fold))
        for c in range(columns):
            center[c] += (size * x[first + p % fold, c] + sums[0, p, c]) / m
    for p in range(sums.shape[1]):
        first = p // fold * rows * fold
        size = np.float64(min(rows, (m - first) // fold))
        for c in range(columns):
            total = np.float64(sums[0, p, c])
            offset = total / size
            apart = x[first + p % fold, c] + offset - center[c]
            spread[c] += (sums[1, p, c] - total * offset) + size * apart * apart
    for c in range(columns):
        mean[c] = center[c]
        var[c] = max(spread[c], 0.0) / m if spread[c] == spread[c] else spread[c]


@tasks
def _normalise(run, length, x, table, slope, cut, y):
    first, stop = span(run, length, cut[1] * cut[2])
    for patch in range(first, stop):
        _, low, high, left, right = bounds(patch, cut, x.shape[0], x.shape[1])
        for i in range(low, high):
            for c in range(left, right):
                y[i, c] = leaky((x[i, c] - table[0, c]) * table[1, c] + table[2, c], slope)


@jit
def _fill(mean, var, weight, bias, eps, table):
    """table[0], [1], [2] = mean, weight / √(var + eps), bias, each repeated; table (3 or more, fold, C)."""
    for k in range(table.shape[1]):
        for c in range(mean.size):  # a loop of its own, which vectorises
            table[1, k, c] = weight[c] / np.sqrt(var[c] + eps)
        for c in range(mean.size):
            table[0, k, c] = mean[c]
            table[2, k, c] = bias[c]


def batch_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float, slope: float | None = None) -> Triple:
    """(y, mean, var): each column normalised by its own mean and biased variance, then leaky ReLU of that slope.

    y = leaky((x - mean) / √(var + eps) · weight + bias); slope None is none, 0 ReLU. x (M, C), M ≥ 1; the rest (C,).
    Ioffe and Szegedy, 2015, algorithm 1.
    """
    x, shape = contiguous(x), folded(*x.shape)
    mean, var = np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
    fold, cut = len(x) // shape[0], patches(*shape)
    sums = np.empty((2, cut[1], shape[1]), x.dtype)
    _moments(*runs(cut[1] * cut[2], x.size), x.reshape(shape), cut, sums)
    _combine_moments(x, cut[0], fold, sums.reshape(2, -1, x.shape[1]), mean, var)
    return batch_norm_inference(x, weight, bias, mean, var, eps, slope), mean, var


def batch_norm_inference(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, mean: np.ndarray, var: np.ndarray, eps: float,
    slope: float | None = None,
) -> np.ndarray:  # fmt: skip
    """leaky((x - mean) / √(var + eps) · weight + bias), with a given mean and var of each column."""
    x, mean, var, weight, bias = (contiguous(a) for a in (x, mean, var, weight, bias))
    shape = folded(*x.shape)
    cut, table = patches(*shape), np.empty((3, shape[1] // mean.size, mean.size), x.dtype)
    _fill(mean, var, weight, bias, x.dtype.type(eps), table)
    y = np.empty(x.shape, x.dtype)
    count, length = runs(cut[1] * cut[2], x.size)
    _normalise(
        count, length, x.reshape(shape), table.reshape(3, -1), x.dtype.type(slope_number(slope)), cut, y.reshape(shape)
    )
    return y


@tasks
def _grad_sums(run, length, gy, x, table, slope, cut, sums):
    """sums[0] = sum of g, sums[1] = sum of g · (x - mean), g = gy · (derivative of leaky ReLU)."""
    zero = slope - slope
    first, stop = span(run, length, cut[1] * cut[2])
    for patch in range(first, stop):
        block, low, high, left, right = bounds(patch, cut, x.shape[0], x.shape[1])
        total, product = sums[0, block], sums[1, block]
        for c in range(left, right):
            total[c] = zero
            product[c] = zero
        for i in range(low, high):
            for c in range(left, right):
                d = x[i, c] - table[0, c]
                t = leaky_grad(gy, (i, c), d * table[1, c] + table[2, c], slope)
                total[c] += t
                product[c] += t * d


@jit
def _combine_grad(m, var, eps, sums, table, gweight, gbias):
    """gweight and gbias; and the two numbers of each column by which gx needs x - mean and 1.

    sums (2, P, C), P parts of the rows; table (5, fold, C).
    """
    columns = gbias.size
    totals = np.zeros((2, columns), np.float64)
    for k in range(2):
        for p in range(sums.shape[1]):
            for c in range(columns):
                totals[k, c] += sums[k, p, c]
    for f in range(table.shape[1]):
        for c in range(columns):
            invstd = 1 / np.sqrt(np.float64(var[c]) + eps)
            table[3, f, c] = -table[1, f, c] * invstd * invstd * totals[1, c] / m
        for c in range(columns):
            table[4, f, c] = -table[1, f, c] * totals[0, c] / m
    for c in range(columns):
        gbias[c] = totals[0, c]
        gweight[c] = totals[1, c] / np.sqrt(np.float64(var[c]) + eps)


@tasks
def _input_grad(run, length, gy, x, table, slope, cut, gx):
    first, stop = span(run, length, cut[1] * cut[2])
    for patch in range(first, stop):
        _, low, high, left, right = bounds(patch, cut, x.shape[0], x.shape[1])
        for i in range(low, high):
            for c in range(left, right):
                d = x[i, c] - table[0, c]
                t = leaky_grad(gy, (i, c), d * table[1, c] + table[2, c], slope)
                gx[i, c] = table[1, c] * t + (table[3, c] * d + table[4, c])


def batch_norm_grad(
    gy: np.ndarray, x: np.ndarray, weight: np.ndarray, bias: np.ndarray, mean: np.ndarray, var: np.ndarray, eps: float,
    slope: float | None = None, needs_x: bool = True,
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:  # fmt: skip
    """(gx, gweight, gbias) of batch_norm, mean and var being functions of x; gx None unless `needs_x`.

    gx = weight · invstd · (g - mean of g - x̂ · mean of g · x̂), x̂ the normalised x, and g = gy where the argument of
    leaky ReLU is positive, slope · gy elsewhere.
    """
    gy, x, weight, bias, mean, var = (contiguous(a) for a in (gy, x, weight, bias, mean, var))
    (m, columns), shape, bend = x.shape, folded(*x.shape), x.dtype.type(slope_number(slope))
    cut, table = patches(*shape), np.empty((5, shape[1] // columns, columns), x.dtype)
    _fill(mean, var, weight, bias, x.dtype.type(eps), table)
    sums = np.empty((2, cut[1], shape[1]), x.dtype)
    gweight, gbias = np.empty(columns, x.dtype), np.empty(columns, x.dtype)
    count, length = runs(cut[1] * cut[2], x.size)
    rows = gy.reshape(shape), x.reshape(shape), table.reshape(5, -1)
    _grad_sums(count, length, *rows, bend, cut, sums)
    _combine_grad(m, var, float(eps), sums.reshape(2, -1, columns), table, gweight, gbias)
    if not needs_x:
        return None, gweight, gbias
    gx = np.empty(x.shape, x.dtype)
    _input_grad(count, length, *rows, bend, cut, gx.reshape(shape))
    return gx, gweight, gbias


@tasks
def _layer_norm(run, rows, x, weight, bias, eps, y, mean, invstd):
    columns = weight.size
    zero, one = eps - eps, x.dtype.type(1)
    share = one / x.dtype.type(columns)
    low, high = span(run, rows, x.shape[0])
    for i in range(low, high):
        total, square = zero, zero
        for c in range(columns):
            total += x[i, c]
        center = total * share
        for c in range(columns):
            d = x[i, c] - center
            square += d * d
        scale = one / np.sqrt(square * share + eps)
        for c in range(columns):
            y[i, c] = (x[i, c] - center) * scale * weight[c] + bias[c]
        mean[i], invstd[i] = center, scale


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> Triple:
    """(y, mean (M,), invstd (M,)): each row normalised by its own mean and biased variance.

    y = (x - mean) · invstd · weight + bias, invstd = 1 / √(var + eps). x (M, C), weight and bias (C,).
    Ba et al., 2016, section 3.
    """
    if x.shape[1] > LONG_ROW:
        return reference.layer_norm(x, weight, bias, eps)
    x, weight, bias = (contiguous(a) for a in (x, weight, bias))
    y, mean, invstd = np.empty_like(x), np.empty(len(x), x.dtype), np.empty(len(x), x.dtype)
    count, rows = runs(len(x), x.size, work=2)
    _layer_norm(count, rows, x, weight, bias, x.dtype.type(eps), y, mean, invstd)
    return y, mean, invstd


@tasks
def _layer_norm_grad(run, length, gy, x, weight, mean, invstd, rows, gx, sums):
    columns = weight.size
    zero, one = x.dtype.type(0), x.dtype.type(1)
    share = one / x.dtype.type(columns)
    first, stop = span(run, length, sums.shape[1])
    for block in range(first, stop):
        gweight, gbias = sums[0, block], sums[1, block]
        gweight[:] = zero
        gbias[:] = zero
        low, high = span(block, rows, x.shape[0])
        for i in range(low, high):
            center, scale = mean[i], invstd[i]
            total, product = zero, zero
            for c in range(columns):
                t, normalised = gy[i, c] * weight[c], (x[i, c] - center) * scale
                total += t
                product += t * normalised
            total, product = total * share, product * share
            for c in range(columns):
                gx[i, c] = scale * (gy[i, c] * weight[c] - (total + (x[i, c] - center) * scale * product))
            for c in range(columns):
                gweight[c] += gy[i, c] * ((x[i, c] - center) * scale)
                gbias[c] += gy[i, c]


def layer_norm_grad(gy: np.ndarray, x: np.ndarray, weight: np.ndarray, mean: np.ndarray, invstd: np.ndarray) -> Triple:
    """(gx, gweight, gbias) of layer_norm.

    gx = invstd · (g - mean of g - x̂ · mean of g · x̂) in each row, g = gy · weight, x̂ the normalised x.
    """
    if x.shape[1] > LONG_ROW:
        return reference.layer_norm_grad(gy, x, weight, mean, invstd)
    gy, x, weight, mean, invstd = (contiguous(a) for a in (gy, x, weight, mean, invstd))
    rows = max(1, min(PATCH_ROWS, PATCH_ELEMENTS // max(1, x.shape[1])))
    blocks = -(-len(x) // rows)
    gx, sums = np.empty_like(x), np.empty((2, blocks, x.shape[1]), x.dtype)
    gweight, gbias = np.empty_like(weight), np.empty_like(weight)
    _layer_norm_grad(*runs(blocks, x.size), gy, x, weight, mean, invstd, rows, gx, sums)
    total_over_blocks(sums[0], gweight)
    total_over_blocks(sums[1], gbias)
    return gx, gweight, gbias
