"""`minigen sample`, which works from a run folder alone, and `minigen eval`, which also reads the data of the run."""

import argparse
import json
from importlib import import_module
from pathlib import Path
from types import ModuleType

from minigen import flags
from minigen.catalog import first_line, load_model
from minigen.errors import ArgumentError
from minigen.files import write_atomic
from minigen.random import generator
from minigen.training import Run

IMAGES, CHARACTERS = 64, 500  # how much is drawn, and written, when -n does not say
PROMPT = """what the text goes on from (default: nothing); bert: a text with _ for each character to fill in;
word2vec and glove: a word, or king - man + woman; text_vae: a sentence, or one | another for the way between them"""
TEXT_FLAGS = ("prompt", "temperature", "top_k", "top_p")


def sample(argv: list[str]) -> int:
    """Draw images from a trained model into one picture, or let it write text."""
    parser = flags.Parser(prog="minigen sample", description=first_line(sample))
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a run folder")
    count = f"images, characters, sentences, words or neighbours (default: {IMAGES} images, {CHARACTERS} characters)"
    parser.add_argument("-n", type=flags.converter(int), metavar="N", help=count)
    place = "the picture (default: FOLDER/grid.png), or a file for the text, which is shown in any case"
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help=place)
    parser.add_argument("--seed", type=flags.converter(int), default=0, metavar="N", help="(default: 0)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    text = parser.add_argument_group("text")
    text.add_argument("--prompt", metavar="TEXT", help=PROMPT)
    text.add_argument(
        "--temperature",
        type=flags.converter(float),
        metavar="X",
        help="below 1 keeps to likely symbols, 0 to the likeliest (default: 1)",
    )
    text.add_argument("--top-k", type=flags.converter(int), metavar="N", help="only among the N likeliest symbols")
    text.add_argument(
        "--top-p", type=flags.converter(float), metavar="X", help="only among the likeliest that together reach X"
    )
    arguments = parser.parse(argv)
    if arguments.n is not None and arguments.n < 1:
        raise ArgumentError(f"-n is {arguments.n}; ask for at least 1")
    run = Run.open(arguments.folder)
    module = load_model(run.model)
    if hasattr(module, "generate"):
        return write(module, run, arguments)
    if hasattr(module, "sample"):
        return draw(module, run, arguments)
    raise ArgumentError(f"{arguments.folder} holds a {run.model}, which draws no samples; try: minigen eval")


def draw(module: ModuleType, run: Run, arguments: argparse.Namespace) -> int:
    """Put a sheet of images into one picture."""
    given = [f"--{name.replace('_', '-')}" for name in TEXT_FLAGS if getattr(arguments, name) is not None]
    if given:
        raise ArgumentError(f"{arguments.folder} holds a {run.model}, which draws images; leave out {', '.join(given)}")
    if arguments.out is not None and arguments.out.suffix.lower() != ".png":
        raise ArgumentError(f"--out {arguments.out}: pictures are written as PNG; let the name end in .png")
    from minigen import plots

    images = module.sample(run, arguments.n or IMAGES, generator(arguments.seed))
    path = arguments.out if arguments.out is not None else run.folder / "grid.png"
    plots.save_grid(path, images)
    print(path)
    return 0


def write(module: ModuleType, run: Run, arguments: argparse.Namespace) -> int:
    """Show text as it is generated, and put it into a file when one was named."""
    if arguments.out is not None and arguments.out.suffix.lower() == ".png":
        raise ArgumentError(f"--out {arguments.out}: a {run.model} writes text; let the name end in .txt")
    given = {name: getattr(arguments, name) for name in ("temperature", "top_k", "top_p")}
    options = {name: value for name, value in given.items() if value is not None}
    choice = import_module("minigen.models._text").Choice(**options)
    rng = generator(arguments.seed)
    n = arguments.n or getattr(module, "COUNT", CHARACTERS)
    pieces = []
    try:
        for piece in module.generate(run, arguments.prompt or "", n, choice, rng):
            pieces.append(piece)
            print(piece, end="", flush=True)
    finally:
        if pieces:
            print()
    if arguments.out is not None:
        write_atomic(arguments.out, "".join(pieces).encode() + b"\n")
    return 0


def evaluate(argv: list[str]) -> int:
    """Measure a trained model on test data, print the numbers, and draw its pictures into the run folder."""
    parser = flags.Parser(prog="minigen eval", description=first_line(evaluate))
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a run folder")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    run = Run.open(parser.parse(argv).folder)
    numbers = load_model(run.model).evaluate(run)
    width = max(map(len, numbers), default=0)
    for name, number in numbers.items():
        print(f"{name:<{width}} {number:.6g}")
    write_atomic(run.folder / "evaluation.json", json.dumps(numbers, indent=2).encode() + b"\n")
    for path in sorted(run.folder.glob("*.png")):
        print(path)
    return 0
