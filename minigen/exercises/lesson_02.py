"""Exercises of lesson 2: the smallest autograd."""

import numpy as np

import minigen as mg
from minigen.exercises.exercise import Exercise


def tanh_backward(y: np.ndarray, upstream: np.ndarray) -> np.ndarray:
    """∂L/∂x of y = tanh(x), from the result alone: the slope of tanh is 1 - tanh²(x).

    y: the result of the forward pass, any shape. upstream: ∂L/∂y, of that shape.
    """
    return upstream * (1 - y**2)


def sweep(parents: list[tuple[int, ...]], slopes: list[tuple[float, ...]]) -> np.ndarray:
    """The gradient of the last node of a graph in each of its nodes, by one walk from the last to the first.

    parents[k]: the numbers of the nodes that node k was computed from, all smaller than k; () for an input. One may
    stand there twice. slopes[k]: the derivative of node k by each of these parents, in the same order.
    Returns one number for each node: 1 for the last one, and 0 for those that it does not depend on.
    """
    gradients = np.zeros(len(parents))
    gradients[-1] = 1.0
    for k in reversed(range(len(parents))):
        for parent, slope in zip(parents[k], slopes[k], strict=True):
            gradients[parent] += gradients[k] * slope
    return gradients


def log_sum_exp(x: mg.Tensor) -> mg.Tensor:
    """log Σⱼ exp(x[i, j]) for each row of x (N, K), a tensor (N,), made of operations of minigen, so that no backward
    has to be written.

    exp(1000) is infinite, and log_sum_exp([1000, 1000]) is 1000 + log 2 all the same: take the row's largest element
    m out of the sum, log Σ exp(x) = m + log Σ exp(x - m). mg.exp and mg.log act on each element; mg.max and mg.sum
    take axis= and keepdims=.
    """
    m = mg.max(x, axis=1, keepdims=True)
    return mg.squeeze(m, 1) + mg.log(mg.sum(mg.exp(x - m), axis=1))


def overwritten(parents: list[tuple[int, ...]], slopes: list[tuple[float, ...]]) -> np.ndarray:
    """A later contribution takes the place of the earlier ones."""
    gradients = np.zeros(len(parents))
    gradients[-1] = 1.0
    for k in reversed(range(len(parents))):
        for parent, slope in zip(parents[k], slopes[k], strict=True):
            gradients[parent] = gradients[k] * slope
    return gradients


def first_to_last(parents: list[tuple[int, ...]], slopes: list[tuple[float, ...]]) -> np.ndarray:
    """The nodes in the order in which they were made."""
    gradients = np.zeros(len(parents))
    gradients[-1] = 1.0
    for k in range(len(parents)):
        for parent, slope in zip(parents[k], slopes[k], strict=True):
            gradients[parent] += gradients[k] * slope
    return gradients


def without_upstream(parents: list[tuple[int, ...]], slopes: list[tuple[float, ...]]) -> np.ndarray:
    """The slopes alone are added up."""
    gradients = np.zeros(len(parents))
    gradients[-1] = 1.0
    for k in reversed(range(len(parents))):
        for parent, slope in zip(parents[k], slopes[k], strict=True):
            gradients[parent] += slope
    return gradients


def one_for_each_parent(parents: list[tuple[int, ...]], slopes: list[tuple[float, ...]]) -> np.ndarray:
    """A parent that stands there twice counts once."""
    pairs = [dict(zip(ks, ds, strict=True)) for ks, ds in zip(parents, slopes, strict=True)]
    return sweep([tuple(pair) for pair in pairs], [tuple(pair.values()) for pair in pairs])


def largest_of_all(x: mg.Tensor) -> mg.Tensor:
    """One m for the whole matrix: rows far below it vanish."""
    m = mg.max(x)
    return m + mg.log(mg.sum(mg.exp(x - m), axis=1))


def matrix_of_rows(x: mg.Tensor) -> mg.Tensor:
    """m keeps its axis, and the two shapes broadcast."""
    m = mg.max(x, axis=1, keepdims=True)
    return m + mg.log(mg.sum(mg.exp(x - m), axis=1))


def constant_sum(x: mg.Tensor) -> mg.Tensor:
    """The sum is no part of the graph."""
    m = mg.max(x, axis=1, keepdims=True)
    return mg.squeeze(m, 1) + mg.log(mg.sum(mg.exp(x - m), axis=1)).detach()


GRAPHS = [
    ([(), (), (0, 1)], [(), (), (3.0, 2.0)]),  # a product
    ([(), (0, 0)], [(), (1.0, 1.0)]),  # x + x
    ([(), (0,), (0,), (1, 2), (3, 0)], [(), (2.0,), (-1.0,), (0.5, 4.0), (1.5, -3.0)]),  # paths that part and meet
    ([(), (0,), (), (2, 0), (3,)], [(), (7.0,), (), (2.0, -1.0), (0.1,)]),  # node 1 leads nowhere
]


EXERCISES = [
    Exercise(
        answer=tanh_backward,
        cases=lambda rng: [
            (np.tanh(rng.standard_normal(3)), rng.standard_normal(3)),
            (np.tanh(rng.standard_normal((2, 1, 2))), rng.standard_normal((2, 1, 2))),
            (np.array([0.0, 1.0, -1.0]), np.array([2.0, 3.0, 4.0])),
        ],
        mistakes={
            "y is tanh(x) already; tanh is applied to it once more": lambda y, upstream: (
                upstream * (1 - np.tanh(y) ** 2)
            ),
            "this is the slope of tanh; multiply it by the gradient from upstream": lambda y, upstream: 1 - y**2,
            "this is the slope of σ, y (1 - y)": lambda y, upstream: upstream * y * (1 - y),
        },
        hints=("Write the slope with y in the place of tanh(x).", "Along a path, multiply: by what?"),
    ),
    Exercise(
        answer=sweep,
        cases=lambda rng: list(GRAPHS),
        mistakes={
            "where paths meet, gradients add up; here the last one takes the place of the others": overwritten,
            "walk from the last node to the first: a gradient is passed on here before it is complete": first_to_last,
            "a node that is used twice by the same node, as in x + x, gets two contributions": one_for_each_parent,
            "along a path slopes multiply: a parent gets gradients[k] times the slope, not the slope": without_upstream,
            "the gradient of the last node in itself is 1; beginning at 0, nothing flows": lambda parents, slopes: (
                np.zeros(len(parents))
            ),
        },
        hints=(
            "Let every gradient begin at 0, but that of the last node. What is that one?",
            "For k from the last to the first: add gradients[k] · slope to the gradient of each parent.",
        ),
    ),
    Exercise(
        answer=log_sum_exp,
        cases=lambda rng: [
            (mg.tensor(rng.standard_normal((3, 4)), requires_grad=True),),
            (mg.tensor(np.array([[1000.0, 999.0], [-1000.0, -1001.0]]), requires_grad=True),),
            (mg.tensor(rng.standard_normal((2, 1)), requires_grad=True),),
        ],
        mistakes={
            "exp overflows at 1000: take the largest element of each row out of the sum": lambda x: mg.log(
                mg.sum(mg.exp(x), axis=1)
            ),
            "m was taken out of the sum, and has to be added again": lambda x: mg.log(
                mg.sum(mg.exp(x - mg.max(x, axis=1, keepdims=True)), axis=1)
            ),
            "each row needs its own m: with one for all, every exp of a low row is 0": largest_of_all,
            "m (N, 1) plus a sum (N,) is broadcast to (N, N): take the axis off m by mg.squeeze(m, 1)": matrix_of_rows,
            "a part is detached, or made an array, on the way: no gradient flows through it": constant_sum,
        },
        hints=(
            "With keepdims=True the largest elements have shape (N, 1), and x - m fits.",
            "At the end, mg.squeeze(m, 1) has the shape (N,) of the sum.",
        ),
        gradcheck=True,
    ),
]
