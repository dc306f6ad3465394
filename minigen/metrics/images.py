"""How near images are to the true ones: by their pixels, and by what is seen of their structure."""

from typing import Any

import numpy as np

from minigen.checks import check_number
from minigen.errors import DataError, ShapeError
from minigen.metrics.arrays import plain_array

WINDOW, DEVIATION = 11, 1.5  # of the Gaussian that SSIM looks through
K1, K2 = 0.01, 0.03


def psnr(images: Any, truth: Any, range: float = 1.0) -> np.ndarray:
    """Peak signal-to-noise ratio of each image, (N,), in decibels: 10 log₁₀(range² / mean squared error); ∞ if equal.

    images, truth (N, H, W, C); range: from black to white. Raises ShapeError, DataError for NaN, ArgumentError.
    """
    a, b, range = image_pair("psnr", images, truth, range)
    with np.errstate(divide="ignore"):
        return 10 * np.log10(range**2 / np.square(a - b).mean((1, 2, 3)))


def ssim(images: Any, truth: Any, range: float = 1.0) -> np.ndarray:
    """Structural similarity of each image, (N,), at most 1, which is equal.

    Averaged over channels and over all places of a Gaussian window of 11×11 (deviation 1.5) that lies inside:

        (2 μ_a μ_b + c₁) (2 σ_ab + c₂) / ((μ_a² + μ_b² + c₁) (σ_a² + σ_b² + c₂))

    with c₁ = (0.01 range)² and c₂ = (0.03 range)². Wang et al. 2004, equation 13. images, truth (N, H, W, C), 11×11 or
    larger. Raises as `psnr`.
    """
    a, b, range = image_pair("ssim", images, truth, range)
    if min(a.shape[1:3]) < WINDOW:
        raise ShapeError(
            f"ssim: images are {a.shape[1]}×{a.shape[2]}, smaller than the window; use {WINDOW}×{WINDOW} or more"
        )
    (mean_a, mean_b), c1, c2 = (blurred(a), blurred(b)), (K1 * range) ** 2, (K2 * range) ** 2
    variances = blurred(a * a) - mean_a**2 + blurred(b * b) - mean_b**2
    covariance = blurred(a * b) - mean_a * mean_b
    alike = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1) * (2 * covariance + c2) / (variances + c2)
    return alike.mean((1, 2, 3))


def image_pair(operation: str, images: Any, truth: Any, range: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Both as float64, of one shape (N, H, W, C)."""
    a, b = plain_array(images, operation), plain_array(truth, operation)
    if a.shape != b.shape or a.ndim != 4 or not a.size:
        raise ShapeError(f"{operation}: images are {a.shape}, truth {b.shape}; pass two of one shape (N, H, W, C)")
    a, b = a.astype(np.float64), b.astype(np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise DataError(f"{operation}: images hold NaN or infinity; look at where they come from")
    return a, b, check_number(operation, "range", range, above=0)


def blurred(x: np.ndarray) -> np.ndarray:
    """Means (N, H - 10, W - 10, C) through the window."""
    steps = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-((steps / DEVIATION) ** 2) / 2)
    weights /= weights.sum()
    for axis in (1, 2):
        x = np.lib.stride_tricks.sliding_window_view(x, WINDOW, axis=axis) @ weights
    return x
