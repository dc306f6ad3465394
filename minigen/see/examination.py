"""What `mg.check` does: a step, a look at single items, gradients against differences, one batch by heart."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigen import optim
from minigen.autograd.modes import no_grad
from minigen.autograd.observe import detect_anomaly, observe
from minigen.autograd.tensor import Tensor
from minigen.errors import MinigenError
from minigen.layers.module import Module, Parameter
from minigen.see.signs import Signs, of_gradients

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


@dataclass
class Examination:
    """What is examined, and the report that grows."""

    model: Module
    loss_fn: Loss
    inputs: Sequence[np.ndarray]
    targets: Sequence[np.ndarray]
    report: Report

    def run(self) -> None:
        """All of it, or as much as can be."""
        self.model.train()
        if not self.one_step():
            return
        alike = self.items()
        for p in self.model.parameters():
            p.grad = None
        if alike:
            self.differences()
        if all(p.grad is None for p in self.model.parameters()):  # or the loss looks at the model, and not at a copy
            self.by_heart()

    def loss(self, model: Module, count: int | None = None, dtype: Any = None) -> Tensor:
        """The loss of the first `count` items, all unless given."""
        inputs, targets = ([cast(part[:count], dtype) for part in parts] for parts in (self.inputs, self.targets))
        return self.loss_fn(model(*map(given, inputs)), *map(given, targets))

    def one_step(self) -> bool:
        """A forward and a backward; whether there is anything to be looked at after them."""
        signs = Signs()
        try:
            with observe(signs), detect_anomaly():
                loss = self.loss(self.model)
                problems = of_loss(loss, self.model)
                if not problems:
                    loss.backward()
        except Exception as error:  # of any kind: model and loss are the user's
            self.report.problems.append(f"the first step fails: {described(error)}")
            return False
        if problems:
            self.report.problems += problems
            return False
        self.report.note(signs.of_start(), f"the loss at the start, {loss.item():.4g}")
        self.report.note(signs.of_units(), "activations: few units are dead or saturated")
        named = self.model.named_parameters()
        gradients = {name: None if p.grad is None else p.grad.data for name, p in named if p.requires_grad}
        weights = {name: p.data for name, p in named}
        self.report.note(of_gradients(gradients, weights), f"gradients: all {len(gradients)} parameters have one")
        return True

    def items(self) -> bool:
        """Whether what is said of an item depends on the others of the batch, in evaluation.

        Returns whether two forwards are alike, without which no gradient can be compared.
        """
        self.model.eval()
        middle = len(self.inputs[0]) // 2
        alike = [np.broadcast_to(x[middle % len(x)], x.shape).copy() for x in self.inputs]
        with no_grad():
            try:
                first, again, other = (
                    output(self.model(*map(given, inputs))) for inputs in (self.inputs, self.inputs, alike)
                )
            except Exception as error:  # of any kind: the model is the user's
                self.report.problems.append(f"a forward in evaluation fails: {described(error)}")
                return False
        if first is None or again is None or other is None or not first.ndim:
            return True
        problems, same = [], np.array_equal(first, again, equal_nan=True)
        count = len(self.inputs[0])
        if len(first) != count:
            problems.append(
                f"the output is {first.shape} for {count} items; let its first axis be that of the batch: "
                "reshape to (len(x), -1), never to (-1, n)"
            )
        elif not same:
            problems.append("two forwards in evaluation differ: something random goes on; let it look at self.training")
        elif not np.allclose(first[middle], other[middle], rtol=1e-3, atol=1e-5):
            problems.append(
                "what is said of an item changes with the others of its batch, in evaluation: a reshape or a "
                "transposition mixes items; keep the first axis apart"
            )
        self.report.note(problems, "items of a batch do not know of each other")
        return same

    def differences(self) -> None:
        """Gradients against differences, along one direction in each of the largest parameters, in float64."""
        rng = np.random.default_rng(0)
        try:
            model = copy.deepcopy(self.model).eval().astype(np.float64)
            self.loss(model, FEW, np.float64).backward()
            if any(p.grad is not None for p in self.model.parameters()):
                return  # the loss looks at the model itself, which is not moved here
            largest = sorted(model.named_parameters(), key=lambda pair: -pair[1].size)[:CHECKED]
            reached = [(name, p) for name, p in largest if p.grad is not None]
            wrong = [name for name, p in reached if not any(self.agrees(model, p, rng) for _ in range(2))]
        except Exception:  # it can not be copied, or computed in float64, or in evaluation
            return
        if reached:
            mend = "is not that of the loss; run mg.gradcheck on your own backward"
            problems = [f"the gradient of {name} {mend}" for name in wrong]
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
        """Whether some steps on this batch alone bring the loss down."""
        losses: list[float] = []
        try:
            model = copy.deepcopy(self.model).train()
            optimizer = optim.Adam([p for p in model.parameters() if p.requires_grad], lr=RATE)
            for _ in range(STEPS):
                optimizer.zero_grad()
                loss = self.loss(model)
                loss.backward()
                if any(p.grad is not None for p in self.model.parameters()):
                    return  # the loss looks at the model itself
                optimizer.step()
                losses.append(loss.item())
        except MinigenError as error:
            self.report.problems.append(f"learning one batch by heart fails after {len(losses)} steps: {error}")
            return
        except Exception:  # it can not be copied
            return
        start, least = losses[0], min(losses)
        problems, what = [], f"{STEPS} steps of Adam on this batch alone bring the loss"
        if not all(map(math.isfinite, losses)):
            problems.append(f"{what} to {losses[-1]}; look at its range")
        elif start - least < FALL * abs(start):
            problems.append(
                f"{what} from {start:.4g} to {least:.4g} only: x and targets may be far from a scale of 1; or what the "
                "loss is given does not follow from x: look at labels, at the order of items, at what is detached"
            )
        self.report.note(problems, f"one batch is learned by heart: {start:.4g} → {least:.4g} in {STEPS} steps")


def described(error: Exception) -> str:
    """An error in one line; of other kinds than minigen's with their names."""
    text = str(error).partition("\n")[0]
    return text if isinstance(error, MinigenError) else f"{type(error).__name__}: {text}"


def cast(x: np.ndarray, dtype: Any) -> np.ndarray:
    """Floats in that dtype, unless it is None; all else as it is."""
    return x if dtype is None or x.dtype.kind != "f" else x.astype(dtype)


def given(x: np.ndarray) -> Any:
    """x as a model takes it: floats as a tensor, whole numbers, which stand for symbols, as they are."""
    return Tensor(x) if x.dtype.kind == "f" else x


def output(y: Any) -> np.ndarray | None:
    """The first tensor of what a model gave."""
    while isinstance(y, (tuple, list)) and len(y):
        y = y[0]
    return y.numpy() if isinstance(y, Tensor) else None


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
