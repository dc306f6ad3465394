"""Command-line flags from a dataclass: each field of a model's `Recipe`, and of its `Request`, is one flag.

The field's type says what a value must look like, the comment on its line is the help text, its default is the
flag's. Nothing is declared twice, so a model file alone decides what `train` and `sample` accept for it.
"""

import argparse
import dataclasses
import difflib
import inspect
import io
import shlex
import tokenize
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from minigen.errors import ArgumentError

FEW = 16  # flags that a message may list


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises ArgumentError, knows no abbreviations and suggests the flag that was meant."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Raise ArgumentError; the command line prints it as one line."""
        raise ArgumentError(f"{message} ({self.prog} --help lists the flags)")

    def parse(self, argv: list[str]) -> argparse.Namespace:
        """The namespace of `argv`. Raises ArgumentError on an unknown flag, a missing value or one of another type."""
        namespace, unknown = self.parse_known_intermixed_args(argv)
        if unknown:
            known = [flag for action in self._actions for flag in action.option_strings]
            mend = suggestion(unknown[0].partition("=")[0], known)
            if not mend and len(known) <= FEW:
                mend = f"; known are {', '.join(known)}"
            self.error(f"unknown flag {unknown[0]}{mend}")
        return namespace


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` for the known word nearest to `word`, or nothing when none is near."""
    spelled = {name.lower().lstrip("-"): name for name in known}
    near = difflib.get_close_matches(word.lower().lstrip("-"), list(spelled), n=1)
    return f"; did you mean {spelled[near[0]]}?" if near else ""


def field_flags(kind: type) -> dict[str, str]:
    """The flag of each field of a dataclass, by name."""
    return {field.name: flag_of(field.name) for field in dataclasses.fields(kind)}


def flag_of(field: str) -> str:
    """The flag of one field: n → -n, max_steps → --max-steps, and class_, which Python lets no field be, → --class."""
    return f"-{field}" if len(field) == 1 else f"--{field.rstrip('_').replace('_', '-')}"


def spellings(field: str) -> list[str]:
    """How the flag of one field may be written: k → -k and --k."""
    return [flag_of(field), f"--{field}"] if len(field) == 1 else [flag_of(field)]


def add_fields(parser: argparse.ArgumentParser, kind: type, title: str) -> None:
    """Add one flag for each field of the dataclass `kind`; those not given are absent from the namespace.

    Types: int, float, str, bool (as --flag / --no-flag), Literal of strings, and the first three `| None`, as "none".
    """
    group = parser.add_argument_group(title)
    types_, comments = typing.get_type_hints(kind), field_comments(kind)
    for field in dataclasses.fields(kind):
        wanted, names = without_none(types_[field.name]), spellings(field.name)
        optional = wanted is not types_[field.name]
        default = "none" if field.default is None or field.default == "" else field.default
        help_text = f"{comments.get(field.name, '')} (default: {default})".strip().replace("%", "%%")
        common: dict[str, Any] = {"dest": field.name, "default": argparse.SUPPRESS, "help": help_text}
        if wanted is bool:
            group.add_argument(*names, action=argparse.BooleanOptionalAction, **common)
        elif typing.get_origin(wanted) is typing.Literal:
            group.add_argument(*names, choices=typing.get_args(wanted), **common)
        else:
            metavar = {int: "N", float: "X"}.get(wanted, "TEXT")
            group.add_argument(*names, type=converter(wanted, optional), metavar=metavar, **common)


def given_fields(namespace: argparse.Namespace, kind: type) -> dict[str, Any]:
    """The fields of a dataclass that the user gave, by name."""
    return {field.name: getattr(namespace, field.name) for field in dataclasses.fields(kind) if field.name in namespace}


def without_none(kind: Any) -> Any:
    """`int` for `int | None`; other types as they are."""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        (kind,) = [member for member in typing.get_args(kind) if member is not types.NoneType]
    return kind


def converter(kind: type, optional: bool = False) -> Callable[[str], Any]:
    """A function from the flag's text to a `kind`, or None where that is allowed; errors say what was expected."""
    expected = {int: "a whole number", float: "a number"}.get(kind, "text")

    def convert(text: str) -> Any:
        if optional and text == "none":
            return None
        try:
            return kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not {expected}") from None

    return convert


def written(value: Any) -> str:
    """A value as the command line takes it: none, yes, 0.001."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)


def command(model: str, recipe: Any) -> str:
    """The command that trains a recipe: the model, and a flag for each field that differs from its default."""
    words = ["minigen", "train", model]
    for field in dataclasses.fields(recipe):
        value, flag = getattr(recipe, field.name), flag_of(field.name)
        if value == field.default:
            continue
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag.lstrip('-')}")
        else:
            words += [flag, written(value)]
    return shlex.join(words)


def field_comments(kind: type) -> dict[str, str]:
    """The comment on each field's line, by field name, also of inherited ones: `epochs: int = 20  # passes …`."""
    comments: dict[str, str] = {}
    for part in reversed(kind.__mro__):
        if dataclasses.is_dataclass(part):
            comments |= own_comments(part)
    return comments


def own_comments(kind: type) -> dict[str, str]:
    """The comments on the fields that a dataclass itself declares."""
    comments: dict[str, str] = {}
    name = ""
    for token in tokenize.generate_tokens(io.StringIO(inspect.getsource(kind)).readline):
        if token.type == tokenize.COMMENT and name:
            comments[name] = token.string.lstrip("# ")
        elif token.type == tokenize.NEWLINE:
            name = ""
        elif token.type == tokenize.NAME and not token.line[: token.start[1]].strip():
            name = token.string
    return comments
