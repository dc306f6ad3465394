"""Hooks around a module's forward."""

import copy
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.autograd.observe import Observer, observe
from minigen.errors import ArgumentError


def network() -> layers.Sequential:
    rng = mg.random.generator(0)
    return layers.Sequential(layers.Linear(2, 3, rng=rng), layers.ReLU(), layers.Linear(3, 1, rng=rng))


def test_hooks_see_each_layer_for_itself_also_where_it_would_be_fused():
    model, x, seen = network(), np.ones((4, 2), np.float32), {}
    expected = model(x).data
    linear, relu = model.children()[:2]
    handles = [
        part.register_forward_hook(lambda module, args, y: seen.__setitem__(type(module).__name__, (args[0], y)))
        for part in (linear, relu)
    ]
    np.testing.assert_allclose(model(x).data, expected, rtol=1e-6)
    h = seen["Linear"][1]
    np.testing.assert_allclose(h.data, linear(x).data)
    assert seen["ReLU"][0] is h and (seen["ReLU"][1].data == np.maximum(h.data, 0)).all()
    for handle in handles:
        handle.remove()
    seen.clear()
    model(x)
    assert not seen


def test_what_hooks_return_takes_the_place():
    model, x = network(), np.ones((1, 2), np.float32)
    plain = model(x).item()
    with model.register_forward_pre_hook(lambda module, args: args[0] * 0.0):
        assert model(x).item() == model(x * 0).item()
        with model.register_forward_pre_hook(lambda module, args: (args[0] + 1.0,)):
            assert model(x).item() == pytest.approx(plain)
    with model.register_forward_hook(lambda module, args, y: y * 2.0):
        twin = copy.deepcopy(model)
        assert model(x).item() == pytest.approx(2 * plain)
    assert model(x).item() == plain and twin(x).item() == pytest.approx(2 * plain)


def test_observers_hear_of_a_module_with_hooks_once():
    heard = []

    class Names(Observer):
        def module_starts(self, module: Any, args: Any, kwargs: Any) -> None:
            heard.append(type(module).__name__)

    layer = layers.Tanh()
    layer.register_forward_hook(lambda *_: None)
    with observe(Names()):
        layer(mg.tensor(1.0))
    assert heard == ["Tanh"]


def test_a_hook_is_a_function():
    bad: Any = 3
    with pytest.raises(ArgumentError, match="no function"):
        layers.Tanh().register_forward_hook(bad)
