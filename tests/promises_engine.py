"""Promises of the engine: tensors, gradients, graphs."""

import copy
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from promises import Promise, promise

import minigen

mg: Any = minigen  # without its types, as wrong arguments are the point here
CASES: list[Promise] = []


@promise(CASES, "`y.numpy()` of a tensor that requires a gradient", "GradientError: use `.detach().numpy()`")
def numpy_of_a_recorded_tensor(folder: Path) -> None:
    with pytest.raises(mg.errors.GradientError, match="detach"):
        mg.tensor(np.ones(2), requires_grad=True).numpy()


@promise(CASES, "several threads that go backward to one leaf", "no gradient is lost: one after the other adds its own")
def threads(folder: Path) -> None:
    leaf = mg.tensor(np.zeros(4), requires_grad=True)

    def sweeps() -> None:
        for _ in range(100):
            (leaf * 1.0).sum().backward()

    running = [threading.Thread(target=sweeps) for _ in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert leaf.grad is not None and leaf.grad.tolist() == [400.0] * 4


@promise(CASES, "products of integers: `dot`, `matmul`, `einsum`", "int64 or uint64, exact")
def integers(folder: Path) -> None:
    small, large = mg.tensor(np.array([200, 200], np.uint8)), mg.tensor([2**53 + 1])
    for y in (mg.dot(small, small), small @ small, mg.einsum("i,i->", small, small)):
        assert y.item() == 80000
    for y in (mg.dot(large, large // large), large @ (large // large), mg.einsum("i,i->", large, large // large)):
        assert y.item() == 2**53 + 1


@promise(CASES, "`x.requires_grad = True` on integers", "DTypeError in backward: integers have no gradient")
def integers_with_gradients(folder: Path) -> None:
    x = mg.tensor([1, 2])
    x.requires_grad = True
    with pytest.raises(mg.errors.DTypeError, match="no gradient"):
        (x * 0.5).sum().backward()


@promise(CASES, "NaN, or numbers out of range, written into integers", "DTypeError: they do not fit into the dtype")
def what_does_not_fit(folder: Path) -> None:
    x = mg.tensor([1, 2])
    for write in (
        lambda: x.copy_(np.array([np.nan, 1.0])),
        lambda: mg.tensor([300, -1], dtype=np.uint8),
        lambda: mg.tensor([1e30], dtype=int),
        lambda: mg.tensor(np.array([2.0**63]), dtype=np.int64),
    ):
        with pytest.raises(mg.errors.DTypeError, match="do not fit into"):
            write()
    assert x.tolist() == [1, 2]


@promise(CASES, "`copy.copy(x)`, then a write through the copy", "is noticed by the graph of x, whose memory it is")
def shallow_copies(folder: Path) -> None:
    x = mg.tensor(np.ones(3), requires_grad=True)
    y, other = (x * x).sum(), copy.copy(x)
    with mg.no_grad():
        other[...] = 9.0
    with pytest.raises(mg.errors.GradientError, match="changed in place"):
        y.backward()


@promise(CASES, "`mg.config.thread = 4`, `mg.config.debug = 'x'`", "ArgumentError with the settings there are")
def settings(folder: Path) -> None:
    for name, value in (("thread", 4), ("debug", "x")):
        with pytest.raises(mg.errors.ArgumentError, match=f"config(.| has no ){name}"):
            setattr(mg.config, name, value)


@promise(CASES, "an array where a word or a number belongs", "one line: an array of shape …, and what may stand there")
def arrays_as_options(folder: Path) -> None:
    rng, odd = np.random.default_rng(0), np.ones((2, 2))
    for make, words in (
        (lambda: mg.mse_loss(mg.ones(2), mg.ones(2), reduction=odd), "'mean', 'sum' or 'none'"),
        (lambda: mg.layers.RNN(2, 2, nonlinearity=odd, rng=rng), "'tanh' or 'relu'"),
        (lambda: mg.layers.Upsample(2, mode=odd), "'nearest', 'bilinear' or 'bicubic'"),
        (lambda: mg.pad(mg.ones(2), 1, mode=odd), "'constant', 'reflect'"),
        (lambda: mg.layers.Linear(2, odd, rng=rng), "whole number"),
    ):
        with pytest.raises(mg.errors.ArgumentError, match=f"is an array of shape .2, 2.; use .*{words}") as found:
            make()
        assert "\n" not in str(found.value)


@promise(CASES, "a Jacobian or Hessian larger than memory", "ShapeError before the first sweep")
def large_hessians(folder: Path) -> None:
    with pytest.raises(mg.errors.ShapeError, match="rows of 3,000,000 numbers are too many"):
        mg.hessian(lambda x: (x * x).sum(), mg.zeros(3_000_000))
