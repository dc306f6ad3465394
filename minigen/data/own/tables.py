"""Pictures in a table (.csv): a row for each, a column for each pixel, and one for the label, as Kaggle has them."""

import csv
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minigen.data.limits import check_memory, open_file, shown
from minigen.data.own.archives import is_square, unit_floats
from minigen.data.own.names import split_word, words
from minigen.data.own.parts import OwnData, finish
from minigen.errors import DataError

LABELS = {"label", "labels", "class", "target", "y", "digit", "letter", "character"}
IGNORED = {"id", "imageid", "image_id", "index", ""}
ROWS = 500  # that are read at once
LONGEST = 10_000_000  # characters of a line


@dataclass(frozen=True)
class Layout:
    """Which column has the label (None: no column), which have pixels, and whether the first line is a heading."""

    columns: int
    label: int | None
    pixels: list[int]
    heading: bool
    delimiter: str


def read_table(path: Path) -> OwnData:
    """The data set in a .csv file. Raises DataError that names the row and the mend."""
    return finish(path.stem, shown(path), read_rows(path), None, [])


def read_tables(root: Path, files: list[Path]) -> OwnData:
    """The data set in a folder with .csv files: one for training, and one for test if there is one with labels."""
    parts: dict[str, list[Path]] = {}
    for file in files:
        splits = {split for word in words(file.stem) if (split := split_word(word))}
        parts.setdefault(splits.pop() if len(splits) == 1 else "", []).append(file)
    train = parts.get("train") or parts.get("", [])
    if len(train) != 1:
        names = ", ".join(shown(file.name) for file in files[:5])
        raise DataError(f"{shown(root)}: holds {names}; name the one to train on train.csv, or name the file itself")
    second = parts.get("test") or parts.get("validation")
    test = read_rows(second[0]) if second else None
    notes: list[str] = []
    if second and "test" not in parts:
        notes.append("its validation part serves as the test part")
    used = [train[0], *(second or [])[:1]]
    if aside := [shown(file.name) for file in files if file not in used]:
        notes.append(f"{', '.join(aside[:5])}: left aside")
    return finish(root.name, shown(root), read_rows(train[0]), test, notes)


def read_rows(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Images (N, H, H, 1) and labels as text, or None for a table without."""
    batches = lines(path)
    first = next(batches, [])
    if not first:
        raise DataError(f"{shown(path)}: is empty; give it a row for each picture")
    layout = find_layout(first[0], path)
    pieces, labels, row = [], [], 1 + layout.heading
    for batch in itertools.chain([first[layout.heading :]], batches):
        if not batch:
            continue
        pieces.append(as_stored(numbers(batch, layout, path, row), path, row))
        if layout.label is not None:
            labels += [cells(line, layout)[layout.label].strip() for line in batch]
        row += len(batch)
        check_memory(shown(path), 2 * sum(piece.nbytes for piece in pieces), "use fewer rows")
    if not pieces:
        raise DataError(f"{shown(path)}: has a heading and no rows; give it a row for each picture")
    side = math.isqrt(len(layout.pixels))
    images = together(pieces, path).reshape(-1, side, side, 1)
    return images, None if layout.label is None else label_array(labels, path)


def lines(path: Path) -> Iterator[list[str]]:
    """The lines of a file that are not empty, ROWS at once. Raises DataError for a line that has no end."""
    with open_file(path) as file:
        batch: list[str] = []
        while raw := file.readline(LONGEST):
            if len(raw) == LONGEST:
                raise DataError(f"{shown(path)}: has a line of more than {LONGEST:,} characters; it is no table")
            if b"\0" in raw:
                raise DataError(f"{shown(path)}: has a zero byte, so that it is binary; give it a table as text")
            text = raw.decode("utf-8-sig", "replace").strip("\r\n \ufeff")
            if text:
                batch.append(text)
            if len(batch) == ROWS:
                yield batch
                batch = []
        if batch:
            yield batch


def find_layout(line: str, path: Path) -> Layout:
    """What the columns are, by the first line. Raises DataError where no number of them is a square picture."""
    delimiter = max(",;\t", key=line.count)
    names = [name.strip().lower() for name in next(csv.reader([line], delimiter=delimiter))]
    heading = any(not is_number(name) for name in names[1:]) or not (is_number(names[0]) or len(names) > 1)
    label, ignored = None, set()
    if heading:
        label = next((i for i, name in enumerate(names) if name in LABELS), None)
        ignored = {i for i, name in enumerate(names) if name in IGNORED}
    pixels = [i for i in range(len(names)) if i != label and i not in ignored]
    if label is None and not is_square(len(pixels)) and is_square(len(pixels) - 1):  # without a heading, the first
        label = pixels.pop(0)
    if len(pixels) < 16 or not is_square(len(pixels)):
        raise DataError(
            f"{shown(path)}: has {len(pixels)} columns beside the label, which are no square picture; use a column "
            "named label and one for each pixel"
        )
    return Layout(len(names), label, pixels, heading, delimiter)


def is_number(text: str) -> bool:
    """Whether a cell holds a number."""
    return re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|nan|[-+]?inf", text.strip().strip('"').lower()) is not None


def cells(line: str, layout: Layout) -> list[str]:
    """The cells of a line."""
    return next(csv.reader([line], delimiter=layout.delimiter)) if '"' in line else line.split(layout.delimiter)


def numbers(batch: list[str], layout: Layout, path: Path, row: int) -> np.ndarray:
    """The pixels of some lines, (rows, pixels) float64. Raises DataError that names the line."""
    for i, line in enumerate(batch):
        if (found := len(cells(line, layout)) if '"' in line else line.count(layout.delimiter) + 1) != layout.columns:
            raise DataError(
                f"{shown(path)}: line {row + i} has {found} columns, the first one has {layout.columns}; repair or "
                "remove it"
            )
    try:
        return np.loadtxt(
            batch,
            delimiter=layout.delimiter,
            usecols=layout.pixels,
            dtype=np.float64,
            ndmin=2,
            comments=None,
            quotechar='"',
        )
    except (ValueError, IndexError) as error:
        reason = " ".join(str(error).split())[:150]
        raise DataError(
            f"{shown(path)}: lines {row} … {row + len(batch) - 1} hold what is no number ({reason}); repair or "
            "remove it"
        ) from None


def as_stored(values: np.ndarray, path: Path, row: int) -> np.ndarray:
    """Whole numbers in 0 … 255 as uint8, others in 0 … 1 as float32. Raises DataError for any other."""
    if not np.isfinite(values).all():
        bad = row + int(np.argmin(np.isfinite(values).all(axis=1)))
        raise DataError(f"{shown(path)}: line {bad} has a pixel that is NaN, infinite or missing; repair or remove it")
    low, high = values.min(), values.max()
    if low < 0 or high > 255:
        raise DataError(f"{shown(path)}: pixels run from {low:g} to {high:g}; use whole numbers in 0 … 255")
    whole = bool((values == np.floor(values)).all())
    return values.astype(np.uint8) if whole else values.astype(np.float32)


def together(pieces: list[np.ndarray], path: Path) -> np.ndarray:
    """All rows: uint8 if they are whole numbers beyond 0 and 1, else float32 in 0 … 1."""
    whole = all(piece.dtype == np.uint8 for piece in pieces)
    images = np.concatenate(pieces)
    if whole and images.max() > 1:
        return images
    return unit_floats(images.astype(np.float32), shown(path))


def label_array(labels: list[str], path: Path) -> np.ndarray:
    """Labels as whole numbers if all are, else as the text that they are."""
    if "" in labels:
        raise DataError(f"{shown(path)}: row {labels.index('') + 1} has no label; repair or remove it")
    if max(map(len, labels)) > 100:
        raise DataError(f"{shown(path)}: has labels of more than 100 characters; name the classes in short")
    if all(re.fullmatch(r"[-+]?\d{1,18}(\.0*)?", label) for label in labels):
        return np.array([int(label.split(".")[0]) for label in labels], np.int64)
    return np.array(labels)
