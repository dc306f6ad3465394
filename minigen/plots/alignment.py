"""Where a translation looked in its source, character by character."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minigen.errors import DataError, ShapeError
from minigen.plots.canvas import INK, drawing, new_figure, save_figure, style


@drawing
def save_alignments(path: str | Path, panels: Sequence[tuple[str, str, np.ndarray]]) -> None:
    """One panel below the other for each (source, target, weights): weights (target, source) as shades, from 0 to 1.

    Raises ShapeError for weights of another shape, DataError without a panel or for NaN.
    """
    if not panels:
        raise DataError("save_alignments: there is nothing to draw; pass (source, target, weights)")
    figure = new_figure(9.0, sum(0.9 + 0.2 * len(target) for _, target, _ in panels))
    heights = [len(target) + 3 for _, target, _ in panels]
    grid = figure.add_gridspec(len(panels), 1, height_ratios=heights)
    for i, (source, target, weights) in enumerate(panels):
        shades = np.asarray(weights, float)
        if shades.shape != (len(target), len(source)):
            raise ShapeError(
                f"save_alignments: weights are {shades.shape} for {len(target)} characters looking at {len(source)}"
            )
        if not np.isfinite(shades).all():
            raise DataError("save_alignments: weights hold NaN or infinity; the model diverged")
        axes = figure.add_subplot(grid[i])
        style(axes, f"{source} → {target}", grid=False)
        if shades.size:
            axes.imshow(shades, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(source)), list(source))
        axes.set_yticks(range(len(target)), list(target))
        axes.tick_params(length=0, labelsize=9, colors=INK)
    save_figure(path, figure)
