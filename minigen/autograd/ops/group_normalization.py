"""Normalization of each item by itself: groups of channels, single channels, or the root mean square of a row.

None looks at the rest of the batch, so training and evaluation are alike. Groups are fused: a kernel computes the value
and the first derivative, `compose` writes the same in primitives for derivatives of higher order.
"""

import math

import numpy as np

from minigen import kernels
from minigen.autograd.fused import FusedFunction, Gradients
from minigen.autograd.ops.elementary import sqrt
from minigen.autograd.ops.normalization import normalised
from minigen.autograd.ops.operands import as_float, same_dtype
from minigen.autograd.ops.reduction import mean
from minigen.autograd.ops.shape import reshape
from minigen.autograd.tensor import Operand, Tensor
from minigen.checks import check_count, check_number
from minigen.errors import ShapeError
from minigen.kernels.noting import constant


class GroupNorm(FusedFunction):
    """y = (x - mean) / √(var + eps) · weight + bias, with the mean and biased variance of each item's groups.

    Of x alone, of x and weight, or of all three.
    """

    def __init__(self, groups: int, eps: float) -> None:
        self.groups, self.eps = groups, eps

    def forward(self, x: np.ndarray, *affine: np.ndarray) -> np.ndarray:
        self.save_inputs(*range(1 + len(affine)))
        weight = affine[0] if affine else np.ones(x.shape[-1], x.dtype)
        bias = affine[1] if len(affine) > 1 else np.zeros(x.shape[-1], x.dtype)
        y, mean, invstd = kernels.group_norm(places(x), self.groups, weight, bias, self.eps)
        self.residuals = mean, invstd
        return y.reshape(x.shape)

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        x = places(self.saved_array(0))
        weight = self.saved_array(1) if len(self.needs) > 1 else np.ones(x.shape[-1], x.dtype)
        gx, *gradients = kernels.group_norm_grad(places(gy), x, weight, *self.residuals)
        return (gx.reshape(gy.shape), *gradients)[: len(self.needs)]

    def compose(self, x: Tensor, *affine: Tensor) -> Tensor:
        by_group = reshape(x, (*places(x.data).shape[:2], self.groups, x.shape[-1] // self.groups))
        y = reshape(normalised(by_group, (1, 3), self.eps), x.shape)
        y = y * affine[0] if affine else y
        return y + affine[1] if len(affine) > 1 else y


def places(x: np.ndarray) -> np.ndarray:
    """(N, …, C) as (N, P, C)."""
    return x.reshape(x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1])


def group_norm(
    x: Operand, num_groups: int, weight: Operand | None = None, bias: Operand | None = None, eps: float = 1e-5
) -> Tensor:
    """(x - mean) / √(var + eps) · weight + bias, mean and biased variance over each group of channels of each item.

    x (N, …, C), the channels in num_groups groups of neighbours; weight and bias (C,), or None. Wu & He 2018,
    section 3.
    Raises ShapeError for shapes that do not fit, also for a group of one value, ArgumentError for bad options.
    """
    x, affine = operands("group_norm", x, weight, bias, eps)
    groups = check_count("group_norm", "num_groups", num_groups)
    if x.shape[-1] % groups:
        raise ShapeError(f"group_norm: {groups} groups do not divide the {x.shape[-1]} channels of x {x.shape}")
    return by_groups("group_norm", x, groups, affine, eps)


def instance_norm(x: Operand, weight: Operand | None = None, bias: Operand | None = None, eps: float = 1e-5) -> Tensor:
    """group_norm with every channel a group: mean and variance over the places of one channel of one item, x (N, …, C).

    Ulyanov et al. 2016. Raises ShapeError for shapes that do not fit, also when there is one place only.
    """
    x, affine = operands("instance_norm", x, weight, bias, eps)
    return by_groups("instance_norm", x, x.shape[-1], affine, eps)


def rms_norm(x: Operand, weight: Operand | None = None, eps: float | None = None) -> Tensor:
    """x / √(mean(x²) + eps) · weight over the last axis: layer norm without the mean. Zhang & Sennrich 2019, section 4.

    x (…, C), weight (C,) or None. eps: the float type's own by default (1.2e-7 in float32), as PyTorch's. Raises
    ShapeError for shapes that do not fit, ArgumentError unless eps ≥ 0.
    """
    x, affine = operands("rms_norm", x, weight, None, 0.0 if eps is None else eps, least=1)
    eps = float(np.finfo(x.dtype).eps) if eps is None else eps
    y = x * (1.0 / sqrt(mean(x * x, -1, keepdims=True) + eps))
    return y if affine[0] is None else y * affine[0]


def by_groups(name: str, x: Tensor, groups: int, affine: tuple[Tensor | None, Tensor | None], eps: float) -> Tensor:
    """GroupNorm, with a weight of 1 when there is only a bias."""
    if x.size == x.shape[0] * groups and x.size:
        raise ShapeError(
            f"{name}: x {x.shape} has one value in each group, which has no variance; use fewer groups, or "
            "larger images"
        )
    weight, bias = affine
    if weight is None and bias is not None:
        weight = Tensor(constant(np.ones(x.shape[-1], x.dtype)))
    return GroupNorm(groups, eps)(x, *[tensor for tensor in (weight, bias) if tensor is not None])


def operands(
    name: str, x: Operand, weight: Operand | None, bias: Operand | None, eps: float, least: int = 2
) -> tuple[Tensor, tuple[Tensor | None, Tensor | None]]:
    """x, and the weight and bias that there are, as float tensors of one dtype and fitting shapes."""
    check_number(name, "eps", eps, 0)
    roles = {"x": x, "weight": weight, "bias": bias}
    given = {role: as_float(value, name) for role, value in roles.items() if value is not None or role == "x"}
    given = dict(zip(given, same_dtype(list(given.values())), strict=True))
    x = given.pop("x")
    if x.ndim < least or x.shape[-1] == 0:
        raise ShapeError(f"{name}: x is {x.shape}; pass {'(N, …, C)' if least > 1 else '(…, C)'}, the channels last")
    for role, value in given.items():
        if value.shape != x.shape[-1:]:
            raise ShapeError(
                f"{name}: {role} is {value.shape}, but x {x.shape} has {x.shape[-1]} channels (the last axis)"
            )
    return x, (given.get("weight"), given.get("bias"))
