"""What a run is told about its data: how many items each part has, of which shape and classes, and what was decided."""

from collections.abc import Sized
from typing import Any

import numpy as np

from minigen.data.limits import shown
from minigen.data.sequences import SequenceDataset
from minigen.data.subsets import Subset
from minigen.errors import ArgumentError

SHOWN = 10  # classes that are named in a line


def facts(**parts: Sized) -> dict[str, Any]:
    """facts(train=…, validation=…, test=…): what JSON can hold of them: name, items of each part, shape of an image,
    names of the classes, notes. Of data sets that have no such attribute, only what they have."""
    if not parts:
        raise ArgumentError("facts: no data sets; pass them by the names of their parts, train=…, test=…")
    first: Any = next(iter(parts.values()))
    while isinstance(first, (Subset, SequenceDataset)):
        first = first.dataset if isinstance(first, Subset) else first.images
    name = getattr(first, "name", None)
    found: dict[str, Any] = {"name": name.removesuffix(" train") if isinstance(name, str) else type(first).__name__}
    found["items"] = {name: len(part) for name, part in parts.items()}
    for fact, attribute, kind in (("image", "image_shape", int), ("classes", "classes", str), ("notes", "notes", str)):
        if values := listed(first, attribute, kind):
            found[fact] = values
    if isinstance(tokens := getattr(first, "tokens", None), np.ndarray):
        found["tokens"] = len(tokens)
    return found


def listed(dataset: Any, name: str, kind: type) -> list[Any]:
    """An attribute of a data set that lists something, as JSON can hold it; nothing where it is of another kind.

    Data sets of others may have attributes of these names that mean something else.
    """
    values = getattr(dataset, name, ())
    if not isinstance(values, (list, tuple, np.ndarray)):
        return []
    try:
        return [kind(value) for value in values]
    except (TypeError, ValueError):
        return []


def summary(**parts: Sized) -> str:
    """The same as a line to read: mnist: 55,000 train, 5,000 test; images 28×28×1; 10 classes: 0, 1, …"""
    found = facts(**parts)
    pieces = [", ".join(f"{count:,} {name}" for name, count in found["items"].items())]
    if "image" in found:
        pieces.append("images " + "×".join(map(str, found["image"])))
    if "classes" in found:
        names = found["classes"]
        more = ", …" if len(names) > SHOWN else ""
        pieces.append(f"{len(names):,} class{'es' * (len(names) != 1)}: {', '.join(map(shown, names[:SHOWN]))}{more}")
    if "tokens" in found:
        pieces.append(f"{found['tokens']:,} tokens")
    return f"{found['name']}: " + "; ".join([*pieces, *found.get("notes", ())])
