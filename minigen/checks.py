"""Checks of options, so that every part complains in the same words and no number is compared before it is one.

Each takes the name of the operation and of its option, gives the value in its proper type, or raises ArgumentError.
"""

import math
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minigen.errors import ArgumentError, CheckpointError


def check_number(
    operation: str,
    name: str,
    value: Any,
    low: float = -math.inf,
    below: float = math.inf,
    *,
    above: float = -math.inf,
    high: float = math.inf,
) -> float:
    """A finite number with low ≤ value < below, and above < value ≤ high, as a float."""
    number = finite(value)
    if number is not None and low <= number <= high and above < number < below:
        return number
    limits = [
        f" from {low:g}" if low > -math.inf else "",
        f" above {above:g}" if above > -math.inf else "",
        f" to {high:g}" if high < math.inf else "",
        f", below {below:g}" if below < math.inf else "",
    ]
    raise ArgumentError(f"{operation}: {name} is {shown(value)}; use a finite number{''.join(limits)}")


def is_number(value: Any) -> bool:
    """Whether `value` is a real number of Python or NumPy; booleans and arrays are none."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def finite(value: Any) -> float | None:
    """`value` as a float; None when it is no finite number."""
    try:
        number = float(value) if is_number(value) else math.inf
    except OverflowError:  # of a huge int
        number = math.inf
    return number if math.isfinite(number) else None


def shown(value: Any) -> str:
    """`value` as it stands in messages, cut when it is endless (Python refuses to print the largest ints)."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a number of {value.bit_length()} bits"
    if shape := getattr(value, "shape", ()):
        return f"an array of shape {shape}"
    return " ".join(repr(value)[:200].split())[:100]


def check_choice(operation: str, name: str, value: Any, choices: Collection[str]) -> str:
    """One of some words."""
    if not isinstance(value, str) or value not in choices:
        *most, last = map(repr, choices)
        raise ArgumentError(f"{operation}: {name} is {shown(value)}; use {', '.join(most)} or {last}")
    return value


def check_count(operation: str, name: str, value: Any, low: int = 1) -> int:
    """A whole number ≥ low."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
        raise ArgumentError(f"{operation}: {name} is {shown(value)}; use a whole number ≥ {low}")
    return int(value)


def check_whole(operation: str, name: str, value: Any) -> int:
    """A whole number of either sign."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ArgumentError(f"{operation}: {name} is {shown(value)}; use a whole number")
    return int(value)


def check_callable(operation: str, f: Any) -> None:
    """ArgumentError unless `f` can be called."""
    if not callable(f):
        raise ArgumentError(f"{operation}: f is {shown(f)}; pass a function, or a module")


def check_flag(operation: str, name: str, value: Any) -> bool:
    """True or False, of Python or NumPy; 1 and 0 count as such."""
    if not isinstance(value, (bool, np.bool_, int)) or value not in (0, 1):
        raise ArgumentError(f"{operation}: {name} is {shown(value)}; use True or False")
    return bool(value)


def check_path(operation: str, path: Any) -> Path:
    """The path of a file or folder, as text or as a path object."""
    if not isinstance(path, (str, os.PathLike)) or "\0" in os.fspath(path):
        raise ArgumentError(f"{operation}: the path is {shown(path)}; pass the name of a file or folder")
    return Path(path)


def check_pair(operation: str, name: str, value: Any, low: int = 1) -> tuple[int, int]:
    """One whole number ≥ low, meant for both, or a pair of them for height and width."""
    height, width = check_lengths(operation, name, value, 2, low)
    return height, width


LENGTHS = {1: "one number", 2: "one number or a pair (height, width)", 3: "one number or three (depth, height, width)"}


def check_lengths(operation: str, name: str, value: Any, axes: int, low: int = 1) -> tuple[int, ...]:
    """One whole number ≥ low, meant for each of 1, 2 or 3 axes, or as many of them as there are axes."""
    several = tuple(value) if isinstance(value, (tuple, list)) else (value,) * axes
    if len(several) != axes:
        raise ArgumentError(f"{operation}: {name} is {shown(value)}; use {LENGTHS[axes]}")
    return tuple([check_count(operation, name, number, low) for number in several])


def check_items(
    operation: str, name: str, values: Iterable[Any], kind: type | tuple[type, ...], mend: str
) -> list[Any]:
    """Several things, each a `kind`, as a list; `mend` says what to pass instead."""
    try:
        items = list(values)
    except TypeError:
        raise ArgumentError(f"{operation}: {name} is {type(values).__name__}; {mend}") from None
    for i, item in enumerate(items):
        if not isinstance(item, kind):
            raise ArgumentError(f"{operation}: item {i} of {name} is {type(item).__name__}; {mend}")
    return items


def check_state(operation: str, state: Any, expected: Collection[str]) -> None:
    """CheckpointError unless `state`, from a state_dict(), has just the `expected` names."""
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{operation}: the saved state is {type(state).__name__}; pass the dict of state_dict()")
    if set(state) != set(expected):
        missing, unknown = set(expected) - set(state), map(str, set(state) - set(expected))
        raise CheckpointError(
            f"{operation}: the saved state lacks {sorted(missing)} and has {sorted(unknown)}, which is not expected"
        )


def check_saved(operation: str, name: str, found: Any, expected: np.ndarray) -> None:
    """CheckpointError unless the saved array `found` has the shape and dtype of `expected`."""
    if not isinstance(found, np.ndarray):
        raise CheckpointError(f"{operation}: saved {name} is {type(found).__name__}, expected an array")
    if found.shape != expected.shape or found.dtype != expected.dtype:
        raise CheckpointError(
            f"{operation}: saved {name} is {found.dtype} {found.shape}, expected {expected.dtype} {expected.shape}"
        )
