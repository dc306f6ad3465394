"""Layers without weights that change the size of images: pooling and nearest upsampling."""

from typing import Any

from minigen.autograd import Tensor, ops
from minigen.autograd.ops.pooling import check_window
from minigen.checks import check_pair
from minigen.layers.module import Module

Pair = int | tuple[int, int]


class Pool2d(Module):
    """Options of both poolings: window, stride (the window's size by default), padding."""

    def __init__(self, kernel_size: Pair, stride: Pair | None = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size, self.stride, _ = check_window(type(self).__name__, kernel_size, stride, padding)
        self.padding = padding

    def extra_repr(self) -> str:
        """kernel_size, stride, padding."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(Pool2d):
    """The largest value of each window and channel: (N, H, W, C) → (N, OH, OW, C), padded with -∞.

    Raises ArgumentError for bad options, ShapeError for images smaller than the window.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) → (N, OH, OW, C)."""
        return ops.max_pool2d(x, self.kernel_size, self.stride, self.padding)


class AvgPool2d(Pool2d):
    """The mean of each window and channel: (N, H, W, C) → (N, OH, OW, C), padded with zeros that are counted.

    Raises ArgumentError for bad options, ShapeError for images smaller than the window.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) → (N, OH, OW, C)."""
        return ops.avg_pool2d(x, self.kernel_size, self.stride, self.padding)


class Upsample(Module):
    """Each pixel repeated scale_factor times along height and width: (N, H, W, C) → (N, H·f, W·f, C)."""

    def __init__(self, scale_factor: Pair) -> None:
        super().__init__()
        self.scale_factor = check_pair("Upsample", "scale_factor", scale_factor)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) → (N, H·f, W·f, C)."""
        return ops.upsample_nearest(x, self.scale_factor)

    def extra_repr(self) -> str:
        """scale_factor."""
        return f"scale_factor={self.scale_factor}"
