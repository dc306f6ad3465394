"""Accuracy, confusion matrix, precision, recall and F1 from predicted and true class numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen.errors import ArgumentError, DataError, DTypeError, ShapeError


@dataclass(frozen=True)
class Scores:
    """Precision, recall, F1 and support (number of true examples) of each class, and their means over the classes.

    precision = TP / (TP + FP), recall = TP / (TP + FN), f1 = 2 TP / (2 TP + FP + FN).
    Conventions for 0/0: a class that occurs but is never predicted has precision 0, since nothing of it was found; a
    class that never occurs has recall NaN, and NaN in all three when it is never predicted either. All three macro
    means are over the classes with examples (support > 0); a wrong guess at another class lowers the recall of the true
    one. This differs from scikit-learn, which averages over every class that occurs in labels or predictions.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    macro_precision: float
    macro_recall: float
    macro_f1: float


def accuracy(predictions: Any, labels: Any) -> float:
    """Share of predictions that are right, in [0, 1]. Both (N,), class numbers; raises on empty or unequal arrays."""
    predictions, labels = check_labels(predictions, labels, "accuracy")
    return float(np.mean(predictions == labels))


def confusion_matrix(predictions: Any, labels: Any, num_classes: int) -> np.ndarray:
    """(K, K) int64 counts: row i, column j is how often class i was taken for class j.

    predictions, labels: (N,), class numbers in 0 … K-1. Raises ShapeError, DTypeError or DataError on anything else.
    """
    predictions, labels = check_labels(predictions, labels, "confusion_matrix")
    if num_classes < 1:
        raise ArgumentError(f"confusion_matrix: num_classes is {num_classes}; use at least 1")
    for name, array in (("predictions", predictions), ("labels", labels)):
        if array.min() < 0 or array.max() >= num_classes:
            raise DataError(
                f"confusion_matrix: {name} run from {array.min()} to {array.max()}; with num_classes={num_classes} "
                f"they must lie in 0 … {num_classes - 1}"
            )
    cells = labels.astype(np.int64) * num_classes + predictions.astype(np.int64)
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes).astype(np.int64)


def precision_recall_f1(predictions: Any, labels: Any, num_classes: int) -> Scores:
    """Per-class and macro precision, recall and F1; the conventions are those of `Scores`.

    predictions, labels: (N,), class numbers in 0 … K-1. Raises as `confusion_matrix` does.
    """
    matrix = confusion_matrix(predictions, labels, num_classes)
    hits, predicted, support = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    precision = ratio(hits, predicted)
    precision[(predicted == 0) & (support > 0)] = 0.0
    recall = ratio(hits, support)
    f1 = ratio(2 * hits, predicted + support)
    macro = (float(score[support > 0].mean()) for score in (precision, recall, f1))
    return Scores(precision, recall, f1, support, *macro)


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole in float64, NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def check_labels(predictions: Any, labels: Any, operation: str) -> tuple[np.ndarray, np.ndarray]:
    """Both as integer vectors of one length ≥ 1, or the error that says what is wrong with them."""
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    for name, array in (("predictions", predictions), ("labels", labels)):
        if array.ndim != 1:
            raise ShapeError(
                f"{operation}: {name} are {array.shape}, expected (N,); turn scores (N, K) into class numbers with "
                ".argmax(-1)"
            )
        if array.size and array.dtype.kind not in "iu":
            raise DTypeError(f"{operation}: {name} are {array.dtype}; class numbers must be integers")
    if predictions.shape != labels.shape:
        raise ShapeError(f"{operation}: {len(predictions)} predictions for {len(labels)} labels")
    if not len(labels):
        raise ShapeError(f"{operation}: no examples; pass at least one")
    return predictions, labels
