"""The compiled loops of a convolution by minimal filtering (`winograd.py` says what they compute).

Every stage is a function over a range of its work, and tasks that share the work out. What a task writes no other does,
and every sum has a fixed order, so the bits do not depend on the threads.

A pass has a source and a target: x and y going forward, gy and gx for the input gradient, x and gy for that of the
weights. The matrices of their points are `a` and `c`, those of the weights `u`.
"""

from typing import NamedTuple

import numpy as np

from minigen.kernels.compiler.jit import part, tasks
from minigen.kernels.convolution.winograd_maps import (
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
from minigen.kernels.convolution.winograd_matrices import OUTPUTS
from minigen.kernels.tile.microkernel import tile_layer
from minigen.kernels.tile.shape import Form


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
    form: Form  # of a tile of the products
    rows: int  # most of one
    least: int  # rows of one
    panel: int  # columns of one
    lanes: int


# Where row k of the matrices for all points lies (of taps, likewise) is a table of phases + 1 rows: that of phase f,
# point p, at table[f, p] + k * table[-1, p]. A start of -1 says that the phase is 0 at the point.


@part
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


@part
def locate_points(table, phase, k, places):
    """places[p] = where row k of a phase lies at point p, or -1."""
    starts, steps = table[phase], table[table.shape[0] - 1]
    for p in range(starts.size):
        places[p] = starts[p] + k * steps[p] if starts[p] >= 0 else -1


@part
def split(low, high, first, grid, x, side, points, size, matrices):
    """Tiles [low, high) of images to points; tile `first` is row 0 of the matrices. A gradient's size is OUTPUTS."""
    here, there = np.empty(size * size, np.int64), np.empty(points.shape[1], np.int64)
    for tile in range(low, high):
        for phase in range(points.shape[0] - 1):
            locate_pixels(side, grid, tile, phase, size, here)
            locate_points(points, phase, tile - first, there)
            if grid.taps == 3:
                if size == OUTPUTS:
                    gradient_3(x, here, matrices, there, side.channels, size, grid.window)
                else:
                    window_3(x, here, matrices, there, side.channels, size, grid.window)
            elif size == OUTPUTS:
                gradient_5(x, here, matrices, there, side.channels, size, grid.window)
            else:
                window_5(x, here, matrices, there, side.channels, size, grid.window)


@part
def join(low, high, first, grid, out, side, points, bias, slope, matrices):
    """Points to tiles [low, high) of the result."""
    here, there = np.empty(points.shape[1], np.int64), np.empty(OUTPUTS * OUTPUTS, np.int64)
    for tile in range(low, high):
        for phase in range(points.shape[0] - 1):
            locate_points(points, phase, tile - first, here)
            locate_pixels(side, grid, tile, phase, OUTPUTS, there)
            if grid.taps == 3:
                result_3(matrices, here, out, there, side.channels, grid.window, grid.outputs, bias, slope)
            else:
                result_5(matrices, here, out, there, side.channels, grid.window, grid.outputs, bias, slope)


@part
def clear(numbers):
    """All numbers become 0."""
    for k in range(numbers.size):
        numbers[k] = 0


@part
def multiply(low, high, grid, jobs, tiles, a, b, c, added):
    """Jobs [low, high): C (rows, panel) = A (rows, terms) · B (terms, panel), each one panel of one point.

    Instead of 0 rows or terms a job has as many as there are tiles. Unless `added` is None the product is added to C.
    """
    zeros = np.empty(grid.panel, c.dtype)
    clear(zeros)
    for k in range(low, high):
        rows, terms, a_first, a_row, a_term, b_first, b_term, c_first, c_row = jobs[k]
        rows = max(rows if rows > 0 else tiles, grid.least)  # more rows than there are tiles do no harm
        pieces = -(-rows // grid.rows)
        for i in range(pieces):
            top, bottom = i * rows // pieces, (i + 1) * rows // pieces
            first = c_first + top * c_row
            base, base_first, base_row = (zeros, 0, 0) if added is None else (c, first, c_row)
            tile_layer(
                grid.form, bottom - top, a, a_first + top * a_row, a_row, a_term, b, b_first, b_term,
                terms if terms > 0 else tiles, base, base_first, base_row, c.dtype.type(1), c, first, c_row, None,
                added,
            )  # fmt: skip


@part
def block_bounds(block, grid):
    """The tiles [low, high) of a block."""
    return block * grid.tiles // grid.blocks, (block + 1) * grid.tiles // grid.blocks


# Images to images, block by block: all of a block by one worker, in its matrices, or each stage by all workers.


@tasks
def convolve_blocks(
    worker, workers, grid, source, side, points, target, target_side, target_points, bias, slope, jobs, u, a, c
):  # fmt: skip
    """A worker's share of the blocks, start to end."""
    for block in range(worker * grid.blocks // workers, (worker + 1) * grid.blocks // workers):
        low, high = block_bounds(block, grid)
        split(low, high, low, grid, source, side, points, grid.window, a[worker])
        multiply(0, jobs.shape[0], grid, jobs, high - low, a[worker], u, c[worker], None)
        join(low, high, low, grid, target, target_side, target_points, bias, slope, c[worker])


@tasks
def split_share(worker, workers, block, grid, source, side, points, size, matrices):
    """`split` for a worker's share of a block."""
    first, last = block_bounds(block, grid)
    low, high = first + worker * (last - first) // workers, first + (worker + 1) * (last - first) // workers
    split(low, high, first, grid, source, side, points, size, matrices)


@tasks
def multiply_share(worker, block, grid, shares, jobs, a, b, c, added):
    """`multiply` for a block and a worker's share of the jobs, [shares[worker], shares[worker + 1])."""
    first, last = block_bounds(block, grid)
    multiply(shares[worker], shares[worker + 1], grid, jobs, last - first, a, b, c, added)


@tasks
def join_share(worker, workers, block, grid, target, side, points, bias, slope, matrices):
    """`join` for a worker's share of a block."""
    first, last = block_bounds(block, grid)
    low, high = first + worker * (last - first) // workers, first + (worker + 1) * (last - first) // workers
    join(low, high, first, grid, target, side, points, bias, slope, matrices)


# Images and gradients to weights.


@tasks
def correlate_blocks(
    worker, workers, grid, source, side, points, target, target_side, target_points, jobs, a, c, u
):  # fmt: skip
    """A worker's share of the sums u, each of which goes over a share of the blocks, start to end."""
    sums = u.shape[0]
    for i in range(worker * sums // workers, (worker + 1) * sums // workers):
        clear(u[i])
        for block in range(i * grid.blocks // sums, (i + 1) * grid.blocks // sums):
            low, high = block_bounds(block, grid)
            split(low, high, low, grid, source, side, points, grid.window, a[worker])
            split(low, high, low, grid, target, target_side, target_points, grid.outputs, c[worker])
            multiply(0, jobs.shape[0], grid, jobs, high - low, a[worker], c[worker], u[i], True)


# Weights to points, and back.


@tasks
def pack(k, w, columns, grid, taps, points, packed):
    """Row k of the weights, its taps mapped to points, to the panels that `multiply` reads.

    Here the last row of `points` has the distances between panels.
    """
    here, there = np.empty(taps.shape[1], np.int64), np.empty(points.shape[1], np.int64)
    for phase in range(taps.shape[0] - 1):
        locate_points(taps, phase, k, here)
        for j in range(columns // grid.panel):
            locate_points(points, phase, j, there)
            source, target = w[j * grid.panel :], packed[k * grid.panel :]
            if grid.taps == 3:
                taps_3(source, here, target, there, grid.panel, grid.taps, grid.window)
            else:
                taps_5(source, here, target, there, grid.panel, grid.taps, grid.window)


@tasks
def unpack(k, u, columns, grid, points, taps, gw):
    """Row k of the weights' gradient: the sum of all of u, from points to taps."""
    here, there = np.empty(points.shape[1], np.int64), np.empty(taps.shape[1], np.int64)
    for phase in range(taps.shape[0] - 1):
        locate_points(points, phase, k, here)
        for first in here:
            if first >= 0:
                total = u[0, first : first + columns]
                for i in range(1, u.shape[0]):
                    other = u[i, first : first + columns]
                    for j in range(columns):
                        total[j] += other[j]
        locate_points(taps, phase, k, there)
        if grid.taps == 3:
            kernel_3(u[0], here, gw, there, columns, grid.window, grid.taps)
        else:
            kernel_5(u[0], here, gw, there, columns, grid.window, grid.taps)
