"""The flat buffers under the parameters: copied with the optimizer, and never changed behind a holder's back."""

import copy
import pickle
import weakref
from collections.abc import Callable

import numpy as np
import pytest

import minigen as mg
from minigen import optim
from minigen.autograd import leaves
from minigen.autograd.tensor import Tensor
from minigen.errors import DTypeError, GradientError, ShapeError


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_a_copied_optimizer_trains_the_copied_parameters(duplicate: Callable):
    parameters = [mg.tensor(np.ones((2, 3)), requires_grad=True), mg.tensor(np.zeros(3), requires_grad=True)]
    optimizer = optim.Adam(parameters, lr=0.1)
    mg.l2_penalty(parameters).backward()
    optimizer.step()
    twins, twin = duplicate((parameters, optimizer))
    for own, its in ((parameters, optimizer), (twins, twin)):
        its.zero_grad()
        mg.l2_penalty(own).backward()
        its.step()
    assert [p.tolist() for p in twins] == [p.tolist() for p in parameters]


def test_a_kept_gradient_in_a_graph_keeps_its_values():
    p, x = mg.tensor([1.0], requires_grad=True), mg.tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=0.1)
    (p * 2.0).sum().backward()
    y = (x * p.grad).sum()
    optimizer.zero_grad()
    (p * 5.0).sum().backward()
    y.backward()
    assert x.grad is not None and x.grad.tolist() == [2.0]


def test_a_kept_gradient_that_is_clipped_is_noticed():
    p, x = mg.tensor([1.0], requires_grad=True), mg.tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=0.1)
    (p * 2.0).sum().backward()
    y = (x * p.grad).sum()
    optim.clip_grad_norm(optimizer, 0.1)
    with pytest.raises(GradientError, match="changed in place"):
        y.backward()


def training() -> tuple[list[Tensor], optim.Optimizer, Callable[[], None]]:
    """Parameters, their optimizer, and a step by kernels that write into the places and by sums that are copied."""
    w, b = mg.tensor(np.eye(2), requires_grad=True), mg.tensor(np.zeros(2), requires_grad=True)
    optimizer = optim.SGD([w, b], lr=0.1)

    def step() -> None:
        optimizer.zero_grad()
        for _ in range(2):
            ((mg.linear(np.ones((1, 2)), w) + b) ** 2).sum().backward()
        optimizer.step()

    return [w, b], optimizer, step


def test_usual_steps_move_nothing(monkeypatch: pytest.MonkeyPatch):
    """Nobody but the optimizer refers to the places, as the engine counts it: else each step would copy them."""
    _, optimizer, step = training()
    flat = optimizer.flat

    def where() -> list[int]:
        return [id(flat.data), id(flat.gradients), *map(id, flat.flat_gradients.places)]

    before = where()
    monkeypatch.setattr(leaves, "vacated", lambda *_: pytest.fail("a place was taken for held"))
    for _ in range(3):
        step()
        optim.clip_grad_norm(optimizer, 0.1)
    assert where() == before


@pytest.mark.parametrize(
    "keep",
    [
        lambda p: p.grad,
        lambda p: p.grad.data,
        lambda p: p.grad.numpy(),
        lambda p: p.grad.detach(),
        lambda p: p.grad.data[:1],
        lambda p: memoryview(p.grad.data),
        lambda p: p.grad * 1.0,
    ],
)
def test_a_kept_gradient_keeps_its_values(keep: Callable):
    parameters, _, step = training()
    step()
    kept = [keep(p) for p in parameters]
    values = [np.array(k.data if isinstance(k, Tensor) else k) for k in kept]
    for _ in range(3):
        step()
    for p, k, value in zip(parameters, kept, values, strict=True):
        np.testing.assert_array_equal(k.data if isinstance(k, Tensor) else np.asarray(k), value)
        assert p.grad is not None and not np.array_equal(p.grad.data[: len(value)], value)


def test_parameters_outlive_their_optimizer():
    parameters, optimizer, step = training()
    step()
    gradient, place = parameters[0].grad, weakref.ref(optimizer.flat)
    del optimizer, step
    assert place() is None and not any(map(leaves.has_place, parameters))
    (parameters[0] * 2.0).sum().backward()
    assert gradient is not None and parameters[0].grad is not gradient


class Strange(np.ndarray):
    """A subclass of arrays, as np.matrix is one."""


def test_data_of_what_is_no_array_is_refused():
    parameters, optimizer, step = training()
    step()
    for value, error in (([1.0, 2.0], DTypeError), (np.zeros((2, 1)), ShapeError), (np.ma.masked_all(2), DTypeError)):
        before, parameters[1].data = parameters[1].data, value  # pyright: ignore[reportAttributeAccessIssue]
        with pytest.raises(error, match="SGD"):
            optimizer.step()
        parameters[1].data = before
    values = parameters[0].data.copy()
    parameters[0].data = values.view(Strange)
    parameters[0].grad = None
    optimizer.step()
    assert type(parameters[0].data) is np.ndarray and (parameters[0].data == values).all()
