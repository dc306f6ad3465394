"""The compiled loops of a convolution by minimal filtering (`winograd.py` says what they compute).

Every stage is a serial function over a range of its work, and a parallel one that gives each worker a range. What a
worker writes nobody else does, and every sum has a fixed order, so the bits do not depend on the threads.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from minigen.kernels.jit import jit
from minigen.kernels.microkernel import ROWS, tile_strided, tile_strided_add, transpose_block
from minigen.kernels.winograd_maps import (
    OUTPUTS,
    gradient_3,
    gradient_5,
    kernel_3,
    kernel_5,
    result_3,
    result_5,
    taps_3,
    taps_5,
    window_3,
    window_5,
)


class Side(NamedTuple):
    """Images (height, width, channels), of which a tile holds every step-th pixel of a square.

    Tile (i, j) begins at row first_h + i * OUTPUTS * step_h and column first_w + j * OUTPUTS * step_w; its phase
    (p, q), p < step_h, q < step_w, lies p rows and q columns further on.
    """

    height: int
    width: int
    channels: int
    step_h: int
    step_w: int
    first_h: int
    first_w: int


class Grid(NamedTuple):
    """The tiles of all images, in blocks."""

    high: int  # tiles of an image
    wide: int
    tiles: int  # of all images
    blocks: int
    taps: int  # r
    panel: int
    lanes: int


@jit
def pixels(side, grid, tile, phase, size, places):
    """places[i * size + j] = where pixel (i, j) of a tile's phase lies; -1 outside the image."""
    column = side.first_w + tile % grid.wide * (OUTPUTS * side.step_w) + phase % side.step_w
    row = side.first_h + tile // grid.wide % grid.high * (OUTPUTS * side.step_h) + phase // side.step_w
    image = tile // (grid.wide * grid.high) * side.height
    for i in range(size):
        line = places[i * size : i * size + size]
        if row < 0 or row >= side.height:
            for j in range(size):
                line[j] = -1
        else:
            first = (image + row) * side.width
            for j in range(size):
                at = column + j * side.step_w
                line[j] = (first + at) * side.channels if at >= 0 and at < side.width else -1
        row += side.step_h


@jit
def move(starts, steps, count, places):
    """places = starts + count * steps, but -1 where starts are."""
    for k in range(starts.size):
        places[k] = starts[k] + count * steps[k] if starts[k] >= 0 else -1


@jit
def split(low, high, first, x, side, grid, gradient, starts, rows, points):
    """Tiles [low, high) of images to points, whose rows begin with tile `first`: windows, or else gradients."""
    vectors = side.channels // grid.lanes
    size = OUTPUTS if gradient else OUTPUTS + grid.taps - 1
    here, there = np.empty(size * size, np.int64), np.empty(starts.shape[1], np.int64)
    for tile in range(low, high):
        for phase in range(starts.shape[0]):
            pixels(side, grid, tile, phase, size, here)
            move(starts[phase], rows, tile - first, there)
            if grid.taps == 3:
                if gradient:
                    gradient_3(x, here, points, there, vectors)
                else:
                    window_3(x, here, points, there, vectors)
            elif gradient:
                gradient_5(x, here, points, there, vectors)
            else:
                window_5(x, here, points, there, vectors)


@jit
def join(low, high, first, points, starts, rows, out, side, grid, bias, slope):
    """Points to tiles [low, high) of the result."""
    vectors = side.channels // grid.lanes
    here, there = np.empty(starts.shape[1], np.int64), np.empty(OUTPUTS * OUTPUTS, np.int64)
    for tile in range(low, high):
        for phase in range(starts.shape[0]):
            move(starts[phase], rows, tile - first, here)
            pixels(side, grid, tile, phase, OUTPUTS, there)
            if grid.taps == 3:
                result_3(points, here, out, there, vectors, bias, slope)
            else:
                result_5(points, here, out, there, vectors, bias, slope)


# Columns of a table of products, each one panel of one point.
A_FIRST, A_ROW, B_FIRST, TERMS, C_FIRST, C_ROW = range(6)


@jit
def multiply(low, high, jobs, tiles, a, b, c, panel):
    """Products [low, high): rows of C, one for each tile, are rows of A times a packed panel of B."""
    tiles = max(tiles, ROWS // 2)
    pieces = -(-tiles // ROWS)
    for k in range(low, high):
        for i in range(pieces):
            top, bottom = i * tiles // pieces, (i + 1) * tiles // pieces
            tile_strided(
                bottom - top, a, jobs[k, A_FIRST] + top * jobs[k, A_ROW], jobs[k, A_ROW], 1,
                b, jobs[k, B_FIRST], panel, jobs[k, TERMS], c, jobs[k, C_FIRST] + top * jobs[k, C_ROW], jobs[k, C_ROW],
            )  # fmt: skip


# Columns of a table of sums over tiles, each one panel of one point.
X_FIRST, X_ROW, G_FIRST, G_ROW, U_ROWS, U_FIRST, U_ROW = range(7)


@jit
def accumulate(low, high, jobs, tiles, x, gy, u):
    """Products [low, high): U += X' G, where a tile has a row of X and one of G."""
    for k in range(low, high):
        pieces = -(-jobs[k, U_ROWS] // ROWS)
        for i in range(pieces):
            top, bottom = i * jobs[k, U_ROWS] // pieces, (i + 1) * jobs[k, U_ROWS] // pieces
            tile_strided_add(
                bottom - top, x, jobs[k, X_FIRST] + top, 1, jobs[k, X_ROW], gy, jobs[k, G_FIRST], jobs[k, G_ROW],
                tiles, u, jobs[k, U_FIRST] + top * jobs[k, U_ROW], jobs[k, U_ROW],
            )  # fmt: skip


@jit
def convolve_blocks(low, high, jobs, x, from_side, x_starts, x_rows, w, grid, y_starts, y_rows, bias, slope, out, to_side, a, c):
    """Blocks [low, high) of the tiles, start to end: what they need stays in the second-level cache."""
    for block in range(low, high):
        first, end = block * grid.tiles // grid.blocks, (block + 1) * grid.tiles // grid.blocks
        split(first, end, first, x, from_side, grid, False, x_starts, x_rows, a)
        multiply(0, jobs.shape[0], jobs, end - first, a, w, c, grid.panel)
        join(first, end, first, c, y_starts, y_rows, out, to_side, grid, bias, slope)


@jit(parallel=True)
def convolve_all(workers, jobs, x, from_side, x_starts, x_rows, w, grid, y_starts, y_rows, bias, slope, out, to_side, a, c):
    for worker in prange(workers):
        convolve_blocks(
            worker * grid.blocks // workers, (worker + 1) * grid.blocks // workers, jobs, x, from_side, x_starts, x_rows,
            w, grid, y_starts, y_rows, bias, slope, out, to_side, a[worker], c[worker],
        )  # fmt: skip


@jit(parallel=True)
def split_all(workers, first, end, x, side, grid, gradient, starts, rows, points):
    for worker in prange(workers):
        count = end - first
        split(
            first + worker * count // workers, first + (worker + 1) * count // workers, first,
            x, side, grid, gradient, starts, rows, points,
        )  # fmt: skip


@jit(parallel=True)
def join_all(workers, first, end, points, starts, rows, out, side, grid, bias, slope):
    for worker in prange(workers):
        count = end - first
        join(
            first + worker * count // workers, first + (worker + 1) * count // workers, first,
            points, starts, rows, out, side, grid, bias, slope,
        )  # fmt: skip


@jit(parallel=True)
def multiply_all(workers, shares, jobs, tiles, a, b, c, panel):
    for worker in prange(workers):
        multiply(shares[worker], shares[worker + 1], jobs, tiles, a, b, c, panel)


@jit(parallel=True)
def accumulate_all(workers, shares, jobs, tiles, x, gy, u):
    for worker in prange(workers):
        accumulate(shares[worker], shares[worker + 1], jobs, tiles, x, gy, u)


@jit
def correlate_share(share, shares, jobs, x, x_side, x_starts, x_rows, gy, gy_side, gy_starts, gy_rows, grid, a, c, u):
    """One share of the blocks, summed."""
    u[:] = 0
    for block in range(share * grid.blocks // shares, (share + 1) * grid.blocks // shares):
        first, end = block * grid.tiles // grid.blocks, (block + 1) * grid.tiles // grid.blocks
        split(first, end, first, x, x_side, grid, False, x_starts, x_rows, a)
        split(first, end, first, gy, gy_side, grid, True, gy_starts, gy_rows, c)
        accumulate(0, jobs.shape[0], jobs, end - first, a, c, u)


@jit(parallel=True)
def correlate_all(workers, jobs, x, x_side, x_starts, x_rows, gy, gy_side, gy_starts, gy_rows, grid, a, c, u):
    shares = u.shape[0]
    for worker in prange(workers):
        for share in range(worker * shares // workers, (worker + 1) * shares // workers):
            correlate_share(
                share, shares, jobs, x, x_side, x_starts, x_rows, gy, gy_side, gy_starts, gy_rows, grid,
                a[worker], c[worker], u[share],
            )  # fmt: skip


@jit
def pack_row(k, w, columns, grid, taps, tap_steps, starts, panel_steps, packed):
    """Row k of the weights' matrices, its taps mapped to points, to the panels that `multiply` reads."""
    here, there = np.empty(taps.shape[1], np.int64), np.empty(starts.shape[1], np.int64)
    for phase in range(starts.shape[0]):
        move(taps[phase], tap_steps, k, here)
        for j in range(columns // grid.panel):
            move(starts[phase], panel_steps, j, there)
            source, target = w[j * grid.panel :], packed[k * grid.panel :]
            if grid.taps == 3:
                taps_3(source, here, target, there, grid.panel // grid.lanes)
            else:
                taps_5(source, here, target, there, grid.panel // grid.lanes)


@jit(parallel=True)
def pack_all(rows, w, columns, grid, taps, tap_steps, starts, panel_steps, packed):
    for k in prange(rows):
        pack_row(k, w, columns, grid, taps, tap_steps, starts, panel_steps, packed)


@jit
def unpack_row(k, u, columns, grid, starts, rows, taps, tap_steps, gw):
    """Row k of the weights' gradient, from points to taps."""
    here, there = np.empty(starts.shape[1], np.int64), np.empty(taps.shape[1], np.int64)
    for phase in range(starts.shape[0]):
        move(starts[phase], rows, k, here)
        move(taps[phase], tap_steps, k, there)
        if grid.taps == 3:
            kernel_3(u, here, gw, there, columns // grid.lanes)
        else:
            kernel_5(u, here, gw, there, columns // grid.lanes)


@jit(parallel=True)
def unpack_all(rows, u, columns, grid, starts, steps, taps, tap_steps, gw):
    """The sum of all shares of u, each row mapped from points to taps."""
    for k in prange(rows):
        unpack_row(k, u, columns, grid, starts, steps, taps, tap_steps, gw)


@jit(parallel=True)
def turn_all(elements, rows, columns, w, out, lanes):
    """The transpose (elements, columns, rows) of w (elements, rows, columns)."""
    for e in prange(elements):
        for i in range(0, rows, lanes):
            for j in range(0, columns, lanes):
                at = e * rows * columns
                transpose_block(w, at + i * columns + j, columns, out, at + j * rows + i, rows)
