"""Listening to a computation: every operation, every step of a sweep, every call of a module, as it happens.

An Observer is told what goes in and what comes out; `with observe(observer):` lets it listen. No result is changed by
it, and while nobody listens it costs nothing. Pictures of graphs, timings and the blame for NaN are observers:

    class Names(Observer):
        def function_ends(self, node, inputs, outputs):
            print(node.name, [x.shape for x in inputs], "->", [y.shape for y in outputs])

    with observe(Names()):
        loss = model(x).sum()
        loss.backward()

One observer stands in here, `AnomalyDetector`, which finds the operation that made a NaN.
"""

import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from minigen.advice import user_frame
from minigen.autograd.modes import modes
from minigen.config import config
from minigen.errors import GradientError

if TYPE_CHECKING:
    from minigen.autograd.function import Function
    from minigen.autograd.tensor import Tensor

T = TypeVar("T")


class Observer:
    """Told of everything that its thread computes inside `with observe(…)`. Overwrite what you want to hear.

    What begins also ends, in the order of brackets, so a stack tells what is inside what; a forward that raises is the
    exception, but nothing is ever inside a forward.
    """

    def function_starts(self, node: "Function", inputs: Sequence["Tensor"]) -> None:
        """node.forward is about to run on these tensors."""

    def function_ends(self, node: "Function", inputs: Sequence["Tensor"], outputs: Sequence["Tensor"]) -> None:
        """It has run. If a gradient may be asked, the node is part of the graph by now: `node.edges`."""

    def backward_starts(self, node: "Function", gys: Sequence["Tensor | None"]) -> None:
        """node.backward is about to run, on the gradient of each output; None where an output was not used."""

    def backward_ends(
        self, node: "Function", gys: Sequence["Tensor | None"], gxs: "Sequence[Tensor | None] | None"
    ) -> None:
        """It has run and gave the gradients of the inputs; None: it raised. Its operations were told in between.

        Where a kernel adds a gradient straight into its leaf's place, the leaf's whole gradient so far stands there.
        """

    def module_starts(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """module.forward is about to run."""

    def module_ends(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """It has run and gave `result`; None: it raised. Its operations and parts were told in between."""


@contextmanager
def observe(observer: Observer) -> Iterator[Observer]:
    """`with observe(observer):` the observer hears what this thread computes inside the block."""
    previous = modes.observers
    modes.observers = previous if observer in previous else (*previous, observer)
    try:
        yield observer
    finally:
        modes.observers = previous


def listening() -> tuple[Observer, ...]:
    """Who listens in this thread. `config.debug` lets the anomaly detector listen everywhere."""
    everywhere = config.debug and DETECTOR not in modes.observers
    return (*modes.observers, DETECTOR) if everywhere else modes.observers


def observed(run: Callable[[], T], starts: Callable[[Observer], None], ends: Callable[[Observer, T | None], None]) -> T:
    """run(), with everyone who listens told of its start and, whatever is raised, of its end; None: it raised."""
    result: T | None = None
    with ExitStack() as stack:
        for observer in listening():
            starts(observer)
            stack.callback(lambda observer=observer: ends(observer, result))
        result = run()
    return result


# ---------------------------------------------------------------- NaN and infinity


class NotFinite(GradientError):
    """NaN or infinity, found by the anomaly detector."""


class AnomalyDetector(Observer, threading.local):
    """Raises NotFinite at the first result, forward or backward, that holds NaN or infinity."""

    def __init__(self) -> None:
        self.sweep: list[Function] = []  # nodes whose backward is running

    def function_starts(self, node: "Function", inputs: Sequence["Tensor"]) -> None:
        node.line = user_line()

    def function_ends(self, node: "Function", inputs: Sequence["Tensor"], outputs: Sequence["Tensor"]) -> None:
        for y in outputs:
            self.check(node, "forward", y, inputs)

    def backward_starts(self, node: "Function", gys: Sequence["Tensor | None"]) -> None:
        self.sweep.append(node)

    def backward_ends(
        self, node: "Function", gys: Sequence["Tensor | None"], gxs: "Sequence[Tensor | None] | None"
    ) -> None:
        self.sweep.pop()
        for g in gxs or ():
            if g is not None:
                self.check(node, "backward", g, [t for t in gys if t is not None])

    def check(self, node: "Function", phase: str, result: "Tensor", given: Sequence["Tensor"]) -> None:
        """Raise NotFinite, naming the node, and the one whose backward it is part of, unless `result` is finite."""
        if result.dtype.kind != "f" or np.isfinite(result.data).all():
            return
        kind = "NaN" if np.isnan(result.data).any() else "infinity"
        inside = "".join(f"{outer.name}, backward of the one called {at(outer)}: " for outer in self.sweep)
        made_of = ", ".join(f"{t.shape} {extent(t.data)}" for t in given) or "nothing"
        raise NotFinite(
            f"{inside}{node.name}, {phase}: {kind} in the result {result.shape}, made of {made_of}; called {at(node)}"
        )


def extent(values: np.ndarray) -> str:
    """From where to where an array's numbers reach, and how many are none."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    bad = f", and {values.size - finite.size:,} that are not finite" * (finite.size < values.size)
    return f"from {finite.min():.4g} to {finite.max():.4g}{bad}" if finite.size else f"without a finite number{bad}"


def at(node: "Function") -> str:
    """Where a node was called, as far as the detector heard it."""
    return f"at {node.line}" if node.line else "before detect_anomaly began; let it hear the forward too"


DETECTOR = AnomalyDetector()


def detect_anomaly():
    """`with detect_anomaly():` check every forward and backward result for NaN and infinity.

    The first bad one raises GradientError naming the operation, its shapes and the line of user code that called it.
    Slower by a pass over every array; for finding the culprit, not for training.
    """
    return observe(DETECTOR)


def user_line() -> str:
    """`file:line, code` of the innermost frame outside this package, the models apart."""
    frame = user_frame()
    summary = traceback.extract_stack(frame, limit=1)[0]
    return f"{summary.filename}:{summary.lineno}" + (f": {summary.line}" if summary.line else "")
