"""`minigen sample`, which works from a run folder alone, and `minigen eval`, which also reads the data of the run.

What a model can be asked for is said by the fields of its `Request`, as the recipe's fields say how it is trained.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

from minigen import flags, plots
from minigen.catalog import RUNS, first_line, is_shipped, load_model, model_names, open_run
from minigen.cli.tested import data_changed, tested_digest
from minigen.errors import ArgumentError, DataError, ShapeError
from minigen.files import write_atomic
from minigen.random import generator
from minigen.training import RunFolder
from minigen.training.figures import described, main_figures

MISSING = "sample needs a run folder, as in: minigen sample runs/vae-1"


def sample(argv: list[str]) -> int:
    """Draw images from a trained model into one picture, or let it write text."""
    if argv[:1] in ([], ["-h"], ["--help"]):
        return overview(argv)
    at = folder_position(argv)
    folder = Path(argv[at])
    run = opened(folder)
    module = load_model(run.model)
    if not hasattr(module, "Request"):
        raise ArgumentError(f"{folder} holds a run of {run.model}, which draws no samples; try: minigen eval {folder}")
    parser = flags.Parser(prog=f"minigen sample {folder}", description=f"{first_line(sample)} Here: {run.model}.")
    place = "a file for the text, which is shown in any case"
    if hasattr(module, "sample"):
        place = f"the picture (default: {default_picture(run)})"
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help=place)
    parser.add_argument("--seed", type=flags.converter(int), default=0, metavar="N", help="(default: 0)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    flags.add_fields(parser, module.Request, run.model)
    arguments = parser.parse([*argv[:at], *argv[at + 1 :]])
    request = module.Request(**flags.given_fields(arguments, module.Request))
    if request.n < 1:
        raise ArgumentError(f"-n is {request.n}; ask for at least 1")
    return (draw if hasattr(module, "sample") else write)(module, run, request, arguments)


def opened(folder: Path) -> RunFolder:
    """The run in a folder, or of the name of one that comes with minigen, which is then said."""
    run = open_run(folder)
    if is_shipped(run):
        print(f"using the weights that come with minigen, made by: {run.data['command']}", file=sys.stderr)
    return run


def default_picture(run: RunFolder) -> Path:
    """Where samples are drawn unless told otherwise."""
    return Path(f"{run.path.name}.png") if is_shipped(run) else run.path / "grid.png"


def folder_position(argv: list[str]) -> int:
    """Which argument is the run folder, on which the flags depend: the first that holds a run, or else the first."""
    position = next((i for i, argument in enumerate(argv) if Path(argument, "recipe.json").is_file()), 0)
    if argv[position].startswith("-"):
        raise ArgumentError(MISSING)
    return position


def overview(argv: list[str]) -> int:
    """`minigen sample --help`: which model takes which flags. Raises ArgumentError when that was not asked for."""
    if argv[:1] not in (["-h"], ["--help"]):
        raise ArgumentError(MISSING)
    print("usage: minigen sample FOLDER [flags]\n")
    print(f"{first_line(sample)}\n\nflags, by the model in FOLDER; minigen sample FOLDER --help tells more:")
    for name in model_names():
        request = getattr(load_model(name), "Request", None)
        if request is not None:
            print(f"  {name:<12} {' '.join(flags.field_flags(request).values())}")
    return 0


def draw(module: ModuleType, run: RunFolder, request: object, arguments: argparse.Namespace) -> int:
    """Put a sheet of images into one picture."""
    if arguments.out is not None and arguments.out.suffix.lower() != ".png":
        raise ArgumentError(f"--out {arguments.out}: pictures are written as PNG; let the name end in .png")
    images = module.sample(run, request, generator(arguments.seed))
    path = arguments.out if arguments.out is not None else default_picture(run)
    class_, classes = getattr(request, "class_", None), len(run.data.get("classes", ()))
    of = "" if class_ is None else f" of class {class_}"
    title = f"{run.model} · {len(images)} samples{of} after step {run.step:,}, seed {arguments.seed}"
    in_turn = hasattr(request, "class_") and class_ is None and 1 < classes <= 20
    plots.save_grid(path, images, classes if in_turn else None, title=title)
    print(path)
    return 0


def write(module: ModuleType, run: RunFolder, request: object, arguments: argparse.Namespace) -> int:
    """Show text as it is generated, and put it into a file when one was named; FORMATS are those beside text."""
    formats, suffix = getattr(module, "FORMATS", {}), "" if arguments.out is None else arguments.out.suffix.lower()
    if (suffix == ".png" and not formats) or (formats and suffix not in (*formats, ".txt", "")):
        known = ", ".join((*formats, ".txt"))
        raise ArgumentError(f"--out {arguments.out}: a {run.model} writes text; let the name end in {known}")
    rng, pieces = generator(arguments.seed), []
    try:
        for piece in module.generate(run, request, rng):
            pieces.append(piece)
            print(piece, end="", flush=True)
    finally:
        if pieces:
            print()
    if suffix in formats:
        formats[suffix](arguments.out, "".join(pieces))
    elif arguments.out is not None:
        write_atomic(arguments.out, "".join(pieces).encode() + b"\n")
    return 0


def evaluate(argv: list[str]) -> int:
    """Measure a trained model on test data, print the numbers, and draw its pictures into the run folder."""
    parser = flags.Parser(prog="minigen eval", description=first_line(evaluate))
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a run folder, or a shipped run's name")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    asks_only = [argument for argument in argv if argument not in ("-h", "--help")]
    if not asks_only:
        parser.parse(argv)
    run = opened(parser.parse_known_args(asks_only)[0].folder)
    module = load_model(run.model)
    asked = getattr(module, "Evaluation", None)
    if asked is not None:
        flags.add_fields(parser, asked, run.model)
    arguments = parser.parse(argv)
    wanted = [] if asked is None else [asked(**flags.given_fields(arguments, asked))]
    if is_shipped(run):
        copy = RUNS / f"shipped-{run.path.name}"
        shutil.copytree(run.path, copy, dirs_exist_ok=True)
        run = RunFolder.open(copy)
    try:
        numbers = module.evaluate(run, *wanted)
    except (ShapeError, DataError) as error:
        if tested_digest(run.recipe) is None or not data_changed(run):  # None: they can not be read
            raise
        raise DataError(
            f"{run.recipe.get('data') or run.recipe.get('text')}: these are not the data that the run was measured on "
            f"after its training, and do not fit it ({error}); put those back"
        ) from error
    if data_changed(run):
        print("minigen: these are not the data that the run was measured on after its training", file=sys.stderr)
    shown = main_figures(numbers)
    width = max(map(len, shown), default=0)
    for name in shown:
        print(f"{name:<{width}} {described(name, numbers, 6)}")
    write_atomic(run.path / "evaluation.json", json.dumps(numbers, indent=2).encode() + b"\n")
    for path in run.pictures():
        print(path)
    return 0
