"""Losses of margins: between classes -1 and 1, between scores in order, between embeddings near and far."""

import math
from typing import Any

import numpy as np

from minigen.autograd.ops.activation import relu
from minigen.autograd.ops.arithmetic import abs, minimum, power, where
from minigen.autograd.ops.elementary import sqrt
from minigen.autograd.ops.loss_base import alike, check_reduction, fixed, reduce
from minigen.autograd.ops.operands import same_dtype
from minigen.autograd.ops.reduction import max, sum
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.checks import check_number
from minigen.errors import DataError, ShapeError
from minigen.kernels.noting import host, made


def hinge_loss(input: Operand, target: Operand, reduction: str = "mean") -> Tensor:
    """max(0, 1 - target · input), target -1 or 1. Raises DataError on other targets."""
    input, target = alike(input, target, "hinge_loss", reduction)
    check_signs(target.data, "hinge_loss")
    return reduce(relu(1.0 - target * input), reduction)


def margin_ranking_loss(
    input1: Operand, input2: Operand, target: Any, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """max(0, margin - target (input1 - input2)): target 1 asks for input1 above input2, -1 for the reverse.

    All three of one shape. Herbrich et al. 2000. Raises ShapeError, DataError on other targets.
    """
    name = "margin_ranking_loss"
    margin = check_number(name, "margin", margin)
    input1, input2 = alike(input1, input2, name, reduction)
    sign = signs(target, input1.shape, input1.dtype, name)
    return reduce(relu(margin - sign * (input1 - input2)), reduction)


def cosine_embedding_loss(
    input1: Operand, input2: Operand, target: Any, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """1 - cos for pairs with target 1, max(0, cos - margin) for those with -1; cos that of the angle of a pair.

    input1, input2: vectors (…, D); target (…). A vector of zeros has cos 0 to all others. Raises ShapeError, DataError
    on other targets, ArgumentError unless -1 ≤ margin ≤ 1.
    """
    name = "cosine_embedding_loss"
    margin = check_number(name, "margin", margin, -1, high=1)
    a, b = vectors([input1, input2], name, reduction)
    sign = signs(target, a.shape[:-1], a.dtype, name)
    tiny = 1e-12  # PyTorch's
    cosine = sum(a * b, -1) / sqrt((sum(a * a, -1) + tiny) * (sum(b * b, -1) + tiny))
    return reduce(where(sign.data > 0, 1.0 - cosine, relu(cosine - margin)), reduction)


def triplet_margin_loss(
    anchor: Operand,
    positive: Operand,
    negative: Operand,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), d(a, b) = ‖a - b + eps‖_p over the last axis.

    Vectors (…, D). p ≥ 1, or infinity. eps keeps the distance of equal vectors differentiable. swap: the negative may
    be measured from the positive instead, where it is nearer. Schroff et al. 2015, eq. 3; Balntas et al. 2016, section
    3.2 (swap). Raises ShapeError, ArgumentError.
    """
    name = "triplet_margin_loss"
    margin = check_number(name, "margin", margin, above=0)
    p = math.inf if p == math.inf else check_number(name, "p", p, 1)
    eps = check_number(name, "eps", eps, 0)
    anchor, positive, negative = vectors([anchor, positive, negative], name, reduction)
    near, far = distance(anchor, positive, p, eps), distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, distance(positive, negative, p, eps))
    return reduce(relu(near - far + margin), reduction)


def distance(a: Tensor, b: Tensor, p: float, eps: float) -> Tensor:
    """‖a - b + eps‖_p over the last axis."""
    difference = a - b + eps
    if p == 2:
        return sqrt(sum(difference * difference, -1))
    size = abs(difference)
    if p == math.inf:
        return max(size, -1)
    return sum(size, -1) if p == 1 else power(sum(power(size, p), -1), 1 / p)


def vectors(inputs: list[Operand], name: str, reduction: str) -> list[Tensor]:
    """Embeddings (…, D), D ≥ 1, of equal shapes and one dtype."""
    tensors = same_dtype([as_tensor(x, name) for x in inputs])
    shape = tensors[0].shape
    if not shape or not shape[-1] or any(x.shape != shape for x in tensors):
        raise ShapeError(f"{name}: shapes {' and '.join(str(x.shape) for x in tensors)}; pass vectors, (N, D) each")
    check_reduction(tensors[0].size // shape[-1], name, reduction)
    return tensors


def signs(target: Any, shape: tuple[int, ...], dtype: np.dtype, name: str) -> Tensor:
    """A target of -1 and 1 for each loss."""
    array = fixed(target, name, "target")
    if array.shape != shape:
        raise ShapeError(f"{name}: target is {array.shape}, expected {shape}, one for each pair")
    check_signs(array, name)
    return Tensor(made(np.array, array, dtype))


@host
def check_signs(target: np.ndarray, name: str) -> None:
    """DataError unless all are -1 or 1."""
    if not (np.abs(target) == 1).all():
        raise DataError(f"{name}: target holds values other than -1 and 1; use 2 · label - 1 for labels 0 and 1")
