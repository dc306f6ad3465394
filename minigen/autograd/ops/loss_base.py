"""What all losses share: the reduction of their terms, and the checks of what they are given.

`reduction` is "mean" over all terms, "sum" of them, or "none", which returns them one by one.
"""

import math
from typing import Any

import numpy as np

from minigen import kernels
from minigen.autograd.fused import FusedFunction
from minigen.autograd.ops.cast import astype
from minigen.autograd.ops.operands import as_float, broadcastable, same_dtype
from minigen.autograd.ops.reduction import mean, sum
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.checks import check_choice
from minigen.errors import ArgumentError, ShapeError
from minigen.kernels.noting import applied, run

REDUCTIONS = ("mean", "sum", "none")


def reduce(losses: Tensor, reduction: str, terms: float | None = None) -> Tensor:
    """The mean or the sum of `losses`, or themselves; terms: what the mean divides by, if not by their number."""
    if reduction == "none":
        return losses
    if reduction == "mean":
        return mean(losses) if terms is None else sum(losses) * (1.0 / terms)
    return sum(losses)


class FusedLoss(FusedFunction):
    """Base: a loss whose kernel gives one value for each term, reduced here."""

    def __init__(self, reduction: str) -> None:
        self.reduction = reduction

    def reduced(self, losses: np.ndarray, terms: float | None = None) -> np.ndarray:
        """The losses reduced, as an array; terms: what the mean divides by, if not by their number."""
        if self.reduction == "none":
            return losses
        y = np.empty((), losses.dtype)
        run(reduce_into, losses, (terms or losses.size) if self.reduction == "mean" else None, y)
        return y

    def share(self, gy: np.ndarray, terms: float) -> np.ndarray:
        """∂L/∂loss of one term: an array for "none", else one number for all."""
        return applied(np.divide, gy, gy.dtype.type(terms)) if self.reduction == "mean" else gy


def reduce_into(losses: np.ndarray, terms: float | None, y: np.ndarray) -> None:
    """The sum of the losses, or their mean, which is finite where the sum alone would overflow, into y."""
    axes = tuple(range(losses.ndim))
    total = kernels.total(losses, axes)
    if terms is not None:
        share = losses.dtype.type(terms)
        total = total / share if math.isfinite(total) else kernels.total(losses / share, axes)
    y[...] = total


def alike(input: Operand, target: Operand, name: str, reduction: str) -> list[Tensor]:
    """Two float tensors of one dtype and equal shapes. Losses do not broadcast: it hides mistakes."""
    input, target = as_tensor(input, name), as_tensor(target, name)
    if input.shape != target.shape:
        raise ShapeError(f"{name}: shapes {input.shape} and {target.shape} differ; reshape one to the other's shape")
    check_reduction(input.size, name, reduction)
    return same_dtype([input, target])


def check_reduction(terms: int, name: str, reduction: str) -> None:
    """Raise on an unknown reduction, and on the mean of nothing."""
    check_choice(name, "reduction", reduction, REDUCTIONS)
    if reduction == "mean" and terms == 0:
        raise ShapeError(f'{name}: the batch is empty, and the mean of nothing is not defined; use reduction="sum"')


def broadcast_weight(weight: Operand, losses: Tensor, name: str, option: str) -> Tensor:
    """A factor for each loss, which broadcasts to their shape, in their dtype; it is differentiated like any tensor."""
    factor = as_float(weight, name)
    if not broadcastable(factor.shape, losses.shape) or np.broadcast_shapes(factor.shape, losses.shape) != losses.shape:
        raise ShapeError(f"{name}: {option} is {factor.shape} and does not broadcast to the losses, {losses.shape}")
    return astype(factor, losses.dtype)


def fixed(values: Any, name: str, option: str) -> np.ndarray:
    """Numbers that a loss does not differentiate, as an array of floats; ArgumentError if a gradient is expected."""
    tensor = as_float(values, name)
    if tensor.requires_grad:
        raise ArgumentError(f"{name}: {option} requires a gradient, but it gets none here; pass {option}.detach()")
    return tensor.data
