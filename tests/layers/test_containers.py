"""Sequential and ModuleList."""

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.errors import ArgumentError


@pytest.fixture
def rng() -> np.random.Generator:
    return mg.random.generator(0)


def test_sequential_runs_in_order(rng: np.random.Generator):
    first, second = layers.Linear(3, 4, rng=rng), layers.Linear(4, 2, rng=rng)
    model = layers.Sequential(first, layers.Tanh(), second)
    x = mg.tensor(rng.standard_normal((5, 3)).astype(np.float32))
    np.testing.assert_array_equal(model(x).data, second(mg.tanh(first(x))).data)
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(model) == 3 and model[0] is first and model[-1] is second and list(model)[2] is second


def test_an_empty_sequential_is_the_identity():
    x = mg.tensor([1.0])
    assert layers.Sequential()(x) is x


def test_one_module_twice_runs_twice(rng: np.random.Generator):
    layer = layers.Linear(2, 2, rng=rng)
    model = layers.Sequential(layer, layer)
    x = mg.tensor([[1.0, 2.0]])
    np.testing.assert_array_equal(model(x).data, layer(layer(x)).data)
    assert list(model.state_dict()) == ["0.weight", "0.bias"]


def test_module_list(rng: np.random.Generator):
    parts = layers.ModuleList(layers.Linear(2, 2, rng=rng) for _ in range(2))
    parts.append(layers.ReLU())
    assert [type(part).__name__ for part in parts] == ["Linear", "Linear", "ReLU"]
    assert len(parts.parameters()) == 4
    with pytest.raises(IndexError, match="no item 3 in 3 modules"):
        parts[3]
    with pytest.raises(NotImplementedError, match="ModuleList has no forward"):
        parts(1)


def test_a_function_is_not_a_module():
    with pytest.raises(ArgumentError, match=r"Sequential: item 1 is .*not a Module; use the layer"):
        layers.Sequential(layers.ReLU(), mg.relu)  # pyright: ignore[reportArgumentType]
