"""Results as a person reads them: each figure with its spread and its floor on one line.

A model's `evaluate` gives plain numbers by name. NAME_spread is the standard deviation of NAME, NAME_floor what it is
of data that nobody can do better than; both stand beside NAME.
"""

from collections.abc import Mapping
from typing import Any

BESIDE = ("_spread", "_floor")


def main_figures(results: Mapping[str, Any]) -> dict[str, Any]:
    """The results without those that stand beside another."""
    return {name: value for name, value in results.items() if not is_beside(name, results)}


def is_beside(name: str, results: Mapping[str, Any]) -> bool:
    """Whether a result belongs to another one."""
    return any(name.endswith(end) and name.removesuffix(end) in results for end in BESIDE)


def described(name: str, results: Mapping[str, Any], digits: int = 5) -> str:
    """The value of a result with what stands beside it: "3.1 ± 0.02 (floor 0.06)"."""

    def number(value: Any) -> str:
        return f"{value:.{digits}g}" if isinstance(value, float) else str(value)

    spread, floor = (results.get(f"{name}{end}") for end in BESIDE)
    text = number(results[name])
    if spread is not None:
        text += f" ± {spread:.2g}"
    return text if floor is None else f"{text} (floor {number(floor)})"
