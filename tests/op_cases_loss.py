"""Oracles of the losses: term by term in Python, and their twins in PyTorch. Joined to the others in op_cases.py."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray


def loss(term: Callable[..., Any]) -> Callable[..., Any]:
    """A loss by its value for one element, with the three reductions; further arrays broadcast to the first."""

    def reduced(*arrays: Array, reduction: str = "mean", **options: Any) -> Any:
        flat = [np.broadcast_to(a, arrays[0].shape).ravel() for a in arrays]
        values = np.array([term(*items, **options) for items in zip(*flat, strict=True)])
        return reduce(values.reshape(arrays[0].shape), reduction)

    return reduced


def row_loss(term: Callable[..., Any]) -> Callable[..., Any]:
    """A loss by its value for one row."""

    def reduced(*arrays: Array, reduction: str = "mean", **options: Any) -> Any:
        return reduce(np.array([term(*row, **options) for row in zip(*arrays, strict=True)]), reduction)

    return reduced


def reduce(values: Array, reduction: str) -> Any:
    return {
        "mean": values.mean,
        "sum": values.sum,
        "none": lambda: values,
        "batchmean": lambda: values.sum() / len(values),
    }[reduction]()


def huber(x: float, t: float, delta: float = 1.0) -> float:
    d = abs(x - t)
    return d * d / 2 if d <= delta else delta * (d - delta / 2)


def smooth_l1(x: float, t: float, beta: float = 1.0) -> float:
    return huber(x, t, beta) / beta if beta else abs(x - t)


def gaussian_nll(x: Array, t: Array, var: Array, full: bool = False, reduction: str = "mean") -> Any:
    var = var if var.ndim == x.ndim else var[:, None]
    constant = math.log(2 * math.pi) / 2 if full else 0.0
    return loss(lambda a, b, v: math.log(v) / 2 + (a - b) ** 2 / (2 * v) + constant)(x, t, var, reduction=reduction)


def bce(p: float, t: float, weight: float = 1.0) -> float:
    return -weight * (t * math.log(p) + (1 - t) * math.log(1 - p))


def bce_with_logits(x: Array, t: Array, weight: Any = 1.0, pos_weight: Any = 1.0, reduction: str = "mean") -> Any:
    def term(x: float, t: float, weight: float, positive: float) -> float:
        p = 1 / (1 + math.exp(-x))
        return -weight * (positive * t * math.log(p) + (1 - t) * math.log(1 - p))

    return loss(term)(x, t, np.asarray(weight), np.asarray(pos_weight), reduction=reduction)


def kl_div(x: float, t: float, log_target: bool = False) -> float:
    return math.exp(t) * (t - x) if log_target else t * (math.log(t) - x)


def log_softmax(row: Array) -> list[float]:
    total = math.log(sum(math.exp(x) for x in row))
    return [x - total for x in row]


def classes(log_of: Callable[[Array], Any]) -> Callable[..., Any]:
    """Cross-entropy of each place and of each class in it, `log_of` giving the log-probabilities of a row."""

    def value(
        x: Array, target: Array, weight: Any = None, ignore_index: int = -100, label_smoothing: float = 0.0,
        reduction: str = "mean",
    ) -> Any:  # fmt: skip
        k = x.shape[-1]
        soft = target.shape == x.shape
        weight = [1.0] * k if weight is None else weight
        values, total = np.zeros(x.shape[:-1]), 0.0
        for place in np.ndindex(values.shape):
            if not soft and target[place] == ignore_index:
                continue
            hard = target[place] if soft else [float(c == target[place]) for c in range(k)]
            q = [(1 - label_smoothing) * h + label_smoothing / k for h in hard]
            values[place] = -math.fsum(w * a * b for w, a, b in zip(weight, q, log_of(x[place]), strict=True))
            total += 1.0 if soft else weight[target[place]]
        return values.sum() / total if reduction == "mean" else reduce(values, reduction)

    return value


def cosine(a: Array, b: Array, sign: float, margin: float = 0.0) -> float:
    value = float(a @ b) / math.sqrt((a @ a) * (b @ b))
    return 1 - value if sign == 1 else max(0.0, value - margin)


def triplet(a: Array, near: Array, far: Array, margin: float = 1.0, swap: bool = False, p: float = 2) -> float:
    def distance(x: Array, y: Array) -> float:
        return float(np.linalg.norm(x - y + 1e-6, p))

    other = min(distance(a, far), distance(near, far)) if swap else distance(a, far)
    return max(0.0, distance(a, near) - other + margin)


def targets_of(targets: Array, target_lengths: Any) -> list[list[int]]:
    """The labels of each sequence, from rows or from one after the other."""
    if targets.ndim == 2:
        return [[int(c) for c in row[:n]] for row, n in zip(targets, target_lengths, strict=True)]
    ends = list(itertools.accumulate(target_lengths))
    return [[int(c) for c in targets[b - n : b]] for b, n in zip(ends, target_lengths, strict=True)]


def ctc(
    x: Array, targets: Array, input_lengths: Any, target_lengths: Any, blank: int = 0, zero_infinity: bool = False,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """Every path of labels through time is written out, and counted when it reads as the target."""
    values = []
    for row, steps, target in zip(x, input_lengths, targets_of(targets, target_lengths), strict=True):
        total = 0.0
        for path in itertools.product(range(x.shape[2]), repeat=steps):
            if [c for c, _ in itertools.groupby(path) if c != blank] == target:
                total += math.exp(math.fsum(row[t, c] for t, c in enumerate(path)))
        value = -math.log(total) if total else 0.0 if zero_infinity else math.inf
        values.append(value / max(len(target), 1) if reduction == "mean" else value)
    return reduce(np.array(values), reduction)


ORACLES: dict[str, Callable[..., Any]] = {
    "mse_loss": loss(lambda x, t: (x - t) ** 2),
    "l1_loss": loss(lambda x, t: abs(x - t)),
    "huber_loss": loss(huber),
    "smooth_l1_loss": loss(smooth_l1),
    "gaussian_kl": row_loss(lambda mu, logvar: 0.5 * np.sum(mu**2 + np.exp(logvar) - 1 - logvar)),
    "gaussian_nll_loss": gaussian_nll,
    "binary_cross_entropy": loss(bce),
    "binary_cross_entropy_with_logits": bce_with_logits,
    "kl_div": loss(kl_div),
    "cross_entropy": classes(log_softmax),
    "nll_loss": classes(lambda row: row),
    "hinge_loss": loss(lambda x, t: max(0, 1 - t * x)),
    "margin_ranking_loss": loss(lambda a, b, sign, margin: max(0, margin - sign * (a - b))),
    "cosine_embedding_loss": row_loss(cosine),
    "triplet_margin_loss": row_loss(triplet),
    "ctc_loss": ctc,
    "l1_penalty": lambda *xs: sum(np.abs(x).sum() for x in xs),
    "l2_penalty": lambda *xs: sum((x**2).sum() for x in xs),
}

SAME_IN_FUNCTIONAL = (
    *("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "kl_div"),
    *("margin_ranking_loss", "cosine_embedding_loss", "triplet_margin_loss"),
)


def twins(torch: Any) -> dict[str, Callable[..., Any]]:
    F = torch.nn.functional

    def as_tensors(function: Any) -> Callable[..., Any]:
        """`function` with its weights as tensors, and the classes of x on the second axis."""

        def call(x: Any, target: Any, *weight: Any, **options: Any) -> Any:
            for name in ("weight", "pos_weight"):
                if name in options:
                    options[name] = torch.tensor(options[name], dtype=x.dtype)
            if function in (F.cross_entropy, F.nll_loss) and x.ndim > 2:
                x = x.movedim(-1, 1)
            return function(x, target, *weight, **options)

        return call

    def weighted(function: Any) -> Callable[..., Any]:
        """PyTorch does not differentiate the weight: it is multiplied here."""

        def call(x: Any, target: Any, weight: Any = 1.0, reduction: str = "mean", **options: Any) -> Any:
            return reduced(as_tensors(function)(x, target, reduction="none", **options) * weight, reduction)

        return call

    def reduced(x: Any, reduction: str) -> Any:
        return x if reduction == "none" else getattr(x, reduction)()

    def ctc(
        x: Any, targets: Any, input_lengths: Any, target_lengths: Any, reduction: str = "mean", **options: Any
    ) -> Any:
        """PyTorch's gradient is that behind log_softmax; a row that does not sum to 1 adds the log of its sum."""
        lengths = torch.tensor(input_lengths), torch.tensor(target_lengths)
        y = F.ctc_loss(x.log_softmax(-1).transpose(0, 1), targets, *lengths, **options, reduction="none")
        counts = torch.arange(x.shape[1]) < lengths[0][:, None]
        y = y - (y > 0) * (x.logsumexp(-1) * counts).sum(-1)
        return reduced(y / lengths[1].clamp(1) if reduction == "mean" else y, reduction)

    return {
        **{name: getattr(F, name) for name in SAME_IN_FUNCTIONAL},
        "binary_cross_entropy": weighted(F.binary_cross_entropy),
        "binary_cross_entropy_with_logits": weighted(F.binary_cross_entropy_with_logits),
        "cross_entropy": as_tensors(F.cross_entropy),
        "nll_loss": as_tensors(F.nll_loss),
        "gaussian_nll_loss": F.gaussian_nll_loss,
        "hinge_loss": lambda x, t, reduction: reduced((1 - t * x).clip(0), reduction),
        "gaussian_kl": lambda mu, logvar, reduction: reduced(
            -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(-1), reduction
        ),
        "ctc_loss": ctc,
        "l1_penalty": lambda *xs: sum(x.abs().sum() for x in xs),
        "l2_penalty": lambda *xs: sum((x**2).sum() for x in xs),
    }
