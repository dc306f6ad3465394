"""Attention's kernels against their twins, over sizes that fill no tile, block or panel."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from twins import DTYPES, LAYOUTS, agree, close, laid_out, same_on_any_threads

from minigen import kernels
from minigen.kernels import reference

LENGTHS = [(1, 1), (1, 9), (3, 200), (7, 7), (13, 40), (33, 150), (57, 57), (64, 64), (128, 128), (141, 141)]


def inputs(n: int, tq: int, tk: int, c: int, dtype: Any = np.float32, seed: int = 0) -> list[np.ndarray]:
    """gy, q, k, v."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, t, c)).astype(dtype) for t in (tq, tq, tk, tk)]


def masked(n: int, tk: int) -> np.ndarray:
    """Padding at the end of one sequence, at the start of another, and holes."""
    mask = np.random.default_rng(1).random((n, tk)) < 0.7
    mask[0, : tk // 2] = False
    mask[-1, tk // 2 :] = False
    return mask


def check(gy: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, *options: Any) -> None:
    y, log_sums = agree("attend", q, k, v, *options, scale=3)
    agree("attend_grad", gy, q, k, v, y, log_sums, *options, scale=10)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize(("tq", "tk"), LENGTHS)
@pytest.mark.parametrize("width", [1, 5, 16, 32, 40, 64])
def test_attention(width: int, tq: int, tk: int, with_mask: bool, is_causal: bool):
    check(*inputs(2, tq, tk, 2 * width), 2, is_causal, masked(2, tk) if with_mask else None)


@DTYPES
@pytest.mark.parametrize("is_causal", [False, True])
def test_more_queries_than_keys_and_no_sequences(is_causal: bool, dtype: Any):
    check(*inputs(3, 60, 60 if is_causal else 20, 12, dtype), 3, is_causal, None)
    check(*inputs(0, 5, 5, 12, dtype), 3, is_causal, None)


@LAYOUTS
def test_any_memory_layout(layout: str):
    check(*(laid_out(x, layout) for x in inputs(2, 20, 30, 8)), 2, True, laid_out(masked(2, 30), layout))


def test_parts_of_one_array():
    """q, k and v side by side, and in the rows of a longer array, read where they lie; gradients written there."""
    gy = inputs(2, 50, 50, 64)[0]
    store = np.random.default_rng(3).normal(size=(2, 70, 3 * 64)).astype(np.float32)
    q, k, v = (store[:, 7:57, i * 64 : (i + 1) * 64] for i in range(3))
    check(gy, q, k, v, 2, True, None)
    y, log_sums = kernels.attend(q, k, v, 2, True, None)
    apart = kernels.attend_grad(gy, q.copy(), k.copy(), v.copy(), y, log_sums, 2, True, None)
    together = np.full(store.shape, 99, np.float32)
    out = together[:, 7:57, :64], together[:, 7:57, 64:128], together[:, 7:57, 128:]
    assert kernels.attend_grad(gy, q, k, v, y, log_sums, 2, True, None, out) is out
    for a, b in zip(out, apart, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (np.delete(together, range(7, 57), axis=1) == 99).all()


def test_a_query_that_sees_nothing():
    gy, q, k, v = inputs(2, 20, 20, 16)
    mask = np.ones((2, 20), bool)
    mask[0, :5] = False
    y, log_sums = kernels.attend(q, k, v, 2, True, mask)
    assert (y[0, :5] == 0).all()
    assert (log_sums[0, :, :5] == np.inf).all()
    assert np.isfinite(log_sums[1]).all()
    gq, gk, gv = kernels.attend_grad(gy, q, k, v, y, log_sums, 2, True, mask)
    assert (gq[0, :5] == 0).all()
    assert (gk[0, :5] == 0).all()
    assert (gv[0, :5] == 0).all()
    assert np.isfinite([gq, gk, gv]).all()
    y, _ = kernels.attend(q, k, v, 2, False, np.zeros((2, 20), bool))
    assert (y == 0).all()


@DTYPES
def test_extreme_scores(dtype: Any):
    gy, q, k, v = inputs(1, 40, 40, 8, dtype)
    q *= 1000
    y, log_sums = kernels.attend(q, k, v, 1, True, None)
    q64, k64, v64 = (x.astype(np.float64) for x in (q, k, v))
    expected, _ = reference.attend(q64, k64, v64, 1, True, None)
    np.testing.assert_allclose(y, expected, atol=3e-3)
    assert all(np.isfinite(g).all() for g in kernels.attend_grad(gy, q, k, v, y, log_sums, 1, True, None))


@pytest.mark.parametrize("role", ["q", "k", "v"])
def test_nan_reaches_those_who_look_at_it(role: str):
    _, q, k, v = inputs(1, 40, 40, 8)
    {"q": q, "k": k, "v": v}[role][0, 30, 3] = np.nan
    y, _ = kernels.attend(q, k, v, 1, True, None)
    assert np.isfinite(y[0, :30]).all() or role == "v"  # a weight of 0 times NaN is NaN
    assert np.isnan(y[0, 30]).any()
    assert np.isnan(y[0, 31:]).any() == (role != "q")


def test_nan_of_a_query_does_not_reach_later_values():
    gy, q, k, v = inputs(1, 40, 40, 8)
    q[0, 30, 3] = np.nan
    y, log_sums = kernels.attend(q, k, v, 1, True, None)
    _, _, gv = kernels.attend_grad(gy, q, k, v, y, log_sums, 1, True, None)
    assert np.isnan(gv[0, :31]).any(axis=1).all()
    assert np.isfinite(gv[0, 31:]).all()


def test_same_bits_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch):
    gy, q, k, v = inputs(3, 100, 100, 96)
    y, log_sums = kernels.attend(q, k, v, 3, True, None)
    same_on_any_threads(monkeypatch, "attend", q, k, v, 3, True, None)
    same_on_any_threads(monkeypatch, "attend_grad", gy, q, k, v, y, log_sums, 3, True, None)


def test_memory_grows_with_the_length_not_its_square():
    length = 4096
    gy, q, k, v = inputs(1, length, length, 16)
    tracemalloc.start()
    try:
        y, log_sums = kernels.attend(q, k, v, 1, False, None)
        kernels.attend_grad(gy, q, k, v, y, log_sums, 1, False, None)
        assert tracemalloc.get_traced_memory()[1] < length**2  # bytes: a quarter of all weights
    finally:
        tracemalloc.stop()


def test_a_long_sequence_equals_its_parts():
    """The last queries of a causal sequence, by themselves."""
    _, q, k, v = inputs(1, 300, 300, 32)
    whole, _ = kernels.attend(q, k, v, 1, True, None)
    for last in (1, 6, 20, 299):
        y, _ = kernels.attend(q[:, -last:], k, v, 1, True, None)
        close(y, whole[:, -last:])
