"""Exercises of lesson 5: broadcasting."""

import numpy as np

from minigen.exercises.exercise import Exercise


def unbroadcast(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The adjoint of repeating an array of that shape to g.shape: g, summed over what was repeated, of that shape.

    <broadcast(b), g> = <b, unbroadcast(g)> for every b of that shape.
    """
    new = g.ndim - len(shape)
    ones = tuple(i + new for i, n in enumerate(shape) if n == 1)
    return g.sum(axis=(*range(new), *ones)).reshape(shape)


def center_backward(gy: np.ndarray) -> np.ndarray:
    """∂L/∂x of y = x - x.mean(axis=1, keepdims=True), each row of x (N, D) minus its mean, given gy = ∂L/∂y.

    An element of x acts on y on two paths: on its own place, and through the mean on the whole row.
    """
    return gy - gy.mean(axis=1, keepdims=True)


def scale_and_shift_backward(
    x: np.ndarray, gamma: np.ndarray, gy: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients (gx, ggamma, gbeta) of y = gamma x + beta, given gy = ∂L/∂y.

    x, gy: images (N, H, W, C); gamma, beta: (C,), one number for each channel.
    """
    return gy * gamma, (gy * x).sum(axis=(0, 1, 2)), gy.sum(axis=(0, 1, 2))


def mean_of_copies(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The mean over copies."""
    new = g.ndim - len(shape)
    ones = tuple(i + new for i, n in enumerate(shape) if n == 1)
    return g.mean(axis=(*range(new), *ones)).reshape(shape)


def one_copy(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The gradient of the first copy alone."""
    first = g[(0,) * (g.ndim - len(shape))]
    return first[tuple(slice(0, n) for n in shape)]


def only_new_axes(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A sum over the axes that are missing in front, and none of length 1."""
    return g.sum(axis=tuple(range(g.ndim - len(shape))))


def without_ones(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The right sums, of which axes of length 1 are dropped."""
    return unbroadcast(g, shape).reshape([n for n in shape if n != 1])


def without_shift(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Axes of length 1 by their place in the shape, not in g."""
    ones = tuple(i for i, n in enumerate(shape) if n == 1)
    return g.sum(axis=tuple({*range(g.ndim - len(shape)), *ones})).reshape(shape)


EXERCISES = [
    Exercise(
        answer=unbroadcast,
        cases=lambda rng: [
            (rng.standard_normal((4, 3)), (3,)),
            (rng.standard_normal((4, 3)), (4, 1)),
            (rng.standard_normal((2, 3)), ()),
            (rng.standard_normal((5, 2, 3, 4)), (1, 3, 1)),
            (rng.standard_normal((3, 3)), (3, 3)),
        ],
        mistakes={
            "this is the mean over the copies; each of them adds to the gradient, so it is the sum": mean_of_copies,
            "this is the gradient of one copy; the others were used, too": one_copy,
            "axes of length 1 were repeated as well, and are summed with keepdims=True": only_new_axes,
            "axes of length 1 stay in the shape; sum them with keepdims=True": without_ones,
            "an axis of the shape stands further behind in g, by as many axes as are missing in front": without_shift,
        },
        hints=(
            "Which axes of g are not in `shape` at all? They are the first ones. Which are there with a length of 1?",
            "g.sum(axis=(0, 1)) sums over several axes; a sum over axis=() changes nothing.",
        ),
    ),
    Exercise(
        answer=center_backward,
        cases=lambda rng: [
            (rng.standard_normal((2, 3)),),
            (rng.standard_normal((3, 3)),),
            (rng.standard_normal((1, 4)),),
            (rng.standard_normal((3, 1)),),
        ],
        mistakes={
            "the path through the mean is missing: every element of x moves the mean of its row": lambda gy: gy,
            "this is the path through the mean; each element acts on its own place as well": lambda gy: (
                -np.broadcast_to(gy.mean(axis=1, keepdims=True), gy.shape)
            ),
            "an element moves the mean by 1 / D only: divide the sum of the row by D": lambda gy: (
                gy - gy.sum(axis=1, keepdims=True)
            ),
            "the mean has to stand as a column: keepdims=True": lambda gy: gy - gy.mean(axis=1),
            "rows have means of their own: axis=1": lambda gy: gy - gy.mean(axis=0, keepdims=True),
            "rows have means of their own; this is the mean of everything": lambda gy: gy - gy.mean(),
            "x is subtracted with a minus, so that the path through the mean has one, too": lambda gy: (
                gy + gy.mean(axis=1, keepdims=True)
            ),
        },
        hints=(
            "How much does y[n, e] change when x[n, d] changes by 1? There are two cases, e = d and e ≠ d.",
            "∂L/∂x[n, d] = gy[n, d] - Σₑ gy[n, e] / D: the sum undoes the repeating, and 1 / D is from the mean.",
        ),
    ),
    Exercise(
        answer=scale_and_shift_backward,
        cases=lambda rng: [
            (rng.standard_normal((2, 3, 4, 5)), rng.standard_normal(5), rng.standard_normal((2, 3, 4, 5))),
            (rng.standard_normal((1, 1, 3, 1)), rng.standard_normal(1), rng.standard_normal((1, 1, 3, 1))),
            (rng.standard_normal((3, 3, 3, 3)), rng.standard_normal(3), rng.standard_normal((3, 3, 3, 3))),
        ],
        mistakes={
            "gamma and beta are shared by all places, too: sum over N, H and W": lambda x, gamma, gy: (
                gy * gamma,
                (gy * x).sum(0),
                gy.sum(0),
            ),
            "gamma and beta have a number for each channel, the last axis: sum over N, H and W": lambda x, gamma, gy: (
                gy * gamma,
                (gy * x).sum((1, 2, 3)),
                gy.sum((1, 2, 3)),
            ),
            "ggamma and gbeta are (C,): sum without keepdims": lambda x, gamma, gy: (
                gy * gamma,
                (gy * x).sum((0, 1, 2), keepdims=True),
                gy.sum((0, 1, 2), keepdims=True),
            ),
            "ggamma and gbeta have the shape of a whole batch: sum them to (C,)": lambda x, gamma, gy: (
                gy * gamma,
                gy * x,
                gy,
            ),
            "ggamma and gbeta are in the wrong order": lambda x, gamma, gy: (
                gy * gamma,
                gy.sum((0, 1, 2)),
                (gy * x).sum((0, 1, 2)),
            ),
            "sums, not means: each place adds to the gradient": lambda x, gamma, gy: (
                gy * gamma,
                (gy * x).mean((0, 1, 2)),
                gy.mean((0, 1, 2)),
            ),
            "gx lacks its factor: y changes by gamma when x changes by 1": lambda x, gamma, gy: (
                gy,
                (gy * x).sum((0, 1, 2)),
                gy.sum((0, 1, 2)),
            ),
            "sum the product of gy and x, not the product of the sums": lambda x, gamma, gy: (
                gy * gamma,
                gy.sum((0, 1, 2)) * x.sum((0, 1, 2)),
                gy.sum((0, 1, 2)),
            ),
        },
        hints=(
            "Take all shapes as equal, and differentiate: gx = gy gamma, ggamma = gy x, gbeta = gy.",
            "Then sum each to the shape of what it is the gradient of.",
        ),
    ),
]
