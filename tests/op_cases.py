"""Oracles for every operation: what it should give, in plain NumPy and loops, and its twin in PyTorch.

The sample calls stand in `minigen.autograd.verify`, each once; here stands the answer, under the operation's name.
An oracle takes the sample's arrays (in float64) and its options. A twin takes torch tensors and the same options, in
our layouts: images (N, H, W, C), weights (KH, KW, Cin, Cout), dense weights (in, out).
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import op_cases_attention
import op_cases_choosing
import op_cases_elementwise
import op_cases_images
import op_cases_layers
import op_cases_loss
import op_cases_pixels
import op_cases_sequence
from op_cases_images import then_leaky

from minigen.autograd.verify.sample import Sample
from minigen.random import generator, key

Array = np.ndarray


def each(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """A scalar function applied element by element, one Python float at a time."""
    return lambda x: np.array([function(float(value)) for value in x.flat]).reshape(x.shape)


def over(function: Callable[[list[float]], float]) -> Callable[..., Array]:
    """A reduction by a function of a list of floats, with NumPy's axis and keepdims."""

    def reduced(x: Array, axis: Any = None, keepdims: bool = False, **options: Any) -> Array:
        axes = range(x.ndim) if axis is None else [a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,))]
        rest = [i for i in range(x.ndim) if i not in axes]
        y = np.empty([x.shape[i] for i in rest])
        for index in np.ndindex(y.shape):
            where = [slice(None)] * x.ndim
            for i, position in zip(rest, index, strict=True):
                where[i] = position
            y[index] = function([float(value) for value in x[tuple(where)].flat], **options)
        return y.reshape([1 if i in axes else n for i, n in enumerate(x.shape)]) if keepdims else y

    return reduced


def variance(values: list[float], ddof: int = 0) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - ddof)


def running_sum(x: Array, axis: int) -> Array:
    y = np.moveaxis(x.copy(), axis, 0)
    for i in range(1, len(y)):
        y[i] = y[i - 1] + y[i]
    return np.moveaxis(y, 0, axis)


def along(x: Array, axis: int, function: Callable[[Array], Array]) -> Array:
    return np.apply_along_axis(function, axis, x)


def softmax(x: Array, axis: int = -1) -> Array:
    return along(x, axis, lambda row: np.array([1 / sum(math.exp(b - a) for b in row) for a in row]))


def split(x: Array, lengths: Any, axis: int = 0) -> list[Array]:
    places = range(lengths, x.shape[axis], lengths) if isinstance(lengths, int) else np.cumsum(lengths)[:-1]
    return np.split(x, places, axis)


def batch_norm(x: Array, w: Array, b: Array, mean: Array, var: Array, training: bool, eps: float = 1e-5) -> Array:
    y = np.empty_like(x)
    for c in range(x.shape[-1]):
        values = x[..., c]
        center, spread = (values.mean(), values.var()) if training else (mean[c], var[c])
        y[..., c] = (values - center) / math.sqrt(spread + eps) * w[c] + b[c]
    return y


def layer_norm(x: Array, w: Array, b: Array, eps: float = 1e-5) -> Array:
    return along(x, -1, lambda row: (row - row.mean()) / math.sqrt(row.var() + eps) * w + b)


def dropout(x: Array, seed: Array, p: float, training: bool = True) -> Array:
    """The mask is the plain kernel's: tests/kernels hold its statistics."""
    from minigen.kernels import reference

    return reference.dropout(x, key(generator(int(seed))), p) if training and p else x


def power(a: Array, exponents: Any = None, b: Any = None) -> Array:
    pairs = np.broadcast(a, np.asarray(exponents if b is None else b, float))
    return np.array([x**n for x, n in pairs]).reshape(pairs.shape)


def gelu(x: Array, approximate: str = "none") -> Array:
    def phi(v: float) -> float:
        if approximate == "tanh":
            return (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))) / 2
        return (1 + math.erf(v / math.sqrt(2))) / 2

    return x * each(phi)(x)


ORACLES: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "power": power,
    "maximum": lambda a, b: (a + b + np.abs(a - b)) / 2,
    "minimum": lambda a, b: (a + b - np.abs(a - b)) / 2,
    "where": lambda c, a, b: c * a + ~c * b,
    "negative": lambda x: 0 - x,
    "abs": each(abs),
    "clip": lambda x, min=-np.inf, max=np.inf: each(lambda v: min if v < min else max if v > max else v)(x),
    "exp": each(math.exp),
    "expm1": each(math.expm1),
    "log": each(math.log),
    "log1p": each(math.log1p),
    "sqrt": each(math.sqrt),
    "sin": each(math.sin),
    "cos": each(math.cos),
    "tanh": each(math.tanh),
    "sigmoid": each(lambda x: 1 / (1 + math.exp(-x))),
    "softplus": each(lambda x: math.log(1 + math.exp(x))),
    "erf": each(math.erf),
    "gelu": gelu,
    "silu": each(lambda x: x / (1 + math.exp(-x))),
    "relu": each(lambda x: max(x, 0)),
    "leaky_relu": lambda x, negative_slope=0.01: each(lambda v: v if v > 0 else negative_slope * v)(x),
    "elu": lambda x, alpha=1.0: each(lambda v: v if v > 0 else alpha * (math.exp(v) - 1))(x),
    "softmax": softmax,
    "log_softmax": lambda x, axis=-1: np.log(softmax(x, axis)),
    "sum": over(math.fsum),
    "mean": over(lambda values: math.fsum(values) / len(values)),
    "var": over(variance),
    "max": over(max),
    "min": over(min),
    "logsumexp": over(lambda values: math.log(math.fsum(map(math.exp, values)))),
    "cumsum": running_sum,
    "reshape": lambda x, shape: x.ravel().reshape(shape),
    "transpose": lambda x, axes=None: x.transpose(axes),
    "swapaxes": np.swapaxes,
    "expand": lambda x, shape: x * np.ones(shape),
    "squeeze": np.squeeze,
    "expand_dims": np.expand_dims,
    "concatenate": lambda *xs, axis=0: np.concatenate(xs, axis),
    "stack": lambda *xs, axis=0: np.stack(xs, axis),
    "split": split,
    "flip": np.flip,
    "getitem": lambda x, index: x[index],
    "matmul": np.matmul,
    "linear": then_leaky(lambda x, w, b=0.0: np.einsum("...i,ij->...j", x, w) + b),
    "einsum": lambda *arrays, subscripts: np.einsum(subscripts, *arrays, optimize=False),
    "batch_norm": then_leaky(batch_norm),
    "layer_norm": layer_norm,
    "dropout": dropout,
    "embedding": lambda index, table: np.array([table[i] for i in index.flat]).reshape(*index.shape, -1),
}
SUBJECTS = (
    op_cases_attention,
    op_cases_choosing,
    op_cases_elementwise,
    op_cases_images,
    op_cases_loss,
    op_cases_layers,
    op_cases_pixels,
    op_cases_sequence,
)
for subject in SUBJECTS:
    ORACLES |= subject.ORACLES


def oracle(case: Sample, arrays: list[Array]) -> list[Array]:
    """The outputs that `case` should give."""
    y = ORACLES[case.operation](*arrays, **case.options)
    return [np.asarray(part) for part in (y if isinstance(y, (list, tuple)) else [y])]


SAME_IN_TORCH = (
    *("add", "subtract", "multiply", "divide", "maximum", "minimum", "where", "negative", "abs", "clip", "matmul"),
    *("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "sigmoid", "erf"),
)
SAME_IN_FUNCTIONAL = ("softplus", "gelu", "silu", "relu", "leaky_relu", "elu")


def twins(torch: Any) -> dict[str, Callable[..., Any]]:
    """The same operations in PyTorch. Those without a counterpart there are absent."""
    F = torch.nn.functional
    as_is = {name: getattr(torch, name) for name in SAME_IN_TORCH}
    as_is |= {name: getattr(F, name) for name in SAME_IN_FUNCTIONAL}

    def extreme(function: Any) -> Callable[..., Any]:
        return lambda x, axis=None, keepdims=False: function(x, () if axis is None else axis, keepdims)

    def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return torch.logsumexp(x, tuple(range(x.ndim)) if axis is None else axis, keepdims)

    def variance(x: Any, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Any:
        return torch.var(x, axis, correction=ddof, keepdim=keepdims)

    def batch_norm(x: Any, w: Any, b: Any, mean: Any, var: Any, **options: Any) -> Any:
        rows = F.batch_norm(x.reshape(-1, x.shape[-1]), mean.clone(), var.clone(), w, b, **options)
        return rows.reshape(x.shape)

    return {
        **as_is,
        **{name: twin for subject in SUBJECTS for name, twin in subject.twins(torch).items()},
        "power": lambda a, n=None, b=None: torch.pow(a, n if b is None else b),
        "softmax": lambda x, axis=-1: torch.softmax(x, axis),
        "log_softmax": lambda x, axis=-1: torch.log_softmax(x, axis),
        "sum": lambda x, axis=None, keepdims=False: torch.sum(x, axis, keepdims),
        "mean": lambda x, axis=None, keepdims=False: torch.mean(x, axis, keepdims),
        "var": variance,
        "max": extreme(torch.amax),
        "min": extreme(torch.amin),
        "logsumexp": logsumexp,
        "cumsum": torch.cumsum,
        "reshape": torch.reshape,
        "transpose": lambda x, axes=None: x.permute(tuple(range(x.ndim))[::-1] if axes is None else axes),
        "swapaxes": lambda x, axis1, axis2: torch.swapaxes(x, axis1, axis2),
        "expand": lambda x, shape: x.expand(shape),
        "concatenate": lambda *xs, axis=0: torch.cat(xs, axis),
        "stack": lambda *xs, axis=0: torch.stack(xs, axis),
        "split": lambda x, lengths, axis=0: torch.split(x, lengths, axis),
        "flip": lambda x, axis=None: torch.flip(x, tuple(range(x.ndim)) if axis is None else (axis,)),
        "linear": then_leaky(lambda x, w, b=None: F.linear(x, w.T, b)),
        "einsum": lambda *xs, subscripts: torch.einsum(subscripts, *xs),
        "batch_norm": then_leaky(batch_norm),
        "layer_norm": lambda x, w, b, eps=1e-5: F.layer_norm(x, x.shape[-1:], w, b, eps),
        "embedding": F.embedding,
    }
