"""One update step of an optimizer as one pass over flat buffers, in place, and the norm of a gradient.

p holds all parameters, g all gradients, the others the optimizer's state: 1-D, contiguous, of one dtype and length.
NumPy would go over memory once for each arithmetic sign. Hyperparameters are worked out in float64 and rounded once.
"""

import math

import numpy as np

from minigen.kernels.compiler.jit import tasks
from minigen.kernels.rows.cuts import STEP_ELEMENTS, runs, span

BLOCK_ELEMENTS = 16384  # elements that are summed on their own


@tasks
def _sgd(run, length, p, g, velocity, lr, momentum, nesterov, decay):
    low, high = span(run, length, p.size)
    if momentum == 0:
        for i in range(low, high):
            p[i] -= lr * (g[i] + decay * p[i])
    else:
        by_g, by_velocity = (p.dtype.type(1), momentum) if nesterov else (p.dtype.type(0), p.dtype.type(1))
        for i in range(low, high):
            d = g[i] + decay * p[i]
            v = momentum * velocity[i] + d
            velocity[i] = v
            p[i] -= lr * (by_g * d + by_velocity * v)


def sgd(
    p: np.ndarray, g: np.ndarray, velocity: np.ndarray, lr: float, momentum: float, nesterov: bool, weight_decay: float
) -> None:
    """velocity = momentum · velocity + g, p -= lr · velocity, where g includes weight_decay · p.

    Nesterov: p -= lr · (g + momentum · velocity). With momentum 0, velocity is not touched and may be empty.
    """
    real = p.dtype.type
    velocity = velocity if momentum else p  # not touched, and of the dtype that the kernel is compiled for
    _sgd(*runs(p.size, p.size, STEP_ELEMENTS), p, g, velocity, real(lr), real(momentum), nesterov, real(weight_decay))


@tasks
def _rmsprop(run, length, p, g, square, velocity, lr, alpha, beta, eps, momentum, decay):
    low, high = span(run, length, p.size)
    for i in range(low, high):
        d = g[i] + decay * p[i]
        square[i] = alpha * square[i] + beta * d * d
    if momentum == 0:
        for i in range(low, high):
            p[i] -= lr * ((g[i] + decay * p[i]) / (np.sqrt(square[i]) + eps))
    else:
        for i in range(low, high):
            v = momentum * velocity[i] + (g[i] + decay * p[i]) / (np.sqrt(square[i]) + eps)
            velocity[i] = v
            p[i] -= lr * v


def rmsprop(
    p: np.ndarray,
    g: np.ndarray,
    square: np.ndarray,
    velocity: np.ndarray,
    lr: float,
    alpha: float,
    eps: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """square = alpha · square + (1 - alpha) · g², p -= lr · g / (√square + eps) (Hinton, Coursera lecture 6e, 2012).

    With momentum: velocity = momentum · velocity + g / (√square + eps), p -= lr · velocity; without, velocity is not
    touched and may be empty.
    """
    real = p.dtype.type
    velocity = velocity if momentum else p  # not touched
    options = lr, alpha, 1 - alpha, eps, momentum, weight_decay
    _rmsprop(*runs(p.size, p.size, STEP_ELEMENTS), p, g, square, velocity, *(real(option) for option in options))


@tasks
def _adagrad(run, length, p, g, square, lr, eps, decay):
    low, high = span(run, length, p.size)
    for i in range(low, high):
        d = g[i] + decay * p[i]
        s = square[i] + d * d
        square[i] = s
        p[i] -= lr * d / (np.sqrt(s) + eps)


def adagrad(p: np.ndarray, g: np.ndarray, square: np.ndarray, lr: float, eps: float, weight_decay: float) -> None:
    """square += g², p -= lr · g / (√square + eps) (Duchi et al., 2011, diagonal form)."""
    real = p.dtype.type
    _adagrad(*runs(p.size, p.size, STEP_ELEMENTS), p, g, square, real(lr), real(eps), real(weight_decay))


@tasks
def _adam(run, length, p, g, m, v, lr, beta1, rest1, beta2, rest2, root, eps, decay, keep):
    low, high = span(run, length, p.size)
    for i in range(low, high):
        d = g[i] + decay * p[i]
        mean = beta1 * m[i] + rest1 * d
        square = beta2 * v[i] + rest2 * d * d
        m[i], v[i] = mean, square
        p[i] = keep * p[i] - lr * mean / (np.sqrt(square) * root + eps)


def adam(
    p: np.ndarray,
    g: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    step: int,
) -> None:
    """m, v: running means of g and g²; p -= lr · m̂ / (√v̂ + eps), with m̂ = m / (1 - beta1^step), v̂ likewise.

    Kingma and Ba, 2015, algorithm 1. Weight decay is added to g, or, decoupled (AdamW: Loshchilov and Hutter, 2019,
    algorithm 2), shrinks p by lr · weight_decay. step counts from 1.
    """
    decay, keep = (0.0, 1 - lr * weight_decay) if decoupled else (weight_decay, 1.0)
    rate, root = lr / (1 - beta1**step), 1 / math.sqrt(1 - beta2**step)
    options = rate, beta1, 1 - beta1, beta2, 1 - beta2, root, eps, decay, keep
    _adam(*runs(p.size, p.size, STEP_ELEMENTS), p, g, m, v, *(p.dtype.type(option) for option in options))


@tasks
def _square_sums(block, g, totals):
    low, high = span(block, BLOCK_ELEMENTS, g.size)
    total = np.float64(0)
    for i in range(low, high):
        v = np.float64(g[i])
        total += v * v
    totals[block] = total


def global_norm(g: np.ndarray) -> float:
    """√ sum of g², in float64 over fixed blocks: the same for any number of threads."""
    totals = np.empty(max(1, -(-g.size // BLOCK_ELEMENTS)), np.float64)
    _square_sums(totals.size, g, totals)
    return math.sqrt(np.add.reduce(totals))
