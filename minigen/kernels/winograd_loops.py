"""The compiled loops of a convolution by minimal filtering (`winograd.py` says what they compute).

A pass is a program of stages, in each of which every worker takes its range of the work; `run_all` is the one function
for all of them, since each parallel function takes seconds to compile. What a worker writes nobody else does, and every
sum has a fixed order, so the bits do not depend on the threads.

A pass has a source and a target: x and y going forward, gy and gx for the input gradient, x and gy for that of the
weights. The matrices of their points are `a` and `c`, those of the weights `u`.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from minigen.kernels.jit import jit
from minigen.kernels.microkernel import ROWS, VECTOR_BYTES, VECTORS, tile_layer, transpose_block
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
    window: int  # n
    outputs: int  # m
    panel: int
    lanes: int


# Where row k of the matrices for all points lies (of taps, likewise) is a table of phases + 1 rows: that of phase f,
# point p, at table[f, p] + k * table[-1, p]. A start of -1 says that the phase is 0 at the point.


@jit
def unpacked(shape):
    """The grid, and the sides of source and target, which are the numbers of `shape`."""
    g, a, b = shape[:9], shape[9:16], shape[16:23]
    return (
        Grid(g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7], g[8]),
        Side(a[0], a[1], a[2], a[3], a[4], a[5], a[6]),
        Side(b[0], b[1], b[2], b[3], b[4], b[5], b[6]),
    )


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
def locate_points(table, phase, k, places):
    """places[p] = where row k of a phase lies at point p, or -1."""
    starts, steps = table[phase], table[table.shape[0] - 1]
    for p in range(starts.size):
        places[p] = starts[p] + k * steps[p] if starts[p] >= 0 else -1


@jit
def split(low, high, first, grid, x, side, points, size, matrices):
    """Tiles [low, high) of images to points; tile `first` is row 0 of the matrices. A gradient's size is OUTPUTS."""
    vectors = side.channels // grid.lanes
    here, there = np.empty(size * size, np.int64), np.empty(points.shape[1], np.int64)
    for tile in range(low, high):
        for phase in range(points.shape[0] - 1):
            locate_pixels(side, grid, tile, phase, size, here)
            locate_points(points, phase, tile - first, there)
            if grid.taps == 3:
                if size == OUTPUTS:
                    gradient_3(x, here, matrices, there, vectors, size, grid.window)
                else:
                    window_3(x, here, matrices, there, vectors, size, grid.window)
            elif size == OUTPUTS:
                gradient_5(x, here, matrices, there, vectors, size, grid.window)
            else:
                window_5(x, here, matrices, there, vectors, size, grid.window)


@jit
def join(low, high, first, grid, out, side, points, bias, slope, matrices):
    """Points to tiles [low, high) of the result."""
    vectors = side.channels // grid.lanes
    here, there = np.empty(points.shape[1], np.int64), np.empty(OUTPUTS * OUTPUTS, np.int64)
    for tile in range(low, high):
        for phase in range(points.shape[0] - 1):
            locate_points(points, phase, tile - first, here)
            locate_pixels(side, grid, tile, phase, OUTPUTS, there)
            if grid.taps == 3:
                result_3(matrices, here, out, there, vectors, grid.window, grid.outputs, bias, slope)
            else:
                result_5(matrices, here, out, there, vectors, grid.window, grid.outputs, bias, slope)


@jit
def multiply(low, high, jobs, tiles, a, b, c, added):
    """Jobs [low, high): C (rows, panel) = A (rows, terms) · B (terms, panel), each one panel of one point.

    Instead of 0 rows or terms a job has as many as there are tiles. With `added`, the product is added to C.
    """
    zeros = np.zeros(VECTORS * VECTOR_BYTES // c.itemsize, c.dtype)
    for k in range(low, high):
        rows, terms, a_first, a_row, a_term, b_first, b_term, c_first, c_row = jobs[k]
        rows = max(rows if rows > 0 else tiles, ROWS // 2)  # more rows than there are tiles do no harm
        pieces = -(-rows // ROWS)
        for i in range(pieces):
            top, bottom = i * rows // pieces, (i + 1) * rows // pieces
            first = c_first + top * c_row
            base, base_first, base_row = (c, first, c_row) if added else (zeros, 0, 0)
            tile_layer(
                bottom - top, a, a_first + top * a_row, a_row, a_term, b, b_first, b_term,
                terms if terms > 0 else tiles, base, base_first, base_row, c.dtype.type(1), c, first, c_row,
            )  # fmt: skip


@jit
def turn(low, high, rows, columns, w, out, lanes):
    """The transposes (columns, rows) of kernel elements [low, high) of w (elements, rows, columns)."""
    for e in range(low, high):
        for i in range(0, rows, lanes):
            for j in range(0, columns, lanes):
                at = e * rows * columns
                transpose_block(w, at + i * columns + j, columns, out, at + j * rows + i, rows)


@jit
def pack(low, high, w, columns, grid, taps, points, packed):
    """Rows [low, high) of the weights, their taps mapped to points, to the panels that `multiply` reads.

    Here the last row of `points` has the distances between panels.
    """
    here, there = np.empty(taps.shape[1], np.int64), np.empty(points.shape[1], np.int64)
    for k in range(low, high):
        for phase in range(taps.shape[0] - 1):
            locate_points(taps, phase, k, here)
            for j in range(columns // grid.panel):
                locate_points(points, phase, j, there)
                source, target = w[j * grid.panel :], packed[k * grid.panel :]
                if grid.taps == 3:
                    taps_3(source, here, target, there, grid.panel // grid.lanes, grid.taps, grid.window)
                else:
                    taps_5(source, here, target, there, grid.panel // grid.lanes, grid.taps, grid.window)


@jit
def unpack(low, high, u, columns, grid, points, taps, gw):
    """Rows [low, high) of the weights' gradient: the sum of all shares of u, from points to taps."""
    here, there = np.empty(points.shape[1], np.int64), np.empty(taps.shape[1], np.int64)
    for k in range(low, high):
        for phase in range(taps.shape[0] - 1):
            locate_points(points, phase, k, here)
            for first in here:
                if first >= 0:
                    total = u[0, first : first + columns]
                    for share in range(1, u.shape[0]):
                        other = u[share, first : first + columns]
                        for i in range(columns):
                            total[i] += other[i]
            locate_points(taps, phase, k, there)
            if grid.taps == 3:
                kernel_3(u[0], here, gw, there, columns // grid.lanes, grid.window, grid.taps)
            else:
                kernel_5(u[0], here, gw, there, columns // grid.lanes, grid.window, grid.taps)


# Stages, and what their ranges count: kernel elements; rows of the weights; tiles (split: of the source, or of the
# target, a gradient; join); tiles that are multiplied or accumulated, all by every worker, who has a range of the
# jobs; whole blocks of tiles, start to end; shares of the blocks.
TURN, PACK, SPLIT, SPLIT_TARGET, MULTIPLY, JOIN, ACCUMULATE, CONVOLVE, CORRELATE, UNPACK = range(10)


@jit
def clear(numbers):
    """All numbers become 0."""
    numbers[:] = 0


@jit(parallel=True)
def run_all(
    program, workers, shape, jobs, shares, source, source_points, target, target_points,
    w, turned, taps, weights, bias, slope, a, c, u,
):  # fmt: skip
    """Every stage of a program, whose rows are (stage, first, last)."""
    for k in range(program.shape[0]):
        for thread in prange(workers):
            worker = np.int64(thread)
            stage, first, last = program[k]
            grid, side, target_side = unpacked(shape)
            count = last - first
            low, high = first + worker * count // workers, first + (worker + 1) * count // workers
            mine = worker % a.shape[0]
            added = 1 if stage in (ACCUMULATE, CORRELATE) else 0
            if stage == TURN:
                turn(low, high, target_side.channels, side.channels, w, turned, grid.lanes)
            elif stage == PACK:
                pack(low, high, turned, target_side.channels, grid, taps, weights, u[0])
            elif stage == SPLIT:
                split(low, high, first, grid, source, side, source_points, grid.window, a[0])
            elif stage == SPLIT_TARGET:
                split(low, high, first, grid, target, target_side, target_points, grid.outputs, c[0])
            elif stage == MULTIPLY:
                multiply(shares[worker], shares[worker + 1], jobs, count, a[0], u[0], c[0], added)
            elif stage == JOIN:
                join(low, high, first, grid, target, target_side, target_points, bias, slope, c[0])
            elif stage == ACCUMULATE:
                multiply(shares[worker], shares[worker + 1], jobs, count, a[0], c[0], u[0], added)
            elif stage == UNPACK:
                unpack(low, high, u, target_side.channels, grid, weights, taps, w)
            elif stage == CONVOLVE:
                for block in range(low, high):
                    begin, end = block * grid.tiles // grid.blocks, (block + 1) * grid.tiles // grid.blocks
                    split(begin, end, begin, grid, source, side, source_points, grid.window, a[mine])
                    multiply(0, jobs.shape[0], jobs, end - begin, a[mine], u[0], c[mine], added)
                    join(begin, end, begin, grid, target, target_side, target_points, bias, slope, c[mine])
            elif stage == CORRELATE:
                for share in range(low, high):
                    clear(u[share])
                    for block in range(share * grid.blocks // count, (share + 1) * grid.blocks // count):
                        begin, end = block * grid.tiles // grid.blocks, (block + 1) * grid.tiles // grid.blocks
                        split(begin, end, begin, grid, source, side, source_points, grid.window, a[mine])
                        split(begin, end, begin, grid, target, target_side, target_points, grid.outputs, c[mine])
                        multiply(0, jobs.shape[0], jobs, end - begin, a[mine], c[mine], u[share], added)
