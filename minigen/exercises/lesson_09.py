"""Exercises of lesson 9: optimizers on surfaces."""

import numpy as np

from minigen.exercises.exercise import Exercise


def momentum_step(p: np.ndarray, v: np.ndarray, g: np.ndarray, lr: float, mu: float) -> tuple[np.ndarray, np.ndarray]:
    """One step of descent with momentum: v ← μ v + g, then p ← p - lr v. Gives (p, v), both new.

    p, v, g: the parameters, the velocity so far, and the gradient, of one shape.
    """
    v = mu * v + g
    return p - lr * v, v


def adam_step(
    p: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    g: np.ndarray,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Step t = 1, 2, … of Adam. Gives (p, m, v), all new; m and v as they are kept, not as they are corrected.

    m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g²,
    p ← p - lr m̂ / (√v̂ + ε) with m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ).
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    return p - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps), m, v


def largest_stable_rate(hessian: np.ndarray) -> float:
    """The rate below which gradient descent on f(p) = ½ pᵀ H p shrinks every p, and above which it lets some grow.

    hessian: H (D, D), symmetric, all eigenvalues above 0.
    """
    return float(2 / np.linalg.eigvalsh(hessian).max())


def adam_case(rng: np.random.Generator, size: int, t: int, eps: float = 1e-8) -> tuple[np.ndarray | float | int, ...]:
    """Arguments of adam_step; in step 1 the moments are 0."""
    p, m, g = rng.standard_normal((3, size))
    v = rng.uniform(0.1, 1.0, size)
    return p, m * (t > 1), v * (t > 1), g, t, 0.1, 0.9, 0.99, eps


def curved(rng: np.random.Generator, size: int) -> np.ndarray:
    """A symmetric matrix whose eigenvalues are above 0."""
    a = rng.standard_normal((size, size))
    return a @ a.T + 0.1 * np.eye(size)


def uncorrected(
    p: np.ndarray, m: np.ndarray, v: np.ndarray, g: np.ndarray, t: int, lr: float, b1: float, b2: float, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Adam with the moments as they are."""
    _, m, v = adam_step(p, m, v, g, t, lr, b1, b2, eps)
    return p - lr * m / (np.sqrt(v) + eps), m, v


def eps_inside(
    p: np.ndarray, m: np.ndarray, v: np.ndarray, g: np.ndarray, t: int, lr: float, b1: float, b2: float, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Adam with eps under the root."""
    _, m, v = adam_step(p, m, v, g, t, lr, b1, b2, eps)
    return p - lr * (m / (1 - b1**t)) / np.sqrt(v / (1 - b2**t) + eps), m, v


def corrected_kept(
    p: np.ndarray, m: np.ndarray, v: np.ndarray, g: np.ndarray, t: int, lr: float, b1: float, b2: float, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The right p, with the corrected moments beside it."""
    p, m, v = adam_step(p, m, v, g, t, lr, b1, b2, eps)
    return p, m / (1 - b1**t), v / (1 - b2**t)


def not_squared(
    p: np.ndarray, m: np.ndarray, v: np.ndarray, g: np.ndarray, t: int, lr: float, b1: float, b2: float, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The second moment of |g|."""
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * np.abs(g)
    return p - lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps), m, v


def as_in_step_1(
    p: np.ndarray, m: np.ndarray, v: np.ndarray, g: np.ndarray, t: int, lr: float, b1: float, b2: float, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every step corrects as the first one."""
    _, m, v = adam_step(p, m, v, g, t, lr, b1, b2, eps)
    return p - lr * (m / (1 - b1)) / (np.sqrt(v / (1 - b2)) + eps), m, v


def without_root(
    p: np.ndarray, m: np.ndarray, v: np.ndarray, g: np.ndarray, t: int, lr: float, b1: float, b2: float, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Divided by the mean of g² itself."""
    _, m, v = adam_step(p, m, v, g, t, lr, b1, b2, eps)
    return p - lr * (m / (1 - b1**t)) / (v / (1 - b2**t) + eps), m, v


def shares_swapped(
    p: np.ndarray, m: np.ndarray, v: np.ndarray, g: np.ndarray, t: int, lr: float, b1: float, b2: float, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means that are nearly all of the newest gradient."""
    m, v = (1 - b1) * m + b1 * g, (1 - b2) * v + b2 * g**2
    return p - lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps), m, v


def old_moments(
    p: np.ndarray, m: np.ndarray, v: np.ndarray, g: np.ndarray, t: int, lr: float, b1: float, b2: float, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The step goes along the moments of before."""
    moved = p - lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
    return moved, *adam_step(p, m, v, g, t, lr, b1, b2, eps)[1:]


EXERCISES = [
    Exercise(
        answer=momentum_step,
        cases=lambda rng: [
            (*rng.standard_normal((3, 4)), 0.1, 0.9),
            (*rng.standard_normal((3, 2, 3)), 0.5, 0.5),
            (np.ones(2), np.zeros(2), np.array([1.0, -2.0]), 1.0, 0.9),
            (*rng.standard_normal((3, 1)), 0.1, 0.0),
        ],
        mistakes={
            "the velocity is renewed first, and the parameters then go along the new one": lambda p, v, g, lr, mu: (
                p - lr * v,
                mu * v + g,
            ),
            "here v is a sum that fades, not a mean: g enters whole, without 1 - μ": lambda p, v, g, lr, mu: (
                p - lr * (mu * v + (1 - mu) * g),
                mu * v + (1 - mu) * g,
            ),
            "the rate is applied where the velocity is used; v itself holds gradients": lambda p, v, g, lr, mu: (
                p - (mu * v + lr * g),
                mu * v + lr * g,
            ),
            "a step goes against the gradient: p - lr v": lambda p, v, g, lr, mu: (p + lr * (mu * v + g), mu * v + g),
            "the velocity is renewed, but the parameters go along g alone": lambda p, v, g, lr, mu: (
                p - lr * g,
                mu * v + g,
            ),
            "this velocity holds -lr g; here it holds gradients, and lr stands in the step": lambda p, v, g, lr, mu: (
                p + mu * v - lr * g,
                mu * v - lr * g,
            ),
            "the two are in the wrong order: p comes first": lambda p, v, g, lr, mu: (
                mu * v + g,
                p - lr * (mu * v + g),
            ),
            "this is Nesterov's step, which looks one step ahead": lambda p, v, g, lr, mu: (
                p - lr * (g + mu * (mu * v + g)),
                mu * v + g,
            ),
        },
        hints=(
            "Two lines, in the order of the docstring.",
            "v = mu * v + g makes a new array; the one that was given stays as it is.",
        ),
    ),
    Exercise(
        answer=adam_step,
        cases=lambda rng: [
            adam_case(rng, 3, 1),
            adam_case(rng, 4, 2),
            adam_case(rng, 1, 50, eps=0.1),
            adam_case(rng, 2, 3, eps=1e-3),
        ],
        mistakes={
            "the moments began at 0, which the factors 1 / (1 - βᵗ) correct": uncorrected,
            "eps stands beside the root, not under it": eps_inside,
            "the corrected moments are used, but not kept: m and v go on as they are": corrected_kept,
            "v is the mean of g², not of |g|": not_squared,
            "the corrections are 1 - βᵗ; these are those of step 1, at every t": as_in_step_1,
            "the root is missing: the size of g is √v̂, as v is a mean of squares": without_root,
            "the old mean weighs β, the new gradient 1 - β; here it is the other way round": shares_swapped,
            "the step goes along the new moments, not along those of before": old_moments,
        },
        hints=(
            "Four lines: m, v, and the two corrected ones; then p.",
            "In step 1, from moments of 0, m̂ is g and v̂ is g²: the step is lr times the sign of g.",
        ),
    ),
    Exercise(
        answer=largest_stable_rate,
        cases=lambda rng: [
            (np.array([[25.0]]),),
            (np.diag([1.0, 25.0, 3.0]),),
            (curved(rng, 2),),
            (curved(rng, 4),),
        ],
        mistakes={
            "at 1 / λ one step reaches the minimum; it shrinks up to twice that": lambda h: float(
                1 / np.linalg.eigvalsh(h).max()
            ),
            "the steepest direction sets the limit, not the flattest": lambda h: float(2 / np.linalg.eigvalsh(h).min()),
            "the diagonal holds the curvatures along the axes; the steepest direction may lie between them": lambda h: (
                float(2 / np.diag(h).max())
            ),
            "this is the best rate, at which flattest and steepest shrink alike; the limit is higher": lambda h: float(
                2 / (np.linalg.eigvalsh(h).min() + np.linalg.eigvalsh(h).max())
            ),
            "this is the largest eigenvalue; the limit is 2 divided by it": lambda h: float(
                np.linalg.eigvalsh(h).max()
            ),
            "this norm sums the squares of all entries; the largest eigenvalue counts": lambda h: float(
                2 / np.linalg.norm(h)
            ),
            "the trace is the sum of all eigenvalues; the largest alone counts": lambda h: float(2 / np.trace(h)),
        },
        hints=(
            "Along an eigenvector with eigenvalue λ, a step multiplies by 1 - lr λ.",
            "np.linalg.eigvalsh gives the eigenvalues of a symmetric matrix.",
        ),
    ),
]
