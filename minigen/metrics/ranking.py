"""Do two measures put things into the same order?"""

from typing import Any

import numpy as np

from minigen.errors import DataError, ShapeError


def rank_correlation(x: Any, y: Any) -> float:
    """Spearman's rank correlation of two lists of numbers (N,): the correlation of their ranks, in [-1, 1].

    1: the same order, -1: the reverse. Equal numbers share the mean of their ranks. Raises ShapeError for lists of
    unequal length or fewer than two numbers, DataError for NaN, or when all the numbers of a list are equal.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
        raise ShapeError(f"rank_correlation: x is {x.shape} and y {y.shape}; pass two lists of N ≥ 2 numbers")
    if np.isnan(x).any() or np.isnan(y).any():
        raise DataError("rank_correlation: NaN has no rank; leave out what was not measured")
    a, b = (ranks - ranks.mean() for ranks in (average_ranks(x), average_ranks(y)))
    spread = np.sqrt((a @ a) * (b @ b))
    if spread == 0:
        raise DataError("rank_correlation: all numbers of a list are equal, so that they have no order")
    return float(np.clip(a @ b / spread, -1, 1))


def average_ranks(x: np.ndarray) -> np.ndarray:
    """The rank of each number, from 1 for the smallest; equal ones get the mean of the ranks that they take up."""
    _, place, count = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[place]
