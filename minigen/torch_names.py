"""Names of PyTorch that minigen calls otherwise, or does without: errors that say the name here.

    >>> mg.cat
    Traceback (most recent call last):
    minigen.errors.MissingNameError: mg.cat: a name of PyTorch; use mg.concatenate(tensors, axis)

Everything here works when a name was not found, or a keyword not taken; a name that exists costs nothing. The names
stand in `torch_table.py`.
"""

import difflib
import functools
import importlib.util
import inspect
import opcode
import sys
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any, TypeVar

from minigen.errors import KeywordError, MissingNameError
from minigen.torch_table import CALLED, KEYWORDS, NAMES

C = TypeVar("C", bound=type)


def describe(place: str, name: str, known: Iterable[str]) -> str:
    """What to say of a name that `place` does not have."""
    here = NAMES.get(place, {}).get(name)
    if here is not None:
        return f"{place}.{name}: a name of PyTorch; {here}"
    near = difflib.get_close_matches(name, [each for each in known if each[0] != "_"], 1, 0.7)
    return f"{place} has no {name}" + (f"; did you mean {near[0]}?" if near else "")


def module_names(module: str) -> Callable[[str], Any]:
    """A `__getattr__` for a module: raises MissingNameError, or ImportError for `from module import name`."""
    place = "mg" + module.removeprefix("minigen")

    def missing(name: str) -> Any:
        if name.startswith("_"):  # what notebooks and other programs ask for
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        package = hasattr(sys.modules[module], "__path__")
        if name not in NAMES.get(place, {}) and package and importlib.util.find_spec(f"{module}.{name}"):
            raise MissingNameError(f"{place}.{name} is loaded by `import {module}.{name}`")
        text = describe(place, name, dir(sys.modules[module])) + elsewhere(place, name)
        caller = sys._getframe(1)
        if caller.f_code.co_code[caller.f_lasti] == opcode.opmap["IMPORT_FROM"]:  # which drops the text of other errors
            raise ImportError(text, name=module)
        raise MissingNameError(text)

    return missing


def elsewhere(place: str, name: str) -> str:
    """Where else in minigen there is something of that name, if it is sought in `mg` itself."""
    for part in ("layers", "optim", "data", "metrics") if place == "mg" else ():
        if name in getattr(sys.modules.get(f"minigen.{part}"), "__all__", ()):
            return f"; there is mg.{part}.{name}"
    return ""


class Elsewhere:
    """Stands in a class for a name of PyTorch: it is missing, as `hasattr` says, but the error tells the name here."""

    def __init__(self, place: str, name: str) -> None:
        self.__doc__ = describe(place, name, ())

    def __get__(self, instance: object, owner: type) -> Any:
        raise MissingNameError(self.__doc__)


def class_names(place: str) -> Callable[[C], C]:
    """Decorator: the class gets an Elsewhere for each name in the table. Attributes of its own come first."""

    def decorate(cls: C) -> C:
        for name in NAMES[place]:
            if not hasattr(cls, name):
                setattr(cls, name, Elsewhere(place, name))
        return cls

    return decorate


def visible(instance: object) -> list[str]:
    """The names that `dir(instance)` shows: all but those that only stand for names of PyTorch."""
    own, cls = getattr(instance, "__dict__", {}), type(instance)
    names = object.__dir__(instance)
    return [n for n in names if n in own or not isinstance(inspect.getattr_static(cls, n, None), Elsewhere)]


class Count(int):
    """A number that is called like PyTorch's `x.size()` by mistake."""

    __slots__ = ()

    def __call__(self, *axis: object) -> Any:
        raise KeywordError(
            f"x.size is the number of elements, {int(self)}, as in NumPy; for lengths use x.shape, or x.shape[axis]"
        )

    def __reduce__(self) -> Any:
        return int, (int(self),)


def explains_keywords(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose TypeError for a keyword it does not take says what to do instead."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            if not kwargs or error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # from inside the function
            problem = keyword_problem(function, args, kwargs)
            if problem is None:
                raise
            raise KeywordError(problem) from None

    return call


def keyword_problem(function: Callable[..., Any], args: tuple[Any, ...], keywords: Iterable[str]) -> str | None:
    """What is wrong with the first of the keywords that the function does not take; None when it takes them all."""
    code = function.__code__
    taken = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    name = type(args[0]).__name__ if function.__name__ == "__init__" and args else function.__name__
    for keyword in keywords:
        if keyword not in taken:
            here = KEYWORDS.get(keyword, "")
            if here and (not here.startswith(CALLED) or here.removeprefix(CALLED) in taken):
                return f"{name}: {keyword} is a keyword of PyTorch; {here}"
            near = difflib.get_close_matches(keyword, taken, 1, 0.7)
            return f"{name} takes no keyword {keyword}" + (f"; did you mean {near[0]}?" if near else "")
    return None


def explain_functions(namespace: dict[str, Any], exported: Iterable[str]) -> None:
    """The functions that `minigen` exports explain their keywords, if they take options.

    Inside minigen the functions themselves are called, by way of their modules.
    """
    for name in exported:
        thing = namespace[name]
        if isinstance(thing, FunctionType) and (thing.__defaults__ or thing.__kwdefaults__ or has_axis(thing)):
            namespace[name] = explained = explains_keywords(thing)
            explained.__module__ = namespace["__name__"]  # where pickle finds it


def has_axis(function: FunctionType) -> bool:
    """Whether a function has a parameter that PyTorch calls dim, or start_dim."""
    return any("axis" in name for name in function.__code__.co_varnames[: function.__code__.co_argcount])


def explain_constructors(namespace: dict[str, Any], exported: Iterable[str]) -> None:
    """The classes that a package of minigen exports, and their bases in it, explain the keywords of their constructors.

    Not those elsewhere: every step makes many a Tensor, which is the base of Parameter.
    """
    things = [namespace.get(name) for name in exported]  # a function may still follow
    bases = {base for thing in things if isinstance(thing, type) for base in thing.__mro__}
    for cls in [base for base in bases if base.__module__.startswith(namespace["__name__"])]:
        init: Any = vars(cls).get("__init__")
        if isinstance(init, FunctionType) and not hasattr(init, "__wrapped__"):
            setattr(cls, "__init__", explains_keywords(init))  # noqa: B010  # which a type checker would refuse
