"""A bias and leaky ReLU on the rows of (M, C), in one pass, and their gradient in one pass.

slope None is no activation, 0 is ReLU. The derivative of leaky ReLU is read off its result, whose sign is that of its
argument.
"""

import numpy as np

from minigen.kernels.compiler.arrays import flat
from minigen.kernels.compiler.jit import tasks
from minigen.kernels.rows.cuts import STEP_ELEMENTS, bounds, folded, patches, runs, span, total_over_blocks
from minigen.kernels.rows.elementwise import leaky_relu_grad
from minigen.kernels.rows.leaky import leaky, leaky_grad, slope_number
from minigen.kernels.serial import SERIAL_ELEMENTS

ONE, TWO, THREE, FOUR = (np.uintp(i) for i in range(1, 5))


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
    row = np.zeros(y.shape[1], y.dtype) if bias is None else flat(bias)
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


@tasks
def _column_sums(run, length, gy, cut, sums):
    first, stop = span(run, length, cut[1] * cut[2])
    for patch in range(first, stop):
        block, low, high, left, right = bounds(patch, cut, gy.shape[0], gy.shape[1])
        for c in range(left, right):
            sums[block, c] = 0
        whole = high - (high - low) % FOUR
        for i in range(low, whole, 4):
            for c in range(left, right):
                sums[block, c] += (gy[i, c] + gy[i + ONE, c]) + (gy[i + TWO, c] + gy[i + THREE, c])
        for i in range(whole, high):
            for c in range(left, right):
                sums[block, c] += gy[i, c]


@tasks
def _sum_rows(run, length, x, sums):
    left, right = span(run, length, x.shape[1])
    last = np.uintp(x.shape[0] // 4 * 4)
    for c in range(left, right):
        sums[c] = 0
    for i in range(0, last, 4):
        for c in range(left, right):
            sums[c] = (((sums[c] + x[i, c]) + x[i + ONE, c]) + x[i + TWO, c]) + x[i + THREE, c]
    for i in range(last, np.uintp(x.shape[0])):
        for c in range(left, right):
            sums[c] += x[i, c]


def sum_rows(x: np.ndarray) -> np.ndarray:
    """x.sum(0) of x (M, C), to NumPy's bits: threads share out the columns, and take one row after the other.

    `bias_leaky_grad` sums blocks of rows, which keeps threads busy, and float32 exact, over few columns and many rows.
    """
    if x.size <= SERIAL_ELEMENTS or x.shape[1] < 2 * STEP_ELEMENTS or not x.flags.carray:
        return x.sum(0)
    sums = np.empty(x.shape[1], x.dtype)
    _sum_rows(*runs(x.shape[1], x.size, STEP_ELEMENTS), x, sums)
    return sums


def bias_leaky_grad(
    gy: np.ndarray, y: np.ndarray, slope: float | None, needs_bias: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    """(gz, gbias) of y = bias_leaky(z, bias, slope), from y and slope ≥ 0; gy and y (M, C).

    gz = gy where y > 0, slope · gy elsewhere: gy itself without activation. gbias (C,) is the sum of gz over the rows,
    None unless `needs_bias`.
    """
    slope = slope_number(slope)
    if not needs_bias:
        return (gy if slope == 1 else leaky_relu_grad(gy, y, slope)), None
    shape = folded(*gy.shape)
    cut = patches(*shape)
    sums, gbias = np.empty((cut[1], shape[1]), gy.dtype), np.empty(gy.shape[1], gy.dtype)
    count, length = runs(cut[1] * cut[2], gy.size)
    rows = flat(gy).reshape(shape)
    if slope == 1:
        _column_sums(count, length, rows, cut, sums)
        gz = gy
    else:
        gz = np.empty(gy.shape, gy.dtype)
        _bias_leaky_grad(
            count, length, rows, flat(y).reshape(shape), gy.dtype.type(slope), cut, gz.reshape(shape), sums
        )
    total_over_blocks(sums, gbias)
    return gz, gbias
