"""Promises of layers: what they are made of, what they are given, what they say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from promises import Promise, promise

import minigen as mg
from minigen import layers
from minigen.errors import ArgumentError, DTypeError, ShapeError

CASES: list[Promise] = []
untyped: Any = layers  # as wrong types are the point


def rng() -> np.random.Generator:
    return mg.random.generator(0)


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


@promise(CASES, "`Linear(3, 4)`, the generator forgotten", "DTypeError: pass `rng=np.random.default_rng(0)`")
def forgotten_rng(folder: Path) -> None:
    for make in (lambda: layers.Linear(3, 4), lambda: layers.Dropout(), lambda: mg.dropout(ones(2), 0.5)):
        with pytest.raises(DTypeError, match=r"pass rng=np\.random\.default_rng\(0\)"):
            make()


@promise(CASES, "`Linear(3, 4, rng)`, the generator where `bias` stands", "DTypeError: rng was not given")
def rng_by_position(folder: Path) -> None:
    with pytest.raises(DTypeError, match="Linear: rng was not given"):
        untyped.Linear(3, 4, rng())


@promise(CASES, "`Sequential([a, b])`, `Sequential(OrderedDict(…))`, `model[:2]`, `model[-1]`", "work as in PyTorch")
def sequential_of_a_list(folder: Path) -> None:
    a, b, c = layers.Linear(2, 2, rng=rng()), layers.ReLU(), layers.Linear(2, 1, rng=rng())
    named = layers.Sequential({"a": a, "b": b, "c": c})
    assert list(layers.Sequential([a, b, c])) == list(named) == [a, b, c]
    assert list(named[:2]) == [a, b] and named[-1] is c and list(named[:2].state_dict()) == ["a.weight", "a.bias"]


@promise(CASES, "`Sequential(ReLU, …)` or `Sequential(mg.relu, …)`", "ArgumentError: write the layer, `ReLU()`")
def a_class_in_place_of_a_layer(folder: Path) -> None:
    for wrong in (layers.ReLU, mg.relu):
        with pytest.raises(ArgumentError, match=r"not a Module; .*ReLU\(\)"):
            untyped.Sequential(wrong, layers.Tanh())


@promise(CASES, "parameters or layers in a plain list or dict", "ArgumentError: use ModuleList, ParameterList, …")
def hidden_parameters(folder: Path) -> None:
    module = layers.Module()
    for hidden in ([layers.Parameter(ones(2))], {"a": layers.Linear(2, 2, rng=rng())}):
        with pytest.raises(ArgumentError, match=r"would not be found; use ModuleList.*ParameterList"):
            module.parts = hidden  # pyright: ignore[reportAttributeAccessIssue]


@promise(CASES, "`Reshape((3, 4))` or `Reshape(3, 4)`", "the same layer")
def reshape_of_a_tuple(folder: Path) -> None:
    assert layers.Reshape((3, 4))(ones(2, 12)).shape == layers.Reshape(3, 4)(ones(2, 12)).shape == (2, 3, 4)


@promise(CASES, "images or sequences with their channels in front", "ShapeError: channels are last, turn it")
def channels_in_front(folder: Path) -> None:
    for layer, x in (
        (layers.Conv2d(3, 8, 3, rng=rng()), ones(2, 3, 9, 9)),
        (layers.Conv1d(3, 8, 3, rng=rng()), ones(2, 3, 9)),
    ):
        with pytest.raises(ShapeError, match=r"channels(-last| are last).*transpose"):
            layer(x)


@promise(CASES, "batch, group or instance norm of one value in training", "ShapeError: it has no variance")
def one_value(folder: Path) -> None:
    for layer in (layers.BatchNorm(4), layers.GroupNorm(4, 4), layers.InstanceNorm(4)):
        with pytest.raises(ShapeError, match="no variance"):
            layer(ones(1, 4))


@promise(CASES, "`layer.weight = …` of a layer with spectral or weight norm", "ArgumentError: where to write instead")
def assigning_a_computed_weight(folder: Path) -> None:
    layer = layers.weight_norm(layers.Linear(2, 2, rng=rng()))
    with pytest.raises(ArgumentError, match=r"is computed by WeightNorm; write into .* or call remove"):
        layer.weight = layers.Parameter(ones(2, 2))


@promise(CASES, "weight norm after an optimizer was made", "ArgumentError: before it")
def weight_norm_after_the_optimizer(folder: Path) -> None:
    layer = layers.Linear(2, 2, rng=rng())
    optimizer = mg.optim.SGD(layer.parameters(), lr=0.1)
    with pytest.raises(ArgumentError, match="call weight_norm before making it"):
        layers.weight_norm(layer)
    del optimizer


@promise(CASES, "`Embedding(…, padding_idx=0)`", "row 0 is 0 and gets no gradient")
def padding_row(folder: Path) -> None:
    layer = layers.Embedding(4, 2, padding_idx=0, rng=rng())
    layer(np.array([[0, 1, 0]])).sum().backward()
    assert layer.weight.grad is not None
    assert not layer.weight.data[0].any() and layer.weight.grad.data.tolist() == [[0, 0], [1, 1], [0, 0], [0, 0]]


@promise(CASES, '`module.get_submodule("a.b")` of a name that is not there', "ArgumentError: lists those that are")
def a_part_that_is_not_there(folder: Path) -> None:
    with pytest.raises(ArgumentError, match=r"has no module 'x'; its modules: 0, 1"):
        layers.Sequential(layers.ReLU(), layers.Tanh()).get_submodule("x")


@promise(CASES, "padding by reflection of more than there is", "ShapeError: how much can be copied")
def too_wide_a_reflection(folder: Path) -> None:
    with pytest.raises(ShapeError, match="where only 2 can be copied"):
        mg.pad(ones(3), 3, mode="reflect")


@promise(CASES, "`load_state_dict` into a model in training mode", "the mode stays, as in PyTorch; call `eval()`")
def loading_leaves_the_mode(folder: Path) -> None:
    model = layers.Sequential(layers.BatchNorm(2))
    for training in (True, False):
        model.train(training).load_state_dict(layers.Sequential(layers.BatchNorm(2)).state_dict())
        assert model.training == model[0].training == training
