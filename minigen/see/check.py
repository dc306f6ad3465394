"""A short examination of a model that does not learn, or that is new: `print(mg.check(model, loss_fn, (x, y)))`.

What is looked at is what one looks at oneself, in this order (A. Karpathy 2019, A recipe for training neural networks,
https://karpathy.github.io/2019/04/25/recipe/): the data, one forward, the loss at the start, one backward, items of a
batch that should not know of each other, gradients against differences, and whether one batch can be learned by heart.
The model is left as it was.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigen.autograd.modes import enable_grad
from minigen.autograd.tensor import Tensor
from minigen.config import config
from minigen.errors import ArgumentError
from minigen.layers.module import Module
from minigen.see.examination import Examination, Loss, Report
from minigen.see.signs import of_data


def check(model: Module, loss_fn: Loss, batch: Any) -> Report:
    """What is wrong with a model, in words.

    loss_fn: loss_fn(model(x), *targets) is a tensor of one element. batch: (x, *targets), or x alone; x may be a tuple,
    for a model of several inputs. Arrays or tensors, of 2 items at least, along their first axes. Takes as long as some
    fifty training steps. Raises ArgumentError for other arguments; what the model or the loss raise is a problem, and
    is told in the report.
    """
    if not isinstance(model, Module) or not callable(loss_fn):
        raise ArgumentError("check: pass a Module, a function loss_fn(output, *targets), and a batch (x, *targets)")
    inputs, targets = parts(batch)
    report = Report()
    floats = {p.dtype for p in model.parameters() if p.dtype.kind == "f"}
    found = [problem for x in inputs for problem in of_data(x, floats)]
    report.note([*found, *of_modes(model)], "the data and the mode of the model")
    inputs = [x.astype(np.float32) / 255 if x.dtype == np.uint8 else x for x in inputs]
    with left_as_it_was(model), without_advice(), enable_grad():
        Examination(model, loss_fn, inputs, targets, report).run()
    return report


def parts(batch: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The inputs and the targets of a batch. Raises ArgumentError when they are none."""
    x, *targets = batch if isinstance(batch, tuple) and batch else (batch,)
    try:
        inputs = [array(one) for one in (x if isinstance(x, tuple) else (x,))]
        others = [array(one) for one in targets]
    except (ValueError, TypeError):
        raise ArgumentError("check: the batch holds what is no array; pass (x, *targets), arrays or tensors") from None
    if not inputs or any(one.ndim == 0 or len(one) < 2 or not one.size for one in (*inputs, *others)):
        raise ArgumentError("check: the batch has to be (x, *targets), or x alone, of 2 items at least")
    return inputs, others


def array(one: Any) -> np.ndarray:
    """A tensor's, or what NumPy makes of it."""
    return one.data if isinstance(one, Tensor) else np.asarray(one)


def of_modes(model: Module) -> list[str]:
    """A model that is not wholly in training mode."""
    resting = [name or type(model).__name__ for name, module in model.named_modules() if not module.training]
    if not resting:
        return []
    what = "the model is" if len(resting) == len(model.modules()) else f"{', '.join(resting[:3])} and the like are"
    return [f"{what} in evaluation mode: dropout does nothing, batch norm learns nothing; call model.train() to train"]


@contextmanager
def without_advice() -> Iterator[None]:
    """What is done here is not what the user does."""
    before, config.advice = config.advice, False
    try:
        yield
    finally:
        config.advice = before


@contextmanager
def left_as_it_was(model: Module) -> Iterator[None]:
    """Put back what a forward and a backward change: buffers, gradients, modes, generators."""
    buffers = {name: array.copy() for name, array in model.named_buffers()}
    gradients = [(p, p.grad) for p in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    states = [(generator, generator.bit_generator.state) for generator in generators(model)]
    for p, _ in gradients:
        p.grad = None
    try:
        yield
    finally:
        for name, array in model.named_buffers():
            np.copyto(array, buffers[name])
        for p, gradient in gradients:
            p.grad = gradient
        for module, training in modes:
            module.training = training
        for generator, state in states:
            generator.bit_generator.state = state


def generators(model: Module) -> Sequence[np.random.Generator]:
    """Those that modules hold, such as dropout's."""
    values = [value for module in model.modules() for value in vars(module).values()]
    return list({id(value): value for value in values if isinstance(value, np.random.Generator)}.values())
