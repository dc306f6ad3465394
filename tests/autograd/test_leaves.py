"""The life of a leaf's gradient: its place, kernels that write there, and what can not be counted twice."""

from typing import Any

import numpy as np
import pytest
from autograd_helpers import gradient, leaf

import minigen as mg
from minigen import kernels, optim
from minigen.autograd import leaves
from minigen.autograd.fused import FusedFunction, Gradients
from minigen.autograd.tensor import Tensor
from minigen.errors import GradientError


def square() -> Tensor:
    """A 2 x 2 leaf."""
    return mg.tensor(np.array([[1.0, 2.0], [3.0, 4.0]]), requires_grad=True)


def place_of(x: Tensor, value: float = np.nan) -> Tensor:
    """Gives a leaf a place, which holds `value` before anything is written."""
    return leaves.give_place(x, np.full(x.shape, value))


def test_the_place_is_filled_by_the_sweep():
    x = leaf(1.0, 2.0)
    place = place_of(x)
    (x * x).sum().backward()
    (x * x).sum().backward()
    assert x.grad is place
    assert place.tolist() == [4.0, 8.0]


def test_a_kernel_writes_a_weight_gradient_into_the_place_and_adds_to_it():
    w = square()
    place = place_of(w)
    array = place.data
    x = mg.tensor(np.eye(2))
    (mg.linear(x, w) + mg.linear(x * 2.0, w)).sum().backward()
    assert w.grad is place and place.data is array
    assert array.tolist() == [[3.0, 3.0], [3.0, 3.0]]
    mg.linear(x, w).sum().backward()
    assert array.tolist() == [[4.0, 4.0], [4.0, 4.0]]
    assert place.version[0] == 3


@pytest.mark.parametrize("view", [lambda y: y.reshape(-1).reshape(y.shape), lambda y: y[:], lambda y: y.T])
def test_what_a_kernel_returns_can_not_double_a_gradient(monkeypatch: pytest.MonkeyPatch, view: Any):
    """Only the mark says that a gradient is in its place already, not whose memory the kernel's result lies in."""
    matmul = kernels.matmul

    def returning_a_view(*args: Any, out: np.ndarray | None = None, **options: Any) -> Any:
        y = matmul(*args, out=out, **options)
        return y if out is None else view(y)

    monkeypatch.setattr(kernels, "matmul", returning_a_view)
    w, x = square(), mg.tensor(np.eye(2))
    place = place_of(w)
    for count in (1, 2, 3):
        mg.linear(x, w).sum().backward()
        assert w.grad is place
        assert place.tolist() == [[count, count], [count, count]]


def test_a_kernel_that_does_not_write_where_it_should_is_refused(monkeypatch: pytest.MonkeyPatch):
    matmul = kernels.matmul
    monkeypatch.setattr(kernels, "matmul", lambda *args, out=None, add=False, **options: matmul(*args, **options))
    w = square()
    place_of(w)
    with pytest.raises(GradientError, match="was to be written into its place, but lies elsewhere"):
        mg.linear(mg.tensor(np.eye(2)), w).sum().backward()


class Unmarked(FusedFunction):
    """y = x, whose gradient is put into the leaf's place, and returned as a view of it without the mark."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x.copy()

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        place = self.destination(0)
        if place.out is None:
            return (gy,)
        np.add(gy, place.out if place.add else 0, out=place.out)
        return (place.out.reshape(-1),)


def test_a_gradient_written_in_place_without_the_mark_is_refused():
    x = leaf(1.0, 2.0)
    place_of(x)
    Unmarked()(x).sum().backward()
    assert gradient(x) == [1.0, 1.0]
    with pytest.raises(GradientError, match=r"lies in the memory of its leaf's own gradient.*destination.holds"):
        Unmarked()(x).sum().backward()


def test_a_gradient_that_lies_in_a_place_is_not_taken_for_the_mark():
    x = leaf(1.0, 2.0)
    place = place_of(x)
    (x * 3.0).sum().backward()
    for y in (x, mg.reshape(x, (2,))):
        with pytest.raises(GradientError, match="or a copy"):
            y.backward(place)
    x.backward(mg.tensor(place.data))
    assert gradient(x) == [6.0, 6.0]


def test_a_leaf_that_is_both_operands_gets_both_gradients():
    w = square()
    mg.linear(w, w).sum().backward()
    expected = gradient(w)
    w.grad, place = None, place_of(w)
    mg.linear(w, w).sum().backward()
    assert w.grad is place and gradient(w) == expected


def test_grad_does_not_touch_the_place():
    w = square()
    place = place_of(w, 7.0)
    (g,) = mg.grad(mg.linear(mg.tensor(np.eye(2)), w).sum(), w)
    assert g.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert w.grad is None and (place.data == 7).all()


def test_a_gradient_that_was_assigned_is_added_to_and_not_written_into():
    w = square()
    place_of(w)
    mine = w.grad = mg.tensor(np.full((2, 2), 10.0))
    mg.linear(mg.tensor(np.eye(2)), w).sum().backward()
    assert gradient(w) == [[11.0, 11.0], [11.0, 11.0]]
    assert (mine.data == 10).all()


def test_gathering_brings_an_assigned_gradient_into_the_place_and_says_so():
    x = leaf(1.0, 2.0)
    place = place_of(x)
    x.grad = mg.tensor(np.array([3.0, 4.0]))
    leaves.gather(x, place, "Adam")
    assert x.grad is place and place.tolist() == [3.0, 4.0] and place.version[0] == 1
    leaves.gather(x, place, "Adam")
    assert place.version[0] == 1


def test_a_gradient_of_ones_own_may_be_written_to():
    x = leaf(1.0, 2.0)
    assert leaves.own(x) is None
    shared = x.grad = mg.tensor(np.array([3.0, 4.0]))
    own = leaves.own(x)
    assert own is not None and own is x.grad and own is not shared and own.tolist() == [3.0, 4.0]
    place = place_of(x)
    x.grad = place
    assert leaves.own(x) is place


def test_the_recurrent_kernels_write_into_the_optimizers_places():
    rng = mg.random.generator(0)
    layer = mg.layers.LSTM(3, 4, rng=rng)
    x = mg.tensor(rng.standard_normal((2, 5, 3), dtype=np.float32))

    def gradients() -> list[Any]:
        layer.zero_grad()
        for _ in range(2):  # the second adds to the first
            y, (_, c) = layer(x)
            (y.sum() + (c * c).sum()).backward()
        return [gradient(p) for p in layer.parameters()]

    expected = gradients()
    optim.SGD(layer.parameters(), lr=0.1)
    np.testing.assert_equal(gradients(), expected)
    assert all(p.grad is p.grad_place for p in layer.parameters())
