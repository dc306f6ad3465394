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


class Points(NamedTuple):
    """Where row k of the matrices for all points (or taps) lies: of phase f, point p, at starts[f, p] + k * rows[p].

    A start of -1 says that the phase is 0 at the point.
    """

    starts: np.ndarray
    rows: np.ndarray


@jit
def locate_pixels(side, grid, tile, phase, size, places):
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
def locate_points(starts, rows, k, places):
    """places = starts + k * rows, but -1 where starts are."""
    for p in range(starts.size):
        places[p] = starts[p] + k * rows[p] if starts[p] >= 0 else -1


@jit
def split(low, high, first, grid, x, side, points, gradient, matrices):
    """Tiles [low, high) of images, windows or else gradients, to points; tile `first` is row 0 of the matrices."""
    vectors = side.channels // grid.lanes
    size = OUTPUTS if gradient else OUTPUTS + grid.taps - 1
    here, there = np.empty(size * size, np.int64), np.empty(points.rows.size, np.int64)
    for tile in range(low, high):
        for phase in range(points.starts.shape[0]):
            locate_pixels(side, grid, tile, phase, size, here)
            locate_points(points.starts[phase], points.rows, tile - first, there)
            if grid.taps == 3:
                if gradient:
                    gradient_3(x, here, matrices, there, vectors)
                else:
                    window_3(x, here, matrices, there, vectors)
            elif gradient:
                gradient_5(x, here, matrices, there, vectors)
            else:
                window_5(x, here, matrices, there, vectors)


@jit
def join(low, high, first, grid, out, side, points, bias, slope, matrices):
    """Points to tiles [low, high) of the result."""
    vectors = side.channels // grid.lanes
    here, there = np.empty(points.rows.size, np.int64), np.empty(OUTPUTS * OUTPUTS, np.int64)
    for tile in range(low, high):
        for phase in range(points.starts.shape[0]):
            locate_points(points.starts[phase], points.rows, tile - first, here)
            locate_pixels(side, grid, tile, phase, OUTPUTS, there)
            if grid.taps == 3:
                result_3(matrices, here, out, there, vectors, bias, slope)
            else:
                result_5(matrices, here, out, there, vectors, bias, slope)


A_FIRST, A_ROW, B_FIRST, TERMS, C_FIRST, C_ROW = range(6)  # a job of `multiply`: one panel of one point


@jit
def multiply(low, high, jobs, tiles, a, b, c, panel):
    """Jobs [low, high): rows of C, one for each tile, are rows of A times a packed panel of B."""
    tiles = max(tiles, ROWS // 2)
    pieces = -(-tiles // ROWS)
    for k in range(low, high):
        a_first, a_row, b_first, terms, c_first, c_row = jobs[k]
        for i in range(pieces):
            top, bottom = i * tiles // pieces, (i + 1) * tiles // pieces
            tile_strided(
                bottom - top, a, a_first + top * a_row, a_row, 1, b, b_first, panel, terms,
                c, c_first + top * c_row, c_row,
            )  # fmt: skip


X_FIRST, X_ROW, G_FIRST, G_ROW, U_ROWS, U_FIRST, U_ROW = range(7)  # a job of `accumulate`


@jit
def accumulate(low, high, jobs, tiles, x, gy, u):
    """Jobs [low, high): U += X' G, where a tile has a row of X and one of G, and the job a panel of G."""
    for k in range(low, high):
        x_first, x_row, g_first, g_row, rows, u_first, u_row = jobs[k]
        pieces = -(-rows // ROWS)
        for i in range(pieces):
            top, bottom = i * rows // pieces, (i + 1) * rows // pieces
            tile_strided_add(
                bottom - top, x, x_first + top, 1, x_row, gy, g_first, g_row, tiles, u, u_first + top * u_row, u_row
            )  # fmt: skip


@jit
def convolve_block(block, grid, x, side, points, out, out_side, out_points, bias, slope, jobs, w, a, c):
    """A block of tiles, start to end."""
    first, last = block * grid.tiles // grid.blocks, (block + 1) * grid.tiles // grid.blocks
    split(first, last, first, grid, x, side, points, False, a)
    multiply(0, jobs.shape[0], jobs, last - first, a, w, c, grid.panel)
    join(first, last, first, grid, out, out_side, out_points, bias, slope, c)


@jit
def correlate_share(share, grid, x, side, points, gy, gy_side, gy_points, jobs, a, c, u):
    """One share of the blocks, summed."""
    shares = u.shape[0]
    u[share] = 0
    for block in range(share * grid.blocks // shares, (share + 1) * grid.blocks // shares):
        first, last = block * grid.tiles // grid.blocks, (block + 1) * grid.tiles // grid.blocks
        split(first, last, first, grid, x, side, points, False, a)
        split(first, last, first, grid, gy, gy_side, gy_points, True, c)
        accumulate(0, jobs.shape[0], jobs, last - first, a, c, u[share])


@jit
def pack_row(k, w, columns, grid, taps, points, panels, packed):
    """Row k of the weights, its taps mapped to points, to the panels that `multiply` reads."""
    here, there = np.empty(taps.rows.size, np.int64), np.empty(points.rows.size, np.int64)
    for phase in range(taps.starts.shape[0]):
        locate_points(taps.starts[phase], taps.rows, k, here)
        for j in range(columns // grid.panel):
            locate_points(points.starts[phase], panels, j, there)
            source, target = w[j * grid.panel :], packed[k * grid.panel :]
            if grid.taps == 3:
                taps_3(source, here, target, there, grid.panel // grid.lanes)
            else:
                taps_5(source, here, target, there, grid.panel // grid.lanes)


@jit
def unpack_row(k, u, columns, grid, points, taps, gw):
    """Row k of the weights' gradient: the sum of all shares of u, from points to taps."""
    here, there = np.empty(points.rows.size, np.int64), np.empty(taps.rows.size, np.int64)
    for phase in range(taps.starts.shape[0]):
        locate_points(points.starts[phase], points.rows, k, here)
        for p in range(here.size):
            if here[p] >= 0:
                total = u[0, here[p] : here[p] + columns]
                for share in range(1, u.shape[0]):
                    other = u[share, here[p] : here[p] + columns]
                    for i in range(columns):
                        total[i] += other[i]
        locate_points(taps.starts[phase], taps.rows, k, there)
        if grid.taps == 3:
            kernel_3(u[0], here, gw, there, columns // grid.lanes)
        else:
            kernel_5(u[0], here, gw, there, columns // grid.lanes)


# All of the work, by equal shares.


@jit(parallel=True)
def convolve_all(workers, grid, x, side, points, out, out_side, out_points, bias, slope, jobs, w, a, c):
    for worker in prange(workers):
        for block in range(worker * grid.blocks // workers, (worker + 1) * grid.blocks // workers):
            convolve_block(
                block, grid, x, side, points, out, out_side, out_points, bias, slope, jobs, w, a[worker], c[worker]
            )  # fmt: skip


@jit(parallel=True)
def split_all(workers, first, last, grid, x, side, points, gradient, matrices):
    count = last - first
    for worker in prange(workers):
        low, high = first + worker * count // workers, first + (worker + 1) * count // workers
        split(low, high, first, grid, x, side, points, gradient, matrices)


@jit(parallel=True)
def join_all(workers, first, last, grid, out, side, points, bias, slope, matrices):
    count = last - first
    for worker in prange(workers):
        low, high = first + worker * count // workers, first + (worker + 1) * count // workers
        join(low, high, first, grid, out, side, points, bias, slope, matrices)


@jit(parallel=True)
def multiply_all(workers, shares, jobs, tiles, a, b, c, panel):
    for worker in prange(workers):
        multiply(shares[worker], shares[worker + 1], jobs, tiles, a, b, c, panel)


@jit(parallel=True)
def accumulate_all(workers, shares, jobs, tiles, x, gy, u):
    for worker in prange(workers):
        accumulate(shares[worker], shares[worker + 1], jobs, tiles, x, gy, u)


@jit(parallel=True)
def correlate_all(workers, grid, x, side, points, gy, gy_side, gy_points, jobs, a, c, u):
    shares = u.shape[0]
    for worker in prange(workers):
        for share in range(worker * shares // workers, (worker + 1) * shares // workers):
            correlate_share(share, grid, x, side, points, gy, gy_side, gy_points, jobs, a[worker], c[worker], u)


@jit(parallel=True)
def pack_all(rows, w, columns, grid, taps, points, panels, packed):
    for k in prange(rows):
        pack_row(k, w, columns, grid, taps, points, panels, packed)


@jit(parallel=True)
def unpack_all(rows, u, columns, grid, points, taps, gw):
    for k in prange(rows):
        unpack_row(k, u, columns, grid, points, taps, gw)


@jit(parallel=True)
def turn_all(elements, rows, columns, w, out, lanes):
    """The transpose (elements, columns, rows) of w (elements, rows, columns)."""
    for e in prange(elements):
        for i in range(0, rows, lanes):
            for j in range(0, columns, lanes):
                at = e * rows * columns
                transpose_block(w, at + i * columns + j, columns, out, at + j * rows + i, rows)
