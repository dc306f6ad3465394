"""What a search found: which values matter, and where the good ones lie; and a loss under a rising learning rate."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from minigen.errors import DataError
from minigen.plots.canvas import COLORS, INK, drawing, new_figure, save_figure, style


@drawing
def save_search(
    path: str | Path,
    figure_name: str,
    figures: Sequence[float],
    values: Mapping[str, Sequence[Any]],
    importances: Mapping[str, float],
    logarithmic: Collection[str] = (),
    title: str = "",
) -> None:
    """Draw the importances as bars, and for each name of `values` the figure over its values, a dot a trial.

    figures: of the trials, the best first, whose dots are of another colour. values: by name, one a trial; texts and
    numbers. importances: may be empty. logarithmic: the names whose axis is. Raises DataError when there is no trial.
    """
    if not figures or not values or any(len(one) != len(figures) for one in values.values()):
        raise DataError(f"save_search: expected {len(figures)} values (at least 1) of each of at least one name")
    panels = len(values) + bool(importances)
    across = min(panels, 3)
    down = math.ceil(panels / across)
    figure = new_figure(3.8 * across + 0.6, 3.1 * down + 0.4)
    figure.suptitle(title, x=0.02, ha="left", fontsize=13, color=INK)
    if importances:
        axes = figure.add_subplot(down, across, 1)
        style(axes, "what decides")
        names = sorted(importances, key=lambda name: importances[name])
        axes.barh([name.replace("_", " ") for name in names], [importances[name] for name in names], color=COLORS[0])
        axes.set_xlabel("importance", color=INK)
    for place, (name, own) in enumerate(values.items(), 1 + bool(importances)):
        axes = figure.add_subplot(down, across, place)
        style(axes, name.replace("_", " "))
        if any(isinstance(value, str) for value in own):
            own = [str(value) for value in own]
        elif name in logarithmic:
            axes.set_xscale("log")
        colors = [COLORS[1], *[COLORS[0]] * (len(own) - 1)]
        axes.scatter(own, figures, s=22, c=colors, alpha=0.8, linewidths=0)
        axes.set_ylabel(figure_name.replace("_", " "), color=INK)
    save_figure(path, figure)


@drawing
def save_rates(
    path: str | Path,
    rates: Sequence[float],
    losses: Sequence[float],
    smooth: Sequence[float],
    marks: Mapping[str, float],
    title: str = "",
) -> None:
    """Draw a loss, and the same smoothed, over learning rates on a logarithmic axis, with upright lines at `marks`.

    Raises DataError when there is nothing to draw, or lengths differ.
    """
    if not len(rates) or not len(rates) == len(losses) == len(smooth):
        raise DataError(f"save_rates: {len(rates)} rates for {len(losses)} losses; pass one each, and at least one")
    figure = new_figure(6.4, 4.2)
    axes = figure.add_subplot()
    style(axes, title)
    axes.set_xscale("log")
    axes.plot(rates, losses, color=COLORS[0], alpha=0.3, linewidth=1)
    axes.plot(rates, smooth, color=COLORS[0], linewidth=1.8)
    for (name, rate), color in zip(marks.items(), COLORS[1:], strict=False):
        axes.axvline(rate, color=color, linewidth=1.4, label=f"{name}: {rate:.2g}")
    low, high = min(smooth), max(smooth[0], *smooth[: len(smooth) // 2 + 1])
    room = 0.15 * (high - low) or abs(high) or 1.0
    axes.set_ylim(low - room, high + 2 * room)
    axes.set_xlabel("learning rate", color=INK)
    axes.set_ylabel("loss", color=INK)
    axes.legend(frameon=False, fontsize=9)
    save_figure(path, figure)
