"""Classification figures: worked examples, their definitions, conventions for 0/0, bad input."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigen.errors import ArgumentError, DataError, DTypeError, ShapeError
from minigen.metrics import accuracy, confusion_matrix, precision_recall_f1

LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTIONS = np.array([0, 0, 1, 1, 2, 2])


def test_worked_example() -> None:
    assert accuracy(PREDICTIONS, LABELS) == pytest.approx(4 / 6)
    np.testing.assert_array_equal(confusion_matrix(PREDICTIONS, LABELS, 3), [[2, 1, 0], [0, 1, 1], [0, 0, 1]])
    scores = precision_recall_f1(PREDICTIONS, LABELS, 3)
    np.testing.assert_allclose(scores.precision, [1, 1 / 2, 1 / 2])
    np.testing.assert_allclose(scores.recall, [2 / 3, 1 / 2, 1])
    np.testing.assert_allclose(scores.f1, [4 / 5, 1 / 2, 2 / 3])
    np.testing.assert_array_equal(scores.support, [3, 2, 1])
    assert scores.macro_precision == pytest.approx(2 / 3)
    assert scores.macro_recall == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert scores.macro_f1 == pytest.approx((4 / 5 + 1 / 2 + 2 / 3) / 3)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30))
def test_definitions(num_classes: int, pairs: list[tuple[int, int]]) -> None:
    p, t = (np.array(column) % num_classes for column in zip(*pairs, strict=True))
    matrix, scores = confusion_matrix(p, t, num_classes), precision_recall_f1(p, t, num_classes)
    assert np.trace(matrix) / len(t) == pytest.approx(accuracy(p, t)) and matrix.sum() == len(t)
    for k in range(num_classes):
        tp, fp, fn = sum((p == k) & (t == k)), sum((p == k) & (t != k)), sum((p != k) & (t == k))
        assert all(matrix[k, j] == sum((t == k) & (p == j)) for j in range(num_classes))
        precision = tp / (tp + fp) if tp + fp else (0.0 if fn else np.nan)
        recall = tp / (tp + fn) if tp + fn else np.nan
        f1 = 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else np.nan
        np.testing.assert_allclose([scores.precision[k], scores.recall[k], scores.f1[k]], [precision, recall, f1])


def test_conventions_for_nothing_over_nothing() -> None:
    collapsed = precision_recall_f1(np.zeros(4, int), np.array([0, 0, 1, 1]), 3)
    np.testing.assert_array_equal(
        collapsed.precision, [0.5, 0, np.nan]
    )  # class 1 occurs, never predicted; 2 never occurs
    np.testing.assert_array_equal(collapsed.recall, [1, 0, np.nan])
    assert collapsed.macro_precision == 0.25 and collapsed.macro_recall == 0.5
    absent = precision_recall_f1([0, 1], [0, 0], 2)  # class 1 predicted, but never there
    np.testing.assert_array_equal(absent.precision, [1, 0])
    np.testing.assert_array_equal(absent.recall, [0.5, np.nan])
    np.testing.assert_allclose(absent.f1, [2 / 3, 0])


def test_macro_means_leave_out_classes_without_examples() -> None:
    scores = precision_recall_f1([0, 1, 2, 2], [0, 1, 1, 1], 4)  # 2 is predicted but never there; 3 is neither
    np.testing.assert_array_equal(scores.precision, [1, 1, 0, np.nan])
    assert scores.macro_precision == 1
    assert scores.macro_recall == pytest.approx((1 + 1 / 3) / 2)
    assert scores.macro_f1 == pytest.approx((1 + 1 / 2) / 2)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.uint64])
def test_small_integers_do_not_wrap(dtype: Any) -> None:
    labels = np.arange(100).astype(dtype)
    np.testing.assert_array_equal(confusion_matrix(labels, labels, 100), np.eye(100, dtype=int))


@pytest.mark.parametrize(
    ("predictions", "labels", "error", "word"),
    [
        (np.zeros((4, 10)), np.zeros(4, int), ShapeError, "argmax"),
        ([0, 1], [0], ShapeError, "2 predictions for 1 labels"),
        ([], [], ShapeError, "at least one"),
        (3, 3, ShapeError, r"\(\), expected \(N,\)"),
        ([0.0, 1.0], [0, 1], DTypeError, "float64"),
        ([True], [1], DTypeError, "bool"),
        (["cat"], ["cat"], DTypeError, "<U3"),
    ],
)
@pytest.mark.parametrize(
    "function", [accuracy, lambda p, t: confusion_matrix(p, t, 2), lambda p, t: precision_recall_f1(p, t, 2)]
)
def test_bad_arrays(function: Any, predictions: Any, labels: Any, error: type[Exception], word: str) -> None:
    with pytest.raises(error, match=word):
        function(predictions, labels)


def test_classes_out_of_range() -> None:
    with pytest.raises(DataError, match=r"labels run from 0 to 3; with num_classes=3 they must lie in 0 … 2"):
        confusion_matrix([0, 1], [0, 3], 3)
    with pytest.raises(DataError, match="predictions run from -1"):
        precision_recall_f1([-1, 1], [0, 1], 3)
    with pytest.raises(ArgumentError, match="num_classes is 0"):
        confusion_matrix([0], [0], 0)
