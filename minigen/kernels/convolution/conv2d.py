"""2-D convolution, its input gradient (the transposed convolution) and its weight gradient.

Each is a matrix product whose rows are gathered from the image where they lie; no array of windows is made. `plan.py`
says how strides, paddings, dilations and groups become such a product, `gather.py` computes it. Where it takes less
time, minimal filtering makes the same results with fewer multiplications: `winograd.py`.

Bottom and right padding may be negative: so many rows and columns of x are then not read.
"""

import math

import numpy as np

from minigen.config import config
from minigen.kernels.compiler.arrays import contiguous, flat, integers
from minigen.kernels.convolution import gather, winograd
from minigen.kernels.convolution.gather import Outer, Scatter
from minigen.kernels.convolution.lanes import Taps, taps_share
from minigen.kernels.convolution.places import BLOCK_WINDOWS, copy_padded_image
from minigen.kernels.convolution.plan import (
    COPY_COST,
    WANTED_TASKS,
    Padding,
    Pair,
    Plan,
    adjoint_plan,
    forward_axis,
    forward_plan,
    is_depthwise,
    met_taps,
)
from minigen.kernels.noting import cleared, constant, run
from minigen.kernels.rows.elementwise import leaky_relu
from minigen.kernels.rows.leaky import slope_number
from minigen.kernels.rows.sums import by_numpy
from minigen.kernels.tile.shape import Tile, best_tile, vector_width
from minigen.kernels.tile.workspace import scratch

SERIAL_MULTIPLY_ADDS = 2**18  # below these starting the threads costs more than they save


def conv2d(
    x: np.ndarray, w: np.ndarray, stride: Pair, padding: Padding, dilation: Pair, groups: int,
    bias: np.ndarray | None = None, slope: float | None = None,
) -> np.ndarray:  # fmt: skip
    """y[n, i, j, o] = leaky(bias[o] + Σ_{a, b, c} x[n, i·sh + a·dh - top, j·sw + b·dw - left, c] · w[a, b, c, o]).

    x (N, H, W, Cin), w (KH, KW, Cin / groups, Cout), bias (Cout,); y (N, OH, OW, Cout). Padding is (top, bottom, left,
    right). leaky(v) = v, but slope · v where v < 0: slope None leaves it as it is, 0 is ReLU.
    """
    if (joined := groups_together(groups, w.shape[3] // groups, w.shape[2], x.dtype)) > 1:
        diagonal = block_diagonal(w, groups, joined)
        y = conv2d(x, diagonal, stride, padding, dilation, groups // joined, bias, slope)
        if all_finite(y):
            return y
    n, h, width, _ = x.shape
    kh, kw, depth, cout = w.shape
    top, bottom, left, right = padding
    oh = (h + top + bottom - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (width + left + right - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    turned = turned_padding((kh, kw), stride, padding, dilation, groups)
    if turned is not None and scatter_is_faster(kh * kw, cout, depth, oh * ow / max(1, h * width), x.dtype):
        # At stride 1 a convolution is the input gradient of the one with its kernel turned round.
        swapped = w[::-1, ::-1].swapaxes(2, 3)
        return conv2d_input_grad(x, swapped, (oh, ow), stride, turned, dilation, groups, bias, slope)
    bias, slope = epilogue(bias, slope, cout, x.dtype)
    y = np.empty((n, oh, ow, cout), x.dtype)
    if x.size == 0:
        y[:] = finished(bias, slope)
    elif winograd.is_faster("forward", x.shape, y.shape, (kh, kw), stride, padding, dilation, groups, x.dtype):
        winograd.convolve("forward", x, w, y, stride, padding, bias, slope)
    else:
        plan = forward_plan(x.shape, w.shape, y.shape, stride, padding, dilation, groups, x.dtype)
        multiply(plan, x, w, (cout // groups, depth * cout, cout, 1), y, bias, slope)
    return y


def conv2d_input_grad(
    gy: np.ndarray, w: np.ndarray, in_hw: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int,
    bias: np.ndarray | None = None, slope: float | None = None,
) -> np.ndarray:  # fmt: skip
    """The adjoint of conv2d in x: gx (N, *in_hw, Cin) from gy (N, OH, OW, Cout). It is the transposed convolution.

    As such it has a bias (Cin,) and a slope, as conv2d has.
    """
    if (joined := groups_together(groups, w.shape[2], w.shape[3] // groups, w.dtype)) > 1:
        diagonal = block_diagonal(w, groups, joined)
        gx = conv2d_input_grad(gy, diagonal, in_hw, stride, padding, dilation, groups // joined, bias, slope)
        if all_finite(gx):
            return gx
    kh, kw, depth, cout = w.shape
    gx = np.empty((gy.shape[0], *in_hw, depth * groups), gy.dtype)
    bias, slope = epilogue(bias, slope, depth * groups, gy.dtype)
    pixels = math.prod(in_hw) / max(1, math.prod(gy.shape[1:3]) * math.prod(stride))
    if gy.size == 0 or gx.size == 0:
        gx[:] = finished(bias, slope)
    elif groups == 1 and scatter_is_faster(kh * kw, depth, cout, pixels, gy.dtype):
        scatter(gy, w, gx, stride, padding, dilation, bias, slope)
    elif winograd.is_faster("input", gx.shape, gy.shape, (kh, kw), stride, padding, dilation, groups, gy.dtype):
        winograd.convolve("input", gy, w, gx, stride, padding, bias, slope)
    else:
        plan = adjoint_plan(gy.shape, w.shape, gx.shape, stride, padding, dilation, groups, gy.dtype)
        if not plan.complete:
            gx[:] = finished(bias, slope)
        multiply(plan, gy, w, (cout // groups, depth * cout, 1, cout), gx, bias, slope)
    return gx


def epilogue(bias: np.ndarray | None, slope: float | None, channels: int, dtype: np.dtype) -> tuple[np.ndarray, float]:
    """What a product ends with: the bias, empty when there is neither bias nor activation, and the slope."""
    slope = slope_number(slope)
    if bias is None:
        return constant(np.zeros(channels if slope != 1 else 0, dtype)), slope
    return flat(bias), slope


def finished(bias: np.ndarray, slope: float) -> np.ndarray | float:
    """leaky(bias), which is what pixels without any product become."""
    return leaky_relu(bias, slope) if bias.size else 0.0


def conv2d_weight_grad(
    x: np.ndarray, gy: np.ndarray, kernel_hw: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> np.ndarray:
    """The adjoint of conv2d in w: gw (KH, KW, Cin / groups, Cout) from x (N, H, W, Cin) and gy (N, OH, OW, Cout)."""
    (kh, kw), cin, cout = kernel_hw, x.shape[3], gy.shape[3]
    if (joined := groups_together(groups, cout // groups, cin // groups, x.dtype)) > 1:
        gw = conv2d_weight_grad(x, gy, kernel_hw, stride, padding, dilation, groups // joined)
        if all_finite(gw := diagonal_blocks(gw, groups, joined)):
            return gw
    if x.size == 0 or gy.size == 0:
        return np.zeros((kh, kw, cin // groups, cout), x.dtype)
    if winograd.is_faster("weight", x.shape, gy.shape, kernel_hw, stride, padding, dilation, groups, x.dtype):
        return winograd.weight_gradient(x, gy, kernel_hw, stride, padding)
    turned = turned_padding(kernel_hw, stride, padding, dilation, groups)
    costs = [outer_cost(kernel_hw, *channels, x.dtype)[0] for channels in ((cin, cout), (cout, cin))]
    if turned is not None and 1.3 * costs[1] < costs[0]:
        # At stride 1 image and gradient may change places, and the kernel comes out turned round.
        gw = conv2d_weight_grad(gy, x, kernel_hw, stride, turned, dilation, groups)
        return contiguous(gw[::-1, ::-1].swapaxes(2, 3))
    if is_depthwise(groups, cin // groups, cout // groups):
        return taps_gradient(x, gy, kernel_hw, stride, padding, dilation)
    return outer(x, gy, kernel_hw, stride, padding, dilation, groups)


def turned_padding(kernel_hw: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Padding | None:
    """The padding with which a convolution is the adjoint of that with the turned kernel; None if there is none."""
    if stride != (1, 1) or groups != 1:
        return None
    reach = [d * (k - 1) for d, k in zip(dilation, kernel_hw, strict=True)]
    top, bottom, left, right = (r - p for r, p in zip(np.repeat(reach, 2).tolist(), padding, strict=True))
    return (top, bottom, left, right) if top >= 0 and left >= 0 else None


def packed(
    w: np.ndarray, order: np.ndarray, groups: int, depth: int, columns: int, panel: int, *steps: int
) -> np.ndarray:
    """The weights as tiles read them (`gather.pack`); `steps`: distances between groups, elements, rows, columns."""
    out = np.empty(groups * -(-columns // panel) * order.size * depth * panel, w.dtype)
    gather.pack(order.size, flat(w), order, groups, depth, columns, *steps, panel, out)
    return out


# Groups of few channels are computed together, with zeros between them: they would fill a part of a vector each. Where
# something is not finite they are computed apart after all, since 0 · ∞ would spread it over the other groups.


def groups_together(groups: int, kept: int, summed: int, dtype: np.dtype) -> int:
    """How many groups, of so many channels of the result and of the sum, fill a vector with what is kept."""
    if groups == 1 or is_depthwise(groups, summed, kept):
        return 1
    return max(m for m in range(1, groups + 1) if groups % m == 0 and (m == 1 or m * kept <= vector_width(dtype)))


def all_finite(x: np.ndarray) -> bool:
    """Whether all numbers are finite; False also when their sum is not."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(x.sum()))


def block_diagonal(w: np.ndarray, groups: int, joined: int) -> np.ndarray:
    """The weights of `joined` groups in one: (KH, KW, joined · depth, Cout), zeros where channels have no weight."""
    kh, kw, depth, cout = w.shape
    blocks = np.zeros((kh, kw, joined, depth, groups // joined, joined, cout // groups), w.dtype)
    own = w.reshape(kh, kw, depth, groups // joined, joined, cout // groups)
    for i in range(joined):
        blocks[:, :, i, :, :, i] = own[:, :, :, :, i]
    return blocks.reshape(kh, kw, joined * depth, cout)


def diagonal_blocks(gw: np.ndarray, groups: int, joined: int) -> np.ndarray:
    """Of the gradient of `block_diagonal`, that of the weights themselves."""
    kh, kw, rows, cout = gw.shape
    blocks = gw.reshape(kh, kw, joined, rows // joined, groups // joined, joined, cout // groups)
    return np.stack([blocks[:, :, i, :, :, i] for i in range(joined)], axis=4).reshape(kh, kw, rows // joined, cout)


# Gathered products: the convolution, and its input gradient.


def multiply(
    plan: Plan, x: np.ndarray, w: np.ndarray, steps: tuple[int, int, int, int], out: np.ndarray, bias: np.ndarray,
    slope: float,
) -> None:  # fmt: skip
    """out = leaky(windows of x times w + bias).

    `steps`: distance in w between groups, kernel elements, summed and kept channels.
    """
    shape, tile = plan.gather, plan.tile
    if is_depthwise(shape.groups, shape.depth, shape.columns):
        tile, panels = None, w.reshape(-1, shape.groups)[plan.order].reshape(-1)
        bias = bias if bias.size else constant(np.zeros(shape.groups, x.dtype))
    else:
        panels = packed(w, plan.order, shape.groups, shape.depth, shape.columns, tile.panel, *steps)
        bias = in_panels(bias, shape.groups, shape.columns, tile.panel, x.dtype)
    tables = plan.classes, plan.taps, plan.w_taps
    arguments = (flat(x), shape, *tables, panels, tile, bias, x.dtype.type(slope), out.reshape(-1))
    workers = 1 if plan.work < SERIAL_MULTIPLY_ADDS else max(1, min(plan.tasks, config.threads))
    with scratch("conv2d", workers * plan.padded, x.dtype) as memory:
        gather.gather_share(workers, workers, plan.tasks, *arguments, memory.reshape(workers, plan.padded))


def in_panels(bias: np.ndarray, groups: int, columns: int, panel: int, dtype: np.dtype) -> np.ndarray:
    """The bias of each group with zeros after it, up to whole panels; all zeros without one."""
    width = -(-columns // panel) * panel
    if bias.size and width == columns:
        return bias
    if not bias.size:
        return constant(np.zeros(groups * width, dtype))
    padded = cleared((groups, width), dtype)
    run(np.copyto, padded[:, :columns], bias.reshape(groups, columns))
    return padded.reshape(-1)


# Scattered products: the input gradient when there are few input channels, so that a tile's columns would stay empty.
# The columns are all numbers of a window instead.


def scatter_is_faster(elements: int, kept: int, summed: int, pixels: float, dtype: np.dtype) -> bool:
    """Whether to make whole windows and add them up, by the multiply-adds and additions per pixel of the gradient.

    pixels: of the result, at stride 1, for each of the gradient.
    """
    gathered, scattered = best_tile(kept, dtype)[1] * pixels, best_tile(elements * kept, dtype)[1]
    return summed * scattered + 3 * elements * kept < summed * elements * gathered


def scatter(
    gy: np.ndarray, w: np.ndarray, gx: np.ndarray, stride: Pair, padding: Padding, dilation: Pair, bias: np.ndarray,
    slope: float,
) -> None:  # fmt: skip
    """The input gradient, image by image: windows = gy times w, each added into a padded image."""
    (n, oh, ow, cout), (kh, kw, cin, _), (_, h, width, _) = gy.shape, w.shape, gx.shape
    (sh, sw), (dh, dw), (top, _, left, _) = stride, dilation, padding
    padded_h = max(top + h, (oh - 1) * sh + dh * (kh - 1) + 1)
    padded_w = max(left + width, (ow - 1) * sw + dw * (kw - 1) + 1)
    together = kw if dw == 1 else 1
    taps = integers([(a * dh * padded_w + b * dw) * cin for a in range(kh) for b in range(0, kw, together)])
    plan = Scatter(n, oh, ow, cout, sh, sw, padded_h, padded_w, top, left, h, width, cin, together * cin)
    tile, _ = best_tile(kh * kw * cin, gy.dtype)
    panels = packed(w, integers([0]), 1, cout, kh * kw * cin, tile.panel, 0, 0, 1, cout)
    arguments = (flat(gy), plan, taps, panels, tile, bias, gy.dtype.type(slope), gx.reshape(-1))
    gather.scatter_task(n, *arguments, threads=1 if gy.size * kh * kw * cin < SERIAL_MULTIPLY_ADDS else None)


# Outer products: the weight gradient.


def outer_cost(
    kernel_hw: Pair, cin: int, cout: int, dtype: np.dtype, together: bool = True
) -> tuple[float, bool, bool, Tile]:  # fmt: skip
    """How to sum: (cost per pixel in multiply-adds of vectors, whether the taps of a kernel row go together, because
    they are contiguous, whether to merge all taps of a window into one row, tile).

    Taps for themselves need no padding, since each is summed over those pixels where it meets the image.
    """
    (kh, kw), ways = kernel_hw, []
    copied = COPY_COST * cin / vector_width(dtype)
    for joined in (True, False) if together else (False,):
        runs, run = (kh, kw * cin) if joined else (kh * kw, cin)
        tile, apart = best_tile(cout, dtype, run)
        if run >= tile.sizes[0]:
            ways.append((runs * apart + joined * copied, joined, False, tile))
        tile, merged = best_tile(cout, dtype, runs * run)
        ways.append((merged + 2 * runs * run + copied, joined, True, tile))
    return min(ways, key=lambda way: way[0])


def outer(
    x: np.ndarray, gy: np.ndarray, kernel_hw: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> np.ndarray:
    """The weight gradient: for every tap, the sum over pixels of window times gradient."""
    (n, h, width, cin), (_, oh, ow, cout), (kh, kw) = x.shape, gy.shape, kernel_hw
    (sh, sw), (dh, dw), (top, _, left, _) = stride, dilation, padding
    depth = cin // groups
    _, joined, merged, tile = outer_cost(kernel_hw, depth, cout // groups, x.dtype, groups == 1 and dw == 1)
    rows, columns = forward_axis(kh, oh, sh, top, dh), forward_axis(kw, ow, sw, left, dw)
    inside = (rows.lies_inside(h) and columns.lies_inside(width)) or not (joined or merged)
    image_h, image_w = (h, width) if inside else (rows.padded, columns.padded)
    origin = -(top * width + left) * cin if inside else 0

    step = kw if joined else 1
    places = [(a, b) for a in range(kh) for b in range(0, kw, step)]
    taps = integers([(a * dh * image_w + b * dw) * cin for a, b in places])
    parts = groups * (1 if merged else taps.size)
    met = [
        (*(met_pixels(a, h, oh, sh, top, dh) if not merged else (0, oh)),
         *(met_pixels(b, width, ow, sw, left, dw) if not (merged or joined) else (0, ow)))
        for a, b in places
    ]  # fmt: skip
    size = kh * kw * depth * cout
    splits = max(1, min(-(-WANTED_TASKS // parts), n * oh * ow // (4 * BLOCK_WINDOWS), 2**19 // size))
    plan = Outer(
        images=n, pixels_h=oh, pixels_w=ow, origin=origin, image_step=image_h * image_w * cin,
        row_step=sh * image_w * cin, column_step=sw * cin, run=step * depth, merged=merged, groups=groups, depth=depth,
        columns=cout // groups, out_c=cout, splits=splits,
    )  # fmt: skip
    gw = cleared((splits, size), x.dtype)
    threads = 1 if n * oh * ow * size < SERIAL_MULTIPLY_ADDS else None
    with scratch("conv2d_weight_grad", 0 if inside else n * image_h * image_w * cin, x.dtype) as padded:
        if not inside:
            copy_padded_image(n, flat(x), h, width, cin, top, left, padded, image_h, image_w)
        image = flat(x) if inside else padded
        arguments = image, flat(gy), plan, taps, integers(met), tile, gw.reshape(-1)
        gather.outer_task(splits * parts, *arguments, threads=threads)
    return by_numpy(gw, (0,), False).reshape(kh, kw, depth, cout)


def taps_gradient(
    x: np.ndarray, gy: np.ndarray, kernel_hw: Pair, stride: Pair, padding: Padding, dilation: Pair
) -> np.ndarray:
    """The weight gradient where each channel has a kernel of its own."""
    (n, h, width, channels), (_, oh, ow, _), (kh, kw) = x.shape, gy.shape, kernel_hw
    plan = Taps(n, h, width, channels, padding[0], padding[2], *stride, oh, ow)
    tables = met_taps(kernel_hw, (h, width), (oh, ow), stride, padding, dilation, channels)
    shares = max(1, min(WANTED_TASKS, n * oh * ow // (4 * BLOCK_WINDOWS)))
    gw = cleared((shares, kh * kw * channels), x.dtype)
    threads = 1 if gy.size * kh * kw < SERIAL_MULTIPLY_ADDS else None
    taps_share(shares, flat(x), flat(gy), plan, *tables, gw, threads=threads)
    return by_numpy(gw, (0,), False).reshape(kh, kw, 1, channels)


def met_pixels(element: int, size: int, pixels: int, stride: int, before: int, dilation: int) -> Pair:
    """Those of the pixels of one axis whose windows have their kernel element inside an image of this size."""
    place = element * dilation - before
    low, high = max(0, -(place // stride)), min(pixels, (size - 1 - place) // stride + 1)
    return low, max(low, high)
