"""`minigen list` and `minigen compare`: run folders beside each other. Both only read them."""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from minigen import flags, plots
from minigen.catalog import RUNS, first_line, open_run, shipped
from minigen.data.limits import shown as printable
from minigen.errors import ArgumentError, MinigenError
from minigen.training import RunFolder
from minigen.training.figures import described, main_figures
from minigen.training.progress import duration

FIGURES = 3  # results that a line of the list shows; a model's first ones say most


def list_runs(argv: list[str]) -> int:
    """Show the runs in a folder: model, steps, time, and main results."""
    parser = flags.Parser(prog="minigen list", description=first_line(list_runs))
    parser.add_argument("folder", type=Path, nargs="?", default=RUNS, metavar="FOLDER", help=f"(default: {RUNS})")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    folder = parser.parse(argv).folder
    if not folder.is_dir():
        raise ArgumentError(f"there is no folder {folder} with runs in it; make one with: minigen train MODEL")
    itself = [folder] if (folder / "recipe.json").is_file() else []
    paths = itself or sorted((path.parent for path in folder.glob("*/recipe.json")), key=by_number)
    if not paths:
        print(f"no runs in {folder}")
    else:
        print("\n".join(table([("run", "model", "steps", "time", "results"), *map(line, paths)])))
    print(f"with minigen come {', '.join(shipped())}; they go by these names", file=sys.stderr)
    return 0


def line(path: Path) -> tuple[str, ...]:
    """What the list says of the run in `path`, also when it is damaged."""
    try:
        run = RunFolder.open(path)
    except MinigenError as error:
        return path.name, "–", "–", "–", f"damaged: {error}"
    first = [*main_figures(run.results)][:FIGURES]
    figures = ", ".join(f"{name.replace('_', ' ')} {shown(run.results[name])}" for name in first)
    return (
        path.name,
        run.model,
        f"{run.step:,}",
        duration(run.seconds),
        figures or ("not measured" if run.trained else "not finished"),
    )


def by_number(path: Path) -> list[Any]:
    """A key that puts vae-2 before vae-10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]


def compare(argv: list[str]) -> int:
    """Show where the recipes of runs differ, and their figures; draw their curves on one picture."""
    parser = flags.Parser(prog="minigen compare", description=first_line(compare))
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="run folders, or names of runs that come along"
    )
    place = "the picture (default: compare.png in the folder that holds the runs)"
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help=place)
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse(argv)
    picture = arguments.out if arguments.out is not None else beside(arguments.runs)
    if picture.suffix.lower() != ".png":
        raise ArgumentError(f"--out {picture}: pictures are written as PNG; let the name end in .png")
    runs = {str(path): open_run(path) for path in arguments.runs}
    if len(runs) < 2:
        raise ArgumentError("compare needs two or more different runs, as in: minigen compare runs/vae-1 runs/vae-2")
    histories = {name: run.history() for name, run in runs.items()}
    print("\n".join(comparison(runs)))
    if any(len(history) > 1 for history in histories.values()):  # there is more in it than the steps
        plots.save_runs(picture, histories, " · ".join(dict.fromkeys(run.model for run in runs.values())))
        print(picture)
    return 0


def beside(paths: Sequence[Path]) -> Path:
    """compare.png in the folder that holds all these runs, as seen from the current one where it is inside."""
    folder = Path(os.path.commonpath([path.resolve().parent for path in paths]))
    here = Path.cwd()
    return (folder.relative_to(here) if folder.is_relative_to(here) else folder) / "compare.png"


def comparison(runs: dict[str, RunFolder]) -> list[str]:
    """The lines of the table: model, steps and time, the recipe's fields that are not all alike, all results."""
    recipes, results = [run.recipe for run in runs.values()], [run.results for run in runs.values()]
    rows: list[tuple[str, ...]] = [
        ("", *runs),
        ("model", *(run.model for run in runs.values())),
        ("steps", *(f"{run.step:,}" for run in runs.values())),
        ("time", *(duration(run.seconds) for run in runs.values())),
    ]
    for name in union(recipes):
        values = [shown(recipe[name]) if name in recipe else "–" for recipe in recipes]
        if len(set(values)) > 1:
            rows.append((flags.flag_of(name), *values))
    for name in union(map(main_figures, results)):
        values = [described(name, result) if name in result else "–" for result in results]
        rows.append((name.replace("_", " "), *values))
    return table(rows)


def union(dicts: Iterable[dict[str, Any]]) -> list[str]:
    """All keys, in the order of their first appearance."""
    return list(dict.fromkeys(key for d in dicts for key in d))


def shown(value: Any) -> str:
    """A value of a recipe or a result, short."""
    return "none" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of equal length as lines, each column as wide as its widest entry."""
    rows = [tuple(map(printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
