"""Derivatives of derivatives, and grad() with its options."""

from typing import Any

import numpy as np
import pytest
from autograd_helpers import Square, gradient, leaf, one

import minigen as mg
from minigen.autograd.tensor import Tensor
from minigen.errors import GradientError, NotTwiceDifferentiable

# ---------------------------------------------------------------- higher orders


def test_third_order():
    x = leaf(0.7)
    y: Tensor | None = mg.sin(x)
    orders = []
    for _ in range(4):
        assert y is not None
        (y,) = mg.grad(y, x, create_graph=True)
        assert y is not None
        orders.append(y.item())
    np.testing.assert_allclose(orders, [np.cos(0.7), -np.sin(0.7), -np.cos(0.7), np.sin(0.7)])


@pytest.mark.parametrize("function", [mg.tanh, mg.sigmoid, mg.gelu, mg.softplus, mg.elu, lambda x: mg.exp(-x * x)])
def test_third_order_agrees_with_differences(function: Any):
    def second(x: Tensor) -> Tensor:
        (first,) = mg.grad(function(x).sum(), x, create_graph=True)
        assert first is not None
        (result,) = mg.grad(first.sum(), x, create_graph=True)
        assert result is not None
        return result

    mg.gradcheck(second, leaf(0.3, -0.8, 1.7), order=1)


def test_hessian_is_symmetric():
    x = leaf(0.5, -0.3, 0.8)
    w = mg.tensor(np.arange(9.0).reshape(3, 3) / 9)
    y = mg.logsumexp(mg.tanh(mg.matmul(w, x)) * x)
    (g,) = mg.grad(y, x, create_graph=True)
    assert g is not None
    rows = [mg.grad(g[i], x, retain_graph=True)[0] for i in range(3)]
    hessian = np.array([row.data for row in rows if row is not None])
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12)


def test_backward_with_create_graph_makes_grad_differentiable():
    x = leaf(3.0)
    (x**3).backward(create_graph=True)
    assert x.grad is not None
    (second,) = mg.grad(x.grad, x)
    assert second is not None
    assert (gradient(x), second.tolist()) == ([27.0], [18.0])


def test_gradient_penalty():
    """WGAN-GP's term: the derivative of (‖∂D/∂x‖ - 1)² with respect to the weights of D."""
    weight = leaf(0.3, -0.4)

    def penalty(w: Tensor) -> Tensor:
        x = leaf(1.0, 2.0)
        (g,) = mg.grad(mg.tanh(mg.sum(x * w)), x, create_graph=True)
        assert g is not None
        return (mg.sqrt(mg.sum(g * g)) - 1.0) ** 2

    mg.gradcheck(penalty, weight)


def test_not_twice_differentiable():
    x = leaf(3.0)
    y = Square()(x)
    assert one(mg.grad(y, x, retain_graph=True)) == [6.0]
    with pytest.raises(NotTwiceDifferentiable, match="Square has only a first derivative"):
        mg.grad(y, x, create_graph=True)


# ---------------------------------------------------------------- grad()


def test_grad_touches_no_grad_attribute():
    x, w = leaf(2.0), leaf(3.0)
    y = x * w
    assert [g.tolist() for g in mg.grad(y, [w, x]) if g is not None] == [[2.0], [3.0]]
    assert x.grad is None
    assert w.grad is None


def test_grad_of_intermediate_results():
    x = leaf(2.0)
    a = x * 3.0
    b = a * a
    got = mg.grad(b * x, [a, b, x])
    assert [g.tolist() for g in got if g is not None] == [[2 * 6 * 2.0], [2.0], [36 + 2 * 2 * 6 * 3.0]]


def test_grad_of_an_output_with_respect_to_itself():
    x = leaf(2.0)
    y = x * 3.0
    assert one(mg.grad(y, y)) == [1.0]


def test_grad_of_several_outputs_is_their_sum():
    x = leaf(2.0)
    assert one(mg.grad([x * x, x * 3.0], x, [None, mg.tensor(np.array([10.0]))])) == [34.0]


def test_unused_input():
    x, other = leaf(2.0), leaf(1.0)
    with pytest.raises(GradientError, match="do not depend on input 1"):
        mg.grad(x * x, [x, other])
    assert mg.grad(x * x, [x, other], allow_unused=True)[1] is None


def test_a_repeated_input_gets_its_gradient_twice():
    x = leaf(2.0)
    assert [g.tolist() for g in mg.grad(x * x, [x, x]) if g is not None] == [[4.0], [4.0]]
