"""Rank correlation, against its definition and worked examples."""

import numpy as np
import pytest

from minigen.errors import DataError, ShapeError
from minigen.metrics import rank_correlation
from minigen.metrics.ranking import average_ranks
from minigen.random import generator


def test_ranks_of_equal_numbers_are_shared():
    assert average_ranks(np.array([3.0, 1.0, 3.0, 7.0, 3.0])).tolist() == [3, 1, 3, 5, 3]
    assert average_ranks(np.array([2.0, 2.0])).tolist() == [1.5, 1.5]


def test_without_ties_it_is_spearmans_formula():
    rng = generator(0)
    x, y = rng.standard_normal((2, 50))
    y += x
    d = np.argsort(np.argsort(x)) - np.argsort(np.argsort(y))
    assert rank_correlation(x, y) == pytest.approx(1 - 6 * (d @ d) / (50 * (50**2 - 1)), abs=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([1, 2, 3], [10, 100, 1000], 1.0),
        ([1, 2, 3], [-1, -8, -27], -1.0),
        ([1, 2, 2, 3], [1, 3, 2, 4], 9 / np.sqrt(9 * 10)),  # ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4, by hand
        ([1, 2, 3, 4], [1, np.inf, 2, 3], 0.4),
    ],
)
def test_worked_examples(x: list[float], y: list[float], expected: float):
    assert rank_correlation(x, y) == pytest.approx(expected, abs=1e-12)
    assert rank_correlation(y, x) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "error", "word"),
    [
        ([1.0], [1.0], ShapeError, "N ≥ 2"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], ShapeError, r"\(3,\)"),
        ([[1.0, 2.0]], [[1.0, 2.0]], ShapeError, r"\(1, 2\)"),
        ([1.0, np.nan], [1.0, 2.0], DataError, "NaN"),
        ([1.0, 1.0], [1.0, 2.0], DataError, "equal"),
    ],
)
def test_bad_lists(x: list, y: list, error: type[Exception], word: str):
    with pytest.raises(error, match=word):
        rank_correlation(x, y)
