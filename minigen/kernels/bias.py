"""A bias and leaky ReLU on the rows of (M, C), in one pass, and their gradient in one pass.

slope 1 is the identity, slope 0 is ReLU. The derivative of leaky ReLU is read off its result, whose sign is that of its
argument.
"""

import numpy as np
from numba import prange

from minigen.kernels.elementwise import _leaky_relu_grad, leaky_relu_grad
from minigen.kernels.jit import jit
from minigen.kernels.tiles import SERIAL, add_rows, bounds, folded, rows_at_once, tiling, total_over_blocks


@jit
def _bias_leaky(y, bias, slope, low, high):
    zero = slope - slope
    for i in range(low, high):
        row = y[i]
        for c in range(row.size):
            v = row[c] + bias[c]
            less = zero if slope == zero else slope * v  # not 0 · ∞
            row[c] = less if v < zero else v


@jit(parallel=True)
def _bias_leaky_blocks(y, bias, slope, rows, blocks):
    for b in prange(blocks):
        _bias_leaky(y, bias, slope, b * rows, min(y.shape[0], (b + 1) * rows))


def bias_leaky(y: np.ndarray, bias: np.ndarray | None, slope: float) -> None:
    """y = v where v = y + bias ≥ 0, slope · v elsewhere; in place. y (M, C) contiguous, bias (C,), None being 0."""
    if bias is None:
        if slope == 1:
            return
        bias = np.zeros(y.shape[1], y.dtype)
    bias = np.ascontiguousarray(bias)
    if y.size <= SERIAL:
        _bias_leaky(y, bias, y.dtype.type(slope), 0, len(y))
    else:
        rows, blocks, _ = tiling(*y.shape)
        _bias_leaky_blocks(y, bias, y.dtype.type(slope), rows, blocks)


@jit
def _bias_leaky_grad(gy, y, slope, gz, tile, shape, cut, sums):
    m, columns = shape
    block, first, end, left, right = bounds(tile, cut, m, columns)
    total = sums[block][left:right]
    total[:] = slope - slope
    step = rows_at_once(right - left)
    for low in range(first, end, step):
        high = min(end, low + step)
        if right - left == columns:
            part = slice(low * columns, high * columns)
            _leaky_relu_grad(gy[part], y[part], slope, gz[part])
        else:
            for i in range(low, high):
                part = slice(i * columns + left, i * columns + right)
                _leaky_relu_grad(gy[part], y[part], slope, gz[part])
        add_rows(gz, columns, low, high, left, right, total)


@jit
def _bias_leaky_grad_serial(gy, y, slope, gz, shape, cut, sums, gbias):
    for tile in range(cut[1] * cut[2]):
        _bias_leaky_grad(gy, y, slope, gz, tile, shape, cut, sums)
    total_over_blocks(sums, gbias)


@jit(parallel=True)
def _bias_leaky_grad_tiles(gy, y, slope, gz, shape, cut, sums, gbias):
    for tile in prange(cut[1] * cut[2]):
        _bias_leaky_grad(gy, y, slope, gz, tile, shape, cut, sums)
    total_over_blocks(sums, gbias)


@jit
def _column_sums(gy, tile, shape, cut, sums):
    m, columns = shape
    block, low, high, left, right = bounds(tile, cut, m, columns)
    total = sums[block][left:right]
    total[:] = 0
    add_rows(gy, columns, low, high, left, right, total)


@jit
def _column_sums_serial(gy, shape, cut, sums, gbias):
    for tile in range(cut[1] * cut[2]):
        _column_sums(gy, tile, shape, cut, sums)
    total_over_blocks(sums, gbias)


@jit(parallel=True)
def _column_sums_tiles(gy, shape, cut, sums, gbias):
    for tile in prange(cut[1] * cut[2]):
        _column_sums(gy, tile, shape, cut, sums)
    total_over_blocks(sums, gbias)


def bias_leaky_grad(
    gy: np.ndarray, y: np.ndarray, slope: float, needs_bias: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    """(gz, gbias) of y = bias_leaky(z, bias, slope), from y and slope ≥ 0; gy and y (M, C).

    gz = gy where y > 0, slope · gy elsewhere: gy itself when slope is 1. gbias (C,) is the sum of gz over the rows,
    None unless `needs_bias`.
    """
    if not needs_bias:
        return (gy if slope == 1 else leaky_relu_grad(gy, y, slope)), None
    shape = folded(*gy.shape)
    cut = tiling(*shape)
    sums, gbias = np.empty((cut[1], shape[1]), gy.dtype), np.empty(gy.shape[1], gy.dtype)
    flat = np.ascontiguousarray(gy).reshape(-1)
    if slope == 1:
        kernel = _column_sums_serial if gy.size <= SERIAL else _column_sums_tiles
        kernel(flat, shape, cut, sums, gbias)
        return gy, gbias
    gz = np.empty_like(flat)
    kernel = _bias_leaky_grad_serial if gy.size <= SERIAL else _bias_leaky_grad_tiles
    kernel(flat, np.ascontiguousarray(y).reshape(-1), gy.dtype.type(slope), gz, shape, cut, sums, gbias)
    return gz.reshape(gy.shape), gbias
