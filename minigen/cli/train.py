"""`minigen train`, whose flags are the fields of the model's Recipe."""

import contextlib
import dataclasses
import io
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from minigen import flags, plots
from minigen.catalog import RUNS, first_line, load_model, model_names
from minigen.cli.tested import KEY, tested_digest
from minigen.errors import ArgumentError, RunError
from minigen.training import Run, RunFolder, checkpoint
from minigen.training.origin import GROWING, grown, moved
from minigen.training.progress import duration, say
from minigen.training.tracking import TRACKERS

IMAGES = ("mnist", "fashion-mnist")
BUILT_IN = {
    "data": IMAGES,
    "other": IMAGES,
    "text": ("shakespeare",),
    "ratings": ("generated",),
    "tunes": ("traditional",),
}  # what a recipe's field may name, no file


def train(argv: list[str]) -> int:
    """Train a model into a run folder, or go on with an interrupted run."""
    if argv and not argv[0].startswith("-"):
        model, argv = argv[0], argv[1:]
    else:
        model = model_of_resumed_run(argv)
    module = known(model)
    parser = flags.Parser(prog=f"minigen train {model}", description=first_line(module))
    parser.add_argument("--out", type=Path, metavar="FOLDER", help=f"run folder (default: {RUNS}/{model}-N)")
    growing = " and ".join(map(flags.flag_of, extendable(module, module.Recipe())))
    parser.add_argument("--resume", type=Path, metavar="FOLDER", help=f"go on with this run; {growing} may extend it")
    parser.add_argument(
        "--dry-run", action="store_true", help="show recipe and parameters, run two steps, keep nothing"
    )
    parser.add_argument("--no-eval", action="store_true", help="measure nothing at the end; minigen eval does it later")
    parser.add_argument("--track", choices=TRACKERS, help="tell it all, too (pip install 'minigen[track]')")
    parser.add_argument("--debug", action="store_true", help="show tracebacks, and name the operation of a NaN")
    flags.add_fields(parser, module.Recipe, "recipe")
    arguments = parser.parse(argv)
    given = flags.given_fields(arguments, module.Recipe)

    if arguments.resume is not None:
        if arguments.out is not None or arguments.dry_run:
            raise ArgumentError("--resume goes on in its own folder; leave out --out and --dry-run")
        return resume(module, model, arguments.resume, given, not arguments.no_eval, arguments.track)
    recipe = with_absolute_path(module.Recipe(**given))
    if arguments.dry_run:
        return dry_run(module, model, recipe)
    run = Run.create(arguments.out, model, recipe) if arguments.out is not None else numbered_run(model, recipe)
    with removed_if_unused(run):
        return run_training(module, recipe, run, not arguments.no_eval, arguments.track)


def known(model: str) -> ModuleType:
    """The module of a model. Raises ArgumentError, with the nearest name, when there is none."""
    names = model_names()
    if model not in names:
        raise ArgumentError(f"unknown model {model}{flags.suggestion(model, names)} (known: {', '.join(names)})")
    return load_model(model)


def named_model(command: str, argv: list[str], usage: str, does: str) -> tuple[str, ModuleType]:
    """The model that a command line begins with. Raises ArgumentError without one; --help ends with what is used."""
    if argv and not argv[0].startswith("-"):
        return argv[0], known(argv[0])
    if argv[:1] in (["-h"], ["--help"]):
        print(f"usage: minigen {command} NAME {usage}\n\n{does}")
        raise SystemExit(0)
    raise ArgumentError(f"{command} needs the name of a model first, as in: minigen {command} vae")


def model_of_resumed_run(argv: list[str]) -> str:
    """The model of the run that --resume names, when `train` was called without a model's name."""
    parser = flags.Parser(prog="minigen train", add_help=False)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("-h", "--help", action="store_true")
    arguments, _ = parser.parse_known_args(argv)
    if arguments.resume is not None and not arguments.help:
        return RunFolder.open(arguments.resume).model
    lines = [f"  {name:<12} {first_line(load_model(name))}" for name in model_names()]
    print(
        "\n".join(["usage: minigen train NAME [flags]", "       minigen train --resume FOLDER", "", "models:", *lines])
    )
    if arguments.help:
        raise SystemExit(0)
    raise ArgumentError("train needs the name of a model first, as in: minigen train vae")


def resume(
    module: ModuleType, model: str, folder: Path, given: dict[str, Any], evaluating: bool, track: str | None
) -> int:
    """Go on with the run in `folder`. `given` may only extend it, or say where its data are by now."""
    run = Run.open(folder, model)
    stored = run.load_recipe(module.Recipe)
    recipe = with_absolute_path(dataclasses.replace(stored, **given))
    growing, origin = extendable(module, stored), checkpoint.read_origin(run.checkpoint_path)
    trained = {name: value for name, value in origin.get("recipe", {}).items() if name in GROWING}
    for name in {**given, **trained}:  # recipe.json may have been edited
        value, before = getattr(recipe, name), trained.get(name, getattr(stored, name))
        allowed = (name in growing and grown(name, before, value)) or ("data" in origin and moved(name, before, value))
        if value != before and not allowed:
            was = before if before is not None else "no limit: Ctrl-C stops and saves" if name in GROWING else "none"
            decides = name in GROWING and name not in growing
            flag = flags.flag_of(name)
            why = f"; the steps already done depend on {flag}, so train a {model} anew" if decides else ""
            raise ArgumentError(
                f"{flag} {value} does not go with the run in {folder} ({was}); "
                f"with --resume only {' and '.join(map(flags.flag_of, growing))} can change, and only grow{why}"
            )
    if recipe != stored:
        run.change_recipe(recipe)
    return run_training(module, recipe, run, evaluating, track)


def extendable(module: ModuleType, recipe: Any) -> tuple[str, ...]:
    """The fields of the recipe that may grow when a run is resumed; see minigen.models."""
    falls = getattr(recipe, "schedule", None) == "cosine"  # over all epochs, from the first step
    return getattr(module, "EXTENDABLE", ("max_steps",) if falls else GROWING)


def with_absolute_path(recipe: Any) -> Any:
    """The recipe with the whole path of the user's own data, so that the run can be used from any folder."""
    for field, names in BUILT_IN.items():
        name = getattr(recipe, field, None)
        if name and name.lower().replace("_", "-") not in names and Path(name).exists():
            recipe = dataclasses.replace(recipe, **{field: str(Path(name).resolve())})
    return recipe


def dry_run(module: ModuleType, model: str, recipe: Any) -> int:
    """Print the recipe and the parameters, and train two steps in a folder that is then removed."""
    recipe = dataclasses.replace(recipe, max_steps=2)
    for field in dataclasses.fields(recipe):
        value = getattr(recipe, field.name)
        print(f"{field.name:<16} {'none' if value in (None, '') else value}")
    print()
    parameters = two_steps(module, model, recipe).named_parameters()
    for name, parameter in parameters:
        print(f"{name:<32} {parameter.shape!s:<20} {parameter.size:>10,}")
    print(f"{'parameters':<53} {sum(parameter.size for _, parameter in parameters):>10,}")
    print("dry run: two steps done, nothing kept")
    return 0


def two_steps(module: ModuleType, model: str, recipe: Any) -> Any:
    """The networks after the training that `recipe` limits to two steps, silently, in a folder that is then removed."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        run = Run.create(Path(folder) / "run", model, recipe)
        run.kept = False
        module.train(recipe, run)
        return module.load(run)


def train_and_evaluate(module: ModuleType, recipe: Any, run: Run, evaluating: bool = True) -> None:
    """The model's loop; unless it was interrupted its evaluation, if that is wanted; and the report of both."""
    module.train(recipe, run)
    results, measured = {}, evaluating and not run.interrupted
    if measured:
        began = time.monotonic()
        say(f"{run.model}: trained; now it is measured; --no-eval leaves that out", sys.stdout)
        results = module.evaluate(run)
        say(f"{run.model}: measured in {duration(time.monotonic() - began)}", sys.stdout)
    if run.kept and measured and (digest := tested_digest(run.recipe)) is not None:
        run.data[KEY] = digest
    run.finish(**results)


def run_training(module: ModuleType, recipe: Any, run: Run, evaluating: bool, track: str | None = None) -> int:
    """Train, then say where the pictures lie, and show the last text that was written on the way."""
    with run.lock:
        if track is not None:
            TRACKERS[track](run)
        train_and_evaluate(module, recipe, run, evaluating)
    last, sheets = run.samples()[-1:], [path for path in run.samples() if path.suffix == ".png"]
    if len(sheets) > 1:
        plots.save_film(run.path / "film.gif", sheets)
        plots.save_strip(run.path / "strip.png", sheets)
    for path in [*last, *run.pictures()]:
        print(f"  {path}")
    for path in last:
        if path.suffix == ".txt":
            print(path.read_text(encoding="utf-8"), end="")
    return 130 if run.interrupted else 0


@contextlib.contextmanager
def removed_if_unused(run: Run) -> Iterator[None]:
    """Remove the new run folder when its training failed before it wrote anything but the recipe."""
    try:
        yield
    except BaseException:
        if [path.name for path in run.path.rglob("*") if path.is_file()] == ["recipe.json"]:
            for path in sorted(run.path.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            run.path.rmdir()
        raise


def numbered_run(model: str, recipe: Any) -> Run:
    """A new run in the next free folder; in the one after it when another process was quicker."""
    while True:
        folder = next_folder(model)
        try:
            return Run.create(folder, model, recipe)
        except RunError:
            if next_folder(model) == folder:
                raise


def next_folder(model: str) -> Path:
    """runs/MODEL-N with the first N above all that exist."""
    pattern = re.compile(re.escape(model) + r"-(\d+)")
    matches = [pattern.fullmatch(path.name) for path in RUNS.glob(f"{model}-*")]
    return RUNS / f"{model}-{1 + max((int(match[1]) for match in matches if match), default=0)}"
