"""A Function written by somebody else is given arrays that it can not write into: they are the caller's.

The operations of minigen are trusted, and pay nothing: what is wrapped is decided once, when a class is made.
"""

import contextlib
import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigen.autograd.modes import modes
from minigen.autograd.tensor import Tensor
from minigen.errors import GradientError

ROLES = {"forward": "input", "backward_arrays": "gy", "backward": "gy"}  # what each method is given


def guard(function: type) -> None:
    """Wrap the methods that a new class of Function brings along."""
    if not function.__module__.startswith("minigen."):
        for name in ROLES.keys() & vars(function).keys():
            setattr(function, name, guarded(vars(function)[name], name))


def guarded(method: Callable, name: str) -> Callable:
    """`method`, which raises GradientError when it writes into one of its arguments."""

    @functools.wraps(method)
    def run(self: Any, *given: Any, **options: Any) -> Any:
        if name == "backward" and modes.recording:  # what it is given is part of a graph
            return method(self, *given, **options)
        try:
            result = method(self, *map(protected, given), **options)
        except Exception as error:
            if "read-only" not in str(error) and "readonly" not in str(error):
                raise
            raise GradientError(
                f"{self.name}.{name} writes into {written(method, self, given, options, ROLES[name])}, which is its "
                "caller's; write into a copy, x = x.copy()"
            ) from error
        if name == "forward":
            for y in result if isinstance(result, tuple) else (result,):
                release(y, given)
        return result

    return run


def protected(x: Any) -> Any:
    """An array, or a tensor over it, that can not be written into; anything else as it is."""
    if isinstance(x, Tensor):
        return Tensor(protected(x.data))
    if isinstance(x, np.ndarray):
        x = x.view()
        x.flags.writeable = False
    return x


def release(y: Any, inputs: Sequence[np.ndarray]) -> None:
    """A result that is a view of an input may be written into if that may."""
    if isinstance(y, np.ndarray) and not y.flags.writeable and 0 not in y.strides:
        y.flags.writeable = any(x.flags.writeable and np.may_share_memory(x, y) for x in inputs)


def written(method: Callable, self: Any, given: Sequence[Any], options: Any, role: str) -> str:
    """Which argument a method that failed writes into: it is run again, on copies."""
    copies = [Tensor(x.data.copy()) if isinstance(x, Tensor) else copy.copy(x) for x in given]  # None is one, too
    with contextlib.suppress(Exception):  # what it wrote before is seen all the same
        method(self, *copies, **options)
    for i, (before, after) in enumerate(zip(given, copies, strict=True)):
        a, b = (x.data if isinstance(x, Tensor) else x for x in (before, after))
        if a is not None and not np.array_equal(a, b, equal_nan=True):
            return f"{role} {i}"
    return f"one of its {role}s"
