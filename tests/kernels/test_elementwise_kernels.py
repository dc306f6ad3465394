"""Activations, their gradients and dropout against their twins."""

import numpy as np
import pytest
from twins import DTYPES, LAYOUTS, agree, laid_out, same_on_any_threads

from minigen import kernels

UNARY = {
    "leaky_relu": (0.2,),
    "sigmoid": (),
    "softplus": (),
    "erf": (),
    "gelu": (),
    "silu": (),
    "elu": (1.3,),
}
BINARY = {
    "leaky_relu_grad": (0.2,),
    "sigmoid_grad": (),
    "tanh_grad": (),
    "gelu_grad": (),
    "silu_grad": (),
    "elu_grad": (1.3,),
}
SHAPES = [(), (0,), (1,), (7,), (5, 3, 3), (3, 17001)]
LARGE = (3, 17001)  # the parallel path
EDGES = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-30, -1e-30, 88.8, -88.8, 104.0, -104.0, 3.949, 5.7, -5.7, 1e30, -1e30]


@DTYPES
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "options"), (UNARY | BINARY).items(), ids=[*UNARY, *BINARY])
def test_equals_its_twin(name, options, shape, dtype):
    rng = np.random.default_rng(1)
    count = 2 if name in BINARY else 1
    agree(name, *(np.asarray(rng.normal(0, 3, shape), dtype) for _ in range(count)), *options)


@LAYOUTS
@pytest.mark.parametrize(("name", "options"), (UNARY | BINARY).items(), ids=[*UNARY, *BINARY])
def test_any_memory_layout(name, options, layout):
    rng = np.random.default_rng(2)
    count = 2 if name in BINARY else 1
    arrays = [laid_out(rng.normal(0, 3, (6, 5)).astype(np.float32), layout) for _ in range(count)]
    assert agree(name, *arrays, *options).flags.c_contiguous


@DTYPES
@pytest.mark.parametrize("name", UNARY)
def test_extreme_values(name, dtype):
    x = np.array(EDGES, dtype)
    y = agree(name, x, *UNARY[name])
    assert np.isnan(y[0])


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "erf", "elu"])
def test_relative_accuracy_in_float32(name):
    """Small results keep their digits: no cancellation near 0, none in the tails."""
    options = UNARY[name]
    x = np.concatenate([-np.geomspace(1e-6, 60, 4000), np.geomspace(1e-6, 60, 4000)]).astype(np.float32)
    exact = getattr(kernels, name)(x.astype(np.float64), *options)
    np.testing.assert_allclose(getattr(kernels, name)(x, *options), exact, rtol=4e-7, atol=1e-37)


@pytest.mark.parametrize(("name", "options"), (UNARY | BINARY).items(), ids=[*UNARY, *BINARY])
def test_same_bits_on_any_number_of_threads(name, options, monkeypatch):
    x = np.random.default_rng(3).normal(size=LARGE).astype(np.float32)
    same_on_any_threads(monkeypatch, name, *([x] * (2 if name in BINARY else 1)), *options)


def test_leaky_relu_grad_at_zero_takes_the_slope():
    x = np.array([0.0, -0.0], np.float32)
    np.testing.assert_array_equal(kernels.leaky_relu_grad(np.ones_like(x), x, 0.25), [0.25, 0.25])


@pytest.mark.parametrize("shape", [(7,), LARGE], ids=str)
@pytest.mark.parametrize("name", ["add", "subtract", "multiply"])
@DTYPES
def test_two_arrays_or_an_array_and_a_number(name, shape, dtype, monkeypatch):
    x, y = np.random.default_rng(4).normal(size=(2, *shape)).astype(dtype)
    function, number = getattr(np, name), np.array(0.3, dtype)
    for left, right in ((x, y), (x, y[..., :1]), (x[..., :1], y), (x, number), (number, x), (x, np.array(3))):
        agree(name, left, right)
        np.testing.assert_array_equal(getattr(kernels, name)(left, right), function(left, right))
    same_on_any_threads(monkeypatch, name, x, y)
    same_on_any_threads(monkeypatch, name, x, number)


@pytest.mark.parametrize(
    "shapes", [(LARGE, LARGE), ((300, 200), (200,)), ((300, 1), (1, 200)), ((300, 200), ())], ids=str
)
def test_add_broadcasts_and_mixes_dtypes_as_numpy(shapes):
    rng = np.random.default_rng(5)
    a, b = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    for left, right in ((a, b), (a[::-1], b), (a.astype(np.float64), b), (a.astype(np.int64), b)):
        agree("add", left, right)


def test_add_into_an_operand_or_elsewhere():
    a, b = np.random.default_rng(6).normal(size=(2, *LARGE))
    expected = a + b
    apart = np.zeros((*LARGE, 2))[..., 0]  # not contiguous
    for out in (apart, a):
        assert kernels.add(a, b, out=out) is out
        np.testing.assert_array_equal(out, expected)
