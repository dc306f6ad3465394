"""A bias and leaky ReLU on the rows of (M, C), in one pass, and their gradient in one pass.

slope None is no activation, 0 is ReLU. The derivative of leaky ReLU is read off its result, whose sign is that of its
argument.
"""

import numpy as np

from minigen.kernels.compiler.arrays import flat
from minigen.kernels.compiler.jit import tasks
from minigen.kernels.noting import constant
from minigen.kernels.rows.cuts import bounds, folded, patches, runs, span, total_over_blocks
from minigen.kernels.rows.elementwise import leaky_relu_grad
from minigen.kernels.rows.leaky import leaky, leaky_grad, slope_number
from minigen.kernels.rows.sums import total

MOST_ROWS = 32  # of a patch: as many terms are added one after the other


@tasks
def _bias_leaky(run, rows, y, bias, slope):
    low, high = span(run, rows, y.shape[0])
    for i in range(low, high):
        for c in range(bias.size):
            y[i, c] = leaky(y[i, c] + bias[c], slope)


def bias_leaky(y: np.ndarray, bias: np.ndarray | None, slope: float | None) -> None:
    """y = v where v = y + bias ≥ 0, slope · v elsewhere; in place. y (M, C) contiguous, bias (C,), None being 0."""
    slope = slope_number(slope)
    if bias is None and slope == 1:
        return
    row = constant(np.zeros(y.shape[1], y.dtype)) if bias is None else flat(bias)
    count, rows = runs(len(y), y.size)
    _bias_leaky(count, rows, y, row, y.dtype.type(slope))


@tasks
def _bias_leaky_grad(run, length, gy, y, slope, cut, gz, sums):
    zero = slope - slope
    first, stop = span(run, length, cut[1] * cut[2])
    for patch in range(first, stop):
        block, low, high, left, right = bounds(patch, cut, gy.shape[0], gy.shape[1])
        for c in range(left, right):
            sums[block, c] = zero
        for i in range(low, high):
            for c in range(left, right):
                t = leaky_grad(gy, (i, c), y[i, c], slope)
                gz[i, c] = t
                sums[block, c] += t


def bias_leaky_grad(
    gy: np.ndarray, y: np.ndarray, slope: float | None, needs_bias: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    """(gz, gbias) of y = bias_leaky(z, bias, slope), from y and slope ≥ 0; gy and y (M, C).

    gz = gy where y > 0, slope · gy elsewhere: gy itself without activation. gbias (C,) is the sum of gz over the rows,
    None unless `needs_bias`.
    """
    slope = slope_number(slope)
    if slope == 1:
        return gy, total(gy, (0,)) if needs_bias else None
    if not needs_bias:
        return leaky_relu_grad(gy, y, slope), None
    shape = folded(*gy.shape)
    cut = patches(*shape, MOST_ROWS)
    sums, gbias = np.empty((cut[1], shape[1]), gy.dtype), np.empty(gy.shape[1], gy.dtype)
    count, length = runs(cut[1] * cut[2], gy.size)
    rows = flat(gy).reshape(shape)
    gz = np.empty(gy.shape, gy.dtype)
    _bias_leaky_grad(count, length, rows, flat(y).reshape(shape), gy.dtype.type(slope), cut, gz.reshape(shape), sums)
    total_over_blocks(sums, gbias)
    return gz, gbias
