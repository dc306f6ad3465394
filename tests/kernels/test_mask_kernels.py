"""Dropout against its twin, and the distribution of its mask."""

import numpy as np
import pytest
from twins import DTYPES, LAYOUTS, agree, laid_out, same_on_any_threads

from minigen import kernels
from minigen.kernels import reference

KEY = 0xFEDCBA9876543210
LARGE = (3, 17001)  # the parallel path


@DTYPES
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (5, 3, 3), LARGE], ids=str)
def test_equals_its_twin(shape, dtype):
    x = np.asarray(np.random.default_rng(1).normal(0, 3, shape), dtype)
    agree("dropout", x, KEY, 0.3)


@LAYOUTS
def test_any_memory_layout(layout):
    x = laid_out(np.random.default_rng(3).normal(0, 3, (40, 6)).astype(np.float32), layout)
    assert agree("dropout", x, KEY, 0.3).flags.c_contiguous


def test_same_bits_on_any_number_of_threads(monkeypatch):
    x = np.random.default_rng(3).normal(size=LARGE).astype(np.float32)
    same_on_any_threads(monkeypatch, "dropout", x, KEY, 0.3)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_drops_the_share_asked_for(p):
    n = 400_000
    kept = kernels.dropout(np.ones(n, np.float32), 12345, p) != 0
    deviation = np.sqrt(p * (1 - p) / n)
    assert abs(kept.mean() - (1 - p)) < 5 * deviation
    centred = kept - kept.mean()
    for lag in (1, 2, 3, 28, 64, 4096, 16384, 65536):
        correlation = (centred[lag:] * centred[:-lag]).mean() / (p * (1 - p))
        assert abs(correlation) < 5 / np.sqrt(n)


def test_dropout_masks_of_different_keys_are_unrelated():
    x = np.ones(100_000, np.float32)
    masks = [kernels.dropout(x, key, 0.5) - 1 for key in (0, 1, 2, 1 << 63, (1 << 64) - 1)]
    relations = np.corrcoef(masks)
    assert np.abs(relations - np.eye(5)).max() < 5 / np.sqrt(x.size)


def test_dropout_has_the_twins_bits_and_is_its_own_gradient():
    x = np.random.default_rng(4).normal(size=LARGE).astype(np.float32)
    y = kernels.dropout(x, 99, 0.4)
    np.testing.assert_array_equal(y == 0, reference.dropout(x, 99, 0.4) == 0)
    gx = kernels.dropout(np.ones_like(x), 99, 0.4)
    np.testing.assert_array_equal(gx == 0, y == 0)
    np.testing.assert_allclose(gx[gx != 0], 1 / 0.6, rtol=1e-6)


def test_dropout_of_everything_and_of_nan():
    x = np.full(1000, np.nan, np.float32)
    assert np.isnan(kernels.dropout(x, 5, 0.5)).all()
    assert (kernels.dropout(np.ones(1000, np.float32), 5, 1.0) == 0).all()


@pytest.mark.parametrize("key", [0, 1, KEY])
def test_dropout_runs_and_groups_are_those_of_coin_flips(key):
    """The number of kept elements in groups of 8 neighbours, and of neighbours in a column, is binomial."""
    n = 1 << 19
    kept = (kernels.dropout(np.ones(n, np.float32), key, 0.5) != 0).astype(np.int64)
    binomial = np.array([1, 8, 28, 56, 70, 56, 28, 8, 1]) / 256 * (n // 8)
    for groups in (kept.reshape(-1, 8), kept.reshape(-1, 8, 64).swapaxes(1, 2).reshape(-1, 8)):
        counts = np.bincount(groups.sum(axis=1), minlength=9)
        assert ((counts - binomial) ** 2 / binomial).sum() < 35  # 8 degrees of freedom: passed by chance in 3e-5
        patterns = np.bincount(groups @ (1 << np.arange(8)), minlength=256)
        assert ((patterns - n / 2048) ** 2 / (n / 2048)).sum() < 255 + 5 * np.sqrt(510)
