"""Which models there are: every public module of minigen.models, found by its name, nothing registered."""

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

from minigen import flags
from minigen.errors import ArgumentError


def model_names() -> list[str]:
    """The models that are installed: every public module of minigen.models."""
    package = importlib.import_module("minigen.models")
    return sorted(name for _, name, _ in pkgutil.iter_modules(package.__path__) if not name.startswith("_"))


def load_model(name: str) -> ModuleType:
    """The module minigen.models.NAME. Raises ArgumentError, with the nearest name, when there is none."""
    if name not in model_names():
        near = flags.suggestion(name, model_names())
        raise ArgumentError(f"unknown model {name}{near} (known: {', '.join(model_names())})")
    return importlib.import_module(f"minigen.models.{name}")


def first_line(thing: Callable[..., Any] | ModuleType) -> str:
    """The first line of a docstring."""
    return (thing.__doc__ or "").strip().partition("\n")[0]
