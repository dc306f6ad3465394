"""Softmax, the fused losses and the look-up table's gradient against their twins."""

from typing import Any

import numpy as np
import pytest
from twins import DTYPES, LAYOUTS, agree, close, laid_out, same_on_any_threads

from minigen import kernels
from minigen.config import config
from minigen.kernels import reference

SHAPES = pytest.mark.parametrize(("m", "k"), [(0, 3), (1, 1), (1, 10), (7, 2), (5, 33), (130, 65), (700, 65)])


def rows(m, k, dtype, seed=0):
    return np.random.default_rng(seed).normal(0, 4, (m, k)).astype(dtype)


@DTYPES
@SHAPES
def test_softmax(m, k, dtype):
    x, gy = rows(m, k, dtype), rows(m, k, dtype, 1)
    y = agree("softmax", x)
    agree("softmax_grad", gy, y, scale=10)
    y = agree("log_softmax", x)
    agree("log_softmax_grad", gy, y, scale=10)


@DTYPES
@SHAPES
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy(m, k, smoothing, dtype):
    x, labels = rows(m, k, dtype), np.random.default_rng(2).integers(0, k, m)
    losses, probabilities = agree("cross_entropy", x, labels, smoothing, scale=10)
    agree("cross_entropy_grad", losses, probabilities, labels, smoothing, scale=10)


def summed(form: Any, name: str, x: np.ndarray, target: np.ndarray, terms: int) -> np.ndarray:
    """What a kernel that sums a loss puts into its result."""
    y = np.full((), np.nan, x.dtype)
    getattr(form, name)(x, target, terms, y)
    return y


@DTYPES
@pytest.mark.parametrize("shape", [(), (0,), (1,), (9, 5), (200, 33), (61, 701)], ids=str)
def test_bce_with_logits(shape, dtype):
    rng = np.random.default_rng(3)
    x, target = np.asarray(rng.normal(0, 5, shape), dtype), np.asarray(rng.random(shape), dtype)
    agree("bce_with_logits", x, target, scale=10)
    for name in ("bce_with_logits", "squared_error"):
        agree(f"{name}_grad", x, target, np.array(0.37, dtype), scale=10)
        agree(f"{name}_grad", x, target, target, scale=10)
        close(*[summed(form, f"{name}_sum", x, target, 7) for form in (kernels, reference)], scale=10)


@DTYPES
@pytest.mark.parametrize(("m", "d", "count"), [(0, 3, 4), (1, 1, 1), (50, 7, 3), (300, 33, 65)])
def test_scatter_rows(m, d, count, dtype):
    indices = np.random.default_rng(4).integers(0, count, m)
    agree("scatter_rows", rows(m, d, dtype), indices, count, scale=100)


@DTYPES
@pytest.mark.parametrize(("m", "d", "count"), [(0, 3, 4), (1, 1, 1), (50, 7, 3), (3000, 33, 65)])
def test_gather_rows(m, d, count, dtype, monkeypatch):
    table, indices = rows(count, d, dtype), np.random.default_rng(4).integers(0, count, m)
    agree("gather_rows", table, indices)
    same_on_any_threads(monkeypatch, "gather_rows", table, indices)


@LAYOUTS
def test_any_memory_layout(layout):
    x, gy = (laid_out(rows(9, 6, np.float32, seed), layout) for seed in (0, 1))
    labels = laid_out(np.arange(9) % 6, layout)
    for name in ("softmax", "log_softmax"):
        y = agree(name, x)
        agree(f"{name}_grad", gy, laid_out(y, layout), scale=10)
    losses, probabilities = agree("cross_entropy", x, labels, 0.1, scale=10)
    agree("cross_entropy_grad", laid_out(losses, layout), laid_out(probabilities, layout), labels, 0.1, scale=10)
    agree("bce_with_logits", x, gy, scale=30)
    agree("bce_with_logits_grad", x, gy, np.array(2.0, x.dtype), scale=10)
    ours, theirs = (summed(form, "bce_with_logits_sum", x, gy, 1) for form in (kernels, reference))
    close(ours, theirs)
    agree("scatter_rows", gy, labels, 6, scale=10)


@DTYPES
def test_extreme_logits(dtype):
    x = np.array([[1e4, 0, -1e4], [-1e30, -1e30, 0], [88, 89, 90], [-np.inf, 0, 1]], dtype)
    labels = np.array([0, 2, 1, 2])
    y = agree("softmax", x)
    assert y[3, 0] == 0
    agree("log_softmax", x)
    losses, _ = agree("cross_entropy", x, labels, 0.0)
    assert np.isfinite(losses).all()
    flat = x[:3].reshape(-1)
    agree("bce_with_logits", flat, np.full_like(flat, 0.25))
    agree("bce_with_logits_grad", flat, np.full_like(flat, 0.25), np.array(1.0, flat.dtype))


def test_same_bits_on_any_number_of_threads(monkeypatch):
    x, labels = rows(701, 65, np.float32), np.arange(701) % 65
    for name in ("softmax", "log_softmax"):
        same_on_any_threads(monkeypatch, name, x)
    same_on_any_threads(monkeypatch, "cross_entropy", x, labels, 0.1)
    same_on_any_threads(monkeypatch, "bce_with_logits_grad", x, x, np.array(0.3, x.dtype))
    sums = []
    for threads in (1, 2):
        monkeypatch.setattr(config, "threads", threads)
        sums.append([summed(kernels, name, x, x[::-1], 3) for name in ("bce_with_logits_sum", "squared_error_sum")])
    assert sums[0] == sums[1]


@pytest.mark.parametrize("nan", [np.nan, -np.nan])
@pytest.mark.parametrize("place", [0, 4, 8])
def test_nan_stays_in_its_row(place, nan):
    x = rows(3, 9, np.float32)
    x[1, place] = nan
    for y in (kernels.softmax(x), kernels.log_softmax(x), kernels.cross_entropy(x, np.array([0, 1, 2]), 0.0)[1]):
        assert np.isnan(y[1]).all()
        assert np.isfinite(y[[0, 2]]).all()
    assert np.isnan(kernels.bce_with_logits(x, x * 0)[1, place])
    assert np.isnan(summed(kernels, "bce_with_logits_sum", x, x * 0, 1))
