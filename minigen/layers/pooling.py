"""Layers without weights that change the size of images: pooling and resizing."""

from typing import Any

from minigen.autograd import Tensor, ops
from minigen.autograd.ops.adaptive_pooling import output_pair
from minigen.autograd.ops.pooling import check_window
from minigen.autograd.ops.resize import check_mode, target
from minigen.checks import check_lengths
from minigen.layers.module import Module

Pair = int | tuple[int, int]


class Pool(Module):
    """What all poolings with a window share."""

    kernel_size: Any
    stride: Any
    padding: Any

    def extra_repr(self) -> str:
        """kernel_size, stride, padding."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class Pool2d(Pool):
    """Options of both poolings: window, stride (the window's size by default), padding."""

    def __init__(self, kernel_size: Pair, stride: Pair | None = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size, self.stride, _ = check_window(type(self).__name__, kernel_size, stride, padding)
        self.padding = padding


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


class Pool1d(Pool):
    """Options of both poolings of sequences."""

    def __init__(self, kernel_size: int, stride: int | None = None, padding: int = 0) -> None:
        super().__init__()
        name = type(self).__name__
        (self.kernel_size,) = check_lengths(name, "kernel_size", kernel_size, 1)
        (self.stride,) = (self.kernel_size,) if stride is None else check_lengths(name, "stride", stride, 1)
        (self.padding,) = check_lengths(name, "padding", padding, 1, 0)
        check_window(name, (1, self.kernel_size), (1, self.stride), (0, self.padding))


class MaxPool1d(Pool1d):
    """The largest value of each window and channel: (N, T, C) → (N, OT, C), padded with -∞.

    Raises ArgumentError for bad options, ShapeError for sequences shorter than the window.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C) → (N, OT, C)."""
        return ops.max_pool1d(x, self.kernel_size, self.stride, self.padding)


class AvgPool1d(Pool1d):
    """The mean of each window and channel: (N, T, C) → (N, OT, C), padded with zeros that are counted.

    Raises ArgumentError for bad options, ShapeError for sequences shorter than the window.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C) → (N, OT, C)."""
        return ops.avg_pool1d(x, self.kernel_size, self.stride, self.padding)


class AdaptivePool2d(Module):
    """The option of both adaptive poolings: output_size, a number or a pair, where None keeps the length."""

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_pair(type(self).__name__, output_size)

    def extra_repr(self) -> str:
        """output_size."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool2d(AdaptivePool2d):
    """The means of OH · OW windows that cover the image: (N, H, W, C) → (N, OH, OW, C), whatever its size.

    Raises ArgumentError for a bad output_size.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) → (N, OH, OW, C)."""
        return ops.adaptive_avg_pool2d(x, self.output_size)


class AdaptiveMaxPool2d(AdaptivePool2d):
    """The largest values of OH · OW windows that cover the image: (N, H, W, C) → (N, OH, OW, C), whatever its size.

    Raises ArgumentError for a bad output_size.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) → (N, OH, OW, C)."""
        return ops.adaptive_max_pool2d(x, self.output_size)


class Upsample(Module):
    """Images of another size, as `mg.resize`: (N, H, W, C) → (N, H·f, W·f, C), or to a given `size`.

    mode: "nearest" (each pixel repeated), "bilinear", "bicubic". The factor comes first, as that is what is asked for
    most; PyTorch's Upsample has the size first. Raises ArgumentError for bad options.
    """

    def __init__(
        self, scale_factor: Any = None, mode: str = "nearest", align_corners: bool = False, *, size: Any = None
    ) -> None:
        super().__init__()
        target("Upsample", (1 << 20, 1 << 20), size, scale_factor)  # of an image in which every factor leaves something
        check_mode("Upsample", mode, align_corners)
        self.scale_factor, self.size, self.mode, self.align_corners = scale_factor, size, mode, align_corners

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) → (N, OH, OW, C)."""
        return ops.resize(x, self.size, self.scale_factor, self.mode, self.align_corners)

    def extra_repr(self) -> str:
        """What was asked for."""
        sizes = f"scale_factor={self.scale_factor}" if self.size is None else f"size={self.size}"
        mode = "" if self.mode == "nearest" else f", mode={self.mode!r}"
        return sizes + mode + (", align_corners=True" if self.align_corners else "")
