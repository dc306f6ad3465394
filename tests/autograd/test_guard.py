"""Functions of users can not write into what is the caller's, and lose nothing else by it."""

from typing import Any

import numpy as np
import pytest
from autograd_helpers import gradient, leaf

import minigen as mg
from minigen.autograd.function import Function
from minigen.autograd.fused import FusedFunction
from minigen.errors import GradientError


def function(forward: Any, backward: Any = None, base: type[Function] = Function, **members: Any) -> Any:
    """An operation of a user's own."""
    backward = backward or (lambda self, gy, *_: (gy,) * len(self.needs))
    return type("Mine", (base,), {"__module__": "user", "forward": forward, "backward": backward, **members})()


def add_one(self: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    y += 1
    return x + y


@pytest.mark.parametrize(
    "forward",
    [
        add_one,
        lambda self, x, y: np.add(x, y, out=y),
        lambda self, x, y: [y.sort(), x + y][1],
        lambda self, x, y: [y.reshape(-1).__setitem__(0, 5.0), x + y][1],
    ],
)
def test_an_input_that_forward_writes_into_is_named(forward: Any):
    x, y = leaf(1.0, 2.0), mg.tensor([4.0, 3.0])
    with pytest.raises(GradientError, match=r"Mine.forward writes into input 1, .*x.copy\(\)"):
        function(forward)(x, y)
    assert x.tolist() == [1.0, 2.0] and y.tolist() == [4.0, 3.0]


def test_a_gradient_that_backward_writes_into_is_named():
    def scaled(self: Any, gy: mg.Tensor) -> tuple:
        gy.data[:] = 0
        return (gy,)

    with pytest.raises(GradientError, match=r"Mine.backward writes into gy 0"):
        function(lambda self, x: x * 1.0, scaled)(leaf(1.0, 2.0)).sum().backward()

    def arrays(self: Any, gy: np.ndarray) -> tuple:
        gy *= 2
        return (gy,)

    members = {"backward": FusedFunction.backward, "backward_arrays": arrays}
    with pytest.raises(GradientError, match=r"Mine.backward_arrays writes into gy 0"):
        function(lambda self, x: x * 1.0, base=FusedFunction, **members)(leaf(1.0, 2.0)).sum().backward()


def test_views_of_the_input_can_be_written_into_later():
    x = mg.tensor(np.arange(6.0).reshape(2, 3))
    for forward in (lambda self, x: x.T, lambda self, x: x, lambda self, x: (x[0], x[1])):
        y = function(forward)(x)
        y = y[0] if isinstance(y, tuple) else y
        y[0] = 7.0
        assert x.data.ravel()[0] == 7.0 and x.version[0] > 0
        x[...] = np.arange(6.0).reshape(2, 3)
    y = function(lambda self, x: np.broadcast_to(x[:, :, None], (2, 3, 4)))(x)
    assert not y.data.flags.writeable


def test_an_output_that_nobody_used_does_not_hide_who_was_written_into():
    def backward(self: Any, first: Any, second: mg.Tensor) -> tuple:
        second.data[:] = 0
        return (second,)

    _, y = function(lambda self, x: (x * 1.0, x * 2.0), backward)(leaf(1.0, 2.0))
    with pytest.raises(GradientError, match=r"Mine.backward writes into gy 1"):
        y.sum().backward()


def test_other_errors_stay_what_they_are():
    with pytest.raises(ZeroDivisionError):
        function(lambda self, x: 1 // 0)(leaf(1.0))


def test_gradients_of_both_orders_are_the_same_as_ever():
    def forward(self: Any, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        return x**2

    x = leaf(1.0, 2.0)
    y = function(forward, lambda self, gy: (gy * self.saved_input(0) * 2.0,))
    (g,) = mg.grad(y(x).sum(), x, create_graph=True)
    g.sum().backward()
    assert gradient(x) == [2.0, 2.0]


def test_the_operations_of_minigen_are_not_wrapped():
    assert not hasattr(mg.autograd.ops.activation.Tanh.forward, "__wrapped__")  # pyright: ignore
