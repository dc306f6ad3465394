"""What a recorded step hears of the numeric work: every call that writes into arrays, in order, with its arguments.

Whoever records (`minigen/recording`) puts its Notes in `noting.notes`, of this thread. Compiled kernels tell of
themselves (`compiler/`). NumPy does not: where it does a kernel's work, the call goes through `run` or `applied`. What
is not told is not lost: an operation that works otherwise is seen to, and called again as a whole.
"""

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar

import numpy as np

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


class Notes(Protocol):
    """Who takes notes."""

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """function(*arguments) was called: it reads and writes the arrays among them, and nothing else."""

    def host(self, function: Callable[..., Any], arguments: tuple[Any, ...], result: Any) -> Any:
        """function(*arguments) was called: Python that has to run again in every step; gives what it gave."""

    def made(self, array: np.ndarray, make: Callable[..., np.ndarray], arguments: tuple[Any, ...]) -> None:
        """`array` is what make(*arguments) gave: a draw, or a conversion."""

    def constant(self, array: np.ndarray) -> None:
        """`array` was made of shapes, and of numbers of Python, alone."""

    def refuse(self, reason: str) -> None:
        """What happens can not be repeated from notes."""


class Noting(threading.local):
    """Who takes notes in this thread; None: nobody. timer: who runs what `host` marks, to time it."""

    notes: Notes | None = None
    timer: Callable[[Callable[[], Any]], Any] | None = None


noting = Noting()


def run(function: Callable[..., Any], *arguments: Any) -> None:
    """function(*arguments), which writes into arrays among them, noted as one call, whatever it calls itself."""
    notes, noting.notes = noting.notes, None
    try:
        function(*arguments)
    finally:
        noting.notes = notes
    if notes is not None:
        notes.call(function, arguments)


def applied(ufunc: Callable[..., Any], *arrays: Any) -> np.ndarray:
    """What a function of NumPy with the argument `out` makes of arrays, as an array, noted."""
    y = np.asarray(ufunc(*arrays))
    if noting.notes is not None:
        noting.notes.call(into, (ufunc, *arrays, y))
    return y


def into(ufunc: Callable[..., Any], *arrays: Any) -> None:
    """Write what the function makes of all arrays but the last into the last."""
    ufunc(*arrays[:-1], out=arrays[-1])


def made(make: Callable[..., np.ndarray], *arguments: Any) -> np.ndarray:
    """The array make(*arguments), noted: a draw, or a conversion, to be made anew in every step."""
    array = make(*arguments)
    if noting.notes is not None:
        noting.notes.made(array, make, arguments)
    return array


def constant(array: np.ndarray) -> np.ndarray:
    """The array itself, which is made of shapes and of numbers of Python, noted."""
    if noting.notes is not None:
        noting.notes.constant(array)
    return array


def cleared(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array of zeros that is going to be added to, noted."""
    array = np.zeros(shape, dtype)
    if noting.notes is not None:
        noting.notes.call(np.copyto, (array, 0))
    return array


def copied(array: np.ndarray) -> np.ndarray:
    """A contiguous copy, noted."""
    copy = np.empty(array.shape, array.dtype)
    run(np.copyto, copy, array)
    return copy


def joined(arrays: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """np.concatenate(arrays, axis), noted."""
    array = np.concatenate(arrays, axis)
    if noting.notes is not None:
        noting.notes.call(np.concatenate, (tuple(arrays), axis, array))
    return array


def host(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Decorator: the function is Python that a recorded step calls again, such as an optimizer's step."""

    @functools.wraps(function)
    def call(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        notes, timer = noting.notes, noting.timer
        if notes is None:
            if timer is None:
                return function(*arguments, **named)
            return timer(functools.wraps(function)(functools.partial(function, *arguments, **named)))
        noting.notes = None
        try:
            result = function(*arguments, **named)
        finally:
            noting.notes = notes
        return notes.host(functools.partial(function, **named) if named else function, arguments, result)

    return call


def refuse(reason: str) -> None:
    """Tell whoever takes notes that what happens can not be repeated from them."""
    if noting.notes is not None:
        noting.notes.refuse(reason)
