"""What a step consists of: the items of the list that a recorded step goes through.

An item refers to arrays by their Place in a Memory, not by themselves: where a step's own memory lies is planned when
the list is complete (`plan.py`). `bound` then makes of an item a function without arguments.
"""

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.leaves import Written
from minigen.autograd.modes import sweeping
from minigen.autograd.tensor import Tensor
from minigen.errors import ArgumentError, MinigenError, ShapeError


@dataclass(eq=False)
class Memory:
    """The memory of an array that owns it, and of all that are parts of it.

    kind: "made" in the step; an "argument" of it; "constant", made of shapes and numbers; from "outside", where it was
    before the step and will be. known: its values come from an item, or from outside.
    """

    size: int  # bytes
    owner: "weakref.ref[np.ndarray]"
    kind: str = "made"
    known: bool = False
    array: np.ndarray | None = None  # itself, unless the step's own
    first: int = -1  # items between which it is used
    last: int = -1


class Place(NamedTuple):
    """An array: where it begins in its memory, in bytes, and its form."""

    memory: Memory
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype


Resolve = Callable[[Place], np.ndarray]


def is_tuple(value: Any) -> bool:
    """Whether it is a plain tuple, or a named one."""
    return type(value) is tuple or (isinstance(value, tuple) and hasattr(type(value), "_fields"))


def tuple_like(value: Any, items: list[Any]) -> Any:
    """A tuple of that kind."""
    return tuple(items) if type(value) is tuple else type(value)(*items)


def mapped(value: Any, kind: type | tuple[type, ...], change: Callable[[Any], Any]) -> Any:
    """`value` with everything of that kind in it changed, at any depth of tuples, lists and dicts."""
    if isinstance(value, kind):
        return change(value)
    if is_tuple(value):
        return tuple_like(value, [mapped(item, kind, change) for item in value])
    if type(value) is list:
        return [mapped(item, kind, change) for item in value]
    if type(value) is dict:
        return {name: mapped(item, kind, change) for name, item in value.items()}
    return value


def found(value: Any, kind: type | tuple[type, ...]) -> list[Any]:
    """Everything of that kind in `value`, at any depth of tuples, lists and dicts."""
    everything: list[Any] = []
    mapped(value, kind, everything.append)
    return everything


class Item:
    """One entry of the list."""

    def places(self) -> list[Place]:
        """The arrays that it reads or writes."""
        raise NotImplementedError

    def bound(self, resolve: Resolve) -> Callable[[], Any]:
        """The function that does it, with arrays in the place of Places."""
        raise NotImplementedError


@dataclass(eq=False)
class Call(Item):
    """function(*arguments), which writes into arrays among them: a kernel, or a function of NumPy."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def places(self) -> list[Place]:
        return found(self.arguments, Place)

    def bound(self, resolve: Resolve) -> Callable[[], Any]:
        return partial(self.function, *mapped(self.arguments, Place, resolve))


@dataclass(eq=False)
class Made(Item):
    """place = make(*arguments): random numbers, or a conversion."""

    place: Place
    make: Callable[..., np.ndarray]
    arguments: tuple[Any, ...]

    def places(self) -> list[Place]:
        return found((self.place, self.arguments), Place)

    @property
    def draws(self) -> bool:
        """Whether it draws from a generator, and so must keep its turn."""
        return bool(found(self.arguments, np.random.Generator))

    def bound(self, resolve: Resolve) -> Callable[[], Any]:
        target, arguments = resolve(self.place), mapped(self.arguments, Place, resolve)
        return lambda: np.copyto(target, self.make(*arguments))


@dataclass(eq=False)
class Host(Item):
    """function(*arguments), in Python: an optimizer's step, the norm of gradients; `result` is what it gave last."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    result: Any = None

    def places(self) -> list[Place]:
        return found(self.arguments, Place)

    def bound(self, resolve: Resolve) -> Callable[[], Any]:
        arguments = mapped(self.arguments, Place, resolve)

        def run() -> None:
            self.result = self.function(*arguments)

        return run


@dataclass(eq=False)
class Forward(Item):
    """The forward of a Function, called again as it is; the results are copied to their places."""

    kind: type[Function]
    options: dict[str, Any]  # what the instance held before
    inputs: list[Place]
    outputs: list[Place]
    copied: list[bool]  # whether an output has memory of its own
    edges: tuple[Any, ...] = ()  # the leaves among what made the inputs; None for the rest
    node: Function | None = None  # of the present step

    def places(self) -> list[Place]:
        return found((self.inputs, self.outputs, self.options), Place)

    def bound(self, resolve: Resolve) -> Callable[[], Any]:
        options, edges = mapped(self.options, Place, resolve), self.edges
        inputs, outputs = [resolve(place) for place in self.inputs], [resolve(place) for place in self.outputs]
        version = [0]

        def run() -> None:
            node = self.node = self.kind.__new__(self.kind)
            node.__dict__.update(options)
            try:
                results = node.forward(*inputs)
            except (IndexError, ValueError) as error:  # NumPy's, which the operation around would explain
                if isinstance(error, MinigenError):
                    raise
                kind = ShapeError if isinstance(error, IndexError) else ArgumentError
                raise kind(f"{node.name.lower()}: {error}") from error
            for target, y, copied in zip(
                outputs, results if isinstance(results, tuple) else (results,), self.copied, strict=True
            ):
                if copied:
                    np.copyto(target, y)
            node.edges, node.shape, node.dtype = edges, outputs[0].shape, outputs[0].dtype
            node._inputs = {i: (inputs[i], edges[i] if edges else None, version, 0) for i in node._keep_inputs}
            node._outputs = {i: (outputs[i], None, version, 0) for i in node._keep_outputs}

        return run


@dataclass(eq=False)
class Backward(Item):
    """The backward of a Function, called again as it is; gradients are copied to their places."""

    forward: Forward
    gys: list[Place | None]
    gradients: list[Place | None]  # None where there is none, or it goes straight to its leaf's place
    copied: list[bool]
    collecting: bool
    saved: list[Place] = field(default_factory=list)
    needs: tuple[bool, ...] = ()

    def places(self) -> list[Place]:
        return found((self.gys, self.gradients, self.saved, self.forward.options), Place)

    def bound(self, resolve: Resolve) -> Callable[[], Any]:
        gys = [None if place is None else resolve(place) for place in self.gys]
        targets = [None if place is None else resolve(place) for place in self.gradients]

        def run() -> None:
            node = self.forward.node
            assert node is not None
            node.needs = self.needs
            with sweeping(False, self.collecting):
                gradients = node.backward(*[None if gy is None else Tensor(gy) for gy in gys])
            self.forward.node = None
            for target, g, copied in zip(targets, gradients, self.copied, strict=True):
                if copied and target is not None and g is not None and type(g) is not Written:
                    np.copyto(target, g.data)

        return run


@dataclass(eq=False)
class Operation:
    """A forward or a backward: the items that do what it does, or itself as one item."""

    items: "list[Item | Operation]"
    whole: Forward | Backward | None = None
    by_host: bool = False

    def flat(self) -> Iterator[Item]:
        """The items, one after the other."""
        if self.by_host:
            assert self.whole is not None
            yield self.whole
            return
        for item in self.items:
            if isinstance(item, Operation):
                yield from item.flat()
            else:
                yield item
