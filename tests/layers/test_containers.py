"""Sequential and ModuleList, and the dictionaries."""

import copy
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.autograd.function import Function
from minigen.config import config
from minigen.errors import ArgumentError

untyped: Any = layers  # as wrong types are the point


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


def test_sequential_takes_a_list_and_names(rng: np.random.Generator):
    parts = [layers.Linear(3, 4, rng=rng), layers.ReLU(), layers.Linear(4, 2, rng=rng)]
    names = ["hidden", "act", "out"]
    x = rng.standard_normal((5, 3)).astype(np.float32)
    expected = layers.Sequential(*parts)(x).data
    for model in (
        layers.Sequential(parts),
        layers.Sequential(tuple(parts)),
        layers.Sequential(part for part in parts),
        layers.Sequential(OrderedDict(zip(names, parts, strict=True))),
    ):
        assert list(model) == parts
        np.testing.assert_array_equal(model(x).data, expected)
    named = layers.Sequential(dict(zip(names, parts, strict=True)))
    assert list(named.state_dict()) == ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]
    assert getattr(named, "out") is parts[2]  # noqa: B009
    assert named.get_submodule("act") is parts[1]


def test_slices_hold_the_same_modules_under_the_same_names(rng: np.random.Generator):
    model = layers.Sequential(
        {"a": layers.Linear(3, 4, rng=rng), "b": layers.Tanh(), "c": layers.Linear(4, 2, rng=rng)}
    )
    head = model.eval()[:2]
    assert type(head) is layers.Sequential and list(head) == list(model)[:2] and not head.training
    assert list(head.state_dict()) == ["a.weight", "a.bias"]
    x = rng.standard_normal((2, 3)).astype(np.float32)
    np.testing.assert_array_equal(model[2:](head(x)).data, model(x).data)
    last = layers.ModuleList(list(model))[-2:]
    assert type(last) is layers.ModuleList and last[1] is model[-1]
    assert [name for name, _ in last.named_children()] == ["0", "1"]


def test_a_list_is_changed_as_a_list():
    a, b, c, d = layers.ReLU(), layers.Tanh(), layers.Sigmoid(), layers.GELU()
    parts = layers.ModuleList([a, b])
    assert parts.append(c) is parts and parts.extend([d]) is parts
    parts.insert(1, layers.Identity())
    assert [type(part).__name__ for part in parts] == ["ReLU", "Identity", "Tanh", "Sigmoid", "GELU"]
    assert [name for name, _ in parts.named_children()] == ["0", "1", "2", "3", "4"]
    assert parts.pop() is d and parts.pop(1) is not d
    parts[-1] = d
    del parts[0]
    assert list(parts) == [b, d] and len(parts) == 2
    del parts[:]
    assert len(parts) == 0 and parts.state_dict() == {}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: untyped.Sequential(layers.ReLU, layers.Tanh()), r"item 0 .* with brackets, e\.g\. ReLU\(\)"),
        (lambda: untyped.Sequential({"a.b": layers.ReLU()}), r"'a\.b' can not be a name; use a string without dots"),
        (lambda: untyped.Sequential({"forward": layers.ReLU()}), "'forward' is taken, by an attribute"),
        (lambda: untyped.Sequential({1: layers.ReLU()}), "1 can not be a name"),
        (lambda: untyped.ModuleList(layers.ReLU()), r"ReLU\(\) is one module; pass a list"),
        (lambda: untyped.ModuleList(3), "got int; pass a list of modules"),
        (lambda: untyped.Sequential({"1": layers.ReLU()}).append(layers.Tanh()), "a module named '1' already"),
        (lambda: untyped.Sequential(layers.ReLU())["0"], "'0' is no position"),
        (lambda: untyped.ModuleDict({"a": mg.relu}), "ModuleDict: 'a' is a function, not a Module"),
        (lambda: untyped.ModuleDict({"items": layers.ReLU()}), "'items' is taken"),
        (lambda: untyped.ModuleDict([layers.ReLU()]), "got list; pass a dict"),
        (lambda: untyped.ParameterDict({"a": np.ones(2)}), r"'a' is a ndarray, not a Parameter; wrap it"),
        (lambda: untyped.ParameterList([np.ones(2)]), r"item 0 is a ndarray, not a Parameter; wrap it"),
        (lambda: untyped.ParameterList(layers.Parameter(np.ones(2))), "got a Parameter; pass a list"),
    ],
)
def test_wrong_parts(wrong: Any, message: str):
    with pytest.raises(ArgumentError, match=message):
        wrong()


def test_module_dict(rng: np.random.Generator):
    parts = layers.ModuleDict({"b": layers.Linear(2, 2, rng=rng), "a": layers.ReLU()})
    parts["c"] = layers.Linear(2, 1, rng=rng)
    assert list(parts) == parts.keys() == ["b", "a", "c"] and len(parts) == 3 and "a" in parts and "x" not in parts
    assert parts.values()[1] is parts["a"] and dict(parts.items())["c"] is parts["c"]
    assert list(parts.state_dict()) == ["b.weight", "b.bias", "c.weight", "c.bias"]
    assert parts.pop("a") is not None and "a" not in parts
    with pytest.raises(KeyError, match="no 'a'; there are b, c"):
        parts["a"]
    copied = copy.deepcopy(parts)
    assert copied["b"] is not parts["b"] and copied.keys() == ["b", "c"]


def test_a_slice_leaves_its_modules_in_their_mode(rng: np.random.Generator):
    model = layers.Sequential(layers.Linear(2, 2, rng=rng), layers.BatchNorm(2), layers.ReLU())
    model[1].eval()
    assert model[:2].training and not model[1].training and not model.eval()[:2].training


def test_parameter_list_and_dict():
    values = [layers.Parameter(np.full(n + 1, n, np.float32)) for n in range(3)]
    several = layers.ParameterList(values[:2]).append(values[2])
    assert several[-1] is values[2] and len(several) == 3 and list(several) == several.parameters()
    several[0] = values[1]
    assert list(several.state_dict()) == ["0", "2"]  # the same parameter stands once
    assert repr(several) == "ParameterList(float32 (2,), float32 (2,), float32 (3,))"
    with pytest.raises(IndexError, match="no item 3 in 3 parameters"):
        several[3]
    named = layers.ParameterDict({"scale": values[0], "shift": values[1]})
    assert named["shift"] is values[1] and list(named.state_dict()) == ["scale", "shift"]
    assert repr(named) == "ParameterDict(scale: float32 (1,), shift: float32 (2,))"


def test_parts_by_their_dotted_names(rng: np.random.Generator):
    model = layers.Sequential({"body": layers.Sequential(layers.Linear(2, 3, rng=rng), layers.ReLU())})
    for name, module in model.named_modules():
        assert model.get_submodule(name) is module
    for name, parameter in model.named_parameters():
        assert model.get_parameter(name) is parameter
    with pytest.raises(ArgumentError, match=r"get_submodule: Sequential 'body' has no module '2'; its modules: 0, 1"):
        model.get_submodule("body.2.x")
    with pytest.raises(ArgumentError, match=r"get_parameter: Linear 'body\.0' has no parameter 'w'; .* weight, bias"):
        model.get_parameter("body.0.w")
