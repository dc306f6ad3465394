"""Layers that rearrange the pixels of images, or add some around them."""

from typing import Any

from minigen.autograd import Tensor, ops
from minigen.autograd.ops.padding import MODES
from minigen.autograd.ops.patches import check_windows
from minigen.autograd.tensor import as_tensor
from minigen.checks import check_choice, check_count, check_pair, is_number, shown
from minigen.errors import ArgumentError, ShapeError
from minigen.layers.module import Module


class PixelShuffle(Module):
    """Channels moved to places: (N, H, W, C·r²) → (N, H·r, W·r, C), in PyTorch's order. Shi et al. 2016."""

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = check_count("PixelShuffle", "upscale_factor", upscale_factor)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C·r²) → (N, H·r, W·r, C)."""
        return ops.pixel_shuffle(x, self.upscale_factor)

    def extra_repr(self) -> str:
        """upscale_factor."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Places moved to channels, the inverse of PixelShuffle: (N, H·r, W·r, C) → (N, H, W, C·r²)."""

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = check_count("PixelUnshuffle", "downscale_factor", downscale_factor)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H·r, W·r, C) → (N, H, W, C·r²)."""
        return ops.pixel_unshuffle(x, self.downscale_factor)

    def extra_repr(self) -> str:
        """downscale_factor."""
        return f"downscale_factor={self.downscale_factor}"


class Unfold(Module):
    """The window around every place as a row: (N, H, W, C) → (N, L, KH · KW · C); see `mg.unfold`."""

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        super().__init__()
        self.windows = check_windows("Unfold", kernel_size, dilation, padding, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) → (N, L, KH · KW · C)."""
        return ops.unfold(x, *self.windows)

    def extra_repr(self) -> str:
        """The options."""
        return windows_repr(self.windows)


class Fold(Module):
    """Windows added up to images, the adjoint of Unfold: (N, L, KH · KW · C) → (N, H, W, C); see `mg.fold`."""

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.output_size = check_pair("Fold", "output_size", output_size)
        self.windows = check_windows("Fold", kernel_size, dilation, padding, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, KH · KW · C) → (N, H, W, C)."""
        return ops.fold(x, self.output_size, *self.windows)

    def extra_repr(self) -> str:
        """The options."""
        return f"output_size={self.output_size}, {windows_repr(self.windows)}"


def windows_repr(windows: tuple[Any, ...]) -> str:
    """The options of both."""
    names = ("kernel_size", "dilation", "padding", "stride")
    return ", ".join(f"{name}={value}" for name, value in zip(names, windows, strict=True))


class Pad(Module):
    """Pixels around images: (N, H, W, C) → (N, H + top + bottom, W + left + right, C).

    padding: one number, a pair for height and width, or (top, bottom, left, right). mode: "constant" (`value`),
    "reflect", "replicate" or "circular", as in `mg.pad`. Raises ArgumentError for bad options, ShapeError for an image
    that is too small to copy from.
    """

    def __init__(self, padding: Any, mode: str = "constant", value: float = 0.0) -> None:
        super().__init__()
        if isinstance(padding, (tuple, list)) and len(padding) == 4:
            top, bottom, left, right = (check_count("Pad", "padding", n, 0) for n in padding)
        else:
            (top, left) = (bottom, right) = check_pair("Pad", "padding", padding, 0)
        check_choice("Pad", "mode", mode, ("constant", *MODES))
        if not is_number(value):
            raise ArgumentError(f"Pad: value is {shown(value)}; use a number")
        self.padding, self.mode, self.value = (top, bottom, left, right), mode, value

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) → (N, H + top + bottom, W + left + right, C)."""
        x, (top, bottom, left, right) = as_tensor(x, "Pad"), self.padding
        if x.ndim != 4:
            raise ShapeError(f"Pad: x is {x.shape}; images are channels-last with four axes, (N, H, W, C)")
        return ops.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), self.value, self.mode)

    def extra_repr(self) -> str:
        """padding, mode, and the value if it counts."""
        value = f", value={self.value}" if self.mode == "constant" and self.value else ""
        return f"padding={self.padding}, mode={self.mode!r}{value}"
