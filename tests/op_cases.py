"""Oracles for every operation: what it should give, in plain NumPy and loops, and its twin in PyTorch.

The sample calls stand in `minigen.autograd.verify`, each once; here stands the answer, under the operation's name.
An oracle takes the sample's arrays (in float64) and its options. A twin takes torch tensors and the same options, in
our layouts: images (N, H, W, C), weights (KH, KW, Cin, Cout), dense weights (in, out).
"""

import itertools
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import op_cases_attention
import op_cases_sequence

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


def pad_index(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    return [(pad_width, pad_width)] * ndim if isinstance(pad_width, int) else list(pad_width)


def pad(x: Array, pad_width: Any, value: float = 0.0) -> Array:
    widths = pad_index(pad_width, x.ndim)
    y = np.full([a + n + b for (a, b), n in zip(widths, x.shape, strict=True)], value)
    for index in np.ndindex(x.shape):
        y[tuple(i + a for i, (a, _) in zip(index, widths, strict=True))] = x[index]
    return y


def split(x: Array, sections: Any, axis: int = 0) -> list[Array]:
    return np.split(x, sections if isinstance(sections, int) else np.cumsum(sections)[:-1], axis)


def pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def padding_of(padding: Any, size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """(before, after) along one axis; "same" makes ceil(size / stride) results, the odd zero goes behind."""
    if padding == "same":
        total = max(0, (math.ceil(size / stride) - 1) * stride + dilation * (kernel - 1) + 1 - size)
        return total // 2, total - total // 2
    return padding, padding


def then_leaky(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` on arrays (or PyTorch's tensors), its result times `negative_slope` below 0."""

    def call(*inputs: Any, negative_slope: float = 1.0, **options: Any) -> Any:
        y = function(*inputs, **options)
        return y if negative_slope == 1 else y * (y >= 0) + y * (y < 0) * negative_slope

    return call


def conv2d(x: Array, w: Array, b: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1):
    (sh, sw), (dh, dw) = pair(stride), pair(dilation)
    kh, kw, cin, cout = w.shape
    vertical, horizontal = (padding, padding) if padding == "same" else (0, 0) if padding == "valid" else pair(padding)
    rows, columns = padding_of(vertical, x.shape[1], kh, sh, dh), padding_of(horizontal, x.shape[2], kw, sw, dw)
    x = pad(x, [(0, 0), rows, columns, (0, 0)])
    oh, ow = (x.shape[1] - dh * (kh - 1) - 1) // sh + 1, (x.shape[2] - dw * (kw - 1) - 1) // sw + 1
    y = np.zeros((len(x), oh, ow, cout))
    for n, i, j, o in np.ndindex(y.shape):
        first = o // (cout // groups) * cin
        rows, columns = i * sh + dh * np.arange(kh), j * sw + dw * np.arange(kw)
        y[n, i, j, o] = (x[n, rows[:, None], columns, first : first + cin] * w[..., o]).sum()
    return y if b is None else y + b


def conv_transpose2d(
    x: Array, w: Array, b: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1,
    dilation: Any = 1,
) -> Array:  # fmt: skip
    (sh, sw), (dh, dw), (ph, pw) = pair(stride), pair(dilation), pair(output_padding)
    kh, kw, cout, cin = w.shape
    n, h, width, _ = x.shape
    oh, ow = (h - 1) * sh + dh * (kh - 1) + 1 + ph, (width - 1) * sw + dw * (kw - 1) + 1 + pw
    full = np.zeros((n, oh, ow, cout * groups))
    for i, j, a, c in itertools.product(range(h), range(width), range(kh), range(kw)):
        for o in range(cout * groups):
            first = o // cout * (cin // groups)
            seen = slice(first, first + cin // groups)
            full[:, i * sh + a * dh, j * sw + c * dw, o] += x[:, i, j, seen] @ w[a, c, o % cout, seen]
    if padding == "same":  # as many rows as stride · H: the surplus is cut, the smaller half in front
        surplus = [max(0, d * (k - 1) + 1 - s) for k, s, d in ((kh, sh, dh), (kw, sw, dw))]
        (top, left), (high, wide) = [s // 2 for s in surplus], (h * sh, width * sw)
    else:
        top, left = (0, 0) if padding == "valid" else pair(padding)
        high, wide = full.shape[1] - 2 * top, full.shape[2] - 2 * left
    y = full[:, top : top + high, left : left + wide]
    return y if b is None else y + b


def pool2d(reduce: Callable[[Array], Any], empty: float) -> Callable[..., Array]:
    def pooled(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Array:
        kernel, (ph, pw) = pair(kernel_size), pair(padding)
        (kh, kw), (sh, sw) = kernel, kernel if stride is None else pair(stride)
        x = pad(x, [(0, 0), (ph, ph), (pw, pw), (0, 0)], empty)
        y = np.empty((len(x), (x.shape[1] - kh) // sh + 1, (x.shape[2] - kw) // sw + 1, x.shape[3]))
        for n, i, j, c in np.ndindex(y.shape):
            y[n, i, j, c] = reduce(x[n, i * sh : i * sh + kh, j * sw : j * sw + kw, c])
        return y

    return pooled


def upsample_nearest(x: Array, scale_factor: Any) -> Array:
    (sh, sw), (n, h, w, c) = pair(scale_factor), x.shape
    y = np.empty((n, h * sh, w * sw, c))
    for i, j in np.ndindex(h * sh, w * sw):
        y[:, i, j] = x[:, i // sh, j // sw]
    return y


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


def loss(term: Callable[..., Any]) -> Callable[..., Any]:
    """A loss by its value for one element (or one row, when `rows`), with the three reductions."""

    def reduced(*arrays: Array, reduction: str, **options: Any) -> Any:
        values = np.array([term(*items, **options) for items in zip(*[a.ravel() for a in arrays], strict=True)])
        return reduce(values.reshape(arrays[0].shape), reduction)

    return reduced


def row_loss(term: Callable[..., Any]) -> Callable[..., Any]:
    """A loss by its value for one row."""

    def reduced(*arrays: Array, reduction: str, **options: Any) -> Any:
        return reduce(np.array([term(*row, **options) for row in zip(*arrays, strict=True)]), reduction)

    return reduced


def reduce(values: Array, reduction: str) -> Any:
    return {"mean": values.mean, "sum": values.sum, "none": lambda: values}[reduction]()


def cross_entropy(logits: Array, label: int, label_smoothing: float = 0.0) -> float:
    q = [label_smoothing / len(logits) + (1 - label_smoothing) * (k == label) for k in range(len(logits))]
    log_sum = math.log(sum(math.exp(x) for x in logits))
    return -math.fsum(q_k * (x - log_sum) for q_k, x in zip(q, logits, strict=True))


def huber(x: float, t: float, delta: float = 1.0) -> float:
    d = abs(x - t)
    return d * d / 2 if d <= delta else delta * (d - delta / 2)


def power(a: Array, exponents: Any = None, b: Any = None) -> Array:
    pairs = np.broadcast(a, np.asarray(exponents if b is None else b, float))
    return np.array([x**n for x, n in pairs]).reshape(pairs.shape)


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
    "gelu": each(lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2),
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
    "pad": pad,
    "flip": np.flip,
    "getitem": lambda x, index: x[index],
    "matmul": np.matmul,
    "linear": then_leaky(lambda x, w, b=0.0: np.einsum("...i,ij->...j", x, w) + b),
    "einsum": lambda *arrays, subscripts: np.einsum(subscripts, *arrays, optimize=False),
    "conv2d": then_leaky(conv2d),
    "conv_transpose2d": then_leaky(conv_transpose2d),
    "max_pool2d": pool2d(np.max, -np.inf),
    "avg_pool2d": pool2d(np.mean, 0.0),
    "upsample_nearest": upsample_nearest,
    "batch_norm": then_leaky(batch_norm),
    "layer_norm": layer_norm,
    "dropout": dropout,
    "embedding": lambda index, table: np.array([table[i] for i in index.flat]).reshape(*index.shape, -1),
    "mse_loss": loss(lambda x, t: (x - t) ** 2),
    "l1_loss": loss(lambda x, t: abs(x - t)),
    "huber_loss": loss(huber),
    "binary_cross_entropy": loss(lambda p, t: -t * math.log(p) - (1 - t) * math.log(1 - p)),
    "binary_cross_entropy_with_logits": loss(lambda x, t: math.log(1 + math.exp(x)) - t * x),
    "hinge_loss": loss(lambda x, t: max(0, 1 - t * x)),
    "cross_entropy": row_loss(cross_entropy),
    "nll_loss": row_loss(lambda row, label: -row[label]),
    "gaussian_kl": row_loss(lambda mu, logvar: 0.5 * np.sum(mu**2 + np.exp(logvar) - 1 - logvar)),
    "l1_penalty": lambda *xs: sum(np.abs(x).sum() for x in xs),
    "l2_penalty": lambda *xs: sum((x**2).sum() for x in xs),
    **op_cases_attention.ORACLES,
    **op_cases_sequence.ORACLES,
}


def oracle(case: Sample, arrays: list[Array]) -> list[Array]:
    """The outputs that `case` should give."""
    y = ORACLES[case.operation](*arrays, **case.options)
    return [np.asarray(part) for part in (y if isinstance(y, (list, tuple)) else [y])]


SAME_IN_TORCH = (
    *("add", "subtract", "multiply", "divide", "maximum", "minimum", "where", "negative", "abs", "clip", "matmul"),
    *("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "sigmoid", "erf"),
)
SAME_IN_FUNCTIONAL = (
    *("softplus", "gelu", "silu", "relu", "leaky_relu", "elu", "mse_loss", "l1_loss", "huber_loss"),
    *("binary_cross_entropy", "binary_cross_entropy_with_logits"),
)


def twins(torch: Any) -> dict[str, Callable[..., Any]]:
    """The same operations in PyTorch. Those without a counterpart there are absent."""
    F = torch.nn.functional
    as_is = {name: getattr(torch, name) for name in SAME_IN_TORCH}
    as_is |= {name: getattr(F, name) for name in SAME_IN_FUNCTIONAL}
    images = SimpleNamespace(to=lambda x: x.permute(0, 3, 1, 2), back=lambda y: y.permute(0, 2, 3, 1))

    def extreme(function: Any) -> Callable[..., Any]:
        return lambda x, axis=None, keepdims=False: function(x, () if axis is None else axis, keepdims)

    def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return torch.logsumexp(x, tuple(range(x.ndim)) if axis is None else axis, keepdims)

    def variance(x: Any, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Any:
        return torch.var(x, axis, correction=ddof, keepdim=keepdims)

    def conv2d(x: Any, w: Any, b: Any = None, **options: Any) -> Any:
        if options.get("padding") == "same" and "stride" in options:
            return None
        return images.back(F.conv2d(images.to(x), w.permute(3, 2, 0, 1), b, **options))

    def conv_transpose2d(x: Any, w: Any, b: Any = None, padding: Any = 0, **options: Any) -> Any:
        if padding == "same":
            return None
        padding = 0 if padding == "valid" else padding
        return images.back(F.conv_transpose2d(images.to(x), w.permute(3, 2, 0, 1), b, padding=padding, **options))

    def batch_norm(x: Any, w: Any, b: Any, mean: Any, var: Any, **options: Any) -> Any:
        rows = F.batch_norm(x.reshape(-1, x.shape[-1]), mean.clone(), var.clone(), w, b, **options)
        return rows.reshape(x.shape)

    def hinge(x: Any, t: Any, reduction: str) -> Any:
        return reduced((1 - t * x).clip(0), reduction)

    def kl(mu: Any, logvar: Any, reduction: str) -> Any:
        return reduced(-0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(-1), reduction)

    def reduced(x: Any, reduction: str) -> Any:
        return x if reduction == "none" else getattr(x, reduction)()

    return {
        **as_is,
        **op_cases_sequence.twins(torch),
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
        "split": lambda x, sections, axis=0: torch.split(
            x, x.shape[axis] // sections if isinstance(sections, int) else sections, axis
        ),
        "pad": lambda x, pad_width, value=0.0: F.pad(
            x, [n for two in reversed(pad_index(pad_width, x.ndim)) for n in two], value=value
        ),
        "flip": lambda x, axis=None: torch.flip(x, tuple(range(x.ndim)) if axis is None else (axis,)),
        "linear": then_leaky(lambda x, w, b=None: F.linear(x, w.T, b)),
        "einsum": lambda *xs, subscripts: torch.einsum(subscripts, *xs),
        "conv2d": then_leaky(conv2d),
        "conv_transpose2d": then_leaky(conv_transpose2d),
        "max_pool2d": lambda x, **options: images.back(F.max_pool2d(images.to(x), **options)),
        "avg_pool2d": lambda x, **options: images.back(F.avg_pool2d(images.to(x), **options)),
        "upsample_nearest": lambda x, scale_factor: images.back(F.interpolate(images.to(x), scale_factor=scale_factor)),
        "batch_norm": then_leaky(batch_norm),
        "layer_norm": lambda x, w, b, eps=1e-5: F.layer_norm(x, x.shape[-1:], w, b, eps),
        "embedding": F.embedding,
        "cross_entropy": F.cross_entropy,
        "nll_loss": F.nll_loss,
        "hinge_loss": hinge,
        "gaussian_kl": kl,
        "l1_penalty": lambda *xs: sum(x.abs().sum() for x in xs),
        "l2_penalty": lambda *xs: sum((x**2).sum() for x in xs),
        **op_cases_attention.twins(torch),
    }
