"""Clipping of gradients, between backward() and step(): by their common norm, or each value for itself."""

import math
from collections.abc import Iterable

import numpy as np

from minigen import kernels
from minigen.autograd.tensor import Tensor
from minigen.errors import ArgumentError
from minigen.optim.flat import check_parameters
from minigen.optim.optimizer import Optimizer


def clip_grad_norm(parameters: Optimizer | Iterable[Tensor], max_norm: float) -> float:
    """Scale all gradients together so that their 2-norm is at most `max_norm`; the norm they had before.

    parameters: an optimizer (one pass over its flat gradients) or tensors. A gradient that is NaN or infinite shows
    in the norm returned, and stays visible in the gradients. Pascanu, Mikolov, Bengio (2013), On the difficulty of
    training recurrent neural networks, Algorithm 1. Raises ArgumentError.
    """
    if not 0 < max_norm < math.inf:
        raise ArgumentError(f"clip_grad_norm: max_norm is {max_norm!r}; use a finite number above 0")
    gradients = own_gradients(parameters, "clip_grad_norm")
    norm = math.sqrt(sum(kernels.global_norm(g.reshape(-1)) ** 2 for g in gradients))
    scale = max_norm / (norm + 1e-6)
    if not scale >= 1:  # NaN too
        with np.errstate(invalid="ignore"):  # ∞ · 0 is NaN, as it should be
            for g in gradients:
                g *= scale
    return norm


def clip_grad_value(parameters: Optimizer | Iterable[Tensor], max_value: float) -> None:
    """Bring every component of every gradient into [-max_value, max_value]. NaN stays NaN. Raises ArgumentError."""
    if not 0 < max_value < math.inf:
        raise ArgumentError(f"clip_grad_value: max_value is {max_value!r}; use a finite number above 0")
    for g in own_gradients(parameters, "clip_grad_value"):
        np.clip(g, -max_value, max_value, out=g)


def own_gradients(parameters: Optimizer | Iterable[Tensor], operation: str) -> list[np.ndarray]:
    """The gradients as arrays that may be written to; those of an optimizer in as few pieces as possible."""
    if isinstance(parameters, Optimizer):
        flat = parameters.flat
        return [flat.gradients[span] for span, _ in flat.runs(flat.gather())]
    gradients = []
    for p in check_parameters(parameters, operation):
        if p.grad is None:
            continue
        if p.grad.data is not p.grad_buffer:  # may be part of a graph, or shared
            p.grad = Tensor(p.grad.data.copy())
        gradients.append(p.grad.data)
    return gradients
