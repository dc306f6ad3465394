"""Accuracy, confusion matrix, precision, recall and F1 from predicted and true classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen.checks import check_count
from minigen.errors import ArgumentError, DataError, DTypeError, ShapeError
from minigen.metrics.arrays import plain_array


@dataclass(frozen=True)
class Scores:
    """Precision, recall, F1 and support (number of true examples) of each class, and their means over the classes.

    precision = TP / (TP + FP), recall = TP / (TP + FN), f1 = 2 TP / (2 TP + FP + FN).
    Conventions for 0/0: a class that occurs but is never predicted has precision 0, since nothing of it was found; a
    class that never occurs has recall NaN, and NaN in all three when it is never predicted either. All three macro
    means are over the classes with examples (support > 0); a wrong guess at another class lowers the recall of the true
    one. This differs from scikit-learn, which averages over every class that occurs in labels or predictions.
    micro_f1: of all examples together; with one label for each, micro precision and recall and accuracy are the same.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    macro_precision: float
    macro_recall: float
    macro_f1: float
    micro_f1: float


def accuracy(predictions: Any, labels: Any) -> float:
    """Share of predictions that are right, in [0, 1].

    predictions: class numbers (N,), or scores (N, K), such as logits, of which the largest counts; labels: class
    numbers (N,). Further axes, such as those of pictures, may stand behind N. Tensors and arrays alike. Raises
    ShapeError, DTypeError, DataError for NaN, and for labels that have no column among the scores.
    """
    predictions, labels, scores = check_labels(predictions, labels, "accuracy")
    if scores is not None:
        check_range("accuracy", "labels", labels, scores.shape[1])
    return float(np.mean(predictions == labels))


def top_k_accuracy(scores: Any, labels: Any, k: int) -> float:
    """Share of examples whose label is among the k classes of the highest scores; scores (N, K), labels (N,).

    Of equal scores the class of the lower number comes first, as in argmax. Raises as `accuracy` does, ArgumentError
    unless 1 ≤ k ≤ K, DataError for labels out of range.
    """
    _, labels, flat = check_labels(scores, labels, "top_k_accuracy")
    k = check_count("top_k_accuracy", "k", k)
    if flat is None:
        raise ShapeError("top_k_accuracy: scores are class numbers; pass scores (N, K), one column for each class")
    if k > flat.shape[1]:
        raise ArgumentError(f"top_k_accuracy: k is {k}, but there are {flat.shape[1]} classes")
    check_range("top_k_accuracy", "labels", labels, flat.shape[1])
    own = np.take_along_axis(flat, labels[:, None], axis=1)
    ahead = (flat > own) | ((flat == own) & (np.arange(flat.shape[1]) < labels[:, None]))
    return float(np.mean(ahead.sum(axis=1) < k))


def confusion_matrix(predictions: Any, labels: Any, num_classes: int | None = None) -> np.ndarray:
    """(K, K) int64 counts: row i, column j is how often class i was taken for class j.

    predictions, labels: as in `accuracy`. num_classes: K; by default the columns of scores, or else one more than the
    largest class number. Raises ShapeError, DTypeError, ArgumentError or DataError on anything else.
    """
    predictions, labels, scores = check_labels(predictions, labels, "confusion_matrix")
    if num_classes is None:
        num_classes = int(max(predictions.max(), labels.max())) + 1 if scores is None else scores.shape[1]
    num_classes = check_count("confusion_matrix", "num_classes", num_classes)
    for name, array in (("predictions", predictions), ("labels", labels)):
        check_range("confusion_matrix", name, array, num_classes)
    cells = labels.astype(np.int64) * num_classes + predictions.astype(np.int64)
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes).astype(np.int64)


def precision_recall_f1(predictions: Any, labels: Any, num_classes: int | None = None) -> Scores:
    """Per-class, macro and micro precision, recall and F1; the conventions are those of `Scores`.

    predictions, labels, num_classes: as in `confusion_matrix`, which says what is raised.
    """
    matrix = confusion_matrix(predictions, labels, num_classes)
    hits, predicted, support = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    precision = ratio(hits, predicted)
    precision[(predicted == 0) & (support > 0)] = 0.0
    recall = ratio(hits, support)
    f1 = ratio(2 * hits, predicted + support)
    macro = (float(score[support > 0].mean()) for score in (precision, recall, f1))
    return Scores(precision, recall, f1, support, *macro, micro_f1=float(hits.sum() / support.sum()))


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole in float64, NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def check_labels(predictions: Any, labels: Any, operation: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Both as class numbers (N,), N ≥ 1, and the scores (N, K) if they were such; or the error that says what is wrong.

    Further axes are laid out flat.
    """
    predictions, labels = plain_array(predictions, operation), plain_array(labels, operation)
    scores = None
    if predictions.dtype.kind == "f" and predictions.ndim == labels.ndim + 1 >= 2:
        if np.isnan(predictions).any():
            raise DataError(f"{operation}: the scores hold NaN, which is no guess at any class; look at the model")
        if predictions.shape[-1] == 0:
            raise ShapeError(f"{operation}: scores are {predictions.shape}; pass (N, K), one column for each class")
        scores = predictions.reshape(-1, predictions.shape[-1])
        predictions = predictions.argmax(-1)
    for name, array in (("predictions", predictions), ("labels", labels)):
        if array.ndim == 0:
            raise ShapeError(f"{operation}: {name} are {array.shape}, expected (N,)")
        if array.size and array.dtype.kind not in "iub":
            raise DTypeError(
                f"{operation}: {name} are {array.dtype} {array.shape}; pass class numbers, integers (N,), and for "
                "predictions instead scores (N, K); of one score for two classes scores > threshold"
            )
    if predictions.shape != labels.shape:
        raise ShapeError(
            f"{operation}: predictions {predictions.shape} and labels {labels.shape} differ; pass one label for each "
            "prediction, or scores with the classes on the last axis"
        )
    if not labels.size:
        raise ShapeError(f"{operation}: no examples; pass at least one")
    numbers = (array.reshape(-1).astype(np.int64) for array in (predictions, labels))
    return *numbers, scores


def check_range(operation: str, name: str, array: np.ndarray, num_classes: int) -> None:
    """DataError unless all class numbers are in 0 … num_classes - 1."""
    if array.min() < 0 or array.max() >= num_classes:
        raise DataError(
            f"{operation}: {name} run from {array.min()} to {array.max()}; with num_classes={num_classes} "
            f"they must lie in 0 … {num_classes - 1}"
        )
