"""The importance-weighted bound against closed forms, and in any parts."""

import math

import numpy as np
import pytest

from minigen import metrics
from minigen.errors import ArgumentError, DataError, DTypeError, ShapeError
from minigen.random import generator


def log_normal(x: np.ndarray, mean: np.ndarray | float, variance: float) -> np.ndarray:
    return -0.5 * ((x - mean) ** 2 / variance + math.log(2 * math.pi * variance))


def weights(x: np.ndarray, k: int, variance: float, seed: int = 0) -> np.ndarray:
    """log p(x, z) / q(z|x) of z ~ N(0, 1), x ~ N(z, 1), whose posterior is N(x / 2, 1 / 2); q has this variance."""
    z = x[:, None] / 2 + math.sqrt(variance) * generator(seed).standard_normal((len(x), k))
    return log_normal(z, 0, 1) + log_normal(x[:, None], z, 1) - log_normal(z, x[:, None] / 2, variance)


def bound(log_weights: np.ndarray, *cuts: int) -> np.ndarray:
    made = metrics.ImportanceBound(len(log_weights))
    for part in np.split(log_weights, cuts, axis=1):
        made.add(part)
    return made.nats()


X = np.linspace(-3, 3, 7)
EXACT = log_normal(X, 0, 2)  # log p(x): z and x - z are independent


def test_the_exact_posterior_gives_the_exact_likelihood_with_one_sample():
    assert bound(weights(X, 1, 0.5)) == pytest.approx(EXACT, abs=1e-12)


def test_it_rises_to_the_likelihood_with_the_samples():
    found = [np.mean([bound(weights(X, k, 1.0, seed)) for seed in range(60)], 0).mean() for k in (1, 5, 200)]
    assert found[0] < found[1] < found[2] < EXACT.mean() + 0.01
    assert found[2] == pytest.approx(EXACT.mean(), abs=0.01)
    # k = 1 is the ELBO: the likelihood less KL(q ‖ posterior) = (ratio - 1 - log ratio) / 2 of the variances.
    assert found[0] == pytest.approx(EXACT.mean() - 0.5 * (2 - 1 - math.log(2)), abs=0.1)


def test_parts_make_no_difference_and_far_weights_neither_overflow_nor_vanish():
    w = weights(X, 40, 1.0)
    for shift in (0.0, 5000.0, -5000.0):
        assert bound(w + shift, 1, 7, 30) == pytest.approx(bound(w + shift), abs=1e-9)
        assert bound(w + shift) == pytest.approx(bound(w) + shift, abs=1e-8)


def test_weights_of_zero():
    w = np.array([[-np.inf, 0.0], [-np.inf, -np.inf]])
    assert bound(w, 1).tolist() == [-math.log(2), -math.inf]


def test_bad_weights():
    made = metrics.ImportanceBound(2)
    with pytest.raises(ShapeError, match="no samples"):
        made.nats()
    for bad, error in (
        (np.zeros((3, 1)), ShapeError),
        (np.zeros(2), ShapeError),
        (np.zeros((2, 0)), ShapeError),
        (np.array([[0.0], [np.nan]]), DataError),
        (np.array([[0.0], [np.inf]]), DataError),
    ):
        with pytest.raises(error, match=r"^ImportanceBound\.add: log_weights"):
            made.add(bad)


def test_bits_per_dimension():
    assert metrics.bits_per_dimension(784 * math.log(2), 784) == pytest.approx(1)
    with pytest.raises(ArgumentError):
        metrics.bits_per_dimension(1.0, 0)
    with pytest.raises(DTypeError):
        metrics.bits_per_dimension("x", 1)  # type: ignore[arg-type]
