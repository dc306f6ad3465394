"""Exercises of lesson 1: a derivative by hand."""

import math

import numpy as np

from minigen.exercises.exercise import Exercise


def neuron_gradient(w: float, b: float, x: float, y: float) -> tuple[float, float]:
    """∂L/∂w and ∂L/∂b of one neuron, whose loss is L = (tanh(w x + b) - y)².

    The derivative of tanh(z) is 1 - tanh²(z).
    """
    p = math.tanh(w * x + b)
    dz = 2 * (p - y) * (1 - p**2)
    return dz * x, dz


def two_paths(x: np.ndarray) -> np.ndarray:
    """The derivative of f(x) = x exp(-x²) at each element of x. x acts on f on two paths: as it is, and through exp."""
    return np.exp(-(x**2)) - 2 * x**2 * np.exp(-(x**2))


def product_backward(x: np.ndarray, w: np.ndarray, upstream: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """∂L/∂x and ∂L/∂w of y = x w, a product of matrices: y[n, m] = Σₖ x[n, k] w[k, m].

    x (N, K); w (K, M); upstream (N, M) is ∂L/∂y. Each gradient has the shape of its matrix.
    """
    return upstream @ w.T, x.T @ upstream


def chain(w: float, b: float, x: float, y: float, dp: float, slope: float) -> tuple[float, float]:
    """∂L/∂w and ∂L/∂b, given ∂L/∂p, as a multiple of (p - y), and dp/dz."""
    dz = dp * (math.tanh(w * x + b) - y) * slope
    return dz * x, dz


def slope_at(z: float) -> float:
    """The derivative of tanh at z."""
    return 1 - math.tanh(z) ** 2


def swapped(x: np.ndarray, w: np.ndarray, upstream: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both gradients, in the other order."""
    return x.T @ upstream, upstream @ w.T


EXERCISES = [
    Exercise(
        answer=neuron_gradient,
        cases=lambda rng: [(0.5, -0.2, 1.5, 1.0), (-1.0, 0.3, 2.0, 0.0), (0.1, 0.0, -3.0, 1.0), (2.0, 1.0, 0.0, 0.0)],
        mistakes={
            "the slope of tanh is missing: dp/dz = 1 - p²": lambda w, b, x, y: chain(w, b, x, y, 2, 1),
            "the square has the derivative 2 (p - y): the 2 is missing": lambda w, b, x, y: chain(
                w, b, x, y, 1, slope_at(w * x + b)
            ),
            "the sign is wrong: the derivative of (p - y)² by p is 2 (p - y), not 2 (y - p)": lambda w, b, x, y: chain(
                w, b, x, y, -2, slope_at(w * x + b)
            ),
            "the slope of tanh is 1 - p², where p = tanh(z) already; tanh is applied to p again here": (
                lambda w, b, x, y: chain(w, b, x, y, 2, slope_at(math.tanh(w * x + b)))
            ),
            "p (1 - p) is the slope of σ; that of tanh is 1 - p²": lambda w, b, x, y: chain(
                w, b, x, y, 2, math.tanh(w * x + b) * (1 - math.tanh(w * x + b))
            ),
            "the slope of tanh at z is 1 - tanh²(z), not 1 - z²": lambda w, b, x, y: chain(
                w, b, x, y, 2, 1 - (w * x + b) ** 2
            ),
            "z changes by x when w changes by 1: the factor x is missing in ∂L/∂w": lambda w, b, x, y: (
                neuron_gradient(w, b, x, y)[1],
                neuron_gradient(w, b, x, y)[1],
            ),
            "z changes by x when w changes by 1: the factor in ∂L/∂w is x, not w": lambda w, b, x, y: (
                neuron_gradient(w, b, x, y)[1] * w,
                neuron_gradient(w, b, x, y)[1],
            ),
            "the two are in the wrong order: ∂L/∂w comes first": lambda w, b, x, y: neuron_gradient(w, b, x, y)[::-1],
        },
        hints=(
            "Name the steps: z = w x + b, then p = tanh(z), then L. What is the derivative of each by the one before?",
            "dL/dz = 2 (p - y) · (1 - p²); w and b act on z alone.",
        ),
    ),
    Exercise(
        answer=two_paths,
        cases=lambda rng: [(rng.standard_normal(4),), (rng.standard_normal((2, 3)),), (np.array([0.0, 0.5, -2.0]),)],
        mistakes={
            "this is one path; x acts through exp(-x²) as well": lambda x: np.exp(-(x**2)),
            "this is the path through exp(-x²) alone": lambda x: -2 * x**2 * np.exp(-(x**2)),
            "the derivative of a product is not the product of the derivatives": lambda x: -2 * x * np.exp(-(x**2)),
            "along a path, multiply: the derivative of exp(-x²) is exp(-x²) · (-2x)": lambda x: (
                (1 + x) * np.exp(-(x**2))
            ),
            "the derivative of -x² is -2x, with a minus": lambda x: (1 + 2 * x**2) * np.exp(-(x**2)),
            "in the path through exp(-x²), the factor x that stands before it is missing": lambda x: (
                (1 - 2 * x) * np.exp(-(x**2))
            ),
        },
        hints=(
            "Hold exp(-x²) fixed and differentiate; then hold the x before it fixed. What becomes of the two?",
            "f = u v with u = x and v = exp(-x²): df/dx = v du/dx + u dv/dx, and dv/dx is a chain of two steps.",
        ),
    ),
    Exercise(
        answer=product_backward,
        cases=lambda rng: [
            (rng.standard_normal((2, 3)), rng.standard_normal((3, 4)), rng.standard_normal((2, 4))),
            (rng.standard_normal((5, 1)), rng.standard_normal((1, 2)), rng.standard_normal((5, 2))),
            (rng.standard_normal((2, 2)), rng.standard_normal((2, 2)), rng.standard_normal((2, 2))),
        ],
        mistakes={
            "the two gradients are in the wrong order: that of x comes first": swapped,
            "the gradient of w is a sum over the rows of the batch, not their mean": lambda x, w, upstream: (
                upstream @ w.T,
                x.T @ upstream / len(x),
            ),
            "this is right for an upstream of ones only: the gradient from above is not used": lambda x, w, upstream: (
                np.ones_like(upstream) @ w.T,
                x.T @ np.ones_like(upstream),
            ),
        },
        hints=(
            "Which y[n, m] does one x[n, k] act on, and how strongly? Sum over them.",
            "∂L/∂x[n, k] = Σₘ upstream[n, m] w[k, m], which is a product of matrices; the shapes say which one.",
        ),
    ),
]
