"""Batch, layer and group norm kernels against their twins."""

import numpy as np
import pytest
from twins import DTYPES, LAYOUTS, agree, close, laid_out, same_on_any_threads

from minigen import kernels

SHAPES = pytest.mark.parametrize(
    ("m", "c"), [(1, 1), (1, 7), (2, 5), (33, 1), (100, 3), (257, 64), (3000, 33), (70, 1000)]
)


def inputs(m, c, dtype, layout="C"):
    rng = np.random.default_rng(m + c)
    x, gy = (laid_out(rng.normal(0.5, 2, (m, c)).astype(dtype), layout) for _ in range(2))
    weight, bias = (laid_out(rng.normal(size=c).astype(dtype), layout) for _ in range(2))
    return x, gy, weight, bias


def check_batch_norm(x, gy, weight, bias, slope=1.0):
    _, mean, var = agree("batch_norm", x, weight, bias, 1e-5, slope)
    agree("batch_norm_inference", x, weight, bias, mean, var, 1e-5, slope)
    before = kernels.batch_norm_inference(x, weight, bias, mean, var, 1e-5)
    gy = np.where(np.abs(before) < 1e-5, 0, gy)  # rounding may lay the argument of leaky ReLU on either side of 0
    scale = 30 * np.sqrt(len(x))
    grads = agree("batch_norm_grad", gy, x, weight, bias, mean, var, 1e-5, slope, scale=scale)
    some = kernels.batch_norm_grad(gy, x, weight, bias, mean, var, 1e-5, slope, False)
    assert some[0] is None
    for ours, whole in zip(some[1:], grads[1:], strict=True):
        np.testing.assert_array_equal(ours, whole)


def check_layer_norm(x, gy, weight, bias):
    _, mean, invstd = agree("layer_norm", x, weight, bias, 1e-5, scale=4)
    agree("layer_norm_grad", gy, x, weight, mean, invstd, scale=30 * np.sqrt(len(x)))


@DTYPES
@SHAPES
@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_batch_norm(m, c, slope, dtype):
    check_batch_norm(*inputs(m, c, dtype), slope)


@DTYPES
@SHAPES
def test_layer_norm(m, c, dtype):
    # Rows of one or two values have a variance near 0, where rounding is magnified by 1 / √eps: left to float64.
    x, gy, weight, bias = inputs(m, c, np.float64 if c < 5 else dtype)
    check_layer_norm(x, gy, weight, bias)


@LAYOUTS
@pytest.mark.parametrize("check", [check_batch_norm, check_layer_norm])
def test_any_memory_layout(check, layout):
    check(*inputs(40, 6, np.float32, layout))


@DTYPES
@pytest.mark.parametrize(
    ("n", "places", "c", "groups"), [(1, 2, 1, 1), (3, 5, 6, 3), (2, 1, 6, 2), (5, 300, 8, 8), (9, 65, 100, 4)]
)
def test_group_norm(n, places, c, groups, dtype):
    x, gy, weight, bias = (a.reshape(n, places, c) if a.ndim == 2 else a for a in inputs(n * places, c, dtype))
    _, mean, invstd = agree("group_norm", x, groups, weight, bias, 1e-5, scale=4)
    agree("group_norm_grad", gy, x, weight, mean, invstd, scale=100 * np.sqrt(places))


def test_group_norm_far_from_zero():
    x = np.random.default_rng(1).normal(1000, 1, (2, 20_000, 4)).astype(np.float32)
    y, _, invstd = kernels.group_norm(x, 2, np.ones(4, np.float32), np.zeros(4, np.float32), 1e-5)
    exact = x.astype(np.float64).reshape(2, 20_000, 2, 2)
    np.testing.assert_allclose(invstd, 1 / np.sqrt(exact.var((1, 3)) + 1e-5), rtol=1e-5)
    assert abs(y.mean()) < 1e-4


def test_no_rows():
    x, gy, weight, bias = inputs(0, 3, np.float32)
    assert kernels.batch_norm_inference(x, weight, bias, bias, np.abs(bias), 1e-5).shape == (0, 3)
    y, mean, invstd = kernels.layer_norm(x, weight, bias, 1e-5)
    assert (y.shape, mean.shape) == ((0, 3), (0,))
    gx, gweight, _ = kernels.layer_norm_grad(gy, x, weight, mean, invstd)
    assert gx.shape == (0, 3)
    assert not gweight.any()


def test_variance_of_far_shifted_values_does_not_cancel():
    x = np.random.default_rng(1).normal(1000, 1, (100_000, 3)).astype(np.float32)
    ones, zeros = np.ones(3, np.float32), np.zeros(3, np.float32)
    _, mean, var = kernels.batch_norm(x, ones, zeros, 1e-5)
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(var, x.astype(np.float64).var(axis=0), rtol=1e-4)


def test_nan_stays_in_its_column_or_row():
    x, _, weight, bias = inputs(600, 70, np.float32)
    x[300, 7] = np.nan
    y, _, var = kernels.batch_norm(x, weight, bias, 1e-5)
    assert np.isnan(y[:, 7]).all()
    assert np.isnan(var).sum() == 1
    y, _, _ = kernels.layer_norm(x, weight, bias, 1e-5)
    assert np.isnan(y[300]).all()
    assert np.isnan(y).sum() == 70


@pytest.mark.parametrize(("m", "c"), [(3001, 33), (61, 1501)])
def test_same_bits_on_any_number_of_threads(m, c, monkeypatch):
    x, gy, weight, bias = inputs(m, c, np.float32)
    same_on_any_threads(monkeypatch, "batch_norm", x, weight, bias, 1e-5, 0.2)
    _, mean, var = kernels.batch_norm(x, weight, bias, 1e-5)
    same_on_any_threads(monkeypatch, "batch_norm_grad", gy, x, weight, bias, mean, var, 1e-5, 0.2)
    same_on_any_threads(monkeypatch, "layer_norm", x, weight, bias, 1e-5)
    _, mean, invstd = kernels.layer_norm(x, weight, bias, 1e-5)
    same_on_any_threads(monkeypatch, "layer_norm_grad", gy, x, weight, mean, invstd)
    images, gradient = x[: m // 20 * 20].reshape(20, -1, c), gy[: m // 20 * 20].reshape(20, -1, c)
    same_on_any_threads(monkeypatch, "group_norm", images, 3 if c % 3 == 0 else 1, weight, bias, 1e-5)
    _, mean, invstd = kernels.group_norm(images, 1, weight, bias, 1e-5)
    same_on_any_threads(monkeypatch, "group_norm_grad", gradient, images, weight, mean, invstd)


def test_parallel_and_serial_inference_agree():
    x, _, weight, bias = inputs(3000, 33, np.float32)
    whole = kernels.batch_norm_inference(x, weight, bias, bias, np.abs(weight), 1e-5)
    part = kernels.batch_norm_inference(x[:100], weight, bias, bias, np.abs(weight), 1e-5)
    close(whole[:100], part, 0)


def test_leaky_batch_norm_keeps_nan():
    x, gy, weight, bias = inputs(600, 70, np.float32)
    x[300, 7] = np.nan
    y, mean, var = kernels.batch_norm(x, weight, bias, 1e-5, 0.0)
    gx, gweight, _ = kernels.batch_norm_grad(gy, x, weight, bias, mean, var, 1e-5, 0.0)
    assert gx is not None
    for broken in (y, gx):
        assert np.isnan(broken[:, 7]).all()
        assert np.isnan(broken).sum() == 600
    assert np.isnan(gweight).sum() == 1
