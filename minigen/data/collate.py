"""Items of a data set, put together to a batch: arrays and numbers get a first axis, whatever they are packed in."""

from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any

import numpy as np

from minigen.checks import shown
from minigen.config import config
from minigen.errors import ArgumentError, DTypeError, ShapeError

Collate = Callable[[list[Any]], Any]
MEND = "make them alike in the data set, or put them together by collate_fn="


def collate(items: Sequence[Any]) -> Any:
    """One batch of N items that are made alike, as PyTorch's default_collate, with arrays for its tensors.

    Arrays and Tensors of one shape → one array (N, …) of their dtype. Whole numbers → int64 (N,), floats → float32 or
    what `mg.config.dtype` says, booleans → bool. Strings and bytes → a list. Tuples, named tuples, lists and dicts →
    the same, a batch in each place. Raises ShapeError for unequal shapes or lengths, DTypeError for what can not be put
    together: None, objects, kinds mixed.
    """
    if not isinstance(items, Sized) or not len(items):
        raise ArgumentError(f"collate: no items, but {shown(items)}; give a list of at least one")
    return collated(list(items), "item")


def collated(items: list[Any], place: str) -> Any:
    """`collate`; place: what the items are called in errors."""
    first = items[0]
    if isinstance(first, (str, bytes)):
        return same_kind(items, (str, bytes), place)
    if isinstance(first, Mapping):
        return collated_dicts(same_kind(items, Mapping, place), place)
    if isinstance(first, (tuple, list)):
        same_kind(items, (tuple, list), place)
        if {len(item) for item in items} != {len(first)}:
            lengths = ", ".join(str(len(item)) for item in items[:8])
            raise ShapeError(f"DataLoader: the {place}s of a batch have {lengths} parts; {MEND}")
        parts = [collated(list(part), f"{place}[{i}]") for i, part in enumerate(zip(*items, strict=True))]
        if hasattr(first, "_fields"):
            return type(first)(*parts)
        return tuple(parts) if isinstance(first, tuple) else parts
    return stacked([as_array(item, i, place) for i, item in enumerate(items)], place)


def collated_dicts(items: list[Mapping[Any, Any]], place: str) -> dict[Any, Any]:
    """A dict of batches."""
    for item in items:
        if set(item) != set(items[0]):
            names = shown(sorted(map(str, set(item) ^ set(items[0]))))
            raise ShapeError(f"DataLoader: not every {place} of a batch has {names}; {MEND}")
    return {key: collated([item[key] for item in items], f"{place}[{key!r}]") for key in items[0]}


def same_kind(items: list[Any], kind: type | tuple[type, ...], place: str) -> list[Any]:
    """`items` themselves. Raises DTypeError when one is something else."""
    for item in items:
        if not isinstance(item, kind):
            names = f"{type(items[0]).__name__} and {type(item).__name__}"
            raise DTypeError(f"DataLoader: the {place}s of a batch are {names}; {MEND}")
    return items


def as_array(item: Any, position: int, place: str) -> np.ndarray:
    """An array, a Tensor or a number as an array."""
    if item is None:
        raise DTypeError(f"DataLoader: {place} {position} of a batch is None; return its value, or use collate_fn=")
    if isinstance(item, bool):
        return np.array(item)
    if isinstance(item, float):
        return np.array(item, config.dtype)
    inner = item if isinstance(item, (np.ndarray, np.generic)) else getattr(item, "data", item)
    if not isinstance(inner, (np.ndarray, np.generic, int)) and not hasattr(inner, "__array__"):
        raise DTypeError(
            f"DataLoader: {place} {position} of a batch is {type(item).__name__}, which is no array; return "
            "np.asarray(…) of it, or use collate_fn="
        )
    array = np.asarray(inner)
    if array.dtype.kind not in "biufc":
        raise DTypeError(f"DataLoader: {place} {position} of a batch is an array of {array.dtype}; use numbers")
    return array


def stacked(arrays: list[np.ndarray], place: str) -> np.ndarray:
    """(N, …) of N arrays of one shape."""
    for i, array in enumerate(arrays):
        if array.shape != arrays[0].shape:
            raise ShapeError(
                f"DataLoader: the {place}s of a batch have unequal shapes, {arrays[0].shape} and {array.shape} "
                f"(number {i} of it); {MEND}"
            )
        if (array.dtype.kind == "b") != (arrays[0].dtype.kind == "b"):
            raise DTypeError(f"DataLoader: the {place}s of a batch are {arrays[0].dtype} and {array.dtype}; {MEND}")
    return np.stack(arrays)


def fetch(dataset: Any, rows: slice | np.ndarray | Sequence[int], collate_fn: Collate | None = None) -> Any:
    """The batch of `rows` of a data set: by its `batch(rows)` if it has one, else item by item, put together.

    An error of the data set itself is raised as it is, with a note which item it was.
    """
    if collate_fn is None and callable(batch := getattr(dataset, "batch", None)):
        return batch(rows)
    numbers = range(*rows.indices(len(dataset))) if isinstance(rows, slice) else rows
    return (collate_fn or collate)([fetch_item(dataset, int(row)) for row in numbers])


def fetch_item(dataset: Any, row: int) -> Any:
    """dataset[row]."""
    try:
        return dataset[row]
    except Exception as error:
        error.add_note(f"DataLoader: while taking item {row} of {type(dataset).__name__}")
        raise
