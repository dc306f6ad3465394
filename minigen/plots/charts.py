"""Charts of numbers: the curves of a run and the confusion matrix of a classifier."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minigen.errors import DataError, ShapeError
from minigen.plots.canvas import COLORS, INK, drawing, new_figure, save_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NOISY = 40  # a curve of at least so many points is drawn smoothed, over its raw self
HIDDEN = ("step", "epoch")
PLAYER = re.compile("[a-z][_./ ]")  # what a column's name begins with that is of one of two networks, as d_real


@drawing
def save_curves(path: str | Path, history: Mapping[str, Sequence[Any]], title: str = "") -> None:
    """Draw what a run logged, one panel a kind of quantity: d_loss and g_loss share the panel "loss".

    history: columns of equal length, "step" among them; None where nothing was measured, NaN where NaN was, which
    is marked in the picture. Raises DataError when there is nothing to draw or the columns do not match.
    """
    from matplotlib.ticker import MaxNLocator

    groups = group_columns(history)
    columns = min(len(groups), 2 if len(groups) <= 4 else 3)
    rows = math.ceil(len(groups) / columns)
    figure = new_figure(max(4.6 * columns, 6.4), 3.1 * rows + (0.4 if title else 0))
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontsize=14, color=INK)
    for i, (group, names) in enumerate(groups.items()):
        axes = figure.add_subplot(rows, columns, i + 1)
        style(axes, group.replace("_", " "))
        curves = {name: points(history, name) for name in names}
        for (name, curve), color in zip(curves.items(), COLORS * len(names), strict=False):
            draw_curve(axes, name, *curve, color)
        axes.set_xlabel("step", color=INK)
        axes.set_ylabel(group.replace("_", " "), color=INK)
        axes.set_xlim(*step_limits(history["step"]))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        frame(axes, np.concatenate([values for _, values in curves.values()]))
        if len(names) > 1 or axes.get_legend_handles_labels()[1] != [label(names[0])]:
            axes.legend(frameon=False, fontsize=9)
    save_figure(path, figure)


def group_columns(history: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
    """Columns that hold something, by the last word of their names: {"loss": ["d_loss", "g_loss"], "kl": ["kl"]}.

    A number is no such word: overlap_3 and overlap_4 are of one kind, fid_500 and kid_500 of two. What shares its last
    word with no other stands with what else is said of one player: {"d_real, d_fake": ["d_real", "d_fake"]}.
    """
    steps = history.get("step", [])
    if not len(steps):
        raise DataError("save_curves: nothing was logged yet; call run.log(step, …) first")
    groups: dict[str, list[str]] = {}
    for name, values in history.items():
        if len(values) != len(steps):
            raise DataError(f"save_curves: column {name} has {len(values)} values for {len(steps)} steps")
        if name not in HIDDEN and any(value is not None for value in values):
            groups.setdefault(kind_of(name), []).append(name)
    if not groups:
        raise DataError("save_curves: nothing but steps was logged; add a quantity to run.log(step, loss=…)")
    players: dict[str, list[str]] = {}  # what is said of one, d_real and d_fake
    for names in groups.values():
        if len(names) == 1 and PLAYER.match(names[0]):
            players.setdefault(names[0][:2], []).extend(names)
    panels: dict[str, list[str]] = {}
    for kind, names in groups.items():
        if len(names) > 1:
            panels[kind] = names
        else:  # a quantity alone in its panel keeps its whole name
            together = players.get(names[0][:2], names)
            panels.setdefault(", ".join(together[:3]), together)
    return panels


def kind_of(name: str) -> str:
    """The last word of a column's name that is no number: "loss" of "d_loss", "fid" of "fid_500"."""
    words = [word for word in re.split(r"[_./ ]", name) if word and not word.isdigit()]
    return words[-1] if words else name


def points(history: Mapping[str, Sequence[Any]], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values where column `name` has a value."""
    pairs = [(step, value) for step, value in zip(history["step"], history[name], strict=True) if value is not None]
    steps, values = zip(*pairs, strict=True)
    return np.array(steps, float), np.array(values, float)


def draw_curve(axes: "Axes", name: str, steps: np.ndarray, values: np.ndarray, color: str) -> None:
    """One curve: smoothed over raw when long, with dots when short; marks the first value that is NaN or infinite."""
    finite = np.where(np.isfinite(values), values, np.nan)
    if len(values) >= NOISY and is_smooth(finite):
        axes.plot(steps, finite, color=color, linewidth=1.8, label=label(name))
    elif len(values) >= NOISY:
        axes.plot(steps, finite, color=color, linewidth=0.8, alpha=0.25)
        axes.plot(steps, smooth(finite, max(len(values) // 40, 3)), color=color, linewidth=1.8, label=label(name))
    else:
        axes.plot(steps, finite, "o-", color=color, linewidth=1.6, markersize=4, label=label(name))
    lost = np.flatnonzero(~np.isfinite(values))
    if lost.size:
        first = float(steps[lost[0]])
        axes.axvline(first, color=color, linestyle=":", label=f"{label(name)} is {values[lost[0]]:g} at {first:g}")


def is_smooth(values: np.ndarray) -> bool:
    """Whether neighbours hardly differ from a straight line, as in a learning-rate schedule."""
    known = values[np.isfinite(values)]
    return known.size < 3 or float(np.median(np.abs(np.diff(known, 2)))) <= 1e-4 * float(np.ptp(known))


def smooth(values: np.ndarray, width: int) -> np.ndarray:
    """Mean over the 2·width+1 neighbours, weighted by a cosine bell; NaN is left out and stays NaN."""
    bell = 1 + np.cos(np.linspace(-np.pi, np.pi, 2 * width + 3))[1:-1]
    known = np.isfinite(values)
    total = np.convolve(np.where(known, values, 0.0), bell, mode="full")[width:-width]
    weight = np.convolve(known.astype(float), bell, mode="full")[width:-width]
    return np.where(known, total / np.where(known, weight, 1.0), np.nan)


def step_limits(steps: Sequence[int]) -> tuple[float, float]:
    """All of the run, with a little margin, whether or not a curve covers it."""
    margin = max(0.02 * (max(steps) - min(steps)), 0.5)
    return min(steps) - margin, max(steps) + margin


def frame(axes: "Axes", values: np.ndarray) -> None:
    """Limits that a few wild points, such as the first steps' losses, do not blow up."""
    values = values[np.isfinite(values)]
    if values.size < NOISY:
        return
    low, high = np.quantile(values, [0.005, 0.98])
    margin = 0.08 * (high - low) + 1e-12
    if values.max() > high + 2 * (high - low):
        axes.set_ylim(min(values.min(), low) - margin, high + (high - low) * 0.25 + margin)


def label(name: str) -> str:
    """A column's name as a reader would write it."""
    return name.replace("_", " ")


@drawing
def save_spreads(
    path: str | Path,
    x: Sequence[float],
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    logarithmic: bool = True,
) -> None:
    """Draw means over x, on a logarithmic axis or not, with bars of ± their deviations; (means, deviations) by series.

    Raises DataError when there is nothing to draw, or lengths differ.
    """
    if not series or not len(x) or any(len(values) != len(x) for pair in series.values() for values in pair):
        raise DataError(f"save_spreads: expected {len(x)} means and deviations (at least 1) in at least one series")
    figure = new_figure(6.8, 4.4)
    axes = figure.add_subplot()
    style(axes, title)
    if logarithmic:
        axes.set_xscale("log")
    for i, (name, (means, deviations)) in enumerate(series.items()):
        aside = i - (len(series) - 1) / 2  # beside each other, so that bars are seen
        places = np.asarray(x, float) * 1.03**aside if logarithmic else np.asarray(x, float) + 0.08 * aside
        axes.errorbar(places, means, deviations, fmt="o-", color=COLORS[i % len(COLORS)], capsize=3, label=name)
    axes.set_xticks(list(x), [f"{value:,g}" for value in x])
    axes.minorticks_off()
    axes.set_xlabel(xlabel, color=INK)
    axes.set_ylabel(ylabel, color=INK)
    axes.legend(frameon=False, fontsize=9)
    save_figure(path, figure)


@drawing
def save_confusion(path: str | Path, matrix: np.ndarray, classes: Sequence[str] | None = None) -> None:
    """Draw a confusion matrix (K, K) of counts, true classes down, predicted ones across.

    Shades are shares of the row; the diagonal is toned apart from the errors, which would vanish beside it otherwise.
    Raises ShapeError or DataError for anything that is no such matrix.
    """
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ShapeError(f"save_confusion: matrix is {matrix.shape}, expected (K, K)")
    count = len(matrix)
    names = [str(name) for name in classes] if classes is not None else [str(i) for i in range(count)]
    if len(names) != count:
        raise ShapeError(f"save_confusion: {len(names)} class names for a matrix {matrix.shape}")
    total = matrix.sum()
    if matrix.min() < 0 or not np.isfinite(total) or total <= 0:
        raise DataError("save_confusion: matrix must hold counts ≥ 0, at least one of them above 0")
    side = max(4.5, 0.5 * count + 1.6)
    figure = new_figure(side + 0.4, side)
    axes = figure.add_subplot()
    axes.imshow(confusion_colors(matrix))
    style(axes, f"{np.trace(matrix) / total:.2%} of {total:,} right", grid=False)
    axes.spines[:].set_visible(False)
    axes.set_xticks(range(count), names, rotation=45 if max(map(len, names)) > 3 else 0, fontsize=9)
    axes.set_yticks(range(count), names, fontsize=9)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted", color=INK)
    axes.set_ylabel("true", color=INK)
    if count <= 30:
        for i, j in np.ndindex(count, count):
            if matrix[i, j]:
                axes.text(j, i, f"{matrix[i, j]:g}", ha="center", va="center", fontsize=8, color=INK)
    save_figure(path, figure)


def confusion_colors(matrix: np.ndarray) -> np.ndarray:
    """(K, K, 3) colours: blue on the diagonal by recall, orange off it by the share of the row, scaled to the worst."""
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    wrong = share * (1 - np.eye(len(matrix)))
    depth = np.where(np.eye(len(matrix), dtype=bool), 0.55 * share, 0.85 * np.sqrt(wrong / max(wrong.max(), 1e-12)))
    tone = np.where(np.eye(len(matrix), dtype=bool)[..., None], (0.30, 0.60, 0.85), (0.93, 0.45, 0.10))
    return 1 - depth[..., None] * (1 - tone)
