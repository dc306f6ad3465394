"""Pairs of texts made on the spot, without limit: dates in many forms and their ISO form, sums and their results.

Every tenth date, and every tenth pair of numbers, is never made for training: those are to translate unseen.
"""

import datetime
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from minigen.errors import DataError

Task = Literal["dates", "sums"]
PAD, END = 0, 1  # nothing follows; the text is over, which is also what a translation begins with
FIRST, LAST = datetime.date(1900, 1, 1).toordinal(), datetime.date(2099, 12, 31).toordinal()
DIGITS = 3  # of a number in a sum, at most


class Kind(NamedTuple):
    """What a task is made of: characters of both sides, and the longest text of each."""

    characters: str
    source: int
    target: int


KINDS: dict[Task, Kind] = {
    "dates": Kind(" ,-./0123456789abcdefghijklmnopqrstuvwxyz", 34, 10),
    "sums": Kind("+0123456789", 2 * DIGITS + 1, DIGITS + 1),
}


def ending(day: int) -> str:
    """st, nd, rd or th."""
    return "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


# Of numbers alone, those with slashes begin with the month, those with dots with the day.
FORMS: tuple[Callable[[datetime.date], str], ...] = (
    lambda d: f"{d:%B} {d.day}, {d.year}",
    lambda d: f"{d:%b} {d.day}, {d.year}",
    lambda d: f"{d.day} {d:%B} {d.year}",
    lambda d: f"{d.day}. {d:%b} {d.year}",
    lambda d: f"{d:%A}, {d.day} {d:%B} {d.year}",
    lambda d: f"{d:%a} {d.day} {d:%b} {d.year}",
    lambda d: f"{d:%A}, {d:%B} {d.day}, {d.year}",
    lambda d: f"the {d.day}{ending(d.day)} of {d:%B} {d.year}",
    lambda d: f"{d:%B} {d.day}{ending(d.day)}, {d.year}",
    lambda d: f"{d.day:02}-{d:%b}-{d.year}",
    lambda d: f"{d.month}/{d.day}/{d.year}",
    lambda d: f"{d.month:02}/{d.day:02}/{d.year}",
    lambda d: f"{d.day}.{d.month}.{d.year}",
    lambda d: f"{d.day:02}.{d.month:02}.{d.year}",
    lambda d: f"{d.year}/{d.month}/{d.day}",
    lambda d: f"{d.year}{d.month:02}{d.day:02}",
)


def is_unseen(number: int) -> bool:
    """Whether what this number stands for is kept from training: one in ten, without any order."""
    return number * 2_654_435_761 % 2**32 // 64 % 10 == 0


def date(rng: np.random.Generator, unseen: bool) -> tuple[str, str]:
    """A date in one of the forms, in small letters, and its ISO form."""
    while is_unseen(ordinal := int(rng.integers(FIRST, LAST + 1))) != unseen:
        pass
    day = datetime.date.fromordinal(ordinal)
    return FORMS[rng.integers(len(FORMS))](day).lower(), day.isoformat()


def total(rng: np.random.Generator, unseen: bool) -> tuple[str, str]:
    """A sum of two numbers, and what it is."""
    while True:
        a, b = (int(rng.integers(10 ** int(digits))) for digits in rng.integers(1, DIGITS + 1, 2))
        if is_unseen(a * 10**DIGITS + b) == unseen:
            return f"{a}+{b}", str(a + b)


MAKERS: dict[Task, Callable[[np.random.Generator, bool], tuple[str, str]]] = {"dates": date, "sums": total}


class Phrases:
    """Pairs by their number, (source ids (S,), target ids (T,)), the same ones for a seed; a data set of `length`."""

    def __init__(self, task: Task, length: int, seed: int, unseen: bool) -> None:
        self.task: Task = task
        self.length, self.seed, self.unseen = length, seed, unseen
        self.name = f"{task}, made on the spot"

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return tuple(array[0] for array in self.batch(np.array([index])))

    def digest(self) -> str:
        """What decides the pairs."""
        return f"{self.task} {self.seed} {self.unseen}"

    def texts(self, index: int) -> tuple[str, str]:
        """A pair as texts."""
        return MAKERS[self.task](np.random.default_rng([self.seed, int(self.unseen), index]), self.unseen)

    def batch(self, rows: np.ndarray | slice) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (N, S) and (N, T), each text ended and filled up."""
        numbers = np.arange(self.length)[rows] if isinstance(rows, slice) else rows
        pairs = [self.texts(int(i)) for i in numbers]
        kind = KINDS[self.task]
        return (
            np.stack([encode(source, self.task, kind.source) for source, _ in pairs]),
            np.stack([encode(target, self.task, kind.target) for _, target in pairs]),
        )


def encode(text: str, task: Task, length: int) -> np.ndarray:
    """The ids of a text, ended and filled up to (length + 1,). Raises DataError for what is too long or unknown."""
    characters = KINDS[task].characters
    unknown = sorted(set(text.lower()) - set(characters))
    if unknown:
        raise DataError(f"{text!r} holds {unknown[0]!r}, which {task} have not; they are written in {characters!r}")
    if len(text) > length:
        raise DataError(f"{text!r} has {len(text)} characters, and {task} have at most {length}; shorten it")
    ids = np.full(length + 1, PAD)
    ids[: len(text)] = [characters.index(character) + 2 for character in text.lower()]
    ids[len(text)] = END
    return ids


def decode(ids: np.ndarray, task: Task) -> str:
    """The text before its end."""
    characters, text = KINDS[task].characters, ""
    for i in ids:
        if i in (PAD, END):
            break
        text += characters[i - 2]
    return text
