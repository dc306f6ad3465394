"""What every reader of own data gives: the two parts of a data set, its classes, and what is to be said about it."""

from dataclasses import dataclass

import numpy as np

from minigen import random
from minigen.data.limits import check_memory
from minigen.errors import DataError

TEST_FRACTION = 0.1
SEED = 0  # of the share that is split off where data brings no test part


@dataclass(frozen=True)
class Part:
    """images (N, H, W, C), uint8 or float32, and labels (N,) int64, or None."""

    images: np.ndarray
    labels: np.ndarray | None

    def rows(self, chosen: np.ndarray) -> "Part":
        """Some of the rows, copied."""
        return Part(self.images[chosen], None if self.labels is None else self.labels[chosen])


def joined(first: Part, second: Part) -> Part:
    """Both parts, behind each other; with labels if both have them."""
    images = np.concatenate([first.images, second.images])
    if first.labels is None or second.labels is None:
        return Part(images, None)
    return Part(images, np.concatenate([first.labels, second.labels]))


@dataclass(frozen=True)
class OwnData:
    """A data set, decided: both parts have images of one shape and dtype, and labels by the same classes, or none.

    first: all of it, or, where data brings a test part of its own, `second`, what is to be trained on.
    """

    name: str
    first: Part
    second: Part | None
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def part(self, split: str | None) -> Part:
        """ "train", "test", or for None everything, train first. Raises DataError for one image, which has no parts."""
        if self.second is not None and split is not None:
            return self.first if split == "train" else self.second
        if self.second is not None:
            return joined(self.first, self.second)
        if split is None:
            return self.first
        rows = held_rows(self.first.labels, len(self.first.images), self.name)
        return self.first.rows(rows if split == "test" else ~rows)


def number_labels(
    train: np.ndarray | None, test: np.ndarray | None, name: str, notes: list[str]
) -> tuple[np.ndarray | None, np.ndarray | None, tuple[str, ...]]:
    """Labels of both parts, numbers or strings, as int64 from 0 and the names of the classes.

    Numbers from 0 that leave few gaps stay as they are; others and strings are numbered in their order, which is said.
    Raises DataError for labels that are negative, or no whole numbers, or of test alone.
    """
    if train is None:
        return None, None, ()
    both = [part for part in (train, test) if part is not None]
    both = [whole_labels(part, name) for part in both]
    values, counts = np.unique(np.concatenate(both), return_counts=True)
    if values.dtype.kind == "U":
        classes = tuple(map(str, values))
    else:
        if values[0] < 0:
            raise DataError(f"{name}: label {values[0]} is negative; number the classes from 0")
        if int(values[-1]) < 2 * len(values) + 10:
            values = np.arange(int(values[-1]) + 1)
        else:
            notes.append(
                f"its {len(values):,} labels, {values[0]} … {values[-1]}, are numbered 0 … {len(values) - 1:,}"
            )
        classes = tuple(map(str, values.tolist()))
    if len(classes) > 1000 and len(classes) > counts.sum() // 2:
        raise DataError(
            f"{name}: has {len(classes):,} different labels for {counts.sum():,} images; they look like no classes, "
            "give one label of few for each image"
        )
    numbered = [np.searchsorted(values, part).astype(np.int64) for part in both]
    return numbered[0], numbered[1] if test is not None else None, classes


def whole_labels(labels: np.ndarray, name: str) -> np.ndarray:
    """Labels (N,) as int64 or strings; (N, 1) and one-hot rows are brought to it."""
    shape = labels.shape
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and labels.dtype.kind in "buif" and is_one_hot(labels):
        labels = labels.argmax(axis=1)
    if labels.ndim != 1:
        raise DataError(f"{name}: labels are {labels.dtype} {shape}; use one whole number or name an image")
    if labels.dtype.kind == "S":
        return np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind == "U":
        return labels
    if labels.dtype.kind == "f":
        if not np.isfinite(labels).all() or (labels != np.floor(labels)).any() or (np.abs(labels) > 2**53).any():
            raise DataError(f"{name}: labels are {labels.dtype} with fractions or NaN; use one whole number an image")
    elif labels.dtype.kind not in "bui":
        raise DataError(f"{name}: labels are {labels.dtype} {shape}; use one whole number or name an image")
    if labels.dtype == np.uint64 and labels.size and labels.max() > 2**63 - 1:
        raise DataError(f"{name}: label {labels.max()} is too large; number the classes from 0")
    return labels.astype(np.int64)


def is_one_hot(rows: np.ndarray) -> bool:
    """Whether each row has one 1 and zeros."""
    return bool(((rows == 1).sum(axis=1) == 1).all() and ((rows != 0).sum(axis=1) == 1).all())


def held_rows(labels: np.ndarray | None, count: int, name: str) -> np.ndarray:
    """Whether each row is held for the test part, (count,): a seeded tenth of every class, at least one in all."""
    if count < 2:
        raise DataError(f"{name}: has {count} image, which can not be split into train and test; add images")
    rng = random.generator(SEED)
    groups = [np.arange(count)] if labels is None else [np.flatnonzero(labels == label) for label in np.unique(labels)]
    chosen = [rng.permutation(rows)[: round(len(rows) * TEST_FRACTION)] for rows in groups]
    test = np.zeros(count, bool)
    test[np.concatenate(chosen)] = True
    if not test.any():
        test[max(groups, key=len)[-1]] = True
    return test


SPLIT_NOTE = "it has no test part: a seeded tenth of every class is split off for it"


def finish(
    name: str,
    source: str,
    train: tuple[np.ndarray, np.ndarray | None],
    test: tuple[np.ndarray, np.ndarray | None] | None,
    notes: list[str],
) -> OwnData:
    """The decided data set of checked images (N, H, W, C) and raw labels; source: its path, for errors.

    Raises DataError where both do not fit.
    """
    images, labels = train
    notes = list(notes)
    if test is not None:
        check_alike(images, test[0], source)
        if labels is None or test[1] is None:
            if labels is not None:
                notes.append("its test part has no labels and is left aside")
                test = None
            else:
                test = (test[0], None)
    first, second, classes = number_labels(labels, None if test is None else test[1], source, notes)
    if test is not None:
        return OwnData(name, Part(images, first), Part(test[0], second), classes, tuple(notes))
    check_memory(f"{source}: images", 2 * images.nbytes, "use fewer or smaller images")  # as they are split by copying
    return OwnData(name, Part(images, first), None, classes, (*notes, SPLIT_NOTE))


def check_alike(train: np.ndarray, test: np.ndarray, name: str) -> None:
    """Raises DataError when the images of both parts differ in shape or kind."""
    if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
        shapes = [f"{images.dtype} {images.shape[1:]}" for images in (train, test)]
        raise DataError(
            f"{name}: images of train are {shapes[0]}, those of test {shapes[1]}; bring both to one size and kind"
        )
