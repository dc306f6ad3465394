"""What is promised of odd use: each case a row of docs/promises.md, and a check that the row is true.

The cases stand by subject in files `promises_*.py`; `tests/test_promises.py` runs them all and holds the page to them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Check = Callable[[Path], None]


@dataclass(frozen=True)
class Promise:
    """One case: what somebody does, what minigen does then, and the check of it, which is given an empty folder."""

    case: str
    answer: str
    check: Check

    @property
    def row(self) -> str:
        """Its line of docs/promises.md."""
        return f"| {self.case} | {self.answer} |"


def promise(cases: list[Promise], case: str, answer: str) -> Callable[[Check], Check]:
    """Decorator: the function under it is the check of one more of `cases`."""

    def add(check: Check) -> Check:
        cases.append(Promise(case, answer, check))
        return check

    return add
