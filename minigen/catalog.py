"""Which models there are: every module in the rooms of minigen.models, found by its name, nothing registered."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from minigen.checks import check_path
from minigen.errors import ArgumentError, RunError
from minigen.training import RunFolder
from minigen.training.saved import PICKLES, SUFFIX
from minigen.training.saved import load as load_file

SHARED = "parts"  # the room of what models share, in which none is
RUNS = Path("runs")  # where runs are made unless told otherwise, as seen from the current folder
SHIPPED = Path(__file__).resolve().parent / "models" / "shipped"  # run folders that come with minigen
PREFIX = "shipped:"  # of their names, where those could also be others'


def model_paths() -> dict[str, str]:
    """The full name of every installed model's module by its own; no model is imported.

    {"vae": "minigen.models.latent.vae", …}
    """
    package = importlib.import_module("minigen.models")
    files = [file for folder in package.__path__ for file in Path(folder).glob("*/*.py")]
    files = [file for file in files if file.parent.name != SHARED and file.stem[0] != "_"]
    rooms = {file.stem: file.parent.name for file in files}
    if len(rooms) < len(files):
        raise ArgumentError(f"two models have one name, in rooms of {package.__path__}; rename one of them")
    return {name: f"{package.__name__}.{rooms[name]}.{name}" for name in sorted(rooms)}


def model_names() -> list[str]:
    """The models that are installed, by name."""
    return list(model_paths())


def load_model(name: str) -> ModuleType:
    """The module of the model NAME, in whichever room it is. Raises ArgumentError when there is none."""
    paths = model_paths()
    if name not in paths:
        raise ArgumentError(f"unknown model {name} (known: {', '.join(paths)})")
    return importlib.import_module(paths[name])


def open_run(path: str | Path) -> RunFolder:
    """The run in a folder; without such a folder, the one of that name that comes with minigen. Raises RunError."""
    if Path(path).exists():
        return RunFolder.open(path)
    name = str(path).removeprefix(PREFIX)
    if name in shipped():
        return RunFolder.open(SHIPPED / name)
    if (RUNS / path / "recipe.json").is_file():
        raise RunError(f"there is no run folder {path} here; did you mean {RUNS / path}?")
    if name in model_names():
        known = ", ".join(shipped())
        raise RunError(f"no weights of {name} come with minigen (of {known} they do); make a run: minigen train {name}")
    return RunFolder.open(path)


def shipped() -> list[str]:
    """The names of the runs that come with minigen."""
    return sorted(folder.name for folder in SHIPPED.iterdir() if (folder / "recipe.json").is_file())


def is_shipped(run: RunFolder) -> bool:
    """Whether a run came with minigen; nothing is written into its folder."""
    return run.path.parent == SHIPPED


def load(path: str | Path) -> Any:
    """The trained model of a run folder, or the state that `mg.save` wrote to a .safetensors file.

    Of a file: a dict, as minigen.training.saved.load gives it. Of a folder, or of the name of a run that comes with
    minigen, such as "classifier": the Module, in evaluation mode, with the averaged weights where it has some.

    Its `.preprocessing` says and does what must become of your data before its networks can be fed with it; which they
    are, and how they are called, is said by the class in the model's file. A classifier, for example:

        model = mg.load("runs/classifier-1")
        logits = model(mg.tensor(model.preprocessing(images)))

    Raises RunError, ArgumentError or CheckpointError when the folder holds no run, or one that can not be loaded.
    """
    path = check_path("load", path)
    if path.is_file() or (path.suffix in (SUFFIX, *PICKLES) and not path.is_dir()):
        return load_file(path)
    run = open_run(path)
    module = load_model(run.model)
    model = module.load(run).eval()
    model.preprocessing = module.preprocessing(run)
    return model


def first_line(thing: Callable[..., Any] | ModuleType) -> str:
    """The first line of a docstring."""
    return (thing.__doc__ or "").strip().partition("\n")[0]
