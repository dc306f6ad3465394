"""What a checkpoint belongs to: recipes compared, data sets digested."""

import dataclasses
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen.data import ArrayDataset, ImageDataset, SequenceDataset, StreamDataset, WindowDataset
from minigen.training.origin import data_digest, recipe_difference

SAVED = {"lr": 0.1, "epochs": 3, "max_steps": 10, "data": "/a/digits", "betas": [0.9, 0.99]}


@pytest.mark.parametrize(
    "change",
    [{}, {"epochs": 4}, {"max_steps": 11}, {"max_steps": None}, {"data": "/elsewhere/digits"}, {"newer": 1}],
)
def test_what_may_differ(change: dict[str, Any]):
    assert recipe_difference(SAVED, SAVED | change) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lr": 0.2}, "lr is 0.2, and was 0.1"),
        ({"epochs": 2}, "epochs is 2, and was 3"),
        ({"max_steps": 9}, "max_steps is 9"),
        ({"data": "mnist"}, "data is 'mnist', and was '/a/digits'"),
        ({"betas": [0.9, 0.9]}, "betas"),
    ],
)
def test_what_may_not(change: dict[str, Any], said: str):
    assert (recipe_difference(SAVED, SAVED | change) or "").startswith(said)


def test_a_field_that_is_gone_is_told_and_a_limit_does_not_come_back():
    assert recipe_difference(SAVED, {}) == "lr is missing, and was 0.1"
    assert recipe_difference({"max_steps": None}, {"max_steps": 5}) == "max_steps is 5, and was None"


def images(**changes: Any) -> ImageDataset:
    pixels = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4, 1)
    return dataclasses.replace(ImageDataset(pixels, np.array([0, 1]), ("a", "b"), "mine"), **changes)


def other(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flat[-1] += 1
    return array


def test_the_digest_is_of_the_content():
    tokens = np.arange(100)
    sets = [
        images(),
        images(images=other(images().images)),
        images(labels=np.array([1, 0])),
        images(classes=("a", "c")),
        images(range=(-1.0, 1.0)),
        SequenceDataset(images()),
        SequenceDataset(images(), permutation=np.array([1, 0, 2, 3])),
        *(WindowDataset(t, 9) for t in (tokens, other(tokens))),
        *(StreamDataset(t, 2, 9) for t in (tokens, other(tokens))),
        *(ArrayDataset(a) for a in (tokens, other(tokens), tokens.astype(np.int32), tokens.reshape(50, 2))),
        (ArrayDataset(tokens), tokens),
        (ArrayDataset(tokens), other(tokens)),
        *([(mg.tensor(x), y)] for x, y in ((1.0, 2), (1.0, 3), (2.0, 2))),
        *([{"x": x, "name": name}] for x, name in ((1, b"a"), (1, b"b"), (2, b"a"))),
        *(np.array([object(), thing]) for thing in (None, "a", "b")),
    ]
    digests = [data_digest(dataset) for dataset in sets]
    assert len(set(digests)) == len(sets)
    assert data_digest(np.array([object(), "a"])) == digests[-2]  # wherever that object lies
    assert data_digest(images(name="moved", notes=("its pictures are turned upright",))) == digests[0]
    assert data_digest(ArrayDataset(np.repeat(tokens, 2)[::2])) == data_digest(ArrayDataset(tokens))


def test_a_large_array_is_read_in_blocks():
    large = np.zeros((1025, 64, 128), np.float32)
    assert data_digest(large) != data_digest(other(large))


def test_a_class_of_its_own_may_say_its_digest():
    class Mine:
        cache = 0

        def __len__(self) -> int:
            return 3

    class Digested(Mine):
        def digest(self) -> str:
            return f"{self.cache}"

    first, second = Mine(), Mine()
    second.cache = 1
    assert data_digest(first) == data_digest(second)
    first, second = Digested(), Digested()
    second.cache = 1
    assert data_digest(first) != data_digest(second)
