"""How well a score tells two classes apart, whatever the threshold."""

from typing import Any

import numpy as np

from minigen.errors import DataError
from minigen.metrics.arrays import paired
from minigen.metrics.ranking import average_ranks


def roc_auc(scores: Any, labels: Any) -> float:
    """The area under the ROC curve: how often a positive scores higher than a negative, ties counting half.

    scores: one number for each example, higher for the positive class; labels: 0 and 1, or booleans, of the same shape.
    1 is perfect, 0.5 chance. Hanley, McNeil (1982), The meaning and use of the area under a receiver operating
    characteristic curve. Raises ShapeError, DataError for NaN, other labels, or only one class.
    """
    scores, positive = checked(scores, labels, "roc_auc")
    n = int(positive.sum())
    above = average_ranks(scores)[positive].sum() - n * (n + 1) / 2
    return float(above / (n * (len(scores) - n)))


def average_precision(scores: Any, labels: Any) -> float:
    """Σ (R_i - R_{i-1}) P_i over the thresholds from the highest score down: the mean precision over all recalls.

    P_i, R_i: precision and recall of calling positive what scores at least as high as threshold i. Chance is the share
    of positives. scores, labels and errors as in `roc_auc`.
    """
    scores, positive = checked(scores, labels, "average_precision")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # of each run of equal scores
    gained = np.diff(hits[last], prepend=0)
    return float(np.sum(gained * hits[last] / (last + 1)) / hits[-1])


def checked(scores: Any, labels: Any, operation: str) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N,) and which of them are of positives, with at least one of each class."""
    scores, labels = paired(scores, labels, ("scores", "labels"), operation)
    if not np.isin(labels, (0, 1)).all():
        raise DataError(f"{operation}: labels hold values other than 0 and 1; for several classes pass labels == k")
    positive = labels == 1
    if positive.all() or not positive.any():
        raise DataError(f"{operation}: all labels are {int(labels[0])}; both classes are needed")
    return scores, positive
