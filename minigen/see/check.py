"""A short examination of a model that does not learn, or that is new: `print(mg.check(model, loss_fn, (x, y)))`.

What is looked at is what one looks at oneself, in this order (A. Karpathy 2019, A recipe for training neural networks,
https://karpathy.github.io/2019/04/25/recipe/): the data, one forward, the loss at the start, one backward, gradients
against differences, items of a batch that should not know of each other, and whether one batch can be learned by heart.
The model is left as it was.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigen import optim
from minigen.autograd.modes import no_grad
from minigen.autograd.observe import detect_anomaly, observe
from minigen.autograd.tensor import Tensor
from minigen.config import config
from minigen.errors import ArgumentError, MinigenError
from minigen.layers.module import Module, Parameter
from minigen.see.signs import Signs, of_data, of_gradients

Loss = Callable[..., Tensor]
FEW = 8  # items of the batch for what is computed many times
STEPS, RATE, FALL = 40, 3e-3, 0.05  # of learning one batch by heart, and by which share the loss has to fall
CHECKED = 12  # parameters whose gradients are checked, the largest first
SMALL, TOLERANCE = 1e-5, 1e-2  # the difference in float64, and how far the gradient may be from it


@dataclass
class Report:
    """problems: what is not as it should be, each with its mend. well: what was looked at and is. `str()` says both."""

    problems: list[str] = field(default_factory=list)
    well: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    def note(self, problems: Sequence[str], looked_at: str) -> None:
        """Problems, or, where there are none, what was looked at."""
        self.problems += problems
        if not problems:
            self.well.append(looked_at)

    def __str__(self) -> str:
        return "\n".join([*(f"✗ {problem}" for problem in self.problems), *(f"✓ {one}" for one in self.well)])


def check(model: Module, loss_fn: Loss, batch: Any) -> Report:
    """What is wrong with a model, in words.

    loss_fn: loss_fn(model(x), *targets) is a tensor of one element. batch: (x, *targets), or x alone; arrays or
    tensors, of 2 items at least. Takes as long as some fifty training steps. Raises ArgumentError for other arguments;
    what the model or the loss raise is a problem, and is told in the report.
    """
    if not isinstance(model, Module) or not callable(loss_fn):
        raise ArgumentError("check: pass a Module, a function loss_fn(output, *targets), and a batch (x, *targets)")
    parts = [part.data if isinstance(part, Tensor) else np.asarray(part) for part in aslist(batch)]
    if not parts or any(part.ndim == 0 or len(part) < 2 for part in parts):
        raise ArgumentError("check: the batch has to be (x, *targets), or x alone, of 2 items at least")
    report, x, targets = Report(), parts[0], parts[1:]
    report.note([*of_data(x), *of_modes(model)], "the data and the mode of the model")
    if x.dtype == np.uint8:
        x = x.astype(np.float32) / 255
    examination = Examination(model, loss_fn, x, targets, report)
    with left_as_it_was(model), without_advice():
        model.train()
        if not examination.one_step():
            return report
        examination.items()
    with without_advice():
        examination.differences()
        examination.by_heart()
    return report


def aslist(batch: Any) -> list[Any]:
    """(x, *targets) of a batch."""
    return list(batch) if isinstance(batch, (tuple, list)) else [batch]


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
    generators = {
        id(g): g for module in model.modules() for g in vars(module).values() if isinstance(g, np.random.Generator)
    }
    states = [(generator, generator.bit_generator.state) for generator in generators.values()]
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


@dataclass
class Examination:
    """What is examined, and the report that grows."""

    model: Module
    loss_fn: Loss
    x: np.ndarray
    targets: Sequence[np.ndarray]
    report: Report

    def loss(self, model: Module, count: int | None = None, dtype: Any = None) -> Tensor:
        """The loss of the first `count` items, all unless given."""
        x, *targets = [part[:count] for part in (self.x, *self.targets)]
        if dtype is not None:
            x, *targets = [part.astype(dtype) if part.dtype.kind == "f" else part for part in (x, *targets)]
        return self.loss_fn(model(given(x)), *[Tensor(part) if part.dtype.kind == "f" else part for part in targets])

    def one_step(self) -> bool:
        """A forward and a backward; whether there is anything to be looked at after them."""
        signs = Signs()
        try:
            with observe(signs), detect_anomaly():
                loss = self.loss(self.model)
                problems = of_loss(loss, self.model)
                if not problems:
                    loss.backward()
        except MinigenError as error:
            self.report.problems.append(f"the first step fails: {error}")
            return False
        if problems:
            self.report.problems += problems
            return False
        self.report.note(signs.of_start(loss.item()), f"the loss at the start, {loss.item():.4g}")
        self.report.note(signs.of_units(), "activations: few units are dead or saturated")
        named = self.model.named_parameters()
        gradients = {name: None if p.grad is None else p.grad.data for name, p in named if p.requires_grad}
        weights = {name: p.data for name, p in named}
        self.report.note(of_gradients(gradients, weights), f"gradients: all {len(gradients)} parameters have one")
        return True

    def items(self) -> None:
        """Whether what is said of an item depends on the others of the batch, in evaluation."""
        self.model.eval()
        middle = len(self.x) // 2
        alike = np.broadcast_to(self.x[middle], self.x.shape).copy()
        with no_grad():
            first, again, other = (output(self.model(given(x))) for x in (self.x, self.x, alike))
        if first is None or again is None or other is None:
            return
        problems = []
        if first.shape[:1] != (len(self.x),):
            problems.append(
                f"the output is {first.shape} for {len(self.x)} items; let its first axis be that of the batch: "
                "reshape to (len(x), -1), never to (-1, n)"
            )
        elif not np.array_equal(first, again, equal_nan=True):
            problems.append("two forwards in evaluation differ: something random goes on; let it look at self.training")
        elif not np.allclose(first[middle], other[middle], rtol=1e-3, atol=1e-5):
            problems.append(
                "what is said of an item changes with the others of its batch, in evaluation: a reshape or a "
                "transposition mixes items; keep the first axis apart"
            )
        self.report.note(problems, "items of a batch do not know of each other")

    def differences(self) -> None:
        """Gradients against differences, along one direction in each of the largest parameters, in float64."""
        model = copy.deepcopy(self.model).eval().astype(np.float64)
        rng = np.random.default_rng(0)
        try:
            loss = self.loss(model, FEW, np.float64)
            loss.backward()
            largest = sorted(model.named_parameters(), key=lambda pair: -pair[1].size)[:CHECKED]
            reached = [(name, p) for name, p in largest if p.grad is not None]
            wrong = [name for name, p in reached if not any(self.agrees(model, p, rng) for _ in range(2))]
        except MinigenError:  # it can not be computed in float64, or in evaluation
            return
        if reached:
            problems = [
                f"the gradient of {name} is not that of the loss; run mg.gradcheck on your own backward"
                for name in wrong
            ]
            self.report.note(problems, "gradients agree with differences of the loss")

    def agrees(self, model: Module, p: Parameter, rng: np.random.Generator) -> bool:
        """Whether the slope of the loss along a direction is what the gradient says."""
        direction = rng.standard_normal(p.shape)
        direction /= np.linalg.norm(direction) or 1.0  # or the kink of some ReLU would lie between
        expected = float((p.grad.data * direction).sum()) if p.grad is not None else 0.0
        here, values = p.data.copy(), []
        with no_grad():
            for way in (1, -1):
                p.data = here + way * SMALL * direction
                values.append(self.loss(model, FEW, np.float64).item())
        p.data = here
        slope = (values[0] - values[1]) / (2 * SMALL)
        return abs(slope - expected) <= TOLERANCE * max(abs(slope), abs(expected), 1e-4)

    def by_heart(self) -> None:
        """Whether some steps on this batch alone bring the loss down, and move all parameters."""
        model = copy.deepcopy(self.model).train()
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        before = [p.data.copy() for _, p in trained]
        optimizer = optim.Adam([p for _, p in trained], lr=RATE)
        losses = []
        try:
            for _ in range(STEPS):
                optimizer.zero_grad()
                loss = self.loss(model)
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
        except MinigenError as error:
            self.report.problems.append(f"learning one batch by heart fails after {len(losses)} steps: {error}")
            return
        if all(np.array_equal(p.data, old) for (_, p), old in zip(trained, before, strict=True)):
            return  # the loss looks at the model from outside, and not at its copy
        start, least = losses[0], min(losses)
        problems = []
        if not all(map(math.isfinite, losses)):
            problems.append(
                f"{STEPS} steps of Adam on this batch alone bring the loss to {losses[-1]}; look at its range"
            )
        elif start - least < FALL * abs(start):
            problems.append(
                f"{STEPS} steps of Adam on this batch alone bring the loss from {start:.4g} to {least:.4g} only: what "
                "it is given does not follow from x; look at labels, at the order of items, at what is detached"
            )
        self.report.note(problems, f"one batch is learned by heart: {start:.4g} → {least:.4g} in {STEPS} steps")


def given(x: np.ndarray) -> Any:
    """x as a model takes it: floats as a tensor, whole numbers, which stand for symbols, as they are."""
    return Tensor(x) if x.dtype.kind == "f" else x


def output(y: Any) -> np.ndarray | None:
    """The first tensor of what a model gave."""
    if isinstance(y, Tensor):
        return y.numpy()
    return (
        next((found for part in y if (found := output(part)) is not None), None)
        if isinstance(y, (tuple, list))
        else None
    )


def of_loss(loss: Any, model: Module) -> list[str]:
    """A loss that can not be trained on."""
    if not isinstance(loss, Tensor):
        return [f"the loss is {type(loss).__name__}; return a tensor, made by operations of minigen alone"]
    if loss.size != 1:
        return [f"the loss is {loss.shape}; take its mean: loss.mean()"]
    if loss.requires_grad:
        return []
    if not any(p.requires_grad for p in model.parameters()):
        return ["nothing in the model requires a gradient; call model.requires_grad_(True)"]
    return ["the loss does not lead back to the model: look for detach, no_grad, .numpy() or .data on the way"]
