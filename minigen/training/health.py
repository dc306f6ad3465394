"""Is the training well? A loss that is no number, or that stays far above where it began, has diverged."""

import math
from collections.abc import Mapping

FAR = 50.0  # a loss so many times as large as at the start, which counts as 1 where it was less,
LONG = 5  # in so many steps in a row, is no training any more


class Health:
    """Looks at the figures of each step whose name holds "loss". start: what they were at the start, when resuming."""

    def __init__(self, start: Mapping[str, float] | None = None) -> None:
        self.start = dict(start or {})
        self.ill: dict[str, int] = {}  # steps in a row, by figure

    def look(self, figures: Mapping[str, float]) -> str | None:
        """What is wrong after this step, as in "loss is 5e+06, and was 2.3 at the start"; None when nothing is, or not
        for long enough to be sure."""
        problem = None
        for name, value in figures.items():
            if "loss" not in name:
                continue
            if math.isfinite(value) and name not in self.start:
                self.start[name] = value
            if value <= FAR * max(abs(self.start.get(name, 0.0)), 1.0):  # False for NaN
                self.ill.pop(name, None)
                continue
            self.ill[name] = self.ill.get(name, 0) + 1
            if self.ill[name] >= LONG:
                began = f", and was {self.start[name]:.4g} at the start" if name in self.start else ""
                problem = f"{name} is {value:.4g}{began}"
        return problem

    @property
    def doubtful(self) -> bool:
        """Whether the last step's loss was one that is no number or far above the start: not a state to keep."""
        return bool(self.ill)
