"""Promises of gradients: what is kept, exchanged, assigned, handed over, copied."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from promises import Promise, promise

import minigen as mg
from minigen import layers, optim
from minigen.autograd.function import Function
from minigen.errors import DTypeError, GradientError, ShapeError

CASES: list[Promise] = []


def parameters(*values: Any, lr: float = 1.0) -> tuple[list[Any], optim.Optimizer]:
    tensors: list[Any] = [mg.tensor(np.array(value), requires_grad=True) for value in values]
    return tensors, optim.SGD(tensors, lr=lr)


@promise(CASES, "`p.data, q.data = q.data, p.data`, then `step()`", "they are exchanged; no value is lost or shared")
def exchanged_data(folder: Path) -> None:
    (p, q), optimizer = parameters([1.0, 2.0], [3.0, 4.0])
    (p * 1.0 + q * 10.0).sum().backward()
    p.data, q.data = q.data, p.data
    optimizer.step()
    assert p.tolist() == [2.0, 3.0] and q.tolist() == [-9.0, -8.0]
    assert not np.shares_memory(p.data, q.data)


@promise(CASES, "`p.grad, q.grad = q.grad, p.grad`, then clipping and `step()`", "the norm and the step are of these")
def exchanged_gradients(folder: Path) -> None:
    (p, q), optimizer = parameters([0.0, 0.0], [0.0, 0.0])
    (p * 3.0 + q * 4.0).sum().backward()
    p.grad, q.grad = q.grad, p.grad
    assert optim.clip_grad_norm(optimizer, 100.0) == pytest.approx(50**0.5)
    optimizer.step()
    assert p.tolist() == [-4.0, -4.0] and q.tolist() == [-3.0, -3.0]


@promise(CASES, "`best = p.data; p.data = p.data * 0.5; step()`", "`best` keeps its values")
def kept_data(folder: Path) -> None:
    (p,), optimizer = parameters([2.0, 4.0])
    best, part = p.data, p.data[:1]
    p.data = p.data * 0.5
    (p * 1.0).sum().backward()
    optimizer.step()
    assert best.tolist() == [2.0, 4.0] and part.tolist() == [2.0] and p.tolist() == [0.0, 1.0]


@promise(CASES, "`before = p.data; step()`", "`before` changes too: a step works in place, as in PyTorch; keep a copy")
def data_follows_the_steps(folder: Path) -> None:
    (p,), optimizer = parameters([2.0])
    before = p.data
    (p * 1.0).sum().backward()
    optimizer.step()
    assert before is p.data and before.tolist() == [1.0]


@promise(CASES, "`g = p.grad` (or its array, or a slice) kept over the next `backward()`", "keeps its values")
def kept_gradients(folder: Path) -> None:
    (p,), optimizer = parameters([1.0, 1.0])
    (p * 2.0).sum().backward()
    kept = p.grad, p.grad.data, p.grad.numpy()[:1]
    optimizer.zero_grad()
    (p * 5.0).sum().backward()
    assert kept[0].tolist() == [2.0, 2.0] and kept[1].tolist() == [2.0, 2.0] and kept[2].tolist() == [2.0]
    assert p.grad.tolist() == [5.0, 5.0]


@promise(CASES, "`backward(create_graph=True)`, or `backward(v)` of a leaf", "each `.grad` has memory of its own")
def gradients_of_their_own(folder: Path) -> None:
    x: Any = mg.tensor([1.0, 2.0], requires_grad=True)
    y: Any = mg.tensor([1.0, 2.0], requires_grad=True)
    (x + y).sum().backward(create_graph=True)
    assert x.grad is not None and y.grad is not None and not np.shares_memory(x.grad.data, y.grad.data)
    for create_graph in (False, True):
        v, x.grad = mg.tensor([3.0, 4.0]), None
        x.backward(v, create_graph=create_graph)
        assert x.grad is not None and not np.shares_memory(x.grad.data, v.data) and x.grad.tolist() == [3.0, 4.0]
    a, b = mg.grad((x + y).sum(), [x, y], create_graph=True)
    assert not np.shares_memory(a.data, b.data)


@promise(CASES, "`p.grad = g` of another shape or dtype", "ShapeError or DTypeError at the assignment")
def gradients_that_do_not_fit(folder: Path) -> None:
    x: Any = mg.tensor(np.ones((2, 3), np.float32), requires_grad=True)
    for g, error in ((np.ones(3, np.float32), ShapeError), (np.ones((2, 3)), DTypeError), ("text", DTypeError)):
        with pytest.raises(error, match="grad"):
            x.grad = g
    assert x.grad is None
    x.grad = np.full((2, 3), 2.0, np.float32)
    (x * 1.0).sum().backward()
    assert isinstance(x.grad, mg.Tensor) and x.grad.tolist() == [[3.0] * 3] * 2


@promise(CASES, "`p.data` of another shape or dtype under an optimizer", "ShapeError or DTypeError at backward or step")
def data_that_does_not_fit(folder: Path) -> None:
    for array, error in ((np.ones(1), ShapeError), (np.ones(2, np.float32), DTypeError)):
        (p,), optimizer = parameters([1.0, 1.0])
        p.data = array
        with pytest.raises(error, match="backward"):
            (p * 1.0).sum().backward()
        with pytest.raises(error, match="SGD"):
            optimizer.step()


@promise(CASES, "arrays, lists and integers as `gradient=`, `grad_outputs=`", "are taken; complex and text: DTypeError")
def gradients_handed_over(folder: Path) -> None:
    x: Any = mg.tensor([1.0, 2.0], requires_grad=True)
    for v in (np.array([3, 4]), [3.0, 4.0], np.array([3.0, 4.0])):
        x.grad = None
        (x * 2.0).backward(v)
        (g,) = mg.grad(x * 2.0, x, np.array(v) if isinstance(v, list) else v)
        assert x.grad is not None and x.grad.tolist() == [6.0, 8.0] == g.tolist() and g.dtype == np.float32
    for bad in (np.array([1j, 2]), np.array(["a", "b"])):
        with pytest.raises(DTypeError, match="backward"):
            (x * 2.0).backward(bad)
        with pytest.raises(DTypeError, match="grad"):
            mg.grad(x * 2.0, x, bad)


@promise(CASES, "`deepcopy((model, optimizer))`, or pickle, between backward and step", "gradients go along")
def copies_between_backward_and_step(folder: Path) -> None:
    def pickled(pair: Any) -> Any:
        return pickle.loads(pickle.dumps(pair))

    for duplicate in (copy.deepcopy, pickled):
        model = layers.Linear(2, 1, rng=mg.random.generator(0))
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        model(np.ones((1, 2), np.float32)).sum().backward()
        twin, other = duplicate((model, optimizer))
        before = model.weight.data.copy()
        other.step()
        assert (model.weight.data == before).all() and not (twin.weight.data == before).any()
        optimizer.step()
        assert (model.weight.data == twin.weight.data).all()
        duplicate(model).astype(np.float64)


@promise(
    CASES, "a Function whose forward writes into its input", "GradientError that names both; the input is unchanged"
)
def function_that_writes(folder: Path) -> None:
    class Grow(Function):
        def forward(self, x: np.ndarray) -> np.ndarray:
            x += 1
            return x

    x = mg.tensor([1.0, 2.0])
    with pytest.raises(GradientError, match=r"Grow.forward writes into input 0"):
        Grow()(x)
    assert x.tolist() == [1.0, 2.0]


@promise(CASES, "`np.matrix` and other subclasses of arrays as data", "become plain arrays; masked ones: DTypeError")
def subclasses_of_arrays(folder: Path) -> None:
    class Odd(np.ndarray):
        def __mul__(self, other: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            return self @ other

    odd = np.arange(4.0).reshape(2, 2).view(Odd)
    assert type((mg.tensor(np.ones((2, 2))) * odd).data) is type(mg.tensor(odd).data) is np.ndarray
    assert (mg.tensor(odd) * odd).tolist() == [[0.0, 1.0], [4.0, 9.0]]
    with pytest.raises(DTypeError, match="filled"):
        mg.exp(np.ma.masked_array([1.0, 2.0], [True, False]))
