"""What the models share that draw images in many steps: how they are asked, drawing in batches, and their pictures."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import minigen as mg
from minigen import plots
from minigen.autograd import Tensor
from minigen.errors import ArgumentError
from minigen.models.parts.images import in_turn, saved_shape
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import require_positive
from minigen.models.parts.unet import UNet
from minigen.training import RunFolder

BATCH = 250  # images that are drawn at once
COUNTS = (1, 2, 5, 10, 25, 50, 100)  # steps in which the same noise is drawn beside each other


@dataclass(frozen=True)
class Sampling:
    """How samples are drawn."""

    steps: int = 25  # from noise to image
    guidance: float = 1.0  # above 1 the class counts for more than it does in the data

    def __post_init__(self) -> None:
        require_positive(self, "steps")
        if not math.isfinite(self.guidance):
            raise ArgumentError(f"guidance is {self.guidance}; use a number, such as 2")


# (model, noise (N, H, W, C), classes (N,), how, rng) → x after each step; images in [-1, 1] at the end
Walk = Callable[[UNet, Tensor, np.ndarray | None, Any, np.random.Generator], Iterator[Tensor]]


def restored(run: RunFolder, width: int) -> UNet:
    """The network of a run, with its averaged weights where there are some."""
    model = UNet(saved_shape(run), int(run.saved()["model"]["classes"]), width, mg.random.generator(0))
    run.load_weights(model, averaged=model)
    return model


def told(model: UNet, labels: list[np.ndarray], untold: float, rng: np.random.Generator) -> np.ndarray | None:
    """The classes of a batch as the network is told them: a share of them is not."""
    if not int(model.classes):
        return None
    return np.where(rng.random(len(labels[0])) < untold, int(model.classes), labels[0])


def draw(
    model: UNet, walk: Walk, n: int, rng: np.random.Generator, wanted: Sampling, y: np.ndarray | None = None
) -> np.ndarray:
    """n images (n, H, W, C) in [0, 1], of classes y (n,), or of all in turn."""
    y, batches = in_turn(int(model.classes), n) if y is None else y, []
    with evaluating(model):
        for i in range(0, n, BATCH):
            x = mg.randn(min(BATCH, n - i), *model.image, rng=rng)
            for step in walk(model, x, None if y is None else y[i : i + BATCH], wanted, rng):
                x = step
            batches.append(np.clip(x.numpy() * 0.5 + 0.5, 0, 1))
    return np.concatenate(batches)


def check_guidance(model: UNet, wanted: Sampling) -> None:
    """Raises ArgumentError when a network that was told no classes is to be guided by them."""
    if not int(model.classes) and wanted.guidance != 1:
        raise ArgumentError(
            f"guidance is {wanted.guidance:g}, but the run knows no classes to be guided by; train one on data with "
            "labels"
        )


def save_pictures(run: RunFolder, model: UNet, walk: Walk, wanted: Sampling, most: int = 100) -> None:
    """Draw a film of noise that becomes a sheet of samples, and what few and many steps make of the same noise."""
    counts = [steps for steps in COUNTS if steps <= most]
    columns = min(int(model.classes) or 8, 10)
    y, rng = in_turn(int(model.classes), columns**2), mg.random.generator(0)
    few = None if y is None else y[:columns]
    with evaluating(model):
        x = mg.randn(columns**2, *model.image, rng=rng)
        frames = [x, *walk(model, x, y, wanted, rng)]
        rows = [[*walk(model, x[:columns], few, replace(wanted, steps=steps), rng)][-1].numpy() for steps in counts]
    plots.save_animation(run.path / "denoising.gif", [frame.numpy() for frame in frames], columns, (-1, 1))
    title = f"{run.model} · the same noise in {', '.join(map(str, counts))} steps"
    plots.save_grid(run.path / "steps.png", np.concatenate(rows), columns, (-1, 1), title)
