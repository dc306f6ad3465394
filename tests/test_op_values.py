"""Result dtypes of operations, and their values and gradients at the edges of their domains."""

from typing import Any

import numpy as np
import pytest

import minigen as mg


def assert_close(actual: Any, expected: Any, tolerance: float) -> None:
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * scale)


# ---------------------------------------------------------------- dtypes


@pytest.mark.parametrize("number", [2, 0.5, True, np.float64(0.5), np.int64(2)], ids=repr)
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "power", "maximum", "minimum"])
@pytest.mark.parametrize("swapped", [False, True])
def test_numbers_take_the_dtype_of_the_tensor(name: str, number: Any, swapped: bool):
    for dtype in (np.float32, np.float64):
        x = mg.tensor(np.array([1.0, 2.0], dtype), requires_grad=True)
        y = getattr(mg, name)(*((number, x) if swapped else (x, number)))
        assert y.dtype == dtype
        y.sum().backward()
        assert x.grad is not None
        assert x.grad.dtype == dtype
        a, b = (number, x.data.astype(float)) if swapped else (x.data.astype(float), number)
        assert_close(y.data, getattr(np, name)(a, float(b) if b is number else b), 1e-7)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (lambda x: x.clip(np.float64(0.0), np.float64(1.0)), np.float32),
        (lambda x: mg.leaky_relu(x, np.float64(0.2)), np.float32),
        (lambda x: mg.elu(x, np.float64(0.2)), np.float32),
        (lambda x: x ** np.float64(1.5), np.float32),
        (lambda x: mg.pad(x, 1, np.float64(2.0)), np.float32),
        (lambda x: mg.huber_loss(x, x * 2, delta=np.float64(0.3)), np.float32),
        (lambda x: mg.where(x > 0, x, 1.0), np.float32),
        (lambda x: x * mg.tensor([1, 2, 3]), np.float32),
        (lambda x: x * mg.tensor(np.ones(3)), np.float64),
        (lambda x: mg.concatenate([x, mg.tensor(np.ones(3))]), np.float64),
        (lambda x: mg.tensor([1, 2, 3]) * 2, np.int64),
        (lambda x: mg.tensor([1, 2, 3]) * 0.5, np.float32),
        (lambda x: mg.tensor([1, 2, 3]) / 2, np.float32),
        (lambda x: mg.mean(mg.tensor([1, 2, 3])), np.float32),
        (lambda x: mg.sum(mg.tensor([True, True])), np.int64),
        (lambda x: 1 - mg.tensor([True, False]), np.int64),
    ],
)
def test_result_dtype(operation: Any, expected: Any):
    assert operation(mg.tensor([0.5, -1.0, 2.0], dtype=np.float32)).dtype == expected


def test_astype_carries_the_gradient_between_floats():
    x = mg.tensor(np.array([1.0, 2.0], np.float32), requires_grad=True)
    y = x.astype(np.float64)
    (y * y).sum().backward()
    assert x.grad is not None
    assert (y.dtype, x.grad.dtype, x.grad.tolist()) == (np.float64, np.float32, [2.0, 4.0])
    assert not x.astype(np.int64).requires_grad
    assert x.astype(np.float32) is x


def test_a_python_float_is_not_rounded_on_its_way_into_float64():
    assert mg.tensor(0.1, dtype=np.float64).item() == 0.1
    assert mg.multiply(np.array([1.0]), 0.1).item() == 0.1
    x = mg.tensor(np.zeros(1))
    x[0] = 0.1
    assert x.item() == 0.1


# ---------------------------------------------------------------- values at the edges


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (lambda: mg.sigmoid(mg.tensor([-1e4, 1e4])), [0.0, 1.0]),
        (lambda: mg.softplus(mg.tensor([-1e4, 1e4])), [0.0, 1e4]),
        (lambda: mg.logsumexp(mg.tensor([1e4, 1e4])), 1e4 + np.log(2)),
        (lambda: mg.logsumexp(mg.tensor([-np.inf, -np.inf])), -np.inf),
        (lambda: mg.softmax(mg.tensor([1e4, 0.0, -1e4])), [1.0, 0.0, 0.0]),
        (lambda: mg.log_softmax(mg.tensor([1e4, 0.0])), [0.0, -1e4]),
        (lambda: mg.binary_cross_entropy_with_logits(mg.tensor([1e4, -1e4]), [1.0, 1.0], reduction="none"), [0, 1e4]),
        (lambda: mg.cross_entropy(mg.tensor([[1e4, 0.0]]), [1]), 1e4),
        (lambda: mg.binary_cross_entropy(mg.tensor([0.0, 1.0]), [0.0, 0.0], reduction="none"), [0.0, 100.0]),
        (lambda: mg.sum(mg.tensor(np.zeros((0, 3), np.float32)), 0), [0.0, 0.0, 0.0]),
        (lambda: mg.min(mg.tensor(np.array([0, 3], np.uint8))), 0),
        (lambda: mg.max(mg.tensor([False, True])), True),
        (lambda: mg.log(mg.tensor([0.0])), [-np.inf]),
        (lambda: mg.sqrt(mg.tensor([-1.0])), [np.nan]),
        (lambda: mg.relu(mg.tensor([np.nan, -1.0])), [np.nan, 0.0]),
        (lambda: mg.max(mg.tensor([np.nan, 1.0])), np.nan),
        (lambda: mg.tensor([True, False]) * 3, [3, 0]),
        (lambda: mg.tensor([True, False]) + 2, [3, 2]),
    ],
)
def test_extreme_values(y: Any, expected: Any):
    np.testing.assert_allclose(y().data, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (mg.relu, [0.0], [0.0]),
        (mg.abs, [0.0], [0.0]),
        (lambda x: mg.leaky_relu(x, 0.2), [0.0], [0.2]),
        (lambda x: mg.clip(x, 0.0, 1.0), [0.0, 1.0, 2.0], [1.0, 1.0, 0.0]),
        (lambda x: mg.max(x), [1.0, 1.0, 0.0], [0.5, 0.5, 0.0]),
        (lambda x: mg.maximum(x, 1.0), [1.0, 2.0], [0.5, 1.0]),
        (lambda x: x**0, [0.0], [0.0]),
        (lambda x: x**2, [0.0], [0.0]),
        (lambda x: x**1, [0.0], [1.0]),
        (lambda x: mg.power(x, mg.tensor([0.0, 1.0, 2.0])), [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]),
        (lambda x: mg.sigmoid(x), [1e4, -1e4], [0.0, 0.0]),
        (lambda x: mg.max_pool2d(mg.reshape(x, (1, 2, 2, 1)), 2), [3.0, 3.0, 1.0, 2.0], [1.0, 0.0, 0.0, 0.0]),
    ],
)
def test_gradient_at_special_points(function: Any, x: list[float], expected: list[float]):
    t = mg.tensor(x, requires_grad=True)
    function(t).sum().backward()
    assert t.grad is not None
    np.testing.assert_allclose(t.grad.data, expected, atol=1e-7)


def test_where_keeps_its_condition():
    mask, x = np.array([True, False]), mg.tensor([1.0, 2.0], requires_grad=True)
    y = mg.where(mask, x, 0.0)
    mask[:] = False
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 0.0]


def test_layer_norm_of_a_single_row():
    x, w, b = (mg.tensor(np.random.default_rng(i).normal(size=4), requires_grad=True) for i in range(3))
    row = mg.layer_norm(x, w, b)
    assert row.shape == (4,)
    np.testing.assert_array_equal(row.data, mg.layer_norm(x[None], w, b).data[0])
    assert mg.gradcheck(mg.layer_norm, (x, w, b))
