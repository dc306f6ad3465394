"""Hooks around a module's forward, and in backward."""

import copy
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.autograd.observe import Observer, observe
from minigen.errors import ArgumentError, GradientError


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


def gradients_seen(model: layers.Sequential, x: Any, hook: Any) -> tuple[list[Any], mg.Tensor]:
    """What the second layer's hook is given in backward, and the gradient of the input."""
    seen = []
    x = mg.tensor(x, requires_grad=True)
    with model[2].register_full_backward_hook(lambda *given: (seen.append(given), hook(given[1]))[1]):
        model(x).sum().backward()
    assert x.grad is not None
    return seen, x.grad


def test_a_hook_for_backward_sees_the_gradients_of_arguments_and_results():
    model, x = network(), np.ones((4, 2), np.float32)
    plain = mg.tensor(x, requires_grad=True)
    model(plain).sum().backward()
    assert plain.grad is not None
    weight = model.get_parameter("2.weight")
    before = weight.grad
    model.zero_grad()
    seen, gradient = gradients_seen(model, x, lambda grad_input: None)
    ((module, (grad_input,), (grad_output,)),) = seen
    assert module is model[2] and (grad_output.data == 1).all()
    np.testing.assert_allclose(grad_input.data, np.broadcast_to(weight.data[:, 0], (4, 3)))
    np.testing.assert_allclose(gradient.data, plain.grad.data)
    assert before is not None and weight.grad is not None
    np.testing.assert_allclose(weight.grad.data, before.data)
    _, doubled = gradients_seen(model, x, lambda grad_input: (grad_input[0] * 2.0,))
    np.testing.assert_allclose(doubled.data, 2 * plain.grad.data)
    with pytest.raises(GradientError, match=r"a hook for backward gave .*; return None, or a tuple of 1 tensors"):
        gradients_seen(model, x, lambda grad_input: (None, None))


def test_a_hook_for_backward_where_no_argument_gets_a_gradient():
    layer, seen = layers.LSTM(2, 3, rng=mg.random.generator(0)), []
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: seen.append((grad_input, grad_output)))
    y, _ = layer(np.ones((1, 4, 2), np.float32))
    y.sum().backward()
    ((grad_input, grad_output),) = seen
    assert grad_input == (None,) and isinstance(grad_output[0], mg.Tensor)
    with mg.no_grad():
        layer(np.ones((1, 4, 2), np.float32))
    assert len(seen) == 1
