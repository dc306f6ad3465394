"""A table of a model: the layers in the order they are called, with shapes, parameters, multiply-adds and memory."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen.autograd.modes import no_grad
from minigen.autograd.observe import Observer, observe
from minigen.autograd.tensor import Tensor
from minigen.config import config
from minigen.errors import ShapeError
from minigen.layers.module import Module

Shape = tuple[int, ...]
COMPUTED = "parametrizations"  # the part of a layer that its weights are computed by, see parametrize.py
HEADINGS = ("name", "layer", "output", "parameters", "multiply-adds", "activations")


@dataclass(frozen=True)
class Row:
    """One call of a layer, for one item. `output` is its shape without the batch axis, None if it was never called.

    parameters: those of the layer itself, 0 where it is called again. activation_bytes: the size of its result.
    """

    name: str
    layer: str
    output: Shape | None
    parameters: int
    multiply_adds: int
    activation_bytes: int


@dataclass(frozen=True, repr=False)
class Summary:
    """What `summary` found; shown, it is the table. Multiply-adds and activations are those of one item."""

    rows: tuple[Row, ...]
    input_shape: Shape
    parameters: int
    trainable: int
    parameter_bytes: int
    multiply_adds: int
    activation_bytes: int

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        body = [
            (
                row.name,
                row.layer,
                "not called" if row.output is None else str(("N", *row.output)).replace("'", ""),
                f"{row.parameters:,}",
                f"{row.multiply_adds:,}",
                size(row.activation_bytes),
            )
            for row in self.rows
        ]
        total = (
            "total",
            "",
            "",
            f"{self.parameters:,}",
            f"{self.multiply_adds:,}",
            size(self.activation_bytes),
        )
        widths = [max(len(line[i]) for line in (HEADINGS, *body, total)) for i in range(len(HEADINGS))]
        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        frozen = self.parameters - self.trainable
        return "\n".join(
            [
                aligned(HEADINGS, widths),
                rule,
                *[aligned(line, widths) for line in body],
                rule,
                aligned(total, widths),
                f"input {('N', *self.input_shape)}".replace("'", "")
                + f"; parameters take {size(self.parameter_bytes)}"
                + (f", {frozen:,} of them are frozen" if frozen else "")
                + "; multiply-adds and activations are those of one item",
            ]
        )


def summary(model: Module, input_shape: Sequence[int], dtype: Any = None) -> Summary:
    """Run `model` once, on zeros of shape (1, *input_shape), and count what its layers do.

    input_shape: the shape of one item, without the batch axis, e.g. (28, 28, 1). dtype: that of the input, by default
    the parameters'; give np.int64 for a model that starts with an Embedding. The model runs in evaluation mode and is
    left as it was. Raises ShapeError when the model can not take that shape.
    """
    whole = isinstance(input_shape, Sequence) and all(isinstance(n, (int, np.integer)) and n >= 1 for n in input_shape)
    if not whole:
        raise ShapeError(
            f"summary: input_shape is {input_shape!r}; give the shape of one item as a tuple, without the batch axis"
        )
    shape = tuple(input_shape)
    parameters = model.parameters()
    kind = dtype or (parameters[0].dtype if parameters else config.dtype)
    watcher = Watcher(model)
    with one_by_one(model), observe(watcher), no_grad():
        model(Tensor(np.zeros((1, *shape), kind)))
    rows = watcher.rows
    called = {row.name for row in rows}
    for name, module in model.named_modules():
        if own_parameters(module) and name not in called and COMPUTED not in name.split("."):
            rows.append(Row(name, type(module).__name__, None, own_parameters(module), 0, 0))
    return Summary(
        rows=tuple(rows),
        input_shape=shape,
        parameters=sum(p.size for p in parameters),
        trainable=sum(p.size for p in parameters if p.requires_grad),
        parameter_bytes=sum(p.data.nbytes for p in parameters),
        multiply_adds=sum(row.multiply_adds for row in rows),
        activation_bytes=sum(row.activation_bytes for row in rows),
    )


class Watcher(Observer):
    """Adds a row at every call of a layer: a module without parts, or with parameters of its own."""

    def __init__(self, model: Module) -> None:
        self.rows: list[Row] = []
        layers = [(name, m) for name, m in model.named_modules() if not m.children() or own_parameters(m)]
        self.names = {id(module): name for name, module in layers}

    def module_ends(self, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        name = self.names.get(id(module))
        main = result[0] if isinstance(result, tuple) and result else result  # a recurrent layer gives its state, too
        if name is None or not isinstance(main, Tensor):
            return
        first = all(row.name != name for row in self.rows)
        x_shape = np.shape(args[0].data if isinstance(args[0], Tensor) else args[0])
        count, parameters = module.multiply_adds(x_shape, main.shape), own_parameters(module) if first else 0
        self.rows.append(Row(name, type(module).__name__, main.shape[1:], parameters, count, main.data.nbytes))


@contextmanager
def one_by_one(model: Module) -> Iterator[None]:
    """The model in evaluation mode, each layer run by itself; afterwards all is as it was."""
    modes, fuse = [(module, module.training) for module in model.modules()], config.fuse
    model.eval()
    config.fuse = False
    try:
        yield
    finally:
        config.fuse = fuse
        for module, training in modes:
            module.training = training


def own_parameters(module: Module) -> int:
    """Elements of the parameters that are attributes of this very module, or that its weights are computed from."""
    parts = [child for name, child in module.named_children() if name != COMPUTED]
    inside = {id(p) for child in parts for p in child.parameters()}
    return sum(p.size for p in module.parameters() if id(p) not in inside)


def aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    """One line of the table: text to the left, numbers to the right."""
    cells = [cell.ljust(n) if i < 3 else cell.rjust(n) for i, (cell, n) in enumerate(zip(line, widths, strict=True))]
    return "  ".join(cells).rstrip()


def size(count: int) -> str:
    """Bytes for people, in powers of 1024."""
    power = min(int(math.log(count, 1024)), 3) if count else 0
    return f"{count:,} B" if power == 0 else f"{count / 1024**power:.1f} {('KiB', 'MiB', 'GiB')[power - 1]}"
