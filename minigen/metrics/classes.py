"""Which classes a classifier sees in samples, and how sure it is of them."""

from typing import Any, NamedTuple

import numpy as np

from minigen.checks import check_count, check_number
from minigen.errors import DataError, DTypeError, ShapeError
from minigen.metrics.arrays import plain_array
from minigen.metrics.classification import check_range
from minigen.metrics.samples import rows


class Classes(NamedTuple):
    """entropy: of the shares, over that of equal shares, in [0, 1]. covered: how many classes have at least `least` of
    the samples. least: the smallest share.
    """

    entropy: float
    covered: int
    least: float


def class_score(probabilities: Any, splits: int = 10) -> tuple[float, float]:
    """(mean, standard deviation) over splits of exp(E_x KL(p(y|x) ‖ p(y))), p(y) the mean over the split.

    probabilities (N, K): a classifier's, N ≥ splits. 1 when it says the same of all samples, K when it is sure of each
    and sees every class as often. With the classes of ImageNet by an Inception network this is the inception score,
    Salimans et al. 2016, section 4; with others it has a scale of its own. Raises ShapeError, DataError, ArgumentError.
    """
    splits = check_count("class_score", "splits", splits)
    p = rows("class_score", "probabilities", probabilities, splits).astype(np.float64)
    if (p < 0).any() or abs(p.sum(1) - 1).max() > 1e-3:
        raise DataError("class_score: probabilities are negative, or do not add up to 1; pass softmax(logits)")
    scores = []
    for part in np.array_split(p, splits):
        logs, marginal = (np.log(np.maximum(q, np.finfo(np.float64).tiny)) for q in (part, part.mean(0)))
        scores.append(np.exp((part * (logs - marginal)).sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


def class_balance(labels: Any, classes: int, least: float = 0.01) -> Classes:
    """How evenly samples are spread over K classes, by a classifier's labels (N,), integers in [0, K).

    entropy: -Σ s_k log s_k / log K of the shares s. A class is covered by a share of at least `least`. Raises
    ShapeError, DTypeError, DataError, ArgumentError.
    """
    classes = check_count("class_balance", "classes", classes, 2)
    least = check_number("class_balance", "least", least, 0, high=1)
    given = plain_array(labels, "class_balance")
    if given.ndim != 1 or not given.size:
        raise ShapeError(f"class_balance: labels are {given.shape}; pass (N,), a class number for each sample")
    if given.dtype.kind not in "iu":
        raise DTypeError(f"class_balance: labels are {given.dtype}; pass class numbers, integers (N,)")
    check_range("class_balance", "labels", given, classes)
    shares = np.bincount(given, minlength=classes) / len(given)
    some = shares[shares > 0]
    entropy = max(0.0, -float((some * np.log(some)).sum()) / np.log(classes))
    return Classes(float(entropy), int((shares >= least).sum()), float(shares.min()))
