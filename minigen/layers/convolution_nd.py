"""Convolution of sequences (N, T, C) and of volumes (N, D, H, W, C)."""

from typing import Any

import numpy as np

from minigen.autograd import Tensor, ops
from minigen.autograd.ops.convolution import check_output_padding
from minigen.checks import check_lengths
from minigen.errors import ShapeError
from minigen.layers import init as init_
from minigen.layers.checks import in_dtype
from minigen.layers.convolution import Convolution

LAYOUTS = {1: "(N, T, {})", 3: "(N, D, H, W, {})"}


def check_layout(layer: Convolution, x: Tensor, dtype: np.dtype) -> Tensor:
    """x as a tensor; ShapeError naming the layer unless it has the layer's axes, the channels last."""
    x, c = in_dtype(x, dtype, layer.name), layer.in_channels
    if x.ndim == layer.axes + 2 and x.shape[-1] == c:
        return x
    layout = LAYOUTS[layer.axes].format(c)
    if x.ndim == layer.axes + 1:
        why = "; add the batch axis with x[None]"
    elif x.ndim == layer.axes + 2 and x.shape[1] == c:
        why = "; channels are last: move them there with mg.transpose"
    else:
        why = ""
    raise ShapeError(f"{layer.name}: x {x.shape} does not fit, expected {layout}{why}")


class Conv1d(Convolution):
    """y[n, t, o] = bias[o] + Σ_{k, c} x[n, t·s + k·d, c] weight[k, c, o]: Conv2d along one axis.

    x (N, T, in_channels) → (N, OT, out_channels), OT = ⌊(T + 2 padding - d (K - 1) - 1) / s⌋ + 1. weight
    (K, in_channels / groups, out_channels), bias (out_channels,). padding, padding_mode and first values as Conv2d's.
    Raises ArgumentError for bad options, ShapeError for an x that does not fit.
    """

    axes = 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, in_channels) → (N, OT, out_channels)."""
        weight = self.weight
        x, padding = self.padded(check_layout(self, x, weight.dtype))
        return ops.conv1d(x, weight, self.bias, self.stride[0], padding, self.dilation[0], self.groups)


class ConvTranspose1d(Convolution):
    """The adjoint of a Conv1d from out_channels to in_channels: ConvTranspose2d along one axis.

    x (N, T, in_channels) → (N, OT, out_channels), OT = (T - 1) s - 2 padding + d (K - 1) + output_padding + 1. weight
    (K, out_channels / groups, in_channels), bias (out_channels,). Raises ArgumentError for bad options, ShapeError for
    an x that does not fit.
    """

    axes = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: Any = 0,
        output_padding: int = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int = 1,
        *,
        rng: np.random.Generator | None = None,
        init: init_.Initializer = init_.default,
    ) -> None:
        options = kernel_size, stride, padding, dilation, groups, bias
        super().__init__(in_channels, out_channels, *options, rng=rng, init=init)
        (self.output_padding,) = check_lengths("ConvTranspose1d", "output_padding", output_padding, 1, 0)
        extra, strides, dilations = (0, self.output_padding), (1, self.stride[0]), (1, self.dilation[0])
        check_output_padding("ConvTranspose1d", extra, strides, dilations, padding)

    def weight_shape(self) -> tuple[int, ...]:
        """(K, out_channels / groups, in_channels)."""
        return (*self.kernel_size, self.out_channels // self.groups, self.in_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, in_channels) → (N, OT, out_channels)."""
        weight = self.weight
        options = self.stride[0], self.padding, self.output_padding, self.groups, self.dilation[0]
        return ops.conv_transpose1d(check_layout(self, x, weight.dtype), weight, self.bias, *options)

    def multiply_adds(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        """K · out_channels / groups for each input."""
        return int(np.prod(x_shape)) * int(np.prod(self.weight_shape()[:-1]))


class Conv3d(Convolution):
    """Conv2d with a third axis, the depth, in front of the height.

    x (N, D, H, W, in_channels) → (N, OD, OH, OW, out_channels), weight (KD, KH, KW, in_channels / groups,
    out_channels), bias (out_channels,). kernel_size, stride, padding and dilation are one number or three, for depth,
    height and width. Computed as KD convolutions of images (see `mg.conv3d`). Raises ArgumentError for
    bad options, ShapeError for an x that does not fit.
    """

    axes = 3

    def forward(self, x: Tensor) -> Tensor:
        """(N, D, H, W, in_channels) → (N, OD, OH, OW, out_channels)."""
        weight = self.weight
        x, padding = self.padded(check_layout(self, x, weight.dtype))
        return ops.conv3d(x, weight, self.bias, self.stride, padding, self.dilation, self.groups)
