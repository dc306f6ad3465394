"""Sequential and ModuleList."""

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.autograd.function import Function
from minigen.config import config
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


LAYERS = {
    "linear": (lambda rng: layers.Linear(3, 4, rng=rng), (5, 3)),
    "conv": (lambda rng: layers.Conv2d(3, 4, 3, padding=1, rng=rng), (2, 5, 5, 3)),
    "transposed": (lambda rng: layers.ConvTranspose2d(3, 4, 3, 2, bias=False, rng=rng), (2, 3, 3, 3)),
    "batch norm": (lambda rng: layers.BatchNorm(3), (4, 3)),
}


def node_names(y: mg.Tensor) -> list[str]:
    """Names of the nodes from the result back along the first inputs."""
    names, node = [], y.node
    while isinstance(node, Function):
        names.append(node.name)
        node = node.edges[0]
    return names


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("activation", [layers.ReLU(), layers.LeakyReLU(0.3)], ids=repr)
def test_a_layer_takes_over_the_activation_behind_it(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator, name: str, activation: layers.Module
):
    make, shape = LAYERS[name]
    model = layers.Sequential(make(rng), activation, layers.Tanh()).astype(np.float64)
    x = rng.standard_normal(shape)
    results, nodes = {}, {}
    for fuse in (True, False):
        monkeypatch.setattr(config, "fuse", fuse)
        model.zero_grad()
        inputs = mg.tensor(x, requires_grad=True)
        y = model(inputs)
        nodes[fuse] = len(node_names(y))
        (y * y).sum().backward()
        results[fuse] = [y, inputs.grad, *[p.grad for p in model.parameters()]]
    assert (nodes[True], nodes[False]) == (2, 3)
    for fused, alone in zip(results[True], results[False], strict=True):
        np.testing.assert_allclose(fused.data, alone.data, rtol=1e-12, atol=1e-12)


def test_an_activation_of_ones_own_is_called(rng: np.random.Generator):
    class Louder(layers.ReLU):
        def forward(self, x: mg.Tensor) -> mg.Tensor:
            return super().forward(x) * 2.0

    replaced = layers.ReLU()
    replaced.forward = lambda x: x * 0.0
    layer, x = layers.Linear(2, 2, rng=rng), mg.tensor(rng.standard_normal((3, 2)))
    np.testing.assert_array_equal(layers.Sequential(layer, Louder())(x).data, (mg.relu(layer(x)) * 2.0).data)
    assert not layers.Sequential(layer, replaced)(x).data.any()


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
