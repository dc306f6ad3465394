"""What may be searched, and between which values: from the types of a recipe's fields, or as the command line says.

lr=1e-4:1e-2:log     a number between two, whose logarithm is drawn evenly
depth=1:4            a whole number from 1 to 4, where the field is one
hidden=128,256,512   one of these
"""

import argparse
import dataclasses
import math
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from minigen import flags
from minigen.errors import ArgumentError
from minigen.flags import written

# Never searched unless --over says so: the data and what is asked of them, as figures of two tasks do not compare; the
# terms in which a figure is told; and how long a training takes.
DATA = {"data", "other", "text", "ratings", "tunes", "size", "counts", "vocabulary", "shortest", "longest", "window"}
TASK = {"task", "change", "source", "by", "tokens", "conditional", "digits", "side", "known", "unknown", "masked"}
TERMS = {"likelihood", "binarization", "prediction", "noise", "noise_steps", "negatives", "subsample", "power", "x_max"}
TIME = {"epochs", "steps", "max_steps", "every", "updates", "repeats", "samples", "patience", "annealing_steps"}
LEFT = DATA | TASK | TERMS | TIME | {"seed"}
TRIES = 20  # other settings with which a value is tried before it counts as refused
FORM = "write NAME=LOW:HIGH, NAME=LOW:HIGH:log or NAME=A,B,C"


@dataclasses.dataclass(frozen=True)
class Choices:
    """One of some values."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return ",".join(map(written, self.values))

    @property
    def ends(self) -> tuple[Any, ...]:
        """What a recipe must be able to take."""
        return self.values

    def draw(self, rng: np.random.Generator) -> Any:
        """One of them."""
        return self.values[rng.integers(len(self.values))]


@dataclasses.dataclass(frozen=True)
class Range:
    """A number from low to high, both included; `log`: its logarithm is drawn evenly; `whole`: without a fraction."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __str__(self) -> str:
        return f"{written(self.low)}:{written(self.high)}" + ":log" * self.log

    @property
    def ends(self) -> tuple[Any, ...]:
        """What a recipe must be able to take."""
        return self.low, self.high

    def draw(self, rng: np.random.Generator) -> Any:
        """A number, drawn evenly."""
        if self.log:
            return self.rounded(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))
        return self.rounded(rng.uniform(self.low, self.high))

    def rounded(self, value: float) -> Any:
        """A number of the range with three digits, so that a command which is copied trains the same."""
        value = round(value) if self.whole else float(f"{value:.3g}")
        return min(max(value, self.low), self.high)


Space = Mapping[str, Choices | Range]


def space_of(base: Any, fixed: Iterable[str], over: Sequence[str]) -> Space:
    """The ranges: of `over` alone where there are some, otherwise those that the recipe's types give.

    base: a recipe with all that is fixed; fixed: the names of fields that the user gave. Raises ArgumentError.
    """
    fixed = set(fixed)
    if not over:
        found = {name: one for name, one in defaults(base).items() if name not in fixed}
        if not found:
            raise ArgumentError(f"search: nothing is left to search; say what with --over: {FORM}")
        return found
    found: dict[str, Choices | Range] = {}
    for text in over:
        name, one = parsed(type(base), text)
        if name in found:
            raise ArgumentError(f"--over {text}: {name} is there twice; give one range")
        if name in fixed:
            raise ArgumentError(f"--over {text}: {flags.flag_of(name)} fixes it for all trials; leave out one of both")
        found[name] = one
    for name, one in found.items():
        for value in one.ends:
            check_possible(base, found, name, value)
    return found


# ---------------------------------------------------------------- as the command line says


def parsed(kind: type, text: str) -> tuple[str, Choices | Range]:
    """One --over: the field of the recipe `kind`, and its values. Raises ArgumentError that says what is wrong."""
    spelled, equals, values = text.partition("=")
    fields = {flags.flag_of(field.name).lstrip("-"): field.name for field in dataclasses.fields(kind)}
    name = fields.get(spelled.lstrip("-").replace("_", "-"))
    if not equals or not values:
        raise ArgumentError(f"--over {text}: {FORM}")
    if name is None:
        near = flags.suggestion(spelled, fields) or f"; it has {', '.join(fields)}"
        raise ArgumentError(f"--over {text}: the recipe has no {spelled}{near}")
    read = reader(kind, name)
    try:
        if "," not in values and ":" in values:
            return name, range_of(read, values.split(":"))
        choices = tuple(read(value) for value in values.split(","))
        if len(choices) < 2 or len(set(map(written, choices))) < len(choices):
            raise ArgumentError("give two or more different values; a flag of the recipe fixes one")
    except (ArgumentError, argparse.ArgumentTypeError) as error:
        raise ArgumentError(f"--over {text}: {error}") from None
    return name, Choices(choices)


def range_of(read: Callable[[str], Any], parts: list[str]) -> Range:
    """LOW:HIGH or LOW:HIGH:log."""
    log = parts[2:] == ["log"]
    if len(parts) != 2 + log:
        raise ArgumentError(FORM)
    low, high = map(read, parts[:2])
    for end in (low, high):
        if isinstance(end, (bool, str)) or end is None or not math.isfinite(end):
            raise ArgumentError(f"{written(end)} is no end of a range; put commas between values")
    if low >= high:
        raise ArgumentError(f"{written(low)} is not below {written(high)}")
    if log and low <= 0:
        raise ArgumentError(f"a range that is drawn by its logarithm begins above 0, not at {written(low)}")
    return Range(low, high, log, isinstance(low, int))


def reader(kind: type, name: str) -> Callable[[str], Any]:
    """What makes a value of a recipe's field of its text. Raises ArgumentError, or ArgumentTypeError."""
    hint = typing.get_type_hints(kind)[name]
    bare = flags.without_none(hint)
    options: dict[str, Any] = {} if bare is hint else {"none": None}
    if bare is bool:
        options |= {"yes": True, "no": False}
    if typing.get_origin(bare) is typing.Literal:
        options |= {str(value): value for value in typing.get_args(bare)}
    closed = bare is bool or typing.get_origin(bare) is typing.Literal

    def read(text: str) -> Any:
        if text in options:
            return options[text]
        if closed:
            raise ArgumentError(f"{text!r} is none of {', '.join(options)}")
        return flags.converter(bare)(text)

    return read


def check_possible(base: Any, space: Space, name: str, value: Any) -> None:
    """Raise ArgumentError when the recipe refuses this value, whatever others of the space go with it."""
    rng, problem = np.random.default_rng(0), None
    for _ in range(TRIES):
        problem = refusal(base, {**{other: one.draw(rng) for other, one in space.items()}, name: value})
        if problem is None:
            return
    raise ArgumentError(f"--over {name}={space[name]}: {problem}")


def refusal(base: Any, values: Mapping[str, Any]) -> ArgumentError | None:
    """Why a recipe can not be `base` with these values; None when it can."""
    try:
        dataclasses.replace(base, **values)
    except ArgumentError as error:
        return error
    return None


# ---------------------------------------------------------------- as the recipe's types say


def defaults(base: Any) -> dict[str, Choices | Range]:
    """What is searched of a recipe when nothing is said: around `base`, as far as it allows it."""
    hints, found = typing.get_type_hints(type(base)), {}
    for field in dataclasses.fields(base):
        if field.name not in LEFT:
            one = around(base, field.name, hints[field.name])
            if one is not None:
                found[field.name] = one
    return found


def around(base: Any, name: str, hint: Any) -> Choices | Range | None:
    """Both of a bool, each of a Literal, numbers from half to twice as large, a learning rate a decade each way.

    Whole numbers are half, once and twice as large. A share whose double is refused goes half way to 1. None: text, and
    what is 0 or none, of which nobody knows how large it may be.
    """
    value = getattr(base, name)
    if isinstance(value, bool):
        return Choices((False, True))
    if typing.get_origin(hint) is typing.Literal:
        return Choices(typing.get_args(hint))
    if isinstance(value, int) and value > 0:
        sizes = [size for size in sorted({max(value // 2, 1), value, 2 * value}) if not refusal(base, {name: size})]
        return Choices(tuple(sizes)) if len(sizes) > 1 else None
    if isinstance(value, float) and value > 0:
        times = 10 if name == "lr" else 2
        highs = (times * value, (1 + value) / 2)
        high = next((high for high in highs if high > value and not refusal(base, {name: high})), value)
        return Range(rounded(value / times), rounded(high), log=True)
    return None


def rounded(value: float) -> float:
    """With three digits."""
    return float(f"{value:.3g}")
