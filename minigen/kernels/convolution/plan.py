"""How a convolution, or its input gradient, becomes a gathered product (`gather.py`): made once per shape.

Along one axis, with stride s, dilation d, padding p and kernel elements a, a convolution and its adjoint are

    y[q]  = sum over a of x[q * s + a * d - p] * w[a]
    gx[i] = sum over a of gy[(i + p - a * d) / s] * w[a]          where that division leaves no remainder

so the pixels i of the input gradient fall into s classes by the remainder r of i + p. With i + p = q * s + r, class r
is itself a convolution of gy, at step 1, with the elements a for which r - a * d is a multiple of s:

    gx[q * s + r - p] = sum over these a of gy[q + (r - a * d) / s] * w[a]

Windows that reach into the padding above or below an image leave those kernel rows out: zeros need no multiplying.
"""

import functools
from typing import NamedTuple

import numpy as np

from minigen.kernels.compiler.arrays import integers
from minigen.kernels.convolution.gather import Gather
from minigen.kernels.tile.shape import ROWS

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]
Shape = tuple[int, ...]

TASK_BYTES = 2**18  # padded images of one task: they share the second-level cache with a panel of weights
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

    def met(self, window: int, taps: list[int], size: int) -> slice:
        """Which of the taps of a window fall into an image of `size` pixels; one of the others when none does."""
        places = [window * self.step + tap - self.before for tap in taps]
        inside = [t for t, place in enumerate(places) if 0 <= place < size] or [0]
        return slice(inside[0], inside[-1] + 1)


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
    classes: np.ndarray
    taps: np.ndarray
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


def gathered(x: Shape, y: Shape, kw: int, rows: Axis, columns: Axis, groups: int, dtype: np.dtype) -> Plan:
    """The plan of a product from x to y, given its two axes."""
    (n, h, width, channels), (_, out_h, out_w, out_c) = x, y
    copied = not (rows.lies_inside(h) and columns.lies_inside(width))
    row = (columns.padded if copied else width) * channels
    task_images, task_rows = task_size(n, rows, columns, columns.padded * channels * dtype.itemsize)
    classes, taps, order, pixels, work = [], [], [], 0, 0
    for high in rows.classes:
        for wide in columns.classes:
            together = groups == 1 and wide.taps == list(range(wide.taps[0], wide.taps[0] + len(wide.taps)))
            run = len(wide.taps) if together else 1
            for low, end, met in parts(rows, high, h, task_images * (wide.high - wide.low)):
                places = [a * row + b * channels for a in high.taps[met] for b in wide.taps[::run]]
                first_element = len(order) + met.start * len(wide.elements)
                table = (low, end, wide.low, wide.high, high.first, wide.first)
                classes.append((*table, len(taps), len(taps) + len(places), run, first_element))
                taps += places
                work += (end - low) * (wide.high - wide.low) * len(places) * run
            order += [a * kw + b for a in high.elements for b in wide.elements]
            pixels += (high.high - high.low) * (wide.high - wide.low)
    plan = Gather(
        images=n, height=h, width=width, channels=channels, top=rows.before, left=columns.before,
        step_h=rows.step, step_w=columns.step, reach=rows.reach, windows_h=rows.windows, windows_w=columns.windows,
        copied=copied, padded_width=columns.padded, out_h=out_h, out_w=out_w, out_c=out_c,
        out_step_h=rows.out_step, out_step_w=columns.out_step, groups=groups, depth=channels // groups,
        columns=out_c // groups, elements=len(order), task_images=task_images, task_rows=task_rows,
    )  # fmt: skip
    tasks = -(-n // task_images) * -(-rows.windows // task_rows) if classes else 0
    padded = task_images * ((task_rows - 1) * rows.step + rows.reach) * row if copied else 0
    return Plan(
        plan, integers(classes).reshape(-1, 10), integers(taps), integers(order), tasks, padded,
        n * work * channels * out_c // groups, pixels == out_h * out_w,
    )  # fmt: skip


def parts(axis: Axis, windows: AxisClass, size: int, across: int) -> list[tuple[int, int, slice]]:
    """(low, high, taps) of windows that meet the image with the same taps: fewer terms, but more part-filled tiles.

    `across`: windows side by side, of all images of a task. All in one part when that costs no more tiles.
    """
    whole = [(windows.low, windows.high, slice(0, len(windows.taps)))]
    cut: list[tuple[int, int, slice]] = []
    for q in range(windows.low, windows.high):
        met = axis.met(q, windows.taps, size)
        if cut and cut[-1][2] == met:
            cut[-1] = (cut[-1][0], q + 1, met)
        else:
            cut.append((q, q + 1, met))

    def cost(choice: list[tuple[int, int, slice]]) -> int:
        return sum(-(-across * (high - low) // ROWS) * (met.stop - met.start) for low, high, met in choice)

    return cut if cost(cut) < cost(whole) else whole


def task_size(n: int, rows: Axis, columns: Axis, row_bytes: int) -> Pair:
    """(images, rows of windows) of a task: what fits the cache, gives enough tasks, and wastes few rows of tiles."""
    most = min(TASK_BYTES // max(1, rows.padded * row_bytes), -(-n // WANTED_TASKS))
    if most >= 1 and n >= WANTED_TASKS // 2:

        def waste(images: int) -> float:
            windows = images * columns.windows * rows.windows
            return round(-(-windows // ROWS) * ROWS / windows, 2)

        return min(range(most, 0, -1), key=waste), rows.windows
    fitting = (TASK_BYTES // max(1, row_bytes) - rows.reach) // rows.step
    enough = max(-(-rows.windows * n // WANTED_TASKS), -(-4 * ROWS // max(1, columns.windows)))
    return 1, max(1, min(rows.windows, fitting, enough))
