"""Pooling kernels against their twins, and the adjoints against the definition of an adjoint."""

import numpy as np
import pytest
from twins import DTYPES, LAYOUTS, agree, laid_out, same_on_any_threads

from minigen import kernels

CASES = {  # x's shape, kernel, stride, padding
    "2x2": ((2, 6, 8, 3), (2, 2), (2, 2), (0, 0, 0, 0)),
    "odd": ((3, 7, 5, 2), (2, 2), (2, 2), (0, 0, 0, 0)),
    "overlapping": ((2, 9, 8, 5), (3, 3), (2, 2), (1, 1, 1, 1)),
    "uneven": ((2, 6, 7, 1), (3, 2), (1, 3), (1, 0, 0, 1)),
    "one pixel": ((1, 1, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
    "no images": ((0, 4, 4, 3), (2, 2), (2, 2), (0, 0, 0, 0)),
    "tall, and parallel": ((5, 20, 21, 17), (3, 2), (3, 2), (0, 0, 0, 0)),
    "parallel": ((5, 20, 21, 17), (3, 2), (2, 2), (1, 1, 0, 0)),
}
WINDOWS = pytest.mark.parametrize(("shape", "kernel", "stride", "padding"), CASES.values(), ids=CASES)


def images(shape, dtype, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@DTYPES
@WINDOWS
def test_max_pool_and_its_gradient(shape, kernel, stride, padding, dtype):
    x = images(shape, dtype)
    y, index = agree("max_pool2d", x, kernel, stride, padding)
    np.testing.assert_array_equal(agree("max_pool2d_gather", x, index), y)
    agree("max_pool2d_scatter", images(y.shape, dtype, 1), index, shape)
    if kernel == stride and not any(padding):
        agree("max_pool2d_scatter", images(y.shape, dtype, 1), index, shape, kernel)


@DTYPES
@WINDOWS
def test_avg_pool_and_its_gradient(shape, kernel, stride, padding, dtype):
    x = images(shape, dtype)
    y = agree("avg_pool2d", x, kernel, stride, padding)
    gy = images(y.shape, dtype, 1)
    gx = agree("avg_pool2d_grad", gy, shape, kernel, stride, padding)
    np.testing.assert_allclose((y * gy).sum(), (x * gx).sum(), rtol=1e-4, atol=1e-4)


@LAYOUTS
def test_any_memory_layout(layout):
    window = (3, 3), (2, 2), (1, 1, 1, 1)
    x = laid_out(images((2, 7, 6, 4), np.float32), layout)
    y, index = agree("max_pool2d", x, *window)
    gy = laid_out(images(y.shape, np.float32, 1), layout)
    agree("max_pool2d_scatter", gy, np.asfortranarray(index), x.shape)
    agree("max_pool2d_gather", x, np.asfortranarray(index))
    agree("avg_pool2d", x, *window)
    agree("avg_pool2d_grad", gy, x.shape, *window)


@DTYPES
def test_ties_nan_and_infinities(dtype):
    values = [1.0, 1.0, np.nan, np.inf, -np.inf]
    x = np.random.default_rng(5).choice(values, size=(4, 9, 9, 3), p=[0.3, 0.3, 0.05, 0.05, 0.3]).astype(dtype)
    x[0] = -np.inf  # the place is a pixel all the same, never the padding
    _, index = agree("max_pool2d", x, (3, 3), (2, 2), (1, 1, 1, 1))
    assert index.min() >= 0


def test_scatter_adds_where_windows_overlap():
    x = np.zeros((1, 3, 3, 1), np.float32)
    x[0, 1, 1, 0] = 1
    y, index = kernels.max_pool2d(x, (2, 2), (1, 1), (0, 0, 0, 0))
    gx = kernels.max_pool2d_scatter(np.ones_like(y), index, x.shape)
    assert gx[0, 1, 1, 0] == 4
    assert gx.sum() == 4


def test_same_bits_on_any_number_of_threads(monkeypatch):
    x = images((5, 20, 21, 17), np.float32)
    window = (3, 3), (1, 1), (1, 1, 1, 1)
    same_on_any_threads(monkeypatch, "max_pool2d", x, *window)
    y, index = kernels.max_pool2d(x, *window)
    same_on_any_threads(monkeypatch, "max_pool2d_scatter", y, index, x.shape)
    y, index = kernels.max_pool2d(x, (2, 3), (2, 3), (0, 0, 0, 0))
    same_on_any_threads(monkeypatch, "max_pool2d_scatter", y, index, x.shape, (2, 3))
