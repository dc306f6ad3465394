"""What a run is told about its data: how many items each part has, of which shape and classes, and what was decided."""

from collections.abc import Sized
from typing import Any

from minigen.data.sequences import SequenceDataset
from minigen.data.subsets import Subset

SHOWN = 10  # classes that are named in a line


def facts(**parts: Sized) -> dict[str, Any]:
    """facts(train=…, validation=…, test=…): what JSON can hold of them: name, items of each part, shape of an image,
    names of the classes, notes. Of data sets that have no such attribute, only what they have."""
    first: Any = next(iter(parts.values()))
    while isinstance(first, (Subset, SequenceDataset)):
        first = first.dataset if isinstance(first, Subset) else first.images
    found: dict[str, Any] = {"name": str(getattr(first, "name", type(first).__name__)).removesuffix(" train")}
    found["items"] = {name: len(part) for name, part in parts.items()}
    if hasattr(first, "image_shape"):
        found["image"] = [int(side) for side in first.image_shape]
    if getattr(first, "classes", ()):
        found["classes"] = list(first.classes)
    if hasattr(first, "tokens"):
        found["tokens"] = len(first.tokens)
    if getattr(first, "notes", ()):
        found["notes"] = list(first.notes)
    return found


def summary(**parts: Sized) -> str:
    """The same as a line to read: mnist: 55,000 train, 5,000 test; images 28×28×1; 10 classes: 0, 1, …"""
    found = facts(**parts)
    pieces = [", ".join(f"{count:,} {name}" for name, count in found["items"].items())]
    if "image" in found:
        pieces.append("images " + "×".join(map(str, found["image"])))
    if "classes" in found:
        names = found["classes"]
        more = ", …" if len(names) > SHOWN else ""
        pieces.append(f"{len(names):,} classes: {', '.join(names[:SHOWN])}{more}")
    if "tokens" in found:
        pieces.append(f"{found['tokens']:,} tokens")
    return f"{found['name']}: " + "; ".join([*pieces, *found.get("notes", ())])
