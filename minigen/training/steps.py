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
                plots.save_grid(steps.picture_path(), draw(model), title=steps.title)

When the body of such a step has ended, its checkpoint is written: after its pictures, so that no kill can come between.
"""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence, Sized
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from minigen.autograd.observe import NotFinite, observe
from minigen.data import DataLoader, facts, summary
from minigen.errors import ArgumentError
from minigen.layers import Module
from minigen.optim import EMA, ReduceLROnPlateau
from minigen.optim.schedule import Schedule
from minigen.training.checkpoint import Stateful
from minigen.training.early_stopping import EarlyStopping
from minigen.training.health import Health
from minigen.training.insides import Outputs
from minigen.training.log import scalar
from minigen.training.origin import data_digest
from minigen.training.progress import Progress, say, tell
from minigen.training.run import Run

POINTS = 50  # rows that a training has at least, if it has so many steps


class Steps:
    """Iterating gives the batches of the steps that are left; `.step` is the number of the present one, from 1.

    state: all that a checkpoint holds; an entry that is None is left out. Some of it is served on the way: an `EMA` is
    updated and a `Schedule` moved on at every `log`; an `EarlyStopping` and a `ReduceLROnPlateau` are told the figure
    named `watch` at every `record` that has it. steps, or epochs of the loader: how many, at most max_steps.
    round_length: a round is so many steps; None: an epoch of the loader. held_out: what the loop measures on, whose
    size is said at the start. data: what the loader's items are positions in, where they say nothing by themselves.

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
        round_length: int | None = None,
        watch: str = "validation_loss",
        held_out: Sized | None = None,
        data: Any = None,
    ) -> None:
        if (epochs is None) == (steps is None):
            raise ArgumentError("Steps: give either epochs or steps, how long to train")
        length = steps if steps is not None else (epochs or 0) * len(loader)
        self.total = length if max_steps is None else min(length, max_steps)
        self.run, self.loader, self.round_length, self.watch = run, loader, round_length, watch
        self.state = {name: owner for name, owner in state.items() if owner is not None}
        self.schedules = [owner for owner in self.state.values() if isinstance(owner, Schedule)]
        self.plateaus = [owner for owner in self.state.values() if isinstance(owner, ReduceLROnPlateau)]
        self.ema = next((owner for owner in self.state.values() if isinstance(owner, EMA)), None)
        self.stopping = next((owner for owner in self.state.values() if isinstance(owner, EarlyStopping)), None)
        self.step = 0
        self.entered = False
        self.held_out = held_out
        self.data = loader.dataset if data is None else (loader.dataset, data)
        self.health = Health()
        self.listening = ExitStack()  # to the step that ends a round
        self.told = False  # whether the figure that decides was recorded in this round

    def __enter__(self) -> "Steps":
        with ExitStack() as stack:
            if self.run.kept:
                stack.enter_context(self.run.lock)
            self.step = self.run.restore(self.state, data_digest(self.data) if self.run.kept else None)
            if self.step:
                self.health = Health(first_values(self.run.history()))
            self.run.data = facts(**self.parts("train", "held_out"))
            say(self.announcement(), sys.stdout)
            self.progress = Progress(self.total, self.step, description=self.run.model, saving=self.run.kept)
            stack.enter_context(self.progress)
            stack.enter_context(np.errstate(over="ignore", invalid="ignore"))  # which health tells, in words
            self._stack = stack.pop_all()
        self.entered = True
        return self

    def announcement(self) -> str:
        """What is trained on what, on one line: "vae: 652,824 parameters · mnist: 60,000 to train on, …"."""
        said = []
        model = self.state.get("model")
        if isinstance(model, Module):
            said.append(f"{sum(p.size for p in model.parameters()):,} parameters")
        said.append(summary(**self.parts("to train on", "to measure on")))
        said.append(f"{self.total:,} steps of {self.loader.batch_size:,}" + f", {self.step:,} done" * bool(self.step))
        return f"{self.run.model}: {' · '.join(said)}"

    def parts(self, *names: str) -> dict[str, Sized]:
        """What is trained on and what is measured on, as far as it is known, by these names."""
        return {
            name: part
            for name, part in zip(names, (self.loader.dataset, self.held_out), strict=True)
            if part is not None
        }

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        if not self.entered:
            raise ArgumentError("Steps: iterate inside `with Steps(…) as steps:`, which restores what was saved")
        last = self.step if self.stopped else self.total  # a run that was stopped early goes no further
        for step, batch in self.loader.steps(self.step, last):
            self.step = step
            outputs = self.listen()
            yield batch
            self.listening.close()
            if self.progress.step != step:
                raise ArgumentError(f"Steps: step {step} ended without steps.log(…); call it once in every step")
            self.check_told()
            interrupted = self.progress.interrupted  # a Ctrl-C after this line is for the next step
            if outputs is not None:
                self.run.layers.append(step, outputs.model, outputs.spreads)
            if self.sample_due or interrupted:
                self.save(ending=interrupted or self.stopped or step == self.total)
            if interrupted or self.stopped:
                break

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.listening.close()
        self._stack.__exit__(kind, error, trace)
        if isinstance(error, NotFinite) and error.args:
            error.args = (f"step {self.step}: {error}",)
        if self.run.kept and (self.progress.lost or kind is KeyboardInterrupt):
            saved = f"step {self.run.step} is saved; go on with: {self.run.how_to_resume}"
            tell(f"{saved if self.run.step else 'nothing was saved'}\n".encode())
        self.run.stopped_early = self.stopped
        self.run.interrupted = self.progress.interrupted and self.step < self.total and not self.stopped

    def listen(self) -> Outputs | None:
        """Hear the step that ends a round, for layers.jsonl; it runs unrecorded then, with the same bits."""
        model = self.state.get("model")
        if not (self.sample_due and self.run.kept and isinstance(model, Module)):
            return None
        outputs = Outputs(model)
        self.listening.enter_context(observe(outputs))
        return outputs

    def save(self, ending: bool) -> None:
        """Write the checkpoint. While the loss is far off the one before is the better one to go back to."""
        if ending and self.health.lost:
            names = ", ".join(self.health.ill)
            raise self.run.diverged(self.state, f"at step {self.step}: {names} far above the start")
        if ending or not self.health.doubtful:
            self.run.trained = self.stopped or self.step == self.total
            self.run.save(self.state, self.step, checked=self.sample_due)

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
        return self.step % self.round_length == 0 if self.round_length is not None else self.loader.epoch_done

    @property
    def sample_due(self) -> bool:
        """Whether this step ends a round or the run: time for a picture or a text."""
        return self.check_due or self.step == self.total or self.stopped

    def log(self, every: int, **figures: Any) -> None:
        """Call it once in each step, when the weights have changed: averages and schedules take that step, too.

        figures: what the step measured, numbers or tensors of one element. They are shown, and in each step that
        `every` divides they are a row of metrics.csv; in a short training more often, so that a curve has POINTS.
        Raises GradientError when a figure named …loss has been far above its start for some steps, or when it, or an
        array of the state at the end of a round, is NaN or infinite.
        """
        for schedule in self.schedules:
            schedule.step()
        if self.ema is not None:
            self.ema.update()
        self.progress.update(self.step, **figures)
        if self.step % min(every, max(self.total // POINTS, 1)) == 0:
            self.run.log(self.step, **figures)
        self.check_health({name: self.progress.values[name] for name in figures})
        if self.sample_due:  # before anybody measures or draws what can not be saved
            self.run.check_finite(self.state, self.step)

    def check_health(self, figures: Mapping[str, float]) -> None:
        """Raise GradientError when the training has diverged by these figures of the present step."""
        problem = self.health.look(figures)
        if problem:
            raise self.run.diverged(self.state, f"at step {self.step}: {problem}")
        if not all(map(math.isfinite, figures.values())) and self.health.doubtful:
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

    @property
    def title(self) -> str:
        """What to write over this step's picture."""
        return f"{self.run.model} · samples after step {self.step:,}"

    def picture_path(self) -> Path:
        """Where this step's picture belongs."""
        return self.run.sample_path(self.step)

    def text_path(self) -> Path:
        """Where this step's text belongs."""
        return self.run.sample_path(self.step, ".txt")


def first_values(history: Mapping[str, Sequence[Any]]) -> dict[str, float]:
    """The first number in each column that has one."""
    numbers = {name: [v for v in values if v is not None and math.isfinite(v)] for name, values in history.items()}
    return {name: values[0] for name, values in numbers.items() if values}
