"""A run folder, written: created, resumed, logged into, saved to and finished. minigen.training.folder reads it."""

import contextlib
import dataclasses
import errno
import functools
import json
import time
from pathlib import Path
from typing import Any

from minigen import plots
from minigen.errors import ArgumentError, GradientError, RunError
from minigen.files import disk_error, write_atomic
from minigen.training import checkpoint
from minigen.training.checkpoint import State
from minigen.training.folder import RunFolder
from minigen.training.log import MetricLog
from minigen.training.progress import duration


class Run(RunFolder):
    """A run folder that is being filled. Make it with `Run.create`, or with `Run.open` to go on.

    `.step` is the number of steps done at the last save or restore, `.interrupted` whether the latest loop was stopped
    by Ctrl-C before its end, `.stopped_early` whether early stopping ended it.
    """

    def __init__(self, path: Path, model: str, recipe: dict[str, Any]) -> None:
        super().__init__(path, model, recipe)
        self.interrupted = self.stopped_early = False
        self._recipe_changed: bytes | None = None
        self._began = time.monotonic()
        self._seconds_before = 0.0

    @functools.cached_property
    def _log(self) -> MetricLog:
        """Opened at first use, so that a damaged metrics.csv is told when something is to be written to it."""
        return MetricLog(self.path / "metrics.csv")

    @classmethod
    def create(cls, path: str | Path, model: str, recipe: Any) -> "Run":
        """A new run of `model` in the folder `path`, which must be new or empty; `recipe` is a dataclass instance.

        Raises RunError when the folder holds something already or cannot be written.
        """
        path = Path(path)
        data = recipe_document(model, recipe)
        if path.is_file():
            raise RunError(f"{path} is a file; choose another folder with --out")
        new = []
        try:
            if path.exists() and any(path.iterdir()):
                resumable = (path / "recipe.json").exists()
                mend = f", or go on with the run in it: --resume {path}" if resumable else ""
                raise RunError(f"{path} is not empty; choose another folder with --out{mend}")
            new = [folder for folder in (path / "samples", path, *path.parents) if not folder.exists()]
            (path / "samples").mkdir(parents=True)
            write_atomic(path / "recipe.json", data)
        except OSError as error:
            for folder in new:  # the deepest first
                with contextlib.suppress(OSError):
                    folder.rmdir()
            if isinstance(error, RunError) and error.__cause__ is None:
                raise
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            raise creation_error(path, cause) from error
        return cls(path, model, json.loads(data)["recipe"])

    def change_recipe(self, recipe: Any) -> None:
        """Go on with `recipe` in place of the run's own: a finished run is to go on for more epochs.

        recipe.json is rewritten by `restore`, when the checkpoint has turned out to be sound and to fit.
        """
        self._recipe_changed = recipe_document(self.model, recipe)
        self.recipe = json.loads(self._recipe_changed)["recipe"]

    def restore(self, state: State) -> int:
        """Load everything from the checkpoint, drop what was logged after it, and return the number of steps done.

        Without a checkpoint (a new run, or one stopped before its first save) nothing is loaded and it returns 0.
        Raises CheckpointError when the checkpoint is damaged or does not fit; nothing is changed then.
        """
        log = self._log  # first, so that a damaged metrics.csv is told before anything is changed
        saved = self.checkpoint_path.exists()
        if saved:
            self.step = checkpoint.load(self.checkpoint_path, state)
        if self._recipe_changed is not None:
            write_atomic(self.path / "recipe.json", self._recipe_changed)
        log.trim(self.step if saved else None)
        if not saved:
            self.step = 0
            return 0
        self._seconds_before, self._began = self.seconds, time.monotonic()
        return self.step

    def save(self, state: State, step: int) -> None:
        """Write the checkpoint. On an error the one before is still there.

        Raises RunError when the disk refuses, GradientError when an array of the state holds NaN or infinity.
        """
        self._log.sync()
        self.check_finite(state, step)
        checkpoint.save(self.checkpoint_path, state, step)
        self.step = step
        self._write_results({})

    def check_finite(self, state: State, step: int) -> None:
        """Raises GradientError when an array of the state, as it is after step `step`, holds NaN or infinity."""
        problem = checkpoint.non_finite(state)
        if problem:
            before = f"the checkpoint of step {self.step} is intact" if self.step else "nothing was saved before"
            raise GradientError(
                f"training diverged at or before step {step}: {problem}; {before}; train anew with a lower --lr"
            )

    def log(self, step: int, **values: Any) -> None:
        """One row of metrics.csv. Log the figures of a step before saving it."""
        self._log.append(step, values)

    def finish(self, **results: Any) -> None:
        """Draw curves.png, write `results` (the final figures) to run.json, and say where everything is."""
        self._write_results(results)
        history = self.history()
        if history.get("step"):
            plots.save_curves(self.path / "curves.png", history, title=self.model)
        for name, value in results.items():
            print(f"  {name.replace('_', ' ')}:", f"{value:.5g}" if isinstance(value, float) else value)
        print(f"{self.model}: {self.step:,} steps in {duration(self.seconds)}, everything is in {self.path}")
        if self.stopped_early:
            print("stopped early: the validation figure had not improved for as long as --patience says")
        if self.interrupted:
            print(f"interrupted; go on with: minigen train {self.model} --resume {self.path}")

    def _write_results(self, results: dict[str, Any]) -> None:
        self.seconds = round(self._seconds_before + time.monotonic() - self._began, 3)
        self.results = results
        document = {"step": self.step, "seconds": self.seconds, "results": results}
        try:
            data = json.dumps(document, indent=2).encode() + b"\n"
        except TypeError as error:
            raise ArgumentError(f"run: results must be numbers, strings, lists or dicts: {error}") from error
        write_atomic(self.path / "run.json", data)


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
