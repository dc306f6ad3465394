"""Random changes to a batch of images that leave their class as it is: shifts and mirror images."""

import numpy as np

from minigen.errors import ArgumentError


def random_shift(x: np.ndarray, pixels: int, rng: np.random.Generator, fill: float = 0.0) -> np.ndarray:
    """Each image of x (N, H, W, C) moved by its own whole number of pixels, up to ±`pixels` on both axes.

    What comes in at the border is `fill`: black, the low end of the data's range. Raises ArgumentError if pixels < 0.
    """
    if pixels < 0:
        raise ArgumentError(f"random_shift: pixels is {pixels}; use a number ≥ 0")
    batch, height, width, _ = x.shape
    padded = np.pad(x, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)), constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    down, right = rng.integers(0, 2 * pixels + 1, size=(2, batch))
    shifted = windows[np.arange(batch), down, right]
    return np.ascontiguousarray(shifted.transpose(0, 2, 3, 1))


def random_flip(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each image of x (N, H, W, C) mirrored left to right with probability one half. Not for digits."""
    mirrored = rng.random(len(x)) < 0.5
    return np.where(mirrored[:, np.newaxis, np.newaxis, np.newaxis], x[:, :, ::-1], x)
