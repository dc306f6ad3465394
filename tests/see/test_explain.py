"""Explanations: all operations behind a number are listed, with their lines, and what contributes how much."""

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.autograd.modes import modes
from minigen.errors import ArgumentError, GraphFreedError


def test_contributions_are_gradient_times_value():
    a, b = (mg.tensor(values, requires_grad=True, dtype="float64") for values in ([1.0, -2.0], [3.0, 0.5]))
    unused = mg.tensor(5.0, requires_grad=True, dtype="float64")
    found = mg.explain((a * a * b).sum() + 0.0 * unused)
    assert found.value == 3 + 2
    assert [source.shape for source in found.sources] == [(2,), (2,), ()]
    first, second, third = found.sources
    assert first.contribution == pytest.approx(2 * 3 + 2 * 2) and first.norm == pytest.approx(np.hypot(6, -2))
    assert second.contribution == pytest.approx(5) and second.norm == pytest.approx(np.hypot(1, 4))
    assert third.contribution == 0
    assert sorted(box.title for box in found.operations) == ["Add", "Multiply", "Multiply", "Multiply", "Sum"]
    (a * b).sum().backward()  # its own graph is not touched


def test_lines_modules_and_names_are_told():
    model = layers.Sequential(layers.Linear(3, 4, rng=mg.random.generator(0)), layers.Tanh())

    def number(x: mg.Tensor) -> mg.Tensor:
        y = model(x)  # here
        return y[1, 2]

    x = mg.tensor(np.ones((2, 3), np.float32), requires_grad=True)
    found = mg.explain(number, x)
    text = str(found)
    assert [box.title for box in found.operations] == ["GetItem", "Tanh", "Linear"]
    assert found.operations[2].module == ("Sequential", "0") and found.operations[2].line.endswith(
        "y = model(x)  # here"
    )
    assert found.operations[0].line.endswith("return y[1, 2]") and "test_explain.py" in text
    assert {source.name for source in found.sources} == {"Sequential.0.weight", "Sequential.0.bias", "input"}
    assert found.value == pytest.approx(number(x).item()) and modes.observers == ()
    named = mg.explain(number(x), model=model)
    assert {source.name for source in named.sources} == {"Sequential.0.weight", "Sequential.0.bias", "input"}
    assert named.operations[0].line == ""
    assert all(p.grad is None for p in model.parameters())


def test_only_what_leads_to_the_number_is_listed():
    def number() -> mg.Tensor:
        x = mg.tensor([1.0, 2.0], requires_grad=True)
        mg.exp(x)  # leads nowhere
        return (x * 3.0).sum()

    assert [box.title for box in mg.explain(number).operations] == ["Sum", "Multiply"]


def test_long_ones_are_cut_short():
    x = mg.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(100):
        y = y * 1.01
    text = str(mg.explain(y))
    assert "made by 100 operations" in text and "and 70 more" in text


def test_refusals():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ArgumentError, match=r"the tensor is \(2,\); pick one number"):
        mg.explain(x * 2.0)
    with pytest.raises(ArgumentError, match="the function gave NoneType"):
        mg.explain(lambda: None)
    with pytest.raises(ArgumentError, match="got int"):
        mg.explain(3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="takes no arguments"):
        mg.explain(x, 3)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(GraphFreedError):
        mg.explain(y)
    assert mg.explain(mg.tensor(2.0)).sources == []
