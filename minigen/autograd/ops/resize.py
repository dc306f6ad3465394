"""Images of another size: nearest, bilinear and bicubic resizing, by the conventions of PyTorch's F.interpolate.

Bilinear and bicubic resizing is linear and separable: y = R x Cᵀ for each channel, with one small matrix for the rows
and one for the columns. It is written as these two products, so it has derivatives of every order. (An infinite or NaN
pixel therefore spreads along its row and column.)
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np

from minigen.autograd.ops.linalg import matmul
from minigen.autograd.ops.operands import images
from minigen.autograd.ops.pooling import upsample_nearest
from minigen.autograd.ops.shape import getitem, reshape
from minigen.autograd.tensor import Operand, Tensor
from minigen.checks import check_choice, check_number, check_pair
from minigen.errors import ArgumentError, ShapeError
from minigen.kernels.noting import constant

CUBIC = -0.75  # the free coefficient of Keys' kernel, as in PyTorch and OpenCV


def resize(
    x: Operand, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool = False
) -> Tensor:
    """x (N, H, W, C) → (N, OH, OW, C), with OH, OW given by `size`, or as ⌊H · scale_factor⌋.

    size: a whole number or a pair; scale_factor: a number or a pair. mode: "nearest" (the pixel at ⌊i · H / OH⌋),
    "bilinear", or "bicubic" (Keys 1981, with a = -0.75); pixels beyond the edge are the edge's. Sizes and places are
    those of PyTorch's F.interpolate: pixel centres lie at halves, so that the whole areas of both images coincide; with
    align_corners=True the centres of the corner pixels do. Nothing is smoothed before making an image smaller. Raises
    ShapeError unless x is a batch of images, and ArgumentError for bad options.
    """
    x = images(x, "resize")
    check_mode("resize", mode, align_corners)
    if not (x.shape[1] and x.shape[2]):
        raise ShapeError(f"resize: x {x.shape} has no pixels; images are (N, H, W, C)")
    sizes, steps = target("resize", x.shape[1:3], size, scale_factor)
    if mode == "nearest":
        if size is None and all(float(1 / step).is_integer() for step in steps):
            return upsample_nearest(x, (round(1 / steps[0]), round(1 / steps[1])))
        rows, columns = (constant(nearest(*of)) for of in zip(x.shape[1:3], sizes, steps, strict=True))
        return getitem(x, (slice(None), rows[:, None], columns))
    return separable(x, *[matrix(*of, mode, align_corners) for of in zip(x.shape[1:3], sizes, steps, strict=True)])


def check_mode(name: str, mode: str, align_corners: bool) -> None:
    """ArgumentError for an unknown mode, or corners that it does not align."""
    check_choice(name, "mode", mode, ("nearest", "bilinear", "bicubic"))
    if align_corners and mode == "nearest":
        raise ArgumentError(f"{name}: align_corners has no meaning for mode 'nearest'; leave it out, or use 'bilinear'")


def target(name: str, old: tuple[int, ...], size: Any, scale_factor: Any) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The new height and width, and how far apart in the old image two new pixels lie."""
    if (size is None) == (scale_factor is None):
        raise ArgumentError(f"{name}: pass either size or scale_factor, one of the two")
    if size is not None:
        new = check_pair(name, "size", size)
        return new, tuple(o / n for o, n in zip(old, new, strict=True))
    pair = tuple(scale_factor) if isinstance(scale_factor, (tuple, list)) else (scale_factor, scale_factor)
    if len(pair) != 2:
        raise ArgumentError(f"{name}: scale_factor is {scale_factor!r}; use one number or a pair (height, width)")
    scales = [check_number(name, "scale_factor", scale, above=0) for scale in pair]
    new = tuple(math.floor(o * scale) for o, scale in zip(old, scales, strict=True))
    if min(new) < 1:
        raise ArgumentError(f"{name}: scale_factor {scale_factor} leaves nothing of {tuple(old)}; use a larger one")
    return new, tuple(1 / scale for scale in scales)


def nearest(old: int, new: int, step: float) -> np.ndarray:
    """Which old row each new one repeats. Where rows just stay or double, they do, whatever rest the factor has.

    In float32, whose rounding is part of PyTorch's convention.
    """
    if new % old == 0 and new // old <= 2:
        return np.arange(new) // (new // old)
    places = np.floor(np.arange(new, dtype=np.float32) * np.float32(step))
    return np.minimum(places, old - 1).astype(np.int64)


@lru_cache(maxsize=64)
def matrix(old: int, new: int, step: float, mode: str, align_corners: bool) -> np.ndarray:
    """(new, old): how much of each old row is in each new one."""
    if align_corners:
        place = np.arange(new) * ((old - 1) / (new - 1) if new > 1 else 0.0)
    else:
        place = (np.arange(new) + 0.5) * step - 0.5
    if mode == "bilinear":
        if old == new:  # rows stay, whatever rest the factor has
            return np.eye(old)
        place = np.clip(place, 0, old - 1)
        first = np.floor(place).astype(np.int64)
        t = place - first
        taps = [(0, 1 - t), (1, t)]
    else:
        first = np.floor(place).astype(np.int64)
        t, a = place - first, CUBIC

        def near(d: np.ndarray) -> np.ndarray:
            return ((a + 2) * d - (a + 3)) * d * d + 1

        def far(d: np.ndarray) -> np.ndarray:
            return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

        taps = [(-1, far(t + 1)), (0, near(t)), (1, near(1 - t)), (2, far(2 - t))]
    weights = np.zeros((new, old))
    for offset, share in taps:
        np.add.at(weights, (np.arange(new), np.clip(first + offset, 0, old - 1)), share)
    return weights


def separable(x: Tensor, rows: np.ndarray, columns: np.ndarray) -> Tensor:
    """y[n, i, j, c] = Σ_{h, w} rows[i, h] columns[j, w] x[n, h, w, c]."""
    n, h, w, c = x.shape
    flat = matmul(Tensor(constant(rows.astype(x.dtype))), reshape(x, (n, h, w * c)))
    return matmul(Tensor(constant(columns.astype(x.dtype))), reshape(flat, (n, len(rows), w, c)))
