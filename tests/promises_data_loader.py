"""Promises of data sets, loaders and samplers."""

from pathlib import Path

import numpy as np
import pytest
from promises import Promise, promise

import minigen as mg
from minigen import data

CASES: list[Promise] = []


@promise(CASES, "a list of pairs as a data set, batch size 2", "batches (x, y) of two samples each, as in PyTorch")
def a_list_of_pairs(folder: Path) -> None:
    pairs = [(np.full(3, i, np.float32), i) for i in range(4)]
    batches = list(data.DataLoader(pairs, 2))
    assert [y.tolist() for _, y in batches] == [[0, 1], [2, 3]]
    assert all(x.shape == (2, 3) for x, _ in batches)


@promise(CASES, "items that are dicts, named tuples, strings", "each place is put together; strings stay a list")
def packed_items(folder: Path) -> None:
    (batch,) = data.DataLoader([{"x": 1.5, "name": "a"}, {"x": 2.5, "name": "b"}], 2)
    assert batch["x"].tolist() == [1.5, 2.5] and batch["x"].dtype == np.float32 and batch["name"] == ["a", "b"]


@promise(CASES, "items of unequal shape, or None", "ShapeError or DTypeError: names both, and `collate_fn=`")
def unequal_items(folder: Path) -> None:
    for items, error in (([np.ones(3), np.ones(4)], mg.errors.ShapeError), ([1, None], mg.errors.DTypeError)):
        with pytest.raises(error, match="collate_fn="):
            list(data.DataLoader(items, 2))


@promise(CASES, "a generator, a dict or a string as a data set", "DTypeError: pass a list of its items")
def no_data_set(folder: Path) -> None:
    for nothing in ((i for i in range(3)), {"a": 1}, "text"):
        with pytest.raises(mg.errors.DTypeError, match="pass"):
            data.DataLoader(nothing, 2)  # pyright: ignore[reportArgumentType]


@promise(CASES, "a data set whose item 3 raises", "that error, with a note that it was item 3")
def a_failing_item(folder: Path) -> None:
    class Broken(list):
        def __getitem__(self, i):
            if i == 3:
                raise OSError("gone")
            return super().__getitem__(i)

    with pytest.raises(OSError, match="gone") as caught:
        list(data.DataLoader(Broken(range(5)), 2))
    assert "item 3 of Broken" in caught.value.__notes__[0]


@promise(CASES, "a sampler with rows that the data set lacks", "ArgumentError: the rows there are")
def rows_outside(folder: Path) -> None:
    with pytest.raises(mg.errors.ArgumentError, match="use rows of 0 … 2"):
        list(data.DataLoader([1, 2, 3], 1, sampler=[5]))


@promise(CASES, "a random loader or split without rng", "an error that says what to pass as `rng=`")
def rng_forgotten(folder: Path) -> None:
    with pytest.raises(mg.errors.DTypeError, match="pass rng="):
        data.DataLoader([1, 2, 3], 1, shuffle=True)


@promise(CASES, "a loader saved in mid-epoch, with any sampler", "the restored one gives the very same batches")
def sampler_restored(folder: Path) -> None:
    def loader(seed: int) -> data.DataLoader:
        sampler = data.WeightedRandomSampler(np.arange(9), 20, rng=mg.random.generator(seed))
        return data.DataLoader(list(range(9)), 3, sampler=sampler)

    first, second = loader(1), loader(2)
    next(iter(first))
    second.load_state_dict(first.state_dict())
    assert [b.tolist() for b in second] == [b.tolist() for b in first]
