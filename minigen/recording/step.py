"""`record`: the decorator, and when a call is repeated from a list, noted, or run as it is."""

import functools
import inspect
import sys
import threading
from collections.abc import Callable
from tracemalloc import is_tracing
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np

from minigen.advice import advise
from minigen.autograd.modes import modes
from minigen.autograd.observe import observe
from minigen.autograd.tensor import Tensor
from minigen.config import config
from minigen.errors import ArgumentError
from minigen.kernels.noting import noting
from minigen.recording.argument import Argument
from minigen.recording.copies import ARRAYS, Copies
from minigen.recording.items import is_tuple, mapped
from minigen.recording.notes import Notes, owner
from minigen.recording.number import Given
from minigen.recording.plan import Arena
from minigen.recording.tape import Before, Tape
from minigen.recording.watch import SIMPLE, Watch

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
MOST_FORMS = 64  # of arguments, for each of which there is a list
TRIES = 4  # runs in which an array may be new: parameters move when somebody has assigned others
MOST_VARIANTS = 16  # of what a step reads in Python, for each of which there is a list


def record(function: Callable[Arguments, Result]) -> "Recorded[Arguments, Result]":
    """The same function, which is repeated without Python from its third call on: the same bits, in less time.

    function: a step of training, or of generating. It takes arrays, tensors without gradient, and whatever stays as it
    is; it gives arrays, tensors, and the numbers of `clip_grad_norm`, in tuples, lists and dicts as it likes. Results
    are copies, without a graph. For each form of the arguments (shapes, dtypes, values of numbers) there is a list of
    its own.

    What a list can not repeat is said once, as advice, and is in `.problem`; such a step runs as before. That is: to
    read a value (`item`, `if loss > 1`), to compute in NumPy, to draw from a generator directly (use mg.randn, mg.rand,
    mg.randint), to change variables or attributes, to print, to ask the clock.
    """
    if not callable(function):
        raise ArgumentError(f"record: got {type(function).__name__}; pass a function: @mg.record above its def")
    if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function):
        raise ArgumentError(f"record: {function.__name__} is a generator or a coroutine; record the step inside it")
    return Recorded(function)


class Variant:
    """The step as it is while what it reads in Python stays as it is."""

    def __init__(self) -> None:
        self.notes: Notes | None = None  # of the last run, until there is a list
        self.watch: Watch | None = None
        self.tape: Tape | None = None
        self.tries = 0

    def holds(self) -> bool:
        """Whether all that is as it was."""
        if self.watch is not None and self.watch.changed() is not None:
            return False
        return self.tape is None or self.tape.starts_alike()


class Recorded(Generic[Arguments, Result]):
    """A step that is recorded. problem: why it is not repeated, None while nothing is in the way."""

    def __init__(self, function: Callable[Arguments, Result]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.problem: str | None = None
        self.forms: dict[Any, list[Variant]] = {}
        self.arena = Arena()
        self.lock = threading.Lock()
        self.repeated = 0  # calls that went through a list

    def __get__(self, owner: Any, kind: type | None = None) -> Any:
        return self if owner is None else functools.partial(self, owner)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Recorded[Arguments, Result]":
        return Recorded(self.function)

    def __call__(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        busy = noting.notes is not None or modes.observers or config.debug or modes.collecting or is_tracing()
        if self.problem is not None or busy or not self.lock.acquire(blocking=False):
            return self.function(*args, **kwargs)
        try:
            return self.recorded(args, kwargs)
        finally:
            self.lock.release()

    def recorded(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call that is repeated, or noted."""
        key, arrays = form_of(args, kwargs)
        if arrays is None:
            self.refuse("an argument requires a gradient, or has a mask; pass arrays, and use parameters from around")
            return self.function(*args, **kwargs)
        variants = self.forms.get(key)
        if variants is None:
            if len(self.forms) == MOST_FORMS:
                self.refuse(
                    f"its arguments came in {MOST_FORMS + 1} forms; pass numbers that change as arrays, "
                    "np.float32(value)"
                )
                return self.function(*args, **kwargs)
            variants = self.forms[key] = []
        variant = next((variant for variant in variants if variant.holds()), None)
        if variant is None:
            if len(variants) == MOST_VARIANTS:
                name = variants[-1].watch.changed() if variants[-1].watch is not None else "something"
                self.refuse(f"{name} changes between calls; pass it as an argument")
                return self.function(*args, **kwargs)
            variant = Variant()
            variants.append(variant)
        tape = variant.tape
        if tape is not None and tape.fits():
            if not tape.begin(arrays):
                return self.function(*args, **kwargs)
            self.repeated += 1
            return tape.go_on()
        if tape is not None:
            variant.tape = None  # what was there between two calls is elsewhere now
            variant.tries = 0
        if sys.getprofile() is not None:  # a profiler stands where calls are looked at
            return self.function(*args, **kwargs)
        return self.note(variant, args, kwargs)

    def refuse(self, problem: str) -> None:
        """Run as before from now on, and say why."""
        self.problem = problem
        self.forms.clear()
        name = getattr(self.function, "__name__", "the step")
        advise(f"record {name}", f"record: {name} runs as it is, and is not repeated from a list: {problem}")

    def note(self, variant: Variant, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the step and take notes. The second time they become the list, if the notes prove right."""
        first = variant.notes
        before = None if first is None else Before(first)
        copies = Copies()
        given, named = copies.of(list(args)), copies.of(kwargs)
        own = copies.arrays
        notes = Notes(own, first)
        watch = Watch(
            self.function, [value for value in (*given, *named.values()) if not isinstance(value, ARRAYS)], notes
        )
        if any(id(owner(array)) in watch.memories for array in copies.originals):
            self.refuse("an argument lies in the memory of a parameter, or of another tensor around the step")
            return self.function(*args, **kwargs)
        noting.notes = notes
        try:
            with observe(notes), watch:
                result: Any = self.function(*given, **named)  # pyright: ignore[reportCallIssue]
        finally:
            noting.notes = None
        copies.give_back(notes)
        if notes.problem is None and before is not None:
            tape = Tape(notes, own, mapped(result, Argument, np.asarray), self.arena)
            notes.problem = tape.problem or tape.differs(own, result, before)
            variant.tape = tape
        result = mapped(result, (Argument, Given), plain)
        variant.notes, variant.watch = (notes if variant.tape is None else None), watch
        variant.tries += 1
        if notes.problem is not None and not (notes.strange and variant.tries < TRIES):
            self.refuse(notes.problem)
        return result


def plain(value: Any) -> Any:
    """An argument as a plain array, a number that a host gave as a plain float."""
    return np.asarray(value) if isinstance(value, np.ndarray) else float.__pos__(value)


def form_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, list[np.ndarray] | None]:
    """What a list depends on besides the values in arrays, and the arrays; None when they are none to record."""
    arrays: list[Any] = []
    parts: list[Any] = [modes.recording, config.threads, config.backend, config.dtype, len(args)]
    for value in args:
        describe(value, parts, arrays)
    if kwargs:
        describe(kwargs, parts, arrays)
    if any(isinstance(x, np.ma.MaskedArray) or (isinstance(x, Tensor) and x.requires_grad) for x in arrays):
        return None, None
    return tuple(parts), [np.asarray(x.data if isinstance(x, Tensor) else x) for x in arrays]


def describe(value: Any, parts: list[Any], arrays: list[Any]) -> None:
    """Add the form of a value to `parts`, and its arrays to `arrays`."""
    if isinstance(value, ARRAYS):
        array = value.data if isinstance(value, Tensor) else value
        strides = None if array.flags.c_contiguous else array.strides
        before = next((i for i, other in enumerate(arrays) if other is value), None)  # it may stand there twice
        parts += (type(value), array.shape, array.dtype, strides, before)
        if before is None:
            arrays.append(value)
    elif type(value) is list or is_tuple(value):
        parts += (type(value), len(value))
        for item in value:
            describe(item, parts, arrays)
    elif type(value) is dict:
        parts += (dict, *value)
        for item in value.values():
            describe(item, parts, arrays)
    elif isinstance(value, SIMPLE):
        parts += (type(value), repr(value) if isinstance(value, float) else value)
    else:
        parts.append(Same(value))


class Same:
    """An argument of another kind: the very same object."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.value is self.value
