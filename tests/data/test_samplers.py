"""Samplers: their rows, the loader that follows them, and exact continuation."""

import json
from typing import Any

import numpy as np
import pytest

from minigen import random
from minigen.data import (
    ArrayDataset,
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from minigen.errors import ArgumentError, CheckpointError, DTypeError

DATA = ArrayDataset(np.arange(10))
NOTHING: Any = None


def rng(seed=0):
    return random.generator(seed)


MAKE = {
    "sequential": lambda: SequentialSampler(DATA),
    "random": lambda: RandomSampler(DATA, rng=rng()),
    "some": lambda: RandomSampler(DATA, num_samples=6, rng=rng()),
    "replacement": lambda: RandomSampler(10, True, 25, rng=rng()),
    "subset": lambda: SubsetRandomSampler([7, 2, 5], rng=rng()),
    "weighted": lambda: WeightedRandomSampler(np.arange(10), 12, rng=rng()),
    "weighted once": lambda: WeightedRandomSampler(np.arange(10), 9, False, rng=rng()),
    "list": lambda: [3, 3, 9, 0, 1],
}


def rows(batches):
    return [batch[0].tolist() for batch in batches]


@pytest.mark.parametrize("kind", MAKE)
def test_a_loader_gives_what_its_sampler_draws(kind):
    loader, sampler = DataLoader(DATA, 4, sampler=MAKE[kind]()), MAKE[kind]()
    for _ in range(2):
        expected = list(sampler)
        assert [row for batch in rows(loader) for row in batch] == expected
        assert len(expected) == len(sampler)


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("stop", [0, 1, 2, 5])
def test_a_restored_loader_goes_on_exactly(kind, stop):
    def make(seed):
        sampler = MAKE[kind]()
        if getattr(sampler, "rng", None) is not None:
            sampler.rng = rng(seed)
        return DataLoader(DATA, 2, sampler=sampler), getattr(sampler, "rng", None)

    loader, generator = make(1)
    list(loader.steps(0, stop))
    saved = json.loads(json.dumps(loader.state_dict()))
    state = None if generator is None else random.get_state(generator)
    expected = rows(batch for _, batch in loader.steps(0, 12))
    loader, generator = make(99)
    list(loader.steps(0, 3))
    if generator is not None and state is not None:
        random.set_state(generator, state)
    loader.load_state_dict(saved)
    assert rows(batch for _, batch in loader.steps(0, 12)) == expected


def test_a_sampler_of_ones_own_is_saved_with_its_rows():
    class Halves:
        epochs = 0

        def __len__(self):
            return 5

        def __iter__(self):
            self.epochs += 1
            return iter(range(self.epochs % 2, 10, 2))

    loader, other = DataLoader(DATA, 2, sampler=Halves()), DataLoader(DATA, 2, sampler=Halves())
    next(iter(loader))
    list(other)
    other.load_state_dict(json.loads(json.dumps(loader.state_dict())))
    assert rows(other) == rows(loader) == [[5, 7], [9]]
    with pytest.raises(CheckpointError, match="sampler is Halves"):
        DataLoader(DATA, 2, sampler=SubsetRandomSampler(range(5), rng=rng())).load_state_dict(
            {k: v for k, v in loader.state_dict().items() if k != "order"}
        )


def test_random_rows():
    assert sorted(RandomSampler(DATA, rng=rng())) == list(range(10))
    drawn = list(RandomSampler(4, True, 4000, rng=rng()))
    assert min(np.bincount(drawn)) > 900
    counts = np.bincount(list(WeightedRandomSampler([1, 0, 3], 4000, rng=rng())))
    assert counts[1] == 0 and abs(counts[2] / counts[0] - 3) < 0.4
    sampler = RandomSampler(DATA, rng=rng())
    assert list(sampler) != list(sampler)


def test_batch_samplers():
    order = [4, 1, 3, 0, 2]
    assert list(BatchSampler(order, 2)) == [[4, 1], [3, 0], [2]] and len(BatchSampler(order, 2)) == 3
    assert list(BatchSampler(order, 2, True)) == [[4, 1], [3, 0]] and len(BatchSampler(order, 2, True)) == 2
    assert rows(DataLoader(DATA, batch_sampler=BatchSampler(order, 2, True))) == [[4, 1], [3, 0]]
    assert rows(DataLoader(DATA, batch_sampler=[[1], [2, 3, 4]])) == [[1], [2, 3, 4]]
    assert rows(DataLoader(DATA, batch_sampler=BatchSampler(RandomSampler(DATA, rng=rng(3)), 4))) == rows(
        DataLoader(DATA, 4, shuffle=True, rng=rng(3))
    )


def test_samplers_of_a_class_of_its_own_are_asked_themselves():
    class Backwards(BatchSampler):
        def __iter__(self):
            return reversed(list(super().__iter__()))

    class Odd(SequentialSampler):
        def draw(self, rng):
            return np.arange(self.count)[::-1]

    assert rows(DataLoader(DATA, batch_sampler=Backwards([4, 1, 3, 0, 2], 2))) == [[2], [3, 0], [4, 1]]
    assert rows(DataLoader(DATA, 5, sampler=Odd(10))) == [[9, 8, 7, 6, 5], [4, 3, 2, 1, 0]]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: list(DataLoader(DATA, 4, sampler=SequentialSampler(13))), ArgumentError, "use rows of 0 … 9"),
        (lambda: RandomSampler(DATA, rng=NOTHING), DTypeError, "RandomSampler: rng was not given; pass rng="),
        (lambda: RandomSampler(3, num_samples=4, rng=rng()), ArgumentError, "replacement=True"),
        (lambda: WeightedRandomSampler([0, 0], 1, rng=rng()), ArgumentError, "not all of them 0"),
        (lambda: WeightedRandomSampler([1, -1], 1, rng=rng()), ArgumentError, "finite numbers ≥ 0"),
        (lambda: WeightedRandomSampler([1, np.nan], 1, rng=rng()), ArgumentError, "finite numbers ≥ 0"),
        (lambda: WeightedRandomSampler(["a"], 1, rng=rng()), ArgumentError, "no numbers"),
        (lambda: WeightedRandomSampler([1, 0], 2, False, rng=rng()), ArgumentError, "only 1 rows"),
        (lambda: SubsetRandomSampler([0.5], rng=rng()), ArgumentError, "whole numbers"),
        (lambda: SubsetRandomSampler([-1], rng=rng()), ArgumentError, "from -1 to -1"),
        (lambda: BatchSampler([1], 0), ArgumentError, "batch_size is 0"),
        (lambda: list(DataLoader(DATA, 2, sampler=[10])), ArgumentError, "from 10 to 10; use rows of 0 … 9"),
        (lambda: DataLoader(DATA, 2, sampler=iter([1])), ArgumentError, "has no length; pass list"),
        (lambda: DataLoader(DATA, 2, True, rng(), sampler=[1]), ArgumentError, "leave out shuffle=True"),
        (lambda: DataLoader(DATA, 2, batch_sampler=[[1]]), ArgumentError, "batch_sampler decides batch_size"),
        (lambda: list(DataLoader(DATA, batch_sampler=[[]])), ArgumentError, "a batch without rows"),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_reprs():
    assert repr(DataLoader(DATA, 4)) == (
        "DataLoader(3 batches of 4 from ArrayDataset(10 rows: int64 (10,)), in order; epoch 0, 0 given)"
    )
    assert repr(RandomSampler(DATA, rng=rng())) == "RandomSampler(10 rows)"
