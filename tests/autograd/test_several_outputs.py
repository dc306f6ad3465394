"""Operations with several outputs: each is used, or not, on its own, at every order."""

import gc
import weakref
from typing import Any, NamedTuple

import numpy as np
import pytest
from autograd_helpers import gradient, leaf, no_garbage_collector, one

import minigen as mg
from minigen.autograd.function import Function
from minigen.autograd.fused import FusedFunction, Gradients
from minigen.autograd.tensor import Tensor
from minigen.errors import GradientError, GraphFreedError


class SinCos(Function):
    """(sin x, cos x), each the derivative of the other."""

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.save_output(0, 1)
        return np.sin(x), np.cos(x)

    def backward(self, g_sin: Tensor | None, g_cos: Tensor | None) -> tuple[Tensor | None, ...]:
        sin, cos = self.saved_output(0), self.saved_output(1)
        parts = [g_sin * cos] if g_sin is not None else []
        parts += [-g_cos * sin] if g_cos is not None else []
        return (sum(parts[1:], parts[0]),)


class SquareAndCube(FusedFunction):
    """(x², x³), with kernels of first order and a composition."""

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.save_inputs(0)
        return x * x, x * x * x

    def backward_arrays(self, g_square: np.ndarray | None, g_cube: np.ndarray | None) -> Gradients:
        x = self.saved_array(0)
        gx = np.zeros_like(x)
        gx += 0 if g_square is None else g_square * 2 * x
        gx += 0 if g_cube is None else g_cube * 3 * x * x
        return (gx,)

    def compose(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * x, x * x * x


class Sorted(Function):
    """(x in order, the places it was taken from), the second without gradient."""

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.order_of = np.argsort(x)
        return x[self.order_of], self.order_of

    def backward(self, gy: Tensor | None, places: Tensor | None) -> tuple[Tensor | None, ...]:
        assert gy is not None and places is None
        return (gy[np.argsort(self.order_of)],)


@pytest.mark.parametrize("kind", [SinCos, SquareAndCube])
@pytest.mark.parametrize(
    "use",
    [
        lambda a, b: a,
        lambda a, b: b,
        lambda a, b: a * b,
        lambda a, b: a * a + b * a,
        lambda a, b: (a, b),
    ],
)
def test_gradients_of_both_orders(kind: Any, use: Any):
    x = leaf(0.3, -1.2, 2.0)
    assert mg.gradcheck(lambda x: use(*kind()(x)), x, mode="full")


@pytest.mark.parametrize("kind", [SinCos, SquareAndCube])
def test_a_third_derivative(kind: Any):
    x = leaf(0.3, -1.2)
    y = kind()(x)[1]
    reference = mg.cos(x) if kind is SinCos else x * x * x
    for _ in range(3):
        (y,) = mg.grad(y.sum(), x, create_graph=True)
        (reference,) = mg.grad(reference.sum(), x, create_graph=True)
        np.testing.assert_allclose(y.data, reference.data, atol=1e-15)


def test_an_output_itself_as_input_of_grad():
    x = leaf(0.3, -1.2)
    sin, cos = SinCos()(x)
    y = (sin * cos * cos).sum()
    g_sin, g_cos, g_x = mg.grad(y, [sin, cos, x])
    np.testing.assert_allclose(g_sin.data, cos.data**2)
    np.testing.assert_allclose(g_cos.data, 2 * sin.data * cos.data)
    np.testing.assert_allclose(g_x.data, cos.data**3 - 2 * sin.data**2 * cos.data)


def test_paths_through_a_saved_output_count_for_the_output():
    """The gradient of sin x saves cos x, the other output: differentiated again, it depends on that very output."""
    x = leaf(0.3)
    sin, cos = SinCos()(x)
    (g,) = mg.grad(sin, x, create_graph=True)
    assert one(mg.grad(g, cos)) == [1.0]


def test_an_output_that_keeps_its_gradient():
    x = leaf(0.3)
    sin, cos = SinCos()(x)
    sin.retain_grad()
    (sin * 3.0 + cos).sum().backward()
    assert gradient(sin) == [3.0]
    np.testing.assert_allclose(gradient(x), 3 * np.cos([0.3]) - np.sin([0.3]))


def test_an_output_of_integers_has_no_gradient():
    x = leaf(3.0, 1.0, 2.0)
    y, places = Sorted()(x)
    assert y.requires_grad and not places.requires_grad
    (y * mg.tensor(np.array([1.0, 10.0, 100.0]))).sum().backward()
    assert gradient(x) == [100.0, 1.0, 10.0]


def test_without_recording_there_is_no_graph():
    with mg.no_grad():
        outputs = SinCos()(leaf(0.3))
    assert [y.requires_grad for y in outputs] == [False, False]
    assert all(y.node is None for y in outputs)


def test_a_second_sweep_is_refused_and_names_the_output():
    x = leaf(0.3)
    sin, _ = SinCos()(x)
    sin.backward()
    with pytest.raises(GraphFreedError, match=r"SinCos\[0\], output \(1,\)"):
        sin.backward()


def test_the_other_output_of_a_released_node_is_refused():
    x = leaf(0.3)
    sin, cos = SinCos()(x)
    sin.backward()
    with pytest.raises(GraphFreedError, match="SinCos"):
        cos.backward()


def test_a_changed_output_is_noticed():
    sin, cos = SinCos()(leaf(0.3))
    with mg.no_grad():
        cos[0] = 5.0
    with pytest.raises(GradientError, match=r"SinCos: output 1, \(1,\), was changed in place"):
        sin.backward()


def test_the_node_dies_with_its_outputs():
    with no_garbage_collector():
        sin, cos = SinCos()(leaf(0.3))
        node = sin.node
        assert node is not None
        source = weakref.ref(node.edges[0])
        del node, sin
        assert source() is not None
        del cos
        assert source() is None
    gc.collect()


def test_names_in_pictures_and_messages():
    sin, cos = SinCos()(leaf(0.3))
    assert [y.node.name for y in (sin, cos) if y.node is not None] == ["SinCos[0]", "SinCos[1]"]
    assert "node=SinCos[1]" in repr(cos)


def test_a_gradient_of_an_output_leaves_the_way_back_from_it():
    x = leaf(0.3)
    sin, cos = SinCos()(x)
    (g,) = mg.grad((sin * sin + cos).sum(), [sin])
    assert g.tolist() == [2 * np.sin(0.3)]
    sin.backward(g)
    np.testing.assert_allclose(gradient(x), 2 * np.sin([0.3]) * np.cos([0.3]))


@pytest.mark.parametrize(
    "pair",
    [lambda y: (y[:2], y[1:]), lambda y: (y, y), lambda y: (y, y[1:]), lambda y: (y[1:], y)],
    ids=["two views", "twice", "whole and view", "view and whole"],
)
def test_a_change_through_another_output_is_noticed(pair: Any):
    class Pair(Function):
        def forward(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
            self.save_output(1)
            return pair(np.exp(x))

        def backward(self, *gys: Tensor | None) -> tuple[Tensor | None, ...]:
            return (self.saved_output(1),)

    first, second = Pair()(leaf(1.0, 2.0, 3.0))
    first.detach()[1] = 100.0
    with pytest.raises(GradientError, match=r"Pair: output 1, .* was changed in place"):
        second.sum().backward()


def test_a_saved_output_of_integers_is_no_way_for_a_gradient():
    class Kept(Sorted):
        def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            self.save_output(1)
            return super().forward(x)

        def backward(self, gy: Tensor | None, places: Tensor | None) -> tuple[Tensor | None, ...]:
            assert places is None and not self.saved_output(1).requires_grad
            return super().backward(gy, None)

    x = leaf(3.0, 1.0, 2.0)
    y, _ = Kept()(x)
    (g,) = mg.grad((y * y).sum(), x, create_graph=True)
    assert one(mg.grad(g.sum(), x)) == [2.0, 2.0, 2.0]


def test_named_outputs_and_none():
    class Two(NamedTuple):
        first: np.ndarray
        second: np.ndarray

    class Named(SinCos):
        def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return Two(*super().forward(x))

    class Nothing(Function):
        def forward(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
            return ()

    sin, cos = Named()(leaf(0.3))
    assert (sin.item(), cos.item()) == (np.sin(0.3), np.cos(0.3))
    with pytest.raises(GradientError, match="Nothing: forward gave no output"):
        Nothing()(leaf(0.3))
