"""Learning-rate schedules that are a formula: `optimizer.lr` is set by `step()`, every step or every epoch."""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any

from minigen.checks import check_count, check_items, check_number, check_state
from minigen.errors import ArgumentError, CheckpointError
from minigen.kernels.noting import host
from minigen.optim.optimizer import Optimizer


class Schedule:
    """Base of the schedules that are a formula: subclasses write `lr_at(t)`, t the number of `step()` calls so far.

    base_lr is the optimizer's lr when the schedule is made; schedules that are made one after another, to be joined,
    have the same. With several groups of parameters lr is that of the first, and the others keep their ratio to it.
    Put the schedule into a checkpoint beside the optimizer.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = check_optimizer(type(self).__name__, optimizer)
        self.base_lr = base_of(optimizer)
        self.t = 0

    def lr_at(self, t: int) -> float:
        """The learning rate after t steps."""
        raise NotImplementedError(f"{type(self).__name__} has no lr_at")

    @host
    def step(self) -> None:
        """Go one step on and set the optimizer's lr."""
        self.t += 1
        self.apply(self.t)

    def apply(self, t: int) -> None:
        """Set the optimizer as it is to be after t steps."""
        self.optimizer.lr = self.lr_at(t)

    def begin(self) -> None:
        """Set the optimizer as it is to be before the first step, for schedules that do not start at base_lr."""
        self.apply(0)
        self.optimizer.scheduled = self.optimizer.lr, self.base_lr

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group of parameters."""
        return learning_rates(self.optimizer)

    def __repr__(self) -> str:
        hidden = ("optimizer", "t", "base_lr")
        options = {name: value for name, value in vars(self).items() if name not in hidden}
        return described(self, {**options, "base_lr": self.base_lr, "t": self.t})

    def state_dict(self) -> dict[str, Any]:
        """The number of steps and the base."""
        return {"t": self.t, "base_lr": self.base_lr}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state` and set the optimizer's lr. Raises CheckpointError when it is of another schedule."""
        t, base_lr = self.checked(state)
        self.t, self.base_lr = t, base_lr
        self.apply(self.t)

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


class MultiStepLR(Schedule):
    """lr = base_lr · gamma^(how many of the milestones are at most t)."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        super().__init__(optimizer)
        self.milestones = check_milestones("MultiStepLR", milestones)
        self.gamma = check_number("MultiStepLR", "gamma", gamma, above=0)

    def lr_at(self, t: int) -> float:
        return self.base_lr * self.gamma ** bisect_right(self.milestones, t)


class ExponentialLR(Schedule):
    """lr = base_lr · gamma^t."""

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        super().__init__(optimizer)
        self.gamma = check_number("ExponentialLR", "gamma", gamma, above=0)

    def lr_at(self, t: int) -> float:
        return self.base_lr * self.gamma**t


class LinearLR(Schedule):
    """lr = base_lr · (start_factor + (end_factor - start_factor) t / total_iters), and the last of these afterwards."""

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5
    ) -> None:
        super().__init__(optimizer)
        self.start_factor = check_number("LinearLR", "start_factor", start_factor, 0)
        self.end_factor = check_number("LinearLR", "end_factor", end_factor, 0)
        self.total_iters = check_count("LinearLR", "total_iters", total_iters)
        self.begin()

    def lr_at(self, t: int) -> float:
        share = min(t, self.total_iters) / self.total_iters
        return self.base_lr * (self.start_factor + (self.end_factor - self.start_factor) * share)


class PolynomialLR(Schedule):
    """lr = base_lr · (1 - t / total_iters)^power, and 0 after total_iters steps."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0) -> None:
        super().__init__(optimizer)
        self.total_iters = check_count("PolynomialLR", "total_iters", total_iters)
        self.power = check_number("PolynomialLR", "power", power, 0)

    def lr_at(self, t: int) -> float:
        return self.base_lr * (1 - min(t, self.total_iters) / self.total_iters) ** self.power


class LambdaLR(Schedule):
    """lr = base_lr · lr_lambda(t), a function of the number of steps so far. A checkpoint does not hold the function.

    Raises ArgumentError when it gives no finite number ≥ 0.
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float]) -> None:
        super().__init__(optimizer)
        if not callable(lr_lambda):
            raise ArgumentError(
                f"LambdaLR: lr_lambda is {type(lr_lambda).__name__}; pass one function of t (groups keep their ratios)"
            )
        self.lr_lambda = lr_lambda
        self.begin()

    def lr_at(self, t: int) -> float:
        return self.base_lr * check_number("LambdaLR", f"lr_lambda({t})", self.lr_lambda(t), 0)


class CosineLR(Schedule):
    """lr = min_lr + (base_lr - min_lr) (1 + cos(π t / steps)) / 2, and min_lr after `steps` steps.

    Loshchilov, Hutter (2017), SGDR: stochastic gradient descent with warm restarts, equation 5, without the restarts.
    """

    def __init__(self, optimizer: Optimizer, steps: int, min_lr: float = 0.0) -> None:
        super().__init__(optimizer)
        self.steps = check_count("CosineLR", "steps", steps)
        self.min_lr = check_number("CosineLR", "min_lr", min_lr, 0, high=self.base_lr)

    def lr_at(self, t: int) -> float:
        if t >= self.steps:
            return self.min_lr
        return self.min_lr + (self.base_lr - self.min_lr) * (1 + math.cos(math.pi * t / self.steps)) / 2


class CosineAnnealingWarmRestarts(Schedule):
    """lr = eta_min + (base_lr - eta_min) (1 + cos(π c / T)) / 2, c the steps in a cycle, T its length.

    The first cycle is T_0 steps long, each one after that T_mult times the one before. Loshchilov, Hutter (2017), SGDR:
    stochastic gradient descent with warm restarts, equation 5.
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0) -> None:
        super().__init__(optimizer)
        name = "CosineAnnealingWarmRestarts"
        self.T_0, self.T_mult = check_count(name, "T_0", T_0), check_count(name, "T_mult", T_mult)
        self.eta_min = check_number(name, "eta_min", eta_min, 0, high=self.base_lr)

    def lr_at(self, t: int) -> float:
        length = self.T_0
        if self.T_mult == 1:
            t %= length
        while t >= length:
            t -= length
            length *= self.T_mult
        return self.eta_min + (self.base_lr - self.eta_min) * (1 + math.cos(math.pi * t / length)) / 2


def check_optimizer(name: str, optimizer: Any) -> Optimizer:
    """`optimizer`, or ArgumentError when it is none."""
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(f"{name}: optimizer is {type(optimizer).__name__}; pass the optimizer, not its model")
    return optimizer


def base_of(optimizer: Optimizer) -> float:
    """The optimizer's lr, or what it was before another schedule, made just now, set its first value."""
    first, base = optimizer.scheduled or (None, 0.0)
    return base if optimizer.lr == first else optimizer.lr


def learning_rates(optimizer: Optimizer) -> list[float]:
    """Of each group."""
    return [group["lr"] for group in optimizer.param_groups]


def check_milestones(name: str, milestones: Iterable[int]) -> list[int]:
    """Numbers of steps in ascending order."""
    listed = check_items(name, "milestones", milestones, object, "pass a list of numbers of steps")
    return sorted(check_count(name, "milestones", milestone, 0) for milestone in listed)


def described(schedule: Any, values: dict[str, Any]) -> str:
    """A schedule, its options and state, and the learning rate, for people."""
    shown = {**values, "lr": schedule.optimizer.lr}
    parts = [f"{name}={value:g}" if isinstance(value, float) else f"{name}={value!r}" for name, value in shown.items()]
    return f"{type(schedule).__name__}({', '.join(parts)})"
