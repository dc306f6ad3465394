"""Max and average pooling and nearest upsampling of channels-last images (N, H, W, C), pooling of sequences (N, T, C).

Each is linear in its input, given where the maxima lie, so gradients of any order are the operation and its adjoint
taking turns: gather and scatter, averaging and spreading.
"""

from typing import Any

import numpy as np

from minigen import kernels
from minigen.autograd.function import Function
from minigen.autograd.ops.operands import as_float, images
from minigen.autograd.ops.shape import expand_dims, squeeze
from minigen.autograd.tensor import Operand, Tensor
from minigen.checks import check_lengths, check_pair
from minigen.errors import ArgumentError, ShapeError
from minigen.kernels.noting import copied

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]
Window = tuple[Pair, Pair, Padding]  # kernel, stride, padding


class MaxPool2d(Function):
    """y = the largest value of each window; gx puts gy where it was taken from."""

    def __init__(self, window: Window) -> None:
        self.window = window

    def forward(self, x: np.ndarray) -> np.ndarray:
        y, index = kernels.max_pool2d(x, *self.window)
        self.residuals, self.source = (index,), x.shape
        return y

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        kernel, stride, padding = self.window
        tiles = kernel if kernel == stride and not any(padding) else None
        return (MaxPoolScatter(self.residuals[0], self.source, tiles)(gy),)


class MaxPoolScatter(Function):
    """gx[place of the maximum] += gy. tiles: the window's shape when every pixel lies in just one window."""

    def __init__(self, index: np.ndarray, shape: tuple[int, ...], tiles: Pair | None = None) -> None:
        self.residuals, self.target, self.tiles = (index,), shape, tiles

    def forward(self, gy: np.ndarray) -> np.ndarray:
        return kernels.max_pool2d_scatter(gy, self.residuals[0], self.target, self.tiles)

    def backward(self, ggx: Tensor) -> tuple[Tensor | None, ...]:
        return (MaxPoolGather(self.residuals[0], self.target)(ggx),)


class MaxPoolGather(Function):
    """y = x[place of the maximum]."""

    def __init__(self, index: np.ndarray, shape: tuple[int, ...]) -> None:
        self.residuals, self.source = (index,), shape

    def forward(self, x: np.ndarray) -> np.ndarray:
        return kernels.max_pool2d_gather(x, self.residuals[0])

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (MaxPoolScatter(self.residuals[0], self.source)(gy),)


class AvgPool2d(Function):
    """y = the mean of each window; gx spreads gy / (KH · KW) over the window."""

    def __init__(self, window: Window) -> None:
        self.window = window

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.source = x.shape
        return kernels.avg_pool2d(x, *self.window)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (AvgPoolSpread(self.window, self.source)(gy),)


class AvgPoolSpread(Function):
    """The adjoint of AvgPool2d."""

    def __init__(self, window: Window, shape: tuple[int, ...]) -> None:
        self.window, self.target = window, shape

    def forward(self, gy: np.ndarray) -> np.ndarray:
        return kernels.avg_pool2d_grad(gy, self.target, *self.window)

    def backward(self, ggx: Tensor) -> tuple[Tensor | None, ...]:
        return (AvgPool2d(self.window)(ggx),)


class UpsampleNearest(Function):
    """Each pixel repeated over a block of SH · SW; gx is the sum over the block, which is its mean times SH · SW."""

    def __init__(self, scale: Pair) -> None:
        self.scale = scale

    def forward(self, x: np.ndarray) -> np.ndarray:
        (n, h, w, c), (sh, sw) = x.shape, self.scale
        repeated = np.broadcast_to(x[:, :, None, :, None], (n, h, sh, w, sw, c))
        return copied(repeated).reshape(n, h * sh, w * sw, c)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        window = self.scale, self.scale, (0, 0, 0, 0)
        return (AvgPool2d(window)(gy) * float(self.scale[0] * self.scale[1]),)


def max_pool2d(
    x: Operand, kernel_size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
) -> Tensor:
    """The largest value of each window, (N, H, W, C) → (N, OH, OW, C), OH = (H + 2·padding - KH) // stride + 1.

    `stride` defaults to `kernel_size`; padding counts as -inf and is at most half the kernel. The first of equal
    values takes the gradient. Raises ShapeError or ArgumentError when no window fits.
    """
    x = images(x, "max_pool2d")
    return MaxPool2d(window(x, kernel_size, stride, padding, "max_pool2d"))(x)


def avg_pool2d(
    x: Operand, kernel_size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
) -> Tensor:
    """The mean of each window; shapes as max_pool2d. Padding counts as zeros, as in PyTorch's default.

    Raises ShapeError or ArgumentError when no window fits.
    """
    x = images(x, "avg_pool2d")
    return AvgPool2d(window(x, kernel_size, stride, padding, "avg_pool2d"))(x)


def max_pool1d(x: Operand, kernel_size: int, stride: int | None = None, padding: int = 0) -> Tensor:
    """max_pool2d of sequences: (N, T, C) → (N, OT, C), OT = (T + 2·padding - kernel_size) // stride + 1."""
    return pool1d("max_pool1d", max_pool2d, x, kernel_size, stride, padding)


def avg_pool1d(x: Operand, kernel_size: int, stride: int | None = None, padding: int = 0) -> Tensor:
    """avg_pool2d of sequences: (N, T, C) → (N, OT, C). Padding counts as zeros."""
    return pool1d("avg_pool1d", avg_pool2d, x, kernel_size, stride, padding)


def pool1d(name: str, pool: Any, x: Operand, kernel_size: int, stride: int | None, padding: int) -> Tensor:
    """`pool` over a sequence as an image one row high."""
    x = as_float(x, name)
    if x.ndim != 3:
        raise ShapeError(f"{name}: x is {x.shape}; sequences have three axes, (N, T, C), the channels last")
    (kernel,), (sides,) = (
        check_lengths(name, "kernel_size", kernel_size, 1),
        check_lengths(name, "padding", padding, 1, 0),
    )
    (step,) = (kernel,) if stride is None else check_lengths(name, "stride", stride, 1)
    if 2 * sides > kernel:
        raise ArgumentError(f"{name}: padding {sides} is more than half of kernel_size {kernel}; use less")
    if x.shape[1] + 2 * sides < kernel or not x.shape[1]:
        raise ShapeError(f"{name}: a window of {kernel} does not fit into x {x.shape} with padding {sides}; (N, T, C)")
    return squeeze(pool(expand_dims(x, 1), (1, kernel), (1, step), (0, sides)), 1)


def upsample_nearest(x: Operand, scale_factor: int | Pair) -> Tensor:
    """Each pixel repeated: (N, H, W, C) → (N, H · scale, W · scale, C), scale a whole number or a pair (SH, SW).

    Raises ShapeError or ArgumentError.
    """
    return UpsampleNearest(check_pair("upsample_nearest", "scale_factor", scale_factor))(images(x, "upsample_nearest"))


def window(x: Tensor, kernel_size: int | Pair, stride: int | Pair | None, padding: int | Pair, name: str) -> Window:
    """(kernel, stride, padding) as the kernels take them, checked against x."""
    kernel, step, sides = check_window(name, kernel_size, stride, padding)
    (_, h, w, _), rows, columns = x.shape, sides[0], sides[2]
    if h + 2 * rows < kernel[0] or w + 2 * columns < kernel[1] or 0 in (h, w):
        raise ShapeError(
            f"{name}: a window of {kernel} does not fit into x {x.shape} with padding {(rows, columns)}; images are "
            "channels-last (N, H, W, C)"
        )
    return kernel, step, sides


def check_window(name: str, kernel_size: int | Pair, stride: int | Pair | None, padding: int | Pair) -> Window:
    """(kernel, stride, padding) as the kernels take them. Raises ArgumentError for bad options."""
    kernel = check_pair(name, "kernel_size", kernel_size)
    step = kernel if stride is None else check_pair(name, "stride", stride)
    rows, columns = check_pair(name, "padding", padding, 0)
    if 2 * rows > kernel[0] or 2 * columns > kernel[1]:
        raise ArgumentError(
            f"{name}: padding {(rows, columns)} is more than half of kernel_size {kernel}; a window could lie in the "
            "padding alone"
        )
    return kernel, step, (rows, rows, columns, columns)
