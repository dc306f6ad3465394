"""Figures of scores and of numbers: by their definitions, on worked examples, and for odd input."""

from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen.errors import DataError, DTypeError, ShapeError
from minigen.metrics import average_precision, mean_absolute_error, mean_squared_error, r2_score, roc_auc


@pytest.mark.parametrize("seed", range(6))
def test_auc_counts_pairs(seed: int):
    rng = np.random.default_rng(seed)
    scores, labels = rng.integers(0, 8, 40) / 4, rng.integers(0, 2, 40)
    pairs = [(p > n) + (p == n) / 2 for p in scores[labels == 1] for n in scores[labels == 0]]
    assert roc_auc(scores, labels) == pytest.approx(np.mean(pairs))
    assert roc_auc(mg.tensor(scores), labels == 1) == roc_auc(scores, labels)


@pytest.mark.parametrize("seed", range(6))
def test_average_precision_goes_over_thresholds(seed: int):
    rng = np.random.default_rng(seed)
    scores, labels = rng.integers(0, 8, 40) / 4, rng.integers(0, 2, 40)
    total, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        called = scores >= threshold
        recall, precision = (called & (labels == 1)).sum() / labels.sum(), labels[called].mean()
        total, before = total + (recall - before) * precision, recall
    assert average_precision(scores, labels) == pytest.approx(total)


def test_worked_examples():
    scores, labels = [0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]
    assert roc_auc(scores, labels) == 0.75
    assert average_precision(scores, labels) == pytest.approx(5 / 6)
    assert (roc_auc(labels, labels), average_precision(labels, labels)) == (1, 1)
    assert roc_auc([1, 1, 1, 1], labels) == 0.5
    targets, predictions = [3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]
    assert mean_squared_error(predictions, targets) == 0.375
    assert mean_absolute_error(predictions, targets) == 0.5
    assert r2_score(predictions, targets) == pytest.approx(0.9486081370449679)
    assert r2_score([3.0, 3.0], mg.tensor([2.0, 4.0])) == 0


@pytest.mark.parametrize("function", [roc_auc, average_precision, mean_squared_error, mean_absolute_error, r2_score])
@pytest.mark.parametrize(
    ("first", "second", "error", "message"),
    [
        ([1.0, 2.0], [1, 0, 1], ShapeError, "differ"),
        ([[1.0], [2.0]], [1, 0], ShapeError, "differ"),
        ([], [], ShapeError, "no examples"),
        ([1.0, np.nan], [1, 0], DataError, "NaN"),
        (["a", "b"], [1, 0], DTypeError, "<U1"),
    ],
)
def test_bad_input(function: Any, first: Any, second: Any, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        function(first, second)


def test_what_has_no_figure():
    for function in (roc_auc, average_precision):
        with pytest.raises(DataError, match="both classes"):
            function([1.0, 2.0], [1, 1])
        with pytest.raises(DataError, match="labels == k"):
            function([1.0, 2.0], [1, 2])
    with pytest.raises(DataError, match="no spread"):
        r2_score([1.0, 2.0], [1.0, 1.0])
