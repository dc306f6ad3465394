"""The life of a leaf's gradient: its place, kernels that write there, and what can not be counted twice."""

import itertools
from typing import Any

import numpy as np
import pytest
from autograd_helpers import gradient, leaf

import minigen as mg
from minigen import kernels, optim
from minigen.autograd import engine, leaves
from minigen.autograd.fused import FusedFunction, Gradients
from minigen.autograd.tensor import Tensor
from minigen.errors import GradientError


def square() -> Tensor:
    """A 2 x 2 leaf."""
    return mg.tensor(np.array([[1.0, 2.0], [3.0, 4.0]]), requires_grad=True)


def place_of(x: Tensor, value: float = np.nan) -> leaves.FlatGradients:
    """Gives a leaf a place, which holds `value` before anything is written."""
    flat = leaves.FlatGradients([x])
    flat.array[:] = value
    return flat


def in_place(x: Tensor, flat: leaves.FlatGradients, memory: int) -> bool:
    """Whether the gradient of a leaf lies in its place, and that where it always lay."""
    assert x.grad is not None
    return x.grad is x.grad_place and x.grad is flat.places[0] and x.grad.data.ctypes.data == memory


def test_the_place_is_filled_by_the_sweep():
    x = leaf(1.0, 2.0)
    flat = place_of(x)
    memory = flat.array.ctypes.data
    (x * x).sum().backward()
    (x * x).sum().backward()
    assert in_place(x, flat, memory)
    assert flat.array.tolist() == [4.0, 8.0]


def test_a_kernel_writes_a_weight_gradient_into_the_place_and_adds_to_it():
    w = square()
    flat = place_of(w)
    memory = flat.array.ctypes.data
    x = mg.tensor(np.eye(2))
    (mg.linear(x, w) + mg.linear(x * 2.0, w)).sum().backward()
    assert in_place(w, flat, memory)
    assert flat.array.tolist() == [3.0, 3.0, 3.0, 3.0]
    mg.linear(x, w).sum().backward()
    assert flat.array.tolist() == [4.0, 4.0, 4.0, 4.0]
    assert in_place(w, flat, memory) and flat.places[0].version[0] == 3


@pytest.mark.parametrize("view", [lambda y: y.reshape(-1).reshape(y.shape), lambda y: y[:], lambda y: y.T])
def test_what_a_kernel_returns_can_not_double_a_gradient(monkeypatch: pytest.MonkeyPatch, view: Any):
    """Only the mark says that a gradient is in its place already, not whose memory the kernel's result lies in."""
    matmul = kernels.matmul

    def returning_a_view(*args: Any, out: np.ndarray | None = None, **options: Any) -> Any:
        y = matmul(*args, out=out, **options)
        return y if out is None else view(y)

    monkeypatch.setattr(kernels, "matmul", returning_a_view)
    w, x = square(), mg.tensor(np.eye(2))
    flat = place_of(w)
    memory = flat.array.ctypes.data
    for count in (1, 2, 3):
        mg.linear(x, w).sum().backward()
        assert in_place(w, flat, memory)
        assert flat.array.tolist() == [count] * 4


def test_a_kernel_that_does_not_write_where_it_should_is_refused(monkeypatch: pytest.MonkeyPatch):
    matmul = kernels.matmul
    monkeypatch.setattr(kernels, "matmul", lambda *args, out=None, add=False, **options: matmul(*args, **options))
    w = square()
    flat = place_of(w)  # noqa: F841
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
    flat = place_of(x)  # noqa: F841
    Unmarked()(x).sum().backward()
    assert gradient(x) == [1.0, 1.0]
    with pytest.raises(GradientError, match=r"lies in the memory of its leaf's own gradient.*destination.holds"):
        Unmarked()(x).sum().backward()


def test_a_gradient_may_be_handed_to_backward_again():
    x = leaf(1.0, 2.0)
    flat = place_of(x)
    (x * 3.0).sum().backward()
    for y, total in ((x, 6.0), (mg.reshape(x, (2,)), 12.0)):
        y.backward(x.grad)
        assert gradient(x) == [total, total] and x.grad is flat.places[0]


def test_a_leaf_that_is_both_operands_gets_both_gradients():
    w = square()
    mg.linear(w, w).sum().backward()
    expected = gradient(w)
    w.grad, flat = None, place_of(w)
    mg.linear(w, w).sum().backward()
    assert w.grad is flat.places[0] and gradient(w) == expected


def test_grad_does_not_touch_the_place():
    w = square()
    flat = place_of(w, 7.0)
    (g,) = mg.grad(mg.linear(mg.tensor(np.eye(2)), w).sum(), w)
    assert g.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert w.grad is None and (flat.array == 7).all()


def test_a_gradient_that_was_assigned_is_added_to_and_not_written_into():
    w = square()
    flat = place_of(w)  # noqa: F841
    mine = w.grad = mg.tensor(np.full((2, 2), 10.0))
    mg.linear(mg.tensor(np.eye(2)), w).sum().backward()
    assert gradient(w) == [[11.0, 11.0], [11.0, 11.0]]
    assert (mine.data == 10).all()


def test_a_gradient_that_was_assigned_is_put_into_the_place():
    x = leaf(1.0, 2.0)
    flat = place_of(x)
    leaves.put(x, np.array([3.0, 4.0]))
    assert x.grad is flat.places[0] and flat.array.tolist() == [3.0, 4.0] and flat.places[0].version[0] == 1


def test_a_gradient_of_ones_own_may_be_written_to():
    x = leaf(1.0, 2.0)
    assert leaves.own(x) is None
    shared = x.grad = mg.tensor(np.array([3.0, 4.0]))
    own = leaves.own(x)
    assert own is not None and own is x.grad and own is not shared and own.tolist() == [3.0, 4.0]
    flat = place_of(x)
    x.grad = flat.places[0]
    assert leaves.own(x) is flat.places[0]


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
    optimizer = optim.SGD(layer.parameters(), lr=0.1)  # noqa: F841
    np.testing.assert_equal(gradients(), expected)
    assert all(p.grad is p.grad_place for p in layer.parameters())


class Keeping(mg.Function):
    """y = x; its backward keeps what it gives, as `kept`, or gives what it got."""

    kept: Any = None

    def __init__(self, how: str) -> None:
        self.how = how

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x.copy()

    def backward(self, gy: mg.Tensor) -> tuple[mg.Tensor | None, ...]:
        g = gy * 2.0
        if self.how == "tensor":
            Keeping.kept = g
        elif self.how == "array":
            Keeping.kept = g.data
        elif self.how == "part":
            Keeping.kept = g.data[:1]
        elif self.how == "turned":
            return (mg.Tensor(np.full(g.shape[::-1], 2.0).T),)
        return (g,)


def test_a_gradient_that_nobody_else_holds_is_not_copied(monkeypatch: pytest.MonkeyPatch):
    x, made = leaf(1.0, 2.0), []
    handed_over = engine.handed_over
    monkeypatch.setattr(engine, "handed_over", lambda *given: made.append(handed_over(*given)) or made[-1])
    (x * 3.0).backward(mg.tensor([1.0, 1.0]))
    assert x.grad is not None and x.grad.data is made[0].data and x.grad.tolist() == [3.0, 3.0]


@pytest.mark.parametrize("how", ["tensor", "array", "part"])
def test_a_gradient_that_somebody_else_holds_is_copied(how: str):
    x = leaf(1.0, 2.0)
    Keeping(how)(x).backward(mg.tensor([1.0, 1.0]))
    assert x.grad is not None and not np.shares_memory(x.grad.data, np.asarray(Keeping.kept))
    Keeping.kept = None


def test_a_gradient_in_another_order_becomes_contiguous():
    x = mg.tensor(np.ones((2, 3)), requires_grad=True)
    Keeping("turned")(x).backward(mg.tensor(np.ones((2, 3))))
    assert x.grad is not None and x.grad.data.flags.c_contiguous


def test_two_leaves_never_share_a_gradient():
    x, y, seed = leaf(1.0, 2.0), leaf(3.0, 4.0), mg.tensor([1.0, 1.0])
    (x + y).backward(seed)
    assert x.grad is not None and y.grad is not None
    arrays = x.grad.data, y.grad.data, seed.data
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations(arrays, 2))


def test_what_a_hook_saw_is_copied():
    x, seen = leaf(1.0, 2.0), []
    x.register_hook(seen.append)
    (x * 3.0).backward(mg.tensor([1.0, 1.0]))
    assert x.grad is not None and not np.shares_memory(x.grad.data, seen[0].data)
