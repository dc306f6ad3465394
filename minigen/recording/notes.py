"""Taking notes: a step runs as it is, and every operation becomes an item of the list (`items.py`).

An operation (a forward, or the backward of a node) tells of its kernels, and may do other things besides. So it is
tried before its notes are believed (`trial.py`): on other numbers, on NaN and on zeros, with everything that it made
overwritten, the kernels alone have to give the bits that the operation gives. Otherwise the operation itself becomes
the item, and is called again as a whole.

What no operation made, and what was not there when the step ran the time before, comes from somewhere that a list
does not know: `refuse` says so.
"""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.fused import FusedFunction
from minigen.autograd.hooks import leaf_hooks
from minigen.autograd.leaves import Destination, Written
from minigen.autograd.modes import modes
from minigen.autograd.observe import Observer
from minigen.autograd.tensor import Tensor
from minigen.kernels.tile.workspace import workspaces
from minigen.recording.items import Backward, Call, Forward, Host, Made, Memory, Operation, Place, found, mapped
from minigen.recording.number import Given
from minigen.recording.trial import Trial

Outside = dict[int, "weakref.ref[np.ndarray]"]  # by id: arrays that own their memory, and are there between two calls


def owner(array: np.ndarray) -> np.ndarray:
    """The array that owns the memory of this one."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def address(array: np.ndarray) -> int:
    """Where the first element lies."""
    return array.__array_interface__["data"][0]


def foreign(node: Function) -> bool:
    """Whether an operation is not one of minigen's own, and may do anything: it is called again as a whole."""
    module = type(node).__module__
    return not module.startswith("minigen.") or module.startswith("minigen.models.")


@dataclass(eq=False)
class Frame:
    """An operation that is running."""

    node: Function
    backward: bool
    options: dict[str, Any]  # what the node held before
    arrays: list[np.ndarray | None]  # the inputs of a forward, the gradients that a backward is given
    calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] | None  # told so far; None: it consists of operations
    items: list[Any] = field(default_factory=list)
    leaves: list[tuple[Tensor, np.ndarray]] = field(default_factory=list)  # and what was in their places
    destinations: dict[int, Destination] = field(default_factory=dict)
    whole: bool = False  # its parts can not stand for it


class Notes(Observer):
    """The list of one run of a step.

    arguments: the arrays that the step is given. first: the notes of the run before; None in the first run, from which
    is only learned what was there before and after it.
    """

    def __init__(self, arguments: Sequence[np.ndarray], first: "Notes | None") -> None:
        self.memories: dict[int, Memory] = {}
        self.items: list[Any] = []
        self.before = None if first is None else first.outside
        self.flags = [] if first is None else [(leaf, leaf.requires_grad) for leaf in first.leaves.values()]
        self.outside: Outside = {}
        self.frames: list[Frame] = []
        self.forwards: dict[int, tuple[Function, Operation]] = {}
        self.leaves: dict[int, Tensor] = {}  # parameters, and other tensors from outside, that were used
        self.inherited: dict[int, tuple[Tensor, bool]] = {}  # leaves, and whether they had a gradient from before
        self.cleared: set[int] = set()  # leaves whose gradient the step has dropped
        self.hosts: list[Any] = []  # optimizers and others that change in a step
        self.generators: dict[int, np.random.Generator] = {}
        self.drawn: dict[int, tuple[np.random.Generator, Any]] = {}  # and the state after the last draw that was told
        self.around: list[np.ndarray] = []  # arrays that the step can read by name
        self.gradients: set[int] = set()  # ids of memories that hold gradients of leaves
        self.problem: str | None = None
        self.strange = False  # the problem is an array that was not there in the run before: it may be in the next
        for array in arguments:
            self.enter(owner(array), "argument").known = True

    # ---------------------------------------------------------------- memory

    def enter(self, base: np.ndarray, kind: str) -> Memory:
        """A memory that was not met before."""
        memory = Memory(base.nbytes, weakref.ref(base), kind, kind != "made")
        self.memories[id(base)] = memory
        return memory

    def memory(self, array: np.ndarray) -> Memory:
        """The memory that an array lies in."""
        base = owner(array)
        memory = self.memories.get(id(base))
        if memory is not None and memory.owner() is base:
            return memory
        if base is owner(workspaces.own.memory):
            memory = self.enter(base, "made")
            memory.known, memory.size = True, 0  # it may be larger than this step needs it
            return memory
        self.outside[id(base)] = weakref.ref(base)
        there = self.before is not None and (reference := self.before.get(id(base))) is not None and reference() is base
        return self.enter(base, "outside" if there else "made")

    def place(self, array: np.ndarray) -> Any:
        """The place of an array; of one without elements itself."""
        if not array.size:
            return array
        memory, offset = self.memory(array), address(array) - address(owner(array))
        reach = sum((n - 1) * step for n, step in zip(array.shape, array.strides, strict=True) if step > 0)
        memory.size = max(memory.size, offset + reach + array.itemsize)
        return Place(memory, offset, array.shape, array.strides, array.dtype)

    def unheld(self, array: np.ndarray) -> Any:
        """A Place for an array from outside, since a gradient moves when somebody holds a part of it."""
        return self.place(array) if array.size and self.memory(array).kind == "outside" else array

    def placed(self, value: Any) -> Any:
        """`value` with Places for arrays."""
        return mapped(value, np.ndarray, self.place)

    def known(self, array: np.ndarray) -> bool:
        """Whether the values of an array come from items, or from outside."""
        return not array.size or self.memory(array).known

    def learn(self, values: Any) -> None:
        """What is in these arrays comes from an item."""
        for array in found(values, np.ndarray):
            if array.size:
                self.memory(array).known = True

    # ---------------------------------------------------------------- what is told

    def refuse(self, reason: str) -> None:
        self.problem = self.problem or reason

    def add(self, item: Any) -> None:
        """An item, or an operation, of the operation that is running, or of the step itself."""
        (self.frames[-1].items if self.frames else self.items).append(item)

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        if self.frames and (calls := self.frames[-1].calls) is not None:
            if self.before is None:
                for array in found(arguments, np.ndarray):
                    self.known(array)
            else:
                calls.append((function, mapped(arguments, np.ndarray, self.unheld)))
            return
        self.add(Call(function, self.placed(arguments)))
        self.learn(arguments)

    def made(self, array: np.ndarray, make: Callable[..., np.ndarray], arguments: tuple[Any, ...]) -> None:
        for generator in found(arguments, np.random.Generator):
            self.generators[id(generator)] = generator
            self.drawn[id(generator)] = generator, generator.bit_generator.state
        self.require(arguments, make.__name__)
        self.add(Made(self.place(array), make, self.placed(arguments)))
        self.learn(array)

    def host(self, function: Callable[..., Any], arguments: tuple[Any, ...], result: Any) -> Any:
        if found(arguments, Given):
            self.refuse("a number that the step computes is used in Python; return it")
        self.require(arguments, getattr(function, "__name__", "a call of Python"))
        for value in arguments:
            if hasattr(value, "state_dict"):
                self.hosts.append(value)
                if getattr(function, "__name__", "") == "zero_grad":
                    parameters: Any = value.parameters() if callable(value.parameters) else value.parameters
                    self.cleared |= {id(p) for p in parameters if id(p) not in self.inherited}
            elif isinstance(value, Tensor) and value.grad_place is not None:
                place = self.memory(value.grad_place.data)
                self.gradients.add(id(place))
                if self.before is not None and place.kind != "outside":
                    self.refuse("the gradient of a parameter has moved, as somebody holds an earlier one; let it go")
        result = Given(result) if isinstance(result, float) else result
        self.add(Host(function, self.placed(arguments), result))
        return result

    def follow(self, generator: np.random.Generator) -> None:
        """See to it that this generator is drawn from by what is told alone."""
        self.drawn.setdefault(id(generator), (generator, generator.bit_generator.state))

    def stand_by(self, array: np.ndarray) -> None:
        """An array around the step, which may not change in it but by what is told."""
        self.around.append(array)
        self.outside.setdefault(id(owner(array)), weakref.ref(owner(array)))

    def constant(self, array: np.ndarray) -> None:
        memory = self.memory(array)
        if memory.kind == "made":
            memory.kind, memory.known, memory.array = "constant", True, owner(array)

    def outside_of(self, x: Tensor) -> bool:
        """Whether a tensor was there before the step; in the first run, whether it may have been.

        It is kept, so that what operations have made is not: a sweep would keep all its gradients.
        """
        memory = self.memory(x.data)
        if self.before is not None:
            return memory.kind == "outside"
        return memory.kind == "made" and (x.requires_grad or not memory.known)

    def require(self, values: Any, name: str) -> None:
        """Refuse unless all arrays in `values` are known."""
        for array in found(values, np.ndarray):
            if not self.known(array):
                self.unknown(f"{name} is given an array {array.shape} {array.dtype}")

    def unknown(self, what: str) -> None:
        """Something comes from nowhere: a backward that it is part of is called again as a whole, else refuse."""
        for frame in reversed(self.frames):
            if frame.calls is None:
                frame.whole = True
                return
        if self.before is not None:
            self.strange = True
            self.refuse(
                f"{what} that the step made in NumPy, or elsewhere; pass it to the step, use operations of minigen, or "
                "draw it by mg.rand or mg.randn with rng=…"
            )

    # ---------------------------------------------------------------- operations

    def function_starts(self, node: Function, inputs: Sequence[Tensor]) -> None:
        for x in inputs:
            if x.node is None and id(x) not in self.leaves and x.data.size and self.outside_of(x):
                self.leaves[id(x)] = x
        self.frames.append(Frame(node, False, dict(node.__dict__), [x.data for x in inputs], []))

    def function_ends(self, node: Function, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        frame, results = self.frames.pop(), [y.data for y in outputs]
        given = [x for x in frame.arrays if x is not None]
        for i, x in enumerate(given):
            if not self.known(x):
                self.unknown(f"{node.name}: input {i}, {x.shape} {x.dtype}, is an array")
        options = {name: value for name, value in frame.options.items() if name != "destination"}
        operation = self.operation(frame, results)
        own = [self.memory(y) for y in results if y.size]
        whole = Forward(
            type(node),
            self.placed(options),
            [self.place(x) for x in given],
            [self.place(y) for y in results],
            [bool(y.size) and not any(self.memory(y) is self.memory(x) for x in given if x.size) for y in results],
            tuple([edge if isinstance(edge, Tensor) else None for edge in node.edges]),
        )
        operation.whole = whole
        for memory in own:
            memory.known = True
        if operation.by_host:
            self.require(options, f"{node.name}: an option")
        if True in node.needs:
            self.forwards[id(node)] = node, operation
        self.add(operation)

    def operation(self, frame: Frame, results: list[np.ndarray]) -> Operation:
        """The operation of kernels alone, if a trial says that they are all of it; else one to be called again."""
        calls = frame.calls
        assert calls is not None
        if self.before is None:
            return Operation([], None, True)
        bases = {
            id(base): base for value in (calls, results) for x in found(value, np.ndarray) if (base := owner(x)).size
        }
        fresh = [base for base in bases.values() if not self.known(base)]
        if foreign(frame.node) or not Trial(frame.node, frame, results, fresh).agrees():
            return Operation([], None, True)
        items: list[Any] = []
        for function, arguments in calls:
            items.append(Call(function, self.placed(arguments)))
            self.learn(arguments)
        return Operation(items)

    def backward_starts(self, node: Function, gys: Sequence[Tensor | None]) -> None:
        if node.watch is not None:
            self.refuse(f"{node.name}: hooks, or retain_grad, wait for the gradient of its output")
        for edge in node.edges:
            if isinstance(edge, Tensor) and modes.collecting and id(edge) in self.leaves.keys() - self.cleared:
                self.inherited.setdefault(id(edge), (edge, edge._grad is not None))
        fused = type(node).backward is FusedFunction.backward and not modes.recording
        arrays = [None if gy is None else gy.data for gy in gys]
        frame = Frame(node, True, dict(node.__dict__), arrays, [] if fused else None)
        if fused:
            for edge in node.edges:
                if isinstance(edge, Tensor) and edge.grad_place is not None:
                    frame.leaves.append((edge, edge.grad_place.data.copy()))  # the place itself must not be held
            real = node.destination  # pyright: ignore[reportAttributeAccessIssue]

            def destination(index: int) -> Destination:
                frame.destinations[index] = real(index)
                return frame.destinations[index]

            node.__dict__["destination"] = destination
        self.frames.append(frame)

    def backward_ends(self, node: Function, gys: Sequence[Tensor | None], gxs: Sequence[Tensor | None] | None) -> None:
        frame = self.frames.pop()
        node.__dict__.pop("destination", None)
        if gxs is None:  # it raised
            return
        needed = [g if need else None for g, need in zip(gxs, node.needs, strict=True)]
        results = [g.data for g in needed if g is not None and type(g) is not Written]
        if frame.calls is None:
            operation = Operation(frame.items)
            whole = frame.whole or foreign(node) or not all(map(self.known, results))
            operation.by_host = whole
            if whole and modes.recording and self.before is not None:
                self.refuse(f"{node.name}: its gradient is computed in NumPy, and is to be differentiated again")
        else:
            operation = self.operation(frame, results)
        self.finish_backward(frame, operation, gys, needed)
        self.add(operation)

    def finish_backward(
        self, frame: Frame, operation: Operation, gys: Sequence[Tensor | None], needed: Sequence[Tensor | None]
    ) -> None:
        """Note how the backward is called again as a whole, and that its forward is then called again too."""
        node = frame.node
        before = [None if gy is None else self.place(gy.data) for gy in gys]
        given = [gy.data for gy in gys if gy is not None]
        given += [kept[0] for kept in (*node._inputs.values(), *node._outputs.values())]
        there = {id(self.memory(array)) for array in given if array.size}
        copied = [
            g is not None
            and type(g) is not Written
            and bool(g.size)
            and id(memory := self.memory(g.data)) not in there
            and memory.kind == "made"
            for g in needed
        ]
        if operation.by_host and self.before is not None and id(node) not in self.forwards:
            self.refuse(f"{node.name}: its forward is not part of the step")
        elif operation.by_host and self.before is not None:
            forward = self.forwards[id(node)][1]
            if not forward.by_host:
                forward.by_host = True
                assert isinstance(forward.whole, Forward)
            whole = forward.whole
            assert isinstance(whole, Forward)
            saved = [self.place(kept[0]) for kept in (*node._inputs.values(), *node._outputs.values())]
            operation.whole = Backward(
                whole,
                before,
                [None if g is None or type(g) is Written else self.place(g.data) for g in needed],
                copied,
                modes.collecting,
                [place for place in saved if isinstance(place, Place)],
                node.needs,
            )
        for g in needed:
            if g is not None:
                self.learn(g.data)
        for edge in node.edges:
            if isinstance(edge, Tensor) and leaf_hooks and leaf_hooks.get(id(edge)):
                self.refuse(f"{node.name}: a leaf has hooks")
