"""The length of a step along a line, by the strong Wolfe conditions.

A length t is taken when f(t) ≤ f(0) + c1 t f'(0) and |f'(t)| ≤ c2 |f'(0)|: low enough, and flat enough. Nocedal,
Wright (2006), Numerical optimization, algorithms 3.5 (find a bracket) and 3.6 (zoom into it); the trials are those of
PyTorch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LOW_ENOUGH, FLAT_ENOUGH = 1e-4, 0.9  # c1 and c2


@dataclass(frozen=True)
class Trial:
    """A place on the line: its length t, the value there, the gradient, and the slope along the line."""

    t: float
    value: float
    gradient: np.ndarray
    slope: float


def strong_wolfe(
    at: Callable[[float], Trial], start: Trial, t: float, reach: float, tolerance: float, trials: int
) -> tuple[Trial, int]:
    """The trial that is taken, and how many evaluations it needed.

    at: evaluates a length. start: the trial at 0. t: the first length. reach: the largest component of the direction;
    a bracket shorter than `tolerance` in it is not looked into. trials: how many evaluations there may be.
    """
    previous, trial, count = start, at(t), 1
    while True:  # go on until a minimum must lie behind
        if count > trials:
            bracket = [start, trial]
            break
        if too_high(trial, start) or (count > 2 and trial.value >= previous.value):
            bracket = [previous, trial]
            break
        if abs(trial.slope) <= -FLAT_ENOUGH * start.slope:
            return trial, count
        if trial.slope >= 0:
            bracket = [previous, trial]
            break
        limits = trial.t + 0.01 * (trial.t - previous.t), 10 * trial.t
        previous, trial = trial, at(lowest(previous, trial, limits))
        count += 1
    return zoomed(at, start, bracket, reach, tolerance, trials, count)


def too_high(trial: Trial, start: Trial) -> bool:
    """Whether the value has not fallen as much as the slope at the start promised."""
    return trial.value > start.value + LOW_ENOUGH * trial.t * start.slope


def zoomed(
    at: Callable[[float], Trial],
    start: Trial,
    bracket: list[Trial],
    reach: float,
    tolerance: float,
    trials: int,
    count: int,
) -> tuple[Trial, int]:
    """The best trial found between two that enclose a minimum, and the number of evaluations with it."""
    best, other = sorted(bracket, key=lambda trial: trial.value)
    near_edge = False
    while count <= trials and abs(other.t - best.t) * reach >= tolerance:
        left, right = min(best.t, other.t), max(best.t, other.t)
        t, margin = lowest(best, other), 0.1 * (right - left)
        if min(right - t, t - left) < margin:  # too near to an end to tell much: the second time, step away from it
            if near_edge or not left < t < right:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                near_edge = False
            else:
                near_edge = True
        else:
            near_edge = False
        trial = at(t)
        count += 1
        if too_high(trial, start) or trial.value >= best.value:
            best, other = sorted((best, trial), key=lambda one: one.value)
            continue
        if abs(trial.slope) <= -FLAT_ENOUGH * start.slope:
            return trial, count
        if trial.slope * (other.t - best.t) >= 0:
            other = best
        best = trial
    return best, count


def lowest(a: Trial, b: Trial, limits: tuple[float, float] | None = None) -> float:
    """Where the cubic through two values and slopes has its minimum, within the limits, by default a and b.

    Nocedal, Wright, equation 3.59. Their middle when there is no such place.
    """
    low, high = limits or (min(a.t, b.t), max(a.t, b.t))
    if a.t > b.t:
        a, b = b, a
    middle, width = (low + high) / 2, b.t - a.t
    if width == 0:
        return middle
    bend = a.slope + b.slope + 3 * (a.value - b.value) / width
    square = bend**2 - a.slope * b.slope
    if not square >= 0:
        return middle
    root = math.sqrt(square)
    steepness = b.slope - a.slope + 2 * root
    return min(max(b.t - width * ((b.slope + root - bend) / steepness), low), high) if steepness else middle
