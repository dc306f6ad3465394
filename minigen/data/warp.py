"""Random changes of where things are in an image: turned, scaled, slanted, and bent like handwriting.

Each pixel of the result is read from a place between four pixels of the image, in proportion to how near they are.
What lies outside of the image is `fill`: black, the low end of the data's range.
"""

import math

import numpy as np

from minigen.checks import check_number
from minigen.data.augment import check_batch
from minigen.errors import ShapeError
from minigen.random import check_rng


def random_rotate(x: np.ndarray, degrees: float, rng: np.random.Generator, fill: float = 0.0) -> np.ndarray:
    """Each image of x (N, H, W, C) turned around its middle by its own angle, up to ±degrees.

    Raises ArgumentError unless 0 ≤ degrees ≤ 180, ShapeError for a single image.
    """
    degrees = check_number("random_rotate", "degrees", degrees, 0, high=180)
    n = len(check_batch("random_rotate", x))
    angles = np.radians(check_rng(rng, "random_rotate").uniform(-degrees, degrees, n))
    sin, cos = np.sin(angles), np.cos(angles)
    return transformed(x, np.stack([np.stack([cos, -sin], 1), np.stack([sin, cos], 1)], 1), fill)


def random_scale(x: np.ndarray, by: float, rng: np.random.Generator, fill: float = 0.0) -> np.ndarray:
    """Each image of x (N, H, W, C) larger or smaller by its own factor, from 1 / by to by, evenly in its logarithm.

    Raises ArgumentError for a factor below 1, ShapeError for a single image.
    """
    by = check_number("random_scale", "by", by, 1)
    n = len(check_batch("random_scale", x))
    factors = np.exp(check_rng(rng, "random_scale").uniform(-math.log(by), math.log(by), n))
    return transformed(x, np.eye(2) / factors[:, None, None], fill)


def random_shear(x: np.ndarray, degrees: float, rng: np.random.Generator, fill: float = 0.0) -> np.ndarray:
    """Each image of x (N, H, W, C) slanted by its own angle, up to ±degrees: rows are moved the more, the farther they
    are from the middle. Raises ArgumentError unless 0 ≤ degrees < 90, ShapeError for a single image.
    """
    degrees = check_number("random_shear", "degrees", degrees, 0, 90)
    n = len(check_batch("random_shear", x))
    matrices = np.tile(np.eye(2), (n, 1, 1))
    matrices[:, 1, 0] = np.tan(np.radians(check_rng(rng, "random_shear").uniform(-degrees, degrees, n)))
    return transformed(x, matrices, fill)


def random_elastic(
    x: np.ndarray, alpha: float, sigma: float, rng: np.random.Generator, fill: float = 0.0
) -> np.ndarray:
    """Each image of x (N, H, W, C) bent by its own smooth field.

    Every pixel's own shift is uniform on ±1; then all are averaged by a Gaussian of deviation `sigma` pixels, and times
    `alpha`; 34 and 4 suit digits of 28 pixels. Simard, Steinkraus, Platt 2003, section 2, without bringing the field to
    a length. Raises ArgumentError for a negative alpha or a sigma that is not above 0, ShapeError for a single image.
    """
    alpha = check_number("random_elastic", "alpha", alpha, 0)
    sigma = check_number("random_elastic", "sigma", sigma, above=0)
    n, height, width, _ = check_batch("random_elastic", x).shape
    noise = check_rng(rng, "random_elastic").uniform(-1, 1, (n, 2, height, width))
    field = smoothing(height, sigma) @ noise @ smoothing(width, sigma).T * alpha
    return warp(x, np.moveaxis(field, 1, -1) + places(height, width), fill)


def transformed(x: np.ndarray, matrices: np.ndarray, fill: float) -> np.ndarray:
    """Images read at the places that matrices (N, 2, 2) take each pixel's place to, seen from the middle."""
    _, height, width, _ = x.shape
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    offsets = places(height, width) - middle
    return warp(x, np.einsum("nij,hwj->nhwi", matrices, offsets) + middle, fill)


def places(height: int, width: int) -> np.ndarray:
    """Row and column of each pixel (H, W, 2)."""
    return np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1).astype(np.float64)


def smoothing(length: int, sigma: float) -> np.ndarray:
    """The matrix (length, length) that averages a row by a Gaussian; beyond its ends there is nothing."""
    steps = np.arange(length)
    weights = np.exp(-(((steps[:, None] - steps) / sigma) ** 2) / 2)
    return weights / (sigma * math.sqrt(2 * math.pi))


def warp(x: np.ndarray, at: np.ndarray, fill: float = 0.0) -> np.ndarray:
    """Images of x (N, H, W, C) read at places at (N, H', W', 2), rows and columns, between pixels; float32.

    Raises ShapeError for places of another number of images.
    """
    n, height, width, _ = check_batch("warp", x).shape
    if at.ndim != 4 or len(at) != n or at.shape[3] != 2:
        raise ShapeError(f"warp: places are {at.shape} for x {x.shape}; pass ({n}, H, W, 2), rows and columns")
    framed = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=fill)  # what is outside has one pixel
    near = np.clip(at + 1, 0, [height + 1, width + 1])
    first = np.minimum(np.floor(near).astype(np.int64), [height, width])
    part = (near - first)[..., None].astype(np.float32)
    down, right = part[:, :, :, 0], part[:, :, :, 1]
    image, (row, column) = np.arange(n)[:, None, None], np.moveaxis(first, -1, 0)
    upper = framed[image, row, column] * (1 - right) + framed[image, row, column + 1] * right
    lower = framed[image, row + 1, column] * (1 - right) + framed[image, row + 1, column + 1] * right
    return (upper * (1 - down) + lower * down).astype(np.float32)
