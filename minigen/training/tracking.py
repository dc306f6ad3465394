"""Runs told to TensorBoard as they go: `minigen train NAME --track tensorboard` (extra `track`).

The plain files in the run folder remain the truth; what is told stands in its folder `tensorboard`: scalars and sheets
as they come, histograms of layers at the end of each round, and the recipe with the results. A run that goes on takes
back what was told of steps that it makes again.
"""

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minigen.errors import ArgumentError
from minigen.training.insides import KINDS, Spread
from minigen.training.log import scalar
from minigen.training.run import Run

FOLDER = "tensorboard"


class TensorBoard:
    """Follows a run, whose `followers` it joins. Raises ArgumentError without tensorboardX."""

    def __init__(self, run: Run) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise ArgumentError("--track tensorboard: needs tensorboardX: pip install 'minigen[track]'") from None
        self.step = run.step  # up to which sheets and layers are told
        place = str(run.path / FOLDER)
        purge = run.step + 1 if run.step else None
        suffix = f".{time.time_ns()}"  # or another of the same second would be written over
        self.writer: Any = SummaryWriter(place, purge_step=purge, filename_suffix=suffix)
        run.followers.append(self)

    def logged(self, step: int, values: Mapping[str, Any]) -> None:
        """A row of metrics.csv: scalars."""
        for name, value in values.items():
            if value is not None:
                self.writer.add_scalar(name, scalar(value, name), step)

    def saved(self, run: Run) -> None:
        """A checkpoint: the sheets and texts since the last one, and how layers were spread."""
        for path in run.samples():
            step = int(re.sub(r"\D", "", path.stem) or 0)
            if step > self.step:
                self.sample(path, step)
        for found in run.layers.rounds():
            if found["step"] > self.step:
                for kind in KINDS:
                    for name, spread in found[kind].items():
                        self.histogram(f"{kind}/{name}", spread, found["step"])
        self.step = run.step
        self.writer.flush()

    def sample(self, path: Path, step: int) -> None:
        """A sheet as an image, or a text."""
        if path.suffix == ".txt":
            self.writer.add_text("samples", path.read_text(encoding="utf-8"), step)
            return
        from PIL import Image

        with Image.open(path) as sheet:
            self.writer.add_image("samples", np.asarray(sheet.convert("RGB")), step, dataformats="HWC")

    def histogram(self, tag: str, spread: Spread, step: int) -> None:
        """A histogram, whose sums are those of the middles of its parts."""
        low, high, *counts = spread
        edges = np.linspace(low, high if high > low else low + 1, len(counts) + 1)
        middles, numbers = (edges[1:] + edges[:-1]) / 2, np.array(counts, float)
        sums = float(middles @ numbers), float(middles**2 @ numbers)
        limits, held = edges[1:].tolist(), numbers.tolist()
        self.writer.add_histogram_raw(tag, low, high, int(numbers.sum()), *sums, limits, held, step)

    def finished(self, run: Run, results: Mapping[str, Any]) -> None:
        """The recipe beside the results, as TensorBoard's hyperparameters."""
        recipe = {
            name: value if isinstance(value, (bool, int, float)) else str(value) for name, value in run.recipe.items()
        }
        figures = {name: float(value) for name, value in results.items() if isinstance(value, (int, float))}
        self.writer.add_hparams(recipe, figures or {"step": float(run.step)}, name=".", global_step=run.step)
        self.writer.close()
        print(f"told to TensorBoard, too: tensorboard --logdir {run.path / FOLDER}")


TRACKERS = {"tensorboard": TensorBoard}
