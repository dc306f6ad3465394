"""2-D convolution and transposed convolution of channels-last images.

Three operations are each other's gradients, whatever is differentiated: the convolution y of x and w, its adjoint in x
(the transposed convolution) and its adjoint in w. Each is linear in both operands, so every derivative, of any order,
is one of the three again.
"""

from typing import NamedTuple

import numpy as np

from minigen import kernels
from minigen.autograd.function import Function
from minigen.autograd.fused import FusedFunction
from minigen.autograd.modes import modes
from minigen.autograd.ops.activation import leaky
from minigen.autograd.ops.operands import as_float, images, leaky_slope, same_dtype
from minigen.autograd.ops.reduction import sum as sum_
from minigen.autograd.tensor import Operand, Tensor
from minigen.checks import check_count, check_lengths, check_pair
from minigen.errors import ArgumentError, ShapeError

Pair = tuple[int, int]


class Geometry(NamedTuple):
    """How windows lie in the image: the arguments that all three kernels share. Padding: top, bottom, left, right."""

    stride: Pair
    padding: tuple[int, int, int, int]
    dilation: Pair
    groups: int


class Convolution(FusedFunction):
    """What the two convolutions share: y = leaky(product of x and w + bias), with or without a bias.

    leaky is nothing (slope None), ReLU (0) or LeakyReLU; its derivative can be told from y.
    """

    def __init__(self, geometry: Geometry, slope: float | None = None) -> None:
        self.geometry, self.slope = geometry, slope

    def save(self, x: np.ndarray, w: np.ndarray) -> None:
        """Keep what backward needs."""
        if self.slope is None:
            self.save_inputs(*[i for i in (0, 1) if self.needs[1 - i]])
        else:
            self.save_inputs(*range(len(self.needs)))
            self.save_output()
        self.x_hw, self.kernel_hw = x.shape[1:3], w.shape[:2]

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        if self.slope is not None and modes.recording:
            return super().backward(gy)  # through compose
        gb = None
        if self.slope is not None:
            y = self.saved_output_array()
            flat_gy, flat_y = gy.data.reshape(-1, y.shape[3]), y.reshape(-1, y.shape[3])
            gz, gb = kernels.bias_leaky_grad(flat_gy, flat_y, self.slope, True in self.needs[2:])
            gy, gb = Tensor(gz.reshape(y.shape)), gb if gb is None else Tensor(gb)
        elif True in self.needs[2:]:
            gb = sum_(gy, (0, 1, 2))
        gx = self.input_gradient(gy) if self.needs[0] else None
        gw = self.weight_gradient(gy) if self.needs[1] else None
        return (gx, gw, gb)[: len(self.needs)]

    def compose(self, x: Tensor, w: Tensor, *bias: Tensor) -> Tensor:
        return leaky(self.linear()(x, w, *bias), self.slope)

    def linear(self) -> "Convolution":
        """The same convolution without the activation."""
        raise NotImplementedError

    def input_gradient(self, gy: Tensor) -> Tensor:
        """∂L/∂x."""
        raise NotImplementedError

    def weight_gradient(self, gy: Tensor) -> Tensor:
        """∂L/∂w."""
        raise NotImplementedError


class Conv2d(Convolution):
    """y = leaky(convolution of x with w + bias)."""

    def forward(self, x: np.ndarray, w: np.ndarray, *bias: np.ndarray) -> np.ndarray:
        self.save(x, w)
        return kernels.conv2d(x, w, *self.geometry, *bias, slope=self.slope)

    def linear(self) -> Convolution:
        return Conv2d(self.geometry)

    def input_gradient(self, gy: Tensor) -> Tensor:
        return ConvTranspose2d(self.geometry, self.x_hw)(gy, self.saved_input(1))

    def weight_gradient(self, gy: Tensor) -> Tensor:
        return ConvWeightGrad(self.geometry, self.kernel_hw)(self.saved_input(0), gy)


class ConvTranspose2d(Convolution):
    """y = leaky(adjoint of the convolution in its input + bias), from x (N, OH, OW, Cout) to (N, *out_hw, Cin)."""

    def __init__(self, geometry: Geometry, out_hw: Pair, slope: float | None = None) -> None:
        super().__init__(geometry, slope)
        self.out_hw = out_hw

    def forward(self, x: np.ndarray, w: np.ndarray, *bias: np.ndarray) -> np.ndarray:
        self.save(x, w)
        return kernels.conv2d_input_grad(x, w, self.out_hw, *self.geometry, *bias, slope=self.slope)

    def linear(self) -> Convolution:
        return ConvTranspose2d(self.geometry, self.out_hw)

    def input_gradient(self, gy: Tensor) -> Tensor:
        return Conv2d(self.geometry)(gy, self.saved_input(1))

    def weight_gradient(self, gy: Tensor) -> Tensor:
        return ConvWeightGrad(self.geometry, self.kernel_hw)(gy, self.saved_input(0))


class ConvWeightGrad(Function):
    """The adjoint of Conv2d in its weight, of an image x and a gradient gy of the convolution's output."""

    def __init__(self, geometry: Geometry, kernel_hw: Pair) -> None:
        self.geometry, self.kernel_hw = geometry, kernel_hw

    def forward(self, x: np.ndarray, gy: np.ndarray) -> np.ndarray:
        self.save_inputs(*[i for i in (0, 1) if self.needs[1 - i]])
        self.x_hw = x.shape[1:3]
        return kernels.conv2d_weight_grad(x, gy, self.kernel_hw, *self.geometry)

    def backward(self, ggw: Tensor) -> tuple[Tensor | None, ...]:
        gx = ConvTranspose2d(self.geometry, self.x_hw)(self.saved_input(1), ggw) if self.needs[0] else None
        ggy = Conv2d(self.geometry)(self.saved_input(0), ggw) if self.needs[1] else None
        return gx, ggy


def conv2d(
    x: Operand,
    w: Operand,
    bias: Operand | None = None,
    stride: int | Pair = 1,
    padding: int | Pair | str = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
    negative_slope: float | None = None,
) -> Tensor:
    """y[n, i, j, o] = bias[o] + Σ_{a, b, c} x[n, i·s + a·d - p, j·s + b·d - p, c] · w[a, b, c, o].

    x (N, H, W, Cin), w (KH, KW, Cin / groups, Cout), bias (Cout,) → y (N, OH, OW, Cout),
    OH = ⌊(H + 2p - d (KH - 1) - 1) / s⌋ + 1. x counts as zero outside. As in PyTorch the kernel is not flipped, and
    group g of the output channels sees group g of the input channels. stride, padding and dilation are numbers, or
    pairs for height and width; padding may be "valid" (none) or "same": OH = ⌈H / s⌉, where an odd row or column of
    zeros goes to the bottom or right. With a negative_slope, y is leaky_relu of that, in the same pass.
    Raises ShapeError for shapes that do not fit and ArgumentError for bad options.
    """
    name = "conv2d"
    x, w, *b = operands(name, x, w, bias)
    stride, dilation = check_pair(name, "stride", stride), check_pair(name, "dilation", dilation)
    check_groups(name, w, w.shape[3], groups)
    if x.shape[3] != w.shape[2] * groups:
        raise ShapeError(
            f"{name}: x has {x.shape[3]} channels, {x.shape}, but w {w.shape} expects {w.shape[2] * groups}"
            f"{f' in {groups} groups' if groups > 1 else ''}; images are channels-last (N, H, W, C), weights "
            "(KH, KW, Cin / groups, Cout)"
        )
    check_bias(name, b, w.shape[3])
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, w.shape, strict=False)]
    if padding == "same":
        sides = [
            halves(max(0, (-(-size // s) - 1) * s + span - size))
            for size, s, span in zip(x.shape[1:3], stride, spans, strict=True)
        ]
    else:
        sides = [(p, p) for p in padding_pair(name, padding)]
    for axis, size, span, ends in zip(("height", "width"), x.shape[1:3], spans, sides, strict=True):
        if size + sum(ends) < span:
            raise ShapeError(
                f"{name}: the kernel spans {span} in {axis} but x {x.shape} with padding {sum(ends)} has only "
                f"{size + sum(ends)}; use more padding, a smaller kernel or larger images"
            )
    slope = leaky_slope(negative_slope, name)
    return Conv2d(Geometry(stride, (*sides[0], *sides[1]), dilation, groups), slope)(x, w, *b)


def conv_transpose2d(
    x: Operand,
    w: Operand,
    bias: Operand | None = None,
    stride: int | Pair = 1,
    padding: int | Pair | str = 0,
    output_padding: int | Pair = 0,
    groups: int = 1,
    dilation: int | Pair = 1,
    negative_slope: float | None = None,
) -> Tensor:
    """y[n, i·s + a·d - p, j·s + b·d - p, o] += x[n, i, j, c] · w[a, b, o, c], from y = bias: the adjoint of conv2d.

    x (N, H, W, Cin), w (KH, KW, Cout / groups, Cin), which is the weight of the conv2d from Cout to Cin channels that
    this is the adjoint of, bias (Cout,) → y (N, OH, OW, Cout), OH = (H - 1) s - 2p + d (KH - 1) + 1 + output_padding.
    What falls outside is dropped. output_padding adds rows at the bottom and columns at the right; it is smaller than
    the stride or the dilation. padding "valid" is 0, "same" makes OH = H · s. With a negative_slope, y is
    leaky_relu of that, in the same pass. Raises ShapeError and ArgumentError.
    """
    name = "conv_transpose2d"
    x, w, *b = operands(name, x, w, bias)
    stride, dilation = check_pair(name, "stride", stride), check_pair(name, "dilation", dilation)
    extra = check_output_padding(name, output_padding, stride, dilation, padding)
    check_groups(name, w, w.shape[3], groups)
    if x.shape[3] != w.shape[3]:
        raise ShapeError(
            f"{name}: x has {x.shape[3]} channels, {x.shape}, but w {w.shape} expects {w.shape[3]}; images are "
            "channels-last (N, H, W, C), transposed weights (KH, KW, Cout / groups, Cin)"
        )
    check_bias(name, b, w.shape[2] * groups)
    full = [(h - 1) * s + d * (k - 1) + 1 for h, s, d, k in zip(x.shape[1:3], stride, dilation, w.shape, strict=False)]
    if padding == "same":
        sides = [halves(f - h * s) for f, h, s in zip(full, x.shape[1:3], stride, strict=True)]
    else:
        sides = [(p, p - e) for p, e in zip(padding_pair(name, padding), extra, strict=True)]
    oh, ow = (f - sum(ends) for f, ends in zip(full, sides, strict=True))
    if x.shape[1] == 0 or x.shape[2] == 0 or oh < 1 or ow < 1:
        raise ShapeError(
            f"{name}: x {x.shape} with kernel {w.shape[:2]} and padding {padding} gives an output of height {oh} and "
            f"width {ow}; use less padding or larger images"
        )
    slope = leaky_slope(negative_slope, name)
    return ConvTranspose2d(Geometry(stride, (*sides[0], *sides[1]), dilation, groups), (oh, ow), slope)(x, w, *b)


def operands(name: str, x: Operand, w: Operand, bias: Operand | None) -> list[Tensor]:
    """x, w and perhaps the bias, as tensors of one float dtype; x and w with four axes."""
    x, w = images(x, name), as_float(w, name)
    if w.ndim != 4 or 0 in w.shape:
        raise ShapeError(f"{name}: w is {w.shape}; weights have four axes, (KH, KW, channels, channels), none empty")
    return same_dtype([x, w] if bias is None else [x, w, as_float(bias, name)])


def check_groups(name: str, w: Tensor, channels: int, groups: int) -> int:
    """`groups`; ArgumentError unless it is a number of groups, ShapeError when it does not divide `channels`."""
    if channels % check_count(name, "groups", groups):
        raise ShapeError(f"{name}: {groups} groups do not divide the {channels} channels of w {w.shape}")
    return groups


def check_bias(name: str, bias: list[Tensor], channels: int) -> None:
    """ShapeError unless the bias, when there is one, has one number for each output channel."""
    if bias and bias[0].shape != (channels,):
        raise ShapeError(f"{name}: bias is {bias[0].shape}; it needs one number for each output channel, ({channels},)")


def padding_pair(name: str, padding: int | Pair | str) -> Pair:
    """Padding of height and width, given as a number, a pair or "valid"."""
    if not isinstance(padding, str):
        return check_pair(name, "padding", padding, 0)
    check_padding(name, padding)
    return 0, 0


def check_padding(name: str, padding: int | tuple[int, ...] | str, axes: int = 2) -> None:
    """ArgumentError unless `padding` is a number, one for each axis, "same" or "valid"."""
    if not isinstance(padding, str):
        check_lengths(name, "padding", padding, axes, 0)
    elif padding not in ("same", "valid"):
        raise ArgumentError(f'{name}: padding is {padding!r}; use a number ≥ 0, a pair, "same" or "valid"')


def check_output_padding(
    name: str, output_padding: int | Pair, stride: Pair, dilation: Pair, padding: int | Pair | str
) -> Pair:
    """Output padding of height and width. ArgumentError when a stride or padding="same" leaves no room for it."""
    extra = check_pair(name, "output_padding", output_padding, 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ArgumentError(
            f"{name}: output_padding {extra} must be smaller than stride {stride} or dilation {dilation}"
        )
    if padding == "same" and extra != (0, 0):
        raise ArgumentError(f'{name}: padding="same" fixes the output size; leave out output_padding {extra}')
    return extra


def halves(total: int) -> Pair:
    """`total` rows split before and after, the odd one after; a negative total (rows to add) goes after whole."""
    before = max(0, total) // 2
    return before, total - before
