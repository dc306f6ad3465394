"""Exercises of lesson 8: convolution and its adjoints."""

from collections.abc import Callable

import numpy as np

from minigen.exercises.exercise import Exercise


def convolve(x: np.ndarray, w: np.ndarray, stride: int) -> np.ndarray:
    """y[i, j, k] = Σ x[i s + a, j s + b, c] w[a, b, c, k], the sum over a, b and c, of one image, without padding.

    x (H, W, C), w (KH, KW, C, K); y (OH, OW, K) with OH = ⌊(H - KH) / s⌋ + 1, and OW likewise. The kernel is not turned
    round.
    """
    rows, columns = (x.shape[0] - w.shape[0]) // stride + 1, (x.shape[1] - w.shape[1]) // stride + 1
    y = np.zeros((rows, columns, w.shape[3]))
    for i, j in np.ndindex(rows, columns):
        window = x[i * stride : i * stride + w.shape[0], j * stride : j * stride + w.shape[1]]
        y[i, j] = np.tensordot(window, w, axes=3)
    return y


def convolve_input_backward(g: np.ndarray, w: np.ndarray, shape: tuple[int, int, int], stride: int) -> np.ndarray:
    """The gradient by x of <g, convolve(x, w, stride)>: the transposed convolution of g.

    g (OH, OW, K), w (KH, KW, C, K); shape (H, W, C) of x, and of the result.
    gx[i s + a, j s + b, c] gathers Σₖ g[i, j, k] w[a, b, c, k]; windows overlap.
    """
    gx = np.zeros(shape)
    for i, j in np.ndindex(g.shape[:2]):
        gx[i * stride : i * stride + w.shape[0], j * stride : j * stride + w.shape[1]] += w @ g[i, j]
    return gx


def convolve_weight_backward(x: np.ndarray, g: np.ndarray, shape: tuple[int, int, int, int], stride: int) -> np.ndarray:
    """The gradient by w of <g, convolve(x, w, stride)>: gw[a, b, c, k] = Σ g[i, j, k] x[i s + a, j s + b, c].

    The sum is over i and j. x (H, W, C), g (OH, OW, K); shape (KH, KW, C, K) of w, and of the result.
    """
    gw = np.zeros(shape)
    for i, j in np.ndindex(g.shape[:2]):
        window = x[i * stride : i * stride + shape[0], j * stride : j * stride + shape[1]]
        gw += window[..., None] * g[i, j]
    return gw


def neighbouring(x: np.ndarray, w: np.ndarray, stride: int) -> np.ndarray:
    """As many outputs as there should be, of windows that begin one pixel apart."""
    rows, columns = convolve(x, w, stride).shape
    return convolve(x, w, 1)[:rows, :columns]


def smaller(x: np.ndarray, w: np.ndarray, stride: int, count: Callable[[int, int], int]) -> np.ndarray:
    """The first outputs: as many along each axis as `count` of the lengths of image and kernel says."""
    rows, columns = (max(count(n, k), 0) for n, k in zip(x.shape[:2], w.shape[:2], strict=True))
    return convolve(x, w, stride)[:rows, :columns]


def last_write_stays(g: np.ndarray, w: np.ndarray, shape: tuple[int, int, int], stride: int) -> np.ndarray:
    """Windows are written, not added."""
    gx = np.zeros(shape)
    for i, j in np.ndindex(g.shape[:2]):
        gx[i * stride : i * stride + w.shape[0], j * stride : j * stride + w.shape[1]] = w @ g[i, j]
    return gx


def packed(g: np.ndarray, w: np.ndarray, shape: tuple[int, int, int], stride: int) -> np.ndarray:
    """Windows that begin one pixel apart, at any stride."""
    return convolve_input_backward(g, w, shape, 1)


def packed_weights(x: np.ndarray, g: np.ndarray, shape: tuple[int, int, int, int], stride: int) -> np.ndarray:
    """The weight gradient of stride 1, at any stride."""
    return convolve_weight_backward(x, g, shape, 1)


def last_window(x: np.ndarray, g: np.ndarray, shape: tuple[int, int, int, int], stride: int) -> np.ndarray:
    """What the last output adds."""
    only = np.zeros(g.shape)
    only[-1, -1] = g[-1, -1]
    return convolve_weight_backward(x, only, shape, stride)


def backward_cases(rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, int]]:
    """x, w, a gradient of the result, and the stride."""
    sizes = [
        ((5, 6, 1), (3, 2, 1, 1), 1),
        ((6, 6, 2), (3, 3, 2, 3), 2),
        ((8, 5, 3), (2, 3, 3, 2), 2),
        ((7, 7, 1), (2, 2, 1, 2), 3),
        ((3, 4, 2), (3, 4, 2, 1), 1),
    ]
    cases = []
    for image, kernel, stride in sizes:
        x, w = rng.standard_normal(image), rng.standard_normal(kernel)
        cases.append((x, w, rng.standard_normal(convolve(x, w, stride).shape), stride))
    return cases


EXERCISES = [
    Exercise(
        answer=convolve,
        cases=lambda rng: [(x, w, stride) for x, w, _, stride in backward_cases(rng)],
        mistakes={
            "the kernel is turned round: here w[0, 0] meets the first pixel of the window": lambda x, w, stride: (
                convolve(x, w[::-1, ::-1], stride)
            ),
            "windows begin a stride apart: at i s and j s, not at i and j": neighbouring,
            "the stride is left out: fewer outputs are asked for": lambda x, w, stride: convolve(x, w, 1),
            "the last window is missing: ⌊(H - KH) / s⌋ + 1 of them fit": lambda x, w, stride: smaller(
                x, w, stride, lambda n, k: (n - k) // stride
            ),
            "⌊(H - KH) / s⌋ + 1 windows fit: add the 1 after dividing": lambda x, w, stride: smaller(
                x, w, stride, lambda n, k: (n - k + 1) // stride
            ),
            "the last window is missing: it begins at H - KH, where range(0, H - KH, s) does not come": (
                lambda x, w, stride: smaller(x, w, stride, lambda n, k: len(range(0, n - k, stride)))
            ),
        },
        hints=(
            "How many windows fit? The first begins at 0, the last at H - KH at most.",
            "x[top : top + KH, left : left + KW] is a window (KH, KW, C). For each k, times w[..., k], and sum.",
        ),
    ),
    Exercise(
        answer=convolve_input_backward,
        cases=lambda rng: [(g, w, x.shape, stride) for x, w, g, stride in backward_cases(rng)],
        mistakes={
            "a pixel in several windows gets something from each: add, do not write": last_write_stays,
            "windows are a stride apart here, too": packed,
            "the kernel is not turned round in this direction either: w[a, b] goes to i s + a, j s + b": (
                lambda g, w, shape, stride: convolve_input_backward(g, w[::-1, ::-1], shape, stride)
            ),
            "the gradient of each output counts; this takes all of them as 1": lambda g, w, shape, stride: (
                convolve_input_backward(np.ones(g.shape), w, shape, stride)
            ),
        },
        hints=(
            "Go over the outputs, as in the forward. What does output (i, j) owe to the pixels of its window?",
            "w @ g[i, j], of shape (KH, KW, C), is added to the window at i s, j s of an array of zeros.",
        ),
    ),
    Exercise(
        answer=convolve_weight_backward,
        cases=lambda rng: [(x, g, w.shape, stride) for x, w, g, stride in backward_cases(rng)],
        mistakes={
            "windows are a stride apart here, too": packed_weights,
            "the last window is all that is left: add up, gw += …": last_window,
            "the weights were used at every place, and what they get is summed, not averaged": (
                lambda x, g, shape, stride: convolve_weight_backward(x, g, shape, stride) / (g.shape[0] * g.shape[1])
            ),
            "this is turned round: w[a, b] met x[i s + a, j s + b]": lambda x, g, shape, stride: (
                convolve_weight_backward(x, g, shape, stride)[::-1, ::-1].copy()
            ),
            "the gradient of each output counts; this takes all of them as 1": lambda x, g, shape, stride: (
                convolve_weight_backward(x, np.ones(g.shape), shape, stride)
            ),
        },
        hints=(
            "Which windows did w[a, b] take part in? All of them.",
            "Each output (i, j) adds its window of x, times g[i, j, k], to gw[..., k].",
        ),
    ),
]
