"""The command line: minigen train | sample | eval | gradcheck | bench | info | warmup.

`train` takes its flags from the model's Recipe; `sample` and `eval` are in minigen/sampling.py, `bench` in benchmarks/.
Every error is one message that starts with "minigen: error:", without a traceback unless --debug is given.
Exit codes: 0 done, 2 a wrong command line, 1 any other error, 130 interrupted.
"""

import contextlib
import dataclasses
import importlib
import io
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from minigen import flags
from minigen.catalog import first_line, load_model, model_names
from minigen.config import Config, config
from minigen.errors import ArgumentError, MinigenError
from minigen.sampling import evaluate, sample
from minigen.training import Run
from minigen.training.checkpoint import version

RUNS = Path("runs")
EXTENDABLE = ("epochs", "max_steps")  # where the model does not say otherwise
BUILT_IN = {"data": ("mnist", "fashion-mnist"), "text": ("shakespeare",)}  # what a recipe's field may name, no file


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code. `argv` defaults to the process's arguments."""
    argv = sys.argv[1:] if argv is None else argv
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a character that the terminal lacks is no reason to stop
    if "--debug" in argv:
        config.debug = True
        argv = [argument for argument in argv if argument != "--debug"]
    try:
        Config.from_environment(os.environ)
        return dispatch(argv)
    except KeyboardInterrupt:
        print("minigen: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away, as in `minigen info | head -1`
        sys.stderr.close()
        return 1
    except (MinigenError, OSError, MemoryError) as error:
        if config.debug:
            traceback.print_exc()
        print("minigen: error:", str(error) or type(error).__name__, file=sys.stderr)
        return 2 if isinstance(error, ArgumentError) else 1


def dispatch(argv: list[str]) -> int:
    """Call the command that `argv` names with the rest of `argv`."""
    if not argv or argv[0] in ("-h", "--help"):
        print(overview())
        return 0 if argv else 2
    name, *rest = argv
    if name == "--version":
        print(f"minigen {version()}")
        return 0
    if name not in COMMANDS:
        raise ArgumentError(f"unknown command {name}{flags.suggestion(name, COMMANDS)} (known: {', '.join(COMMANDS)})")
    return COMMANDS[name](rest)


def overview() -> str:
    """The text of `minigen --help`."""
    lines = [f"  {name:<8} {first_line(command)}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: minigen COMMAND …",
            "       minigen --version",
            "",
            *lines,
            "",
            "minigen COMMAND --help tells more; --debug shows tracebacks.",
        ]
    )


# ---------------------------------------------------------------- train


def train(argv: list[str]) -> int:
    """Train a model into a run folder, or go on with an interrupted run."""
    if argv and not argv[0].startswith("-"):
        model, argv = argv[0], argv[1:]
    else:
        model = model_of_resumed_run(argv)
    module = load_model(model)
    parser = flags.Parser(prog=f"minigen train {model}", description=first_line(module))
    parser.add_argument("--out", type=Path, metavar="FOLDER", help=f"run folder (default: {RUNS}/{model}-N)")
    growing = " and ".join(map(flag, extendable(module)))
    parser.add_argument("--resume", type=Path, metavar="FOLDER", help=f"go on with this run; {growing} may extend it")
    parser.add_argument(
        "--dry-run", action="store_true", help="show recipe and parameters, run two steps, keep nothing"
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    flags.add_recipe(parser, module.Recipe)
    arguments = parser.parse(argv)
    given = flags.given_fields(arguments, module.Recipe)

    if arguments.resume is not None:
        if arguments.out is not None or arguments.dry_run:
            raise ArgumentError("--resume goes on in its own folder; leave out --out and --dry-run")
        return resume(module, model, arguments.resume, given)
    recipe = with_absolute_path(module.Recipe(**given))
    if arguments.dry_run:
        return dry_run(module, model, recipe)
    folder = arguments.out if arguments.out is not None else next_folder(model)
    run = Run.create(folder, model, recipe)
    with removed_if_unused(run):
        return run_training(module, recipe, run)


def model_of_resumed_run(argv: list[str]) -> str:
    """The model of the run that --resume names, when `train` was called without a model's name."""
    parser = flags.Parser(prog="minigen train", add_help=False)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("-h", "--help", action="store_true")
    arguments, _ = parser.parse_known_args(argv)
    if arguments.resume is not None and not arguments.help:
        return Run.open(arguments.resume).model
    lines = [f"  {name:<12} {first_line(load_model(name))}" for name in model_names()]
    print(
        "\n".join(["usage: minigen train NAME [flags]", "       minigen train --resume FOLDER", "", "models:", *lines])
    )
    if arguments.help:
        raise SystemExit(0)
    raise ArgumentError("train needs the name of a model first, as in: minigen train vae")


def resume(module: ModuleType, model: str, folder: Path, given: dict[str, Any]) -> int:
    """Go on with the run in `folder`. `given` may only extend it."""
    run = Run.open(folder, model)
    stored = run.load_recipe(module.Recipe)
    recipe = with_absolute_path(dataclasses.replace(stored, **given))
    growing = extendable(module)
    for name in given:
        value, before = getattr(recipe, name), getattr(stored, name)
        if value != before and (name not in growing or before is None or value < before):
            was = "no limit" if before is None else before
            decides = name in EXTENDABLE and name not in growing
            why = f"; the steps already done depend on {flag(name)}, so train a {model} anew" if decides else ""
            raise ArgumentError(
                f"{flag(name)} {value} does not go with the run in {folder} ({was}); "
                f"with --resume only {' and '.join(map(flag, growing))} can change, and only grow{why}"
            )
    if recipe != stored:
        run.change_recipe(recipe)
    return run_training(module, recipe, run)


def extendable(module: ModuleType) -> tuple[str, ...]:
    """The fields of the model's recipe that may grow when a run is resumed."""
    return getattr(module, "EXTENDABLE", EXTENDABLE)


def flag(field: str) -> str:
    """The flag of a recipe's field: max_steps → --max-steps."""
    return "--" + field.replace("_", "-")


def with_absolute_path(recipe: Any) -> Any:
    """The recipe with the whole path of the user's own data, so that the run can be used from any folder."""
    for field, names in BUILT_IN.items():
        name = getattr(recipe, field, "")
        if name and name.lower().replace("_", "-") not in names and Path(name).exists():
            recipe = dataclasses.replace(recipe, **{field: str(Path(name).resolve())})
    return recipe


def dry_run(module: ModuleType, model: str, recipe: Any) -> int:
    """Print the recipe and the parameters, and train two steps in a folder that is then removed."""
    recipe = dataclasses.replace(recipe, max_steps=2)
    for field in dataclasses.fields(recipe):
        print(f"{field.name:<16} {getattr(recipe, field.name)}")
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
        module.train(recipe, run)
        if run.interrupted:
            raise KeyboardInterrupt
        return module.load(run)


def run_training(module: ModuleType, recipe: Any, run: Run) -> int:
    """Call the model's loop, then say where the pictures lie, and show the last text that was written on the way."""
    module.train(recipe, run)
    last = sorted((run.folder / "samples").glob("step-*"))[-1:]
    for path in [*last, run.folder / "curves.png"]:
        if path.exists():
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
        if [path.name for path in run.folder.rglob("*") if path.is_file()] == ["recipe.json"]:
            for path in sorted(run.folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            run.folder.rmdir()
        raise


def next_folder(model: str) -> Path:
    """runs/MODEL-N with the first N above all that exist."""
    pattern = re.compile(re.escape(model) + r"-(\d+)")
    matches = [pattern.fullmatch(path.name) for path in RUNS.glob(f"{model}-*")]
    return RUNS / f"{model}-{1 + max((int(match[1]) for match in matches if match), default=0)}"


# ---------------------------------------------------------------- gradcheck, bench, info, warmup


def gradcheck(argv: list[str]) -> int:
    """Verify the gradients of every operation and layer, at order 1 and 2, and print a table."""
    parser = flags.Parser(prog="minigen gradcheck", description=first_line(gradcheck))
    parser.add_argument("names", nargs="*", metavar="NAME", help="operations or layers (default: all)")
    parser.add_argument("--seed", type=flags.converter(int), default=0, metavar="N", help="of the inputs (default: 0)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse(argv)
    from minigen.autograd import samples as operations
    from minigen.autograd.verification import verify_each
    from minigen.layers import samples as layers

    known = [*operations.SAMPLES, *layers.SAMPLES]
    for name in arguments.names:
        if name not in {sample.operation for sample in known}:
            near = flags.suggestion(name, sorted({sample.operation for sample in known}))
            raise ArgumentError(f"unknown operation or layer {name}{near}")
    failures = []
    print(f"{'largest relative error':<34} {'samples':>8} {'order 1':>10} {'order 2':>10}")
    wanted = [sample for sample in known if not arguments.names or sample.operation in arguments.names]
    for row in verify_each(wanted, seed=arguments.seed):
        first, second = (f"{error:.1e}" for error in row.errors)
        second = "–" if row.once_only else second
        print(f"{row.operation:<34} {row.samples:>8} {first:>10} {second:>10}  {row.once_only}", flush=True)
        if not row.passed:
            failures.append(f"{row.operation}: {row.failure}")
    print("\n".join(failures) or "all gradients agree with central differences")
    return 1 if failures else 0


def bench(argv: list[str]) -> int:
    """Measure minigen beside PyTorch and JAX, where they are installed, on the same work."""
    return importlib.import_module("minigen.benchmarks.command").main(argv)


def info(argv: list[str]) -> int:
    """Show versions, threads, kernels, cache folder and the data found."""
    parser = flags.Parser(prog="minigen info", description=first_line(info))
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    parser.parse(argv)
    from minigen import info as information

    for name, value in information.collect():
        print(f"{name:<14} {value}")
    return 0


def warmup(argv: list[str]) -> int:
    """Compile the kernels now, by two training steps of each model, so that later runs start at once."""
    parser = flags.Parser(prog="minigen warmup", description=first_line(warmup))
    parser.add_argument("models", nargs="*", metavar="NAME", help="models (default: all)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    for model in parser.parse(argv).models or model_names():
        module = load_model(model)
        two_steps(module, model, module.Recipe(max_steps=2))
        print(f"{model}: ready")
    return 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "train": train,
    "sample": sample,
    "eval": evaluate,
    "gradcheck": gradcheck,
    "bench": bench,
    "info": info,
    "warmup": warmup,
}
