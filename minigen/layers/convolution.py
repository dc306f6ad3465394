"""Convolution and its adjoint, the transposed convolution, over channels-last images."""

from typing import Any

import numpy as np

from minigen import random
from minigen.autograd import Tensor, ops
from minigen.autograd.ops.convolution import check_output_padding, check_padding, halves
from minigen.autograd.ops.padding import MODES
from minigen.checks import check_choice, check_count, check_lengths
from minigen.errors import ArgumentError
from minigen.layers import init as init_
from minigen.layers.checks import check_images
from minigen.layers.module import Module, Parameter

Pair = int | tuple[int, int]


class Convolution(Module):
    """What all convolutions share: options, and weights with PyTorch's default first values.

    Uniform on ±1/√fan_in for weight and bias (kaiming_uniform with a = √5); `init` replaces the weight's.
    """

    axes = 2  # that the kernel moves along
    kernel_size: Any  # as many numbers as there are axes, as the next two
    stride: Any
    dilation: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        rng: np.random.Generator | None = None,
        init: init_.Initializer = init_.default,
    ) -> None:
        super().__init__()
        layer = type(self).__name__
        self.in_channels = check_count(layer, "in_channels", in_channels)
        self.out_channels = check_count(layer, "out_channels", out_channels)
        self.kernel_size = check_lengths(layer, "kernel_size", kernel_size, self.axes)
        self.stride = check_lengths(layer, "stride", stride, self.axes)
        check_padding(layer, padding, self.axes)
        self.padding = padding
        self.dilation = check_lengths(layer, "dilation", dilation, self.axes)
        self.groups = check_count(layer, "groups", groups)
        for name, channels in (("in_channels", self.in_channels), ("out_channels", self.out_channels)):
            if channels % self.groups:
                raise ArgumentError(f"{layer}: {name} {channels} can not be cut into {groups} groups; choose a divisor")
        self.padding_mode = self.checked_mode(padding_mode)
        rng = random.check_rng(rng, layer)
        shape = self.weight_shape()
        self.weight = Parameter(init_.checked(init, shape, rng))
        self.bias = Parameter(init_.default_bias(self.out_channels, shape, rng)) if bias else None

    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weight: (*kernel_size, in_channels / groups, out_channels)."""
        return (*self.kernel_size, self.in_channels // self.groups, self.out_channels)

    def checked_mode(self, mode: str) -> str:
        """`padding_mode` itself. ArgumentError when there is none of that name, or no width to pad by."""
        layer = type(self).__name__
        check_choice(layer, "padding_mode", mode, ("zeros", *MODES))
        if mode != "zeros" and self.padding == "same" and any(s > 1 for s in self.stride):
            raise ArgumentError(f'{layer}: padding="same" with padding_mode={mode!r} needs stride 1, not {self.stride}')
        return mode

    def padded(self, x: Tensor) -> tuple[Tensor, Any]:
        """x and the padding that is left to the operation: zeros are, other modes come in front of it."""
        if self.padding_mode == "zeros" or self.padding == "valid":
            return x, self.padding
        if self.padding == "same":
            sides = [halves(d * (k - 1)) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        else:
            sides = [(p, p) for p in check_lengths(type(self).__name__, "padding", self.padding, self.axes, 0)]
        return ops.pad(x, [(0, 0), *sides, (0, 0)], mode=self.padding_mode), 0

    @property
    def name(self) -> str:
        """Conv2d(1, 64), for messages."""
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels})"

    def multiply_adds(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        """The kernel's size times in_channels / groups for each output."""
        return int(np.prod(y_shape)) * int(np.prod(self.weight_shape()[:-1]))

    def extra_repr(self) -> str:
        """Channels, kernel, and the options that differ from their defaults."""
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"]
        ones = (1,) * self.axes
        usual = {"stride": ones, "padding": 0, "output_padding": 0, "dilation": ones, "groups": 1}
        for name, value in {**usual, "padding_mode": "zeros"}.items():
            if getattr(self, name, value) != value:
                parts.append(f"{name}={getattr(self, name)}")
        return ", ".join(parts + ([] if self.bias is not None else ["bias=False"]))


class Conv2d(Convolution):
    """y[n, i, j, o] = bias[o] + Σ_{a, b, c} x[n, i·s + a·d, j·s + b·d, c] weight[a, b, c, o], x padded with zeros.

    x (N, H, W, in_channels) → (N, OH, OW, out_channels), OH = ⌊(H + padding - d (KH - 1) - 1) / s⌋ + 1.
    weight (KH, KW, in_channels / groups, out_channels), bias (out_channels,). padding: a number, a pair for height
    and width, "same" (OH = ⌈H / s⌉) or "valid" (none); padding_mode: "zeros", or "reflect", "replicate", "circular" as
    in `mg.pad`. Raises ArgumentError for bad options, ShapeError for an x that does not fit. First values as PyTorch's:
    uniform on ±1/√fan_in.
    """

    def forward(self, x: Tensor, negative_slope: float | None = None) -> Tensor:
        """(N, H, W, in_channels) → (N, OH, OW, out_channels), then leaky ReLU with that slope, if any."""
        weight = self.weight
        x, padding = self.padded(check_images(self.name, x, self.in_channels, weight.dtype))
        return ops.conv2d(x, weight, self.bias, self.stride, padding, self.dilation, self.groups, negative_slope)


class ConvTranspose2d(Convolution):
    """The adjoint of a Conv2d from out_channels to in_channels: each input adds a multiple of the kernel.

    x (N, H, W, in_channels) → (N, OH, OW, out_channels), OH = (H - 1) s - 2 padding + d (KH - 1) + output_padding + 1.
    weight (KH, KW, out_channels / groups, in_channels), which is that Conv2d's; bias (out_channels,).
    output_padding (below stride or dilation) adds rows and columns at the end, so that 7 → 14 is possible where
    14 → 7 is. Raises ArgumentError for bad options, ShapeError for an x that does not fit. First values as PyTorch's.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Any = 0,
        output_padding: Pair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Pair = 1,
        *,
        rng: np.random.Generator | None = None,
        init: init_.Initializer = init_.default,
    ) -> None:
        options = kernel_size, stride, padding, dilation, groups, bias
        super().__init__(in_channels, out_channels, *options, rng=rng, init=init)
        check_output_padding("ConvTranspose2d", output_padding, self.stride, self.dilation, padding)
        self.output_padding = output_padding

    def weight_shape(self) -> tuple[int, ...]:
        """(KH, KW, out_channels / groups, in_channels)."""
        return (*self.kernel_size, self.out_channels // self.groups, self.in_channels)

    def forward(self, x: Tensor, negative_slope: float | None = None) -> Tensor:
        """(N, H, W, in_channels) → (N, OH, OW, out_channels), then leaky ReLU with that slope, if any."""
        weight = self.weight
        x = check_images(self.name, x, self.in_channels, weight.dtype)
        options = self.stride, self.padding, self.output_padding, self.groups, self.dilation, negative_slope
        return ops.conv_transpose2d(x, weight, self.bias, *options)

    def multiply_adds(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        """KH · KW · out_channels / groups for each input."""
        return int(np.prod(x_shape)) * int(np.prod(self.weight_shape()[:-1]))
