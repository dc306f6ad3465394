"""The run folder: everything that one training run leaves behind, and all that is needed to go on with it.

recipe.json              model name, recipe fields, minigen version
metrics.csv              what was logged, see minigen.training.log
samples/step-000938.png  pictures (.png) or texts (.txt) made on the way
checkpoint.safetensors   the latest state, see minigen.training.checkpoint
curves.png, run.json     written at the end (run.json at every save): curves; steps, seconds taken, results
"""

import contextlib
import dataclasses
import errno
import functools
import json
import time
import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from minigen.errors import ArgumentError, GradientError, RunError
from minigen.files import disk_error, write_atomic
from minigen.training import checkpoint
from minigen.training.checkpoint import State
from minigen.training.log import MetricLog
from minigen.training.progress import Progress, duration

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RecipeType = TypeVar("RecipeType", bound="DataclassInstance")


class Run:
    """One run folder. Make it with `Run.create` or `Run.open`.

    `.folder` is its path, `.model` the model's name, `.recipe` the recipe's fields as a dict, `.step` the number of
    steps done at the last save or restore.
    """

    def __init__(self, folder: Path, model: str, recipe: dict[str, Any]) -> None:
        self.folder, self.model, self.recipe = folder, model, recipe
        self.step = 0
        self.checkpoint_path = folder / "checkpoint.safetensors"
        self._recipe_changed: bytes | None = None
        self._progress: Progress | None = None
        self._began = time.monotonic()
        self._seconds_before = 0.0

    @functools.cached_property
    def _log(self) -> MetricLog:
        """Opened at first use: sampling from a run does not ask for a sound metrics.csv."""
        return MetricLog(self.folder / "metrics.csv")

    @classmethod
    def create(cls, folder: str | Path, model: str, recipe: Any) -> "Run":
        """A new run of `model` in `folder`, which must be new or empty; `recipe` is a dataclass instance.

        Raises RunError when the folder holds something already or cannot be written.
        """
        folder = Path(folder)
        data = recipe_document(model, recipe)
        if folder.is_file():
            raise RunError(f"{folder} is a file; choose another folder with --out")
        new = []
        try:
            if folder.exists() and any(folder.iterdir()):
                resumable = (folder / "recipe.json").exists()
                mend = f", or go on with the run in it: --resume {folder}" if resumable else ""
                raise RunError(f"{folder} is not empty; choose another folder with --out{mend}")
            new = [path for path in (folder / "samples", folder, *folder.parents) if not path.exists()]
            (folder / "samples").mkdir(parents=True)
            write_atomic(folder / "recipe.json", data)
        except OSError as error:
            for path in new:  # the deepest first
                with contextlib.suppress(OSError):
                    path.rmdir()
            if isinstance(error, RunError) and error.__cause__ is None:
                raise
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            raise creation_error(folder, cause) from error
        return cls(folder, model, json.loads(data)["recipe"])

    @classmethod
    def open(cls, folder: str | Path, model: str | None = None) -> "Run":
        """The run that is in `folder`; with `model`, it must be one of that model.

        Raises RunError when the folder or its recipe.json is missing or damaged, or of another model.
        """
        folder = Path(folder)
        path = folder / "recipe.json"
        if not folder.is_dir():
            raise RunError(f"there is no run folder {folder}; make one with: minigen train MODEL --out {folder}")
        if not path.is_file():
            raise RunError(f"{folder} is not a run folder: it has no recipe.json")
        try:
            document = json.loads(path.read_bytes())
            name, recipe = document["model"], document["recipe"]
            if not isinstance(name, str) or not isinstance(recipe, dict):
                raise TypeError("model must be a string and recipe an object")
        except OSError as error:
            raise disk_error("read", path, error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path} is damaged ({error}); restore it from a copy, or train again") from error
        if model not in (None, name):
            raise RunError(f"{folder} is a run of {name}, not of {model}; use: minigen train {name} --resume {folder}")
        return cls(folder, name, recipe)

    def load_recipe(self, recipe_class: type[RecipeType]) -> RecipeType:
        """The recipe as an instance of the model's dataclass.

        Raises RunError when a field is missing, unknown, or of the wrong type.
        """
        path = self.folder / "recipe.json"
        hints = typing.get_type_hints(recipe_class)
        names = [field.name for field in dataclasses.fields(recipe_class) if field.init]
        missing = [name for name in names if name not in self.recipe]
        unknown = [name for name in self.recipe if name not in names]
        if missing or unknown:
            raise RunError(
                f"{path} does not fit the recipe of {self.model}: missing {', '.join(missing) or 'nothing'}, unknown "
                f"{', '.join(unknown) or 'nothing'}; it was written by another version of minigen, or edited"
            )
        for name in names:
            if not fits(self.recipe[name], hints[name]):
                raise RunError(f"{path}: {name} is {self.recipe[name]!r}; expected {hints[name]}")
        return recipe_class(**{name: frozen(self.recipe[name]) for name in names})

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
            write_atomic(self.folder / "recipe.json", self._recipe_changed)
        log.trim(self.step if saved else None)
        if not saved:
            return 0
        self._seconds_before = self._read_results().get("seconds", 0.0)
        self._began = time.monotonic()
        return self.step

    def load(self, state: State) -> int:
        """Load only the named objects, e.g. {"model": model} to sample from it; returns the number of steps done."""
        return checkpoint.load(self.checkpoint_path, state, partial=True)

    def save(self, state: State, step: int) -> None:
        """Write the checkpoint. On an error the one before is still there.

        Raises RunError when the disk refuses, GradientError when an array of the state holds NaN or infinity.
        """
        self._log.sync()
        problem = checkpoint.non_finite(state)
        if problem:
            before = f"the checkpoint of step {self.step} is intact" if self.step else "nothing was saved before"
            raise GradientError(
                f"training diverged at or before step {step}: {problem}; {before}; train anew with a lower --lr"
            )
        checkpoint.save(self.checkpoint_path, state, step)
        self.step = step
        self._write_results({})

    def log(self, step: int, **values: Any) -> None:
        """One row of metrics.csv. Log the figures of a step before saving it."""
        self._log.append(step, values)

    def history(self) -> dict[str, list]:
        """What was logged: a list a column, None where a column has no value in a row."""
        return self._log.history()

    def sample_path(self, step: int, suffix: str = ".png") -> Path:
        """Where the picture of step `step` belongs, or with suffix ".txt" its text."""
        return self.folder / "samples" / f"step-{step:06d}{suffix}"

    def progress(self, total: int, start: int = 0) -> Progress:
        """A progress bar for the steps start+1 … total, see minigen.training.progress."""
        self._progress = Progress(total, start, description=self.model)
        return self._progress

    @property
    def interrupted(self) -> bool:
        """Whether the latest loop was stopped by Ctrl-C before its end."""
        last = self._progress
        return last is not None and last.interrupted and last.step < last.total

    @property
    def seconds(self) -> float:
        """Time spent on this run up to now, earlier sessions up to their last save included."""
        return self._seconds_before + time.monotonic() - self._began

    def finish(self, **results: Any) -> None:
        """Draw curves.png, write `results` (the final figures) to run.json, and say where everything is."""
        from minigen import plots

        self._write_results(results)
        history = self.history()
        if history.get("step"):
            plots.save_curves(self.folder / "curves.png", history, title=self.model)
        for name, value in results.items():
            print(f"  {name.replace('_', ' ')}:", f"{value:.5g}" if isinstance(value, float) else value)
        print(f"{self.model}: {self.step:,} steps in {duration(self.seconds)}, everything is in {self.folder}")
        if self.interrupted:
            print(f"interrupted; go on with: minigen train {self.model} --resume {self.folder}")

    def _write_results(self, results: dict[str, Any]) -> None:
        document = {"step": self.step, "seconds": round(self.seconds, 3), "results": results}
        try:
            data = json.dumps(document, indent=2).encode() + b"\n"
        except TypeError as error:
            raise ArgumentError(f"run: results must be numbers, strings, lists or dicts: {error}") from error
        write_atomic(self.folder / "run.json", data)

    def _read_results(self) -> dict[str, Any]:
        """run.json as a dict; empty when it is missing or damaged, since nothing but the clock depends on it."""
        try:
            document = json.loads((self.folder / "run.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}


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


def frozen(value: Any) -> Any:
    """Lists, which is how JSON keeps tuples, as tuples."""
    return tuple(frozen(item) for item in value) if isinstance(value, list) else value


def fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value can be what the type hint of a recipe's field asks for."""
    kind = typing.get_origin(hint) or hint
    if kind in (typing.Union, types.UnionType):
        return any(fits(value, option) for option in typing.get_args(hint))
    if kind is typing.Literal:
        return value in typing.get_args(hint)
    if kind in (int, float):
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    if kind in (tuple, list):
        return isinstance(value, list)
    return kind is Any or not isinstance(kind, type) or isinstance(value, kind)
