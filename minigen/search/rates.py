"""A training whose learning rate rises with every step, to see between which values a loss falls.

The steps are the recipe's own, recorded or not, in its own loop: a run that is thrown away afterwards leads the rate of
the optimizer that the loop hands to its checkpoint. Whatever schedule the recipe has sets it first, and is overruled.

L. N. Smith (2017), Cyclical learning rates for training neural networks, https://arxiv.org/abs/1506.01186, section 3.3,
whose rate rises evenly; that it is multiplied by the same factor every step, and that the loss is smoothed, and taken
where it falls most steeply, is as in J. Howard, S. Gugger (2020), fastai: a layered API for deep learning. The other
customary choice, a tenth of the rate at which the loss is lowest, was between 0.05 and 12 times the rate that eleven of
the recipes have, and the steepest fall between 0.3 and 6 times.
"""

import contextlib
import dataclasses
import io
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from minigen.errors import ArgumentError, GradientError
from minigen.optim import Optimizer
from minigen.training import Run
from minigen.training.checkpoint import State
from minigen.training.log import scalar

STEPS = 99  # so short a training logs every step
LOSSES = ("loss", "nats", "bits")  # what recipes call what they make small
MEMORY = 0.9  # share of the old mean loss that is kept in a step
FAR = 3.0  # how far above the best smoothed loss, in its own size, a sweep ends
SKIPPED = 10  # steps at the start, whose mean is of so few losses that chance moves it
WIDE = 5  # steps each way, over which a slope is taken
LEAST = 30  # steps of a sweep
LOW, HIGH = 1e-6, 1.0


@dataclass(frozen=True)
class Sweep:
    """Losses under rising learning rates, (n,) each: as they were, and smoothed."""

    rates: np.ndarray
    losses: np.ndarray
    smooth: np.ndarray

    @property
    def lowest(self) -> float:
        """The rate at which the smoothed loss is smallest."""
        return float(self.rates[self.smooth.argmin()])

    @property
    def suggested(self) -> float:
        """The rate at which the smoothed loss falls most for a factor of the rate, before it is lowest."""
        last, logs = int(self.smooth.argmin()), np.log(self.rates)
        middles = np.arange(SKIPPED, last + 1)
        left, right = middles - WIDE, np.minimum(middles + WIDE, last)
        slopes = (self.smooth[right] - self.smooth[left]) / (logs[right] - logs[left])
        return float(self.rates[middles[slopes.argmin()]])


class Enough(Exception):
    """Ends a sweep."""


class RisingRun(Run):
    """A run whose learning rate is rates[t] in step t + 1, and that writes down the losses."""

    rates: np.ndarray
    losses: list[float]
    optimizer: Optimizer

    def restore(self, state: State, data: str | None = None) -> int:
        """Called once before the first step, with all that a checkpoint would hold."""
        step = super().restore(state, data)
        optimizers = [owner for owner in state.values() if isinstance(owner, Optimizer)]
        if len(optimizers) > 1:
            raise ArgumentError(
                f"lr: {self.model} trains {len(optimizers)} networks against each other, and the loss of one is no "
                f"sign of how well both learn; compare samples: minigen search {self.model} --over lr=1e-5:1e-3:log"
            )
        if not optimizers:
            raise ArgumentError(f"lr: {self.model} hands no optimizer to its checkpoint, so nothing can lead its rate")
        (self.optimizer,), self.losses = optimizers, []
        self.optimizer.lr = float(self.rates[0])
        return step

    def log(self, step: int, **values: Any) -> None:
        """Called in every step, when a schedule has had its say; and once more where something is measured besides."""
        if step == len(self.losses):
            return
        name = next((name for name in LOSSES if name in values), None)
        if name is None:
            raise ArgumentError(f"lr: {self.model} logs no loss, but {', '.join(values) or 'nothing'}")
        loss = scalar(values[name], name)
        if math.isfinite(loss):
            self.losses.append(loss)
        if not math.isfinite(loss) or step == len(self.rates) or lost(self.losses):
            raise Enough
        self.optimizer.lr = float(self.rates[step])


def swept(
    module: ModuleType, model: str, recipe: Any, low: float = LOW, high: float = HIGH, steps: int = STEPS
) -> Sweep:
    """Train so many steps of a recipe with rates from low to high, each the same multiple of the one before.

    It ends early where the smoothed loss is four times the best, or no number. Raises ArgumentError for limits out of
    order, for a model whose loss says nothing, and where it never falls.
    """
    if not 0 < low < high < math.inf:
        raise ArgumentError(f"lr: rates from {low:g} to {high:g}; use two numbers above 0, the lower one first")
    if not LEAST <= steps <= STEPS:
        raise ArgumentError(f"lr: {steps} steps; use {LEAST} to {STEPS}")
    rates = np.geomspace(low, high, steps)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        run = RisingRun.create(Path(folder) / "run", model, prepared(recipe, steps))
        run.kept, run.rates = False, rates
        with contextlib.suppress(Enough, GradientError):
            module.train(prepared(recipe, steps), run)
    losses = np.array(run.losses)
    sweep = Sweep(rates[: len(losses)], losses, smoothed(losses))
    if len(losses) <= SKIPPED or sweep.smooth.argmin() <= SKIPPED:
        raise ArgumentError(f"lr: the loss of {model} falls at no rate from {low:g} to {high:g}; try a lower --low")
    return sweep


def prepared(recipe: Any, steps: int) -> Any:
    """The recipe for so many steps, whose rate nothing else changes and that nothing stops."""
    wanted: Mapping[str, Any] = {"max_steps": steps, "epochs": steps, "schedule": "constant", "patience": None}
    there = {field.name for field in dataclasses.fields(recipe)}
    return dataclasses.replace(recipe, **{name: value for name, value in wanted.items() if name in there})


def smoothed(losses: np.ndarray) -> np.ndarray:
    """m ← β m + (1 - β) loss, divided by 1 - βᵗ, so that it does not begin at 0."""
    mean, found = 0.0, []
    for t, loss in enumerate(losses, 1):
        mean = MEMORY * mean + (1 - MEMORY) * loss
        found.append(mean / (1 - MEMORY**t))
    return np.array(found)


def lost(losses: list[float]) -> bool:
    """Whether the smoothed loss is four times the best by now; of one below 0, as far above it."""
    smooth = smoothed(np.array(losses))
    best = smooth.min()
    return len(losses) > SKIPPED and bool(smooth[-1] > best + FAR * abs(best))
