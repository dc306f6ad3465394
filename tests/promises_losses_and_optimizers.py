"""Promises of losses, optimizers, schedules and metrics."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from promises import Promise, promise

import minigen as mg
from minigen import advice, layers, metrics, optim
from minigen.errors import ArgumentError, DataError, ShapeError

CASES: list[Promise] = []
LOOSE: Any = mg  # whose arguments no type checker looks at


def leaf(*shape: int) -> mg.Tensor:
    return mg.tensor(mg.random.generator(0).normal(size=shape), requires_grad=True)


def weights() -> list[mg.Tensor]:
    return [mg.tensor([1.0, 2.0], requires_grad=True)]


@promise(CASES, "`cross_entropy` with labels of padding (`ignore_index`, -100)", "no loss, no gradient, even of NaN")
def padding(folder: Path) -> None:
    x = leaf(2, 3)
    x.data[1] = np.nan
    loss = mg.cross_entropy(x, [1, -100])
    assert loss.item() == pytest.approx(mg.cross_entropy(x[:1], [1]).item())
    (g,) = mg.grad(loss, [x])
    assert g is not None
    assert (g.data[1] == 0).all() and (g.data[0] != 0).all()


@promise(CASES, "the mean of a batch in which all labels are ignored", 'DataError; `reduction="sum"` gives 0')
def all_ignored(folder: Path) -> None:
    with pytest.raises(DataError, match="every label is -100"):
        mg.cross_entropy(leaf(2, 3), [-100, -100])
    assert mg.cross_entropy(leaf(2, 3), [-100, -100], reduction="sum").item() == 0


@promise(CASES, "`cross_entropy` of (N, K, H, W), as in PyTorch", "ShapeError that says to move the classes to the end")
def classes_in_the_second_axis(folder: Path) -> None:
    with pytest.raises(ShapeError, match=r"moveaxis\(input, 1, -1\)"):
        mg.cross_entropy(leaf(2, 5, 4, 4), np.zeros((2, 4, 4), int))


@promise(
    CASES, "one-hot integers as the target of `cross_entropy`", "ShapeError: `.argmax(-1)`; floats are probabilities"
)
def one_hot(folder: Path) -> None:
    with pytest.raises(ShapeError, match=r"argmax\(-1\)"):
        mg.cross_entropy(leaf(3, 3), np.eye(3, dtype=int))
    assert mg.cross_entropy(leaf(3, 3), np.eye(3)).item() == pytest.approx(
        mg.cross_entropy(leaf(3, 3), [0, 1, 2]).item()
    )


@promise(CASES, "losses of two shapes that would broadcast, (N, 1) and (N,)", "ShapeError with both shapes")
def broadcast(folder: Path) -> None:
    with pytest.raises(ShapeError, match=r"\(3, 1\) and \(3,\)"):
        mg.mse_loss(leaf(3, 1), np.zeros(3))


@promise(
    CASES, "class weights that require a gradient, are negative, or too few", "ArgumentError, DataError, ShapeError"
)
def odd_weights(folder: Path) -> None:
    for weight, error in ((leaf(3), ArgumentError), ([1.0, -1.0, 1.0], DataError), ([1.0], ShapeError)):
        with pytest.raises(error, match="weight"):
            mg.cross_entropy(leaf(2, 3), [0, 1], weight)


@promise(CASES, "`kl_div` given probabilities instead of their logarithms", "warns")
def probabilities(folder: Path) -> None:
    advice.given.discard("kl_div")
    with pytest.warns(advice.Advice, match="pass their log"):
        mg.kl_div([0.5, 0.5], [0.5, 0.5])


@promise(
    CASES, "`ctc_loss` of a target too long for its steps", "inf and NaN gradients, or with `zero_infinity` both 0"
)
def alignment(folder: Path) -> None:
    x = leaf(1, 2, 3)
    assert mg.ctc_loss(x, [[1, 1]], [2], [2]).item() == math.inf
    assert mg.ctc_loss(x, [[1, 1]], [2], [2], zero_infinity=True).item() == 0


@promise(CASES, '`layers.MSELoss(reduction="average")`', "ArgumentError when it is made")
def reduction(folder: Path) -> None:
    with pytest.raises(ArgumentError, match="reduction is 'average'"):
        layers.MSELoss("average")


@promise(CASES, "a generator of parameters used twice", "ArgumentError: no parameters")
def used_up(folder: Path) -> None:
    parameters = (p for p in weights())
    optim.Adam(parameters)
    with pytest.raises(ArgumentError, match="no parameters"):
        optim.Adam(parameters)


@promise(CASES, "a Tensor, None or a boolean as learning rate; betas of 1", "ArgumentError with the allowed range")
def options(folder: Path) -> None:
    for wrong in (mg.tensor(0.1), None, True, -1.0, math.nan):
        with pytest.raises(ArgumentError, match="lr is"):
            LOOSE.optim.Adam(weights(), lr=wrong)
    with pytest.raises(ArgumentError, match="beta2 is 1"):
        optim.Adam(weights(), betas=(0.9, 1.0))


@promise(CASES, "`optimizer.step(loss)`", "ArgumentError: pass nothing, or a function")
def step_of_a_loss(folder: Path) -> None:
    for kind in (optim.Adam, optim.LBFGS):
        with pytest.raises(ArgumentError, match="a function"):
            kind(weights()).step(LOOSE.tensor(1.0))


@promise(CASES, "`LBFGS.step()` without a closure", "ArgumentError that says what the closure does")
def no_closure(folder: Path) -> None:
    with pytest.raises(ArgumentError, match="calls backward"):
        optim.LBFGS(weights()).step()


@promise(CASES, "a schedule made over a model or its parameters", "ArgumentError: pass the optimizer")
def schedule_of_a_model(folder: Path) -> None:
    with pytest.raises(ArgumentError, match="pass the optimizer"):
        LOOSE.optim.ExponentialLR(weights(), 0.9)


@promise(
    CASES, "schedules to be joined, of which the first sets its own first value", "all start from the optimizer's lr"
)
def joined(folder: Path) -> None:
    optimizer = optim.SGD(weights(), lr=1.0)
    parts = [optim.LinearLR(optimizer, 0.1, total_iters=2), optim.ExponentialLR(optimizer, 0.5)]
    schedule = optim.SequentialLR(optimizer, parts, [2])
    rates = []
    for _ in range(4):
        rates += schedule.get_last_lr()
        schedule.step()
    assert rates == pytest.approx([0.1, 0.55, 1.0, 0.5])


@promise(CASES, "a schedule over groups of parameters", "their learning rates keep their ratio")
def ratios(folder: Path) -> None:
    optimizer = optim.SGD([{"params": weights()}, {"params": weights(), "lr": 0.1}], lr=1.0)
    optim.StepLR(optimizer, 1, 0.5).step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.05]


@promise(CASES, "`repr(optimizer)`", "its options, how many parameters, how many numbers")
def described(folder: Path) -> None:
    expected = "Adam(lr=0.001, betas=(0.9, 0.999), eps=1e-08, 1 parameters, 2 numbers)"
    assert repr(optim.Adam(weights())) == expected


@promise(CASES, "`metrics.accuracy(logits, labels)`, tensors or arrays", "the largest score counts; NaN is a DataError")
def accuracy_of_scores(folder: Path) -> None:
    assert metrics.accuracy(mg.tensor([[1.0, 2.0], [3.0, 0.0]], requires_grad=True), mg.tensor([1, 1])) == 0.5
    with pytest.raises(DataError, match="NaN"):
        metrics.accuracy([[math.nan, 1.0]], [1])


@promise(CASES, "`roc_auc` with labels of one class", "DataError: both classes are needed")
def one_class(folder: Path) -> None:
    with pytest.raises(DataError, match="both classes"):
        metrics.roc_auc([0.1, 0.9], [1, 1])
