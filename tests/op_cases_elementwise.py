"""Oracles and PyTorch twins of the less common elementwise operations, products and lengths, for `op_cases.py`."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray


def each(function: Callable[..., float]) -> Callable[..., Array]:
    """A function of Python floats, applied to the elements of arrays that broadcast."""

    def call(*arrays: Array) -> Array:
        wide = np.broadcast_arrays(*arrays)
        rows = zip(*[array.flat for array in wide], strict=True)
        return np.array([function(*map(float, row)) for row in rows]).reshape(wide[0].shape)

    return call


def over(function: Callable[[list[float]], float]) -> Callable[..., Array]:
    """A reduction by a function of a list of floats, with NumPy's axis and keepdims."""

    def reduced(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
        axes = tuple(range(x.ndim)) if axis is None else tuple(np.atleast_1d(axis) % x.ndim)
        rest = [i for i in range(x.ndim) if i not in axes]
        rows = x.transpose(*rest, *axes).reshape(*[x.shape[i] for i in rest], -1)
        y = np.array([function([*map(float, rows[i])]) for i in np.ndindex(rows.shape[:-1])])
        return y.reshape([1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i in rest])

    return reduced


def length(values: list[float], p: Any = 2) -> float:
    if p in (math.inf, -math.inf):
        return (max if p > 0 else min)(abs(v) for v in values)
    p = 2 if p == "fro" else p
    return math.fsum(abs(v) ** p for v in values) ** (1 / p)


def norm(x: Array, p: Any = 2, axis: Any = None, keepdims: bool = False) -> Array:
    return over(lambda values: length(values, p))(x, axis, keepdims)


def std(x: Array, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Array:
    def spread(values: list[float]) -> float:
        mean = math.fsum(values) / len(values)
        return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - ddof))

    return over(spread)(x, axis, keepdims)


def cosine(a: Array, b: Array, axis: int = 1, eps: float = 1e-8) -> Array:
    a, b = np.broadcast_arrays(a, b)
    rows = [np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis]) for x in (a, b)]
    pairs = zip(*rows, strict=True)
    y = [math.fsum(u * v) / (max(length(list(u)), eps) * max(length(list(v)), eps)) for u, v in pairs]
    return np.array(y).reshape(np.delete(a.shape, axis))


def cdist(a: Array, b: Array, p: float = 2) -> Array:
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, (*lead, *a.shape[-2:])), np.broadcast_to(b, (*lead, *b.shape[-2:]))
    y = np.empty((*lead, a.shape[-2], b.shape[-2]))
    for *n, i, j in np.ndindex(y.shape):
        y[(*n, i, j)] = length(list(a[(*n, i)] - b[(*n, j)]), p)
    return y


def running(x: Array, axis: int) -> Array:
    y = np.moveaxis(x.copy(), axis, 0)
    for i in range(1, len(y)):
        y[i] = y[i - 1] * y[i]
    return np.moveaxis(y, 0, axis)


ORACLES: dict[str, Callable[..., Any]] = {
    "tan": each(math.tan),
    "asin": each(math.asin),
    "acos": each(math.acos),
    "atan": each(math.atan),
    "atan2": each(math.atan2),
    "sinh": each(math.sinh),
    "cosh": each(math.cosh),
    "log2": each(math.log2),
    "log10": each(math.log10),
    "rsqrt": each(lambda x: 1 / math.sqrt(x)),
    "square": each(lambda x: x * x),
    "reciprocal": each(lambda x: 1 / x),
    "logaddexp": each(lambda a, b: max(a, b) + math.log1p(math.exp(-abs(a - b)))),
    "sign": each(lambda x: math.copysign(1, x)),
    "floor": each(lambda x: float(math.floor(x))),
    "ceil": each(lambda x: float(math.ceil(x))),
    "trunc": each(lambda x: float(int(x))),
    "round": lambda x, decimals=0: each(lambda v: round(v, decimals))(x),
    "floor_divide": each(lambda a, b: a // b),
    "remainder": each(lambda a, b: a % b),
    "prod": over(math.prod),
    "cumprod": running,
    "std": std,
    "norm": norm,
    "normalize": lambda x, p=2, axis=1, eps=1e-12: x / np.maximum(norm(x, p, axis, True), eps),
    "cosine_similarity": cosine,
    "cdist": cdist,
}


def twins(torch: Any) -> dict[str, Callable[..., Any]]:
    """The same operations in PyTorch."""
    F = torch.nn.functional
    same = ("tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "log2", "log10", "rsqrt", "square", "reciprocal")
    same += ("logaddexp", "sign", "floor", "ceil", "trunc", "round", "remainder", "cumprod", "cdist")

    def floor_divide(a: Any, b: Any) -> Any:
        return torch.floor_divide(a.detach(), b.detach()) + 0 * a + 0 * b  # it has no gradient there

    def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        if axis is None or isinstance(axis, tuple):
            return torch.prod(x) if axis is None else None
        return torch.prod(x, axis, keepdims)

    def norm(x: Any, p: Any = 2, axis: Any = None, keepdims: bool = False) -> Any:
        return torch.linalg.vector_norm(x, 2 if p == "fro" else p, axis, keepdims)

    def cosine_similarity(a: Any, b: Any, axis: int = 1, eps: float = 1e-8) -> Any:
        return F.cosine_similarity(a, b, axis, eps) if eps < 1 else None  # its gradient there is no derivative

    return {name: getattr(torch, name) for name in same} | {
        "floor_divide": floor_divide,
        "prod": prod,
        "norm": norm,
        "std": lambda x, axis=None, keepdims=False, ddof=0: torch.std(x, axis, correction=ddof, keepdim=keepdims),
        "normalize": lambda x, p=2, axis=1, eps=1e-12: F.normalize(x, p, axis, eps),
        "cosine_similarity": cosine_similarity,
    }
