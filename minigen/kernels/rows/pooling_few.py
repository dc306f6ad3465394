"""Pooling of images of few channels: the innermost loop runs over the windows of a row, for one place in them.

Over two or three channels a loop would not fill a vector. The values are read at a stride, which processors can do.
"""

import numpy as np

from minigen.kernels.compiler.jit import part, tasks
from minigen.kernels.rows.cuts import span

FEW_CHANNELS = 8  # below that many
FEW_WINDOWS = 12  # in a row, below which they are taken one by one


@part
def met(tap, stride, left, width, windows):
    """(first, end) of the windows of a row whose column number `tap` lies in the image."""
    shift = tap - left
    return max(0, -(shift // stride)), max(0, min(windows, (width - 1 - shift) // stride + 1))


@part
def best_of(image, c, h0, h1, w0, w1):
    """(largest value, place) of channel c in a window of an image."""
    best, place = image[h0, w0, c], h0 * image.shape[1] + w0
    for h in range(np.uintp(h0), np.uintp(h1)):
        for w in range(np.uintp(w0), np.uintp(w1)):
            v = image[h, w, c]
            better = (v > best) | (v != v)  # a NaN wins, the last one
            best = v if better else best
            place = np.intp(h) * image.shape[1] + np.intp(w) if better else place
    return best, np.int32(place)


@tasks
def max_pool_few(run, images, x, kernel, stride, top, left, y, index):
    """As `pooling._max_pool`."""
    _, height, width, channels = x.shape
    windows = y.shape[2]
    best, places = np.empty(windows, x.dtype), np.empty(windows, np.int32)
    low, high = span(run, images, x.shape[0])
    for n in range(low, high):
        for i in range(y.shape[1]):
            h0, h1 = max(0, i * stride[0] - top), min(i * stride[0] - top + kernel[0], height)
            if windows < FEW_WINDOWS:
                for j in range(windows):
                    w0, w1 = max(0, j * stride[1] - left), min(j * stride[1] - left + kernel[1], width)
                    for c in range(channels):
                        y[n, i, j, c], index[n, i, j, c] = best_of(x[n], c, h0, h1, w0, w1)
                continue
            for c in range(channels):
                for j in range(windows):
                    best[j] = -np.inf
                    places[j] = h0 * width + max(0, j * stride[1] - left)
                for h in range(h0, h1):
                    for tap in range(kernel[1]):
                        first, end = met(tap, stride[1], left, width, windows)
                        source = x[n, h, :, c]
                        for j in range(np.uintp(first), np.uintp(end)):
                            w = np.intp(j) * stride[1] + (tap - left)
                            v, b = source[np.uintp(w)], best[j]
                            better = (v > b) | (v != v)  # a NaN wins, the last one
                            best[j] = v if better else b
                            places[j] = np.int32(h * width + w) if better else places[j]
                for j in range(windows):
                    y[n, i, j, c] = best[j]
                    index[n, i, j, c] = places[j]


@tasks
def avg_pool_few(run, images, x, kernel, stride, top, left, share, y):
    """As `pooling._avg_pool`."""
    _, height, width, channels = x.shape
    low, high = span(run, images, x.shape[0])
    for n in range(low, high):
        y[n] = 0
        for i in range(y.shape[1]):
            for h in range(max(0, i * stride[0] - top), min(i * stride[0] - top + kernel[0], height)):
                for tap in range(kernel[1]):
                    first, end = met(tap, stride[1], left, width, y.shape[2])
                    for c in range(channels):
                        source, sums = x[n, h, :, c], y[n, i, :, c]
                        for j in range(np.uintp(first), np.uintp(end)):
                            sums[j] += share * source[np.uintp(np.intp(j) * stride[1] + (tap - left))]


@tasks
def avg_pool_few_grad(run, images, gy, kernel, stride, top, left, share, gx):
    """As `pooling._avg_pool_grad`."""
    _, height, width, channels = gx.shape
    low, high = span(run, images, gx.shape[0])
    for n in range(low, high):
        gx[n] = 0
        for i in range(gy.shape[1]):
            for h in range(max(0, i * stride[0] - top), min(i * stride[0] - top + kernel[0], height)):
                for tap in range(kernel[1]):
                    first, end = met(tap, stride[1], left, width, gy.shape[2])
                    for c in range(channels):
                        source, sums = gy[n, i, :, c], gx[n, h, :, c]
                        for j in range(np.uintp(first), np.uintp(end)):
                            sums[np.uintp(np.intp(j) * stride[1] + (tap - left))] += share * source[j]
