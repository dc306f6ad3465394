"""A list that has been proven: the notes of a step, laid out in memory, and repeated once against the run itself."""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen.autograd.engine import reachable
from minigen.autograd.function import Function
from minigen.autograd.hooks import leaf_hooks
from minigen.autograd.leaves import is_held, take
from minigen.autograd.tensor import Tensor
from minigen.errors import GraphFreedError
from minigen.kernels.joining import joined
from minigen.kernels.tile.workspace import workspaces
from minigen.random import get_state, set_state
from minigen.recording.argument import copy_like
from minigen.recording.items import Host, Item, Made, Operation, Place, found, mapped
from minigen.recording.notes import Notes, owner
from minigen.recording.plan import Arena, Layout, planned, used
from minigen.recording.trial import same_bits

TAKE = take.__wrapped__  # pyright: ignore[reportFunctionMemberAccess]


class Before:
    """Everything that a step may change, as it was: arrays, optimizers and the like, generators."""

    def __init__(self, notes: Notes) -> None:
        self.arrays = [
            (weakref.ref(base), base.copy())
            for reference in notes.outside.values()
            if (base := reference()) is not None and base is not owner(workspaces.own.memory)
        ]
        self.hosts = [(host, host.state_dict()) for host in {id(host): host for host in notes.hosts}.values()]
        self.generators = [(rng, get_state(rng)) for rng in notes.generators.values()]

    def exchange(self) -> "Before":
        """Put everything back; what it was until now is returned."""
        now = Before.__new__(Before)
        now.arrays = [
            (ref, base.copy()) if (base := ref()) is not None else (ref, values) for ref, values in self.arrays
        ]
        now.hosts = [(host, host.state_dict()) for host, _ in self.hosts]
        now.generators = [(rng, get_state(rng)) for rng, _ in self.generators]
        for reference, values in self.arrays:
            base = reference()
            if base is not None and not same_bits(base, values):
                np.copyto(base, values)
        for host, state in self.hosts:
            host.load_state_dict(state)
        for rng, state in self.generators:
            set_state(rng, state)
        return now

    def differs(self, other: "Before") -> str | None:
        """What is not alike in both; None: nothing."""
        for (reference, a), (_, b) in zip(self.arrays, other.arrays, strict=True):
            if reference() is not None and not same_bits(a, b):
                return f"an array {a.shape} {a.dtype}"
        for (host, a), (_, b) in zip(self.hosts, other.hosts, strict=True):
            if not alike(a, b):
                return f"the state of {type(host).__name__}"
        if any(a != b for (_, a), (_, b) in zip(self.generators, other.generators, strict=True)):
            return "the state of a generator"
        return None


def alike(a: Any, b: Any) -> bool:
    """Whether two states are equal, arrays to the bit."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and same_bits(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(alike(a[name], b[name]) for name in a)
    if isinstance(a, (list, tuple)):
        return isinstance(b, (list, tuple)) and len(a) == len(b) and all(map(alike, a, b))
    return a == b or (a != a and b != b)


@dataclass(eq=False)
class Number:
    """Stands in a result for a number that Python gave."""

    item: Host


@dataclass(eq=False)
class Entry:
    """Stands in a result for an array, or a tensor over it."""

    kind: type
    place: Any  # a Place, or an array without elements
    array: np.ndarray | None = None  # there


class Tape:
    """The list of a step, ready to be repeated.

    arguments: the arrays that the noted run was given, each in memory of its own. result: what it gave.
    """

    def __init__(self, notes: Notes, arguments: Sequence[np.ndarray], result: Any, arena: Arena) -> None:
        self.problem: str | None = None
        self.arena, self.version = arena, -1
        everything: list[Item] = list(Operation(notes.items).flat())
        early = [item for item in everything if isinstance(item, Made) and only_arguments(item)]
        self.items = [*early, *(item for item in everything if item not in set(early))]
        self.early = len(early)
        self.result = self.placed_result(notes, result)
        places = [entry.place for entry in found(self.result, Entry) if isinstance(entry.place, Place)]
        self.memories = used(self.items, places)
        self.starts, self.size = planned(self.memories)
        self.buffers: dict[int, np.ndarray] = {}
        self.arguments = [self.buffer(notes, array) for array in arguments]
        self.held = [
            base
            for memory in self.memories
            if memory.kind == "outside" and id(memory) not in notes.gradients
            if (base := memory.owner()) is not None
        ]
        self.weak = [memory.owner for memory in self.memories if memory.kind == "outside"]
        self.leaves = [
            (leaf, leaf.data, None if leaf.grad_place is None else weakref.ref(owner(leaf.grad_place.data)))
            for leaf in notes.leaves.values()
        ]
        self.flags = [(leaf, leaf.requires_grad) for leaf in notes.leaves.values()]
        self.inherited = list(notes.inherited.values())
        if any(before is not leaf.requires_grad for leaf, before in notes.flags):
            self.problem = "requires_grad of a tensor is another one after the step"
        self.takers = [item.arguments[0] for item in self.items if isinstance(item, Host) and item.function is TAKE]
        self.first: list[Callable[[], Any]] = []  # what is made of the arguments alone
        self.rest: list[Callable[[], Any]] = []

    def buffer(self, notes: Notes, array: np.ndarray) -> np.ndarray:
        """Where an argument is copied to; the form of the array, over memory that belongs to the tape."""
        copy = copy_like(array)
        if array.size:
            self.buffers[id(notes.memory(array))] = owner(copy)
        return copy

    def placed_result(self, notes: Notes, result: Any) -> Any:
        """The result with Places for tensors and arrays, and Numbers for what hosts gave."""
        numbers = {id(item.result): item for item in self.items if isinstance(item, Host) and item.result is not None}

        def change(value: Any) -> Any:
            if isinstance(value, float):
                if id(value) in numbers:
                    return Number(numbers[id(value)])
                return value
            array = value.data if isinstance(value, Tensor) else value
            if isinstance(value, Tensor) and value.node is not None and whole_graph(value.node):
                self.problem = "a result is still part of a graph; return it detached, or call backward in the step"
            if not notes.known(array):
                self.problem = f"a result {array.shape} was not made by operations of minigen"
            return Entry(Tensor if isinstance(value, Tensor) else np.ndarray, notes.place(array))

        return mapped(result, (Tensor, np.ndarray, float), change)

    def differs(self, arguments: Sequence[np.ndarray], result: Any, before: Before) -> str | None:
        """Repeat the run from `before`; what is then not as the run left it. Afterwards everything is as it left it."""
        after, again = before.exchange(), None
        try:
            self.begin(arguments)
            for memory in self.memories:
                if memory.kind == "made":
                    start = self.starts[id(memory)]
                    self.arena.block[start : start + memory.size] = 0xFF  # NaN, as floats
            for call in self.first:
                call()
            again = self.go_on()
        except Exception as error:
            return f"what is noted can not be repeated: {type(error).__name__}: {error}"
        finally:
            repeated = after.exchange()
        what = repeated.differs(after)
        if what is None and not alike(arrays_of(again), arrays_of(result)):
            what = "the result"
        return None if what is None else f"{what} is not the same when the list is repeated"

    # ---------------------------------------------------------------- repeating

    def starts_alike(self) -> bool:
        """Whether the same tensors require gradients, and have some from before, as when the list was made."""
        for leaf, flag in self.flags:
            if leaf.requires_grad is not flag or (leaf_hooks and leaf_hooks.get(id(leaf))):
                return False
        return all((leaf._grad is not None) is had for leaf, had in self.inherited)

    def fits(self) -> bool:
        """Whether the memory from outside is where it was, and gradients are as they were at the start."""
        if any(reference() is None for reference in self.weak):
            return False
        for leaf in self.takers:
            if leaf.grad_place is None or is_held(leaf):
                return False
        for leaf, data, flat in self.leaves:
            place = leaf.grad_place
            if leaf.data is not data or (place is None) != (flat is None):
                return False
            if flat is not None and place is not None and owner(place.data) is not flat():
                return False
        return True

    def begin(self, arguments: Sequence[np.ndarray]) -> bool:
        """Take the arguments in, and do what can fail by them; False: it failed, and nothing else was done."""
        if self.version != self.arena.version:
            self.arena.reserve(self.size)
            self.version = self.arena.version
            layout = Layout(self.arena, self.starts, self.buffers)
            calls = [item.bound(layout) for item in self.items]
            self.first, self.rest = calls[: self.early], joined(calls[self.early :])
            for entry in found(self.result, Entry):
                entry.array = layout(entry.place) if isinstance(entry.place, Place) else entry.place
        for buffer, array in zip(self.arguments, arguments, strict=True):
            np.copyto(buffer, array)
        try:
            for call in self.first:
                call()
        except Exception:
            return False
        return True

    def go_on(self) -> Any:
        """The rest of the list; the step's result."""
        with np.errstate(all="ignore"):
            for call in self.rest:
                if call() is True:  # what a kernel says when it could not get memory
                    raise MemoryError("record: a kernel could not get memory")
        return self.results()

    def results(self) -> Any:
        """The result, in memory of its own."""

        def change(entry: Any) -> Any:
            if isinstance(entry, Number):
                return entry.item.result
            array = entry.array.copy()
            return array if entry.kind is np.ndarray else Tensor(array)

        return mapped(self.result, (Entry, Number), change)


def whole_graph(node: Function) -> bool:
    """Whether a backward from here would still work: no node behind has been released."""
    try:
        reachable([(node, Tensor(np.zeros(0)))])
    except GraphFreedError:
        return False
    return not node.freed


def arrays_of(result: Any) -> list[np.ndarray]:
    """All arrays in a result, and numbers as arrays."""
    values = found(result, (Tensor, np.ndarray, float))
    return [np.asarray(value.data if isinstance(value, Tensor) else value) for value in values]


def only_arguments(item: Made) -> bool:
    """Whether an item makes its array of the step's arguments alone, so that it can be done first."""
    return not item.draws and all(place.memory.kind == "argument" for place in found(item.arguments, Place))
