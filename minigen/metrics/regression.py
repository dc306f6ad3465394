"""How far predicted numbers are from the true ones."""

from typing import Any

import numpy as np

from minigen.errors import DataError
from minigen.metrics.arrays import paired

NAMES = ("predictions", "targets")


def mean_squared_error(predictions: Any, targets: Any) -> float:
    """Mean of (prediction - target)² over all elements, in float64. Raises ShapeError, DataError for NaN."""
    p, t = paired(predictions, targets, NAMES, "mean_squared_error")
    return float(np.mean((p - t) ** 2))


def mean_absolute_error(predictions: Any, targets: Any) -> float:
    """Mean of |prediction - target| over all elements, in float64. Raises ShapeError, DataError for NaN."""
    p, t = paired(predictions, targets, NAMES, "mean_absolute_error")
    return float(np.mean(np.abs(p - t)))


def r2_score(predictions: Any, targets: Any) -> float:
    """1 - Σ (prediction - target)² / Σ (target - mean)²: the share of the spread of the targets that is explained.

    1 is perfect, 0 as good as their mean, below that worse. Raises ShapeError, DataError for NaN, or when all targets
    are equal and there is no spread.
    """
    p, t = paired(predictions, targets, NAMES, "r2_score")
    spread = np.sum((t - t.mean()) ** 2)
    if spread == 0:
        raise DataError("r2_score: all targets are equal, so there is no spread to explain; use mean_squared_error")
    return float(1 - np.sum((p - t) ** 2) / spread)
