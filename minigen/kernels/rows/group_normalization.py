"""Group norm of images (N, P, C), P places of C channels, forward and backward: each image by one thread.

Channels lie next to each other, so that every pass runs along them, whatever the group: sums are taken for each channel
and then added up over those of a group. A channel's sum goes over BLOCK_ROWS places in the array's dtype, and over
these blocks in float64. Of few channels several places are taken as one (`cuts.folded`), which then has columns of the
same group more than once.
"""

import numpy as np

from minigen.kernels.compiler.arrays import contiguous
from minigen.kernels.compiler.jit import part, tasks
from minigen.kernels.rows.cuts import folded, runs, span, total_over_blocks

Triple = tuple[np.ndarray, np.ndarray, np.ndarray]
BLOCK_ROWS = 64
MOST_COLUMNS = 64  # of places taken as one: what is done once an image is done for each of them


@part
def add_up(block, sums):
    """sums += block, which is then 0."""
    for c in range(sums.size):
        sums[c] += block[c]
        block[c] = 0


@part
def groups_of(columns, channels, groups):
    """The group of each column."""
    group = np.empty(columns, np.int64)
    for k in range(columns):
        group[k] = k % channels // (channels // groups)
    return group


@part
def spread(of_channels, columns):
    """Numbers of channels as numbers of columns."""
    of_columns = np.empty(columns, of_channels.dtype)
    for k in range(columns):
        of_columns[k] = of_channels[k % of_channels.size]
    return of_columns


@part
def over_groups(sums, group, out):
    """out[g] = the sum over the columns of group g."""
    out[:] = 0
    for k in range(sums.size):
        out[group[k]] += sums[k]


@tasks
def _group_norm(run, length, x, weight, bias, eps, y, mean, invstd):
    rows, columns, groups = x.shape[1], x.shape[2], mean.shape[1]
    terms, group = rows * columns // groups, groups_of(columns, weight.size, groups)
    block, sums, totals = np.zeros(columns, x.dtype), np.empty(columns), np.empty(groups)
    center, scale = np.empty(columns, x.dtype), np.empty(columns, x.dtype)
    factors, offsets = spread(weight, columns), spread(bias, columns)
    first, stop = span(run, length, x.shape[0])
    for n in range(first, stop):
        sums[:] = 0
        for low in range(0, rows, BLOCK_ROWS):
            for i in range(np.uintp(low), np.uintp(min(rows, low + BLOCK_ROWS))):
                for k in range(columns):
                    block[k] += x[n, i, k]
            add_up(block, sums)
        over_groups(sums, group, totals)
        for g in range(groups):
            mean[n, g] = totals[g] / terms
        for k in range(columns):
            center[k] = mean[n, group[k]]
        sums[:] = 0
        for low in range(0, rows, BLOCK_ROWS):
            for i in range(np.uintp(low), np.uintp(min(rows, low + BLOCK_ROWS))):
                for k in range(columns):
                    d = x[n, i, k] - center[k]
                    block[k] += d * d
            add_up(block, sums)
        over_groups(sums, group, totals)
        for g in range(groups):
            invstd[n, g] = 1 / np.sqrt(totals[g] / terms + eps)
        for k in range(columns):
            scale[k] = invstd[n, group[k]] * factors[k]
        for i in range(np.uintp(rows)):
            for k in range(columns):
                y[n, i, k] = (x[n, i, k] - center[k]) * scale[k] + offsets[k]


def group_norm(x: np.ndarray, groups: int, weight: np.ndarray, bias: np.ndarray, eps: float) -> Triple:
    """(y, mean (N, G), invstd (N, G)): each group of channels of each image normalised by its mean and biased variance.

    y = (x - mean) · invstd · weight + bias, invstd = 1 / √(var + eps). x (N, P, C), weight and bias (C,), C a multiple
    of G = groups. Wu & He, 2018, section 3.
    """
    n, places, channels = x.shape
    shape = n, *folded(places, channels, MOST_COLUMNS)
    y, mean, invstd = np.empty(x.shape, x.dtype), np.empty((n, groups), x.dtype), np.empty((n, groups), x.dtype)
    _group_norm(
        *runs(n, x.size, work=3), contiguous(x).reshape(shape), contiguous(weight), contiguous(bias), float(eps),
        y.reshape(shape), mean, invstd,
    )  # fmt: skip
    return y, mean, invstd


@tasks
def _group_norm_grad(run, length, gy, x, weight, mean, invstd, gx, sums):
    rows, columns, groups = x.shape[1], x.shape[2], mean.shape[1]
    terms, group = rows * columns // groups, groups_of(columns, weight.size, groups)
    plain, product = np.zeros(columns, x.dtype), np.zeros(columns, x.dtype)
    center, scale = np.empty(columns, x.dtype), np.empty(columns, x.dtype)
    slope, offset, factor = np.empty(columns, x.dtype), np.empty(columns, x.dtype), np.empty(columns, x.dtype)
    totals, products = np.empty(groups), np.empty(groups)
    weighted, weighted_products = np.empty(columns), np.empty(columns)
    factors = spread(weight, columns)
    first, stop = span(run, length, x.shape[0])
    for n in range(first, stop):
        gbias, gweight = sums[0, n], sums[1, n]
        for k in range(columns):
            center[k], scale[k] = mean[n, group[k]], invstd[n, group[k]]
            gbias[k], gweight[k] = 0, 0
        for low in range(0, rows, BLOCK_ROWS):
            for i in range(np.uintp(low), np.uintp(min(rows, low + BLOCK_ROWS))):
                for k in range(columns):
                    plain[k] += gy[n, i, k]
                    product[k] += gy[n, i, k] * ((x[n, i, k] - center[k]) * scale[k])
            add_up(plain, gbias)
            add_up(product, gweight)
        for k in range(columns):
            weighted[k], weighted_products[k] = gbias[k] * factors[k], gweight[k] * factors[k]
        over_groups(weighted, group, totals)
        over_groups(weighted_products, group, products)
        for k in range(columns):
            slope[k] = -scale[k] * scale[k] * products[group[k]] / terms
            offset[k] = -scale[k] * totals[group[k]] / terms
            factor[k] = scale[k] * factors[k]
        for i in range(np.uintp(rows)):
            for k in range(columns):
                gx[n, i, k] = gy[n, i, k] * factor[k] + ((x[n, i, k] - center[k]) * slope[k] + offset[k])


def group_norm_grad(gy: np.ndarray, x: np.ndarray, weight: np.ndarray, mean: np.ndarray, invstd: np.ndarray) -> Triple:
    """(gx, gweight, gbias) of group_norm.

    gx = invstd · (g - mean of g - x̂ · mean of g · x̂) in each group of an image, g = gy · weight, x̂ the normalised x.
    """
    n, places, channels = x.shape
    shape = n, *folded(places, channels, MOST_COLUMNS)
    gx, sums = np.empty(x.shape, x.dtype), np.empty((2, n, shape[2]))
    gweight, gbias = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    _group_norm_grad(
        *runs(n, x.size, work=3), contiguous(gy).reshape(shape), contiguous(x).reshape(shape),
        contiguous(weight), contiguous(mean), contiguous(invstd), gx.reshape(shape), sums,
    )  # fmt: skip
    total_over_blocks(sums[0], gbias)
    total_over_blocks(sums[1], gweight)
    return gx, gweight, gbias
