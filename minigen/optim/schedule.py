"""Learning-rate schedules: each sets `optimizer.lr` when its `step()` is called, every step or every epoch."""

import math
from typing import Any

from minigen.errors import ArgumentError, CheckpointError
from minigen.optim.optimizer import Optimizer


class Schedule:
    """Base of the schedules that are a formula: subclasses write `lr_at(t)`, t the number of `step()` calls so far.

    base_lr is the optimizer's lr when the schedule is made. Put the schedule into a checkpoint beside the optimizer.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
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
        check_keys(self, state)
        self.t, self.base_lr = int(state["t"]), float(state["base_lr"])
        self.optimizer.lr = self.lr_at(self.t)


class StepLR(Schedule):
    """lr = base_lr · gamma^⌊t / step_size⌋."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = check_steps("StepLR: step_size", step_size)
        self.gamma = check_positive("StepLR: gamma", gamma)
        super().__init__(optimizer)

    def lr_at(self, t: int) -> float:
        return self.base_lr * self.gamma ** (t // self.step_size)


class CosineLR(Schedule):
    """lr = min_lr + (base_lr - min_lr) (1 + cos(π t / steps)) / 2, and min_lr after `steps` steps.

    Loshchilov, Hutter (2017), SGDR: stochastic gradient descent with warm restarts, equation 5, without the restarts.
    """

    def __init__(self, optimizer: Optimizer, steps: int, min_lr: float = 0.0) -> None:
        self.steps = check_steps("CosineLR: steps", steps)
        if not 0 <= min_lr <= optimizer.lr:
            raise ArgumentError(f"CosineLR: min_lr is {min_lr!r}; use a number from 0 to the lr, {optimizer.lr:g}")
        self.min_lr = float(min_lr)
        super().__init__(optimizer)

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
        self.steps = check_steps("WarmupLR: steps", steps)
        if not 0 <= start <= 1:
            raise ArgumentError(f"WarmupLR: start is {start!r}; use a fraction of the learning rate, from 0 to 1")
        if after is not None and after.optimizer is not optimizer:
            raise ArgumentError("WarmupLR: the schedule after it belongs to another optimizer; use one for both")
        self.start = float(start)
        self.after = after
        super().__init__(optimizer)
        optimizer.lr = self.lr_at(0)

    def lr_at(self, t: int) -> float:
        if t < self.steps:
            return self.base_lr * (self.start + (1 - self.start) * t / self.steps)
        return self.base_lr if self.after is None else self.after.lr_at(t - self.steps)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | ({} if self.after is None else {"after": self.after.state_dict()})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        check_keys(self, state)
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
        if not 0 < factor < 1:
            raise ArgumentError(f"ReduceLROnPlateau: factor is {factor!r}; use a number between 0 and 1")
        if min(patience, threshold, cooldown, min_lr) < 0:
            raise ArgumentError(
                "ReduceLROnPlateau: patience, threshold, cooldown and min_lr are "
                f"{patience}, {threshold}, {cooldown} and {min_lr}; use numbers from 0"
            )
        self.optimizer = optimizer
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.cooldown = cooldown
        self.min_lr = min_lr
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
        check_keys(self, state)
        self.best, self.waited, self.cooling = float(state["best"]), int(state["waited"]), int(state["cooling"])


def check_keys(schedule: Schedule | ReduceLROnPlateau, state: dict[str, Any]) -> None:
    """Raises CheckpointError unless `state` has the names of the schedule's own."""
    expected = set(schedule.state_dict())
    if set(state) != expected:
        raise CheckpointError(
            f"{type(schedule).__name__}: the saved state has {sorted(state)}, expected {sorted(expected)}"
        )


def check_steps(name: str, value: int) -> int:
    """`value`, or ArgumentError unless it is a whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ArgumentError(f"{name} is {value!r}; use a whole number from 1")
    return value


def check_positive(name: str, value: float) -> float:
    """`value` as a float, or ArgumentError unless it is finite and above 0."""
    if not 0 < value < math.inf:
        raise ArgumentError(f"{name} is {value!r}; use a finite number above 0")
    return float(value)
