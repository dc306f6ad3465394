"""Stop when a figure has not improved for a while."""

import math
from typing import Any

from minigen.checks import check_choice
from minigen.errors import ArgumentError, CheckpointError


class EarlyStopping:
    """Counts evaluations without an improvement of more than `min_delta`; says stop after `patience` of them.

    mode: "min" when smaller is better (a loss), "max" when larger is (an accuracy). NaN is never an improvement.
    `.best` is the best value so far (None before the first), `.improved` whether the last one was it, `.waited` how
    many evaluations have passed since. Raises ArgumentError for options out of range.
    """

    def __init__(self, patience: int, mode: str = "min", min_delta: float = 0.0) -> None:
        if patience < 1:
            raise ArgumentError(f"EarlyStopping: patience is {patience}; use at least 1")
        check_choice("EarlyStopping", "mode", mode, ("min", "max"))
        if not 0 <= min_delta < math.inf:
            raise ArgumentError(f"EarlyStopping: min_delta is {min_delta}; use a number ≥ 0")
        self.patience, self.mode, self.min_delta = patience, mode, min_delta
        self.best: float | None = None
        self.improved = False
        self.waited = 0

    def update(self, value: float) -> bool:
        """Take note of one evaluation; True when it is time to stop."""
        value = float(value)
        gain = math.inf if self.best is None else (self.best - value if self.mode == "min" else value - self.best)
        self.improved = not math.isnan(value) and gain > self.min_delta
        if self.improved:
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        return self.stop

    @property
    def stop(self) -> bool:
        """Whether it is time to stop."""
        return self.waited >= self.patience

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "improved": self.improved, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where a `state_dict` left off. Raises CheckpointError when a field is missing or unknown."""
        if set(state) != {"best", "improved", "waited"}:
            raise CheckpointError(f"EarlyStopping: state has {sorted(state)}; expected best, improved, waited")
        self.best, self.improved, self.waited = state["best"], state["improved"], state["waited"]
