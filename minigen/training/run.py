"""A run folder, written: created, resumed, logged into, saved to and finished. minigen.training.folder reads it."""

import contextlib
import dataclasses
import errno
import functools
import json
import os
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from minigen.errors import ArgumentError, CheckpointError, GradientError, RunError
from minigen.files import TEMPORARY, disk_error, free_name, keep_aside, write_atomic
from minigen.optim import Optimizer
from minigen.training import checkpoint, lock
from minigen.training.checkpoint import State
from minigen.training.curves import Curves
from minigen.training.figures import described, main_figures
from minigen.training.folder import RunFolder
from minigen.training.lock import RunLock
from minigen.training.log import MetricLog
from minigen.training.progress import duration


class Follower(Protocol):
    """Somebody who is told what a run logs, when it has saved, and how it ended."""

    def logged(self, step: int, values: Mapping[str, Any]) -> None:
        """A row of metrics.csv was written."""
        ...

    def saved(self, run: "Run") -> None:
        """A checkpoint was."""
        ...

    def finished(self, run: "Run", results: Mapping[str, Any]) -> None:
        """The training is over, and was measured."""
        ...


class Run(RunFolder):
    """A run folder that is being filled. Make it with `Run.create`, or with `Run.open` to go on.

    `.step` is the number of steps done at the last save or restore, `.interrupted` whether the latest loop was stopped
    by Ctrl-C before its end, `.stopped_early` whether early stopping ended it. `.kept` is False for one
    whose folder is thrown away, so that nobody need wait for its saving. `.followers` are told of all that is
    written. `.lock` is to be held (`with run.lock:`)
    by whoever writes into the folder; `Steps` does.
    """

    def __init__(self, path: Path, model: str, recipe: dict[str, Any]) -> None:
        super().__init__(path, model, recipe)
        self.interrupted = self.stopped_early = False
        self.kept = True
        self.followers: list[Follower] = []
        self._recipe_changed: bytes | None = None
        self.lock = RunLock(path)
        self._began = time.monotonic()
        self._seconds_before = 0.0
        self._data: str | None = None
        self._curves = Curves(path / "curves.png", model)

    @functools.cached_property
    def _log(self) -> MetricLog:
        """Opened at first use, so that a damaged metrics.csv is told when something is to be written to it."""
        return MetricLog(self.path / "metrics.csv")

    @classmethod
    def create(cls, path: str | Path, model: str, recipe: Any) -> Self:
        """A new run of `model` in the folder `path`, which must be new or empty; `recipe` is a dataclass instance.

        Raises RunError when the folder holds something already or cannot be written.
        """
        path = Path(path)
        data = recipe_document(model, recipe)
        if path.is_file():
            raise RunError(f"{path} is a file; choose another folder with --out")
        new = []
        try:
            check_empty(path)
            new = [folder for folder in (path / "samples", path, *path.parents) if not folder.exists()]
            (path / "samples").mkdir(parents=True, exist_ok=True)
            with RunLock(path):  # of two who make it at once, one comes second
                check_empty(path)
                write_atomic(path / "recipe.json", data)
        except OSError as error:
            if isinstance(error, RunError) and error.__cause__ is None:
                raise
            for folder in new:  # the deepest first
                with contextlib.suppress(OSError):
                    folder.rmdir()
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            raise creation_error(path, cause) from error
        return cls(path, model, json.loads(data)["recipe"])

    def change_recipe(self, recipe: Any) -> None:
        """Go on with `recipe` in place of the run's own: a finished run is to go on for more epochs.

        recipe.json is rewritten by `restore`, when the checkpoint has turned out to be sound and to fit.
        """
        self._recipe_changed = recipe_document(self.model, recipe)
        self.recipe = json.loads(self._recipe_changed)["recipe"]

    def restore(self, state: State, data: str | None = None) -> int:
        """Load everything from the checkpoint, drop what was logged after it, and return the number of steps done.

        data: digest of the training data, see minigen.training.origin. Without a checkpoint (a new run, or one stopped
        before its first save) nothing is loaded and it returns 0. What would be lost of an earlier training is kept
        aside, and said. Raises CheckpointError when the checkpoint is missing, damaged, does not fit, or does not
        belong to this recipe, data and log; nothing is changed then.
        """
        log, self._data = self._log, data  # the log first, so that a damaged metrics.csv is told before any change
        check_places(self.path)
        saved = os.path.lexists(self.checkpoint_path)
        if saved:
            step = checkpoint.load(self.checkpoint_path, state, check=self._check_origin)
            if step < self.step and log.last_step() > step:
                self._copy_log(step)
            self.step = step
        else:
            self._start_again()
        if self._recipe_changed is not None:
            write_atomic(self.path / "recipe.json", self._recipe_changed)
        log.trim(self.step if saved else None)
        self.layers.trim(self.step)
        if saved:
            self._seconds_before, self._began = self.seconds, time.monotonic()
        return self.step

    def _check_origin(self, found: checkpoint.Saved) -> None:
        """Raise CheckpointError when the checkpoint is not one of this run with this data and this log."""
        self.check_recipe(found.origin)
        data, digest = found.origin.get("data"), found.origin.get("metrics")
        if data is not None and self._data is not None and data != self._data:
            raise CheckpointError(
                f"the training data are not those that {self.checkpoint_path} was trained with; put them back, or "
                "train anew into another folder with --out"
            )
        file = self.path / "metrics.csv"
        if digest is None or digest == self._log.digest(found.step):
            return
        if self._log.columns:
            raise CheckpointError(
                f"{file} is not what was logged up to step {found.step}, when {self.checkpoint_path.name} was saved; "
                "put back the file that was exchanged or edited, or move metrics.csv away to go on with a new one"
            )
        print(f"{file} is missing: the curves begin after step {found.step}", flush=True)

    def _copy_log(self, step: int) -> None:
        """Keep the rows that are trained again because somebody put back an older checkpoint."""
        file = self.path / "metrics.csv"
        write_atomic(aside := free_name(file), file.read_bytes())
        print(
            f"{self.checkpoint_path} is of step {step}, and step {self.step} had been saved: going on from {step}; "
            f"the log so far is kept in {aside.name}",
            flush=True,
        )

    def _start_again(self) -> None:
        """Begin at step 0, with all that a training before left behind kept aside."""
        if self.step:
            raise CheckpointError(
                f"{self.checkpoint_path} is missing, but run.json says that step {self.step} was saved; put it back, "
                f"or remove {self.path / 'run.json'} to start again from step 0"
            )
        kept = [self.path / "metrics.csv"] if self._log.columns else []
        kept += [self.path / "samples"] if self.samples() else []
        asides = [keep_aside(path).name for path in kept]
        (self.path / "samples").mkdir(exist_ok=True)
        if asides:
            print(f"{self.path} has no checkpoint: starting again; what was there is kept in {', '.join(asides)}")

    def save(self, state: State, step: int, checked: bool = False) -> None:
        """Write the checkpoint. On an error the one before is still there. checked: `check_finite` was called for it.

        Raises RunError when the disk refuses, GradientError when an array of the state holds NaN or infinity.
        """
        self._log.sync()
        if not checked:
            self.check_finite(state, step)
        origin = {"model": self.model, "recipe": self.recipe, "metrics": self._log.digest(step)}
        if self._data is not None:
            origin["data"] = self._data
        checkpoint.save(self.checkpoint_path, state, step, origin)
        self.step = step
        self.seconds = round(self._seconds_before + time.monotonic() - self._began, 3)
        self._write_results({})
        self._curves.refresh(self.history)
        for follower in self.followers:
            follower.saved(self)

    def check_finite(self, state: State, step: int) -> None:
        """Raises GradientError when an array of the state, as it is after step `step`, holds NaN or infinity."""
        problem = checkpoint.non_finite(state)
        if problem:
            raise self.diverged(state, f"at or before step {step}: {problem}")

    def diverged(self, state: State, what: str) -> GradientError:
        """The error of a training that can not go on: what is wrong, the learning rate, and what to go back to."""
        rates = {f"{owner.lr:.4g}" for owner in state.values() if isinstance(owner, Optimizer)}
        rate = f" (learning rate {', '.join(sorted(rates))})" if rates else ""
        before = f"the checkpoint of step {self.step} is intact" if self.step else "nothing was saved before"
        mend = "train anew with a lower --lr, or numbers nearer to the recipe's own; --debug names the operation"
        return GradientError(f"training diverged {what}{rate}; {before}; {mend}")

    def log(self, step: int, **values: Any) -> None:
        """One row of metrics.csv. Log the figures of a step before saving it."""
        self._log.append(step, values)
        for follower in self.followers:
            follower.logged(step, values)

    def finish(self, **results: Any) -> None:
        """Draw curves.png, write `results` (the final figures) to run.json, and say where everything is."""
        self._write_results(results)
        self._curves.draw(self.history())
        for follower in self.followers:
            follower.finished(self, results)
        for name in main_figures(results):
            print(f"  {name.replace('_', ' ')}: {described(name, results)}")
        print(f"{self.model}: {self.step:,} steps in {duration(self.seconds)}, everything is in {self.path}")
        if self.stopped_early:
            print("stopped early: the validation figure had not improved for as long as --patience says")
        if self.interrupted:
            print(f"interrupted; go on with: {self.how_to_resume}")

    @property
    def how_to_resume(self) -> str:
        """The command that goes on with the run."""
        return f"minigen train {self.model} --resume {shlex.quote(str(self.path))}"

    def _write_results(self, results: dict[str, Any]) -> None:
        self.results = results
        document = {"step": self.step, "seconds": self.seconds, "trained": self.trained, "results": results}
        document["data"] = self.data
        try:
            data = json.dumps(document, indent=2).encode() + b"\n"
        except TypeError as error:
            raise ArgumentError(f"run: results must be numbers, strings, lists or dicts: {error}") from error
        write_atomic(self.path / "run.json", data)


def check_empty(folder: Path) -> None:
    """Raise RunError when there is something in the folder that is to be a run's. It may be missing."""
    if folder.exists() and not all(map(is_leaving, folder.iterdir())):
        resumable = (folder / "recipe.json").exists()
        mend = f", or go on with the run in it: --resume {folder}" if resumable else ""
        raise RunError(f"{folder} is not empty; choose another folder with --out{mend}")


def is_leaving(path: Path) -> bool:
    """Whether this is all that a run left behind which was killed while its folder was made."""
    empty = path.name == "samples" and path.is_dir() and not any(path.iterdir())
    return empty or path.name == lock.NAME or bool(TEMPORARY.fullmatch(path.name))


def check_places(folder: Path) -> None:
    """Raise RunError, before the first step, when something stands where a run's files are to be written."""
    for name in ("run.json", "curves.png"):
        if (folder / name).is_dir():
            raise RunError(f"{folder / name} is a folder, where a file of the run belongs; move it away")
    try:
        (folder / "samples").mkdir(exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder / 'samples'} is no folder, where the run's pictures belong; move it away") from error


def creation_error(folder: Path, error: OSError) -> RunError:
    """The RunError for a folder that could not be made. Unlike later on, there is nothing yet to go on with."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        mend = "free some space, or choose a folder on another disk with --out"
        return RunError(f"cannot create {folder}: {error.strerror}; {mend}")
    return disk_error("create", folder, error)


def recipe_document(model: str, recipe: Any) -> bytes:
    """The contents of recipe.json. Raises ArgumentError unless `recipe` is a dataclass instance that JSON can hold."""
    if not dataclasses.is_dataclass(recipe) or isinstance(recipe, type):
        raise ArgumentError(f"run: recipe is {recipe!r}; pass an instance of the model's Recipe dataclass")
    try:
        document = {"model": model, "minigen": checkpoint.version(), "recipe": dataclasses.asdict(recipe)}
        return json.dumps(document, indent=2).encode() + b"\n"
    except TypeError as error:
        raise ArgumentError(f"run: the recipe of {model} cannot be written as JSON: {error}") from error
