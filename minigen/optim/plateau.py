"""A learning rate that falls when a metric no longer improves."""

import math
from typing import Any

from minigen.autograd.tensor import Tensor
from minigen.checks import check_choice, check_count, check_number, check_state, is_number, shown
from minigen.errors import ArgumentError, CheckpointError
from minigen.optim.optimizer import Optimizer
from minigen.optim.schedule import check_optimizer, described, learning_rates


class ReduceLROnPlateau:
    """lr ← max(lr · factor, min_lr) when the metric was no better for more than `patience` calls of step(metric).

    Better is below best · (1 - threshold) for mode "min", above best · (1 + threshold) for "max", as in PyTorch.
    cooldown: calls after a reduction that are not counted. NaN is never better. Raises ArgumentError.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        name = type(self).__name__
        check_choice(name, "mode", mode, ("min", "max"))
        self.optimizer = check_optimizer(name, optimizer)
        self.mode = mode
        self.factor = check_number(name, "factor", factor, below=1, above=0)
        self.patience = check_count(name, "patience", patience, 0)
        self.threshold = check_number(name, "threshold", threshold, 0)
        self.cooldown = check_count(name, "cooldown", cooldown, 0)
        self.min_lr = check_number(name, "min_lr", min_lr, 0)
        self.best = math.inf if mode == "min" else -math.inf
        self.waited = 0
        self.cooling = 0

    def step(self, metric: float | Tensor) -> None:
        """Take in the latest value of the metric, a number or a tensor of one element."""
        metric = number_of(metric)
        if self.better(metric):
            self.best = metric
            self.waited = 0
        else:
            self.waited += 1
        if self.cooling > 0:
            self.cooling -= 1
            self.waited = 0
        if self.waited > self.patience:
            self.optimizer.lr = max(self.optimizer.lr * self.factor, self.min_lr)
            self.cooling = self.cooldown
            self.waited = 0

    def better(self, metric: float) -> bool:
        """Whether `metric` improves on the best so far by more than the threshold."""
        if self.mode == "min":
            return metric < self.best * (1 - self.threshold)
        return metric > self.best * (1 + self.threshold)

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group of parameters."""
        return learning_rates(self.optimizer)

    def __repr__(self) -> str:
        names = ("mode", "factor", "patience", "threshold", "cooldown", "min_lr", "best", "waited")
        return described(self, {name: getattr(self, name) for name in names})

    def state_dict(self) -> dict[str, Any]:
        """What was seen so far; the learning rate is in the optimizer's state."""
        return {"best": self.best, "waited": self.waited, "cooling": self.cooling}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`. Raises CheckpointError when it is of another schedule."""
        name = type(self).__name__
        check_state(name, state, self.state_dict())
        try:
            waited, cooling = (check_count(name, key, state[key], 0) for key in ("waited", "cooling"))
        except ArgumentError as error:
            raise CheckpointError(f"{error} (in the saved state)") from None
        if not is_number(state["best"]):
            raise CheckpointError(f"{name}: the saved best is {state['best']!r}, which is no number")
        self.best, self.waited, self.cooling = float(state["best"]), waited, cooling


def number_of(metric: Any) -> float:
    """The metric as a float. Raises ArgumentError when it is no number."""
    value = metric.item() if isinstance(metric, Tensor) and metric.size == 1 else metric
    if not is_number(value):
        raise ArgumentError(f"ReduceLROnPlateau: the metric is {shown(metric)}; pass one number")
    return float(value)
