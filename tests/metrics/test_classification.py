"""Classification figures: worked examples, their definitions, conventions for 0/0, bad input."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigen as mg
from minigen.errors import ArgumentError, DataError, DTypeError, ShapeError
from minigen.metrics import accuracy, confusion_matrix, precision_recall_f1, top_k_accuracy

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
        (np.zeros((4, 10)), np.zeros(3, int), ShapeError, r"predictions \(4,\) and labels \(3,\) differ"),
        (np.zeros((4, 10), int), np.zeros(4, int), ShapeError, r"predictions \(4, 10\) and labels \(4,\)"),
        (np.zeros((4, 0)), np.zeros(4, int), ShapeError, "one column for each class"),
        (np.full((2, 3), np.nan), [0, 1], DataError, "NaN"),
        ([0, 1], [0], ShapeError, r"predictions \(2,\) and labels \(1,\)"),
        ([], [], ShapeError, "at least one"),
        (3, 3, ShapeError, r"\(\), expected \(N,\)"),
        ([0.0, 1.0], [0, 1], DTypeError, r"float64 .*scores > threshold"),
        ([0, 1], np.array([0.0, 1.0]), DTypeError, "labels are float64"),
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


def test_scores_and_tensors() -> None:
    scores = np.array([[0.1, 0.9, 0.0], [2.0, 1.0, 0.0], [0.3, 0.1, 0.3]], np.float32)
    labels = np.array([1, 2, 0])
    logits = mg.tensor(scores, requires_grad=True)
    for guesses in (scores, logits, scores.tolist(), scores.argmax(-1)):
        assert accuracy(guesses, mg.tensor(labels)) == pytest.approx(2 / 3)
        np.testing.assert_array_equal(confusion_matrix(guesses, labels, 3), [[1, 0, 0], [0, 1, 0], [1, 0, 0]])
    assert confusion_matrix(scores[:1], labels[:1]).shape == (3, 3)
    assert confusion_matrix([0, 1], [1, 1]).shape == (2, 2)
    assert precision_recall_f1(logits, labels).micro_f1 == pytest.approx(2 / 3)
    assert accuracy(scores[:, 0] > 0.2, [False, True, True]) == 1


def test_pictures_of_labels() -> None:
    rng = mg.random.generator(0)
    scores, labels = rng.normal(size=(2, 4, 5, 3)), rng.integers(0, 3, (2, 4, 5))
    assert accuracy(scores, labels) == pytest.approx(np.mean(scores.argmax(-1) == labels))
    assert confusion_matrix(scores, labels).sum() == labels.size


def test_top_k() -> None:
    scores = np.array([[0.1, 0.9, 0.0], [2.0, 1.0, 0.0], [0.3, 0.1, 0.3], [0.2, 0.2, 0.2]])
    labels = [1, 2, 2, 1]
    assert [top_k_accuracy(scores, labels, k) for k in (1, 2, 3)] == [0.25, 0.75, 1.0]
    assert top_k_accuracy(scores, labels, 1) == accuracy(scores, labels)
    for bad, error in (
        (lambda: top_k_accuracy(scores, labels, 4), ArgumentError),
        (lambda: top_k_accuracy(scores, labels, 0), ArgumentError),
        (lambda: top_k_accuracy(labels, labels, 1), ShapeError),
        (lambda: top_k_accuracy(scores, [0, 1, 2, 3], 1), DataError),
    ):
        with pytest.raises(error, match="top_k_accuracy"):
            bad()
