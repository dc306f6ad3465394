"""Convolution of sequences and of volumes, by the 2-D operation.

A sequence (N, T, C) is an image one row high. A volume (N, D, H, W, C) is D images, and its convolution the sum over
the kernel's depth of as many 2-D ones: the kernels of `conv2d` serve all, with gradients of every order.
"""

from typing import Any

from minigen.autograd.ops.convolution import (
    check_bias,
    check_groups,
    check_output_padding,
    check_padding,
    conv2d,
    conv_transpose2d,
    halves,
)
from minigen.autograd.ops.operands import as_float, same_dtype
from minigen.autograd.ops.padding import pad
from minigen.autograd.ops.shape import expand_dims, getitem, reshape, squeeze
from minigen.autograd.tensor import Operand, Tensor
from minigen.checks import check_lengths
from minigen.errors import ShapeError

LAYOUTS = {1: "(N, T, C)", 3: "(N, D, H, W, C)"}
KERNELS = {1: "K", 3: "KD, KH, KW"}


def conv1d(
    x: Operand,
    w: Operand,
    bias: Operand | None = None,
    stride: int = 1,
    padding: Any = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """y[n, t, o] = bias[o] + Σ_{k, c} x[n, t·s + k·d, c] w[k, c, o]: a cross-correlation, as PyTorch's.

    x (N, T, Cin), w (K, Cin / groups, Cout), bias (Cout,) → y (N, OT, Cout), OT = ⌊(T + 2p - d (K - 1) - 1) / s⌋ + 1.
    padding: a number of zeros on both ends, "same" (OT = ⌈T / s⌉) or "valid" (none). Raises ShapeError for operands
    that do not fit, ArgumentError for bad options.
    """
    name = "conv1d"
    x, w, b = operands(name, 1, x, w, bias)
    (step,), (spread,) = check_lengths(name, "stride", stride, 1), check_lengths(name, "dilation", dilation, 1)
    check_channels(name, x, w, b, groups, w.shape[-1], w.shape[-2] * check_groups(name, w, w.shape[-1], groups))
    sides = both_sides(name, padding, x.shape[1:-1], w.shape, (step,), (spread,))
    check_span(name, x, w, sides, (spread,))
    flat = padding if isinstance(padding, str) else (0, sides[0][0])
    y = conv2d(expand_dims(x, 1), expand_dims(w, 0), b, (1, step), flat, (1, spread), groups)
    return squeeze(y, 1)


def conv_transpose1d(
    x: Operand,
    w: Operand,
    bias: Operand | None = None,
    stride: int = 1,
    padding: Any = 0,
    output_padding: int = 0,
    groups: int = 1,
    dilation: int = 1,
) -> Tensor:
    """The adjoint of conv1d in x: y[n, t·s + k·d - p, o] += x[n, t, c] · w[k, o, c], from y = bias.

    x (N, T, Cin), w (K, Cout / groups, Cin), bias (Cout,) → y (N, OT, Cout), OT = (T - 1) s - 2p + d (K - 1) + 1 +
    output_padding. Options as those of conv_transpose2d. Raises ShapeError and ArgumentError.
    """
    name = "conv_transpose1d"
    x, w, b = operands(name, 1, x, w, bias)
    (step,), (spread,) = check_lengths(name, "stride", stride, 1), check_lengths(name, "dilation", dilation, 1)
    (more,) = check_lengths(name, "output_padding", output_padding, 1, 0)
    check_padding(name, padding, 1)
    extra = check_output_padding(name, (0, more), (1, step), (1, spread), padding)
    groups = check_groups(name, w, w.shape[-1], groups)
    check_channels(name, x, w, b, groups, w.shape[-2] * groups, w.shape[-1])
    flat = padding if isinstance(padding, str) else (0, check_lengths(name, "padding", padding, 1, 0)[0])
    y = conv_transpose2d(expand_dims(x, 1), expand_dims(w, 0), b, (1, step), flat, extra, groups, (1, spread))
    return squeeze(y, 1)


def conv3d(
    x: Operand,
    w: Operand,
    bias: Operand | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """As conv2d, with a third axis, the depth, in front of the height.

    x (N, D, H, W, Cin), w (KD, KH, KW, Cin / groups, Cout), bias (Cout,) → y (N, OD, OH, OW, Cout). stride, padding and
    dilation are one number or three, for depth, height and width; padding also "same" or "valid". Raises
    ShapeError for operands that do not fit, ArgumentError for bad options.
    """
    name = "conv3d"
    x, w, b = operands(name, 3, x, w, bias)
    steps, spreads = check_lengths(name, "stride", stride, 3), check_lengths(name, "dilation", dilation, 3)
    check_channels(name, x, w, b, groups, w.shape[-1], w.shape[-2] * check_groups(name, w, w.shape[-1], groups))
    sides = both_sides(name, padding, x.shape[1:-1], w.shape, steps, spreads)
    check_span(name, x, w, sides, spreads)
    if any(sides[0]):
        x = pad(x, ((0, 0), sides[0], (0, 0), (0, 0), (0, 0)))
    flat = padding if isinstance(padding, str) else (sides[1][0], sides[2][0])
    options = (steps[1], steps[2]), flat, (spreads[1], spreads[2]), groups
    n, depth, *rest = x.shape
    layers = (depth - spreads[0] * (w.shape[0] - 1) - 1) // steps[0] + 1
    y: Tensor | None = None
    for k in range(w.shape[0]):
        first = k * spreads[0]
        slab = getitem(x, (slice(None), slice(first, first + (layers - 1) * steps[0] + 1, steps[0])))
        part = conv2d(reshape(slab, (n * layers, *rest)), getitem(w, k), None if k else b, *options)
        y = part if y is None else y + part
    assert y is not None  # operands() lets no empty kernel in
    return reshape(y, (n, layers, *y.shape[1:]))


def operands(
    name: str, axes: int, x: Operand, w: Operand, bias: Operand | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """x, w and perhaps the bias, as tensors of one float dtype; x and w with two axes besides those of the kernel."""
    x, w = as_float(x, name), as_float(w, name)
    if x.ndim != axes + 2:
        more = "; add the batch axis with x[None]" if x.ndim == axes + 1 else ""
        raise ShapeError(f"{name}: x is {x.shape}; expected {axes + 2} axes, {LAYOUTS[axes]}, the channels last{more}")
    if w.ndim != axes + 2 or 0 in w.shape:
        raise ShapeError(
            f"{name}: w is {w.shape}; weights have {axes + 2} axes, ({KERNELS[axes]}, channels, channels), none empty"
        )
    x, w, *b = same_dtype([x, w] if bias is None else [x, w, as_float(bias, name)])
    return x, w, b[0] if b else None


def check_channels(name: str, x: Tensor, w: Tensor, bias: Tensor | None, groups: int, out: int, into: int) -> None:
    """ShapeError unless x has `into` channels, and the bias, if any, `out`."""
    if x.shape[-1] != into:
        raise ShapeError(
            f"{name}: x has {x.shape[-1]} channels, {x.shape}, but w {w.shape} expects {into}"
            f"{f' in {groups} groups' if groups > 1 else ''}; channels are last, {LAYOUTS[x.ndim - 2]}"
        )
    check_bias(name, [] if bias is None else [bias], out)


def both_sides(
    name: str, padding: Any, sizes: tuple[int, ...], kernel: tuple[int, ...], steps: Any, spreads: Any
) -> list[tuple[int, int]]:
    """(before, after) of each axis."""
    check_padding(name, padding, len(sizes))
    if padding == "same":
        spans = [d * (k - 1) + 1 for d, k in zip(spreads, kernel, strict=False)]
        return [
            halves(max(0, (-(-size // s) - 1) * s + span - size))
            for size, s, span in zip(sizes, steps, spans, strict=True)
        ]
    widths = (0,) * len(sizes) if padding == "valid" else check_lengths(name, "padding", padding, len(sizes), 0)
    return [(width, width) for width in widths]


def check_span(name: str, x: Tensor, w: Tensor, sides: list[tuple[int, int]], spreads: tuple[int, ...]) -> None:
    """ShapeError unless the kernel fits into x with its padding."""
    sizes = [size + sum(ends) for size, ends in zip(x.shape[1:-1], sides, strict=True)]
    spans = [d * (k - 1) + 1 for d, k in zip(spreads, w.shape, strict=False)]
    if any(size < span for size, span in zip(sizes, spans, strict=True)):
        raise ShapeError(
            f"{name}: the kernel spans {tuple(spans)} but x {x.shape} with its padding has only {tuple(sizes)}; use "
            "more padding, a smaller kernel or a longer x"
        )
