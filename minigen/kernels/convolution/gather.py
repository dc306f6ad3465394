"""Matrix products whose rows are gathered from images: the compiled loops around the register tile.

Three products, each in tasks that own their part of the result, so that the bits do not depend on the threads:

    gather:   a window of the image times the weights is a pixel of the result (convolution; its input gradient, too)
    scatter:  a pixel times the weights is a window, added into the result (input gradient with few input channels)
    outer:    windows transposed times pixels (weight gradient)

`conv2d.py` decides which product a convolution is and fills in the plan. Arrays here are flat; positions count
numbers, not bytes. Of a partial tile, columns that do not exist are left out, and the last row is made several times.
"""

from typing import NamedTuple

import numpy as np

from minigen.kernels.compiler.jit import part, tasks
from minigen.kernels.convolution.lanes import multiply_lanes
from minigen.kernels.convolution.places import BLOCK_WINDOWS, clear, copy_padded, locate
from minigen.kernels.rows.leaky import leaky
from minigen.kernels.tile.microkernel import tile_outer, tile_rows
from minigen.kernels.tile.shape import TILE_ROWS


class Gather(NamedTuple):
    """The plan of a gathered product, windows of x (images, height, width, channels) to a result of the same layout.

    Window (q, p) begins at row q * step_h and column p * step_w of the padded image, in which `top` rows and `left`
    columns of zeros come first (negative: that many of x are skipped). Padded rows are made task by task, `copied`;
    without padding the windows lie in x itself. `windows_h` x `windows_w` windows an image, `reach` rows each.
    A task has `task_images` images or, of one image, `task_rows` rows of windows; and one of `shares` of the panels.
    """

    images: int
    height: int
    width: int
    channels: int
    top: int
    left: int
    step_h: int
    step_w: int
    reach: int
    windows_h: int
    windows_w: int
    copied: bool
    padded_width: int
    out_h: int
    out_w: int
    out_c: int
    out_step_h: int
    out_step_w: int
    groups: int
    depth: int  # input channels of a group
    columns: int  # output channels of a group
    elements: int  # kernel height x width
    task_images: int
    task_rows: int
    shares: int


# Columns of a class table. Windows of one class use the same kernel elements: all of them in a convolution, in its
# input gradient those that meet the stride. A class holds windows [LOW_H, HIGH_H) x [LOW_W, HIGH_W), of which (0, 0)
# would be pixel (FIRST_H, FIRST_W) of the result; taps [TAP, TAP_END), each RUN kernel elements.
LOW_H, HIGH_H, LOW_W, HIGH_W, FIRST_H, FIRST_W, TAP, TAP_END, RUN = range(9)


class Scatter(NamedTuple):
    """The plan of a scattered product, pixels of gy (images, pixels_h, pixels_w, depth) to windows of the result.

    Windows are added up in a padded image (padded_h, padded_w), out of which the result is cut at (top, left).
    """

    images: int
    pixels_h: int
    pixels_w: int
    depth: int
    step_h: int
    step_w: int
    padded_h: int
    padded_w: int
    top: int
    left: int
    out_h: int
    out_w: int
    out_c: int
    run: int  # numbers of a window that lie together


class Outer(NamedTuple):
    """The plan of an outer product, windows of x and pixels of gy to the weight gradient.

    Window (n, i, j) begins at origin + n * image_step + i * row_step + j * column_step. The taps of a window are `run`
    contiguous numbers each; `merged`, when short, into one row. Pixels are summed in `splits` shares, for each tap over
    those pixels alone where it meets the image.
    """

    images: int
    pixels_h: int
    pixels_w: int
    origin: int
    image_step: int
    row_step: int
    column_step: int
    run: int
    merged: bool
    groups: int
    depth: int
    columns: int
    out_c: int
    splits: int


@tasks
def pack(e, w, order, groups, depth, columns, group_step, element_step, depth_step, column_step, panel, out):
    """Weights of one kernel element as the tiles read them, into out (groups, panels, elements, depth, panel).

    Columns that do not exist are zeros.
    """
    elements = order.size
    panels = -(-columns // panel)
    for g in range(groups):
        for j in range(panels):
            used = min(panel, columns - j * panel)
            for d in range(depth):
                at = (((g * panels + j) * elements + e) * depth + d) * panel
                source = g * group_step + order[e] * element_step + d * depth_step + j * panel * column_step
                for k in range(used):
                    out[at + k] = w[source + k * column_step]
                for k in range(used, panel):
                    out[at + k] = 0


@part
def fitting(sizes, rows):
    """The rows of the smallest tile that holds `rows` rows, or of the largest."""
    for size in sizes:
        if size >= rows:
            return size
    return sizes[-1]


@part
def largest(sizes, rows):
    """The rows of the largest tile that is not longer than `rows`, or of the smallest."""
    found = sizes[0]
    for size in sizes:
        if size <= rows:
            found = size
    return found


@part
def multiply_class(
    source, origin, starts, windows, taps, w_taps, plan, share, run, panels, tile, bias, slope, out, first,
    cells,
):  # fmt: skip
    """All windows of a task that use the same taps, times a share of the panels of weights."""
    depth, panel, most = run * plan.depth, tile.panel, tile.sizes[-1]
    count = -(-plan.columns // panel)
    low, high = share * plan.groups * count // plan.shares, (share + 1) * plan.groups * count // plan.shares
    for number in range(low, high):
        g, j = number // count, number % count
        b = number * plan.elements * plan.depth * panel
        column = g * plan.columns + j * panel
        used = min(panel, plan.columns - j * panel)
        for w in range(0, windows, most):
            size = fitting(tile.sizes, windows - w)
            tile_rows(
                tile.form, size, source, origin + g * plan.depth, starts[w : w + size], taps, depth, panels, b,
                w_taps, bias, number * panel, slope, out, first + column, cells[w : w + size], used,
            )  # fmt: skip


@part
def gather_task(task, x, plan, classes, taps, w_taps, panels, tile, bias, slope, out, padded):
    """The result of a few images, or of a band of one. `padded` takes their padded rows.

    Without a `tile` each channel has a kernel of its own.
    """
    share, task = task % plan.shares, task // plan.shares
    bands = -(-plan.windows_h // plan.task_rows)
    image, low = task // bands * plan.task_images, task % bands * plan.task_rows
    images = min(plan.task_images, plan.images - image)
    high = min(low + plan.task_rows, plan.windows_h)
    channels = plan.channels
    if plan.copied:
        height, width, origin = (high - low - 1) * plan.step_h + plan.reach, plan.padded_width, 0
        source = padded
        for n in range(images):
            copy_padded(
                x, image + n, plan.height, plan.width, channels, plan.top - low * plan.step_h, plan.left,
                source, height, width, n * height * width * channels,
            )  # fmt: skip
    else:
        source, height, width = x, plan.height, plan.width
        origin = ((image * height + low * plan.step_h - plan.top) * width - plan.left) * channels

    most = images * (high - low) * plan.windows_w + TILE_ROWS[0]
    starts, cells = np.empty(most, np.int64), np.empty(most, np.int64)
    for kind in classes:
        top, bottom = max(low, kind[LOW_H]), min(high, kind[HIGH_H])
        left, right = kind[LOW_W], kind[HIGH_W]
        windows = images * max(0, bottom - top) * max(0, right - left)
        if windows == 0:
            continue
        row, out_row = width * channels, plan.out_w * plan.out_c
        locate(
            starts, 0, windows, bottom - top, right - left,
            height * row, plan.step_h * row, plan.step_w * channels,
        )  # fmt: skip
        locate(
            cells, 0, windows, bottom - top, right - left,
            plan.out_h * out_row, plan.out_step_h * out_row, plan.out_step_w * plan.out_c,
        )  # fmt: skip
        for k in range(windows, windows + TILE_ROWS[0]):  # a last tile repeats its last row
            starts[k] = starts[windows - 1]
            cells[k] = cells[windows - 1]
        first_row = image * plan.out_h + kind[FIRST_H] + top * plan.out_step_h
        first = first_row * out_row + (kind[FIRST_W] + left * plan.out_step_w) * plan.out_c
        here = origin + (top - low) * plan.step_h * row + left * plan.step_w * channels
        met, w_met = taps[kind[TAP] : kind[TAP_END]], w_taps[kind[TAP] : kind[TAP_END]]
        if tile is None:
            multiply_lanes(
                source, here, starts, windows, met, w_met, plan.groups, panels, bias, slope, out, first, cells
            )  # fmt: skip
        else:
            multiply_class(
                source, here, starts, windows, met, w_met, plan, share, kind[RUN], panels, tile, bias, slope, out,
                first, cells,
            )  # fmt: skip


@tasks
def gather_share(worker, workers, count, x, plan, classes, taps, w_taps, panels, tile, bias, slope, out, padded):
    """A worker's equal share of the `count` tasks of a gathered product. Each worker has a row of `padded`."""
    for task in range(worker * count // workers, (worker + 1) * count // workers):
        gather_task(task, x, plan, classes, taps, w_taps, panels, tile, bias, slope, out, padded[worker])


@tasks
def scatter_task(image, gy, plan, taps, panels, tile, bias, slope, out):
    """The result of one image."""
    pixels = plan.pixels_h * plan.pixels_w
    strip, panel, most = panels.size // plan.depth, tile.panel, tile.sizes[-1]
    windows, nothing = np.empty(most * strip, out.dtype), np.zeros(panel, out.dtype)
    starts, corners, cells = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    locate(cells, 0, most, 1, most, 0, 0, strip)
    one_tap = np.empty(1, np.int64)
    one_tap[0] = 0
    padded = np.empty(plan.padded_h * plan.padded_w * plan.out_c, out.dtype)
    clear(padded)
    for first in range(0, pixels, most):
        rows = min(most, pixels - first)
        size = fitting(tile.sizes, rows)
        locate(
            corners, first, rows, plan.pixels_h, plan.pixels_w,
            0, plan.step_h * plan.padded_w * plan.out_c, plan.step_w * plan.out_c,
        )  # fmt: skip
        for r in range(size):
            starts[r] = (image * pixels + first + min(r, rows - 1)) * plan.depth
        for j in range(strip // panel):
            tile_rows(
                tile.form, size, gy, 0, starts, one_tap, plan.depth, panels, j * panel * plan.depth, one_tap,
                nothing, 0, out.dtype.type(1), windows, j * panel, cells, panel,
            )  # fmt: skip
        for r in range(rows):
            line = windows[r * strip : (r + 1) * strip]
            for t in range(taps.size):
                at = corners[r] + taps[t]
                source, target = line[t * plan.run : (t + 1) * plan.run], padded[at : at + plan.run]
                for k in range(plan.run):
                    target[k] += source[k]
    row = plan.out_w * plan.out_c
    for i in range(plan.out_h):
        at = ((plan.top + i) * plan.padded_w + plan.left) * plan.out_c
        line = out[(image * plan.out_h + i) * row : (image * plan.out_h + i + 1) * row]
        source = padded[at : at + row]
        for k in range(row):
            line[k] = source[k]
        if bias.size > 0:
            for at in range(0, row, plan.out_c):
                for k in range(plan.out_c):
                    line[at + k] = leaky(line[at + k] + bias[k], slope)


@part
def add_outer(a, first, starts, rows, b, b_first, b_starts, columns, tile, terms, c, c_first, ldc):
    """c += sum of outer products of `rows` x `columns` numbers, tile by tile.

    The last tile of rows begins early enough to lie inside its operand, and leaves out what it repeats. So rows are at
    least a smallest tile's *in memory*; those beyond `rows` are not kept.
    """
    m = 0
    while m < rows:
        size = fitting(tile.sizes, rows - m)
        if size > rows:
            size = largest(tile.sizes, rows)
        top = max(0, min(m, rows - size))
        for j in range(0, columns, tile.panel):
            tile_outer(
                tile.form, size, a, first + top, starts, b, b_first + j, b_starts, terms, c, c_first + top * ldc + j,
                ldc, m - top, min(size, rows - top), min(tile.panel, columns - j),
            )  # fmt: skip
        m = top + size


@tasks
def outer_task(task, x, gy, plan, taps, met, tile, out):
    """One tap (or all, merged) of one group, summed over one share of those pixels that meet the tap: of rows
    [met[tap, 0], met[tap, 1]) and columns [met[tap, 2], met[tap, 3]).
    """
    parts = 1 if plan.merged else taps.size
    share, rest = task // (plan.groups * parts), task % (plan.groups * parts)
    group, part = rest // parts, rest % parts
    size = taps.size * plan.run if plan.merged else plan.run  # rows of the result
    first_channel, first_column = group * plan.depth, group * plan.columns
    result = (share * taps.size + part) * plan.run * plan.out_c + first_column

    starts, pixels = np.empty(BLOCK_WINDOWS, np.int64), np.empty(BLOCK_WINDOWS, np.int64)
    merged_starts, line = np.empty(BLOCK_WINDOWS, np.int64), max(size, tile.sizes[0])
    locate(merged_starts, 0, BLOCK_WINDOWS, 1, BLOCK_WINDOWS, 0, 0, line)
    merged = np.empty(BLOCK_WINDOWS * line if plan.merged else 1, x.dtype)
    clear(merged)
    top, bottom, left, right = met[part]
    rows, columns, row = bottom - top, right - left, plan.pixels_w * plan.out_c
    x_first = plan.origin + top * plan.row_step + left * plan.column_step + first_channel
    gy_first = top * row + left * plan.out_c + first_column
    count = plan.images * rows * columns
    blocks = -(-count // BLOCK_WINDOWS)
    for block in range(share * blocks // plan.splits, (share + 1) * blocks // plan.splits):
        first = block * BLOCK_WINDOWS
        terms = min(BLOCK_WINDOWS, count - first)
        locate(starts, first, terms, rows, columns, plan.image_step, plan.row_step, plan.column_step)
        locate(pixels, first, terms, rows, columns, plan.pixels_h * row, row, plan.out_c)
        if plan.merged:
            for k in range(terms):
                window = merged[k * line : k * line + size]
                for t in range(taps.size):
                    at = x_first + starts[k] + taps[t]
                    source, target = x[at : at + plan.run], window[t * plan.run : (t + 1) * plan.run]
                    for i in range(plan.run):
                        target[i] = source[i]
        add_outer(
            merged if plan.merged else x, 0 if plan.merged else x_first + taps[part],
            merged_starts if plan.merged else starts, size,
            gy, gy_first, pixels, plan.columns, tile, terms, out, result, plan.out_c,
        )  # fmt: skip
