"""The map of words: vectors of many numbers laid out on a plane, each word written where it lies."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minigen.errors import DataError, ShapeError
from minigen.plots.canvas import COLORS, INK, drawing, new_figure, save_figure, style
from minigen.plots.latent import principal_plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Where a label may stand, seen from its point: horizontal and vertical alignment, and a shift in points.
SIDES = (("left", "center", 3, 0), ("right", "center", -3, 0), ("center", "bottom", 0, 3), ("center", "top", 0, -3))


@drawing
def save_word_map(path: str | Path, vectors: np.ndarray, words: Sequence[str]) -> None:
    """Draw words at the two principal axes of their vectors (N, D), D ≥ 2.

    Words that come first have precedence: a label that would cover another is left out, its point remains.
    Raises ShapeError, or DataError for NaN.
    """
    vectors = np.asarray(vectors, float)
    if vectors.ndim != 2 or vectors.shape[1] < 2 or not len(vectors) or len(words) != len(vectors):
        raise ShapeError(f"save_word_map: vectors are {vectors.shape} for {len(words)} words; pass (N, D), D ≥ 2")
    if not np.isfinite(vectors).all():
        raise DataError("save_word_map: vectors hold NaN or infinity; the model diverged")
    points, names = principal_plane(vectors)
    figure = new_figure(10, 8)
    axes = figure.add_subplot()
    style(axes, f"vectors of {len(words)} words")
    axes.scatter(*points.T, s=7, color=COLORS[0], linewidths=0)
    axes.set_xlabel(names[0], color=INK)
    axes.set_ylabel(names[1], color=INK)
    axes.margins(0.06)
    write_labels(figure, axes, points, words)
    save_figure(path, figure)


def write_labels(figure: "Figure", axes: "Axes", points: np.ndarray, words: Sequence[str]) -> None:
    """Each word beside its point, on the first side where it covers neither a label nor the frame."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()  # lays out the axes, so that places in the picture are known
    frame = axes.get_window_extent(renderer)
    taken = np.empty((0, 4))  # left, bottom, right, top
    for point, word in zip(points, words, strict=True):
        for horizontal, vertical, dx, dy in SIDES:
            label = axes.annotate(
                word, point, (dx, dy), textcoords="offset points", ha=horizontal, va=vertical, fontsize=8, color=INK
            )
            label.set_in_layout(False)
            x0, y0, x1, y1 = label.get_window_extent(renderer).padded(1).extents
            apart = (x0 > taken[:, 2]) | (x1 < taken[:, 0]) | (y0 > taken[:, 3]) | (y1 < taken[:, 1])
            if apart.all() and frame.x0 < x0 and x1 < frame.x1 and frame.y0 < y0 and y1 < frame.y1:
                taken = np.vstack([taken, (x0, y0, x1, y1)])
                break
            label.remove()
