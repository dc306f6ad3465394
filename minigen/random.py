"""Explicit randomness: generators that are passed in, and a counter-based generator for kernels.

Nothing in minigen draws from a global generator. `generator(seed)` makes one; whoever needs random numbers takes it
as `rng`. Kernels that mask (dropout) take a 64-bit `key` instead: number i of the stream is a pure function of
(key, i), so it can be drawn again rather than stored, in any order and on any number of threads.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigen.errors import ArgumentError, CheckpointError, DTypeError


def generator(seed: int) -> np.random.Generator:
    """A generator (PCG64) whose whole stream follows from `seed`, an integer ≥ 0."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ArgumentError(f"seed is {seed!r}; use a whole number ≥ 0")
    return np.random.Generator(np.random.PCG64(int(seed)))


Draws = dict[int, tuple[np.random.Generator, dict[str, Any]]]  # by id: a generator, and its state before it drew


class Watch(threading.local):
    """Who wants to know, in this thread, from which generators is drawn."""

    notes: tuple[Draws, ...] = ()


watch = Watch()


@contextmanager
def draws_noted(generators: list[np.random.Generator]) -> Iterator[Draws]:
    """Note the state of these generators now, and of every other one when it is first handed to `check_rng`."""
    draws: Draws = {id(rng): (rng, get_state(rng)) for rng in generators}
    previous = watch.notes
    watch.notes = (*previous, draws)
    try:
        yield draws
    finally:
        watch.notes = previous


def check_rng(rng: Any, operation: str) -> np.random.Generator:
    """`rng` itself, or DTypeError with the mend when it is not a numpy Generator, or was forgotten (None)."""
    if rng is None:
        raise DTypeError(
            f"{operation}: rng was not given; pass rng=np.random.default_rng(0), or better the one generator that the "
            "whole program draws from"
        )
    if not isinstance(rng, np.random.Generator):
        raise DTypeError(f"{operation}: rng is {type(rng).__name__}; pass rng=minigen.random.generator(seed)")
    for draws in watch.notes:
        draws.setdefault(id(rng), (rng, get_state(rng)))
    return rng


def key(rng: np.random.Generator) -> int:
    """A 64-bit key for one counter-based stream, drawn from `rng`."""
    return int(rng.integers(0, 2**64, dtype=np.uint64))


def get_state(rng: np.random.Generator) -> dict[str, Any]:
    """The generator's whole state as a dict that JSON can hold."""
    return dict(rng.bit_generator.state)


def set_state(rng: np.random.Generator, state: dict[str, Any]) -> None:
    """Continue `rng` from a `get_state` result. Raises CheckpointError when the state is of another kind."""
    try:
        rng.bit_generator.state = state
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"random state does not fit a {type(rng.bit_generator).__name__}: {error}") from error
