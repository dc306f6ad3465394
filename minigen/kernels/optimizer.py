"""One update step of an optimizer as one pass over flat buffers, in place, and the norm of a gradient.

p holds all parameters, g all gradients, the others the optimizer's state: 1-D, contiguous, of one dtype and length.
NumPy would go over memory once for each arithmetic sign. Hyperparameters are worked out in float64 and rounded once.
SGD and Adam have a parallel form; the rarer ones are not worth its compile time.
"""

import math

import numpy as np
from numba import prange

from minigen.kernels.jit import jit

BLOCK = 16384
SERIAL = 2 * BLOCK  # up to this size one thread is faster


@jit
def _sgd(p, g, velocity, lr, momentum, nesterov, decay):
    if momentum == 0:
        for i in range(p.size):
            p[i] -= lr * (g[i] + decay * p[i])
    else:
        by_g, by_velocity = (p.dtype.type(1), momentum) if nesterov else (p.dtype.type(0), p.dtype.type(1))
        for i in range(p.size):
            d = g[i] + decay * p[i]
            v = momentum * velocity[i] + d
            velocity[i] = v
            p[i] -= lr * (by_g * d + by_velocity * v)


@jit(parallel=True)
def _sgd_blocks(p, g, velocity, lr, momentum, nesterov, decay):
    for block in prange((p.size + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, (block + 1) * BLOCK)
        _sgd(p[part], g[part], velocity[part], lr, momentum, nesterov, decay)


def sgd(
    p: np.ndarray, g: np.ndarray, velocity: np.ndarray, lr: float, momentum: float, nesterov: bool, weight_decay: float
) -> None:
    """velocity = momentum · velocity + g, p -= lr · velocity, where g includes weight_decay · p.

    Nesterov: p -= lr · (g + momentum · velocity). With momentum 0, velocity is not touched and may be empty.
    """
    real = p.dtype.type
    step = _sgd if p.size <= SERIAL else _sgd_blocks
    velocity = velocity if momentum else p  # not touched, and of the dtype that the kernel is compiled for
    step(p, g, velocity, real(lr), real(momentum), nesterov, real(weight_decay))


@jit
def _rmsprop(p, g, square, velocity, lr, alpha, beta, eps, momentum, decay):
    for i in range(p.size):
        d = g[i] + decay * p[i]
        square[i] = alpha * square[i] + beta * d * d
    if momentum == 0:
        for i in range(p.size):
            p[i] -= lr * ((g[i] + decay * p[i]) / (np.sqrt(square[i]) + eps))
    else:
        for i in range(p.size):
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
    _rmsprop(p, g, square, velocity, *(real(option) for option in options))


@jit
def _adagrad(p, g, square, lr, eps, decay):
    for i in range(p.size):
        d = g[i] + decay * p[i]
        s = square[i] + d * d
        square[i] = s
        p[i] -= lr * d / (np.sqrt(s) + eps)


def adagrad(p: np.ndarray, g: np.ndarray, square: np.ndarray, lr: float, eps: float, weight_decay: float) -> None:
    """square += g², p -= lr · g / (√square + eps) (Duchi et al., 2011, diagonal form)."""
    real = p.dtype.type
    _adagrad(p, g, square, real(lr), real(eps), real(weight_decay))


@jit
def _adam(p, g, m, v, lr, beta1, rest1, beta2, rest2, root, eps, decay, keep):
    for i in range(p.size):
        d = g[i] + decay * p[i]
        mean = beta1 * m[i] + rest1 * d
        square = beta2 * v[i] + rest2 * d * d
        m[i], v[i] = mean, square
        p[i] = keep * p[i] - lr * mean / (np.sqrt(square) * root + eps)


@jit(parallel=True)
def _adam_blocks(p, g, m, v, lr, beta1, rest1, beta2, rest2, root, eps, decay, keep):
    for block in prange((p.size + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, (block + 1) * BLOCK)
        _adam(p[part], g[part], m[part], v[part], lr, beta1, rest1, beta2, rest2, root, eps, decay, keep)


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
    update = _adam if p.size <= SERIAL else _adam_blocks
    update(p, g, m, v, *(p.dtype.type(option) for option in options))


@jit
def _square_sum(g):
    total = np.float64(0)
    for i in range(g.size):
        v = np.float64(g[i])
        total += v * v
    return total


@jit(parallel=True)
def _square_sums(g, totals):
    for block in prange(totals.size):
        totals[block] = _square_sum(g[block * BLOCK : (block + 1) * BLOCK])


def global_norm(g: np.ndarray) -> float:
    """√ sum of g², in float64 over fixed blocks: the same for any number of threads."""
    if g.size <= BLOCK:
        return math.sqrt(_square_sum(g))
    totals = np.empty(-(-g.size // BLOCK), np.float64)
    _square_sums(g, totals)
    return math.sqrt(totals.sum())
