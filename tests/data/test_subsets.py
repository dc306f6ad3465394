"""Parts of data sets, and data sets behind each other."""

from typing import Any, cast

import numpy as np
import pytest

from minigen import random
from minigen.data import ArrayDataset, ConcatDataset, DataLoader, ImageDataset, Subset, random_split
from minigen.errors import ArgumentError, DTypeError

NOTHING: Any = None
DATA = ArrayDataset(np.arange(10) * 10)
PAIRS = [(np.full(2, i), str(i)) for i in range(5)]


def test_a_subset_is_those_rows_in_that_order():
    part = Subset(DATA, [7, 2, 2])
    assert len(part) == 3 and part[0] == (70,) and part[-1] == (20,)
    assert [batch[0].tolist() for batch in DataLoader(part, 2)] == [[70, 20], [20]]
    x, names = next(iter(DataLoader(Subset(PAIRS, [3, 1]), 2)))
    assert x.tolist() == [[3, 3], [1, 1]] and names == ["3", "1"]
    assert Subset(DATA, np.arange(10) > 7)[:][0].tolist() == [80, 90]
    assert Subset(part, [1])[0] == (20,)


def test_data_sets_behind_each_other():
    both = ConcatDataset([Subset(DATA, []), DATA, Subset(DATA, [3])])
    assert len(both) == 11 and [both[i][0] for i in (0, 9, 10, -1, -11)] == [0, 90, 30, 30, 0]
    batches = DataLoader(both, 4)
    assert np.concatenate([batch[0] for batch in batches]).tolist() == [*range(0, 100, 10), 30]
    assert both[len(both) - 1] == (30,)
    with pytest.raises(IndexError):
        both[11]


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [([7, 3], [7, 3]), ([0.7, 0.3], [7, 3]), ([1 / 3] * 3, [4, 3, 3]), ([10], [10]), ([1.0], [10])],
)
def test_a_random_split_has_each_row_once(lengths, expected):
    parts = random_split(DATA, lengths, rng=random.generator(0))
    assert [len(part) for part in parts] == expected
    assert sorted(row for part in parts for row in part.indices) == list(range(10))
    again = random_split(DATA, lengths, rng=random.generator(0))
    assert [part.indices.tolist() for part in parts] == [part.indices.tolist() for part in again]
    assert parts[0].indices.tolist() != list(range(len(parts[0])))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: random_split(DATA, [7, 4], rng=random.generator(0)), ArgumentError, "add up to 11; use numbers"),
        (lambda: random_split(DATA, [0.5, 0.4], rng=random.generator(0)), ArgumentError, "add up to 0.9"),
        (lambda: random_split(DATA, [1.5, -0.5], rng=random.generator(0)), ArgumentError, "shares that add up to 1"),
        (lambda: random_split(DATA, cast(Any, ["a"]), rng=random.generator(0)), DTypeError, "in a list"),
        (lambda: cast(Any, random_split)(DATA, [7, 3]), TypeError, "rng"),
        (lambda: random_split(DATA, [7, 3], rng=NOTHING), DTypeError, "pass rng="),
        (lambda: Subset(DATA, [10]), ArgumentError, "from 10 to 10"),
        (lambda: Subset(DATA, [0.5]), ArgumentError, "whole numbers"),
        (lambda: ConcatDataset([]), ArgumentError, "no data sets"),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_reprs():
    images = ImageDataset(np.zeros((3, 8, 6, 1), np.uint8), np.arange(3), tuple("abc"), "pets train", (-1, 1))
    assert repr(images) == "ImageDataset(pets train: 3 images 8×6×1, 3 classes, range -1…1)"
    assert repr(Subset(images, [1])) == f"Subset(1 of {images!r})"
    assert repr(ConcatDataset([DATA])) == "ConcatDataset(10 items: ArrayDataset(10 rows: int64 (10,)))"
