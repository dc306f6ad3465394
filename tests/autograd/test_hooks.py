"""Hooks on tensors: they see the whole gradient once a sweep, may replace it, and go when they are told to."""

from typing import Any

import numpy as np
import pytest
from autograd_helpers import gradient, leaf

import minigen as mg
from minigen import optim
from minigen.errors import ArgumentError, GradientError, ShapeError


def test_an_intermediate_gradient_is_seen_and_replaced():
    x, seen = leaf(1.0, 2.0), []
    y = x * 3.0
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10.0)
    y.retain_grad()
    (y * y).sum().backward()
    assert seen == [[6.0, 12.0]]
    assert gradient(y) == [60.0, 120.0] and gradient(x) == [180.0, 360.0]


@pytest.mark.parametrize("optimized", [False, True])
def test_a_leaf_shows_its_whole_gradient_once_a_sweep(optimized: bool):
    w, seen = mg.tensor(np.eye(2), requires_grad=True), []
    optimizer = optim.SGD([w], lr=1.0) if optimized else None
    handle = w.register_hook(lambda g: seen.append(g.tolist()))
    w.register_hook(lambda g: g * 2.0)
    for count in (1, 2):
        (mg.linear(np.eye(2), w) + w * 4.0).sum().backward()
        assert seen == [[[5.0, 5.0], [5.0, 5.0]]] * count
        assert gradient(w) == [[10.0 * count] * 2] * 2
    (g,) = mg.grad((w * 3.0).sum(), w)
    assert g.tolist() == [[6.0, 6.0], [6.0, 6.0]] and len(seen) == 3
    handle.remove()
    handle.remove()
    (w * 1.0).sum().backward()
    assert len(seen) == 3 and gradient(w) == [[22.0, 22.0], [22.0, 22.0]]
    if optimizer is not None:
        optimizer.step()
        assert w.tolist() == [[-21.0, -22.0], [-22.0, -21.0]]


def test_a_hook_can_be_differentiated():
    x = leaf(3.0)
    x.register_hook(lambda g: g * g)
    (x**2).sum().backward(create_graph=True)
    assert gradient(x) == [36.0] and x.grad is not None
    (second,) = mg.grad(x.grad.sum(), x)
    assert second.tolist() == [(8 * 3.0) ** 2]  # the hook again, on the derivative of 4 x²


def test_hooks_that_can_not_be():
    x = leaf(1.0, 2.0)
    with pytest.raises(GradientError, match="does not require a gradient"):
        mg.tensor([1.0]).register_hook(print)
    bad: Any = 3
    with pytest.raises(ArgumentError, match="no function"):
        x.register_hook(bad)
    with x.register_hook(lambda g: g.sum()), pytest.raises(GradientError, match=r"it gave \(\) float"):
        (x * 2.0).sum().backward()
    with x.register_hook(lambda g: g.__setitem__(0, 1.0)), pytest.raises(ShapeError, match="read-only"):
        (x * 2.0).sum().backward()
    y = x * 2.0
    y.sum().backward()
    with pytest.raises(GradientError, match="released"):
        y.register_hook(print)
