"""At the edges of their domains: infinities, ties, certain probabilities, mixed dtypes."""

from collections.abc import Callable

import numpy as np
import pytest

import minigen as mg

ONE = np.array([0.0, 1.0, 1.0, 0.0])
EDGES = [
    ("relu", lambda x: mg.relu(x), [0.0, -1.0, 1.0, -0.0]),
    ("elu", lambda x: mg.elu(x), [0.0, -1.0, 1.0, -0.0]),
    ("gelu", lambda x: mg.gelu(x), [0.0, -9.0, 9.0, -0.0]),
    ("binary_cross_entropy", lambda x: mg.binary_cross_entropy(x, ONE), [0.0, 1.0, 0.0, 1.0]),
    ("bce_with_logits", lambda x: mg.binary_cross_entropy_with_logits(x, ONE), [0.0, 99.0, -99.0, 1.0]),
    ("mse_loss", lambda x: mg.mse_loss(x, ONE), [0.0, 1.0, 1e6, -1.0]),
    ("softmax", lambda x: mg.softmax(x), [0.0, 0.0, 800.0, -800.0]),
    ("cross_entropy", lambda x: mg.cross_entropy(x, np.array(1)), [0.0, 0.0, 800.0, -800.0]),
    ("max", lambda x: mg.max(x), [1.0, 1.0, 1.0, 0.0]),
]


@pytest.mark.parametrize(("call", "values"), [edge[1:] for edge in EDGES], ids=[edge[0] for edge in EDGES])
def test_the_gradient_is_the_same_when_it_is_recorded(call: Callable, values: list[float]):
    x = mg.tensor(np.array(values), requires_grad=True)
    plain, recorded = (mg.grad(mg.sum(call(x)), x, create_graph=record)[0] for record in (False, True))
    np.testing.assert_allclose(recorded.data, plain.data, rtol=1e-12, atol=1e-15)
    assert np.isfinite(plain.data).all()


@pytest.mark.parametrize("size", [3, 100_000])
def test_relu_of_infinity_and_nan(size: int):
    x = np.resize(np.array([-np.inf, np.inf, np.nan], np.float32), size)
    np.testing.assert_array_equal(mg.relu(x).data, np.resize([0, np.inf, np.nan], size))
    x = mg.tensor(np.full(size, -1, np.float32), requires_grad=True)
    (g,) = mg.grad(mg.relu(x), x, mg.tensor(np.full(size, np.inf, np.float32)))
    np.testing.assert_array_equal(g.data, 0)


def test_integers_take_the_float_dtype_beside_them():
    exact = np.array([[16777217]])  # 2²⁴ + 1, which float32 can not hold
    assert mg.matmul(exact, np.array([[1.0]])).item() == 16777217
    assert mg.mse_loss(np.array([16777217.0]), np.array([16777217])).item() == 0
    single = np.ones(1, np.float32)
    assert mg.concatenate([single, exact[0]]).dtype == mg.add(single, exact[0]).dtype == np.float32
