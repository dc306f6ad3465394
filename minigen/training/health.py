"""Is the training well? A loss that is no number, or that stays far above where it began, has diverged."""

import math
from collections.abc import Mapping

FAR, MORE = 3.0, 15.0  # a loss above FAR times what it was at the start, and MORE besides,
LONG = 8  # in so many steps in a row, is no training any more
SHORT = 3  # and in so many at the end of a run
BACK = 1.0  # after so many, "loss" is well again when it is no more than this above its start


class Health:
    """Looks at the figures of each step whose name holds "loss" or "penalty". start: what they were, when resuming.

    Of sound trainings none comes near: a loss is at its start what chance gives, and a game's, which begins at log 2 or
    twice that, passes 15 only when one player has lost for good. Only a loss without a floor, as a Wasserstein
    critic's, may be anywhere; give it another name.
    """

    def __init__(self, start: Mapping[str, float] | None = None) -> None:
        self.start = dict(start or {})
        self.ill: dict[str, int] = {}  # steps in a row, by figure

    def look(self, figures: Mapping[str, float]) -> str | None:
        """What is wrong after this step, as in "loss is 5e+06, and was 2.3 at the start"; None when nothing is, or not
        for long enough to be sure."""
        problem = None
        for name, value in figures.items():
            if "loss" not in name and "penalty" not in name:
                continue
            if math.isfinite(value) and name not in self.start:
                self.start[name] = value
            if value <= self.limit(name):  # False for NaN
                self.ill.pop(name, None)
                continue
            self.ill[name] = self.ill.get(name, 0) + 1
            if self.ill[name] >= LONG:
                began = f", and was {self.start[name]:.4g} at the start" if name in self.start else ""
                problem = f"{name} is {value:.4g}{began}"
        return problem

    def limit(self, name: str) -> float:
        """Up to where the figure is well.

        What is far off for SHORT steps, and then comes down to what chance gives without learning, was lost, too. That
        is only known of a "loss" that is alone: those of a game are above their start as often as not.
        """
        start = abs(self.start.get(name, 0.0))
        if name == "loss" and self.ill.get(name, 0) >= SHORT:
            return start + BACK
        return FAR * start + MORE

    @property
    def doubtful(self) -> bool:
        """Whether the last step's loss was no number, or far above the start: the state before is the better one."""
        return bool(self.ill)

    @property
    def lost(self) -> bool:
        """Whether that lasts so long that a run is better not ended with it."""
        return max(self.ill.values(), default=0) >= SHORT
