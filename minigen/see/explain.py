"""Where a number comes from: `print(mg.explain(loss))`, or `print(mg.explain(step, x))` to see the lines as well.

How much something contributes is its gradient times itself, summed: to first order, by how much the number would change
if that were 0 (K. Simonyan, A. Vedaldi, A. Zisserman 2014, Deep inside convolutional networks, section 3; A. Shrikumar,
P. Greenside, A. Kundaje 2017, https://arxiv.org/abs/1704.02685, section 3.2).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from minigen.autograd.engine import grad
from minigen.autograd.tensor import Tensor
from minigen.errors import ArgumentError
from minigen.layers.module import Module
from minigen.see.graph import Box, behind, heard, parameter_names, walked

MOST = 30  # operations and tensors that are listed


class Source(NamedTuple):
    """A tensor from outside: its name, the norm of the gradient by it, and what it contributes to first order."""

    name: str
    shape: tuple[int, ...]
    norm: float
    contribution: float


@dataclass
class Explanation:
    """value: the number. operations: those that made it, the last first. sources: what they were made of, by weight."""

    value: float
    operations: list[Box]
    sources: list[Source]

    def __str__(self) -> str:
        lines = [f"{self.value:.6g}, made by {len(self.operations)} operations, the last first:"]
        width = max((len(box.title) for box in self.operations), default=0)
        shapes = [shown(box.shape) for box in self.operations[:MOST]]
        for box, shape in zip(self.operations, shapes, strict=False):
            where = " · ".join(filter(None, [".".join(box.module), box.line]))
            lines.append(f"  {box.title:<{width}}  {shape:<{max(map(len, shapes))}}  {where}".rstrip())
        lines += [f"  and {len(self.operations) - MOST} more"] * (len(self.operations) > MOST)
        lines.append("made of, with the norm of the gradient, and what each contributes to first order:")
        names = [f"{source.name} {shown(source.shape)}" for source in self.sources[:MOST]]
        for name, source in zip(names, self.sources, strict=False):
            lines.append(f"  {name:<{max(map(len, names))}}  {source.norm:10.4g}  {source.contribution:+10.4g}")
        lines += [f"  and {len(self.sources) - MOST} more"] * (len(self.sources) > MOST)
        return "\n".join(lines)


def explain(what: Tensor | Callable[..., Any], *arguments: Any, model: Module | None = None) -> Explanation:
    """Which operations made a number, where, of what, and how much each of these contributes to it.

    what: a tensor of one element that was computed, such as a loss or y[0, 3], whose graph backward has not released;
    or a function that computes one and is called, so that lines and modules are known, too. model: whose names
    parameters have. Raises ArgumentError for anything else, GraphFreedError for a graph that backward has released.
    """
    names = parameter_names(model)
    if isinstance(what, Tensor):
        if arguments:
            raise ArgumentError("explain: a tensor takes no arguments; pass a function to call it with them")
        y, boxes = what, walked(what, names)
    elif callable(what):
        boxes, y = heard(what, arguments, names)
        if not isinstance(y, Tensor):
            raise ArgumentError(f"explain: the function gave {type(y).__name__}; let it return the tensor to explain")
        boxes = behind(boxes, y)
    else:
        raise ArgumentError(f"explain: got {type(what).__name__}; pass a tensor, or a function that computes one")
    if y.size != 1:
        raise ArgumentError(f"explain: the tensor is {y.shape}; pick one number of it, as in y[0], or take a mean")
    operations = [box for box in reversed(boxes) if box.kind == "operation"]
    return Explanation(y.item(), operations, sources(y, [box for box in boxes if box.kind != "operation"]))


def sources(y: Tensor, leaves: Sequence[Box]) -> list[Source]:
    """What each leaf that requires a gradient contributes, the most first."""
    tensors = [box.tensor for box in leaves if box.tensor is not None and box.tensor.requires_grad]
    boxes = [box for box in leaves if box.tensor is not None and box.tensor.requires_grad]
    gradients = grad(y, tensors, retain_graph=True, allow_unused=True) if y.requires_grad and tensors else ()
    found = []
    for box, x, g in zip(boxes, tensors, gradients, strict=True):
        if g is not None:
            name = ".".join((*box.module, box.title))
            norm, product = np.linalg.norm(g.data), (g.data * x.data).sum(dtype=np.float64)
            found.append(Source(name, x.shape, float(norm), float(product)))
    return sorted(found, key=lambda source: -abs(source.contribution))


def shown(shape: tuple[int, ...]) -> str:
    """64 × 10, or scalar."""
    return " × ".join(map(str, shape)) if shape else "scalar"
