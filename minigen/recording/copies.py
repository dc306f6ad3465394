"""The arguments of a noted run: copies of arrays, each in memory of its own, in containers of the same form."""

from typing import Any

import numpy as np

from minigen.autograd.tensor import Tensor
from minigen.recording.argument import Argument, copy_like
from minigen.recording.items import is_tuple, tuple_like
from minigen.recording.notes import Notes
from minigen.recording.trial import same_bits

ARRAYS = (np.ndarray, np.generic, Tensor)  # what a list is given anew in each call


class Copies:
    """Copies, and what they stand for. What a step does to them is done to its arguments, and refused."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray] = []  # the copies
        self.originals: list[np.ndarray] = []
        self.values: list[np.ndarray] = []  # what was in them
        self.made: dict[int, tuple[Any, Any]] = {}  # an argument, and what stands for it, by the argument's id
        self.containers: list[tuple[Any, Any, list[Any]]] = []  # a list or dict, its copy, and the copy's items

    def of(self, value: Any) -> Any:
        """What stands for an argument; the same for the same one."""
        if id(value) not in self.made:
            self.made[id(value)] = value, self.copied(value)
        return self.made[id(value)][1]

    def copied(self, value: Any) -> Any:
        """A copy of arrays, and of the containers that are looked into."""
        if isinstance(value, ARRAYS):
            array = np.asarray(value.data if isinstance(value, Tensor) else value)
            copy = copy_like(array)
            self.arrays.append(copy)
            self.originals.append(array)
            self.values.append(copy.copy())
            return Tensor(copy) if isinstance(value, Tensor) else copy.view(Argument)
        if is_tuple(value):
            return tuple_like(value, [self.of(item) for item in value])
        if type(value) is not list and type(value) is not dict:
            return value
        copy: Any = [*map(self.of, value)] if isinstance(value, list) else {n: self.of(v) for n, v in value.items()}
        self.containers.append((value, copy, items_of(copy)))
        return copy

    def give_back(self, notes: Notes) -> None:
        """Let the arguments have what the step has written into their copies, and refuse to repeat that."""
        for original, copy, values in zip(self.originals, self.arrays, self.values, strict=True):
            if not same_bits(copy, values):
                notes.refuse("an argument is written to")
                np.copyto(original, copy)
        back = {id(copy): value for value, copy in self.made.values()}
        for container, copy, items in self.containers:
            now = items_of(copy)
            if len(now) != len(items) or any(a is not b for a, b in zip(now, items, strict=True)):
                notes.refuse("an argument is written to")
                if isinstance(container, list):
                    container[:] = [back.get(id(item), item) for item in copy]
                else:
                    container.clear()
                    container.update({name: back.get(id(item), item) for name, item in copy.items()})


def items_of(container: Any) -> list[Any]:
    """The items of a list, the names and items of a dict."""
    return [*container.keys(), *container.values()] if isinstance(container, dict) else list(container)
