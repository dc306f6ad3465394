"""Oracles and PyTorch twins of activations and normalizations beyond the first ones; they belong to `op_cases.py`."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigen.random import generator

Array = np.ndarray


def each(function: Callable[[float], float]) -> Callable[[Array], Array]:
    return lambda x: np.array([function(float(value)) for value in x.flat]).reshape(x.shape)


def glu(x: Array, axis: int = -1) -> Array:
    half = x.shape[axis] // 2
    a, b = x.take(range(half), axis), x.take(range(half, 2 * half), axis)
    return a / (1 + np.exp(-b))


def prelu(x: Array, weight: Array) -> Array:
    return np.array([v if v > 0 else v * w for v, w in np.broadcast(x, weight)]).reshape(x.shape)


def gumbel_softmax(x: Array, seed: Array, tau: float = 1.0, axis: int = -1) -> Array:
    """With the noise of the same generator."""
    noise = np.moveaxis(x + generator(int(seed)).gumbel(size=x.shape), axis, -1) / tau
    y = np.array([[1 / sum(math.exp(b - a) for b in row) for a in row] for row in noise])
    return np.moveaxis(y, -1, axis)


def group_norm(x: Array, weight: Any = None, bias: Any = None, num_groups: int = 1, eps: float = 1e-5) -> Array:
    y, size = np.empty_like(x), x.shape[-1] // num_groups
    for n in range(len(x)):
        for g in range(num_groups):
            values = x[n, ..., g * size : (g + 1) * size]
            y[n, ..., g * size : (g + 1) * size] = (values - values.mean()) / math.sqrt(values.var() + eps)
    return y * (1 if weight is None else weight) + (0 if bias is None else bias)


def instance_norm(x: Array, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Array:
    return group_norm(x, weight, bias, x.shape[-1], eps)


def rms_norm(x: Array, weight: Any = None, eps: float | None = None) -> Array:
    eps = float(np.finfo(x.dtype).eps) if eps is None else eps
    rows = [row / math.sqrt(sum(v * v for v in row) / len(row) + eps) for row in x.reshape(-1, x.shape[-1])]
    return np.array(rows).reshape(x.shape) * (1 if weight is None else weight)


ORACLES: dict[str, Callable[..., Any]] = {
    "relu6": each(lambda v: min(max(v, 0), 6)),
    "hardswish": each(lambda v: v * min(max(v + 3, 0), 6) / 6),
    "selu": each(lambda v: 1.0507009873554805 * (v if v > 0 else 1.6732632423543772 * (math.exp(v) - 1))),
    "mish": each(lambda v: v * math.tanh(math.log(1 + math.exp(v)))),
    "log_sigmoid": each(lambda v: -math.log(1 + math.exp(-v))),
    "prelu": prelu,
    "glu": glu,
    "gumbel_softmax": gumbel_softmax,
    "group_norm": group_norm,
    "instance_norm": instance_norm,
    "rms_norm": rms_norm,
}


def twins(torch: Any) -> dict[str, Callable[..., Any]]:
    """The same operations in PyTorch, channels in front."""
    F = torch.nn.functional

    def prelu(x: Any, weight: Any) -> Any:
        return F.prelu(x.movedim(-1, 1), weight.reshape(-1)).movedim(1, -1) if x.ndim > 1 else F.prelu(x, weight)

    def group_norm(x: Any, weight: Any = None, bias: Any = None, num_groups: int = 1, **options: Any) -> Any:
        return F.group_norm(x.movedim(-1, 1), num_groups, weight, bias, **options).movedim(1, -1)

    def instance_norm(x: Any, weight: Any = None, bias: Any = None, **options: Any) -> Any:
        return F.instance_norm(x.movedim(-1, 1), weight=weight, bias=bias, **options).movedim(1, -1)

    return {
        "relu6": F.relu6,
        "hardswish": F.hardswish,
        "selu": F.selu,
        "mish": F.mish,
        "log_sigmoid": F.logsigmoid,
        "prelu": prelu,
        "glu": lambda x, axis=-1: F.glu(x, axis),
        "group_norm": group_norm,
        "instance_norm": instance_norm,
        "rms_norm": lambda x, weight=None, **options: F.rms_norm(x, x.shape[-1:], weight, **options),
    }
