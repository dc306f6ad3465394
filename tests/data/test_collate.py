"""Batches of items of any make, and what can not be put together."""

import math
from typing import NamedTuple

import numpy as np
import pytest

import minigen as mg
from minigen.data import DataLoader, collate
from minigen.errors import ArgumentError, DTypeError, MinigenError, ShapeError


class Pair(NamedTuple):
    """An item with names."""

    x: np.ndarray
    y: int


def test_a_list_of_pairs_is_pairs_not_rows():
    pairs = [(np.full(3, i, np.float32), i % 2) for i in range(4)]
    batches = list(DataLoader(pairs, 2))
    for i, (x, y) in enumerate(batches):
        assert x.shape == (2, 3) and x.dtype == np.float32 and x[:, 0].tolist() == [2 * i, 2 * i + 1]
        assert y.dtype == np.int64 and y.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("items", "dtype", "values"),
    [
        ([1, 2], np.int64, [1, 2]),
        ([0.5, 2.0], np.float32, [0.5, 2.0]),
        ([True, False], np.bool_, [True, False]),
        ([np.float64(0.5), np.float64(1)], np.float32, [0.5, 1]),
        ([np.uint8(3), np.uint8(4)], np.uint8, [3, 4]),
        ([np.ones(2, np.uint8)] * 3, np.uint8, [[1, 1]] * 3),
        ([mg.tensor([1.0, 2.0], requires_grad=True)] * 2, np.float32, [[1, 2]] * 2),
        ([math.inf, 1.0], np.float32, [math.inf, 1.0]),
    ],
)
def test_numbers_and_arrays(items, dtype, values):
    batch = collate(items)
    assert type(batch) is np.ndarray and batch.dtype == dtype and batch.tolist() == values


def test_whatever_they_are_packed_in():
    batch = collate(
        [{"x": np.ones(2), "name": "a", "box": [1, (2, 3)]}, {"name": "b", "x": np.zeros(2), "box": [4, (5, 6)]}]
    )
    assert list(batch) == ["x", "name", "box"] and batch["name"] == ["a", "b"]
    assert batch["x"].tolist() == [[1, 1], [0, 0]]
    first, (second, third) = batch["box"]
    assert [np.asarray(p).tolist() for p in (first, second, third)] == [[1, 4], [2, 5], [3, 6]]
    named = collate([Pair(np.ones(2), 1), Pair(np.zeros(2), 0)])
    assert isinstance(named, Pair) and named.x.shape == (2, 2) and np.asarray(named.y).tolist() == [1, 0]
    assert collate([b"a", b"b"]) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("items", "error", "message"),
    [
        ([None, None], DTypeError, "item 0 of a batch is None"),
        ([(1, None), (2, None)], DTypeError, r"item\[1\] 0 of a batch is None"),
        ([np.ones(3), np.ones(4)], ShapeError, r"unequal shapes, \(3,\) and \(4,\) \(number 1 of it\).*collate_fn="),
        ([(1, 2), (1,)], ShapeError, "have 2, 1 parts"),
        ([{"a": 1}, {"b": 1}], ShapeError, r"not every item of a batch has \['a', 'b'\]"),
        ([(1,), 2], DTypeError, "tuple and int"),
        (["a", 1], DTypeError, "str and int"),
        ([1, "a"], DTypeError, "item 1 of a batch is str, which is no array"),
        ([{"a": 1}, 3], DTypeError, "dict and int"),
        ([object()], DTypeError, "item 0 of a batch is object, which is no array"),
        ([np.array([None])], DTypeError, "array of object"),
        ([2**70], DTypeError, "array of object"),
        ([True, 1], DTypeError, "bool and int64"),
        ([], ArgumentError, "no items"),
    ],
)
def test_what_can_not_be_put_together(items, error, message):
    with pytest.raises(error, match=message):
        collate(items)


def test_collate_fn_is_given_the_items():
    words = ["to", "be", "or"]
    assert list(DataLoader(words, 2, collate_fn="-".join)) == ["to-be", "or"]
    assert list(DataLoader(mg.data.ArrayDataset(np.arange(3)), 2, collate_fn=len)) == [2, 1]
    with pytest.raises(ArgumentError, match="collate_fn is 3"):
        DataLoader(words, 2, collate_fn=3)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "data", [iter([1]), (i for i in range(3)), {0: 1}, {1}, "text", 5, np.float32(3), np.array(3.0)]
)
def test_what_is_no_data_set(data):
    with pytest.raises(MinigenError, match=r"^DataLoader: the data set is .*; pass"):
        DataLoader(data, 2)


def test_an_error_of_the_data_set_names_its_item():
    class Broken:
        def __len__(self):
            return 4

        def __getitem__(self, i):
            return 1 / (3 - i)

    with pytest.raises(ZeroDivisionError) as caught:
        list(DataLoader(Broken(), 2))
    assert caught.value.__notes__ == ["DataLoader: while taking item 3 of Broken"]


class Slow:
    """A data set with both ways."""

    def __init__(self, fast: bool) -> None:
        if fast:
            self.batch = lambda rows: "whole"

    def __len__(self):
        return 4

    def __getitem__(self, i):
        assert type(i) is int
        return i


@pytest.mark.parametrize(("fast", "expected"), [(True, ["whole", "whole"]), (False, [[0, 1], [2, 3]])])
def test_the_fast_path_is_asked_for_by_name(fast, expected):
    assert [batch if fast else batch.tolist() for batch in DataLoader(Slow(fast), 2)] == expected
