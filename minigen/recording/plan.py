"""Where the memory of a recorded step lies, and its list as functions without arguments.

Memory is used from the first item that touches it to the last. What is not used at the same time may share a place in
one block, the arena: it is as large as a step needs at once, not as all that it makes.
"""

import contextlib
import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigen.recording.items import Item, Memory, Place

LINE_BYTES = 64  # of the cache: everything begins at one


def used(items: Sequence[Item], results: Sequence[Place]) -> list[Memory]:
    """The step's own memories, with the items between which each is used; those of results to the end."""
    found: dict[int, Memory] = {}
    for i, item in enumerate(items):
        for place in item.places():
            memory = place.memory
            if id(memory) not in found:
                found[id(memory)], memory.first = memory, i
            memory.last = i
    for place in results:
        if id(place.memory) not in found:
            found[id(place.memory)], place.memory.first = place.memory, 0
        place.memory.last = len(items)
    return list(found.values())


def planned(memories: Sequence[Memory]) -> tuple[dict[int, int], int]:
    """(where each of the step's own memories begins in the arena, by id; the size of the arena), in bytes."""
    own = sorted((memory for memory in memories if memory.kind == "made"), key=lambda memory: memory.first)
    starts: dict[int, int] = {}
    living: list[tuple[int, int, int]] = []  # (start, end, last item) by start
    size = 0
    for memory in own:
        living = [entry for entry in living if entry[2] >= memory.first]
        bytes_ = -(-memory.size // LINE_BYTES) * LINE_BYTES
        best, before = None, 0
        for start, end, _ in [*living, (size, size, 0)]:
            gap = start - before
            if gap >= bytes_ and (best is None or gap < best[1]):
                best = before, gap
            before = max(before, end)
        place = before_end(living) if best is None else best[0]
        starts[id(memory)] = place
        living.append((place, place + bytes_, memory.last))
        living.sort()
        size = max(size, place + bytes_)
    return starts, size


def before_end(living: list[tuple[int, int, int]]) -> int:
    """Behind everything that lives."""
    return max((end for _, end, _ in living), default=0)


class Arena:
    """A block of memory that begins at a line of the cache; it grows, and arrays in the former one are then stale."""

    def __init__(self) -> None:
        self.block = np.empty(0, np.uint8)
        self.version = 0

    def reserve(self, size: int) -> None:
        """Make it at least so large."""
        if self.block.size < size:
            give_back()  # what the run that was noted has left free would lie beside the arena, unused
            memory = np.empty(size + LINE_BYTES, np.uint8)
            self.block = memory[-memory.ctypes.data % LINE_BYTES :][:size]
            self.version += 1


def give_back() -> None:
    """Have glibc's malloc give freed memory back to the system, which it keeps for the arrays of steps in Python."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


class Layout:
    """Resolves places: to arrays in the arena, in the arguments' own buffers, or where memory from outside lies."""

    def __init__(self, arena: Arena, starts: dict[int, int], buffers: dict[int, np.ndarray]) -> None:
        self.arena, self.starts, self.buffers = arena, starts, buffers

    def __call__(self, place: Any) -> np.ndarray:
        if not isinstance(place, Place):  # an array without elements
            return place
        memory = place.memory
        if memory.kind == "made":
            block, start = self.arena.block, self.starts[id(memory)]
            return np.ndarray(place.shape, place.dtype, block, start + place.offset, place.strides)
        if memory.kind == "argument":
            return np.ndarray(place.shape, place.dtype, self.buffers[id(memory)], place.offset, place.strides)
        if memory.kind == "constant":
            assert memory.array is not None
            return view(memory.array, place)
        array = memory.owner()
        assert array is not None
        return view(array, place)


def view(owner: np.ndarray, place: Place) -> np.ndarray:
    """An array over memory that somebody else keeps alive: it does not count as one who holds it."""
    block: Any = (ctypes.c_char * owner.nbytes).from_address(owner.__array_interface__["data"][0])
    return np.ndarray(place.shape, place.dtype, block, place.offset, place.strides)
