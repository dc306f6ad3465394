"""The twins of pooling: x (N, H, W, C), kernel (KH, KW), stride (SH, SW), padding (top, bottom, left, right)."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minigen.kernels.reference.arrays import Array, contiguous

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]


def max_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Padding) -> tuple[Array, Array]:
    """(y, index): the largest value of each window and its place, int32 h · W + w inside its image and channel.

    Padding counts as -inf. The first of equal values wins; a NaN wins over everything, the last one.
    """
    (h, width), (top, bottom, left, right) = x.shape[1:3], padding
    edges = ((0, 0), (top, bottom), (left, right), (0, 0))
    place = np.pad(np.arange(h * width, dtype=np.int32).reshape(1, h, width, 1), edges, constant_values=-1)
    values = _pool_windows(np.pad(x, edges, constant_values=-np.inf), kernel, stride)
    places = np.broadcast_to(_pool_windows(place, kernel, stride), values.shape)
    rank = np.where(places < 0, -np.inf, np.where(np.isneginf(values), np.finfo(x.dtype).min, values))
    nan = np.isnan(rank)
    last = rank.shape[-1] - 1 - nan[..., ::-1].argmax(axis=-1)
    best = np.where(nan.any(axis=-1), last, rank.argmax(axis=-1))[..., None]
    return np.take_along_axis(values, best, -1)[..., 0], np.take_along_axis(places, best, -1)[..., 0]


def _pool_windows(padded: Array, kernel: Pair, stride: Pair) -> Array:
    """(N, OH, OW, C, KH · KW)."""
    windows = sliding_window_view(padded, kernel, axis=(1, 2))[:, :: stride[0], :: stride[1]]
    return windows.reshape(*windows.shape[:4], kernel[0] * kernel[1])


def max_pool2d_scatter(gy: Array, index: Array, x_shape: tuple[int, ...], tiles: Pair | None = None) -> Array:
    """gx[n, index[n, i, j, c], c] += gy[n, i, j, c], of shape x_shape; elsewhere 0. `tiles` changes nothing here."""
    n, h, w, c = x_shape
    gx = np.zeros((n, h * w, c), gy.dtype)
    np.add.at(gx, (np.arange(n)[:, None, None, None], index, np.arange(c)), gy)
    return gx.reshape(x_shape)


def max_pool2d_gather(x: Array, index: Array) -> Array:
    """y[n, i, j, c] = x[n, index[n, i, j, c], c]."""
    n, oh, ow, c = index.shape
    flat = x.reshape(n, x.shape[1] * x.shape[2], c)
    return np.take_along_axis(flat, index.reshape(n, oh * ow, c), axis=1).reshape(index.shape)


def avg_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Padding) -> Array:
    """The mean of each window; padding counts as zeros."""
    top, bottom, left, right = padding
    windows = _pool_windows(np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0))), kernel, stride)
    return contiguous(windows.mean(axis=-1, dtype=x.dtype))


def avg_pool2d_grad(gy: Array, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Padding) -> Array:
    """The adjoint of avg_pool2d: each gy / (KH · KW) added to every place of its window."""
    (n, h, w, c), (_, oh, ow, _), (top, bottom, left, right) = x_shape, gy.shape, padding
    padded = np.zeros((n, h + top + bottom, w + left + right, c), gy.dtype)
    share = gy / gy.dtype.type(kernel[0] * kernel[1])
    for a in range(kernel[0]):
        for b in range(kernel[1]):
            padded[:, a : a + stride[0] * oh : stride[0], b : b + stride[1] * ow : stride[1]] += share
    return contiguous(padded[:, top : top + h, left : left + w])
