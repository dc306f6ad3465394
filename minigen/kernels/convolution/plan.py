"""How a convolution, or its input gradient, becomes a gathered product (`gather.py`): made once per shape.

Along one axis, with stride s, dilation d, padding p and kernel elements a, a convolution and its adjoint are

    y[q]  = sum over a of x[q * s + a * d - p] * w[a]
    gx[i] = sum over a of gy[(i + p - a * d) / s] * w[a]          where that division leaves no remainder

so the pixels i of the input gradient fall into s classes by the remainder r of i + p. With i + p = q * s + r, class r
is itself a convolution of gy, at step 1, with the elements a for which r - a * d is a multiple of s:

    gx[q * s + r - p] = sum over these a of gy[q + (r - a * d) / s] * w[a]

Windows that reach into the padding leave out the taps that lie in it: zeros need no multiplying, and an image without
them no copying. So windows are cut into pieces by the taps that meet the image, where that pays.
"""

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minigen.kernels.compiler.arrays import integers
from minigen.kernels.convolution.gather import Gather
from minigen.kernels.tile.shape import Tile, best_tile, lane_tile, rows_taken

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]
Shape = tuple[int, ...]

Cut = tuple[int, int, slice]  # windows [low, high) of one axis, and which of their taps they use

COPY_COST = 40  # of a vector of numbers that is copied with the padding, in multiply-adds of vectors
PIECE_TERMS = 8  # that a tile's start and end are worth
TASK_BYTES = 2**18  # padded images of one task: they share the second-level cache with a panel of weights
ENOUGH_TILES = 4  # of windows in a task, of which the last may be filled in part
WANTED_TASKS = 16  # tasks to aim at, whatever the number of threads: enough to share them out evenly


class AxisClass(NamedTuple):
    """Windows [low, high) of one axis, which use the same kernel elements, at `taps` in the window, ascending.

    Window 0 would be pixel `first` of the result.
    """

    low: int
    high: int
    first: int
    elements: list[int]
    taps: list[int]


class Axis(NamedTuple):
    """One axis of a gathered product: `windows` of `reach` positions each at distance `step`, after `before` zeros."""

    step: int
    out_step: int
    before: int
    reach: int
    windows: int
    classes: list[AxisClass]

    @property
    def padded(self) -> int:
        """Positions of the padded image that windows cover."""
        return (self.windows - 1) * self.step + self.reach

    def lies_inside(self, size: int) -> bool:
        """Whether windows touch no padding of an image of `size` pixels."""
        return self.before <= 0 and self.padded - self.before <= size

    def cuts(self, windows: AxisClass, size: int) -> list[Cut]:
        """The windows of a class, in pieces that meet an image of `size` pixels with the same taps, or with none."""
        cut: list[Cut] = []
        for q in range(windows.low, windows.high):
            places = [q * self.step + tap - self.before for tap in windows.taps]
            inside = [t for t, place in enumerate(places) if 0 <= place < size]
            met = slice(inside[0], inside[-1] + 1) if inside else slice(0, 0)
            if cut and cut[-1][2] == met:
                cut[-1] = (cut[-1][0], q + 1, met)
            else:
                cut.append((q, q + 1, met))
        return cut


def forward_axis(kernel: int, windows: int, stride: int, before: int, dilation: int) -> Axis:
    """The convolution along one axis: a single class."""
    taps = [a * dilation for a in range(kernel)]
    return Axis(stride, 1, before, taps[-1] + 1, windows, [AxisClass(0, windows, 0, list(range(kernel)), taps)])


def adjoint_axis(kernel: int, size: int, stride: int, before: int, dilation: int) -> Axis:
    """The input gradient along one axis of `size` pixels: a class for every remainder that some element meets."""
    classes = []
    for r in range(stride):
        elements = [a for a in reversed(range(kernel)) if (r - a * dilation) % stride == 0]
        low, high = -((r - before) // stride), -((r - before - size) // stride)
        if elements and low < high:
            taps = [(r - a * dilation) // stride for a in elements]
            classes.append(AxisClass(low, high, r - before, elements, taps))
    low, nearest = min((c.low for c in classes), default=0), min((c.taps[0] for c in classes), default=0)
    moved = [  # so that windows and taps begin at 0
        AxisClass(c.low - low, c.high - low, c.first + low * stride, c.elements, [tap - nearest for tap in c.taps])
        for c in classes
    ]
    reach = max((c.taps[-1] for c in moved), default=0) + 1
    return Axis(1, stride, -(low + nearest), reach, max((c.high for c in moved), default=0), moved)


class Plan(NamedTuple):
    """A gathered product and its tables (see `gather.py`)."""

    gather: Gather
    tile: Tile
    classes: np.ndarray
    taps: np.ndarray  # where they lie in a window
    w_taps: np.ndarray  # and in the packed weights, in rows
    order: np.ndarray  # the kernel elements as the packed weights hold them
    tasks: int
    padded: int  # numbers of padded image that a task makes
    work: int  # multiply-adds
    complete: bool  # every number of the result is written


@functools.lru_cache(maxsize=256)
def forward_plan(
    x: Shape, w: Shape, y: Shape, stride: Pair, padding: Padding, dilation: Pair, groups: int, dtype: np.dtype
) -> Plan:
    """The convolution of arrays of these shapes."""
    rows, columns = (forward_axis(w[i], y[1 + i], stride[i], padding[2 * i], dilation[i]) for i in (0, 1))
    return gathered(x, y, w[1], rows, columns, groups, dtype)


@functools.lru_cache(maxsize=256)
def adjoint_plan(
    gy: Shape, w: Shape, gx: Shape, stride: Pair, padding: Padding, dilation: Pair, groups: int, dtype: np.dtype
) -> Plan:
    """The input gradient of arrays of these shapes."""
    rows, columns = (adjoint_axis(w[i], gx[1 + i], stride[i], padding[2 * i], dilation[i]) for i in (0, 1))
    return gathered(gy, gx, w[1], rows, columns, groups, dtype)


@functools.lru_cache(maxsize=256)
def met_taps(
    kernel_hw: Pair, image: Pair, pixels: Pair, stride: Pair, padding: Padding, dilation: Pair, channels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows of a convolution by the taps with which they meet the image, which is read where it lies.

    Classes (low_h, high_h, low_w, high_w, tap, tap_end); where each tap lies in a window; its kernel element. Windows
    that meet nothing are in no class.
    """
    axes = [forward_axis(kernel_hw[i], pixels[i], stride[i], padding[2 * i], dilation[i]) for i in (0, 1)]
    classes, taps, elements = [], [], []
    pieces = [axis.cuts(axis.classes[0], size) for axis, size in zip(axes, image, strict=True)]
    for (low, end, down), (left, right, across) in itertools.product(*pieces):
        if down.stop == 0 or across.stop == 0:
            continue
        places = [(a, b) for a in range(down.start, down.stop) for b in range(across.start, across.stop)]
        classes.append((low, end, left, right, len(taps), len(taps) + len(places)))
        taps += [(a * dilation[0] * image[1] + b * dilation[1]) * channels for a, b in places]
        elements += [a * kernel_hw[1] + b for a, b in places]
    return integers(classes).reshape(-1, 6), integers(taps), integers(elements)


def is_depthwise(groups: int, depth: int, columns: int) -> bool:
    """Whether each channel has a kernel of its own, so that products go lane by lane."""
    return depth == columns == 1 and groups > 1


def gathered(x: Shape, y: Shape, kw: int, rows: Axis, columns: Axis, groups: int, dtype: np.dtype) -> Plan:
    """The plan of a product from x to y, given its two axes."""
    (n, h, width, channels), (_, out_h, out_w, out_c) = x, y
    lanes, depth = is_depthwise(groups, channels // groups, out_c // groups), channels // groups
    tile, _ = (lane_tile(dtype), 1.0) if lanes else best_tile(out_c // groups, dtype)
    panels = -(-out_c // tile.panel) if lanes else groups * -(-out_c // groups // tile.panel)
    shares = panel_shares(n * rows.windows * columns.windows, panels, groups, tile)
    wanted, row_bytes = -(-WANTED_TASKS // shares), columns.padded * channels * dtype.itemsize
    task_images, task_rows = task_size(n, rows, columns, row_bytes, tile.sizes, wanted)
    copied, cuts = cheapest_cuts(rows, columns, (h, width), (task_images, task_rows), channels, depth, panels, tile)
    row = (columns.padded if copied else width) * channels
    classes, taps, w_taps, order, pixels, work = [], [], [], [], 0, 0
    for high, wide, pieces in cuts:
        together = groups == 1 and wide.taps == list(range(wide.taps[0], wide.taps[0] + len(wide.taps)))
        for (low, end, down), (left, right, across) in pieces:
            met = range(*across.indices(len(wide.taps)))
            run = len(met) if together else 1
            table = (low, end, left, right, high.first, wide.first, len(taps))
            for i in range(*down.indices(len(high.taps))):
                taps += [high.taps[i] * row + wide.taps[j] * channels for j in met[::run]]
                w_taps += [(len(order) + i * len(wide.taps) + j) * (channels // groups) for j in met[::run]]
            classes.append((*table, len(taps), run))
            work += (end - low) * (right - left) * (len(taps) - table[-1]) * run
        order += [a * kw + b for a in high.elements for b in wide.elements]
        pixels += (high.high - high.low) * (wide.high - wide.low)
    plan = Gather(
        images=n, height=h, width=width, channels=channels, top=rows.before, left=columns.before,
        step_h=rows.step, step_w=columns.step, reach=rows.reach, windows_h=rows.windows, windows_w=columns.windows,
        copied=copied, padded_width=columns.padded, out_h=out_h, out_w=out_w, out_c=out_c,
        out_step_h=rows.out_step, out_step_w=columns.out_step, groups=groups, depth=depth,
        columns=out_c // groups, elements=len(order), task_images=task_images, task_rows=task_rows, shares=shares,
    )  # fmt: skip
    tasks = shares * -(-n // task_images) * -(-rows.windows // task_rows) if classes else 0
    padded = task_images * ((task_rows - 1) * rows.step + rows.reach) * row if copied else 0
    return Plan(
        plan, tile, integers(classes).reshape(-1, 9), integers(taps), integers(w_taps), integers(order), tasks, padded,
        n * work * channels * out_c // groups, pixels == out_h * out_w,
    )  # fmt: skip


def cheapest_cuts(
    rows: Axis, columns: Axis, size: Pair, task: Pair, channels: int, depth: int, panels: int, tile: Tile
) -> tuple[bool, list[tuple[AxisClass, AxisClass, list[tuple[Cut, Cut]]]]]:  # fmt: skip
    """Whether to copy images with their padding, and the windows of each class of rows and columns, cut into pieces.

    A piece has those taps alone that meet the image: fewer terms, but more tiles in part filled. When each tap of every
    piece does so, nothing needs to be copied.
    task: (images, rows of windows) of a task. A tap sums over `depth` of the channels, for each of the panels.
    """
    pairs = [(high, wide) for high in rows.classes for wide in columns.classes]
    vectors = panels * len(tile.form)

    exact = [[axis.cuts(kind, n) for kind in axis.classes] for axis, n in zip((rows, columns), size, strict=True)]
    uncut = [[[(kind.low, kind.high, slice(0, len(kind.taps)))] for kind in axis.classes] for axis in (rows, columns)]
    at_least_one = [
        [[(low, end, met if met.stop else slice(0, 1)) for low, end, met in cut] for cut in exact[0]],
        uncut[1],
    ]

    def choice(cuts: Sequence[list[list[Cut]]]) -> tuple[float, list[list[tuple[Cut, Cut]]]]:
        pieces, cost = [list(itertools.product(down, across)) for down in cuts[0] for across in cuts[1]], 0.0
        for (low, end, down), (left, right, across) in itertools.chain(*pieces):
            most = min(end - low, task[1])
            taken = rows_taken(task[0] * most * (right - left), tile.sizes) * (end - low) / most
            cost += taken * (PIECE_TERMS + (down.stop - down.start) * (across.stop - across.start) * depth)
        return cost * vectors, pieces

    options = []
    if all(met.stop for cuts in exact for cut in cuts for _, _, met in cut):
        options.append((*choice(exact), False))
    if not (rows.lies_inside(size[0]) and columns.lies_inside(size[1])):
        lines = task[0] * (task[1] * rows.step + rows.reach - 1)
        copy = COPY_COST * lines * columns.padded * channels / (tile.panel // len(tile.form))
        options += [(cost + copy, pieces, True) for cost, pieces in map(choice, (uncut, at_least_one))]
    _, pieces, copied = min(options, key=lambda option: option[0])
    return copied, [(*pair, piece) for pair, piece in zip(pairs, pieces, strict=True)]


def panel_shares(windows: int, panels: int, groups: int, tile: Tile) -> int:
    """In how many shares of panels to cut the tasks, so that each still has windows enough to fill some tiles."""
    if groups > 1:
        return 1
    return max(1, min(panels, WANTED_TASKS * ENOUGH_TILES * tile.sizes[-1] // max(1, windows)))


def task_size(n: int, rows: Axis, columns: Axis, row_bytes: int, sizes: tuple[int, ...], wanted: int) -> Pair:
    """(images, rows of windows) of a task: what fits the cache, gives enough tasks, and wastes few rows of tiles."""
    most = min(TASK_BYTES // max(1, rows.padded * row_bytes), -(-n // wanted))
    if most >= 1 and n >= wanted // 2:

        def waste(images: int) -> float:
            windows = images * columns.windows * rows.windows
            return round(rows_taken(windows, sizes) / max(1, windows), 2)

        return min(range(most, 0, -1), key=waste), rows.windows
    fitting = (TASK_BYTES // max(1, row_bytes) - rows.reach) // rows.step
    enough = max(-(-rows.windows * n // wanted), -(-ENOUGH_TILES * sizes[-1] // max(1, columns.windows)))
    return 1, max(1, min(rows.windows, fitting, enough))
