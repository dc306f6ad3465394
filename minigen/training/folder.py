"""A run folder, read: all that one training run left behind, and all that is needed to use what it trained.

recipe.json              model name, recipe fields, minigen version
metrics.csv              what was logged, see minigen.training.log
samples/step-000938.png  pictures (.png) or texts (.txt) made on the way
checkpoint.safetensors   the latest state, see minigen.training.checkpoint
layers.jsonl             how weights, gradients and outputs were spread, see minigen.training.insides
curves.png               the curves so far
run.json                 steps, seconds taken by them, and at the end the results
lock                     there while the run is being trained, see minigen.training.lock

Nothing here writes; minigen.training.run does.
"""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from minigen.errors import CheckpointError, RunError
from minigen.files import read_regular
from minigen.layers import Module
from minigen.optim import EMA
from minigen.training import checkpoint
from minigen.training.checkpoint import State
from minigen.training.insides import LayerLog
from minigen.training.log import MetricLog
from minigen.training.origin import recipe_difference

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LIMIT = 2**20  # bytes of recipe.json and of run.json, which have a few thousand
RecipeType = TypeVar("RecipeType", bound="DataclassInstance")


class RunFolder:
    """One run, as it lies on disk. Make it with `RunFolder.open`.

    `.path` is the folder, `.model` the model's name, `.recipe` the recipe's fields as a dict, `.step` the number of
    steps done at the last save, `.seconds` the time that they took, `.results` the figures of the evaluation, `.data`
    what it was trained on, such as the names of the classes (`minigen.data.facts`), `.trained` whether its training
    came to its end.
    """

    def __init__(self, path: Path, model: str, recipe: dict[str, Any]) -> None:
        self.path, self.model, self.recipe = path, model, recipe
        self.checkpoint_path = path / "checkpoint.safetensors"
        self.layers = LayerLog(path / "layers.jsonl")
        self.step, self.seconds, self.results, self.data, self.trained = read_summary(path / "run.json")

    @classmethod
    def open(cls, path: str | Path, model: str | None = None) -> Self:
        """The run that is in the folder `path`; with `model`, it must be one of that model.

        Raises RunError when the folder or its recipe.json is missing or damaged, or of another model.
        """
        path = Path(path)
        file = path / "recipe.json"
        if not path.is_dir():
            raise RunError(f"there is no run folder {path}; make one with: minigen train MODEL --out {path}")
        try:
            document = json.loads(read_regular(file, LIMIT))
            name, recipe = document["model"], document["recipe"]
            if not isinstance(name, str) or not isinstance(recipe, dict):
                raise TypeError("model must be a string and recipe an object")
        except FileNotFoundError:
            raise RunError(f"{path} is not a run folder: it has no recipe.json") from None
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise RunError(f"{file} is damaged ({error}); restore it from a copy, or train again") from error
        if model not in (None, name):
            raise RunError(f"{path} is a run of {name}, not of {model}; use: minigen train {name} --resume {path}")
        return cls(path, name, recipe)

    def load_recipe(self, recipe_class: type[RecipeType]) -> RecipeType:
        """The recipe as an instance of the model's dataclass. A field that the run is older than has its default.

        Raises RunError when a field without a default is missing, or one is unknown or of the wrong type, and
        CheckpointError when the checkpoint was trained with another recipe.
        """
        file = self.path / "recipe.json"
        hints = typing.get_type_hints(recipe_class)
        fields = [field for field in dataclasses.fields(recipe_class) if field.init]
        names = [field.name for field in fields]
        missing = [field.name for field in fields if field.name not in self.recipe and is_required(field)]
        unknown = [name for name in self.recipe if name not in names]
        if missing or unknown:
            raise RunError(
                f"{file} does not fit the recipe of {self.model}: missing {', '.join(missing) or 'nothing'}, unknown "
                f"{', '.join(unknown) or 'nothing'}; it was written by another version of minigen, or edited"
            )
        for name, value in self.recipe.items():
            if not fits(value, hints[name]):
                raise RunError(f"{file}: {name} is {value!r}; expected {getattr(hints[name], '__name__', hints[name])}")
        if self.checkpoint_path.exists():  # before a model is built by a number that is none of its own
            self.check_recipe(checkpoint.read_origin(self.checkpoint_path))
        return recipe_class(**{name: frozen(value) for name, value in self.recipe.items()})

    def check_recipe(self, origin: Mapping[str, Any]) -> None:
        """Raise CheckpointError when a checkpoint of that origin was not trained with this run's recipe."""
        if origin.get("model", self.model) != self.model:
            difference = f"it is of {origin['model']}, and this is a run of {self.model}"
        else:
            found = recipe_difference(origin.get("recipe", {}), self.recipe)
            difference = f"in {self.path / 'recipe.json'} {found} when it was trained" if found else None
        if difference:
            raise CheckpointError(
                f"{self.checkpoint_path} does not belong to this run: {difference}; put back the file that was "
                "exchanged or edited"
            )

    def saved(self) -> dict[str, Any]:
        """The whole state in the checkpoint, as nested dicts of arrays and plain values. Raises CheckpointError."""
        found = checkpoint.read_whole(self.checkpoint_path)
        self.check_recipe(found.origin)
        return found.state

    def load(self, state: State) -> int:
        """Load only the named objects, e.g. {"model": model}; returns the number of steps done."""
        return checkpoint.load(self.checkpoint_path, state, True, lambda found: self.check_recipe(found.origin))

    def load_weights(self, model: Module, averaged: Module | None = None) -> None:
        """Give `model` the weights that were saved last, and `averaged` (a part of it, or all) the averaged ones.

        Without averaging (recipe field `ema`) that part has its last weights too. Raises CheckpointError.
        """
        self.load({"model": model})
        if averaged is not None and self.recipe.get("ema") is not None:
            ema = EMA(averaged, decay=0)
            self.load({"ema": ema})
            ema.lend(ema.weights)

    def history(self) -> dict[str, list]:
        """What was logged: a list a column, None where a column has no value in a row. Raises RunError if damaged."""
        return MetricLog(self.path / "metrics.csv").history()

    def pictures(self) -> list[Path]:
        """The pictures in the folder, and the film, by name; those made on the way are samples."""
        return sorted([*self.path.glob("*.png"), *self.path.glob("*.gif")])

    def samples(self) -> list[Path]:
        """The pictures or texts made on the way, in order."""
        found = (self.path / "samples").glob("step-*")
        return sorted(path for path in found if path.suffix in (".png", ".txt"))  # the others are being written

    def sample_path(self, step: int, suffix: str = ".png") -> Path:
        """Where the picture of step `step` belongs, or with suffix ".txt" its text."""
        return self.path / "samples" / f"step-{step:06d}{suffix}"


def read_summary(path: Path) -> tuple[int, float, dict[str, Any], dict[str, Any], bool]:
    """Step, seconds, results, data, whether trained; nothing when that is missing or damaged, as no step needs it."""
    try:
        document = json.loads(read_regular(path, LIMIT))
        step, seconds, results = int(document["step"]), float(document["seconds"]), dict(document["results"])
        data, trained = dict(document.get("data", {})), bool(document.get("trained", results))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return 0, 0.0, {}, {}, False
    sound = step >= 0 and 0 <= seconds < math.inf
    return (step, seconds, results, data, trained) if sound else (0, 0.0, {}, {}, False)


def is_required(field: "dataclasses.Field[Any]") -> bool:
    """Whether a dataclass's field has no default."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


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
