"""Bias and leaky ReLU on the rows of a matrix against their twins."""

import numpy as np
import pytest
from twins import DTYPES, LAYOUTS, agree, close, laid_out, same_on_any_threads

from minigen import kernels
from minigen.config import config
from minigen.kernels import reference

SHAPES = pytest.mark.parametrize("shape", [(0, 3), (1, 1), (5, 1), (7, 33), (300, 5), (70, 700), (1001, 64)], ids=str)
SLOPES = pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])


def matrix(shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).normal(0, 3, shape).astype(dtype)


@DTYPES
@SHAPES
@SLOPES
def test_bias_leaky(shape, slope, dtype):
    for bias in (matrix(shape[1:], dtype, 1), None):
        ours, theirs = matrix(shape, dtype), matrix(shape, dtype)
        assert kernels.bias_leaky(ours, bias, slope) is None
        reference.bias_leaky(theirs, bias, slope)
        close(ours, theirs)


@DTYPES
@SHAPES
@SLOPES
def test_bias_leaky_grad(shape, slope, dtype):
    gy, z, bias = matrix(shape, dtype, 1), matrix(shape, dtype), matrix(shape[1:], dtype, 2)
    y = z.copy()
    kernels.bias_leaky(y, bias, slope)
    gz, gbias = agree("bias_leaky_grad", gy, y, slope, scale=30)
    np.testing.assert_array_equal(gz, np.where(z + bias > 0, gy, gy.dtype.type(slope) * gy))
    close(gbias, gz.sum(axis=0, dtype=np.float64).astype(dtype), 30)
    alone, nothing = kernels.bias_leaky_grad(gy, y, slope, False)
    np.testing.assert_array_equal(alone, gz)
    assert nothing is None
    assert (alone is gy) == (gz is gy) == (slope == 1)


@LAYOUTS
@SLOPES
def test_any_memory_layout(layout, slope):
    gy, y = (laid_out(matrix((40, 6), seed=seed), layout) for seed in (0, 1))
    agree("bias_leaky_grad", gy, y, slope, scale=10)
    ours, theirs = matrix((40, 6)), matrix((40, 6))
    bias = laid_out(matrix((6,)), layout)
    kernels.bias_leaky(ours, bias, slope)
    reference.bias_leaky(theirs, bias, slope)
    close(ours, theirs)


@pytest.mark.parametrize("shape", [(3, 17001), (17001, 3), (701, 65)], ids=str)
def test_same_bits_on_any_number_of_threads(shape, monkeypatch):
    gy, y = matrix(shape), matrix(shape, seed=1)
    for slope in (0.0, 0.2, 1.0):
        same_on_any_threads(monkeypatch, "bias_leaky_grad", gy, y, slope)
    results = []
    for threads in (1, config.threads):
        monkeypatch.setattr(config, "threads", threads)
        results.append(y.copy())
        kernels.bias_leaky(results[-1], gy[0], 0.2)
    np.testing.assert_array_equal(*results)


def test_nan_and_infinities():
    y = np.array([[np.nan, np.inf, -np.inf, -0.0]], np.float32)
    kernels.bias_leaky(y, np.zeros(4, np.float32), 0.0)
    np.testing.assert_array_equal(y, [[np.nan, np.inf, 0, 0]])
    gz, gbias = kernels.bias_leaky_grad(np.full_like(y, np.nan), y, 0.0)
    np.testing.assert_array_equal(gz, [[np.nan, np.nan, 0, 0]])
    np.testing.assert_array_equal(gbias, gz[0])
    gz, _ = kernels.bias_leaky_grad(np.full_like(y, np.inf), -np.ones_like(y), 0.0)
    np.testing.assert_array_equal(gz, 0)


@DTYPES
@pytest.mark.parametrize("shape", [(0, 300), (3, 2), (1, 40000), (257, 128), (512, 130), (70, 700)], ids=str)
def test_total_over_rows(shape, dtype, monkeypatch):
    for layout in ("C", "F"):
        x = laid_out(matrix(shape, dtype), layout)
        agree("total", x, (0,), scale=30)
        same_on_any_threads(monkeypatch, "total", x, (0,))
