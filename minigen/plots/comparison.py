"""Charts of measured times: several libraries on the same work, a cost over a size, and many ratios by kind."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from minigen.errors import DataError
from minigen.plots.canvas import COLORS, INK, drawing, new_figure, save_figure, style


@drawing
def save_times(
    path: str | Path, names: Sequence[str], seconds: Mapping[str, Sequence[float | None]], title: str = ""
) -> None:
    """Draw a group of bars for each name, one bar a series, as multiples of the first series; over it the milliseconds.

    seconds: by series, one value a name; None, where a series has none, leaves its place empty.
    Raises DataError when there is nothing to draw, lengths differ, or the first series has a gap.
    """
    if not names or not seconds or any(len(values) != len(names) for values in seconds.values()):
        raise DataError(f"save_times: expected {len(names)} values (at least 1) in each of at least one series")
    first, *_ = seconds.values()
    base = [value for value in first if value]
    if len(base) != len(names):
        raise DataError("save_times: the first series, which the others are divided by, must have a value above 0 each")
    figure = new_figure(max(6.4, 1.2 + 0.48 * len(names) * (len(seconds) + 1)), 4.2)
    axes = figure.add_subplot()
    style(axes, title)
    width = 0.8 / len(seconds)
    for i, (series, values) in enumerate(seconds.items()):
        drawn = [(j, value) for j, value in enumerate(values) if value is not None]
        places = [j - 0.4 + (i + 0.5) * width for j, _ in drawn]
        heights = [value / base[j] for j, value in drawn]
        axes.bar(places, heights, 0.92 * width, color=COLORS[i % len(COLORS)], label=series)
        for place, height, (_, value) in zip(places, heights, drawn, strict=True):
            axes.text(place, height, f"{value * 1e3:.3g}", ha="center", va="bottom", fontsize=7.5, color=INK)
    axes.axhline(1, color=INK, linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(names)), list(names))
    axes.set_ylabel(f"time ÷ {next(iter(seconds))}'s; over the bars: ms", color=INK)
    axes.legend(frameon=False, fontsize=9)
    save_figure(path, figure)


@drawing
def save_scaling(
    path: str | Path,
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
) -> None:
    """Draw curves (x, y), both axes logarithmic, x marked at its own values. Raises DataError when there is none."""
    if not curves or any(len(x) != len(y) or not len(x) for x, y in curves.values()):
        raise DataError("save_scaling: expected at least one curve of as many x as y, and of at least one point")
    figure = new_figure(6.4, 4.2)
    axes = figure.add_subplot()
    style(axes, title)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    for (name, (x, y)), color in zip(curves.items(), COLORS * len(curves), strict=False):
        axes.plot(x, y, "o-", color=color, linewidth=1.6, markersize=4, label=name)
    marks = sorted({value for x, _ in curves.values() for value in x})
    axes.set_xticks(marks, [f"{mark:g}" for mark in marks])
    axes.set_xlabel(xlabel, color=INK)
    axes.set_ylabel(ylabel, color=INK)
    axes.legend(frameon=False, fontsize=9)
    save_figure(path, figure)


@drawing
def save_ratios(
    path: str | Path, ratios: Mapping[str, Mapping[str, Sequence[float]]], title: str = "", xlabel: str = ""
) -> None:
    """Draw each ratio as a dot on a logarithmic axis, a row for each kind, a colour for each series.

    ratios: by kind, then by series. Raises DataError when there is none, or one is not above 0.
    """
    values = [value for by_series in ratios.values() for series in by_series.values() for value in series]
    if not values or min(values) <= 0:
        raise DataError("save_ratios: expected at least one ratio, and all above 0")
    figure = new_figure(7.2, 1.2 + 0.36 * len(ratios))
    axes = figure.add_subplot()
    style(axes, title)
    axes.set_xscale("log", base=2)
    names = list(dict.fromkeys(name for by_series in ratios.values() for name in by_series))
    for i, name in enumerate(names):
        dots = [(x, row) for row, by_series in enumerate(ratios.values()) for x in by_series.get(name, ())]
        place = (i + 1) / (len(names) + 1) - 0.5
        axes.scatter(
            [x for x, _ in dots], [row + 0.8 * place for _, row in dots], s=14, color=COLORS[i % len(COLORS)],
            alpha=0.75, linewidths=0, label=name,
        )  # fmt: skip
    axes.axvline(1, color=INK, linewidth=1)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}×")
    axes.set_yticks(range(len(ratios)), list(ratios))
    axes.invert_yaxis()
    axes.set_xlabel(xlabel, color=INK)
    axes.legend(frameon=False, fontsize=9)
    save_figure(path, figure)
