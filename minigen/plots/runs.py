"""The curves of several runs on one picture."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigen.errors import DataError
from minigen.plots.canvas import COLORS, INK, drawing, new_figure, save_figure, style
from minigen.plots.charts import HIDDEN, draw_curve, frame, label, points


@drawing
def save_runs(path: str | Path, histories: Mapping[str, Mapping[str, Sequence[Any]]], title: str = "") -> None:
    """Draw what runs logged, one panel a quantity, one colour a run.

    histories: by the run's name, columns as in `save_curves`. Raises DataError when no run logged anything.
    """
    columns = dict.fromkeys(
        name
        for history in histories.values()
        for name, values in history.items()
        if name not in HIDDEN and any(value is not None for value in values)
    )
    if not columns:
        raise DataError("save_runs: none of the runs has logged anything yet")
    across = min(len(columns), 2 if len(columns) <= 4 else 3)
    down = math.ceil(len(columns) / across)
    figure = new_figure(max(4.6 * across, 6.4), 3.1 * down + 0.4)
    figure.suptitle(title, x=0.02, ha="left", fontsize=14, color=INK)
    for i, column in enumerate(columns):
        axes = figure.add_subplot(down, across, i + 1)
        style(axes, label(column))
        drawn = []
        for (name, history), color in zip(histories.items(), COLORS * len(histories), strict=False):
            if any(value is not None for value in history.get(column, ())):
                steps, values = points(history, column)
                draw_curve(axes, name, steps, values, color)
                drawn.append(values)
        axes.set_xlabel("step", color=INK)
        frame(axes, np.concatenate(drawn))
        axes.legend(frameon=False, fontsize=9)
    save_figure(path, figure)
