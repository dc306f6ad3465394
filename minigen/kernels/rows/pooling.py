"""Max and average pooling, and their adjoints, over channels-last images (N, H, W, C).

The innermost loop runs over the channels of one pixel, which lie side by side in memory; where they are few, over the
windows of a row (`pooling_few.py`). Threads share out whole images, so no two of them write to the same place.
"""

import numpy as np

from minigen.kernels.compiler.arrays import contiguous
from minigen.kernels.compiler.jit import part, tasks
from minigen.kernels.rows.cuts import runs, span
from minigen.kernels.rows.pooling_few import FEW_CHANNELS, avg_pool_few, avg_pool_few_grad, max_pool_few

MOST_TERMS = 256  # that are added one after the other in float32; sums of more are in float64
Pair = tuple[int, int]
Padding = tuple[int, int, int, int]


def _pooled_shape(x: np.ndarray, kernel: Pair, stride: Pair, padding: Padding) -> tuple[int, int, int, int]:
    n, h, w, c = x.shape
    top, bottom, left, right = padding
    return n, (h + top + bottom - kernel[0]) // stride[0] + 1, (w + left + right - kernel[1]) // stride[1] + 1, c


@part
def clipped(first, length, size):
    """(first, end) of that part of a window which lies in the image."""
    return np.uintp(max(first, 0)), np.uintp(min(first + length, size))


@tasks
def _max_pool(run, images, x, kernel, stride, top, left, y, index):
    _, height, width, channels = x.shape
    low, high = span(run, images, x.shape[0])
    for n in range(low, high):
        for i in range(y.shape[1]):
            h0, h1 = clipped(i * stride[0] - top, kernel[0], height)
            for j in range(y.shape[2]):
                w0, w1 = clipped(j * stride[1] - left, kernel[1], width)
                for h in range(h0, h1):
                    for w in range(w0, w1):
                        here, first = np.int32(np.intp(h) * width + np.intp(w)), h == h0 and w == w0
                        for c in range(channels):
                            v, b = x[n, h, w, c], y[n, i, j, c]
                            better = first | (v > b) | (v != v)  # a NaN wins, the last one
                            y[n, i, j, c] = v if better else b
                            index[n, i, j, c] = here if better else index[n, i, j, c]


def max_pool2d(x: np.ndarray, kernel: Pair, stride: Pair, padding: Padding) -> tuple[np.ndarray, np.ndarray]:
    """(y, index): the largest value of each window and its place, int32 h · W + w inside its image and channel.

    Padding, (top, bottom, left, right), counts as -inf and must leave a pixel in every window. The first of equal
    values wins; a NaN wins over everything, the last one: as in PyTorch.
    """
    x = contiguous(x)
    y = np.empty(_pooled_shape(x, kernel, stride, padding), x.dtype)
    index = np.empty(y.shape, np.int32)
    pool = max_pool_few if x.shape[3] < FEW_CHANNELS else _max_pool
    pool(*runs(len(x), x.size), x, kernel, stride, padding[0], padding[2], y, index)
    return y, index


@tasks
def _scatter(run, images, gy, index, gx):
    low, high = span(run, images, gx.shape[0])
    gx[low:high] = 0
    for n in range(low, high):
        for i in range(gy.shape[1]):
            for c in range(gy.shape[2]):
                gx[n, index[n, i, c], c] += gy[n, i, c]


@tasks
def _spread(run, images, gy, index, kernel, gx):
    """The scatter of windows that touch but do not overlap: every pixel is written once, mostly as 0."""
    zero = gx.dtype.type(0)
    _, _, width, channels = gx.shape
    low, high = span(run, images, gx.shape[0])
    for n in range(low, high):
        for i in range(gy.shape[1]):
            for h in range(i * kernel[0], (i + 1) * kernel[0]):
                for j in range(gy.shape[2]):
                    for w in range(j * kernel[1], (j + 1) * kernel[1]):
                        here = np.int32(h * width + w)
                        for c in range(channels):
                            gx[n, h, w, c] = gy[n, i, j, c] if index[n, i, j, c] == here else zero
                gx[n, h, gy.shape[2] * kernel[1] :] = zero
        gx[n, gy.shape[1] * kernel[0] :] = zero


def max_pool2d_scatter(
    gy: np.ndarray, index: np.ndarray, x_shape: tuple[int, ...], tiles: Pair | None = None
) -> np.ndarray:
    """gx[n, index[n, i, j, c], c] += gy[n, i, j, c], of shape x_shape, 0 elsewhere: the gradient of max_pool2d.

    `tiles` may be given when index comes from windows of that size without padding at a stride equal to it: faster.
    """
    n, h, w, c = x_shape
    gy, index = contiguous(gy), contiguous(index)
    if tiles is not None and c >= FEW_CHANNELS:
        gx = np.empty(x_shape, gy.dtype)
        _spread(*runs(n, gx.size), gy, index, tiles, gx)
        return gx
    gx = np.empty((n, h * w, c), gy.dtype)
    flat = (n, gy.shape[1] * gy.shape[2], c)
    _scatter(*runs(n, gx.size), gy.reshape(flat), index.reshape(flat), gx)
    return gx.reshape(x_shape)


@tasks
def _gather(run, images, x, index, y):
    low, high = span(run, images, y.shape[0])
    for n in range(low, high):
        for i in range(y.shape[1]):
            for c in range(y.shape[2]):
                y[n, i, c] = x[n, index[n, i, c], c]


def max_pool2d_gather(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    """y[n, i, j, c] = x[n, index[n, i, j, c], c]: the adjoint of max_pool2d_scatter."""
    n, h, w, c = x.shape
    flat = (n, index.shape[1] * index.shape[2], c)
    y = np.empty(flat, x.dtype)
    _gather(*runs(n, y.size), contiguous(x).reshape(n, h * w, c), contiguous(index).reshape(flat), y)
    return y.reshape(index.shape)


@tasks
def _avg_pool(run, images, x, kernel, stride, top, left, share, y):
    _, height, width, channels = x.shape
    low, high = span(run, images, x.shape[0])
    for n in range(low, high):
        for i in range(y.shape[1]):
            h0, h1 = clipped(i * stride[0] - top, kernel[0], height)
            for j in range(y.shape[2]):
                w0, w1 = clipped(j * stride[1] - left, kernel[1], width)
                for c in range(channels):
                    y[n, i, j, c] = 0
                for h in range(h0, h1):
                    for w in range(w0, w1):
                        for c in range(channels):
                            y[n, i, j, c] += share * x[n, h, w, c]


def avg_pool2d(x: np.ndarray, kernel: Pair, stride: Pair, padding: Padding) -> np.ndarray:
    """The mean of each window; padding, (top, bottom, left, right), counts as zeros."""
    x = contiguous(x)
    terms = kernel[0] * kernel[1]
    y = np.empty(_pooled_shape(x, kernel, stride, padding), x.dtype if terms <= MOST_TERMS else np.float64)
    share = y.dtype.type(1 / terms)
    pool = avg_pool_few if x.shape[3] < FEW_CHANNELS else _avg_pool
    pool(*runs(len(x), x.size), x, kernel, stride, padding[0], padding[2], share, y)
    return y.astype(x.dtype, copy=False)


@tasks
def _avg_pool_grad(run, images, gy, kernel, stride, top, left, share, gx):
    _, height, width, channels = gx.shape
    low, high = span(run, images, gx.shape[0])
    gx[low:high] = 0
    for n in range(low, high):
        for i in range(gy.shape[1]):
            h0, h1 = clipped(i * stride[0] - top, kernel[0], height)
            for j in range(gy.shape[2]):
                w0, w1 = clipped(j * stride[1] - left, kernel[1], width)
                for h in range(h0, h1):
                    for w in range(w0, w1):
                        for c in range(channels):
                            gx[n, h, w, c] += share * gy[n, i, j, c]


def avg_pool2d_grad(
    gy: np.ndarray, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Padding
) -> np.ndarray:
    """The adjoint of avg_pool2d: each gy / (KH · KW) added to every place of its window. Shape x_shape."""
    terms = -(-kernel[0] // stride[0]) * -(-kernel[1] // stride[1])  # windows that a pixel lies in
    gx = np.empty(x_shape, gy.dtype if terms <= MOST_TERMS else np.float64)
    share = gx.dtype.type(1 / (kernel[0] * kernel[1]))
    spread = avg_pool_few_grad if x_shape[3] < FEW_CHANNELS else _avg_pool_grad
    spread(*runs(len(gx), gx.size), contiguous(gy), kernel, stride, padding[0], padding[2], share, gx)
    return gx.astype(gy.dtype, copy=False)
