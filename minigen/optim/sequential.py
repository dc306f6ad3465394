"""Schedules made of others: a warm-up before one, and several one after another."""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

from minigen.checks import check_count, check_items, check_number
from minigen.errors import ArgumentError, CheckpointError
from minigen.optim.optimizer import Optimizer
from minigen.optim.schedule import Schedule, check_milestones


class SequentialLR(Schedule):
    """schedulers[0] up to the first of the milestones, from there the next one, each counting its own steps from 0.

    schedulers: of this optimizer, not stepped themselves; milestones: one fewer, ascending:
    SequentialLR(optimizer, [LinearLR(optimizer, 0.1, total_iters=5), CosineLR(optimizer, 95)], [5]).
    """

    def __init__(self, optimizer: Optimizer, schedulers: Iterable[Schedule], milestones: Iterable[int]) -> None:
        super().__init__(optimizer)
        name = "SequentialLR"
        mend = "pass schedules that are a formula, such as StepLR"
        self.schedulers = check_items(name, "schedulers", schedulers, Schedule, mend)
        self.milestones = check_milestones(name, milestones)
        if not self.schedulers or len(self.milestones) != len(self.schedulers) - 1:
            found = f"{len(self.schedulers)} schedulers and {len(self.milestones)} milestones"
            raise ArgumentError(f"{name}: {found}; pass one milestone between each two schedulers")
        for schedule in self.schedulers:
            check_same(name, optimizer, schedule)
        self.begin()

    def present(self, t: int) -> tuple[Schedule, int]:
        """The schedule that counts after t steps, and how many of them were its own."""
        i = bisect_right(self.milestones, t)
        return self.schedulers[i], t - self.milestones[i - 1] if i else t

    def lr_at(self, t: int) -> float:
        schedule, own = self.present(t)
        return schedule.lr_at(own)

    def apply(self, t: int) -> None:
        schedule, own = self.present(t)
        schedule.apply(own)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "schedulers": [schedule.state_dict() for schedule in self.schedulers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.checked(state)
        inner = state["schedulers"]
        if not isinstance(inner, list) or len(inner) != len(self.schedulers):
            raise CheckpointError(
                f"SequentialLR: the saved schedulers do not fit the {len(self.schedulers)} of this one"
            )
        for schedule, own in zip(self.schedulers, inner, strict=True):
            schedule.checked(own)
        for schedule, own in zip(self.schedulers, inner, strict=True):
            schedule.load_state_dict(own)
        super().load_state_dict(state)


class WarmupLR(Schedule):
    """lr = base_lr · (start + (1 - start) t / steps) for t < steps; then base_lr, or what the schedule `after` says.

    after: a schedule of the same optimizer, not stepped itself; its t counts from the end of the warm-up:
    WarmupLR(optimizer, 100, after=CosineLR(optimizer, 900)). Sets lr to its first value at once.
    Goyal et al. (2017), Accurate, large minibatch SGD: training ImageNet in 1 hour, section 2.2.
    """

    def __init__(self, optimizer: Optimizer, steps: int, start: float = 0.01, after: Schedule | None = None) -> None:
        super().__init__(optimizer)
        self.steps = check_count("WarmupLR", "steps", steps)
        self.start = check_number("WarmupLR", "start", start, 0, high=1)
        if after is not None:
            check_same("WarmupLR", optimizer, after)
        self.after = after
        self.begin()

    def lr_at(self, t: int) -> float:
        if t < self.steps:
            return self.base_lr * (self.start + (1 - self.start) * t / self.steps)
        return self.base_lr if self.after is None else self.after.lr_at(t - self.steps)

    def apply(self, t: int) -> None:
        if t < self.steps or self.after is None:
            super().apply(t)
        else:
            self.after.apply(t - self.steps)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | ({} if self.after is None else {"after": self.after.state_dict()})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.checked(state)
        if self.after is not None:
            self.after.load_state_dict(state["after"])
        super().load_state_dict(state)


def check_same(name: str, optimizer: Optimizer, schedule: Any) -> None:
    """Raise ArgumentError unless `schedule` is one of this optimizer."""
    if not isinstance(schedule, Schedule):
        raise ArgumentError(f"{name}: got {type(schedule).__name__} as a schedule; pass one such as StepLR or CosineLR")
    if schedule.optimizer is not optimizer:
        raise ArgumentError(f"{name}: one of its schedules belongs to another optimizer; use one for all")
