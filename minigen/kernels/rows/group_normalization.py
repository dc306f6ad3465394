"""Group norm of images (N, P, C), P places of C channels, forward and backward: each image by one thread.

Channels lie next to each other, so that every pass runs along them, whatever the group: sums are taken for each channel
and then added up over those of a group. A channel's sum goes over BLOCK_ROWS places in the array's dtype, and over
these blocks in float64.
"""

import numpy as np

from minigen.kernels.compiler.arrays import contiguous
from minigen.kernels.compiler.jit import part, tasks
from minigen.kernels.rows.cuts import runs, span, total_over_blocks

Triple = tuple[np.ndarray, np.ndarray, np.ndarray]
BLOCK_ROWS = 64


@part
def add_up(block, sums):
    """sums += block, which is then 0."""
    for c in range(sums.size):
        sums[c] += block[c]
        block[c] = 0


@part
def over_groups(sums, groups, out):
    """out[g] = the sum over the channels of group g."""
    size = sums.size // groups
    for g in range(groups):
        total = 0.0
        for c in range(g * size, (g + 1) * size):
            total += sums[c]
        out[g] = total


@tasks
def _group_norm(run, length, x, weight, bias, eps, y, mean, invstd):
    places, channels, groups = x.shape[1], x.shape[2], mean.shape[1]
    size = channels // groups
    block, sums, totals = np.zeros(channels, x.dtype), np.empty(channels), np.empty(groups)
    center, scale = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    first, stop = span(run, length, x.shape[0])
    for n in range(first, stop):
        sums[:] = 0
        for low in range(0, places, BLOCK_ROWS):
            for i in range(np.uintp(low), np.uintp(min(places, low + BLOCK_ROWS))):
                for c in range(channels):
                    block[c] += x[n, i, c]
            add_up(block, sums)
        over_groups(sums, groups, totals)
        for g in range(groups):
            mean[n, g] = totals[g] / (places * size)
            for c in range(g * size, (g + 1) * size):
                center[c] = mean[n, g]
        sums[:] = 0
        for low in range(0, places, BLOCK_ROWS):
            for i in range(np.uintp(low), np.uintp(min(places, low + BLOCK_ROWS))):
                for c in range(channels):
                    d = x[n, i, c] - center[c]
                    block[c] += d * d
            add_up(block, sums)
        over_groups(sums, groups, totals)
        for g in range(groups):
            invstd[n, g] = 1 / np.sqrt(totals[g] / (places * size) + eps)
            for c in range(g * size, (g + 1) * size):
                scale[c] = invstd[n, g] * weight[c]
        for i in range(np.uintp(places)):
            for c in range(channels):
                y[n, i, c] = (x[n, i, c] - center[c]) * scale[c] + bias[c]


def group_norm(x: np.ndarray, groups: int, weight: np.ndarray, bias: np.ndarray, eps: float) -> Triple:
    """(y, mean (N, G), invstd (N, G)): each group of channels of each image normalised by its mean and biased variance.

    y = (x - mean) · invstd · weight + bias, invstd = 1 / √(var + eps). x (N, P, C), weight and bias (C,), C a multiple
    of G = groups. Wu & He, 2018, section 3.
    """
    x, weight, bias = (contiguous(a) for a in (x, weight, bias))
    y = np.empty_like(x)
    mean, invstd = np.empty((len(x), groups), x.dtype), np.empty((len(x), groups), x.dtype)
    _group_norm(*runs(len(x), x.size), x, weight, bias, float(eps), y, mean, invstd)
    return y, mean, invstd


@tasks
def _group_norm_grad(run, length, gy, x, weight, mean, invstd, gx, sums):
    places, channels, groups = x.shape[1], x.shape[2], mean.shape[1]
    size = channels // groups
    plain, product = np.zeros(channels, x.dtype), np.zeros(channels, x.dtype)
    center, scale = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    slope, offset, factor = np.empty(channels, x.dtype), np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    totals, products = np.empty(groups), np.empty(groups)
    weighted, weighted_products = np.empty(channels), np.empty(channels)
    first, stop = span(run, length, x.shape[0])
    for n in range(first, stop):
        gbias, gweight = sums[0, n], sums[1, n]
        for c in range(channels):
            center[c], scale[c] = mean[n, c // size], invstd[n, c // size]
            gbias[c], gweight[c] = 0, 0
        for low in range(0, places, BLOCK_ROWS):
            for i in range(np.uintp(low), np.uintp(min(places, low + BLOCK_ROWS))):
                for c in range(channels):
                    plain[c] += gy[n, i, c]
                    product[c] += gy[n, i, c] * ((x[n, i, c] - center[c]) * scale[c])
            add_up(plain, gbias)
            add_up(product, gweight)
        for c in range(channels):
            weighted[c], weighted_products[c] = gbias[c] * weight[c], gweight[c] * weight[c]
        over_groups(weighted, groups, totals)
        over_groups(weighted_products, groups, products)
        for c in range(channels):
            slope[c] = -scale[c] * scale[c] * products[c // size] / (places * size)
            offset[c] = -scale[c] * totals[c // size] / (places * size)
            factor[c] = scale[c] * weight[c]
        for i in range(np.uintp(places)):
            for c in range(channels):
                gx[n, i, c] = gy[n, i, c] * factor[c] + ((x[n, i, c] - center[c]) * slope[c] + offset[c])


def group_norm_grad(gy: np.ndarray, x: np.ndarray, weight: np.ndarray, mean: np.ndarray, invstd: np.ndarray) -> Triple:
    """(gx, gweight, gbias) of group_norm.

    gx = invstd · (g - mean of g - x̂ · mean of g · x̂) in each group of an image, g = gy · weight, x̂ the normalised x.
    """
    gy, x, weight, mean, invstd = (contiguous(a) for a in (gy, x, weight, mean, invstd))
    gx, sums = np.empty_like(x), np.empty((2, len(x), x.shape[2]))
    gweight, gbias = np.empty_like(weight), np.empty_like(weight)
    _group_norm_grad(*runs(len(x), x.size), gy, x, weight, mean, invstd, gx, sums)
    total_over_blocks(sums[0], gbias)
    total_over_blocks(sums[1], gweight)
    return gx, gweight, gbias
