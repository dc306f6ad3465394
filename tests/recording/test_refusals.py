"""What a list can not repeat: each is said by name, once, and the step runs as before."""

import math
import random
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import advice, layers, optim
from minigen.random import generator

COUNT = 0
TABLE: dict[str, int] = {}
SEEN: list[float] = []


class Holder:
    value = 0.0


def tell(x: mg.Tensor) -> None:
    print(x.shape)


def counts() -> None:
    global COUNT
    COUNT += 1


def outer_variable() -> Callable[..., Any]:
    calls = 0

    def step(x: np.ndarray) -> mg.Tensor:
        nonlocal calls
        calls += 1
        return mg.tensor(x) * 2.0

    return step


def hooked() -> Callable[..., Any]:
    w = mg.tensor(np.ones(3, np.float32), requires_grad=True)
    w.register_hook(lambda g: g * 2.0)

    def step(x: np.ndarray) -> mg.Tensor:
        loss = (w * mg.tensor(x)).sum()
        loss.backward()
        return loss

    return step


def kept_graph() -> Callable[..., Any]:
    w = mg.tensor(np.ones(3, np.float32), requires_grad=True)

    def step(x: np.ndarray) -> mg.Tensor:
        loss = (w * w * mg.tensor(x)).sum()
        loss.backward(create_graph=True)
        return loss.detach()

    return step


def open_graph() -> Callable[..., Any]:
    w = mg.tensor(np.ones(3, np.float32), requires_grad=True)
    return lambda x: (w * mg.tensor(x)).sum()


def watched() -> Callable[..., Any]:
    w = mg.tensor(np.ones(3, np.float32), requires_grad=True)

    def step(x: np.ndarray) -> mg.Tensor:
        y = w * mg.tensor(x)
        y.retain_grad()
        loss = y.sum()
        loss.backward()
        return loss

    return step


def branch(x: np.ndarray) -> mg.Tensor:
    y = mg.tensor(x)
    return y * 2.0 if y.sum() > 0 else y


def sets_attribute(x: np.ndarray) -> mg.Tensor:
    Holder.value = 1.0
    return mg.tensor(x)


def sets_item(x: np.ndarray) -> mg.Tensor:
    TABLE["calls"] = 1
    return mg.tensor(x)


def appends(x: np.ndarray) -> mg.Tensor:
    SEEN.append(1.0)
    return mg.tensor(x)


def writes(x: np.ndarray) -> mg.Tensor:
    y = mg.tensor(x)
    y[0] = 3.0
    return y


def draws(x: np.ndarray) -> mg.Tensor:
    return mg.tensor(x) + RNG.standard_normal(3, dtype=np.float32)


def coin(x: np.ndarray) -> mg.Tensor:
    return mg.tensor(x) if RNG.random() < 0.5 else mg.tensor(x) * 2.0


def tells(x: np.ndarray) -> mg.Tensor:
    y = mg.tensor(x)
    tell(y)
    return y


def counting(x: np.ndarray) -> mg.Tensor:
    counts()
    return mg.tensor(x)


def writes_argument(x: np.ndarray) -> mg.Tensor:
    x[0] = 1.0
    return mg.tensor(x)


RNG = generator(0)
CACHE = layers.KeyValueCache()
ATTENTION = layers.MultiHeadAttention(4, 2, rng=RNG)
COUNTED = layers.BatchNorm(3, momentum=None)

REASONS = {
    "item": (lambda x: mg.tensor(x) * mg.tensor(x).sum().item(), r"a value is read: item\(\)"),
    "float": (lambda x: mg.tensor(x) * float(mg.tensor(x).sum()), "a value is read"),
    "branch": (branch, r"a value is read: bool\(\)"),
    "tolist": (lambda x: mg.tensor(x).tolist(), r"a value is read: tolist\(\)"),
    "numpy": (lambda x: mg.tensor(x).numpy(), r"a value is read: numpy\(\)"),
    "data": (lambda x: mg.tensor(x).data, "reads a value: .data"),
    "repr": (lambda x: repr(mg.tensor(x)), r"a value is read: repr\(\)"),
    "allclose": (lambda x: mg.allclose(x, x), r"a value is read: allclose\(\)"),
    "numpy function": (lambda x: mg.tensor(np.exp(x)), "NumPy's exp is applied to an argument"),
    "numpy operator": (lambda x: mg.tensor(x * 2.0), "NumPy's multiply is applied to an argument"),
    "numpy method": (lambda x: mg.tensor(x) * float(x.max()), "an argument's .max is used"),
    "numpy array function": (lambda x: mg.tensor(np.concatenate([x, x])), "NumPy's concatenate is applied"),
    "element": (lambda x: mg.tensor(x) if x[0] > 0 else mg.tensor(x) * 2.0, "a value of an argument is read"),
    "array of NumPy": (lambda x: mg.tensor(x) + np.linspace(0, 1, 3, dtype=np.float32), "made in NumPy, or elsewhere"),
    "generator": (draws, "a generator is drawn from directly; draw by mg.rand"),
    "coin": (coin, "a generator is drawn from directly; draw by mg.rand"),
    "random": (lambda x: mg.tensor(x) * random.random(), "random is called"),
    "gauss": (lambda x: mg.tensor(x) * random.gauss(0, 1), "random.gauss is called"),
    "clock": (lambda x: mg.tensor(x) * time.time(), "time is called"),
    "print": (tells, "print is called"),
    "global": (counting, "counts sets the variable COUNT of its module"),
    "nonlocal": (outer_variable, "step sets the variable calls of the function around it"),
    "attribute": (sets_attribute, "sets_attribute sets the attribute value"),
    "item of a dict": (sets_item, "sets_item writes into a container"),
    "append": (appends, "append is called"),
    "in place": (writes, "writes writes into a container|a tensor is written to in place"),
    "argument": (writes_argument, "writes into a container|an argument is written to"),
    "booleans": (lambda x: mg.tensor(x)[mg.tensor(x) > 0], "an index of booleans"),
    "norm": (lambda x: mg.norm(mg.tensor(x)), "norm decides by the size of its numbers"),
    "std": (lambda x: mg.std(mg.tensor(x)), "std decides by the size of its numbers"),
    "one_hot": (lambda x: mg.one_hot(mg.argmax(mg.tensor(x), 0)), "one_hot without num_classes"),
    "cache": (lambda x: attend(x), "a KeyValueCache grows"),
    "counted batches": (lambda x: COUNTED(mg.tensor(x).reshape(1, 3).expand(4, 3)), "counts its batches"),
    "hook": (hooked, "a leaf has hooks"),
    "retain_grad": (watched, "hooks, or retain_grad, wait"),
    "graph of gradients": (kept_graph, r"a gradient is kept with its graph: backward\(create_graph=True\)"),
    "open graph": (open_graph, "a result is still part of a graph"),
}


MAKERS = (outer_variable, hooked, watched, kept_graph, open_graph)  # of a step


def attend(x: np.ndarray) -> mg.Tensor:
    with mg.no_grad():
        return ATTENTION(mg.tensor(x).reshape(1, 1, 3).expand(1, 4, 3).reshape(1, 3, 4), cache=CACHE)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice, "given", set())


@pytest.mark.parametrize("name", REASONS)
@pytest.mark.filterwarnings("ignore::minigen.advice.Advice")
def test_a_reason_to_refuse(name: str) -> None:
    step, reason = REASONS[name]
    step = step() if step in MAKERS else step
    recorded = mg.record(step)
    x = np.array([0.5, -1.0, 2.0], np.float32)
    results = [recorded(x) for _ in range(6)]
    assert recorded.repeated == 0
    assert recorded.problem is not None
    assert re.search(reason, recorded.problem), recorded.problem
    assert len(results) == 6


def test_it_is_said_once_with_the_line() -> None:
    recorded = mg.record(lambda x: mg.tensor(x).sum().item())
    with pytest.warns(advice.Advice, match=r"record: <lambda> runs as it is.*item\(\)") as told:
        for _ in range(5):
            recorded(np.ones(3, np.float32))
    assert len(told) == 1 and told[0].filename == __file__


@pytest.mark.filterwarnings("ignore::minigen.advice.Advice")
def test_numbers_that_change_are_named_with_the_mend() -> None:
    recorded = mg.record(lambda x, scale: mg.tensor(x) * scale)
    for i in range(80):
        assert recorded(np.ones(1, np.float32), i / 7).item() == np.float32(i / 7)
    assert recorded.problem is not None and "pass numbers that change as arrays, np.float32(value)" in recorded.problem
    recorded = mg.record(lambda x, scale: mg.tensor(x) * mg.tensor(scale))
    for i in range(80):
        assert recorded(np.ones(1, np.float32), np.array(i / 7, np.float32)).item() == np.float32(i / 7)
    assert recorded.problem is None and recorded.repeated == 78


@pytest.mark.filterwarnings("ignore::minigen.advice.Advice")
def test_a_variable_that_changes_in_every_call_is_named() -> None:
    scale = 0.0
    recorded = mg.record(lambda x: mg.tensor(x) * scale)
    for i in range(100):
        scale = float(i // 4)
        assert recorded(np.ones(1, np.float32)).item() == scale
    assert recorded.problem is not None and "changes between calls; pass it as an argument" in recorded.problem


def test_what_the_step_reads_around_it_is_looked_at_again() -> None:
    settings, table, holder = {"scale": 1.0}, [2.0], Holder()

    def factor() -> float:
        return settings["scale"] * table[0] * math.sqrt(4.0) * holder.value

    recorded = mg.record(lambda x: mg.tensor(x) * factor())
    holder.value = 1.0
    for _ in range(6):
        assert recorded(np.ones(1, np.float32)).item() == 4.0
    settings["scale"] = 3.0
    assert recorded(np.ones(1, np.float32)).item() == 12.0
    table[0] = 5.0
    assert recorded(np.ones(1, np.float32)).item() == 30.0
    holder.value = 2.0
    assert recorded(np.ones(1, np.float32)).item() == 60.0
    assert recorded.problem is None


def test_another_model_under_the_same_name() -> None:
    model = layers.Linear(3, 1, rng=generator(0))
    recorded = mg.record(lambda x: model(mg.tensor(x)).detach())
    x = np.ones((1, 3), np.float32)
    for _ in range(4):
        recorded(x)
    model = layers.Linear(3, 1, rng=generator(1))
    assert recorded(x).item() == model(mg.tensor(x)).item()


def test_record_takes_functions() -> None:
    with pytest.raises(mg.errors.ArgumentError, match="record: got int; pass a function"):
        mg.record(3)  # pyright: ignore[reportArgumentType]
    assert mg.record(optim.SGD) is not None
