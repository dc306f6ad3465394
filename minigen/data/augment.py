"""Random changes to a batch of images that leave their class as it is: shifts and mirror images."""

import numpy as np

from minigen.checks import check_count
from minigen.errors import ShapeError
from minigen.random import check_rng


def random_shift(x: np.ndarray, pixels: int, rng: np.random.Generator, fill: float = 0.0) -> np.ndarray:
    """Each image of x (N, H, W, C) moved by its own whole number of pixels, up to ±`pixels` on both axes.

    What comes in at the border is `fill`: black, the low end of the data's range. Raises ArgumentError if pixels < 0,
    ShapeError for a single image.
    """
    pixels = check_count("random_shift", "pixels", pixels, 0)
    check_rng(rng, "random_shift")
    batch, height, width, _ = check_batch("random_shift", x).shape
    padded = np.pad(x, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)), constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    down, right = rng.integers(0, 2 * pixels + 1, size=(2, batch))
    shifted = windows[np.arange(batch), down, right]
    return np.ascontiguousarray(shifted.transpose(0, 2, 3, 1))


def random_flip(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each image of x (N, H, W, C) mirrored left to right with probability one half. Not for digits.

    Raises ShapeError for a single image.
    """
    check_rng(rng, "random_flip")
    mirrored = rng.random(len(check_batch("random_flip", x))) < 0.5
    return np.where(mirrored[:, np.newaxis, np.newaxis, np.newaxis], x[:, :, ::-1], x)


def check_batch(operation: str, x: np.ndarray) -> np.ndarray:
    """x itself; ShapeError unless it is a batch of images."""
    if np.ndim(x) != 4:
        raise ShapeError(f"{operation}: x {np.shape(x)} is no batch (N, H, W, C); a single image is one of x[None]")
    return x
