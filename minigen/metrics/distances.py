"""Two sets of images, compared by the distributions of their features.

Both are measures of the features as much as of the images: figures compare only where the same network made them.
"""

import math
from typing import Any

import numpy as np

from minigen.checks import check_count
from minigen.errors import DataError, ShapeError
from minigen.metrics.samples import centred, row_pair
from minigen.random import check_rng


def frechet_distance(real: Any, fake: Any) -> float:
    """|μ - ν|² + tr(S + T - 2 (S T)^½): the squared Fréchet distance of the Gaussians with these means and covariances.

    real (N, D), fake (M, D): features, more samples than features. S and T are divided by N - 1 and M - 1. It falls
    with the number of samples: compare figures of one number. Heusel et al. 2017, equation 6 (FID, where the features
    are those of an Inception network); Dowson & Landau 1982.
    Raises ShapeError for too few samples, DataError for NaN or infinity.
    """
    a, b, scale = centred("frechet_distance", real, fake, 2)
    features, samples = a.shape[1], min(len(a), len(b))
    if samples <= features:
        raise ShapeError(
            f"frechet_distance: {samples} samples of {features} features, too few for a covariance; pass more samples "
            "than features"
        )
    root = square_root(np.cov(a, rowvar=False).reshape(a.shape[1], -1))
    other = np.cov(b, rowvar=False).reshape(b.shape[1], -1)
    # (S T)^½ and (S^½ T S^½)^½ have the same trace, and the second is of a symmetric matrix.
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0)).sum()
    shift = a.mean(0) - b.mean(0)
    distance = float(max(shift @ shift + np.trace(root @ root) + np.trace(other) - 2 * shared, 0.0))
    return finite("frechet_distance", distance * scale * scale)


def finite(operation: str, value: float) -> float:
    """The value itself. Raises DataError when features were too large for it."""
    if not math.isfinite(value):
        raise DataError(f"{operation}: features are too large, so that the result is {value}; scale them down")
    return value


def square_root(matrix: np.ndarray) -> np.ndarray:
    """The symmetric square root of a symmetric matrix without negative eigenvalues but for rounding."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def kernel_distance(
    real: Any, fake: Any, rng: np.random.Generator, subsets: int = 100, size: int = 1000
) -> tuple[float, float]:
    """(mean, standard deviation) over random subsets of the unbiased squared maximum mean discrepancy.

    With the kernel k(x, y) = (x · y / D + 1)³, of n samples x and y each, drawn without repetition,

        1 / (n (n - 1)) Σ_{i≠j} (k(x_i, x_j) + k(y_i, y_j)) - 2 / n² Σ_{i, j} k(x_i, y_j),

    which is 0 on average for equal distributions, and may be negative. size: n, or as many samples as there are. The
    deviation is that between subsets. Bińkowski et al. 2018, section 4 (KID). Raises ShapeError, DataError,
    DTypeError, ArgumentError.
    """
    name = "kernel_distance"
    subsets, size = check_count(name, "subsets", subsets), check_count(name, "size", size, 2)
    a, b, rng = *row_pair(name, real, fake, 2), check_rng(rng, name)
    n = min(size, len(a), len(b))
    with np.errstate(over="ignore", invalid="ignore"):  # which `finite` tells
        values = [
            discrepancy(a[rng.choice(len(a), n, replace=False)], b[rng.choice(len(b), n, replace=False)])
            for _ in range(subsets)
        ]
        spread = float(np.std(values))
    return finite(name, float(np.mean(values))), finite(name, spread)


def discrepancy(a: np.ndarray, b: np.ndarray) -> float:
    """The unbiased squared maximum mean discrepancy of two sets of n samples, with the cubic kernel."""
    n = len(a)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        k = x @ y.T / x.shape[1] + 1
        return k * k * k  # a fifth of the time of ** 3

    within = sum(k.sum() - np.trace(k) for k in (kernel(a, a), kernel(b, b)))
    return within / (n * (n - 1)) - 2 * kernel(a, b).mean()
