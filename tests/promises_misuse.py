"""Promises of advice: what is allowed but hardly ever meant is said once, and what is meant stays unsaid."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from promises import Promise, promise

import minigen as mg
from minigen import advice, layers, optim

CASES: list[Promise] = []


def said(run: Callable[[], Any], times: int = 1) -> list[str]:
    """What is advised while `run` runs so often."""
    before, advice.given = advice.given, set()
    try:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            for _ in range(times):
                run()
        return [str(warning.message) for warning in found if warning.category is advice.Advice]
    finally:
        advice.given = before


def expect(messages: list[str], words: str) -> None:
    assert len(messages) == 1 and words in messages[0], messages


@promise(CASES, "`step()` when no parameter has a gradient", "warns: call `loss.backward()` before")
def step_without_gradient(folder: Path) -> None:
    optimizer = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=0.1)
    expect(said(optimizer.step, 3), "call loss.backward()")


@promise(CASES, "twenty steps without any `zero_grad()`", "warns; not when gradients are added up on purpose")
def gradients_that_pile_up(folder: Path) -> None:
    model = layers.Linear(2, 1, rng=mg.random.generator(0))
    optimizer = optim.SGD(model.parameters(), lr=1e-3)

    def step(zero: Callable[[], Any], backwards: int = 1) -> Callable[[], None]:
        def run() -> None:
            zero()
            for _ in range(backwards):
                model(np.ones((1, 2), np.float32)).sum().backward()
            optimizer.step()

        return run

    def drop() -> None:
        for p in model.parameters():
            p.grad = None

    def fill() -> None:
        for p in model.parameters():
            if p.grad is not None:
                p.grad.data[...] = 0

    for zero in (optimizer.zero_grad, model.zero_grad, drop, fill, lambda: optimizer.zero_grad(set_to_none=False)):
        assert said(step(zero, backwards=3), 30) == []
    expect(said(step(lambda: None), 30), "optimizer.zero_grad()")


@promise(CASES, "`nll_loss` of probabilities or logits", "warns when the loss is negative: pass `log_softmax(logits)`")
def nll_of_probabilities(folder: Path) -> None:
    logits = mg.tensor(np.eye(3, dtype=np.float32))
    expect(said(lambda: mg.nll_loss(mg.softmax(logits), [0, 1, 2]), 2), "log_softmax")
    assert said(lambda: mg.nll_loss(mg.log_softmax(logits), [0, 1, 2])) == []


@promise(CASES, "`cross_entropy` of a softmax, or BCE with logits of a sigmoid", "warns: pass the logits")
def cross_entropy_of_softmax(folder: Path) -> None:
    logits = mg.tensor(np.eye(3, dtype=np.float32), requires_grad=True)
    expect(said(lambda: mg.cross_entropy(mg.softmax(logits), [0, 1, 2]), 2), "pass the logits")
    expect(
        said(lambda: mg.binary_cross_entropy_with_logits(mg.sigmoid(logits), np.eye(3, dtype=np.float32)), 2),
        "pass the logits",
    )
    assert said(lambda: mg.cross_entropy(logits, [0, 1, 2])) == []


@promise(CASES, "bytes from 0 to 255 into a layer", "warns: divide them by 255")
def bytes_into_a_layer(folder: Path) -> None:
    rng = mg.random.generator(0)
    images = np.full((1, 4, 4, 1), 200, np.uint8)
    expect(said(lambda: layers.Conv2d(1, 2, 3, rng=rng)(images), 2), "divide them by 255")
    expect(said(lambda: layers.Linear(16, 2, rng=rng)(images.reshape(1, 16)), 2), "divide them by 255")
    assert said(lambda: layers.Linear(16, 2, rng=rng)(mg.tensor(images.reshape(1, 16)) / 255)) == []


@promise(
    CASES,
    "float64 by accident (`np.ones`, `np.zeros`, `Parameter(np.ones(1))`)",
    "warns where it meets float32; layers take data in their own dtype",
)
def float64_by_accident(folder: Path) -> None:
    x = mg.tensor([1.0, 2.0])
    expect(said(lambda: x * np.ones(2), 2), "astype(np.float32)")
    expect(said(lambda: x * layers.Parameter(np.ones(1))), "astype(np.float32)")
    linear = layers.Linear(2, 1, rng=mg.random.generator(0))
    assert said(lambda: linear(np.ones((1, 2)))) == [] and linear(np.ones((1, 2))).dtype == np.float32
    assert said(lambda: x * 2.0 + np.float64(3.0)) == [] and (x * np.float64(3.0)).dtype == np.float32


@promise(CASES, "an optimizer over float32 and float64", "ArgumentError that names the parameter")
def optimizer_over_two_dtypes(folder: Path) -> None:
    class Scaled(layers.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = layers.Linear(2, 1, rng=mg.random.generator(0))
            self.scale = layers.Parameter(np.ones(1))

    with pytest.raises(mg.errors.ArgumentError, match=r"parameter 0, scale, \(1,\), is float64, while others are"):
        optim.Adam(Scaled().named_parameters())


@promise(CASES, "a misspelt option in a group of parameters", "ArgumentError that lists the options")
def misspelt_option(folder: Path) -> None:
    with pytest.raises(mg.errors.ArgumentError, match="no option 'weight_decy'; its options are lr, betas"):
        optim.Adam([{"params": [mg.tensor([1.0], requires_grad=True)], "weight_decy": 0.1}])


@promise(CASES, "any advice with `mg.config.advice = False`", "nothing is said")
def advice_that_is_off(folder: Path) -> None:
    mg.config.advice = False
    try:
        assert said(optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=0.1).step) == []
    finally:
        mg.config.advice = True
