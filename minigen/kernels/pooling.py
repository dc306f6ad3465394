"""Max and average pooling, and their adjoints, over channels-last images (N, H, W, C).

The innermost loop runs over the channels of one pixel, which lie side by side in memory. In max pooling, threads share
out whole images, so no two of them write to the same place.
"""

import numpy as np
from numba import prange

from minigen.kernels.jit import jit

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]

SERIAL = 32768  # elements up to which one thread is faster


def _pooled_shape(x: np.ndarray, kernel: Pair, stride: Pair, padding: Padding) -> tuple[int, int, int, int]:
    n, h, w, c = x.shape
    top, bottom, left, right = padding
    return n, (h + top + bottom - kernel[0]) // stride[0] + 1, (w + left + right - kernel[1]) // stride[1] + 1, c


@jit
def _max_pool(x, kernel, stride, top, left, y, index):
    images, height, width, channels = x.shape
    for n in range(images):
        for i in range(y.shape[1]):
            h0 = i * stride[0] - top
            for j in range(y.shape[2]):
                w0 = j * stride[1] - left
                best, place = y[n, i, j], index[n, i, j]
                first = True
                for h in range(max(h0, 0), min(h0 + kernel[0], height)):
                    for w in range(max(w0, 0), min(w0 + kernel[1], width)):
                        here = np.int32(h * width + w)
                        row = x[n, h, w]
                        if first:
                            for c in range(channels):
                                best[c] = row[c]
                                place[c] = here
                            first = False
                        else:
                            for c in range(channels):
                                v, b = row[c], best[c]
                                better = (v > b) | ((v != v) & (b == b))  # a NaN wins, the first one
                                best[c] = v if better else b
                                place[c] = here if better else place[c]


@jit(parallel=True)
def _max_pool_images(x, kernel, stride, top, left, y, index):
    for n in prange(x.shape[0]):
        _max_pool(x[n : n + 1], kernel, stride, top, left, y[n : n + 1], index[n : n + 1])


def max_pool2d(x: np.ndarray, kernel: Pair, stride: Pair, padding: Padding) -> tuple[np.ndarray, np.ndarray]:
    """(y, index): the largest value of each window and its place, int32 h · W + w inside its image and channel.

    Padding, (top, bottom, left, right), counts as -inf and must leave a pixel in every window. The first of equal
    values wins; a NaN wins over everything.
    """
    x = np.ascontiguousarray(x)
    y = np.empty(_pooled_shape(x, kernel, stride, padding), x.dtype)
    index = np.empty(y.shape, np.int32)
    pool = _max_pool if x.size <= SERIAL else _max_pool_images
    pool(x, kernel, stride, padding[0], padding[2], y, index)
    return y, index


@jit
def _clear(x):
    for i in range(x.size):
        x[i] = 0


@jit
def _scatter(gy, index, gx):
    _clear(gx.reshape(-1))
    for n in range(gy.shape[0]):
        for i in range(gy.shape[1]):
            for c in range(gy.shape[2]):
                gx[n, index[n, i, c], c] += gy[n, i, c]


@jit(parallel=True)
def _scatter_images(gy, index, gx):
    for n in prange(gy.shape[0]):
        _scatter(gy[n : n + 1], index[n : n + 1], gx[n : n + 1])


@jit
def _spread(gy, index, kernel, gx):
    """The scatter of windows that touch but do not overlap: every pixel is written once, mostly as 0."""
    zero = gx.dtype.type(0)
    width, channels = gx.shape[2:]
    for n in range(gx.shape[0]):
        for i in range(gy.shape[1]):
            for j in range(gy.shape[2]):
                g, place = gy[n, i, j], index[n, i, j]
                for h in range(i * kernel[0], (i + 1) * kernel[0]):
                    for w in range(j * kernel[1], (j + 1) * kernel[1]):
                        row, here = gx[n, h, w], np.int32(h * width + w)
                        for c in range(channels):
                            row[c] = g[c] if place[c] == here else zero
            for h in range(i * kernel[0], (i + 1) * kernel[0]):
                _clear(gx[n, h, gy.shape[2] * kernel[1] :].reshape(-1))
        _clear(gx[n, gy.shape[1] * kernel[0] :].reshape(-1))


@jit(parallel=True)
def _spread_images(gy, index, kernel, gx):
    for n in prange(gy.shape[0]):
        _spread(gy[n : n + 1], index[n : n + 1], kernel, gx[n : n + 1])


def max_pool2d_scatter(
    gy: np.ndarray, index: np.ndarray, x_shape: tuple[int, ...], tiles: Pair | None = None
) -> np.ndarray:
    """gx[n, index[n, i, j, c], c] += gy[n, i, j, c], of shape x_shape, 0 elsewhere: the gradient of max_pool2d.

    `tiles` may be given when index comes from windows of that size without padding at a stride equal to it: faster.
    """
    n, h, w, c = x_shape
    gy, index = np.ascontiguousarray(gy), np.ascontiguousarray(index)
    if tiles is not None:
        gx = np.empty(x_shape, gy.dtype)
        spread = _spread if gx.size <= SERIAL else _spread_images
        spread(gy, index, tiles, gx)
        return gx
    gx = np.empty((n, h * w, c), gy.dtype)
    flat = (n, gy.shape[1] * gy.shape[2], c)
    scatter = _scatter if gx.size <= SERIAL else _scatter_images
    scatter(gy.reshape(flat), index.reshape(flat), gx)
    return gx.reshape(x_shape)


@jit
def _gather(x, index, y):
    for n in range(y.shape[0]):
        for i in range(y.shape[1]):
            for c in range(y.shape[2]):
                y[n, i, c] = x[n, index[n, i, c], c]


def max_pool2d_gather(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    """y[n, i, j, c] = x[n, index[n, i, j, c], c]: the adjoint of max_pool2d_scatter."""
    n, h, w, c = x.shape
    flat = (n, index.shape[1] * index.shape[2], c)
    y = np.empty(flat, x.dtype)
    _gather(np.ascontiguousarray(x).reshape(n, h * w, c), np.ascontiguousarray(index).reshape(flat), y)
    return y.reshape(index.shape)


@jit
def _avg_pool(x, kernel, stride, top, left, share, y):
    images, height, width, channels = x.shape
    for n in range(images):
        for i in range(y.shape[1]):
            h0 = i * stride[0] - top
            for j in range(y.shape[2]):
                w0 = j * stride[1] - left
                total = y[n, i, j]
                for c in range(channels):
                    total[c] = 0
                for h in range(max(h0, 0), min(h0 + kernel[0], height)):
                    for w in range(max(w0, 0), min(w0 + kernel[1], width)):
                        row = x[n, h, w]
                        for c in range(channels):
                            total[c] += share * row[c]


def avg_pool2d(x: np.ndarray, kernel: Pair, stride: Pair, padding: Padding) -> np.ndarray:
    """The mean of each window; padding, (top, bottom, left, right), counts as zeros."""
    x = np.ascontiguousarray(x)
    y = np.empty(_pooled_shape(x, kernel, stride, padding), x.dtype)
    _avg_pool(x, kernel, stride, padding[0], padding[2], x.dtype.type(1 / (kernel[0] * kernel[1])), y)
    return y


@jit
def _avg_pool_grad(gy, kernel, stride, top, left, share, gx):
    images, height, width, channels = gx.shape
    _clear(gx.reshape(-1))
    for n in range(images):
        for i in range(gy.shape[1]):
            h0 = i * stride[0] - top
            for j in range(gy.shape[2]):
                w0 = j * stride[1] - left
                g = gy[n, i, j]
                for h in range(max(h0, 0), min(h0 + kernel[0], height)):
                    for w in range(max(w0, 0), min(w0 + kernel[1], width)):
                        row = gx[n, h, w]
                        for c in range(channels):
                            row[c] += share * g[c]


def avg_pool2d_grad(
    gy: np.ndarray, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Padding
) -> np.ndarray:
    """The adjoint of avg_pool2d: each gy / (KH · KW) added to every place of its window. Shape x_shape."""
    gx = np.empty(x_shape, gy.dtype)
    share = gy.dtype.type(1 / (kernel[0] * kernel[1]))
    _avg_pool_grad(np.ascontiguousarray(gy), kernel, stride, padding[0], padding[2], share, gx)
    return gx
