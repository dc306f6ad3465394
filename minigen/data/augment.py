"""Random changes to a batch of images that leave their class as it is: shifts, mirror images, gaps, noise, mixtures.

Those that turn, scale, slant or bend are in warp.py.
"""

import numpy as np

from minigen.checks import check_count, check_number
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


def random_erase(x: np.ndarray, share: float, rng: np.random.Generator, fill: float = 0.0) -> np.ndarray:
    """Each image of x (N, H, W, C) with its own rectangle of `fill`, of up to `share` of height and of width.

    Zhong et al. 2020. Raises ArgumentError unless 0 ≤ share ≤ 1, ShapeError for a single image.
    """
    share = check_number("random_erase", "share", share, 0, high=1)
    n, height, width, _ = check_batch("random_erase", x).shape
    check_rng(rng, "random_erase")
    gone = np.ones((n, height, width), bool)
    for axis, length in ((1, height), (2, width)):
        size = rng.integers(0, int(share * length) + 1, n)
        start = rng.integers(0, length - size + 1)
        steps = np.arange(length)
        inside = (steps >= start[:, None]) & (steps < (start + size)[:, None])
        gone &= np.expand_dims(inside, 3 - axis)
    return np.where(gone[..., None], np.asarray(fill, x.dtype), x)


def random_noise(
    x: np.ndarray, deviation: float, rng: np.random.Generator, range: tuple[float, float] = (0.0, 1.0)
) -> np.ndarray:
    """x (N, H, W, C) with Gaussian noise on every pixel, kept within the data's range; float32.

    Raises ArgumentError for a negative deviation, ShapeError for a single image.
    """
    deviation = check_number("random_noise", "deviation", deviation, 0)
    shape = check_batch("random_noise", x).shape
    noise = check_rng(rng, "random_noise").standard_normal(shape, dtype=np.float32)
    return np.clip(x + np.float32(deviation) * noise, *range).astype(np.float32)


def mix_up(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, alpha: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Each image of x (N, H, W, C) mixed with another one of the batch, and their classes y (N, K) in the same parts.

    y: one-hot rows, or probabilities. The part λ ~ Beta(alpha, alpha) is each pair's own. Zhang et al. 2018, section 2.
    Raises ArgumentError for an alpha that is not above 0, ShapeError for a single image, or classes of another number.
    """
    alpha = check_number("mix_up", "alpha", alpha, above=0)
    n = len(check_batch("mix_up", x))
    if np.ndim(y) != 2 or len(y) != n:
        raise ShapeError(f"mix_up: y is {np.shape(y)} for x {np.shape(x)}; pass one-hot rows ({n}, classes)")
    other = check_rng(rng, "mix_up").permutation(n)
    part = rng.beta(alpha, alpha, n).astype(np.float32)
    parts = [part.reshape(-1, *[1] * (array.ndim - 1)) for array in (x, y)]
    mixed = (array * share + array[other] * (1 - share) for array, share in zip((x, y), parts, strict=True))
    images, classes = (array.astype(np.float32) for array in mixed)
    return images, classes


def check_batch(operation: str, x: np.ndarray) -> np.ndarray:
    """x itself; ShapeError unless it is a batch of images."""
    if np.ndim(x) != 4:
        raise ShapeError(f"{operation}: x {np.shape(x)} is no batch (N, H, W, C); a single image is one of x[None]")
    return x
