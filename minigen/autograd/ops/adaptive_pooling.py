"""Pooling to a given size: window i of OH reaches from row ⌊i H / OH⌋ to before ⌈(i + 1) H / OH⌉, as in PyTorch."""

from typing import Any

import numpy as np

from minigen.autograd.ops.operands import images
from minigen.autograd.ops.pooling import MaxPoolGather, avg_pool2d, max_pool2d
from minigen.autograd.ops.resize import separable
from minigen.autograd.tensor import Operand, Tensor
from minigen.checks import check_count
from minigen.errors import ArgumentError, ShapeError
from minigen.kernels.noting import made

Pair = tuple[int, int]


def adaptive_avg_pool2d(x: Operand, output_size: Any) -> Tensor:
    """The mean of each of OH · OW windows that cover x: (N, H, W, C) → (N, OH, OW, C), also OH > H.

    output_size: a whole number, or a pair, where None keeps the height or width; 1 is the mean of the whole image.
    (Where H or W is no multiple, means are a product of two matrices, in which a NaN spreads along its row and column.)
    Raises ArgumentError for another output_size, ShapeError unless x is a batch of images with pixels.
    """
    x, sizes = operands("adaptive_avg_pool2d", x, output_size)
    kernel = tiles(x, sizes)
    if kernel is not None:
        return avg_pool2d(x, kernel)
    return separable(x, *[shares(old, new) for old, new in zip(x.shape[1:3], sizes, strict=True)])


def adaptive_max_pool2d(x: Operand, output_size: Any) -> Tensor:
    """The largest value of each of OH · OW windows that cover x; sizes and errors as adaptive_avg_pool2d.

    The first of equal values takes the gradient.
    """
    x, sizes = operands("adaptive_max_pool2d", x, output_size)
    kernel = tiles(x, sizes)
    if kernel is not None:
        return max_pool2d(x, kernel)
    return MaxPoolGather(made(largest, x.data, sizes), x.shape)(x)


def operands(name: str, x: Operand, output_size: Any) -> tuple[Tensor, Pair]:
    """x as images, and the height and width of the result."""
    x = images(x, name)
    if not (x.shape[1] and x.shape[2]):
        raise ShapeError(f"{name}: x {x.shape} has no pixels; images are (N, H, W, C)")
    height, width = output_pair(name, output_size)
    return x, (x.shape[1] if height is None else height, x.shape[2] if width is None else width)


def output_pair(name: str, output_size: Any) -> tuple[int | None, int | None]:
    """Height and width, None where x's own is kept. Raises ArgumentError."""
    pair = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    if len(pair) != 2:
        raise ArgumentError(f"{name}: output_size is {output_size!r}; use one number or a pair (height, width)")
    height, width = (n if n is None else check_count(name, "output_size", n) for n in pair)
    return height, width


def tiles(x: Tensor, sizes: Pair) -> Pair | None:
    """The size of the windows when they all have one and touch without overlap."""
    (h, w), (oh, ow) = x.shape[1:3], sizes
    return (h // oh, w // ow) if h % oh == 0 and w % ow == 0 else None


def edges(old: int, new: int) -> list[Pair]:
    """(first, end) of each window along one axis."""
    return [(i * old // new, -(-(i + 1) * old // new)) for i in range(new)]


def shares(old: int, new: int) -> np.ndarray:
    """(new, old): how much of each old row is in each mean."""
    weights = np.zeros((new, old))
    for i, (first, end) in enumerate(edges(old, new)):
        weights[i, first:end] = 1 / (end - first)
    return weights


def largest(x: np.ndarray, sizes: Pair) -> np.ndarray:
    """The places h · W + w of the largest values, (N, OH, OW, C); a NaN counts as largest."""
    (n, h, w, c), index = x.shape, np.empty((len(x), *sizes, x.shape[3]), np.int32)
    for i, (top, bottom) in enumerate(edges(h, sizes[0])):
        for j, (left, right) in enumerate(edges(w, sizes[1])):
            window = x[:, top:bottom, left:right].reshape(n, (bottom - top) * (right - left), c)
            row, column = np.divmod(window.argmax(1), right - left)
            index[:, i, j] = (top + row) * w + left + column
    return index
