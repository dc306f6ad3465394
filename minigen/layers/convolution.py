"""Convolution and its adjoint, the transposed convolution, over channels-last images."""

from typing import Any

import numpy as np

from minigen import random
from minigen.autograd import Tensor, ops
from minigen.autograd.ops.convolution import check_output_padding, check_padding
from minigen.checks import check_count, check_pair
from minigen.errors import ArgumentError
from minigen.layers import init as init_
from minigen.layers.checks import check_images
from minigen.layers.module import Module, Parameter

Pair = int | tuple[int, int]


class Convolution(Module):
    """What both convolutions share: options, and weights with PyTorch's default first values.

    Uniform on ±1/√fan_in for weight and bias (kaiming_uniform with a = √5); `init` replaces the weight's.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair,
        padding: Any,
        dilation: Pair,
        groups: int,
        bias: bool,
        rng: np.random.Generator,
        init: init_.Initializer,
    ) -> None:
        super().__init__()
        layer = type(self).__name__
        self.in_channels = check_count(layer, "in_channels", in_channels)
        self.out_channels = check_count(layer, "out_channels", out_channels)
        self.kernel_size = check_pair(layer, "kernel_size", kernel_size)
        self.stride = check_pair(layer, "stride", stride)
        check_padding(layer, padding)
        self.padding = padding
        self.dilation = check_pair(layer, "dilation", dilation)
        self.groups = check_count(layer, "groups", groups)
        for name, channels in (("in_channels", self.in_channels), ("out_channels", self.out_channels)):
            if channels % self.groups:
                raise ArgumentError(f"{layer}: {name} {channels} can not be cut into {groups} groups; choose a divisor")
        random.check_rng(rng, layer)
        shape = self.weight_shape()
        self.weight = Parameter(init_.checked(init, shape, rng))
        self.bias = Parameter(init_.default_bias(self.out_channels, shape, rng)) if bias else None

    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weight."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """Conv2d(1, 64), for messages."""
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels})"

    def extra_repr(self) -> str:
        """Channels, kernel, and the options that differ from their defaults."""
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"]
        usual = {"stride": (1, 1), "padding": 0, "output_padding": 0, "dilation": (1, 1), "groups": 1}
        for name, value in usual.items():
            if getattr(self, name, value) != value:
                parts.append(f"{name}={getattr(self, name)}")
        return ", ".join(parts + ([] if self.bias is not None else ["bias=False"]))


class Conv2d(Convolution):
    """y[n, i, j, o] = bias[o] + Σ_{a, b, c} x[n, i·s + a·d, j·s + b·d, c] weight[a, b, c, o], x padded with zeros.

    x (N, H, W, in_channels) → (N, OH, OW, out_channels), OH = ⌊(H + padding - d (KH - 1) - 1) / s⌋ + 1.
    weight (KH, KW, in_channels / groups, out_channels), bias (out_channels,). padding: a number, a pair for height
    and width, "same" (OH = ⌈H / s⌉) or "valid" (none). Raises ArgumentError for bad options, ShapeError for an x that
    does not fit. First values as PyTorch's: uniform on ±1/√fan_in.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Any = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        rng: np.random.Generator,
        init: init_.Initializer = init_.default,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, rng, init)

    def weight_shape(self) -> tuple[int, ...]:
        """(KH, KW, in_channels / groups, out_channels)."""
        return (*self.kernel_size, self.in_channels // self.groups, self.out_channels)

    def forward(self, x: Tensor, negative_slope: float | None = None) -> Tensor:
        """(N, H, W, in_channels) → (N, OH, OW, out_channels), then leaky ReLU with that slope, if any."""
        x = check_images(self.name, x, self.in_channels, self.weight.dtype)
        options = self.stride, self.padding, self.dilation, self.groups, negative_slope
        return ops.conv2d(x, self.weight, self.bias, *options)

    def multiply_adds(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        """KH · KW · in_channels / groups for each output."""
        return int(np.prod(y_shape)) * int(np.prod(self.weight.shape[:3]))


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
        rng: np.random.Generator,
        init: init_.Initializer = init_.default,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, rng, init)
        check_output_padding("ConvTranspose2d", output_padding, self.stride, self.dilation, padding)
        self.output_padding = output_padding

    def weight_shape(self) -> tuple[int, ...]:
        """(KH, KW, out_channels / groups, in_channels)."""
        return (*self.kernel_size, self.out_channels // self.groups, self.in_channels)

    def forward(self, x: Tensor, negative_slope: float | None = None) -> Tensor:
        """(N, H, W, in_channels) → (N, OH, OW, out_channels), then leaky ReLU with that slope, if any."""
        x = check_images(self.name, x, self.in_channels, self.weight.dtype)
        options = self.stride, self.padding, self.output_padding, self.groups, self.dilation, negative_slope
        return ops.conv_transpose2d(x, self.weight, self.bias, *options)

    def multiply_adds(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        """KH · KW · out_channels / groups for each input."""
        return int(np.prod(x_shape)) * int(np.prod(self.weight.shape[:3]))
