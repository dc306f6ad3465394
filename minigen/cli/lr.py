"""`minigen lr`: a first guess of a recipe's learning rate, from one short training."""

from pathlib import Path

from minigen import flags, plots
from minigen.catalog import first_line
from minigen.cli.train import named_model, with_absolute_path
from minigen.errors import ArgumentError
from minigen.search import swept
from minigen.search.rates import HIGH, LOW, STEPS


def lr(argv: list[str]) -> int:
    """Train a few steps under a rising learning rate, draw the loss, and suggest a rate."""
    model, module = named_model("lr", argv, "[--out FILE] [flags of the recipe]", first_line(lr))
    parser = flags.Parser(prog=f"minigen lr {model}", description=first_line(lr))
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help=f"the picture (default: lr-{model}.png)")
    parser.add_argument("--low", type=float, default=LOW, metavar="X", help=f"the first rate (default: {LOW:g})")
    parser.add_argument("--high", type=float, default=HIGH, metavar="X", help=f"the last rate (default: {HIGH:g})")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    flags.add_fields(parser, module.Recipe, "recipe")
    arguments = parser.parse(argv[1:])
    picture = arguments.out if arguments.out is not None else Path(f"lr-{model}.png")
    if picture.suffix.lower() != ".png":
        raise ArgumentError(f"--out {picture}: pictures are written as PNG; let the name end in .png")
    if not picture.parent.is_dir():
        raise ArgumentError(f"--out {picture}: there is no folder {picture.parent}; make it first")
    given = flags.given_fields(arguments, module.Recipe)
    if "lr" in given:
        raise ArgumentError(f"--lr {given['lr']}: all rates from --low to --high are tried; leave out --lr")
    recipe = with_absolute_path(module.Recipe(**given))
    steps = recipe.max_steps or STEPS
    found = swept(module, model, recipe, arguments.low, arguments.high, steps)
    rate = float(f"{found.suggested:.2g}")
    marks = {"falls most": rate, "lowest": found.lowest, "the recipe's": recipe.lr}
    plots.save_rates(picture, list(found.rates), list(found.losses), list(found.smooth), marks, f"{model} · loss")
    print(f"{model}: {len(found.rates)} steps, rates from {found.rates[0]:.2g} to {found.rates[-1]:.2g}")
    print(f"  the loss falls most steeply at {rate:g}, is lowest at {found.lowest:.2g}; the recipe has {recipe.lr:g}\n")
    print(f"{flags.command(model, module.Recipe(**given | {'lr': rate}))}\n\n  {picture}")
    return 0
