"""A computation as boxes and lines: what `draw` shows, found by walking a graph, or by listening while it is made."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, Literal

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.modes import modes
from minigen.autograd.observe import Observer, observe, user_line
from minigen.autograd.tensor import Tensor
from minigen.errors import ArgumentError
from minigen.layers.module import Module, Parameter

Kind = Literal["operation", "parameter", "input", "group"]


@dataclass
class Box:
    """An operation, a tensor from outside, or a group of operations, and what it is made of."""

    kind: Kind
    title: str
    shape: tuple[int, ...] = ()
    dtype: str = ""
    module: tuple[str, ...] = ()  # names from the outermost module inwards
    inputs: list[int] = field(default_factory=list)  # numbers of boxes
    value: np.ndarray | None = None
    gradient: np.ndarray | None = None
    seconds: float = 0.0  # of the forward, as far as it was heard
    backward_seconds: float = 0.0
    bytes: int = 0  # of the result
    operations: int = 1  # in a group
    line: str = ""  # of the user's code, as far as it was heard
    tensor: Tensor | None = None  # of one from outside


# ---------------------------------------------------------------- walking


def walked(y: Tensor, names: dict[int, str]) -> list[Box]:
    """The boxes behind a tensor, each after those that it is made of. names: of parameters, by id."""
    boxes: list[Box] = []
    numbers: dict[int, int] = {}
    waiting: list[Any] = [y.node or y]
    while waiting:
        edge = waiting[-1]
        if isinstance(edge, Function):
            edge.check_alive()
        before = list(dict.fromkeys(other for other in getattr(edge, "edges", ()) if other is not None))
        missing = [other for other in before if id(other) not in numbers]
        if id(edge) in numbers:
            waiting.pop()
        elif missing:
            waiting += reversed(missing)
        else:
            waiting.pop()
            numbers[id(edge)] = len(boxes)
            boxes.append(leaf(edge, names) if isinstance(edge, Tensor) else operation(edge))
            boxes[-1].inputs = [numbers[id(other)] for other in before]
    if y.node is not None:
        boxes[-1].value = y.data
    return boxes


def leaf(x: Tensor, names: dict[int, str]) -> Box:
    """A tensor that no operation made."""
    name = names.get(id(x))
    kind: Kind = "parameter" if name or isinstance(x, Parameter) else "input"
    gradient = None if x.grad is None else x.grad.data
    module = tuple((name or "").split(".")[:-1])
    title = (name or kind).split(".")[-1]
    return Box(kind, title, x.shape, str(x.dtype), module, [], x.data, gradient, bytes=x.data.nbytes, tensor=x)


def operation(node: Function) -> Box:
    """One node of a graph."""
    count = int(np.prod(node.shape))
    return Box("operation", node.name, node.shape, str(node.dtype), bytes=count * node.dtype.itemsize)


# ---------------------------------------------------------------- listening


class Listener(Observer):
    """Makes a box of each operation as it ends, outside backward, or inside one that is recorded itself."""

    def __init__(self, names: dict[int, str]) -> None:
        self.names = names
        self.boxes: list[Box] = []
        self.made: dict[int, int] = {}  # the box of a result, by the id of its array
        self.nodes: dict[int, int] = {}  # the box of a node, by its id
        self.kept: list[Any] = []  # so that ids stay those of what they were
        self.paths: dict[int, tuple[str, ...]] = {}
        self.modules: list[tuple[str, ...]] = []
        self.sweep: list[tuple[Function, float]] = []
        self.began = 0.0

    def module_starts(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if id(module) not in self.paths:
            root = type(module).__name__
            for name, part in module.named_modules():
                self.paths.setdefault(id(part), (root, *filter(None, name.split("."))))
            for name, parameter in module.named_parameters():
                self.names.setdefault(id(parameter), f"{root}.{name}")
        self.modules.append(self.paths[id(module)])

    def module_ends(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        self.modules.pop()

    def function_starts(self, node: Function, inputs: Sequence[Tensor]) -> None:
        self.began = perf_counter()

    def function_ends(self, node: Function, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        seconds = perf_counter() - self.began
        if self.sweep and not modes.recording:
            return
        first = outputs[0]
        box = Box("operation", node.name, first.shape, str(first.dtype), self.modules[-1] if self.modules else ())
        box.inputs = list(dict.fromkeys(self.box_of(x) for x in inputs))
        box.value, box.seconds, box.bytes = first.data, seconds, sum(y.data.nbytes for y in outputs)
        box.line = user_line()
        self.nodes[id(node)] = len(self.boxes)
        for y in outputs:
            self.made[id(y.data)] = len(self.boxes)
        self.boxes.append(box)
        self.kept += [node, *[y.data for y in outputs]]

    def box_of(self, x: Tensor) -> int:
        """The box that made a tensor; a new one for a tensor from outside."""
        if id(x.data) not in self.made:
            self.made[id(x.data)] = len(self.boxes)
            self.boxes.append(leaf(x, self.names))
            self.kept += [x, x.data]
        return self.made[id(x.data)]

    def backward_starts(self, node: Function, gys: Sequence[Tensor | None]) -> None:
        self.sweep.append((node, perf_counter()))

    def backward_ends(self, node: Function, gys: Sequence[Tensor | None], gxs: Sequence[Tensor | None] | None) -> None:
        _, began = self.sweep.pop()
        if id(node) in self.nodes:
            box = self.boxes[self.nodes[id(node)]]
            box.backward_seconds += perf_counter() - began
            box.gradient = next((g.data for g in gys if g is not None), None)


def heard(function: Callable[..., Any], arguments: Iterable[Any], names: dict[int, str]) -> tuple[list[Box], Any]:
    """The boxes of what function(*arguments) computes, each after those that it is made of, and its result."""
    listener = Listener(names)
    with observe(listener):
        result = function(*arguments)
    for kept in listener.kept:
        if isinstance(kept, Tensor) and kept.grad is not None:
            listener.boxes[listener.made[id(kept.data)]].gradient = kept.grad.data
    return listener.boxes, result


def behind(boxes: Sequence[Box], y: Tensor) -> list[Box]:
    """Only the boxes that a result was made of; none when it was not made by any."""
    last = next((i for i, box in enumerate(boxes) if box.value is y.data), None)
    wanted = set() if last is None else {last}
    for i in sorted(range(len(boxes)), reverse=True):
        if i in wanted:
            wanted.update(boxes[i].inputs)
    return [boxes[i] for i in sorted(wanted)]


# ---------------------------------------------------------------- folding


def folded(boxes: Sequence[Box], most: int) -> list[Box]:
    """At most about `most` boxes: modules closed from the innermost outwards, then chains of operations as one."""
    deepest = max((len(box.module) for box in boxes), default=0)
    found = list(boxes)
    for depth in range(deepest, 0, -1):
        if len(found) <= most:
            return found
        found = by_module(boxes, depth)
    return found if len(found) <= most else by_chain(found)


def by_module(boxes: Sequence[Box], depth: int) -> list[Box]:
    """Boxes of one module, down to a depth, as one; a module that is left and entered again is several."""
    targets: dict[int, int] = {}
    open_groups: dict[tuple[str, ...], int] = {}
    uses: dict[int, set[int]] = {}  # by group: those that it is made of
    for i, box in enumerate(boxes):
        made_of = {targets[j] for j in box.inputs}
        head = open_groups.get(box.module[:depth]) if len(box.module) >= depth and box.kind != "input" else None
        if head is None or any(leads(uses, other, head) for other in made_of - {head}):  # or it would close a circle
            head = i
            if len(box.module) >= depth and box.kind != "input":
                open_groups[box.module[:depth]] = i
        targets[i] = head
        uses.setdefault(head, set()).update(made_of - {head})
    return merged(boxes, targets)


def leads(uses: dict[int, set[int]], start: int, end: int) -> bool:
    """Whether one group is made of another, straight or through others."""
    seen, waiting = set(), [start]
    while waiting:
        group = waiting.pop()
        if group == end:
            return True
        if group not in seen:
            seen.add(group)
            waiting += uses[group]
    return False


def by_chain(boxes: Sequence[Box]) -> list[Box]:
    """Operations in a row, each of which is made of the one before and what comes from outside alone, as one."""
    users = np.zeros(len(boxes), int)
    for box in boxes:
        for i in set(box.inputs):
            users[i] += 1
    targets = {i: i for i in range(len(boxes))}
    for i, box in enumerate(boxes):
        before = [j for j in set(box.inputs) if boxes[j].kind in ("operation", "group")]
        if box.kind in ("operation", "group") and len(before) == 1 and users[before[0]] == 1:
            targets[i] = targets[before[0]]
            for j in set(box.inputs) - set(before):
                if users[j] == 1:
                    targets[j] = targets[i]
    return merged(boxes, targets)


def merged(boxes: Sequence[Box], targets: dict[int, int]) -> list[Box]:
    """Boxes with the same target as one, in an order in which each comes after those that it is made of."""
    members: dict[int, list[int]] = {}
    for i, target in targets.items():
        members.setdefault(target, []).append(i)
    before = {
        target: {targets[j] for i in inside for j in boxes[i].inputs if j in targets} - {target}
        for target, inside in members.items()
    }
    numbers: dict[int, int] = {}
    found: list[Box] = []
    waiting = list(members)[::-1]
    while waiting:
        target = waiting[-1]
        missing = [other for other in sorted(before[target]) if other not in numbers]
        if target in numbers or not missing:
            waiting.pop()
        if target in numbers or missing:
            waiting += [] if target in numbers else missing[::-1]
            continue
        numbers[target] = len(found)
        inside = members[target]
        box = boxes[inside[0]] if len(inside) == 1 else group([boxes[i] for i in inside])
        found.append(replace(box, inputs=sorted(numbers[other] for other in before[target])))
    return found


def group(boxes: Sequence[Box]) -> Box:
    """Several boxes as one, which shows the result of the last."""
    last = boxes[-1]
    operations = [box for box in boxes if box.kind != "parameter"]
    common = common_path([box.module for box in boxes])
    title = common[-1] if common else f"{operations[0].title} … {last.title}" if operations else last.title
    return Box(
        "group",
        title,
        last.shape,
        last.dtype,
        common,
        [],
        last.value,
        last.gradient,
        seconds=sum(box.seconds for box in boxes),
        backward_seconds=sum(box.backward_seconds for box in boxes),
        bytes=sum(box.bytes for box in boxes),
        operations=sum(box.operations for box in operations),
    )


def common_path(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The names that all paths begin with."""
    shortest = min(paths, key=len)
    for i, name in enumerate(shortest):
        if any(path[i] != name for path in paths):
            return shortest[:i]
    return shortest


def parameter_names(model: Module | None) -> dict[int, str]:
    """The names of a module's parameters, by id."""
    if model is None:
        return {}
    if not isinstance(model, Module):
        raise ArgumentError(f"model is {type(model).__name__}; pass the Module whose names parameters have")
    return {id(p): f"{type(model).__name__}.{name}" for name, p in model.named_parameters()}
