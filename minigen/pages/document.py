"""What a page shows of a run: plain values, and pictures as addresses.

A run folder may be half written, damaged, or somebody else's. What can not be shown is left out, and said; links are
not followed, and of long texts the end is shown.
"""

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minigen.data.limits import is_file, shown
from minigen.errors import DataError, MinigenError
from minigen.plots.charts import group_columns
from minigen.plots.film import evenly
from minigen.training import RunFolder
from minigen.training.figures import described, is_beside, main_figures
from minigen.training.meanings import BESIDE, meaning
from minigen.training.progress import duration

SAMPLES = 40  # sheets, or texts, of a run at most, evenly spread over the training
POINTS = 2000  # of a curve at most
PANELS = 60  # charts at most
LETTERS = 200_000  # bytes of a text at most
ELSEWHERE = ("film.gif", "strip.png", "curves.png")  # the page has these in its own way

Place = Callable[[Path], str]  # the address at which a page finds a picture


def document(run: RunFolder, place: Place) -> dict[str, Any]:
    """Everything of one run, for JSON."""
    found: dict[str, Any] = {
        "name": shown(run.path.resolve().name),
        "model": run.model,
        "step": run.step,
        "time": duration(run.seconds),
        "state": "trained" if run.trained else "not finished",
        "recipe": {name: "none" if value is None else str(value) for name, value in run.recipe.items()},
        "results": {},
        "meanings": {},
        "beside": "",
        "panels": [],
        "curves": {},
        "samples": [],
        "pictures": [],
        "alarms": "",
        "problems": [],
    }
    with noting(found, "run.json"):
        found["results"] = {name: described(name, run.results) for name in main_figures(run.results)}
        found["meanings"] = {name: words for name in found["results"] if (words := meaning(name, run.results))}
        found["beside"] = BESIDE if any(is_beside(name, run.results) for name in run.results) else ""
    with noting(found, "metrics.csv"):
        history = history_of(run)
        found["panels"] = panels_of(history)[:PANELS]
        found["curves"] = {name: curve(history, name) for name in columns_of(found["panels"])}
    for path in evenly(regular(run.samples()), SAMPLES):
        with noting(found, path.name):
            found["samples"].append(sample(path, place))
    for path in regular(run.pictures()):
        if path.name not in ELSEWHERE:
            with noting(found, path.name):
                found["pictures"].append({"name": shown(path.stem), "source": place(path)})
    for path in regular([run.path / "alarms.txt"]):
        with noting(found, path.name):
            found["alarms"] = text_of(path)
    return found


@contextmanager
def noting(found: dict[str, Any], name: str) -> Iterator[None]:
    """A part that can not be read is a problem of its own."""
    try:
        yield
    except FileNotFoundError:  # between the look and the reading
        pass
    except (MinigenError, OSError, ValueError, TypeError, ArithmeticError) as error:
        found["problems"].append(f"{shown(name)}: {error}")


def regular(paths: Sequence[Path]) -> list[Path]:
    """Those that are files themselves, and no links."""
    return [path for path in paths if not path.is_symlink() and not path.parent.is_symlink() and is_file(path)]


def history_of(run: RunFolder) -> dict[str, list]:
    """What was logged; nothing where nothing was yet."""
    return run.history() if regular([run.path / "metrics.csv"]) else {}


def panels_of(history: dict[str, list]) -> list[dict[str, Any]]:
    """Which columns share a chart, as in curves.png."""
    try:
        return [{"title": title.replace("_", " "), "names": names} for title, names in group_columns(history).items()]
    except DataError:  # nothing was logged yet
        return []


def columns_of(panels: Sequence[dict[str, Any]]) -> list[str]:
    """The columns that charts show."""
    return list(dict.fromkeys(name for panel in panels for name in panel["names"]))


def curve(history: dict[str, list], name: str) -> list[list[float | None]]:
    """[step, value] where there is one, None for NaN and infinity; of many, evenly spread ones."""
    pairs = [(step, value) for step, value in zip(history["step"], history[name], strict=True) if value is not None]
    numbers = [(step, value) for step, value in pairs if isinstance(value, (int, float))]
    return [[step, value if math.isfinite(value) else None] for step, value in evenly(numbers, POINTS)]


def sample(path: Path, place: Place) -> dict[str, Any]:
    """A sheet or a text that was drawn or written on the way, and after which step."""
    number = re.search("[0-9]+", path.stem)
    step = int(number[0]) if number else 0
    if path.suffix == ".png":
        return {"step": step, "source": place(path)}
    return {"step": step, "text": text_of(path)}


def text_of(path: Path) -> str:
    """The text in a file, of a long one its end. Raises DataError when it is not UTF-8."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(size - LETTERS, 0))
        data = file.read(LETTERS)
    if size > LETTERS:
        return "…" + data.decode(errors="ignore")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise DataError("is not UTF-8, so that it can not be shown; mend or remove it") from None
