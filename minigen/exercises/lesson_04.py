"""Exercises of lesson 4: checking a gradient."""

import numpy as np

from minigen.exercises.exercise import Exercise


def numeric_gradient(x: np.ndarray, h: float) -> np.ndarray:
    """The gradient of f(x) = log Σᵢ exp(xᵢ), the sum over all elements, by central differences of step h.

    x: any shape; the result has that shape. Element i is (f(x + h eᵢ) - f(x - h eᵢ)) / 2h, where only element i moves.
    f is called on copies of x, or on x itself if every element is put back.
    """
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[i] += h
        below[i] -= h
        gradient[i] = (np.log(np.exp(above).sum()) - np.log(np.exp(below).sum())) / (2 * h)
    return gradient


def relative_error(analytic: np.ndarray, numeric: np.ndarray) -> np.ndarray:
    """How far two gradients of one shape are apart, element by element: |a - n| / max(|a|, |n|).

    Where both are 0 they agree, and the error is 0.
    """
    difference, size = np.abs(analytic - numeric), np.maximum(np.abs(analytic), np.abs(numeric))
    return difference / np.where(size == 0, 1.0, size)


def best_step(value: float, second: float, epsilon: float) -> float:
    """The step h at which error(h) = h |f''| / 2 + 2 ε |f| / h is least: that of the one-sided quotient.

    The first term is truncation; in the second, the two values f(x + h) and f(x) are wrong by ε |f| each.
    value: f(x); second: f''(x), not 0; both may be negative. epsilon: ε, the relative rounding error of one value.
    """
    return 2 * (epsilon * abs(value) / abs(second)) ** 0.5


def one_sided(x: np.ndarray, h: float) -> np.ndarray:
    """The quotient with f(x) in the place of f(x - h)."""
    moved = x[None] + h * np.eye(x.size).reshape(x.size, *x.shape)
    values = np.log(np.exp(moved).reshape(x.size, -1).sum(1))
    return ((values - np.log(np.exp(x).sum())) / h).reshape(x.shape)


def whole_rows(x: np.ndarray, h: float) -> np.ndarray:
    """The first index alone: x[i] is a row when x has two axes."""
    gradient = np.zeros(x.shape)
    for i in range(len(x)):
        above, below = x.copy(), x.copy()
        above[i] += h
        below[i] -= h
        gradient[i] = (np.log(np.exp(above).sum()) - np.log(np.exp(below).sum())) / (2 * h)
    return gradient


def never_put_back(x: np.ndarray, h: float) -> np.ndarray:
    """Elements that were moved stay at x - h."""
    gradient, moved = np.zeros(x.shape), x.copy()
    for i in np.ndindex(x.shape):
        moved[i] += h
        above = np.log(np.exp(moved).sum())
        moved[i] -= 2 * h
        gradient[i] = (above - np.log(np.exp(moved).sum())) / (2 * h)
    return gradient


EXERCISES = [
    Exercise(
        answer=numeric_gradient,
        cases=lambda rng: [
            (rng.standard_normal(3), 0.1),
            (rng.standard_normal((2, 3)), 0.01),
            (rng.standard_normal((1, 1, 4)), 0.3),
            (np.array([0.5]), 0.1),
        ],
        mistakes={
            "this is the one-sided quotient, (f(x + h) - f(x)) / h; move to both sides": one_sided,
            "the points are 2h apart, so the difference is divided by 2h, not by h": lambda x, h: (
                2 * numeric_gradient(x, h)
            ),
            "an element that was moved is not put back: the next ones are measured at another point": never_put_back,
            "all elements move at once, which gives the slope along (1, …, 1); move one at a time": lambda x, h: (
                np.ones(x.shape)
            ),
            "x[i] is a whole row where x has more than one axis; move one number: np.ndindex(x.shape)": whole_rows,
            "the two points are one: a name is not a copy; above, below = x.copy(), x.copy()": lambda x, h: np.zeros(
                x.shape
            ),
            "/ 2 * h divides by 2 and multiplies by h; write / (2 * h)": lambda x, h: numeric_gradient(x, h) * h**2,
            "this is the exact gradient, the softmax of x; approach it by differences": lambda x, h: (
                np.exp(x) / np.exp(x).sum()
            ),
        },
        hints=(
            "np.ndindex(x.shape) runs over the places of an array of any shape, and x[i] is one number.",
            "Two copies for each element: one has x[i] + h there, the other x[i] - h. All else stays.",
        ),
    ),
    Exercise(
        answer=relative_error,
        cases=lambda rng: [
            (rng.standard_normal(4), rng.standard_normal(4)),
            (np.array([[1e-6, -2e3, 3.0]]), np.array([[2e-6, -1e3, -3.0]])),
            (np.array([0.0, 0.0, 2.0]), np.array([0.0, 1.0, 0.0])),
        ],
        mistakes={
            "this is the absolute error; divide by the larger of |a| and |n|": lambda a, n: np.abs(a - n),
            "the sign of the difference is kept; errors in both directions count": lambda a, n: (
                (a - n) / np.where((a == 0) & (n == 0), 1.0, np.maximum(np.abs(a), np.abs(n)))
            ),
            "the larger of a and n is not that of |a| and |n|: negative numbers are large, too": lambda a, n: (
                np.abs(a - n) / np.where(np.maximum(a, n) == 0, 1.0, np.maximum(a, n))
            ),
            "it is divided by |a| + |n|, which is up to twice the larger one": lambda a, n: (
                np.abs(a - n) / np.where((a == 0) & (n == 0), 1.0, np.abs(a) + np.abs(n))
            ),
            "0 / 0 is NaN: where both gradients are 0, the error is 0": lambda a, n: (
                np.abs(a - n) / np.maximum(np.abs(a), np.abs(n))
            ),
            "it is divided by |n| alone; either may be the wrong one: by the larger of |a| and |n|": lambda a, n: (
                np.abs(a - n) / np.abs(n)
            ),
            "what is added to the size makes every error smaller; treat both 0 as a case of its own": lambda a, n: (
                np.abs(a - n) / (np.maximum(np.abs(a), np.abs(n)) + 1e-8)
            ),
        },
        hints=(
            "np.maximum compares element by element.",
            "Where both are 0, the difference is 0 as well: divide it by anything but 0, as np.where can arrange.",
        ),
    ),
    Exercise(
        answer=best_step,
        cases=lambda rng: [
            (2.0, 3.0, 1e-3),
            (-0.5, 4.0, 1e-6),
            (1.0, -7.0, 2.0**-24),
            (float(np.exp(1.0)), 0.5, 0.02),
        ],
        mistakes={
            "this is the step of the central difference; here truncation grows with h, not with h²": lambda v, s, e: (
                (3 * e * abs(v) / abs(s)) ** (1 / 3)
            ),
            "f and its second derivative may be negative: take their magnitudes": lambda v, s, e: (
                2 * (e * v / s) ** 0.5
            ),
            "the factor 2 is lost: |f''| / 2 = 2 ε |f| / h², where the derivative of the error is 0": lambda v, s, e: (
                (e * abs(v) / abs(s)) ** 0.5
            ),
            "one 2 is lost: two values are rounded, so that the second term is 2 ε |f| / h": lambda v, s, e: (
                (2 * e * abs(v) / abs(s)) ** 0.5
            ),
            "the square root is missing: this is h², not h": lambda v, s, e: 4 * e * abs(v) / abs(s),
        },
        hints=(
            "Where the error is least, its derivative by h is 0. What is that derivative?",
            "|f''| / 2 - 2 ε |f| / h² = 0; solve it for h.",
        ),
    ),
]
