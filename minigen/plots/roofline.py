"""The roofline: what operations reach, below what the machine can do at most."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minigen.errors import DataError
from minigen.plots.canvas import COLORS, INK, drawing, new_figure, save_figure, style


@drawing
def save_roofline(
    path: str | Path, points: Mapping[str, tuple[float, float, float]], products: float, memory: float
) -> None:
    """One dot a name: (multiply-adds a byte, multiply-adds a second, seconds, which its size stands for).

    products: multiply-adds a second, memory: bytes a second, of the machine. S. Williams, A. Waterman, D. Patterson
    (2009), Roofline, https://doi.org/10.1145/1498765.1498785. Raises DataError without a dot, or for one that is not
    above 0.
    """
    values = np.array(list(points.values()), float).reshape(-1, 3)
    if not len(values):
        raise DataError("save_roofline: no operation multiplies anything; profile a step that has products")
    if not (np.isfinite(values).all() and values.min() > 0 and products > 0 and memory > 0):
        raise DataError("save_roofline: intensities, rates and seconds have to be above 0")
    figure = new_figure(8.0, 5.0)
    axes = figure.add_subplot()
    style(axes, "multiply-adds a second over multiply-adds a byte")
    intensities = [*values[:, 0], products / memory]
    x = np.geomspace(min(intensities) / 3, max(intensities) * 3, 200)
    axes.loglog(x, np.minimum(x * memory, products) / 1e9, color=INK, linewidth=1.5)
    axes.text(x[-1], products / 1e9, "product ", ha="right", va="bottom", fontsize=9, color=INK)
    axes.text(x[0], x[0] * memory / 1e9, "  memory", ha="left", va="top", fontsize=9, color=INK)
    sizes = 30 + 400 * values[:, 2] / values[:, 2].max()
    for i, (name, (intensity, rate, _)) in enumerate(points.items()):
        color = COLORS[i % len(COLORS)]
        axes.scatter(intensity, rate / 1e9, s=sizes[i], color=color, alpha=0.7, label=name, zorder=3)
    axes.set_xlabel("multiply-adds a byte", fontsize=9, color=INK)
    axes.set_ylabel("10⁹ multiply-adds a second", fontsize=9, color=INK)
    handles: Any = axes.legend(fontsize=8, frameon=False, loc="lower right").legend_handles
    for handle in handles:
        handle.set_sizes([40])
    save_figure(path, figure)
