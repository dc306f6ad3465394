"""Paths of points in the plane, from where they begin to where they end."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from minigen.errors import DataError, ShapeError
from minigen.plots.canvas import COLORS, INK, drawing, new_figure, save_figure, style


@drawing
def save_paths(path: str | Path, panels: Mapping[str, np.ndarray]) -> None:
    """One panel for each set of paths (S, N, 2), N points at S moments, side by side, by its title.

    Raises ShapeError for other shapes or no panel, DataError for NaN.
    """
    sets = {title: np.asarray(places, float) for title, places in panels.items()}
    if not sets or any(places.ndim != 3 or places.shape[2] != 2 or not places.size for places in sets.values()):
        shapes = ", ".join(str(places.shape) for places in sets.values()) or "none"
        raise ShapeError(f"save_paths: paths are {shapes}; pass at least one set (moments, points, 2)")
    if not all(np.isfinite(places).all() for places in sets.values()):
        raise DataError("save_paths: paths hold NaN or infinity; the model diverged")
    figure = new_figure(5.4 * len(sets), 5.4)
    for i, (title, places) in enumerate(sets.items()):
        axes = figure.add_subplot(1, len(sets), i + 1)
        axes.plot(places[..., 0], places[..., 1], color=INK, linewidth=0.5, alpha=0.35)
        for moment, color, name in ((0, COLORS[5], "start"), (-1, COLORS[1], "end")):
            axes.scatter(*places[moment].T, s=7, color=color, label=name, zorder=2)
        axes.set_aspect("equal")
        axes.legend(loc="upper right", frameon=False)
        style(axes, title)
    save_figure(path, figure)
