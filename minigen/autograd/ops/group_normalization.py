"""Normalization of each item by itself: groups of channels, single channels, or the root mean square of a row.

None looks at the rest of the batch, so training and evaluation are alike. Means and variances are those of the fused
`layer_norm`, over rows that hold one group each.
"""

import math

import numpy as np

from minigen.autograd.ops.elementary import sqrt
from minigen.autograd.ops.normalization import LayerNorm
from minigen.autograd.ops.operands import as_float, same_dtype
from minigen.autograd.ops.reduction import mean
from minigen.autograd.ops.shape import reshape, transpose
from minigen.autograd.tensor import Operand, Tensor
from minigen.checks import check_count, check_number
from minigen.errors import ShapeError


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
    return scaled(by_groups("group_norm", x, groups, eps), *affine)


def instance_norm(x: Operand, weight: Operand | None = None, bias: Operand | None = None, eps: float = 1e-5) -> Tensor:
    """group_norm with every channel a group: mean and variance over the places of one channel of one item, x (N, …, C).

    Ulyanov et al. 2016. Raises ShapeError for shapes that do not fit, also when there is one place only.
    """
    x, affine = operands("instance_norm", x, weight, bias, eps)
    return scaled(by_groups("instance_norm", x, x.shape[-1], eps), *affine)


def rms_norm(x: Operand, weight: Operand | None = None, eps: float | None = None) -> Tensor:
    """x / √(mean(x²) + eps) · weight over the last axis: layer norm without the mean. Zhang & Sennrich 2019, section 4.

    x (…, C), weight (C,) or None. eps: the float type's own by default (1.2e-7 in float32), as PyTorch's. Raises
    ShapeError for shapes that do not fit, ArgumentError unless eps ≥ 0.
    """
    x, affine = operands("rms_norm", x, weight, None, 0.0 if eps is None else eps, least=1)
    eps = float(np.finfo(x.dtype).eps) if eps is None else eps
    return scaled(x * (1.0 / sqrt(mean(x * x, -1, keepdims=True) + eps)), *affine)


def by_groups(name: str, x: Tensor, groups: int, eps: float) -> Tensor:
    """Each group of channels of each item with mean 0 and variance 1."""
    n, places, size = x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1] // groups
    if places * size == 1:
        raise ShapeError(
            f"{name}: x {x.shape} has one value in each group, which has no variance; use fewer groups, or "
            "larger images"
        )
    if x.size == 0:
        return x
    ones, zeros = Tensor(np.ones(places * size, x.dtype)), Tensor(np.zeros(places * size, x.dtype))
    if groups == 1:  # the rows lie in memory already
        return reshape(LayerNorm(eps)(reshape(x, (n, places * size)), ones, zeros), x.shape)
    rows = reshape(transpose(reshape(x, (n, places, groups, size)), (0, 2, 1, 3)), (n * groups, places * size))
    y = reshape(LayerNorm(eps)(rows, ones, zeros), (n, groups, places, size))
    return reshape(transpose(y, (0, 2, 1, 3)), x.shape)


def scaled(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """y · weight + bias, those that there are."""
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


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
