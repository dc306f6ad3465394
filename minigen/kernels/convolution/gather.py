"""Matrix products whose rows are gathered from images: the compiled loops around the register tile.

Three products, each in tasks that own their part of the result, so that the bits do not depend on the threads:

    gather:   a window of the image times the weights is a pixel of the result (convolution; its input gradient, too)
    scatter:  a pixel times the weights is a window, added into the result (input gradient with few input channels)
    outer:    windows transposed times pixels (weight gradient)

`conv2d.py` decides which product a convolution is and fills in the plan. Arrays here are flat; positions count
numbers, not bytes. A partial tile goes through `spare`, from where only the rows and columns that exist are taken.
"""

from typing import NamedTuple

import numpy as np

from minigen.kernels.compiler.jit import part, tasks
from minigen.kernels.rows.leaky import leaky
from minigen.kernels.tile.microkernel import tile_outer, tile_rows
from minigen.kernels.tile.shape import ROWS

BLOCK_WINDOWS = 128  # windows whose outer products are summed in registers: their rows stay in the first-level cache


class Gather(NamedTuple):
    """The plan of a gathered product, windows of x (images, height, width, channels) to a result of the same layout.

    Window (q, p) begins at row q * step_h and column p * step_w of the padded image, in which `top` rows and `left`
    columns of zeros come first (negative: that many of x are skipped). Padded rows are made task by task, `copied`;
    without padding the windows lie in x itself. `windows_h` x `windows_w` windows an image, `reach` rows each.
    A task has `task_images` images or, of one image, `task_rows` rows of windows.
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


# Columns of a class table. Windows of one class use the same kernel elements: all of them in a convolution, in its
# input gradient those that meet the stride. A class holds windows [LOW_H, HIGH_H) x [LOW_W, HIGH_W), of which (0, 0)
# would be pixel (FIRST_H, FIRST_W) of the result; taps [TAP, TAP_END), each RUN kernel elements, the first ELEMENT.
LOW_H, HIGH_H, LOW_W, HIGH_W, FIRST_H, FIRST_W, TAP, TAP_END, RUN, ELEMENT = range(10)


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
    those rows of pixels alone where it meets the image.
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


@part
def locate(positions, first, count, height, width, image_step, row_step, column_step):
    """positions[k] = where pixel first + k lies, of images of height x width pixels."""
    column = first % width
    row = first // width % height
    image = first // (width * height)
    for k in range(count):
        positions[k] = image * image_step + row * row_step + column * column_step
        column += 1
        if column == width:
            column = 0
            row += 1
            if row == height:
                row = 0
                image += 1


@part
def clear(numbers):
    """All numbers become 0."""
    for k in range(numbers.size):
        numbers[k] = 0


@part
def copy_padded(x, image, height, width, channels, top, left, out, rows, columns, at):
    """Rows [-top, rows - top) and columns [-left, columns - left) of an image, zeros where it has none, to out[at:]."""
    lead = min(max(left, 0), columns) * channels
    skip = max(-left, 0)
    stop = lead + max(0, min(width - skip, columns - max(left, 0))) * channels
    for r in range(rows):
        line = at + r * columns * channels
        row = r - top
        if row < 0 or row >= height:
            for k in range(columns * channels):
                out[line + k] = 0
            continue
        source = ((image * height + row) * width + skip) * channels
        for k in range(lead):
            out[line + k] = 0
        for k in range(stop - lead):
            out[line + lead + k] = x[source + k]
        for k in range(stop, columns * channels):
            out[line + k] = 0


@tasks
def copy_padded_image(image, x, height, width, channels, top, left, out, rows, columns):
    """One image with its padding, at its place among all images."""
    at = image * rows * columns * channels
    copy_padded(x, image, height, width, channels, top, left, out, rows, columns, at)


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
def finish(line, bias, slope):
    """line = leaky(line + bias)."""
    for k in range(line.size):
        line[k] = leaky(line[k] + bias[k], slope)


@part
def multiply_class(
    source, origin, starts, windows, taps, plan, run, element, panels, panel, bias, slope, out, first, cells
):  # fmt: skip
    """All windows of a task that use the same taps, times all panels of weights."""
    depth = run * plan.depth
    count = -(-plan.columns // panel)
    spare = np.empty(ROWS * panel, out.dtype)
    spare_cells = np.empty(ROWS, np.int64)
    locate(spare_cells, 0, ROWS, 1, ROWS, 0, 0, panel)
    for g in range(plan.groups):
        for j in range(count):
            b = ((g * count + j) * plan.elements + element) * plan.depth * panel
            column = g * plan.columns + j * panel
            used = min(panel, plan.columns - j * panel)
            for w in range(0, windows, ROWS):
                rows = min(ROWS, windows - w)
                whole = rows == ROWS and used == panel
                tile_rows(
                    source, origin + g * plan.depth, starts[w : w + ROWS], taps, depth, panels, b,
                    out if whole else spare, first + column if whole else 0,
                    cells[w : w + ROWS] if whole else spare_cells,
                )  # fmt: skip
                if not whole:
                    for r in range(rows):
                        for k in range(used):
                            out[first + column + cells[w + r] + k] = spare[r * panel + k]
                if bias.size > 0:
                    for r in range(rows):
                        at = first + column + cells[w + r]
                        finish(out[at : at + used], bias[column : column + used], slope)


@part
def gather_task(task, x, plan, classes, taps, panels, panel, bias, slope, out, padded):
    """The result of a few images, or of a band of one. `padded` takes their padded rows."""
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

    most = images * (high - low) * plan.windows_w + ROWS
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
        for k in range(windows, windows + ROWS):  # rows that a last tile reads, but does not keep
            starts[k] = starts[windows - 1]
        first_row = image * plan.out_h + kind[FIRST_H] + top * plan.out_step_h
        first = first_row * out_row + (kind[FIRST_W] + left * plan.out_step_w) * plan.out_c
        multiply_class(
            source, origin + (top - low) * plan.step_h * row + left * plan.step_w * channels, starts, windows,
            taps[kind[TAP] : kind[TAP_END]], plan, kind[RUN], kind[ELEMENT],
            panels, panel, bias, slope, out, first, cells,
        )  # fmt: skip


@tasks
def gather_share(worker, workers, count, x, plan, classes, taps, panels, panel, bias, slope, out, padded):
    """A worker's equal share of the `count` tasks of a gathered product. Each worker has a row of `padded`."""
    for task in range(worker * count // workers, (worker + 1) * count // workers):
        gather_task(task, x, plan, classes, taps, panels, panel, bias, slope, out, padded[worker])


@tasks
def scatter_task(image, gy, plan, taps, panels, panel, bias, slope, out):
    """The result of one image."""
    pixels = plan.pixels_h * plan.pixels_w
    strip = panels.size // plan.depth
    windows = np.empty(ROWS * strip, out.dtype)
    starts, corners, cells = np.empty(ROWS, np.int64), np.empty(ROWS, np.int64), np.empty(ROWS, np.int64)
    locate(cells, 0, ROWS, 1, ROWS, 0, 0, strip)
    one_tap = np.empty(1, np.int64)
    one_tap[0] = 0
    padded = np.empty(plan.padded_h * plan.padded_w * plan.out_c, out.dtype)
    clear(padded)
    for first in range(0, pixels, ROWS):
        rows = min(ROWS, pixels - first)
        locate(
            corners, first, rows, plan.pixels_h, plan.pixels_w,
            0, plan.step_h * plan.padded_w * plan.out_c, plan.step_w * plan.out_c,
        )  # fmt: skip
        for r in range(ROWS):
            starts[r] = (image * pixels + first + min(r, rows - 1)) * plan.depth
        for j in range(strip // panel):
            tile_rows(gy, 0, starts, one_tap, plan.depth, panels, j * panel * plan.depth, windows, j * panel, cells)
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
                finish(line[at : at + plan.out_c], bias, slope)


@part
def add_outer(a, first, starts, rows, b, b_first, b_starts, columns, panel, terms, c, c_first, ldc):
    """c += sum of outer products of `rows` x `columns` numbers, tile by tile.

    The last tile of rows or columns begins early enough to lie inside its operand, and repeats what it must. So rows
    are at least ROWS and columns at least a panel *in memory*; those beyond `rows` and `columns` are not kept.
    """
    spare = np.empty(ROWS * panel, c.dtype)
    for m in range(0, rows, ROWS):
        m_first = max(0, min(m, rows - ROWS))
        for j in range(0, columns, panel):
            j_first = max(0, min(j, columns - panel))
            whole = m + ROWS <= rows and j + panel <= columns
            if not whole:
                clear(spare)
            tile_outer(
                a, first + m_first, starts, b, b_first + j_first, b_starts, terms,
                c if whole else spare, c_first + m * ldc + j if whole else 0, ldc if whole else panel,
            )  # fmt: skip
            if not whole:
                for r in range(m, min(m + ROWS, rows)):
                    for k in range(j, min(j + panel, columns)):
                        c[c_first + r * ldc + k] += spare[(r - m_first) * panel + k - j_first]


@tasks
def outer_task(task, x, gy, plan, taps, low, high, panel, out):
    """One tap (or all, merged) of one group, summed over one share of the pixels in rows [low, high) of the tap."""
    parts = 1 if plan.merged else taps.size
    share, rest = task // (plan.groups * parts), task % (plan.groups * parts)
    group, part = rest // parts, rest % parts
    size = taps.size * plan.run if plan.merged else plan.run  # rows of the result
    first_channel, first_column = group * plan.depth, group * plan.columns
    result = (share * taps.size + part) * plan.run * plan.out_c + first_column

    starts, pixels = np.empty(BLOCK_WINDOWS, np.int64), np.empty(BLOCK_WINDOWS, np.int64)
    merged_starts, padded_starts = np.empty(BLOCK_WINDOWS, np.int64), np.empty(BLOCK_WINDOWS, np.int64)
    locate(merged_starts, 0, BLOCK_WINDOWS, 1, BLOCK_WINDOWS, 0, 0, max(size, ROWS))
    locate(padded_starts, 0, BLOCK_WINDOWS, 1, BLOCK_WINDOWS, 0, 0, panel)
    narrow = plan.columns < panel
    merged = np.empty(BLOCK_WINDOWS * max(size, ROWS) if plan.merged else 1, x.dtype)
    padded = np.empty(BLOCK_WINDOWS * panel if narrow else 1, x.dtype)
    clear(merged)
    clear(padded)
    rows, row = high[part] - low[part], plan.pixels_w * plan.out_c
    x_first = plan.origin + low[part] * plan.row_step + first_channel
    gy_first = low[part] * row + first_column
    count = plan.images * rows * plan.pixels_w
    blocks = -(-count // BLOCK_WINDOWS)
    for block in range(share * blocks // plan.splits, (share + 1) * blocks // plan.splits):
        first = block * BLOCK_WINDOWS
        terms = min(BLOCK_WINDOWS, count - first)
        locate(starts, first, terms, rows, plan.pixels_w, plan.image_step, plan.row_step, plan.column_step)
        locate(pixels, first, terms, rows, plan.pixels_w, plan.pixels_h * row, row, plan.out_c)
        if plan.merged:
            for k in range(terms):
                line = merged[k * max(size, ROWS) : k * max(size, ROWS) + size]
                for t in range(taps.size):
                    at = x_first + starts[k] + taps[t]
                    source, target = x[at : at + plan.run], line[t * plan.run : (t + 1) * plan.run]
                    for i in range(plan.run):
                        target[i] = source[i]
        if narrow:
            for k in range(terms):
                for i in range(plan.columns):
                    padded[padded_starts[k] + i] = gy[gy_first + pixels[k] + i]
        add_outer(
            merged if plan.merged else x, 0 if plan.merged else x_first + taps[part],
            merged_starts if plan.merged else starts, size,
            padded if narrow else gy, 0 if narrow else gy_first, padded_starts if narrow else pixels,
            plan.columns, panel, terms, out, result, plan.out_c,
        )  # fmt: skip
