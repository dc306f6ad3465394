"""What may stand in a question: fields with types, limits and defaults, read from a model's own `Request`.

As on the command line, nothing is declared twice: a field's type says what its value must be, and the comment on its
line says what it means. What is added here is how much may be asked for at once.
"""

import dataclasses
import difflib
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from minigen.checks import finite, shown
from minigen.errors import ArgumentError
from minigen.flags import field_comments, without_none

LONGEST = 2000  # characters of a text
LARGEST = 10**6  # of a number, either way, that has no limits of its own
LIMITS: dict[str, tuple[float, float]] = {
    "steps": (1, 1000),
    "beam": (1, 8),
    "guidance": (-100, 100),
    "temperature": (0, 100),
    "top_k": (1, LARGEST),
    "top_p": (0, 1),
}
WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false"}


class Readable(Protocol):
    """What all fields have."""

    def about(self) -> dict[str, Any]:
        """The field as it is told to those who ask."""
        ...

    def read(self, value: Any) -> Any:
        """What stands in a question, checked; None: nothing does. Raises MinigenError, which names the field."""
        ...


@dataclass(frozen=True)
class Field:
    """A number or a text. `kind` is int, float, str or bool; `default` counts where the field is missing or null.

    `low`, `high`: of a number. `choices`: what a text may be, where it may not be any.
    """

    name: str
    kind: type
    default: Any
    what: str
    low: float = -LARGEST
    high: float = LARGEST
    choices: tuple[str, ...] = ()

    def about(self) -> dict[str, Any]:
        """The field as it is told to those who ask."""
        found: dict[str, Any] = {"type": WORDS[self.kind], "default": self.default, "what": self.what}
        if self.choices:
            return found | {"choices": self.choices}
        if self.kind in (int, float):
            return found | {"from": self.low, "to": self.high}
        return found | ({"longest": LONGEST} if self.kind is str else {})

    def read(self, value: Any) -> Any:
        """The value in its type. Raises ArgumentError."""
        if value is None:
            return self.default
        if self.kind is bool:
            good, mend = isinstance(value, bool), "true or false"
        elif self.choices:
            good, mend = value in self.choices, ", ".join(self.choices)
        elif self.kind is str:
            good, mend = isinstance(value, str), "a text"
            if good and len(value) > LONGEST:
                raise ArgumentError(f"{self.name} has {len(value):,} characters; use {LONGEST:,} at most")
            if good and any("\ud800" <= letter <= "\udfff" for letter in value):
                raise ArgumentError(f"{self.name} has half a surrogate pair, which is no character; remove it")
        else:
            mend = f"a {WORDS[self.kind]} from {self.low:,} to {self.high:,}"
            number = finite(value)
            good = number is not None and self.low <= number <= self.high
            good = good and (self.kind is float or isinstance(value, int))
        if not good:
            raise ArgumentError(f"{self.name} is {shown(value)}; use {mend}")
        return self.kind(value)


class ClassField(Field):
    """A class, by name, or by number."""

    def read(self, value: Any) -> Any:
        """The name."""
        numbered = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(self.choices)
        return super().read(self.choices[value] if numbered else value)


def fields_of(request: type, left_out: tuple[str, ...] = (), **more: Field) -> dict[str, Field]:
    """The fields of a dataclass by their names in a question (`class_` is "class"), and `more` behind them.

    n, of which there is no end, may be four times what the command line gives by itself, and 100 at least.
    """
    hints, comments = typing.get_type_hints(request), field_comments(request)
    found: dict[str, Field] = {}
    for field in dataclasses.fields(request):
        kind, name = without_none(hints[field.name]), field.name.rstrip("_")
        if field.name in left_out:
            continue
        choices = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()
        low, high = LIMITS.get(field.name, (-LARGEST, LARGEST))
        if field.name == "n":
            low, high = 1, max(4 * int(typing.cast(int, field.default)), 100)
        what = comments.get(field.name, "")
        found[name] = Field(name, str if choices else kind, field.default, what, low, high, choices)
    return found | more


def read_fields(fields: Mapping[str, Readable], given: Any) -> dict[str, Any]:
    """The values of a question by name, defaults where it gives none. Raises ArgumentError for what is unknown."""
    if not isinstance(given, dict):
        raise ArgumentError(f"a question is a JSON object, such as {{}}, and not {shown(given)}")
    for name in given:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 1, 0.7)
            mend = f"did you mean {near[0]}?" if near else f"known are {', '.join(fields)}"
            raise ArgumentError(f"there is no field {shown(name)} here; {mend}")
    return {name: field.read(given.get(name)) for name, field in fields.items()}


def checked_finite(values: list[float]) -> list[float]:
    """Six digits of each. Raises ArithmeticError for what is no number, which JSON can not say."""
    if not all(map(math.isfinite, values)):
        raise ArithmeticError("the model gives numbers that are not finite")
    return [round(value, 6) for value in values]
