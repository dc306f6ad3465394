"""docs/zoo.md: one row a model, of the runs that docs/results keeps: picture, paper, figures, time, command.

    python -m benchmarks.zoo

writes the tables between its markers, and one picture of all models' samples side by side with their figures.
"""

import math
import re
from typing import Any

import numpy as np

from minigen import plots
from minigen.benchmarks.results import KEPT, ROOT, SHEET, command, figure, measured, read, replace_section, results_of
from minigen.catalog import first_line, load_model

PAGE = ROOT / "docs" / "zoo.md"
SIDE_BY_SIDE = ROOT / "docs" / "images" / "side_by_side.png"
QUALITY = ("fid", "kid", "precision", "recall", "density", "coverage", "class_entropy", "least_class", "nearest")
QUALITY += ("learned",)


def main() -> None:
    """Renew the page."""
    renew()


def renew() -> None:
    """Write the tables of the page and its picture anew."""
    kept = [read(folder) for folder in sorted(KEPT.iterdir())]
    text = replace_section(PAGE.read_text(), "zoo", zoo_table(kept))
    PAGE.write_text(replace_section(text, "quality", quality_table(kept)))
    drawn = [run for run in kept if "fid" in run["results"] and (run["folder"] / SHEET).is_file()]
    if drawn:
        save_side_by_side(drawn)


def zoo_table(kept: list[dict[str, Any]]) -> str:
    """One row a run: picture, what it is and its paper, results, time, command."""
    lines = ["| | model | result | time | command |", "|---|---|---|---|---|"]
    for run in kept:
        model = load_model(run["document"]["model"])
        paper = re.search(r"https://arxiv\.org/abs/[\d.]+\d", model.__doc__ or "")
        name = run["document"]["model"]
        title = f"**{name}**: {first_line(model)[:1].lower()}{first_line(model)[1:]}"
        title += f" [paper]({paper[0]})" if paper else ""
        sheet = run["folder"] / SHEET
        picture = f'<img src="results/{run["folder"].name}/{SHEET}" width="150">' if sheet.is_file() else ""
        minutes = math.ceil(run["seconds"] / 60)
        lines.append(f"| {picture} | {title} | {results_of(run)} | {minutes} min | `{command(run['document'])}` |")
    return "\n".join(lines) + "\n"


def quality_table(kept: list[dict[str, Any]]) -> str:
    """The figures of quality of all runs that have some, with the floor in the first row of each data set."""
    names = " | ".join(name.replace("_", " ") for name in QUALITY)
    lines = [f"| run | {names} |", "|---|" + "---:|" * len(QUALITY)]
    floors = set()
    for run in kept:
        results, source = run["results"], run["document"]["recipe"].get("data")
        if "fid" not in results:
            continue
        if source not in floors:
            floors.add(source)
            cells = [figure(name, results[f"{name}_floor"]) for name in QUALITY]
            lines.insert(2, f"| floor: training images of {source} | " + " | ".join(cells) + " |")
        cells = [with_spread(name, run) for name in QUALITY]
        seeds = f", {len(run['seeds'])} seeds" if len(run["seeds"]) > 1 else ""
        lines.append(f"| `{command(run['document'])}`{seeds} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def with_spread(name: str, run: dict[str, Any]) -> str:
    """A figure, and its deviation over seeds, or over sets of samples of the one."""
    spread = run["results"].get(f"{name}_spread")
    alone = not run["deviations"] and spread
    return measured(name, run) + (f" ± {figure(name, spread)}" if alone else "")


def save_side_by_side(drawn: list[dict[str, Any]]) -> None:
    """Draw the last sheet of each model, with its figures under it."""
    from PIL import Image

    pictures, captions = [], []
    for run in drawn:
        with Image.open(run["folder"] / SHEET) as sheet:
            pixels = np.asarray(sheet.convert("L").resize((280, 280)))
        pictures.append(pixels[..., None])
        name = run["folder"].name[:30]
        captions.append(f"{name}\nFID {run['results']['fid']:.3g}, KID {run['results']['kid']:.2g}")
    plots.save_grid(SIDE_BY_SIDE, np.stack(pictures), columns=4, captions=captions)


if __name__ == "__main__":
    main()
