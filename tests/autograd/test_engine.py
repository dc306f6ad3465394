"""The sweep: what accumulates, what is freed and when, and what is never computed."""

import gc
import weakref
from typing import Any

import numpy as np
import pytest
from autograd_helpers import gradient, leaf, no_garbage_collector, one

import minigen as mg
from minigen.autograd.function import Function
from minigen.autograd.fused import FusedFunction
from minigen.autograd.tensor import Tensor
from minigen.errors import GradientError, GraphFreedError

# ---------------------------------------------------------------- accumulation


def test_a_tensor_used_twice_gets_both_contributions():
    x = leaf(3.0)
    (x * x + x * 2.0 + x).backward()
    assert gradient(x) == [9.0]


def test_second_backward_adds_to_grad():
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    (x * 3.0).sum().backward()
    assert gradient(x) == [5.0, 7.0]


def test_accumulation_does_not_write_into_shared_gradients():
    """add passes one gradient array to both inputs; what is added to one must not show in the other."""
    x, y = leaf(1.0), leaf(1.0)
    s = x + y
    (s + x * 10.0 + x * 100.0).backward()
    assert (gradient(x), gradient(y)) == ([111.0], [1.0])
    x, y = leaf(1.0), leaf(1.0)
    gy = mg.tensor(np.array([1.0]))
    (x + y).backward(gy)
    assert x.grad is not None
    x.grad.data += 5
    assert (gradient(y), gy.tolist()) == ([1.0], [1.0])


def test_diamond():
    x = leaf(2.0)
    a = x * 3.0
    b, c = a * a, a + 1.0
    (b * c).backward()
    assert gradient(x) == [3 * (2 * 6 * 7 + 36)]


def test_backward_of_a_leaf():
    x = leaf(2.0)
    x.backward()
    assert gradient(x) == [1.0]


@pytest.mark.parametrize("given", [np.array([1.0, 10.0]), mg.tensor([1, 10])])
def test_gradient_argument_is_taken_in_the_dtype_of_the_output(given: Any):
    x = mg.tensor(np.array([1.0, 2.0], np.float32), requires_grad=True)
    (x * 2.0).backward(given)
    assert x.grad is not None
    assert (x.grad.tolist(), x.grad.dtype) == ([2.0, 20.0], np.float32)


# ---------------------------------------------------------------- freeing


def test_second_sweep_needs_retain_graph():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert gradient(x) == [4.0, 8.0]
    with pytest.raises(GraphFreedError, match=r"(?s)Sum, output \(\).*retain_graph=True"):
        y.backward()


def test_a_freed_part_under_a_new_graph_is_refused_before_anything_is_accumulated():
    x = leaf(1.0, 2.0)
    a = x * x
    a.sum().backward()
    z = leaf(1.0, 1.0)
    with pytest.raises(GraphFreedError, match="Multiply"):
        (a * z).sum().backward()
    assert z.grad is None
    assert gradient(x) == [2.0, 4.0]


def test_grad_keeps_the_graph_only_on_request():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    mg.grad(y, x, retain_graph=True)
    mg.grad(y, x)
    with pytest.raises(GraphFreedError):
        mg.grad(y, x)


def test_saved_arrays_die_during_the_sweep():
    """When the gradient reaches the first node, what the later nodes had saved is gone already."""
    alive: list[bool] = []

    class Watch(mg.Function):
        def forward(self, x: np.ndarray) -> np.ndarray:
            return x.copy()

        def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
            alive.append(saved() is not None)
            return (gy,)

    with no_garbage_collector():
        x = leaf(1.0, 2.0)
        first = Watch()(x)
        middle = mg.exp(first)
        saved = weakref.ref(middle.data)
        y = mg.exp(middle).sum()
        del middle
        assert saved() is not None
        y.backward()
        assert alive == [False]


def test_intermediate_gradients_die_during_the_sweep():
    with no_garbage_collector():
        x = leaf(1.0)
        y = x
        for _ in range(50):
            y = y * 1.5
        before = sum(issubclass(type(thing), Tensor) for thing in gc.get_objects())
        y.backward()
        assert sum(issubclass(type(thing), Tensor) for thing in gc.get_objects()) <= before + 1  # x.grad


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * x,
        mg.exp,
        mg.sigmoid,
        mg.elu,
        lambda x: mg.logsumexp(x),
        lambda x: mg.cross_entropy(mg.reshape(x, (1, -1)), [0]),
        lambda x: x[[0, 0]],
    ],
)
def test_no_reference_cycles(function: Any):
    with no_garbage_collector():
        x = leaf(1.0, 2.0)
        y = function(x)
        dead = weakref.ref(y), weakref.ref(y.node), weakref.ref(y.data)
        del y
        assert [ref() for ref in dead] == [None, None, None]
        y = function(x).sum()
        y.backward(create_graph=True)
        dead = weakref.ref(y), weakref.ref(y.node)
        del y
        assert [ref() for ref in dead] == [None, None]


# ---------------------------------------------------------------- long chains


def test_a_chain_of_10_000_steps():
    x = leaf(1.0)
    y = x
    for _ in range(10_000):
        y = y * 1.0001
    y.backward()
    np.testing.assert_allclose(gradient(x), 1.0001**10_000, rtol=1e-9)


def test_a_chain_of_100_000_steps_is_deleted_without_recursion():
    y = leaf(1.0)
    for _ in range(100_000):
        y = -y
    y.backward(retain_graph=True)
    last = weakref.ref(y.node)
    del y
    assert last() is None


def test_a_long_chain_differentiates_twice():
    x = leaf(1.0)
    y = x
    for _ in range(2_000):
        y = y + x * x * 0.001
    (first,) = mg.grad(y, x, create_graph=True)
    assert first is not None
    np.testing.assert_allclose(one(mg.grad(first, x)), [4.0])


class Spy(mg.Function):
    """y = a · b, counting calls and noting which gradients were wanted."""

    def __init__(self, log: list[tuple[bool, ...]]) -> None:
        self.log = log

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        return a * b

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        self.log.append(self.needs)
        a, b = self.saved_input(0), self.saved_input(1)
        return gy * b if self.needs[0] else None, gy * a if self.needs[1] else None


# ---------------------------------------------------------------- only what is needed


def test_a_frozen_weight_costs_nothing():
    log: list[tuple[bool, ...]] = []
    x, weight = leaf(2.0), mg.tensor(np.array([3.0]))
    Spy(log)(x, weight).backward()
    assert log == [(True, False)]
    assert weight.grad is None


def test_grad_visits_only_the_paths_that_lead_to_its_inputs():
    log: list[tuple[bool, ...]] = []
    x, w = leaf(2.0), leaf(3.0)
    side = Spy(log)(w, w)
    main = Spy(log)(x, side)
    mg.grad(main, x)
    assert log == [(True, False)]


def test_a_node_without_a_gradient_is_not_visited():
    log: list[tuple[bool, ...]] = []
    x = leaf(2.0)
    Spy(log)(x, x)
    (x * 2.0).backward()
    assert log == []


def test_needs_are_whole_again_after_a_partial_sweep():
    log: list[tuple[bool, ...]] = []
    x, w = leaf(2.0), leaf(3.0)
    y = Spy(log)(x, w)
    mg.grad(y, x, retain_graph=True)
    y.backward()
    assert log == [(True, False), (True, True)]


def test_each_node_is_visited_once():
    log: list[tuple[bool, ...]] = []
    x = leaf(1.0)
    y = x
    for _ in range(5):
        y = Spy(log)(y, y)
    y.backward()
    assert len(log) == 5
    assert gradient(x) == [32.0]


# ---------------------------------------------------------------- what callers hold


def test_results_of_grad_are_the_callers_own():
    x, y, v = leaf(1.0, 2.0), leaf(3.0, 4.0), mg.tensor(np.ones(2))
    a, b = mg.grad(x + y, [x, y], v)
    a[0] = 9.0
    assert (b.tolist(), v.tolist()) == ([1.0, 1.0], [1.0, 1.0])
    (g,) = mg.grad((x + y).sum(), x)
    g[0] = 5.0  # not a read-only view
    assert g.tolist() == [5.0, 1.0]


def test_a_change_between_the_orders_is_noticed():
    x = leaf(1.0)
    h = x * 1.0
    (g,) = mg.grad((h**3).sum(), x, create_graph=True)
    with mg.no_grad():
        h[...] = 100.0
    with pytest.raises(GradientError, match="changed in place"):
        mg.grad(g.sum(), x)


def test_a_backward_with_too_few_gradients_is_named():
    class Half(Function):
        def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return a + b

        def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
            return (gy,)

    with pytest.raises(GradientError, match=r"Half\.backward gave 1 gradients for 2 inputs"):
        Half()(leaf(1.0), leaf(2.0)).backward()


def test_an_input_that_was_not_saved_is_named():
    class Forgetful(FusedFunction):
        def forward(self, x: np.ndarray) -> np.ndarray:
            return x * 2

        def backward_arrays(self, gy: np.ndarray) -> tuple[np.ndarray | None, ...]:
            return (self.saved_array(0) * gy,)

    with pytest.raises(GradientError, match="input 0 was not saved"):
        Forgetful()(leaf(1.0)).backward()


def test_a_released_node_holds_nothing():
    x = leaf(1.0, 2.0)
    y = x[np.array([0, 1, 1])]
    node = y.node
    y.sum().backward()
    assert node is not None
    assert not any(isinstance(value, np.ndarray) for value in vars(node).values())
