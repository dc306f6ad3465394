"""Where the time goes: every operation and every module of what runs, forward and backward apart.

    with mg.profile() as p:
        loss = mg.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
    print(p)

The profile is an observer (minigen/autograd/observe.py). It hears when each operation begins and ends, so times are
exact but for what the clock takes; what it costs itself is taken off, and stated. Operations inside the backward of
another, such as a convolution that is the gradient of one, count as that one's. What no operation, optimizer or other
part of minigen took is called "between": Python, NumPy, the loading of data. A step that `record` repeats without
Python is run in Python while it is profiled.
"""

import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from minigen import plots
from minigen.autograd.function import Function
from minigen.autograd.modes import modes
from minigen.autograd.observe import Observer
from minigen.autograd.tensor import Tensor
from minigen.checks import check_count
from minigen.errors import ArgumentError
from minigen.kernels.noting import noting
from minigen.see import trace
from minigen.see.limits import Limits, limits
from minigen.see.tables import Row, table
from minigen.see.work import backward_multiply_adds, moved, multiply_adds, root

OUTSIDE = "(outside modules)"
BETWEEN = "between"


@dataclass(slots=True)
class Event:
    """Something that ran. Times in seconds since the profile began, without what the profile took itself."""

    name: str
    phase: str  # forward, backward, module, or step: an optimizer and the like
    module: str  # path of the innermost module around it, or around its forward
    begin: float
    end: float = 0.0
    shapes: tuple[tuple[int, ...], ...] = ()
    multiply_adds: int = 0
    bytes: int = 0
    inside: bool = False  # another operation, whose time this is too

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.begin


@dataclass
class Memory:
    """Bytes of all results of operations that are alive, over time; views count as what they are views of."""

    now: int = 0
    points: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 0)])

    def add(self, size: int, time: float) -> None:
        """So many bytes more, or less."""
        self.now += size
        self.points.append((max(time, self.points[-1][0]), self.now))

    @property
    def peak(self) -> int:
        """The most at any time."""
        return max(size for _, size in self.points)


class Profile(Observer):
    """See the top of this file. Raises ArgumentError when one profile is used twice, or inside another."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.memory = Memory()
        self.seconds = 0.0  # of the whole block, without what the profile took
        self.overhead = 0.0  # what it took
        self.open: list[Event] = []
        self.paths: dict[int, str] = {}  # of modules, by id
        self.made_by: dict[int, tuple[Function, str, int]] = {}  # of nodes: their module, their forward's multiply-adds
        self.alive: dict[int, weakref.ref] = {}
        self.began: float | None = None

    def __enter__(self) -> "Profile":
        if self.began is not None:
            raise ArgumentError("profile: this one was used before; make another: with mg.profile() as p")
        if noting.timer is not None:
            raise ArgumentError("profile: another one is at work; leave its block first")
        modes.observers = (*modes.observers, self)
        noting.timer = self.timed
        self.began = perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        if self.began is None or self.seconds:
            return  # it was not entered, or has ended
        self.seconds = self.clock()
        noting.timer = None
        modes.observers = tuple(observer for observer in modes.observers if observer is not self)
        self.made_by, self.alive = {}, {}

    def clock(self) -> float:
        """Seconds since the beginning, without the profile's own."""
        return perf_counter() - (self.began or 0.0) - self.overhead

    # ---------------------------------------------------------------- what is heard

    def start(self, name: str, phase: str, module: str | None = None) -> None:
        """Something begins."""
        entered = perf_counter()
        self.drop_failed()
        inside = any(event.phase != "module" for event in self.open)
        event = Event(name, phase, self.where() if module is None else module, 0.0, inside=inside)
        self.open.append(event)
        event.begin = entered - (self.began or 0.0) - self.overhead
        self.overhead += perf_counter() - entered

    def stop(self) -> tuple[Event, float]:
        """It ends; gives it, and when this was called, for `paid`."""
        entered = perf_counter()
        event = self.open.pop()
        event.end = entered - (self.began or 0.0) - self.overhead
        self.events.append(event)
        return event, entered

    def paid(self, entered: float) -> None:
        """What was done since then was the profile's own."""
        self.overhead += perf_counter() - entered

    def where(self) -> str:
        """The path of the module that is running."""
        return next((event.module for event in reversed(self.open) if event.phase == "module"), OUTSIDE)

    def function_starts(self, node: Function, inputs: Sequence[Tensor]) -> None:
        self.start(node.name, "forward")

    def function_ends(self, node: Function, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        event, entered = self.stop()
        event.shapes = tuple(x.shape for x in inputs)
        event.multiply_adds = multiply_adds(node, inputs, outputs)
        event.bytes = moved(inputs, outputs)
        if True in node.needs:
            self.made_by[id(node)] = node, event.module, event.multiply_adds
        for y in outputs:
            self.hold(y)
        self.paid(entered)

    def backward_starts(self, node: Function, gys: Sequence[Tensor | None]) -> None:
        known = self.made_by.get(id(node))
        self.start(node.name, "backward", known[1] if known is not None else OUTSIDE)

    def backward_ends(self, node: Function, gys: Sequence[Tensor | None], gxs: Sequence[Tensor | None] | None) -> None:
        self.drop_failed()
        event, entered = self.stop()
        _, _, forward = self.made_by.pop(id(node), (None, "", 0))
        event.shapes = tuple(g.shape for g in gys if g is not None)
        event.multiply_adds = backward_multiply_adds(node, forward) if forward else 0
        event.bytes = moved(gys, gxs or ())
        self.paid(entered)

    def module_starts(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if id(module) not in self.paths:
            root = type(module).__name__
            for name, part in module.named_modules():
                self.paths.setdefault(id(part), f"{root}.{name}" if name else root)
        self.start(type(module).__name__, "module", self.paths[id(module)])

    def module_ends(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        self.drop_failed()
        _, entered = self.stop()
        self.paid(entered)

    def timed(self, function: Callable[[], Any]) -> Any:
        """An optimizer's step and the like, run and timed."""
        owner, *_ = (*getattr(function, "args", ()), None)
        name = getattr(function, "__name__", "call")
        self.start(f"{type(owner).__name__}.{name}" if hasattr(type(owner), name) else name, "step")
        try:
            return function()
        finally:
            self.drop_failed()
            _, entered = self.stop()
            self.paid(entered)

    def drop_failed(self) -> None:
        """Forget a forward that raised, of whose end nobody is told; nothing is ever inside a forward."""
        if self.open and self.open[-1].phase == "forward":
            self.open.pop()

    def hold(self, y: Tensor) -> None:
        """Follow the memory of a result until nobody has it any more."""
        array = root(y.data)
        key, size = id(array), array.nbytes
        if key in self.alive:
            return

        def gone(_: object) -> None:
            if self.alive.pop(key, None) is not None:
                self.memory.add(-size, self.clock())

        self.alive[key] = weakref.ref(array, gone)
        self.memory.add(size, self.clock())

    # ---------------------------------------------------------------- what is said

    def outermost(self) -> Iterator[Event]:
        """The operations and steps that are inside no other, which together with "between" are the whole time."""
        return (event for event in self.events if event.phase != "module" and not event.inside)

    def between(self) -> float:
        """Seconds in no operation: Python, NumPy, the loading of data."""
        return self.seconds - sum(event.seconds for event in self.outermost())

    def by_operation(self) -> list[Row]:
        """One row for each operation and phase, the slowest first, and one of what is between."""
        return self.rows(lambda event: (event.name, event.phase))

    def by_module(self) -> list[Row]:
        """The same by the module in which the operation stands, or in which its forward stood."""
        return self.rows(lambda event: (event.module if event.phase != "step" else event.name, event.phase))

    def rows(self, key: Callable[[Event], tuple[str, str]]) -> list[Row]:
        """Sums by a key (name, phase)."""
        found: dict[tuple[str, str], Row] = {}
        for event in self.outermost():
            row = found.setdefault(key(event), Row(*key(event)))
            row.calls += 1
            row.seconds += event.seconds
            row.multiply_adds += event.multiply_adds
            row.bytes += event.bytes
        ordered = sorted(found.values(), key=lambda row: -row.seconds)
        return [*ordered, Row(BETWEEN, "", len(ordered) and 1, self.between())]

    def text(self, by: str = "operation", top: int | None = 20, machine: Limits | None = None) -> str:
        """A table by "operation" or "module", of the `top` slowest; rates beside those of this machine, or `machine`.

        Raises ArgumentError for another `by`, or before the block has ended.
        """
        top = top if top is None else check_count("profile", "top", top)
        if by not in ("operation", "module"):
            raise ArgumentError(f'profile: by is {by!r}; use "operation" or "module"')
        if not self.seconds:
            raise ArgumentError("profile: nothing was timed yet; use it after its block: with mg.profile() as p")
        rows = self.by_operation() if by == "operation" else self.by_module()
        below = (
            f"peak of results held: {self.memory.peak / 1e6:.1f} MB; the profile took {self.overhead * 1e3:.1f} ms "
            f"more, which are taken off ({len(self.events):,} events)"
        )
        return "\n".join([table(rows, self.seconds, machine or limits(), top), below])

    def save_roofline(self, path: str | Path, machine: Limits | None = None) -> None:
        """Draw what each operation reaches, over its multiply-adds a byte, below what this machine can do at most."""
        found = machine or limits()
        points = {
            f"{row.name} {row.phase}": (row.multiply_adds / row.bytes, row.multiply_adds / row.seconds, row.seconds)
            for row in self.by_operation()
            if row.multiply_adds and row.bytes and row.seconds
        }
        plots.save_roofline(path, points, found.products, found.memory)

    def __str__(self) -> str:
        return f"{self.text('operation')}\n\n{self.text('module')}"

    def save(self, path: str | Path) -> None:
        """Write all events in Chrome's trace format, which https://ui.perfetto.dev and speedscope open (.json).

        Raises ArgumentError before the block has ended, RunError when the disk refuses.
        """
        if not self.seconds:
            raise ArgumentError("profile: nothing was timed yet; save it after its block: with mg.profile() as p")
        trace.save(path, self.events, self.memory.points)


def profile() -> Profile:
    """`with mg.profile() as p:` times every operation and module in the block; `print(p)`, `p.save("trace.json")`."""
    return Profile()
