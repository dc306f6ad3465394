"""The twins of the optimizers, in place over flat contiguous buffers: p parameters, g gradient, the rest state."""

import math

import numpy as np

from minigen.kernels.reference.arrays import Array


def sgd(p: Array, g: Array, velocity: Array, lr: float, momentum: float, nesterov: bool, weight_decay: float) -> None:
    """velocity = momentum · velocity + g, p -= lr · velocity (Nesterov: lr · (g + momentum · velocity))."""
    g = g + p.dtype.type(weight_decay) * p
    if momentum:
        velocity *= p.dtype.type(momentum)
        velocity += g
        g = g + p.dtype.type(momentum) * velocity if nesterov else velocity
    p -= p.dtype.type(lr) * g


def rmsprop(
    p: Array, g: Array, square: Array, velocity: Array,
    lr: float, alpha: float, eps: float, momentum: float, weight_decay: float,
) -> None:  # fmt: skip
    """square = alpha · square + (1 - alpha) · g², p -= lr · g / (√square + eps), through velocity with momentum."""
    real = p.dtype.type
    g = g + real(weight_decay) * p
    square *= real(alpha)
    square += real(1 - alpha) * g * g
    step = g / (np.sqrt(square) + real(eps))
    if momentum:
        velocity *= real(momentum)
        velocity += step
        step = velocity
    p -= real(lr) * step


def adagrad(p: Array, g: Array, square: Array, lr: float, eps: float, weight_decay: float) -> None:
    """square += g², p -= lr · g / (√square + eps)."""
    g = g + p.dtype.type(weight_decay) * p
    square += g * g
    p -= p.dtype.type(lr) * g / (np.sqrt(square) + p.dtype.type(eps))


def adam(
    p: Array, g: Array, m: Array, v: Array,
    lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool, step: int,
) -> None:  # fmt: skip
    """m, v: running means of g and g²; p -= lr · m̂ / (√v̂ + eps), with m̂ = m / (1 - beta1^step), v̂ likewise."""
    real = p.dtype.type
    if decoupled:
        p *= real(1 - lr * weight_decay)
    else:
        g = g + real(weight_decay) * p
    m *= real(beta1)
    m += real(1 - beta1) * g
    v *= real(beta2)
    v += real(1 - beta2) * g * g
    p -= real(lr / (1 - beta1**step)) * m / (np.sqrt(v) / real(math.sqrt(1 - beta2**step)) + real(eps))


def global_norm(g: Array) -> float:
    """√ sum of g², summed in float64."""
    return float(np.sqrt(np.sum(np.square(g, dtype=np.float64))))
