"""Checks that all measures of samples share: rows of numbers, enough of them, finite."""

from typing import Any

import numpy as np

from minigen.errors import DataError, ShapeError
from minigen.metrics.arrays import plain_array

BLOCK = 256  # rows whose distances to all others are held at once


def rows(operation: str, name: str, values: Any, least: int) -> np.ndarray:
    """Features (N, D) of N ≥ least samples, floats. Raises ShapeError, or DataError for what is not finite."""
    array = plain_array(values, operation)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ShapeError(f"{operation}: {name} is {array.shape}; pass (N, D), a row of features for each sample")
    if len(array) < least:
        raise ShapeError(f"{operation}: {name} has {len(array)} samples, too few; pass at least {least}")
    array = array if array.dtype.kind == "f" else array.astype(np.float64)
    if not np.isfinite(array).all():
        raise DataError(f"{operation}: {name} holds NaN or infinity; look at the samples it was made of")
    return array


def row_pair(operation: str, real: Any, fake: Any, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of real images and of samples, of one width, as float64."""
    a, b = rows(operation, "real", real, least), rows(operation, "fake", fake, least)
    if a.shape[1] != b.shape[1]:
        raise ShapeError(f"{operation}: real has {a.shape[1]} features and fake {b.shape[1]}; use one extractor")
    return a.astype(np.float64, copy=False), b.astype(np.float64, copy=False)


def centred(operation: str, real: Any, fake: Any, least: int) -> tuple[np.ndarray, np.ndarray, float]:
    """`row_pair` around the mean of the real ones, over the largest number in both, and that number.

    Differences stay what they are, but for the factor; their squares neither cancel nor overflow. Raises DataError for
    numbers whose differences are beyond a float.
    """
    a, b = row_pair(operation, real, fake, least)
    with np.errstate(over="ignore", invalid="ignore"):
        largest = max(float(np.abs(a).max()), float(np.abs(b).max()))
        center = (a / (largest or 1.0)).mean(0) * largest
        a, b = a - center, b - center
        scale = max(float(np.abs(a).max()), float(np.abs(b).max())) or 1.0
    if not np.isfinite(scale):
        raise DataError(f"{operation}: features differ by more than a float can hold; scale them down")
    return a / scale, b / scale, scale


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """|a_i - b_j|² (N, M), at least 0, of rows (N, D) and (M, D)."""
    distances = a @ (-2 * b.T)  # in place from here on: memory is what this waits for
    distances += (a * a).sum(1)[:, None]
    distances += (b * b).sum(1)
    return np.maximum(distances, 0, out=distances)
