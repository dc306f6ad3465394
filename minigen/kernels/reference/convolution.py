"""The twins of convolution and its adjoints.

Images are channels-last, x (N, H, W, Cin); weights w (KH, KW, Cin / groups, Cout); padding is (top, bottom, left,
right), of which bottom and right may be negative: so much of x is then not read. As everywhere in deep learning the
kernel is not flipped (cross-correlation).
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minigen.kernels.reference.arrays import Array, contiguous
from minigen.kernels.reference.elementwise import leaky_relu

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]


def _pad(x: Array, padding: Padding) -> Array:
    """x with zeros around each image, or without its last rows and columns where padding is negative."""
    top, bottom, left, right = padding
    kept = x[:, : x.shape[1] + min(bottom, 0), : x.shape[2] + min(right, 0)]
    return np.pad(kept, ((0, 0), (top, max(bottom, 0)), (left, max(right, 0)), (0, 0)))


def _windows(x: Array, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """Every window of x as a view of its padded copy: (N, OH, OW, groups, Cin / groups, KH, KW)."""
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    padded = _pad(x, padding)
    padded = padded.reshape(*padded.shape[:3], groups, x.shape[3] // groups)
    windows = sliding_window_view(padded, (dh * (kh - 1) + 1, dw * (kw - 1) + 1), axis=(1, 2))
    return windows[:, ::sh, ::sw, ..., ::dh, ::dw]


def finish(y: Array, bias: Array | None, slope: float | None) -> Array:
    """leaky(y + bias), contiguous; slope None is no activation."""
    y = contiguous(y if bias is None else y + bias)
    return y if slope is None else leaky_relu(y, slope)


def conv2d(
    x: Array,
    w: Array,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    groups: int,
    bias: Array | None = None,
    slope: float | None = None,
) -> Array:
    """y[n, i, j, o] = leaky(bias[o] + Σ_{a, b, c} x[n, i·sh + a·dh - top, j·sw + b·dw - left, c] · w[a, b, c, o])."""
    kh, kw, depth, cout = w.shape
    windows = _windows(x, (kh, kw), stride, padding, dilation, groups)
    weight = w.reshape(kh, kw, depth, groups, cout // groups)
    y = np.einsum("nijgcab,abcgo->nijgo", windows, weight, optimize=True)
    return finish(y.reshape(*y.shape[:3], cout), bias, slope)


def conv2d_input_grad(
    gy: Array,
    w: Array,
    in_hw: Pair,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    groups: int,
    bias: Array | None = None,
    slope: float | None = None,
) -> Array:
    """The adjoint of conv2d in x, which is the transposed convolution: gx of shape (N, *in_hw, Cin), then as conv2d."""
    (n, oh, ow, cout), (kh, kw, depth, _) = gy.shape, w.shape
    (h, width), (sh, sw), (dh, dw), (top, bottom, left, right) = in_hw, stride, dilation, padding
    padded = np.zeros((n, h + top + max(bottom, 0), width + left + max(right, 0), groups, depth), gy.dtype)
    gy = gy.reshape(n, oh, ow, groups, cout // groups)
    weight = w.reshape(kh, kw, depth, groups, cout // groups)
    for a in range(kh):
        for b in range(kw):
            rows, columns = slice(a * dh, a * dh + sh * oh, sh), slice(b * dw, b * dw + sw * ow, sw)
            padded[:, rows, columns] += np.einsum("nijgo,cgo->nijgc", gy, weight[a, b], optimize=True)
    gx = padded[:, top : top + h, left : left + width].reshape(n, h, width, groups * depth)
    return finish(gx, bias, slope)


def conv2d_weight_grad(
    x: Array, gy: Array, kernel_hw: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """The adjoint of conv2d in w: gw of shape (KH, KW, Cin / groups, Cout)."""
    n, oh, ow, cout = gy.shape
    windows = _windows(x, kernel_hw, stride, padding, dilation, groups)
    gw = np.einsum("nijgcab,nijgo->abcgo", windows, gy.reshape(n, oh, ow, groups, cout // groups), optimize=True)
    return np.ascontiguousarray(gw.reshape(*kernel_hw, x.shape[3] // groups, cout))
