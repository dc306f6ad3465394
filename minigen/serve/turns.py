"""Whose turn it is: how often each may ask, one computation at a time, and when one is given up.

Each computation takes all the cores, so that two at once would only be slower each. Those who come meanwhile wait, a
few at most; whoever is one too many is told so at once, rather than after minutes.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from minigen.autograd.observe import Observer, observe
from minigen.errors import ArgumentError
from minigen.pages.asked import check_wanted

if TYPE_CHECKING:
    from minigen.autograd import Tensor
    from minigen.autograd.function import Function

T = TypeVar("T")
CLIENTS = 1000  # whose buckets are kept; then the one that was not seen for longest is forgotten
WAITING = 16  # questions at most, beside the one that is answered
SECONDS = 60  # an answer may take


class Buckets:
    """A bucket of tokens for each client: `burst` at first, `rate` more a second up to that; a question takes one."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self.clock = rate, max(2 * rate, 1.0), clock
        self.levels: dict[str, tuple[float, float]] = {}  # tokens, and when there were so many

    def take(self, client: str) -> float:
        """0 when there was a token, and it is taken; otherwise the seconds until there will be one."""
        now = self.clock()
        level, since = self.levels.pop(client, (self.burst, now))
        level = min(level + self.rate * (now - since), self.burst)
        taken = level >= 1
        self.levels[client] = (level - taken, now)
        while len(self.levels) > CLIENTS:
            del self.levels[next(iter(self.levels))]
        return 0.0 if taken else (1 - level) / self.rate


class Patience(Observer):
    """Gives up a computation, at its next operation, that nobody waits for any more, or that takes too long."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self.clock, self.began = seconds, clock, clock()

    def function_starts(self, node: "Function", inputs: "Sequence[Tensor]") -> None:
        """Raises RunError when nobody waits, ArgumentError when time is up."""
        check_wanted()
        if self.clock() - self.began > self.seconds:
            raise ArgumentError(
                f"the answer takes more than {self.seconds:g} s here; ask for less: a smaller n, fewer steps"
            )


class FullError(Exception):
    """Too many wait already."""


class Turns:
    """One computation at a time, each in a thread, while at most `most` others wait."""

    def __init__(self, most: int = WAITING, seconds: float = SECONDS) -> None:
        self.most, self.seconds, self.there = most, seconds, 0
        self.free = asyncio.Lock()

    async def take(self, compute: Callable[[], T]) -> T:
        """compute(), when it is its turn. Raises FullError, and what `compute` raises."""
        if self.there > self.most:
            raise FullError
        self.there += 1
        try:
            async with self.free:
                return await asyncio.to_thread(self.patiently, compute)
        finally:
            self.there -= 1

    def patiently(self, compute: Callable[[], T]) -> T:
        """compute(), given up when it takes too long."""
        check_wanted()
        with observe(Patience(self.seconds)):
            return compute()
