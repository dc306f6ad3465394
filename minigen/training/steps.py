"""The protocol around a training loop: restore, progress, log, save, Ctrl-C. What a step does stays in the loop.

    state = {"model": model, "optimizer": optimizer, "loader": loader, "rng": rng}
    with Steps(run, loader, state, epochs=recipe.epochs, max_steps=recipe.max_steps) as steps:
        for x, y in steps:
            loss = mg.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

            steps.log(every=50, loss=loss)
            if steps.check_due:
                steps.record(validation_loss=measure(model, held_out))
            if steps.sample_due:
                plots.save_grid(steps.picture_path(), draw(model))

When the body of such a step has ended, its checkpoint is written: after its pictures, so that no kill can come between.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from minigen.data import DataLoader
from minigen.errors import ArgumentError
from minigen.optim import EMA, ReduceLROnPlateau
from minigen.optim.schedule import Schedule
from minigen.training.checkpoint import Stateful
from minigen.training.early_stopping import EarlyStopping
from minigen.training.log import scalar
from minigen.training.progress import Progress
from minigen.training.run import Run


class Steps:
    """Iterating gives the batches of the steps that are left; `.step` is the number of the present one, from 1.

    state: all that a checkpoint holds; an entry that is None is left out. Some of it is served on the way: an `EMA` is
    updated and a `Schedule` moved on at every `log`; an `EarlyStopping` and a `ReduceLROnPlateau` are told the figure
    named `watch` at every `record` that has it. steps, or epochs of the loader: how many, at most max_steps. every: a
    round is so many steps; None: an epoch of the loader.

    A checkpoint is written at the end of a round, of the last step, and of the step in which Ctrl-C was pressed (a
    second one ends at once). After an exception nothing is saved. Raises ArgumentError when a body ended without
    `log`, or a round without the figure that early stopping or a plateau waits for.
    """

    def __init__(
        self,
        run: Run,
        loader: DataLoader,
        state: Mapping[str, Stateful | np.random.Generator | None],
        *,
        epochs: int | None = None,
        steps: int | None = None,
        max_steps: int | None = None,
        every: int | None = None,
        watch: str = "validation_loss",
    ) -> None:
        if (epochs is None) == (steps is None):
            raise ArgumentError("Steps: give either epochs or steps, how long to train")
        length = steps if steps is not None else (epochs or 0) * len(loader)
        self.total = length if max_steps is None else min(length, max_steps)
        self.run, self.loader, self.every, self.watch = run, loader, every, watch
        self.state = {name: owner for name, owner in state.items() if owner is not None}
        self.schedules = [owner for owner in self.state.values() if isinstance(owner, Schedule)]
        self.plateaus = [owner for owner in self.state.values() if isinstance(owner, ReduceLROnPlateau)]
        self.ema = next((owner for owner in self.state.values() if isinstance(owner, EMA)), None)
        self.stopping = next((owner for owner in self.state.values() if isinstance(owner, EarlyStopping)), None)
        self.step = 0
        self.entered = False
        self.told = False  # whether the figure that decides was recorded in this round

    def __enter__(self) -> "Steps":
        self.step = self.run.restore(self.state)
        self.progress = Progress(self.total, self.step, description=self.run.model)
        self.progress.__enter__()
        self.entered = True
        return self

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        if not self.entered:
            raise ArgumentError("Steps: iterate inside `with Steps(…) as steps:`, which restores what was saved")
        last = self.step if self.stopped else self.total  # a run that was stopped early goes no further
        for step, batch in self.loader.steps(self.step, last):
            self.step = step
            yield batch
            if self.progress.step != step:
                raise ArgumentError(f"Steps: step {step} ended without steps.log(…); call it once in every step")
            self.check_told()
            interrupted = self.progress.interrupted  # a Ctrl-C after this line is for the next step
            if self.sample_due or interrupted:
                self.run.save(self.state, step)
            if interrupted or self.stopped:
                break

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.__exit__(kind, error, trace)
        self.run.stopped_early = self.stopped
        self.run.interrupted = self.progress.interrupted and self.step < self.total and not self.stopped

    def check_told(self) -> None:
        """Raise ArgumentError at the end of a round in which the figure that decides was not recorded."""
        if self.check_due:
            if (self.stopping is not None or self.plateaus) and not self.told:
                raise ArgumentError(
                    f"Steps: early stopping or a plateau waits for {self.watch}, but step {self.step} ended a round "
                    f"without steps.record({self.watch}=…); record it there, or name another figure by watch="
                )
            self.told = False

    @property
    def stopped(self) -> bool:
        """Whether early stopping has had enough."""
        return self.stopping is not None and self.stopping.stop

    @property
    def check_due(self) -> bool:
        """Whether this step ends a round: time to look at data that is not trained on."""
        return self.step % self.every == 0 if self.every is not None else self.loader.epoch_done

    @property
    def sample_due(self) -> bool:
        """Whether this step ends a round or the run: time for a picture or a text."""
        return self.check_due or self.step == self.total or self.stopped

    def log(self, every: int, **figures: Any) -> None:
        """Call it once in each step, when the weights have changed: averages and schedules take that step, too.

        figures: what the step measured, numbers or tensors of one element. They are shown, and in each step that
        `every` divides they are a row of metrics.csv. Raises GradientError at the end of a round when an array of the
        state holds NaN or infinity.
        """
        for schedule in self.schedules:
            schedule.step()
        if self.ema is not None:
            self.ema.update()
        self.progress.update(self.step, **figures)
        if self.step % every == 0:
            self.run.log(self.step, **figures)
        if self.sample_due:  # before anybody measures or draws what can not be saved
            self.run.check_finite(self.state, self.step)

    def record(self, **figures: Any) -> None:
        """A row of metrics.csv now."""
        self.run.log(self.step, **figures)
        if self.watch in figures:
            self.told = True
            value = scalar(figures[self.watch], self.watch)
            for plateau in self.plateaus:
                plateau.step(value)
            if self.stopping is not None:
                self.stopping.update(value)

    def averaged(self) -> AbstractContextManager[None]:
        """`with steps.averaged():` the model has its averaged weights, where the state holds an EMA."""
        return nullcontext() if self.ema is None else self.ema.applied()

    def picture_path(self) -> Path:
        """Where this step's picture belongs."""
        return self.run.sample_path(self.step)

    def text_path(self) -> Path:
        """Where this step's text belongs."""
        return self.run.sample_path(self.step, ".txt")
