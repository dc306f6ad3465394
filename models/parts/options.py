"""What the recipes' common options are checked by, and what they switch on: early stopping, averaging, schedules.

Each gives None when it is off, which a checkpoint leaves out; the loop's protocol serves the others.
"""

import math
from typing import Any, Literal

from minigen.checks import check_number
from minigen.errors import ArgumentError
from minigen.layers import Module
from minigen.optim import EMA, CosineLR, Optimizer, ReduceLROnPlateau
from minigen.training import EarlyStopping

ScheduleName = Literal["constant", "cosine", "plateau"]


def require_positive(recipe: Any, *names: str) -> None:
    """Raises ArgumentError unless the named numbers of a recipe, other than None, are finite and above 0."""
    for name in names:
        value = getattr(recipe, name)
        if value is not None and not 0 < value < math.inf:
            raise ArgumentError(f"{name.replace('_', '-')} is {value}; use a number above 0")


def require_share(recipe: Any, *names: str) -> None:
    """Raises ArgumentError unless the named numbers of a recipe are from 0 up to, but not, 1."""
    for name in names:
        value = getattr(recipe, name)
        if not 0 <= value < 1:
            raise ArgumentError(f"{name.replace('_', '-')} is {value}; use a share from 0 up to, but not, 1")


def require_batch(recipe: Any, least: int = 2) -> None:
    """Raises ArgumentError for batches too small to be normalised by their own mean and deviation."""
    if recipe.batch_size < least:
        raise ArgumentError(f"batch-size is {recipe.batch_size}, but batches are normalised; use {least} or more")


def require_decay(ema: float | None) -> None:
    """Raises ArgumentError unless `ema` is None or a number from 0 up to, but not, 1."""
    if ema is not None:
        check_number("recipe", "ema", ema, 0, 1)


def stopping(patience: int | None) -> EarlyStopping | None:
    """Early stopping when the watched figure was no better `patience` times in a row."""
    return None if patience is None else EarlyStopping(patience)


def averaging(model: Module, decay: float | None) -> EMA | None:
    """The average of the weights of `model`, which samples and evaluation then use."""
    return None if decay is None else EMA(model, decay, warmup=True)


def scheduling(name: ScheduleName, optimizer: Optimizer, steps: int) -> CosineLR | ReduceLROnPlateau | None:
    """The learning rate as it is; or falling to 0 along a cosine over all `steps`; or halved when the watched figure
    was no better twice in a row."""
    if name == "cosine":
        return CosineLR(optimizer, steps)
    return ReduceLROnPlateau(optimizer, factor=0.5, patience=1) if name == "plateau" else None
