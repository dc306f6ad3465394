"""Clipping of gradients, between backward() and step(): by their common norm, or each value for itself."""

import math
from collections.abc import Iterable

import numpy as np

from minigen import kernels
from minigen.autograd import leaves
from minigen.autograd.tensor import Tensor
from minigen.checks import check_number, shown
from minigen.errors import ArgumentError
from minigen.kernels.noting import host
from minigen.optim.flat import check_parameters
from minigen.optim.optimizer import Optimizer


@host
def clip_grad_norm(parameters: Optimizer | Iterable[Tensor], max_norm: float, norm_type: float = 2.0) -> float:
    """Scale all gradients together so that their norm is at most `max_norm`; the norm they had before.

    norm_type: 2, 1 (the sum of sizes) or infinity (the largest size), of all gradients as one vector.
    parameters: an optimizer (one pass over its flat gradients) or tensors. A gradient that is NaN or infinite shows
    in the norm returned, and stays visible in the gradients. Pascanu, Mikolov, Bengio (2013), On the difficulty of
    training recurrent neural networks, Algorithm 1. Raises ArgumentError.
    """
    max_norm = check_number("clip_grad_norm", "max_norm", max_norm, above=0)
    gradients, tensors = own_gradients(parameters, "clip_grad_norm")
    norm = norm_of([g.reshape(-1) for g in gradients], norm_type)
    scale = max_norm / (norm + 1e-6)
    if not scale >= 1:  # NaN too
        with np.errstate(invalid="ignore"):  # ∞ · 0 is NaN, as it should be
            for g in gradients:
                g *= scale
        for tensor in tensors:
            tensor.bump_version()
    return norm


def norm_of(gradients: list[np.ndarray], norm_type: float) -> float:
    """The norm of vectors laid end to end, summed in float64."""
    if norm_type == 2:
        return math.sqrt(sum(kernels.global_norm(g) ** 2 for g in gradients))
    if norm_type == 1:
        return sum(float(np.abs(g).sum(dtype=np.float64)) for g in gradients)
    if norm_type == math.inf:
        return float(np.max([np.abs(g).max(initial=0.0) for g in gradients], initial=0.0))
    raise ArgumentError(f"clip_grad_norm: norm_type is {shown(norm_type)}; use 1, 2 or math.inf")


@host
def clip_weights(parameters: Optimizer | Iterable[Tensor], limit: float) -> None:
    """Bring every weight into [-limit, limit], after a step. NaN stays NaN. parameters: an optimizer, or tensors.

    Arjovsky, Chintala, Bottou (2017), Wasserstein GAN, algorithm 1. Raises ArgumentError.
    """
    limit = check_number("clip_weights", "limit", limit, above=0)
    weights = parameters.parameters if isinstance(parameters, Optimizer) else parameters
    for parameter in check_parameters(weights, "clip_weights"):
        limit = min(limit, float(np.finfo(parameter.dtype).max))
        np.clip(parameter.data, -limit, limit, out=parameter.data)
        parameter.bump_version()


@host
def clip_grad_value(parameters: Optimizer | Iterable[Tensor], max_value: float) -> None:
    """Bring every component of every gradient into [-max_value, max_value]. NaN stays NaN. Raises ArgumentError."""
    max_value = check_number("clip_grad_value", "max_value", max_value, above=0)
    gradients, tensors = own_gradients(parameters, "clip_grad_value")
    for g in gradients:
        np.clip(g, -max_value, max_value, out=g)
    for tensor in tensors:
        tensor.bump_version()


def own_gradients(parameters: Optimizer | Iterable[Tensor], operation: str) -> tuple[list[np.ndarray], list[Tensor]]:
    """The gradients as arrays that may be written to, in as few pieces as possible, and as tensors."""
    if isinstance(parameters, Optimizer):
        flat = parameters.flat
        active = flat.gather()
        return [flat.gradients[span] for span, _ in flat.runs(active)], [flat.flat_gradients.places[i] for i in active]
    tensors = [g for p in check_parameters(parameters, operation) if (g := leaves.own(p)) is not None]
    return [tensor.data for tensor in tensors], tensors
