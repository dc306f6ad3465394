"""Depthwise convolution, where each channel has a kernel of its own: products lane by lane, channels side by side.

The loops are those of `gather.py`, with a vector of channels in the place of a row of a matrix. Of the last vector
those lanes alone are read and written that have a channel.
"""

from typing import NamedTuple

import numpy as np

from minigen.kernels.compiler.jit import part, tasks
from minigen.kernels.convolution.places import BLOCK_WINDOWS, locate
from minigen.kernels.tile.microkernel import tile_lanes, tile_taps
from minigen.kernels.tile.shape import LANE_ROWS, VECTOR_BYTES


class Taps(NamedTuple):
    """The plan of a weight gradient: windows of x (images, height, width, channels), pixels of gy (out_h, out_w).

    Window (i, j) begins at row i * step_h - top, column j * step_w - left.
    """

    images: int
    height: int
    width: int
    channels: int
    top: int
    left: int
    step_h: int
    step_w: int
    out_h: int
    out_w: int


@part
def multiply_lanes(source, origin, starts, windows, taps, elements, channels, w, bias, slope, out, first, cells):
    """All windows of a task that use the same taps, whose weights are the rows `elements` of w (…, channels)."""
    lanes, most = VECTOR_BYTES // out.itemsize, LANE_ROWS[-1]
    for k in range(0, windows, most):
        rows = min(most, windows - k)
        windows_here, cells_here, rest = starts[k : k + rows], cells[k : k + rows], channels % lanes
        for j in range(0, channels - rest, lanes):
            tile_lanes(
                rows, source, origin + j, windows_here, taps, w, j, elements, channels, bias, j, slope, out, first + j,
                cells_here, None,
            )  # fmt: skip
        if rest > 0:
            j = channels - rest
            tile_lanes(
                rows, source, origin + j, windows_here, taps, w, j, elements, channels, bias, j, slope, out, first + j,
                cells_here, rest,
            )  # fmt: skip


@tasks
def taps_share(share, x, gy, plan, classes, taps, w_taps, out):
    """The weight gradient, summed over one of `out.shape[0]` shares of the windows of each class."""
    lanes, channels, most = VECTOR_BYTES // x.itemsize, plan.channels, LANE_ROWS[-1]
    rest = channels % lanes
    starts, pixels = np.empty(BLOCK_WINDOWS, np.int64), np.empty(BLOCK_WINDOWS, np.int64)
    row, out_row = plan.width * channels, plan.out_w * channels
    result = out[share]
    for top, bottom, left, right, low, high in classes:
        x_first = (top * plan.step_h - plan.top) * row + (left * plan.step_w - plan.left) * channels
        gy_first = top * out_row + left * channels
        count = plan.images * (bottom - top) * (right - left)
        blocks, pieces = -(-count // BLOCK_WINDOWS), -(-(high - low) // most)
        for block in range(share * blocks // out.shape[0], (share + 1) * blocks // out.shape[0]):
            first = block * BLOCK_WINDOWS
            terms = min(BLOCK_WINDOWS, count - first)
            locate(
                starts, first, terms, bottom - top, right - left,
                plan.height * row, plan.step_h * row, plan.step_w * channels,
            )  # fmt: skip
            locate(pixels, first, terms, bottom - top, right - left, plan.out_h * out_row, out_row, channels)
            for piece in range(pieces):
                begin, end = low + piece * (high - low) // pieces, low + (piece + 1) * (high - low) // pieces
                for j in range(0, channels - rest, lanes):
                    tile_taps(
                        end - begin, x, x_first + j, starts, taps[begin:end], gy, gy_first + j, pixels, terms,
                        result, j, w_taps[begin:end], channels, None,
                    )  # fmt: skip
                if rest > 0:
                    j = channels - rest
                    tile_taps(
                        end - begin, x, x_first + j, starts, taps[begin:end], gy, gy_first + j, pixels, terms,
                        result, j, w_taps[begin:end], channels, rest,
                    )  # fmt: skip
