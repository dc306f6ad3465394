"""Oracles and PyTorch twins of convolution along one or three axes, resizing, patches and padding by copies."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray


def many(value: Any, axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else tuple(value)


def with_zeros(x: Array, padding: Any, kernel: tuple[int, ...], stride: Any, dilation: Any) -> Array:
    """x with zeros around the axes that the kernel moves along."""
    axes = len(kernel)
    widths = [(0, 0)] * x.ndim
    for i, (k, s, d) in enumerate(zip(kernel, stride, dilation, strict=True)):
        if padding == "same":
            total = max(0, (math.ceil(x.shape[i + 1] / s) - 1) * s + d * (k - 1) + 1 - x.shape[i + 1])
            widths[i + 1] = total // 2, total - total // 2
        elif padding != "valid":
            width = many(padding, axes)[i]
            widths[i + 1] = width, width
    return np.pad(x, widths)


def convolution(
    x: Array, w: Array, b: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Array:
    """Along any number of axes, one output at a time."""
    kernel, axes = w.shape[:-2], w.ndim - 2
    stride, dilation = many(stride, axes), many(dilation, axes)
    x = with_zeros(x, padding, kernel, stride, dilation)
    sizes = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[1:-1], kernel, stride, dilation, strict=True)]
    y = np.zeros((len(x), *sizes, w.shape[-1]))
    for n, *place, o in np.ndindex(y.shape):
        first = o // (w.shape[-1] // groups) * w.shape[-2]
        for tap in np.ndindex(kernel):
            at = tuple(p * s + t * d for p, s, t, d in zip(place, stride, tap, dilation, strict=True))
            y[(n, *place, o)] += x[(n, *at)][first : first + w.shape[-2]] @ w[tap][:, o]
    return y if b is None else y + b


def conv_transpose1d(
    x: Array, w: Array, b: Any = None, stride: int = 1, padding: Any = 0, output_padding: int = 0, groups: int = 1,
    dilation: int = 1,
) -> Array:  # fmt: skip
    n, t, cin = x.shape
    k, each, _ = w.shape
    y = np.zeros((n, (t - 1) * stride + dilation * (k - 1) + 1 + output_padding, each * groups))
    share = cin // groups
    for i, a, o in itertools.product(range(t), range(k), range(each * groups)):
        seen = slice(o // each * share, (o // each + 1) * share)
        y[:, i * stride + a * dilation, o] += x[:, i, seen] @ w[a, o % each, seen]
    if padding == "same":
        first = max(0, dilation * (k - 1) + 1 - stride) // 2
        y = y[:, first : first + t * stride]
    elif padding:
        y = y[:, padding : y.shape[1] - padding]
    return y if b is None else y + b


def pool1d(reduce: Callable[[Array], Any], empty: float) -> Callable[..., Array]:
    def pooled(x: Array, kernel_size: int, stride: int | None = None, padding: int = 0) -> Array:
        step = stride or kernel_size
        x = np.pad(x, [(0, 0), (padding, padding), (0, 0)], constant_values=empty)
        count = (x.shape[1] - kernel_size) // step + 1
        return np.stack([reduce(x[:, i * step : i * step + kernel_size]) for i in range(count)], 1)

    return pooled


def adaptive(reduce: Callable[..., Array]) -> Callable[..., Array]:
    def pooled(x: Array, output_size: Any) -> Array:
        sizes = output_size if isinstance(output_size, tuple) else (output_size, output_size)
        oh, ow = (old if new is None else new for old, new in zip(x.shape[1:3], sizes, strict=True))
        h, w = x.shape[1:3]
        y = np.empty((len(x), oh, ow, x.shape[3]))
        for i, j in np.ndindex(oh, ow):
            rows = slice(math.floor(i * h / oh), math.ceil((i + 1) * h / oh))
            columns = slice(math.floor(j * w / ow), math.ceil((j + 1) * w / ow))
            y[:, i, j] = reduce(x[:, rows, columns], axis=(1, 2))
        return y

    return pooled


def keys(d: float, a: float = -0.75) -> float:
    """Keys' cubic kernel at the distance d."""
    d = abs(d)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


def resize(
    x: Array, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool = False
) -> Array:
    """One axis after the other, one row at a time."""
    for axis in (1, 2):
        old = x.shape[axis]
        if size is not None:
            new = many(size, 2)[axis - 1]
            step = old / new
        else:
            scale = scale_factor[axis - 1] if isinstance(scale_factor, tuple) else scale_factor
            new, step = math.floor(old * scale), 1 / scale
        if new % old == 0 and new // old <= (2 if mode == "nearest" else 1) and mode != "bicubic":
            step = old / new  # PyTorch's: where rows stay or double, they do
        x = np.moveaxis(x, axis, 0)
        x = np.array([resized_row(x, i, new, step, mode, align_corners) for i in range(new)])
        x = np.moveaxis(x, 0, axis)
    return x


def resized_row(x: Array, i: int, new: int, step: float, mode: str, align_corners: bool) -> Array:
    last = len(x) - 1
    if mode == "nearest":
        return x[min(math.floor(i * step), last)]
    place = i * (last / (new - 1) if new > 1 else 0.0) if align_corners else (i + 0.5) * step - 0.5
    if mode == "bilinear":
        place = min(max(place, 0), last)
        return np.sum([x[k] * max(0.0, 1 - abs(place - k)) for k in range(len(x))], axis=0)
    first = math.floor(place)
    return np.sum([x[min(max(k, 0), last)] * keys(place - k) for k in range(first - 1, first + 3)], axis=0)


def pixel_shuffle(x: Array, upscale_factor: int) -> Array:
    r, (n, h, w, c) = upscale_factor, x.shape
    y = np.empty((n, h * r, w * r, c // r**2))
    for m, i, j, k in np.ndindex(y.shape):
        y[m, i, j, k] = x[m, i // r, j // r, k * r * r + i % r * r + j % r]
    return y


def pixel_unshuffle(x: Array, downscale_factor: int) -> Array:
    r, (n, h, w, c) = downscale_factor, x.shape
    y = np.empty((n, h // r, w // r, c * r**2))
    for m, i, j, k in np.ndindex(x.shape):
        y[m, i // r, j // r, k * r * r + i % r * r + j % r] = x[m, i, j, k]
    return y


def windows(hw: tuple[int, int], kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> list[list[Any]]:
    """For each window its places in the image, in order; None where it lies in the padding."""
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = (many(v, 2) for v in (kernel_size, dilation, padding, stride))
    oh, ow = (hw[0] + 2 * ph - dh * (kh - 1) - 1) // sh + 1, (hw[1] + 2 * pw - dw * (kw - 1) - 1) // sw + 1
    found = []
    for i, j in np.ndindex(oh, ow):
        places = [(i * sh + a * dh - ph, j * sw + b * dw - pw) for a, b in np.ndindex(kh, kw)]
        found.append([p if 0 <= p[0] < hw[0] and 0 <= p[1] < hw[1] else None for p in places])
    return found


def unfold(x: Array, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Array:
    rows = windows(x.shape[1:3], kernel_size, dilation, padding, stride)
    return np.stack(
        [np.concatenate([x[:, p[0], p[1]] if p else 0 * x[:, 0, 0] for p in row], -1) for row in rows], axis=1
    )


def fold(x: Array, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Array:
    rows = windows(output_size, kernel_size, dilation, padding, stride)
    c = x.shape[2] // len(rows[0])
    y = np.zeros((len(x), *output_size, c))
    for k, row in enumerate(rows):
        for m, p in enumerate(row):
            if p:
                y[:, p[0], p[1]] += x[:, k, m * c : (m + 1) * c]
    return y


def dropout2d(x: Array, seed: Array, p: float, training: bool = True) -> Array:
    """The mask is the plain kernel's, of an array with one element for each channel."""
    from minigen.kernels import reference
    from minigen.random import generator, key

    mask = reference.dropout(np.ones((len(x), 1, 1, x.shape[3])), key(generator(int(seed))), p)
    return x * mask if training else x


ORACLES: dict[str, Callable[..., Any]] = {
    "conv1d": convolution,
    "conv3d": convolution,
    "conv_transpose1d": conv_transpose1d,
    "max_pool1d": pool1d(lambda window: window.max(1), -np.inf),
    "avg_pool1d": pool1d(lambda window: window.mean(1), 0.0),
    "adaptive_avg_pool2d": adaptive(np.mean),
    "adaptive_max_pool2d": adaptive(np.max),
    "resize": resize,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "unfold": unfold,
    "fold": fold,
    "dropout2d": dropout2d,
}


def twins(torch: Any) -> dict[str, Callable[..., Any]]:
    """The same operations in PyTorch, channels in front."""
    F = torch.nn.functional

    def front(x: Any) -> Any:
        return x.movedim(-1, 1)

    def turned(function: Any) -> Callable[..., Any]:
        """`function` on images with their channels in front."""
        return lambda x, **options: function(front(x), **options).movedim(1, -1)

    def convolved(function: Any) -> Callable[..., Any]:
        def call(x: Any, w: Any, b: Any = None, **options: Any) -> Any:
            if options.get("padding") == "same" and (options.get("stride", 1) != 1 or "transpose" in function.__name__):
                return None
            w = w.movedim((-1, -2), (0, 1))
            return function(front(x), w, b, **options).movedim(1, -1)

        return call

    def interpolate(x: Any, mode: str, align_corners: bool = False, **options: Any) -> Any:
        if mode != "nearest":
            options["align_corners"] = align_corners
        return F.interpolate(front(x), mode=mode, **options).movedim(1, -1)

    def unfolded(x: Any, kernel_size: Any, **options: Any) -> Any:
        columns = F.unfold(front(x), kernel_size, **options)
        n, rows, count = columns.shape
        return columns.reshape(n, x.shape[3], -1, count).permute(0, 3, 2, 1).reshape(n, count, rows)

    def folded(x: Any, output_size: Any, kernel_size: Any, **options: Any) -> Any:
        n, count, length = x.shape
        taps = math.prod(many(kernel_size, 2))
        columns = x.reshape(n, count, taps, length // taps).permute(0, 3, 2, 1).reshape(n, length, count)
        return F.fold(columns, output_size, kernel_size, **options).movedim(1, -1)

    return {
        "conv1d": convolved(F.conv1d),
        "conv3d": convolved(F.conv3d),
        "conv_transpose1d": convolved(F.conv_transpose1d),
        "max_pool1d": turned(F.max_pool1d),
        "avg_pool1d": turned(F.avg_pool1d),
        "adaptive_avg_pool2d": turned(F.adaptive_avg_pool2d),
        "adaptive_max_pool2d": turned(F.adaptive_max_pool2d),
        "resize": interpolate,
        "pixel_shuffle": turned(F.pixel_shuffle),
        "pixel_unshuffle": turned(F.pixel_unshuffle),
        "unfold": unfolded,
        "fold": folded,
    }
