"""Switches for a stretch of code: whether a graph is recorded, and who listens.

The switches are per thread, so that sampling in one thread does not stop another one's recording.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minigen.autograd.observe import Observer


class Modes(threading.local):
    """State of one thread.

    recording: operations build the graph. observers: those who listen. collecting: a sweep is adding to `.grad`.
    recomputing: what runs has run before, and must not move running means again.
    """

    recording: bool = True
    observers: "tuple[Observer, ...]" = ()
    collecting: bool = False
    recomputing: bool = False


modes = Modes()


@contextmanager
def set_grad_enabled(enabled: bool) -> Iterator[None]:
    """Record the graph, or not, inside the `with` block (or the decorated function)."""
    previous, modes.recording = modes.recording, enabled
    try:
        yield
    finally:
        modes.recording = previous


@contextmanager
def recomputing() -> Iterator[None]:
    """A checkpointed stretch runs again inside the `with` block."""
    previous, modes.recomputing = modes.recomputing, True
    try:
        yield
    finally:
        modes.recomputing = previous


class sweeping:
    """`with sweeping(recording, collecting):` a backward sweep runs. A class: entering a generator takes longer."""

    __slots__ = ("now", "previous")

    def __init__(self, recording: bool, collecting: bool) -> None:
        self.now = recording, collecting

    def __enter__(self) -> None:
        self.previous = modes.recording, modes.collecting
        modes.recording, modes.collecting = self.now

    def __exit__(self, *_: object) -> None:
        modes.recording, modes.collecting = self.previous


def no_grad():
    """`with no_grad():` no operation inside is recorded; results have requires_grad False. Also a decorator."""
    return set_grad_enabled(False)


def enable_grad():
    """`with enable_grad():` record the graph although an outer `no_grad` switched it off. Also a decorator."""
    return set_grad_enabled(True)


def is_grad_enabled() -> bool:
    """Whether operations are being recorded in this thread."""
    return modes.recording
