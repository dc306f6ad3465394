"""What a page shows of a run: plain values, and pictures as addresses that hold them."""

import base64
import math
import mimetypes
from pathlib import Path
from typing import Any

from minigen.data.limits import read_bytes, shown
from minigen.errors import DataError
from minigen.plots.charts import group_columns
from minigen.plots.film import evenly
from minigen.training import RunFolder
from minigen.training.figures import described, main_figures
from minigen.training.progress import duration

SAMPLES = 40  # sheets, or texts, of a run at most, evenly spread over the training
POINTS = 2000  # of a curve at most
ELSEWHERE = ("film.gif", "strip.png", "curves.png")  # the page has these in its own way


def document(run: RunFolder) -> dict[str, Any]:
    """Everything of one run, for JSON."""
    history = history_of(run)
    return {
        "name": run.path.resolve().name,
        "model": run.model,
        "step": run.step,
        "time": duration(run.seconds),
        "state": "trained" if run.trained else "not finished",
        "recipe": {name: "none" if value is None else str(value) for name, value in run.recipe.items()},
        "results": {name: described(name, run.results) for name in main_figures(run.results)},
        "panels": panels_of(history),
        "curves": {name: curve(history, name) for name in history if name != "step"},
        "samples": [sample(path) for path in evenly(run.samples(), SAMPLES)],
        "pictures": [
            {"name": path.stem, "source": address(path)} for path in run.pictures() if path.name not in ELSEWHERE
        ],
        "alarms": text_of(run.path / "alarms.txt"),
    }


def history_of(run: RunFolder) -> dict[str, list]:
    """What was logged; nothing where nothing was yet."""
    return run.history() if (run.path / "metrics.csv").is_file() else {}


def panels_of(history: dict[str, list]) -> list[dict[str, Any]]:
    """Which columns share a chart, as in curves.png."""
    try:
        return [{"title": title.replace("_", " "), "names": names} for title, names in group_columns(history).items()]
    except DataError:  # nothing was logged yet
        return []


def curve(history: dict[str, list], name: str) -> list[list[float | None]]:
    """[step, value] where there is one, None for NaN and infinity; of many, evenly spread ones."""
    pairs = [(step, value) for step, value in zip(history["step"], history[name], strict=True) if value is not None]
    numbers = [(step, value) for step, value in pairs if isinstance(value, (int, float))]
    return [[step, value if math.isfinite(value) else None] for step, value in evenly(numbers, POINTS)]


def sample(path: Path) -> dict[str, Any]:
    """A sheet or a text that was drawn or written on the way, and after which step."""
    step = int("".join(filter(str.isdigit, path.stem)) or 0)
    if path.suffix == ".png":
        return {"step": step, "source": address(path)}
    return {"step": step, "text": text_of(path)}


def address(path: Path) -> str:
    """An address that holds the picture in a file."""
    kind = mimetypes.guess_type(path.name)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(read_bytes(path)).decode()}"


def text_of(path: Path) -> str:
    """The text in a file; "" where there is none. Raises DataError when it is not UTF-8."""
    if not path.is_file():
        return ""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError:
        raise DataError(f"{shown(path)}: is not UTF-8, so that it can not be shown; mend or remove it") from None
