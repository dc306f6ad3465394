"""Learning-rate schedules: each sets `optimizer.lr` when its `step()` is called, every step or every epoch."""

import math
from typing import Any

from minigen.checks import check_count, check_number, check_state, is_number
from minigen.errors import ArgumentError, CheckpointError
from minigen.optim.optimizer import Optimizer


class Schedule:
    """Base of the schedules that are a formula: subclasses write `lr_at(t)`, t the number of `step()` calls so far.

    base_lr is the optimizer's lr when the schedule is made. Put the schedule into a checkpoint beside the optimizer.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = check_optimizer(type(self).__name__, optimizer)
        self.base_lr = optimizer.lr
        self.t = 0

    def lr_at(self, t: int) -> float:
        """The learning rate after t steps."""
        raise NotImplementedError(f"{type(self).__name__} has no lr_at")

    def step(self) -> None:
        """Go one step on and set the optimizer's lr."""
        self.t += 1
        self.optimizer.lr = self.lr_at(self.t)

    def state_dict(self) -> dict[str, Any]:
        """The number of steps and the base."""
        return {"t": self.t, "base_lr": self.base_lr}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state` and set the optimizer's lr. Raises CheckpointError when it is of another schedule."""
        t, base_lr = self.checked(state)
        self.t, self.base_lr = t, base_lr
        self.optimizer.lr = self.lr_at(self.t)

    def checked(self, state: dict[str, Any]) -> tuple[int, float]:
        """t and base_lr of a saved state. Raises CheckpointError when it does not fit."""
        name = type(self).__name__
        check_state(name, state, self.state_dict())
        try:
            return check_count(name, "t", state["t"], 0), check_number(name, "base_lr", state["base_lr"], 0)
        except ArgumentError as error:
            raise CheckpointError(f"{error} (in the saved state)") from None


class StepLR(Schedule):
    """lr = base_lr · gamma^⌊t / step_size⌋."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        super().__init__(optimizer)
        self.step_size = check_count("StepLR", "step_size", step_size)
        self.gamma = check_number("StepLR", "gamma", gamma, above=0)

    def lr_at(self, t: int) -> float:
        return self.base_lr * self.gamma ** (t // self.step_size)


class CosineLR(Schedule):
    """lr = min_lr + (base_lr - min_lr) (1 + cos(π t / steps)) / 2, and min_lr after `steps` steps.

    Loshchilov, Hutter (2017), SGDR: stochastic gradient descent with warm restarts, equation 5, without the restarts.
    """

    def __init__(self, optimizer: Optimizer, steps: int, min_lr: float = 0.0) -> None:
        super().__init__(optimizer)
        self.steps = check_count("CosineLR", "steps", steps)
        self.min_lr = check_number("CosineLR", "min_lr", min_lr, 0, high=optimizer.lr)

    def lr_at(self, t: int) -> float:
        if t >= self.steps:
            return self.min_lr
        return self.min_lr + (self.base_lr - self.min_lr) * (1 + math.cos(math.pi * t / self.steps)) / 2


class WarmupLR(Schedule):
    """lr = base_lr · (start + (1 - start) t / steps) for t < steps; then base_lr, or what the schedule `after` says.

    after: a schedule of the same optimizer, made before this one and not stepped itself; its t counts from the end of
    the warm-up: WarmupLR(optimizer, 100, after=CosineLR(optimizer, 900)). Sets lr to its first value at once.
    Goyal et al. (2017), Accurate, large minibatch SGD: training ImageNet in 1 hour, section 2.2.
    """

    def __init__(self, optimizer: Optimizer, steps: int, start: float = 0.01, after: Schedule | None = None) -> None:
        super().__init__(optimizer)
        self.steps = check_count("WarmupLR", "steps", steps)
        self.start = check_number("WarmupLR", "start", start, 0, high=1)
        if after is not None and not isinstance(after, Schedule):
            raise ArgumentError(f"WarmupLR: after is {type(after).__name__}; pass a StepLR, CosineLR or WarmupLR")
        if after is not None and after.optimizer is not optimizer:
            raise ArgumentError("WarmupLR: the schedule after it belongs to another optimizer; use one for both")
        self.after = after
        optimizer.lr = self.lr_at(0)

    def lr_at(self, t: int) -> float:
        if t < self.steps:
            return self.base_lr * (self.start + (1 - self.start) * t / self.steps)
        return self.base_lr if self.after is None else self.after.lr_at(t - self.steps)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | ({} if self.after is None else {"after": self.after.state_dict()})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.checked(state)
        if self.after is not None:
            self.after.load_state_dict(state["after"])
        super().load_state_dict(state)


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
        if mode not in ("min", "max"):
            raise ArgumentError(f"ReduceLROnPlateau: mode is {mode!r}; use 'min' or 'max'")
        name = type(self).__name__
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

    def step(self, metric: float) -> None:
        """Take in the latest value of the metric."""
        if self.better(float(metric)):
            self.best = float(metric)
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


def check_optimizer(name: str, optimizer: Any) -> Optimizer:
    """`optimizer`, or ArgumentError when it is none."""
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(f"{name}: optimizer is {type(optimizer).__name__}; pass the optimizer, not its model")
    return optimizer
