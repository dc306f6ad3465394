"""What stands in the query of an address, as numbers and names within bounds; and whether anybody still waits."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import TypeVar

import numpy as np

from minigen.errors import ArgumentError, RunError

T = TypeVar("T")
Query = Mapping[str, str]
waiting: ContextVar[Callable[[], bool]] = ContextVar("waiting", default=lambda: True)


def check_wanted() -> None:
    """Raises RunError when nobody waits for the answer any more."""
    if not waiting.get()():
        raise RunError("nobody waits for this any more")


def while_wanted(items: Iterable[T]) -> Iterator[T]:
    """The items of what takes long, as long as somebody waits. Raises RunError."""
    for item in items:
        check_wanted()
        yield item


def number(query: Query, name: str, default: float, low: float, high: float) -> float:
    """A number from low to high. Raises ArgumentError."""
    text = query.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise ArgumentError(f"{name} is {text!r}; use a number from {low:g} to {high:g}")
    return value


def whole(query: Query, name: str, default: int, low: int, high: int) -> int:
    """A whole number from low to high. Raises ArgumentError."""
    value = number(query, name, default, low, high)
    if value != int(value):
        raise ArgumentError(f"{name} is {value}; use a whole number")
    return int(value)


def numbers(query: Query, name: str, count: int, bound: float) -> np.ndarray | None:
    """So many numbers with commas between, none beyond ±bound, float32 (count,); None where the name is missing."""
    if name not in query:
        return None
    try:
        values = np.array([float(part) for part in query[name].split(",")], np.float32)
    except ValueError:
        values = np.array([math.nan])
    if values.shape != (count,) or not (np.abs(values) <= bound).all():
        raise ArgumentError(f"{name}: use {count} numbers from {-bound:g} to {bound:g}, with commas between")
    return values


def one_of(query: Query, name: str, choices: tuple[str, ...]) -> str:
    """One of the choices, the first where the name is missing. Raises ArgumentError."""
    value = query.get(name) or choices[0]
    if value not in choices:
        raise ArgumentError(f"{name} is {value!r}; use {', '.join(choices)}")
    return value
