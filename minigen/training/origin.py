"""What a checkpoint belongs to: the recipe, the data and the log that it was trained with, and whether they still are.

A checkpoint keeps the model's name and recipe in full, so that a difference can be named, and SHA-256 digests of the
training data and of metrics.csv up to its step.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from minigen.autograd import Tensor

GROWING = ("epochs", "max_steps")  # may be larger than when the checkpoint was saved: the run was extended
PLACES = (
    "data",
    "text",
    "ratings",
    "tunes",
)  # where the training data lie; whether they are the same is for their digest to say
WORDS = ("name", "notes")  # of a data set: where it lies, and what is said of it


def recipe_difference(saved: Mapping[str, Any], current: Mapping[str, Any]) -> str | None:
    """The first field in which a recipe is not the one that was trained with, as in "lr is 0.1, and was 0.001".

    A field that `saved` lacks is one that it is older than.
    """
    for name, was in saved.items():
        if name not in current:
            return f"{name} is missing, and was {was!r}"
        value = current[name]
        if value != was and not grown(name, was, value) and not moved(name, was, value):
            return f"{name} is {value!r}, and was {was!r}"
    return None


def grown(name: str, was: Any, value: Any) -> bool:
    """Whether the field is a length of the training that became larger; None is no limit."""
    return name in GROWING and was is not None and (value is None or value > was)


def moved(name: str, was: Any, value: Any) -> bool:
    """Whether the field names another place on disk."""
    return name in PLACES and all(isinstance(place, str) and os.path.isabs(place) for place in (was, value))


def data_digest(dataset: Any) -> str:
    """SHA-256 of what a data set of minigen, or a list of items, holds: arrays (dtypes, shapes, bytes), numbers, names.

    A data set of a class of its own is asked for `digest()`, text that changes when the data do, where it has that
    method; otherwise only its length counts, since anything in it may be a cache.
    """
    sha = hashlib.sha256()
    for part in parts(dataset):
        if isinstance(part, np.ndarray):
            sha.update(f"{part.dtype.str} {part.shape}".encode())
            for rows in blocks(part):
                sha.update(rows)
        else:
            sha.update(repr(part).encode())
    return sha.hexdigest()


def blocks(array: np.ndarray) -> Iterator[memoryview]:
    """The bytes of an array in row-major order, a few megabytes at a time: it may be a file that is only mapped."""
    rows = array.reshape(1) if not array.ndim else array
    count = max(2**22 // max(rows[:1].nbytes, 1), 1)
    for first in range(0, len(rows), count):
        yield np.ascontiguousarray(rows[first : first + count]).reshape(-1).view(np.uint8).data


def parts(thing: Any) -> Iterator[Any]:
    """What decides about the items of a data set, in a fixed order."""
    if isinstance(thing, (list, tuple)):
        for item in thing:
            yield from parts(item)
    elif callable(getattr(thing, "digest", None)):
        yield thing.digest()
    elif isinstance(thing, Tensor):
        yield thing.data
    elif isinstance(thing, np.ndarray) and thing.dtype.hasobject:
        yield thing.shape
        yield from parts(thing.ravel().tolist())
    elif isinstance(thing, dict):
        yield from parts(list(thing.items()))
    elif type(thing).__module__.partition(".")[0] == "minigen":
        yield type(thing).__name__
        for name, value in sorted(vars(thing).items()):
            if not name.startswith("_") and name not in WORDS:
                yield name
                yield from parts(value)
    elif isinstance(thing, (np.ndarray, np.generic, str, bytes, int, float, type(None))):
        yield thing
    else:
        yield len(thing) if hasattr(thing, "__len__") else type(thing).__name__
