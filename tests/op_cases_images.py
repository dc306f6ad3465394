"""Oracles and PyTorch twins of the operations on images, and of padding; they belong to `op_cases.py`."""

import itertools
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

Array = np.ndarray


def pad_index(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    return [(pad_width, pad_width)] * ndim if isinstance(pad_width, int) else list(pad_width)


def pad(x: Array, pad_width: Any, value: float = 0.0, mode: str = "constant") -> Array:
    widths = pad_index(pad_width, x.ndim)
    if mode != "constant":
        return np.pad(x, widths, mode={"replicate": "edge", "circular": "wrap"}.get(mode, mode))  # pyright: ignore
    y = np.full([a + n + b for (a, b), n in zip(widths, x.shape, strict=True)], value)
    for index in np.ndindex(x.shape):
        y[tuple(i + a for i, (a, _) in zip(index, widths, strict=True))] = x[index]
    return y


def pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def padding_of(padding: Any, size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """(before, after) along one axis; "same" makes ceil(size / stride) results, the odd zero goes behind."""
    if padding == "same":
        total = max(0, (math.ceil(size / stride) - 1) * stride + dilation * (kernel - 1) + 1 - size)
        return total // 2, total - total // 2
    return padding, padding


def then_leaky(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` on arrays (or PyTorch's tensors), its result times `negative_slope` below 0."""

    def call(*inputs: Any, negative_slope: float = 1.0, **options: Any) -> Any:
        y = function(*inputs, **options)
        return y if negative_slope == 1 else y * (y >= 0) + y * (y < 0) * negative_slope

    return call


def conv2d(x: Array, w: Array, b: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1):
    (sh, sw), (dh, dw) = pair(stride), pair(dilation)
    kh, kw, cin, cout = w.shape
    vertical, horizontal = (padding, padding) if padding == "same" else (0, 0) if padding == "valid" else pair(padding)
    rows, columns = padding_of(vertical, x.shape[1], kh, sh, dh), padding_of(horizontal, x.shape[2], kw, sw, dw)
    x = pad(x, [(0, 0), rows, columns, (0, 0)])
    oh, ow = (x.shape[1] - dh * (kh - 1) - 1) // sh + 1, (x.shape[2] - dw * (kw - 1) - 1) // sw + 1
    y = np.zeros((len(x), oh, ow, cout))
    for n, i, j, o in np.ndindex(y.shape):
        first = o // (cout // groups) * cin
        rows, columns = i * sh + dh * np.arange(kh), j * sw + dw * np.arange(kw)
        y[n, i, j, o] = (x[n, rows[:, None], columns, first : first + cin] * w[..., o]).sum()
    return y if b is None else y + b


def conv_transpose2d(
    x: Array, w: Array, b: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1,
    dilation: Any = 1,
) -> Array:  # fmt: skip
    (sh, sw), (dh, dw), (ph, pw) = pair(stride), pair(dilation), pair(output_padding)
    kh, kw, cout, cin = w.shape
    n, h, width, _ = x.shape
    oh, ow = (h - 1) * sh + dh * (kh - 1) + 1 + ph, (width - 1) * sw + dw * (kw - 1) + 1 + pw
    full = np.zeros((n, oh, ow, cout * groups))
    for i, j, a, c in itertools.product(range(h), range(width), range(kh), range(kw)):
        for o in range(cout * groups):
            first = o // cout * (cin // groups)
            seen = slice(first, first + cin // groups)
            full[:, i * sh + a * dh, j * sw + c * dw, o] += x[:, i, j, seen] @ w[a, c, o % cout, seen]
    if padding == "same":  # as many rows as stride · H: the surplus is cut, the smaller half in front
        surplus = [max(0, d * (k - 1) + 1 - s) for k, s, d in ((kh, sh, dh), (kw, sw, dw))]
        (top, left), (high, wide) = [s // 2 for s in surplus], (h * sh, width * sw)
    else:
        top, left = (0, 0) if padding == "valid" else pair(padding)
        high, wide = full.shape[1] - 2 * top, full.shape[2] - 2 * left
    y = full[:, top : top + high, left : left + wide]
    return y if b is None else y + b


def pool2d(reduce: Callable[[Array], Any], empty: float) -> Callable[..., Array]:
    def pooled(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Array:
        kernel, (ph, pw) = pair(kernel_size), pair(padding)
        (kh, kw), (sh, sw) = kernel, kernel if stride is None else pair(stride)
        x = pad(x, [(0, 0), (ph, ph), (pw, pw), (0, 0)], empty)
        y = np.empty((len(x), (x.shape[1] - kh) // sh + 1, (x.shape[2] - kw) // sw + 1, x.shape[3]))
        for n, i, j, c in np.ndindex(y.shape):
            y[n, i, j, c] = reduce(x[n, i * sh : i * sh + kh, j * sw : j * sw + kw, c])
        return y

    return pooled


def upsample_nearest(x: Array, scale_factor: Any) -> Array:
    (sh, sw), (n, h, w, c) = pair(scale_factor), x.shape
    y = np.empty((n, h * sh, w * sw, c))
    for i, j in np.ndindex(h * sh, w * sw):
        y[:, i, j] = x[:, i // sh, j // sw]
    return y


ORACLES: dict[str, Callable[..., Any]] = {
    "pad": pad,
    "conv2d": then_leaky(conv2d),
    "conv_transpose2d": then_leaky(conv_transpose2d),
    "max_pool2d": pool2d(np.max, -np.inf),
    "avg_pool2d": pool2d(np.mean, 0.0),
    "upsample_nearest": upsample_nearest,
}


def twins(torch: Any) -> dict[str, Callable[..., Any]]:
    """The same operations in PyTorch, whose images and weights have their channels in front."""
    F = torch.nn.functional
    images = SimpleNamespace(to=lambda x: x.permute(0, 3, 1, 2), back=lambda y: y.permute(0, 2, 3, 1))

    def pad(x: Any, pad_width: Any, value: float = 0.0, mode: str = "constant") -> Any:
        widths = pad_index(pad_width, x.ndim)
        if mode == "constant":
            return F.pad(x, [n for two in reversed(widths) for n in two], value=value)
        if x.ndim == 4:  # its last two axes there are those in the middle here
            return images.back(F.pad(images.to(x), [*widths[2], *widths[1]], mode=mode))
        return F.pad(x[None, None], [*widths[1], *widths[0]], mode=mode)[0, 0]

    def conv2d(x: Any, w: Any, b: Any = None, **options: Any) -> Any:
        if options.get("padding") == "same" and "stride" in options:
            return None
        return images.back(F.conv2d(images.to(x), w.permute(3, 2, 0, 1), b, **options))

    def conv_transpose2d(x: Any, w: Any, b: Any = None, padding: Any = 0, **options: Any) -> Any:
        if padding == "same":
            return None
        padding = 0 if padding == "valid" else padding
        return images.back(F.conv_transpose2d(images.to(x), w.permute(3, 2, 0, 1), b, padding=padding, **options))

    return {
        "pad": pad,
        "conv2d": then_leaky(conv2d),
        "conv_transpose2d": then_leaky(conv_transpose2d),
        "max_pool2d": lambda x, **options: images.back(F.max_pool2d(images.to(x), **options)),
        "avg_pool2d": lambda x, **options: images.back(F.avg_pool2d(images.to(x), **options)),
        "upsample_nearest": lambda x, scale_factor: images.back(F.interpolate(images.to(x), scale_factor=scale_factor)),
    }
