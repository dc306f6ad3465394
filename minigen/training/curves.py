"""curves.png of a run that is being trained: drawn anew now and then, for a small share of the time."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from minigen import plots

SHARE = 0.01  # of the time that a training takes may go into its curves
FIRST = 0.5  # seconds that the first drawing is thought to take, which also loads the plotting library


class Curves:
    """The curves in the file `path`, under a title. clock: seconds, for tests."""

    def __init__(self, path: Path, title: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.path, self.title, self._clock = path, title, clock
        self._due = clock() + FIRST / SHARE

    def refresh(self, history: Callable[[], Mapping[str, Sequence[Any]]]) -> None:
        """Draw, unless that was done so lately that it would take more than its share."""
        if self._clock() >= self._due:
            self.draw(history())

    def draw(self, history: Mapping[str, Sequence[Any]]) -> None:
        """Draw now what was logged, if anything was. Raises RunError when the disk refuses."""
        began = self._clock()
        if len(history) > 1:  # there is more in it than the steps
            plots.save_curves(self.path, history, title=self.title)
        ended = self._clock()
        self._due = ended + (ended - began) / SHARE
