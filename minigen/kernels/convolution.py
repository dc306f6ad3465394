"""2-D convolution, its input gradient (the transposed convolution) and its weight gradient.

Each is a matrix product whose rows are gathered from the image where they lie (see `gather.py`); no array of windows is
made. This file turns strides, paddings, dilations and groups into the plan of such a product, once per shape.

Along one axis, with stride s, dilation d, padding p and kernel elements a, a convolution and its adjoint are

    y[q]  = sum over a of x[q * s + a * d - p] * w[a]
    gx[i] = sum over a of gy[(i + p - a * d) / s] * w[a]          where that division leaves no remainder

so the pixels i of the input gradient fall into s classes by the remainder r of i + p. With i + p = q * s + r, class r
is itself a convolution of gy, at step 1, with the elements a for which r - a * d is a multiple of s:

    gx[q * s + r - p] = sum over these a of gy[q + (r - a * d) / s] * w[a]

Bottom and right padding may be negative: so many rows and columns of x are then not read.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minigen.kernels import gather
from minigen.kernels.gather import BLOCK, Gather, Outer, Scatter
from minigen.kernels.microkernel import ROWS, VECTORS, panel_width

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]
Shape = tuple[int, ...]

SMALL = 2**18  # multiply-adds below which starting the threads costs more than they save
TASK_BYTES = 2**18  # padded images of one task: they share the second-level cache with a panel of weights
TASKS = 16  # tasks to aim at, whatever the number of threads: enough to share them out evenly


def conv2d(x: np.ndarray, w: np.ndarray, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> np.ndarray:
    """y[n, i, j, o] = sum over a, b, c of x[n, i·sh + a·dh - top, j·sw + b·dw - left, c] · w[a, b, c, o].

    x (N, H, W, Cin), w (KH, KW, Cin / groups, Cout); y (N, OH, OW, Cout). Padding is (top, bottom, left, right).
    """
    n, h, width, _ = x.shape
    kh, kw, depth, cout = w.shape
    top, bottom, left, right = padding
    oh = (h + top + bottom - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (width + left + right - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    turned = turned_padding((kh, kw), stride, padding, dilation, groups)
    if turned is not None and scatter_is_faster(kh * kw, cout, depth, x.dtype):
        # At stride 1 a convolution is the input gradient of the one with its kernel turned round.
        return conv2d_input_grad(x, w[::-1, ::-1].swapaxes(2, 3), (oh, ow), stride, turned, dilation, groups)
    if x.size == 0:
        return np.zeros((n, oh, ow, cout), x.dtype)
    y = np.empty((n, oh, ow, cout), x.dtype)
    plan = forward_plan(x.shape, w.shape, y.shape, stride, padding, dilation, groups, x.dtype)
    multiply(plan, x, w, (cout // groups, depth * cout, cout, 1), y)
    return y


def conv2d_input_grad(
    gy: np.ndarray, w: np.ndarray, in_hw: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> np.ndarray:
    """The adjoint of conv2d in x: gx (N, *in_hw, Cin) from gy (N, OH, OW, Cout). It is the transposed convolution."""
    kh, kw, depth, cout = w.shape
    shape = (gy.shape[0], *in_hw, depth * groups)
    if gy.size == 0 or 0 in shape:
        return np.zeros(shape, gy.dtype)
    if groups == 1 and scatter_is_faster(kh * kw, depth, cout, gy.dtype):
        gx = np.empty(shape, gy.dtype)
        scatter(gy, w, gx, stride, padding, dilation)
        return gx
    plan = adjoint_plan(gy.shape, w.shape, shape, stride, padding, dilation, groups, gy.dtype)
    gx = np.empty(shape, gy.dtype) if plan.complete else np.zeros(shape, gy.dtype)
    multiply(plan, gy, w, (cout // groups, depth * cout, 1, cout), gx)
    return gx


def conv2d_weight_grad(
    x: np.ndarray, gy: np.ndarray, kernel_hw: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> np.ndarray:
    """The adjoint of conv2d in w: gw (KH, KW, Cin / groups, Cout) from x (N, H, W, Cin) and gy (N, OH, OW, Cout)."""
    (kh, kw), cin, cout = kernel_hw, x.shape[3], gy.shape[3]
    if x.size == 0 or gy.size == 0:
        return np.zeros((kh, kw, cin // groups, cout), x.dtype)
    turned = turned_padding(kernel_hw, stride, padding, dilation, groups)
    if turned is not None:
        panel = panel_width(x.dtype)
        if 1.3 * outer_cost(kernel_hw, cout, cin, panel)[0] < outer_cost(kernel_hw, cin, cout, panel)[0]:
            # At stride 1 image and gradient may change places, and the kernel comes out turned round.
            gw = conv2d_weight_grad(gy, x, kernel_hw, stride, turned, dilation, groups)
            return np.ascontiguousarray(gw[::-1, ::-1].swapaxes(2, 3))
    return outer(x, gy, kernel_hw, stride, padding, dilation, groups)


def turned_padding(kernel_hw: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Padding | None:
    """The padding with which a convolution is the adjoint of that with the turned kernel; None if there is none."""
    if stride != (1, 1) or groups != 1:
        return None
    reach = [d * (k - 1) for d, k in zip(dilation, kernel_hw, strict=True)]
    top, bottom, left, right = (r - p for r, p in zip(np.repeat(reach, 2).tolist(), padding, strict=True))
    return (top, bottom, left, right) if top >= 0 and left >= 0 else None


def flat(array: np.ndarray) -> np.ndarray:
    """One contiguous row of numbers, which compiled code may take as aligned and writable (it only reads inputs)."""
    return np.require(array, requirements=["C", "A", "W"]).reshape(-1)


# Gathered products: convolution, and its input gradient.


class Axis(NamedTuple):
    """One axis of a gathered product: `windows` windows of `reach` positions at distance `step`, after `before` zeros.

    Each class is (low, high, first pixel of the result, kernel elements, their places in the window, ascending).
    """

    step: int
    out_step: int
    before: int
    reach: int
    windows: int
    classes: list[tuple[int, int, int, list[int], list[int]]]

    @property
    def padded(self) -> int:
        """Positions of the padded image that windows cover."""
        return (self.windows - 1) * self.step + self.reach

    def lies_inside(self, size: int) -> bool:
        """Whether windows touch no padding of an image of `size` pixels."""
        return self.before <= 0 and self.padded - self.before <= size


def forward_axis(kernel: int, windows: int, stride: int, before: int, dilation: int) -> Axis:
    """The convolution along one axis: a single class."""
    taps = [a * dilation for a in range(kernel)]
    return Axis(stride, 1, before, taps[-1] + 1, windows, [(0, windows, 0, list(range(kernel)), taps)])


def adjoint_axis(kernel: int, size: int, stride: int, before: int, dilation: int) -> Axis:
    """The input gradient along one axis of `size` pixels: a class for every remainder that some element meets."""
    classes = []
    for r in range(stride):
        elements = [a for a in reversed(range(kernel)) if (r - a * dilation) % stride == 0]
        low, high = -((r - before) // stride), -((r - before - size) // stride)
        if elements and low < high:
            classes.append((low, high, r - before, elements, [(r - a * dilation) // stride for a in elements]))
    first = min((c[0] for c in classes), default=0)
    nearest = min((c[4][0] for c in classes), default=0)
    moved = [
        (low - first, high - first, pixel + first * stride, elements, [tap - nearest for tap in taps])
        for low, high, pixel, elements, taps in classes
    ]
    reach = max((c[4][-1] for c in moved), default=0) + 1
    return Axis(1, stride, -(first + nearest), reach, max((c[1] for c in moved), default=0), moved)


class Plan(NamedTuple):
    """A gathered product and its tables; `complete` when every number of the result is written."""

    gather: Gather
    classes: np.ndarray
    taps: np.ndarray
    order: np.ndarray  # kernel elements as the packed weights hold them
    tasks: int
    work: int
    complete: bool


@functools.lru_cache(maxsize=256)
def forward_plan(
    x: Shape, w: Shape, y: Shape, stride: Pair, padding: Padding, dilation: Pair, groups: int, dtype: np.dtype
) -> Plan:
    """The convolution of arrays of these shapes."""
    rows, columns = (forward_axis(w[i], y[1 + i], stride[i], padding[2 * i], dilation[i]) for i in (0, 1))
    return gathered(x, y, w[1], (rows, columns), groups, dtype)


@functools.lru_cache(maxsize=256)
def adjoint_plan(
    gy: Shape, w: Shape, gx: Shape, stride: Pair, padding: Padding, dilation: Pair, groups: int, dtype: np.dtype
) -> Plan:
    """The input gradient of arrays of these shapes."""
    rows, columns = (adjoint_axis(w[i], gx[1 + i], stride[i], padding[2 * i], dilation[i]) for i in (0, 1))
    return gathered(gy, gx, w[1], (rows, columns), groups, dtype)


def gathered(x: Shape, y: Shape, kw: int, axes: tuple[Axis, Axis], groups: int, dtype: np.dtype) -> Plan:
    """The plan of a product from x to y, given its two axes."""
    rows, columns = axes
    (n, h, width, channels), (_, out_h, out_w, out_c) = x, y
    copied = not (rows.lies_inside(h) and columns.lies_inside(width))
    source_width = columns.padded if copied else width
    classes, taps, order, work = [], [], [], 0
    for top, bottom, first_h, elements_h, taps_h in rows.classes:
        for left, right, first_w, elements_w, taps_w in columns.classes:
            together = groups == 1 and taps_w == list(range(taps_w[0], taps_w[0] + len(taps_w)))
            run = len(taps_w) if together else 1
            places = [(a * source_width + b) * channels for a in taps_h for b in taps_w[::run]]
            bounds = (top, bottom, left, right, first_h, first_w)
            classes.append((*bounds, len(taps), len(taps) + len(places), run, len(order)))
            taps += places
            order += [a * kw + b for a in elements_h for b in elements_w]
            work += (bottom - top) * (right - left) * len(elements_h) * len(elements_w)
    image_bytes = rows.padded * columns.padded * channels * dtype.itemsize
    task_images, task_rows = task_size(n, rows, columns, image_bytes)
    plan = Gather(
        images=n, height=h, width=width, channels=channels, top=rows.before, left=columns.before,
        step_h=rows.step, step_w=columns.step, reach=rows.reach, windows_h=rows.windows, windows_w=columns.windows,
        copied=copied, padded_width=columns.padded, out_h=out_h, out_w=out_w, out_c=out_c,
        out_step_h=rows.out_step, out_step_w=columns.out_step, groups=groups, depth=channels // groups,
        columns=out_c // groups, elements=len(order), task_images=task_images, task_rows=task_rows,
    )  # fmt: skip
    tasks = -(-n // task_images) * -(-rows.windows // task_rows) if classes else 0
    pixels_h, pixels_w = (sum(high - low for low, high, *_ in axis.classes) for axis in axes)
    return Plan(
        plan, table(classes).reshape(-1, 10), table(taps), table(order), tasks,
        n * work * channels * out_c // groups, (pixels_h, pixels_w) == (out_h, out_w),
    )  # fmt: skip


def table(numbers: Sequence[object]) -> np.ndarray:
    return np.array(numbers, np.int64)


def task_size(n: int, rows: Axis, columns: Axis, image_bytes: int) -> Pair:
    """(images, rows of windows) of a task: what fits the cache, gives enough tasks, and wastes few rows of tiles."""
    most = min(TASK_BYTES // max(1, image_bytes), -(-n // TASKS))
    if most >= 1 and n >= TASKS // 2:
        windows = rows.windows * columns.windows

        def waste(images: int) -> float:
            return -(-images * windows // ROWS) * ROWS / (images * windows)

        return min(range(most, 0, -1), key=lambda images: round(waste(images), 2)), rows.windows
    fitting = TASK_BYTES * rows.padded // max(1, image_bytes) - rows.reach  # rows of the padded image
    enough = max(-(-rows.windows * n // TASKS), -(-4 * ROWS // max(1, columns.windows)))
    return 1, max(1, min(rows.windows, fitting // rows.step, enough))


def multiply(plan: Plan, x: np.ndarray, w: np.ndarray, steps: tuple[int, int, int, int], out: np.ndarray) -> None:
    """out = windows of x times w. `steps`: distance in w between groups, kernel elements, summed and kept channels."""
    panel = panel_width(x.dtype)
    shape = plan.gather
    panels = gather.pack(flat(w), plan.order, shape.groups, shape.depth, shape.columns, *steps, panel)
    arguments = (flat(x), shape, plan.classes, plan.taps, panels, panel, out.reshape(-1))
    if plan.work < SMALL:
        for task in range(plan.tasks):
            gather.gather_task(task, *arguments)
    else:
        gather.gather_all(plan.tasks, *arguments)


# Scattered products: the input gradient when there are few input channels, so that a tile's columns would stay empty.
# The columns are all numbers of a window instead.


def scatter_is_faster(elements: int, kept: int, summed: int, dtype: np.dtype) -> bool:
    """Whether to make whole windows and add them up, by the multiply-adds and additions per pixel of the gradient."""
    panel = panel_width(dtype)
    gathered = elements * summed * -(-kept // panel) * VECTORS
    return summed * -(-elements * kept // panel) * VECTORS + 3 * elements * kept < gathered


def scatter(gy: np.ndarray, w: np.ndarray, gx: np.ndarray, stride: Pair, padding: Padding, dilation: Pair) -> None:
    """The input gradient, image by image: windows = gy times w, each added into a padded image."""
    (n, oh, ow, cout), (kh, kw, cin, _), (_, h, width, _) = gy.shape, w.shape, gx.shape
    (sh, sw), (dh, dw), (top, _, left, _) = stride, dilation, padding
    padded_h = max(top + h, (oh - 1) * sh + dh * (kh - 1) + 1)
    padded_w = max(left + width, (ow - 1) * sw + dw * (kw - 1) + 1)
    together = kw if dw == 1 else 1
    taps = table([(a * dh * padded_w + b * dw) * cin for a in range(kh) for b in range(0, kw, together)])
    plan = Scatter(n, oh, ow, cout, sh, sw, padded_h, padded_w, top, left, h, width, cin, together * cin)
    panel = panel_width(gy.dtype)
    panels = gather.pack(flat(w), np.zeros(1, np.int64), 1, cout, kh * kw * cin, 0, 0, 1, cout, panel)
    arguments = (flat(gy), plan, taps, panels, panel, gx.reshape(-1))
    if gy.size * kh * kw * cin < SMALL:
        for image in range(n):
            gather.scatter_task(image, *arguments)
    else:
        gather.scatter_all(n, *arguments)


# Outer products: the weight gradient.


def outer_cost(kernel_hw: Pair, cin: int, cout: int, panel: int, together: bool = True) -> tuple[float, bool]:
    """(cost per pixel in multiply-adds of vectors, whether to merge the runs of a window into one row of numbers)."""
    kh, kw = kernel_hw
    runs, run = (kh, kw * cin) if together else (kh * kw, cin)
    tile = ROWS * VECTORS * -(-cout // panel)
    apart = runs * -(-run // ROWS) * tile
    merged = -(-runs * run // ROWS) * tile + 2 * runs * run
    return (merged, True) if run < ROWS or merged < apart else (apart, False)


def outer(
    x: np.ndarray, gy: np.ndarray, kernel_hw: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> np.ndarray:
    """The weight gradient: for every tap, the sum over pixels of window times gradient."""
    (n, h, width, cin), (_, oh, ow, cout), (kh, kw) = x.shape, gy.shape, kernel_hw
    (sh, sw), (dh, dw), (top, _, left, _) = stride, dilation, padding
    rows = forward_axis(kh, oh, sh, top, dh)
    columns = forward_axis(kw, ow, sw, left, dw)
    source, origin = flat(x), 0
    if rows.lies_inside(h) and columns.lies_inside(width):
        origin = -(top * width + left) * cin
    else:
        source = np.empty(n * rows.padded * columns.padded * cin, x.dtype)
        gather.copy_padded_all(flat(x), n, h, width, cin, top, left, source, rows.padded, columns.padded)
        h, width = rows.padded, columns.padded

    panel, depth = panel_width(x.dtype), cin // groups
    together = groups == 1 and dw == 1
    _, merged = outer_cost(kernel_hw, depth, cout // groups, panel, together)
    step = kw if together else 1
    taps = table([(a * dh * width + b * dw) * cin for a in range(kh) for b in range(0, kw, step)])
    parts = groups * (1 if merged else taps.size)
    size = kh * kw * depth * cout
    splits = max(1, min(-(-TASKS // parts), n * oh * ow // (4 * BLOCK), 2**19 // size))
    plan = Outer(
        images=n, pixels_h=oh, pixels_w=ow, origin=origin, image_step=h * width * cin, row_step=sh * width * cin,
        column_step=sw * cin, run=step * depth, merged=merged, groups=groups, depth=depth, columns=cout // groups,
        out_c=cout, splits=splits,
    )  # fmt: skip
    gw = np.zeros((splits, size), x.dtype)
    arguments = (source, flat(gy), plan, taps, panel, gw.reshape(-1))
    if n * oh * ow * size < SMALL:
        for task in range(splits * parts):
            gather.outer_task(task, *arguments)
    else:
        gather.outer_all(splits * parts, *arguments)
    return gw.sum(axis=0).reshape(kh, kw, depth, cout)
