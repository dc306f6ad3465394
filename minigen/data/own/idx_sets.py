"""Folders of IDX files: MNIST's own, torchvision's (MNIST/raw), EMNIST's, whose pictures lie on their side.

G. Cohen, S. Afshar, J. Tapson, A. van Schaik (2017), EMNIST: an extension of MNIST to handwritten letters
(arXiv:1702.05373).
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from minigen.data import idx
from minigen.data.limits import is_file, read_bytes, shown
from minigen.data.own.folders import walk
from minigen.data.own.parts import OwnData, finish
from minigen.errors import DataError

NAME = re.compile(r"(?:(.+?)[-_])??(train|t10k|test)-images[-.]idx3-ubyte(?:\.gz)?")
DEEPEST = 3


@dataclass(frozen=True)
class IdxSet:
    """The files of one set: their folder, what their names begin with, and {split: the word that names it}."""

    folder: Path
    prefix: str
    splits: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """How it can be named in a path."""
        return self.prefix or self.folder.name


def idx_sets(root: Path) -> list[IdxSet]:
    """All sets of IDX files in a folder and up to three below it."""
    found: dict[tuple[Path, str], dict[str, str]] = {}
    for folder, names, parents in walk(root, (), set()):
        if len(parents) > DEEPEST:
            continue
        for name in names:
            if match := NAME.fullmatch(name):
                splits = found.setdefault((folder, match[1] or ""), {})
                splits["train" if match[2] == "train" else "test"] = match[2]
    return [IdxSet(folder, prefix, tuple(splits.items())) for (folder, prefix), splits in found.items()]


def named_set(path: Path) -> IdxSet | None:
    """The set that a path such as gzip/emnist-letters names: a folder, and what the names of its files begin with."""
    same = [found for found in idx_sets(path.parent) if found.folder == path.parent and found.prefix == path.name]
    return same[0] if same else None


def read_idx(root: Path, sets: list[IdxSet]) -> OwnData:
    """The data set in a folder with one set of IDX files. Raises DataError for several, or files that do not fit."""
    if len(sets) > 1:
        paths = ", ".join(shown(found.folder / found.prefix) for found in sets[:8])
        raise DataError(f"{shown(root)}: holds {len(sets)} sets of IDX files; name one of them: {paths}")
    (found,) = sets
    splits = dict(found.splits)
    if "train" not in splits:
        raise DataError(
            f"{shown(found.folder)}: has no file of training images ({found.prefix or 'train'}-images-…); add it"
        )
    notes: list[str] = []
    arrays = {split: read_split(found, word) for split, word in splits.items()}
    if found.prefix.lower().startswith("emnist"):
        notes.append("its pictures are turned upright")
        arrays = {split: (images.transpose(0, 2, 1, 3), labels) for split, (images, labels) in arrays.items()}
    name = root.name if not found.prefix else found.prefix
    own = finish(name, shown(found.folder), arrays["train"], arrays.get("test"), notes)
    return replace(own, classes=mapped(own.classes, found.folder / f"{found.prefix}-mapping.txt"))


def read_split(found: IdxSet, word: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, H, W, 1) uint8 and labels (N,) of one split."""
    arrays = []
    for kind, ndim in (("images-idx3", 3), ("labels-idx1", 1)):
        name = f"{found.prefix}-{word}-{kind}-ubyte".removeprefix("-")
        path = idx.find(found.folder, name) or found.folder / f"{name}.gz"
        array = idx.read(path)
        if array.ndim != ndim or array.dtype != np.uint8 or 0 in array.shape:
            raise DataError(
                f"{shown(path)}: holds {array.dtype} {array.shape}, expected uint8 with {ndim} axes, none of them 0; "
                f"{idx.MEND}"
            )
        arrays.append(array)
    images, labels = arrays
    idx.check_pair(images, labels, found.folder, word)
    return images[..., np.newaxis], labels


def mapped(classes: tuple[str, ...], mapping: Path) -> tuple[str, ...]:
    """The classes by the characters that a mapping file of EMNIST's gives them: lines of label and code points."""
    if not is_file(mapping):
        return classes
    names = {}
    for line in read_bytes(mapping)[:100_000].decode("ascii", "replace").splitlines():
        numbers = line.split()
        if len(numbers) >= 2 and all(re.fullmatch(r"\d{1,6}", number) for number in numbers):
            names[numbers[0]] = chr(int(numbers[1]))
    return tuple(names.get(name, name) for name in classes)
