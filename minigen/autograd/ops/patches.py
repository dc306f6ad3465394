"""Pixels rearranged: pixel shuffle between channels and places, and unfold (im2col) with its adjoint, fold."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minigen.autograd.function import Function
from minigen.autograd.ops.operands import as_float, images
from minigen.autograd.ops.shape import reshape, transpose
from minigen.autograd.tensor import Operand, Tensor
from minigen.checks import check_count, check_pair
from minigen.errors import ShapeError

Pair = tuple[int, int]
Windows = tuple[Pair, Pair, Pair, Pair]  # kernel, dilation, padding, stride


class Unfold(Function):
    """y[n, l, (a, b, c)] = x padded [n, i·s + a·d, j·s + b·d, c], window l = (i, j)."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows

    def forward(self, x: np.ndarray) -> np.ndarray:
        (kh, kw), (dh, dw), (ph, pw), (sh, sw) = self.windows
        self.hw = x.shape[1:3]
        x = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
        view = sliding_window_view(x, (dh * (kh - 1) + 1, dw * (kw - 1) + 1), axis=(1, 2))
        view = view[:, ::sh, ::sw, :, ::dh, ::dw].transpose(0, 1, 2, 4, 5, 3)  # (N, OH, OW, KH, KW, C)
        n, oh, ow, _, _, c = view.shape
        return view.reshape(n, oh * ow, kh * kw * c)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (Fold(self.windows, self.hw)(gy),)


class Fold(Function):
    """The adjoint of Unfold: every window added at its place, overlaps summed, and the padding cut off."""

    def __init__(self, windows: Windows, hw: tuple[int, ...]) -> None:
        self.windows, self.hw = windows, hw

    def forward(self, x: np.ndarray) -> np.ndarray:
        (kh, kw), (dh, dw), (ph, pw), (sh, sw) = self.windows
        (h, w), (oh, ow), n = self.hw, places(self.windows, self.hw), len(x)
        blocks = x.reshape(n, oh, ow, kh, kw, x.shape[2] // (kh * kw))
        y = np.zeros((n, h + 2 * ph, w + 2 * pw, blocks.shape[5]), x.dtype)
        for a in range(kh):
            for b in range(kw):
                rows, columns = slice(a * dh, a * dh + sh * oh, sh), slice(b * dw, b * dw + sw * ow, sw)
                y[:, rows, columns][:, :oh, :ow] += blocks[:, :, :, a, b]
        return y[:, ph : ph + h, pw : pw + w]

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (Unfold(self.windows)(gy),)


def unfold(x: Operand, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The window around every place as a row: (N, H, W, C) → (N, L, KH · KW · C), also called im2col.

    L = OH · OW windows, row by row, with OH = ⌊(H + 2 padding - dilation (KH - 1) - 1) / stride⌋ + 1. A row holds its
    window in the order (KH, KW, C), that of convolution weights: conv2d(x, w) is unfold(x) · w.reshape(-1, Cout).
    (PyTorch's columns are (C, KH, KW).) Raises ShapeError when no window fits, ArgumentError for bad options.
    """
    x = images(x, "unfold")
    windows = check_windows("unfold", kernel_size, dilation, padding, stride)
    if min(places(windows, x.shape[1:3])) < 1:
        raise ShapeError(f"unfold: a window of {windows[0]} does not fit into x {x.shape}; use more padding")
    return Unfold(windows)(x)


def fold(
    x: Operand, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Windows added up to images, the adjoint of `unfold`: (N, L, KH · KW · C) → (N, H, W, C), output_size = (H, W).

    Where windows overlap they are summed, so fold(unfold(x)) is x times the number of windows over each place. Raises
    ShapeError when L or the rows do not fit the sizes, ArgumentError for bad options.
    """
    x, hw = as_float(x, "fold"), check_pair("fold", "output_size", output_size)
    windows = check_windows("fold", kernel_size, dilation, padding, stride)
    (oh, ow), (kh, kw) = places(windows, hw), windows[0]
    if x.ndim != 3 or min(oh, ow) < 1 or x.shape[1] != oh * ow or x.shape[2] % (kh * kw):
        raise ShapeError(
            f"fold: x is {x.shape}; images of {hw} have {max(0, oh)} · {max(0, ow)} windows {windows[0]}, so pass "
            f"(N, {max(0, oh) * max(0, ow)}, {kh * kw} · C)"
        )
    return Fold(windows, hw)(x)


def check_windows(name: str, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Windows:
    """The four options as pairs. Raises ArgumentError."""
    kernel, spread = check_pair(name, "kernel_size", kernel_size), check_pair(name, "dilation", dilation)
    return kernel, spread, check_pair(name, "padding", padding, 0), check_pair(name, "stride", stride)


def places(windows: Windows, hw: tuple[int, ...]) -> Pair:
    """How many windows there are along height and width."""
    oh, ow = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in zip(hw, *windows, strict=True))
    return oh, ow


def pixel_shuffle(x: Operand, upscale_factor: int) -> Tensor:
    """Channels moved to places: (N, H, W, C·r²) → (N, H·r, W·r, C).

    y[n, h·r + i, w·r + j, c] = x[n, h, w, c·r² + i·r + j]: the order of the channels is PyTorch's.
    Shi et al. 2016, section 3.2. Raises ShapeError unless r² divides the channels, ArgumentError unless r is a whole
    number ≥ 1.
    """
    x, r = images(x, "pixel_shuffle"), check_count("pixel_shuffle", "upscale_factor", upscale_factor)
    n, h, w, channels = x.shape
    if channels % (r * r):
        raise ShapeError(f"pixel_shuffle: x {x.shape} has {channels} channels, which {r}² = {r * r} does not divide")
    blocks = transpose(reshape(x, (n, h, w, channels // (r * r), r, r)), (0, 1, 4, 2, 5, 3))
    return reshape(blocks, (n, h * r, w * r, channels // (r * r)))


def pixel_unshuffle(x: Operand, downscale_factor: int) -> Tensor:
    """Places moved to channels, the inverse of `pixel_shuffle`: (N, H·r, W·r, C) → (N, H, W, C·r²).

    Raises ShapeError unless r divides height and width, ArgumentError unless it is a whole number ≥ 1.
    """
    x, r = images(x, "pixel_unshuffle"), check_count("pixel_unshuffle", "downscale_factor", downscale_factor)
    n, h, w, channels = x.shape
    if h % r or w % r:
        raise ShapeError(f"pixel_unshuffle: {r} does not divide height and width of x {x.shape}; crop or pad it")
    blocks = transpose(reshape(x, (n, h // r, r, w // r, r, channels)), (0, 1, 3, 5, 2, 4))
    return reshape(blocks, (n, h // r, w // r, channels * r * r))
