"""Exercises of lesson 19: Winograd."""

import numpy as np

from minigen.exercises.exercise import Exercise


def f23(d: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Two outputs (2,) of three taps g (3,) over four numbers d (4,), by four multiplications.

    m₁ = (d₀ - d₂) g₀, m₂ = (d₁ + d₂) (g₀ + g₁ + g₂) / 2, m₃ = (d₂ - d₁) (g₀ - g₁ + g₂) / 2, m₄ = (d₁ - d₃) g₂;
    combine them to y₀ = d₀ g₀ + d₁ g₁ + d₂ g₂ and y₁ = d₁ g₀ + d₂ g₁ + d₃ g₂.
    """
    m1, m4 = (d[0] - d[2]) * g[0], (d[1] - d[3]) * g[2]
    m2 = (d[1] + d[2]) * ((g[0] + g[1] + g[2]) / 2)
    m3 = (d[2] - d[1]) * ((g[0] - g[1] + g[2]) / 2)
    return np.array([m1 + m2 + m3, m2 - m3 - m4])


def values_at(points: np.ndarray, count: int) -> np.ndarray:
    """The matrix (points + 1, count) from the coefficients of a polynomial, the constant first, to its values.

    Row i is 1, xᵢ, xᵢ², …; one more row, the last, is for infinity: there the value is the highest coefficient.
    """
    infinity = np.zeros((1, count))
    infinity[0, -1] = 1
    return np.concatenate([points[:, None] ** np.arange(count), infinity])


def weight_gradient(tile: np.ndarray, gy: np.ndarray, a: np.ndarray, g: np.ndarray, bt: np.ndarray) -> np.ndarray:
    """The gradient (r, r) of the weights of F(m × m, r × r), from one tile: Gᵀ ((Bᵀ tile B) ⊙ (A gy Aᵀ)) G.

    tile: the inputs, (n, n). gy: the gradient of the outputs, (m, m). a (n, m), g (n, r), bt (n, n): A, G and Bᵀ.
    """
    return g.T @ ((bt @ tile @ bt.T) * (a @ gy @ a.T)) @ g


def without_halves(d: np.ndarray, g: np.ndarray) -> np.ndarray:
    """m2 and m3 are twice too large."""
    first, second = (d[1] + d[2]) * (g[0] + g[1] + g[2]), (d[2] - d[1]) * (g[0] - g[1] + g[2])
    return np.array([(d[0] - d[2]) * g[0] + first + second, first - second - (d[1] - d[3]) * g[2]])


def matrices(m: int, r: int, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A, G and Bᵀ of minimal filtering F(m, r)."""
    return values_at(points, m), values_at(points, r), np.linalg.inv(values_at(points, m + r - 1)).T


def inputs_for_a_gradient(rng: np.random.Generator, m: int, r: int, points: list[float]) -> tuple[np.ndarray, ...]:
    """A case of `weight_gradient`."""
    n = m + r - 1
    return rng.standard_normal((n, n)), rng.standard_normal((m, m)), *matrices(m, r, np.array(points))


EXERCISES = [
    Exercise(
        answer=f23,
        cases=lambda rng: [
            (rng.standard_normal(4), rng.standard_normal(3)),
            (np.arange(4.0), np.array([1.0, 0.0, 0.0])),
            (np.ones(4), np.array([1.0, -2.0, 5.0])),
        ],
        mistakes={
            "m₂ and m₃ are halves": without_halves,
            "m₄ is taken off y₁, not added to it": lambda d, g: f23(d, g) + np.array([0, 2 * (d[1] - d[3]) * g[2]]),
            "the taps are turned round: a filter begins with g₀, where a product of polynomials ends": lambda d, g: f23(
                d, g[::-1]
            ),
            "m₃ is taken off y₁, not added to it": lambda d, g: (
                f23(d, g) + np.array([0, (d[2] - d[1]) * (g[0] - g[1] + g[2])])
            ),
        },
        hints=(
            "What has m₁ that y₀ has not? d₂ g₀ with a minus; m₂ and m₃ have half of it each.",
            "Write out m₂ + m₃ and m₂ - m₃.",
        ),
    ),
    Exercise(
        answer=values_at,
        cases=lambda rng: [
            (np.array([0.0, 1.0, -1.0]), 4),
            (np.array([0.0, 1.0, -1.0]), 2),
            (np.array([0.0, 0.75, -0.75, 1.5, -1.5]), 3),
            (np.array([2.0]), 1),
        ],
        mistakes={
            "infinity has a row, too": lambda points, count: values_at(points, count)[:-1],
            "at infinity the highest coefficient decides, not the constant": lambda points, count: np.concatenate(
                [values_at(points, count)[:-1], np.eye(1, count)]
            ),
            "the constant comes first: the powers rise from left to right": lambda points, count: values_at(
                points, count
            )[:, ::-1],
            "infinity comes last": lambda points, count: np.roll(values_at(points, count), 1, axis=0),
        },
        hints=("points[:, None] ** np.arange(count) has all powers of all points.", "The last row is 0, …, 0, 1."),
    ),
    Exercise(
        answer=weight_gradient,
        cases=lambda rng: [
            inputs_for_a_gradient(rng, 2, 3, [0, 1, -1]),
            inputs_for_a_gradient(rng, 4, 3, [0, 0.75, -0.75, 1.5, -1.5]),
            inputs_for_a_gradient(rng, 3, 2, [0, 1, -1]),
        ],
        mistakes={
            "⊙ multiplies number by number, it is no product of matrices": lambda tile, gy, a, g, bt: (
                g.T @ ((bt @ tile @ bt.T) @ (a @ gy @ a.T)) @ g
            ),
            "B is applied to rows alone; the tile has columns, too": lambda tile, gy, a, g, bt: (
                g.T @ ((bt @ tile) * (a @ gy @ a.T)) @ g
            ),
            "the tile is mapped by Bᵀ, not by B": lambda tile, gy, a, g, bt: (
                g.T @ ((bt.T @ tile @ bt) * (a @ gy @ a.T)) @ g
            ),
            "the result comes out transposed": lambda tile, gy, a, g, bt: weight_gradient(tile, gy, a, g, bt).T,
        },
        hints=(
            "Along both axes: M x becomes M X Mᵀ.",
            "The shapes: n × n from the tile, n × n from gy, and Gᵀ … G leaves r × r.",
        ),
    ),
]
