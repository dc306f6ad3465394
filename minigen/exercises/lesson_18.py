"""Exercises of lesson 18: no copies of windows."""

import numpy as np

from minigen.exercises.exercise import Exercise


def window_starts(shape: tuple[int, int, int, int], kernel: int, stride: int) -> np.ndarray:
    """Where each window begins in the flat memory of images (N, H, W, C): whole numbers (N, OH, OW).

    OH = (H - kernel) // stride + 1, OW likewise. Window (n, i, j) begins at pixel (n, i · stride, j · stride).
    """
    images, height, width, channels = shape
    n, i, j = np.ogrid[:images, : height - kernel + 1 : stride, : width - kernel + 1 : stride]
    return ((n * height + i) * width + j) * channels


def convolve_by_taps(x: np.ndarray, w: np.ndarray, stride: int) -> np.ndarray:
    """The convolution without padding of images x (N, H, W, C) by w (KH, KW, C, O): (N, OH, OW, O).

    y[n, i, j] = Σ over a, b of x[n, i · stride + a, j · stride + b] · w[a, b]: a product of views for each tap (a, b).
    """
    (kh, kw, _, kept), (n, height, width, _) = w.shape, x.shape
    oh, ow = (height - kh) // stride + 1, (width - kw) // stride + 1
    y = np.zeros((n, oh, ow, kept), x.dtype)
    for a, b in np.ndindex(kh, kw):
        y += x[:, a::stride, b::stride][:, :oh, :ow] @ w[a, b]
    return y


def taps_met(size: int, kernel: int, padding: int, stride: int) -> np.ndarray:
    """How many taps of each window of one axis lie in the image, whole numbers (windows,).

    Window q has taps at q · stride - padding + a, 0 ≤ a < kernel. An axis of `size` pixels and `padding` zeros on both
    sides, has (size + 2 · padding - kernel) // stride + 1 windows.
    """
    first = np.arange((size + 2 * padding - kernel) // stride + 1) * stride - padding
    return np.maximum(np.minimum(first + kernel, size) - np.maximum(first, 0), 0)


def by_windows(shape: tuple[int, int, int, int], kernel: int, stride: int) -> np.ndarray:
    """Rows are as long as there are windows."""
    images, height, width, channels = shape
    oh, ow = (height - kernel) // stride + 1, (width - kernel) // stride + 1
    n, i, j = np.ogrid[:images, :oh, :ow]
    return ((n * oh + i) * ow + j) * channels


def unstrided_starts(shape: tuple[int, int, int, int], kernel: int, stride: int) -> np.ndarray:
    """Windows one pixel apart."""
    found = window_starts(shape, kernel, stride)
    return window_starts(shape, kernel, 1)[:, : found.shape[1], : found.shape[2]]


def full_starts(shape: tuple[int, int, int, int], kernel: int, stride: int) -> np.ndarray:
    """A window for each pixel."""
    return window_starts(shape, 1, stride)


def last_tap(x: np.ndarray, w: np.ndarray, stride: int) -> np.ndarray:
    """The sum is overwritten."""
    alone = np.zeros_like(w)
    alone[-1, -1] = w[-1, -1]
    return convolve_by_taps(x, alone, stride)


def no_stride(x: np.ndarray, w: np.ndarray, stride: int) -> np.ndarray:
    """As many pixels, side by side."""
    y = convolve_by_taps(x, w, stride)
    return convolve_by_taps(x, w, 1)[:, : y.shape[1], : y.shape[2]]


EXERCISES = [
    Exercise(
        answer=window_starts,
        cases=lambda rng: [((2, 5, 4, 3), 3, 1), ((1, 7, 6, 2), 3, 2), ((2, 3, 3, 1), 3, 1), ((1, 5, 5, 4), 1, 3)],
        mistakes={
            "a pixel has C numbers: the position counts numbers, not pixels": lambda shape, kernel, stride: (
                window_starts(shape, kernel, stride) // shape[3]
            ),
            "rows of the image are W pixels long and images H rows, not OW and OH": by_windows,
            "the stride is missing: windows lie `stride` pixels apart": unstrided_starts,
            "the last windows reach over the edge; there are fewer windows than pixels": full_starts,
        },
        hints=(
            "Pixel (n, i, j) is number (n H + i) W + j of all pixels.",
            "np.ogrid[:a, :b:s, :c:s] gives the three indices in shapes that broadcast.",
        ),
    ),
    Exercise(
        answer=convolve_by_taps,
        cases=lambda rng: [
            (rng.standard_normal((2, 5, 6, 3)), rng.standard_normal((3, 2, 3, 4)), 1),
            (rng.standard_normal((1, 7, 6, 2)), rng.standard_normal((3, 3, 2, 3)), 2),
            (rng.standard_normal((1, 3, 3, 1)), rng.standard_normal((3, 3, 1, 1)), 1),
        ],
        mistakes={
            "the kernel is turned round, as in a mathematician's convolution": lambda x, w, stride: convolve_by_taps(
                x, w[::-1, ::-1], stride
            ),
            "each tap overwrites the one before; add them up": last_tap,
            "rows and columns of the kernel have changed places": lambda x, w, stride: convolve_by_taps(
                x, w.swapaxes(0, 1), stride
            ),
            "the pixels of a tap lie `stride` apart in the image": no_stride,
        },
        hints=(
            "x[:, a::stride, b::stride] begins at the pixel that window (0, 0) sees under tap (a, b).",
            "Cut it to OH x OW pixels; `@` multiplies its last axis by w[a, b] (C, O).",
        ),
    ),
    Exercise(
        answer=taps_met,
        cases=lambda rng: [(8, 3, 1, 1), (5, 5, 2, 2), (2, 5, 2, 1), (6, 2, 2, 2), (4, 3, 0, 1)],
        mistakes={
            "every window is counted with its taps in the padding": lambda size, kernel, padding, stride: (
                kernel + 0 * taps_met(size, kernel, padding, stride)
            ),
            "the right border cuts windows, too": lambda size, kernel, padding, stride: np.maximum(
                taps_met(size + kernel, kernel, padding, stride)[: len(taps_met(size, kernel, padding, stride))], 0
            ),
            "the left border cuts windows, too": lambda size, kernel, padding, stride: np.maximum(
                taps_met(size + kernel, kernel, padding, stride)[: len(taps_met(size, kernel, padding, stride))][::-1],
                0,
            ),
            "the windows begin in the padding, at -padding, not at 0": lambda size, kernel, padding, stride: np.clip(
                size - np.arange(len(taps_met(size, kernel, padding, stride))) * stride, 0, kernel
            ),
        },
        hints=(
            "A window's taps are the pixels first, …, first + kernel - 1.",
            "Those in the image run from max(first, 0) to min(first + kernel, size); none, if that is negative.",
        ),
    ),
]
