"""One forward, heard: the calls of operations in order, each with the arrays that it was given and that it made.

What is fused is heard as what it is composed of, unless there is a translation of it as a whole.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.fused import FusedFunction
from minigen.autograd.modes import no_grad
from minigen.autograd.observe import Observer, observe
from minigen.autograd.tensor import Tensor
from minigen.errors import ArgumentError


@dataclass
class Call:
    """An operation. node None: the outputs are the inputs, by other names."""

    node: Function | None
    inputs: list[np.ndarray]
    outputs: list[np.ndarray]


@dataclass
class Trace(Observer):
    """Hears a forward. known: whether there is a translation of an operation."""

    known: Callable[[Function], bool]
    calls: list[Call] = field(default_factory=list)

    def function_ends(self, node: Function, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        made = [y.data for y in outputs]
        if self.known(node) or not isinstance(node, FusedFunction):
            self.calls.append(Call(node, [x.data for x in inputs], made))
            return
        parts: Any = node.compose(*inputs)  # whose operations are heard before the next line
        parts = parts if isinstance(parts, tuple) else (parts,)
        self.calls.append(Call(None, [part.data for part in parts], made))


def traced(
    function: Callable[..., Any], arrays: Sequence[np.ndarray], known: Callable[[Function], bool]
) -> tuple[list[Call], list[np.ndarray]]:
    """The calls that function(*arrays) makes, floats given as tensors, and the arrays of its results, flat."""
    trace = Trace(known)
    with no_grad(), observe(trace):
        result = function(*[Tensor(x) if x.dtype.kind == "f" else x for x in arrays])
    return trace.calls, [y.data for y in flat(result)]


def flat(result: Any) -> list[Tensor]:
    """The tensors in a result: one, or tuples and lists of them. Raises ArgumentError for anything else."""
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, (tuple, list)) and result:
        return [y for part in result for y in flat(part)]
    raise ArgumentError(f"to_onnx: the module gives {type(result).__name__}; let it give tensors, or tuples of them")
