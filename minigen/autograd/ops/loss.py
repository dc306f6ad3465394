"""Losses of classes and of probabilities. Classes lie on the last axis of logits, also for images and sequences.

Reductions: see loss_base.py.
"""

from typing import Any

import numpy as np

from minigen import kernels
from minigen.advice import advise
from minigen.autograd.function import Function
from minigen.autograd.fused import Gradients
from minigen.autograd.modes import modes
from minigen.autograd.ops.activation import Sigmoid, softplus
from minigen.autograd.ops.arithmetic import maximum, where
from minigen.autograd.ops.elementary import exp, log, log1p
from minigen.autograd.ops.loss_base import FusedLoss, alike, broadcast_weight, check_reduction, fixed, reduce
from minigen.autograd.ops.operands import as_float, integers, same_dtype
from minigen.autograd.ops.reduction import sum
from minigen.autograd.ops.softmax import Softmax, log_softmax
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.checks import check_number, check_whole
from minigen.config import FLOAT_DTYPES
from minigen.errors import DataError, ShapeError
from minigen.kernels.noting import copied, host


class CrossEntropy(FusedLoss):
    """-Σ_k q_k log softmax(x)_k, q = (1 - s) onehot(label) + s / K; gx = gy (softmax(x) - q).

    weights: None, or a factor (M,) for the loss of each row; rows with factor 0 count as absent. terms: what the mean
    divides by.
    """

    def __init__(
        self, labels: np.ndarray, smoothing: float, reduction: str, weights: np.ndarray | None, terms: float
    ) -> None:
        super().__init__(reduction)
        self.labels, self.smoothing, self.weights, self.terms = labels, smoothing, weights, terms

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        losses, probabilities = kernels.cross_entropy(x.reshape(-1, x.shape[-1]), self.labels, self.smoothing)
        self.residuals = (probabilities,)
        if self.weights is not None:
            losses *= self.weights
            losses[self.weights == 0] = 0  # NaN too
        return self.reduced(losses.reshape(x.shape[:-1]), self.terms)

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        shape = self.saved_array(0).shape
        scale = copied(np.broadcast_to(self.share(gy, self.terms), shape[:-1])).reshape(-1)
        if self.weights is not None:
            scale = scale * self.weights
        gx = kernels.cross_entropy_grad(scale, self.residuals[0], self.labels, self.smoothing)
        if self.weights is not None:
            gx[self.weights == 0] = 0
        return (gx.reshape(shape),)

    def compose(self, x: Tensor) -> Tensor:
        k = x.shape[-1]
        q = np.full((self.labels.size, k), self.smoothing / k, x.dtype)
        q[np.arange(self.labels.size), self.labels] += 1 - self.smoothing
        if self.weights is not None:
            q *= self.weights[:, None]
            x = where((self.weights != 0).reshape(*x.shape[:-1], 1), x, 0.0)
        return reduce(-sum(log_softmax(x) * Tensor(q.reshape(x.shape)), -1), self.reduction, self.terms)


class BCEWithLogits(FusedLoss):
    """softplus(x) - t x; gx = gy (sigmoid(x) - t), gt = -gy x."""

    def forward(self, x: np.ndarray, target: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        if self.reduction == "none":
            return kernels.bce_with_logits(x, target)
        y = np.empty((), x.dtype)
        kernels.bce_with_logits_sum(x, target, x.size if self.reduction == "mean" else 1, y)
        return y

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        x, target = self.saved_array(0), self.saved_array(1)
        share = self.share(gy, x.size)
        gx = kernels.bce_with_logits_grad(x, target, share) if self.needs[0] else None
        return gx, -share * x if self.needs[1] else None

    def compose(self, x: Tensor, target: Tensor) -> Tensor:
        return reduce(softplus(x) - x * target, self.reduction)


class BCE(Function):
    """-t log p - (1 - t) log(1 - p), each logarithm at least -100; gp = gy (p - t) / max(p (1 - p), 1e-12)."""

    def __init__(self, reduction: str) -> None:
        self.reduction = reduction

    def forward(self, p: np.ndarray, target: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        with np.errstate(divide="ignore"):
            yes, no = np.maximum(np.log(p), -100), np.maximum(np.log1p(-p), -100)
        losses = -target * yes - (1 - target) * no
        if self.reduction == "none":
            return losses
        total = kernels.total(losses, tuple(range(losses.ndim)))
        return total / p.dtype.type(p.size) if self.reduction == "mean" else total

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        p, target = self.saved_input(0), self.saved_input(1)
        share = gy * (1.0 / p.size) if self.reduction == "mean" else gy
        gp = None
        if self.needs[0] and modes.recording:  # in two terms, whose derivatives do not cancel
            inside = p.data * (1.0 - p.data) >= 1e-12
            terms = (1.0 - target) / where(inside, 1.0 - p, 1.0) - target / where(inside, p, 1.0)
            gp = share * where(inside, terms, (p - target) * 1e12)
        elif self.needs[0]:
            gp = share * (p - target) / maximum(p * (1.0 - p), 1e-12)
        gt = share * (maximum(log1p(-p), -100.0) - maximum(log(p), -100.0)) if self.needs[1] else None
        return gp, gt


@host
def check_probabilities(p: np.ndarray) -> None:
    """DataError when a number is outside [0, 1] or NaN."""
    if not ((p >= 0) & (p <= 1)).all():
        raise DataError(
            f"binary_cross_entropy: input has values from {p.min()} to {p.max()}, outside [0, 1]; pass probabilities, "
            "or logits to binary_cross_entropy_with_logits"
        )


def binary_cross_entropy(
    input: Operand, target: Operand, weight: Operand | None = None, reduction: str = "mean"
) -> Tensor:
    """-target log(input) - (1 - target) log(1 - input), input a probability; each logarithm is at least -100.

    weight: a factor for each loss, of any shape that broadcasts to theirs; the mean still divides by their number, as
    in PyTorch. Raises ShapeError, and DataError when an input is outside [0, 1] or NaN.
    """
    input, target = alike(input, target, "binary_cross_entropy", reduction)
    check_probabilities(input.data)
    if weight is None:
        return BCE(reduction)(input, target)
    factor = broadcast_weight(weight, input, "binary_cross_entropy", "weight")
    return reduce(BCE("none")(input, target) * factor, reduction)


def binary_cross_entropy_with_logits(
    input: Operand,
    target: Operand,
    weight: Operand | None = None,
    reduction: str = "mean",
    pos_weight: Operand | None = None,
) -> Tensor:
    """softplus(input) - target · input: the binary cross-entropy of sigmoid(input), without overflow.

    weight: a factor for each loss, as in `binary_cross_entropy`. pos_weight: a factor w for the part of the positives,
    of a shape that broadcasts, often (classes,): (1 - target) input + (1 + (w - 1) target) softplus(-input).
    Raises ShapeError unless the shapes of input and target are equal and the weights broadcast to them.
    """
    name = "binary_cross_entropy_with_logits"
    advise_logits(as_tensor(input, name), Sigmoid, name)
    input, target = alike(input, target, name, reduction)
    if weight is None and pos_weight is None:
        return BCEWithLogits(reduction)(input, target)
    if pos_weight is None:
        losses = BCEWithLogits("none")(input, target)
    else:
        positive = broadcast_weight(pos_weight, input, name, "pos_weight")
        losses = (1.0 - target) * input + (1.0 + (positive - 1.0) * target) * softplus(-input)
    if weight is not None:
        losses = losses * broadcast_weight(weight, input, name, "weight")
    return reduce(losses, reduction)


def cross_entropy(
    input: Operand,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-Σ_k w_k q_k log softmax(input)_k with q = (1 - s) onehot(target) + s / K, s = label_smoothing.

    input: logits (…, K), the classes on the last axis; target: integers (…) in [0, K), or probabilities (…, K), floats
    of which q = (1 - s) target + s / K is made. weight: w (K,), 1 by default. Places whose target is ignore_index are
    left out: their loss and gradient are 0. The mean divides by the sum of the weights of the targets that are left,
    with probabilities by the number of places, as in PyTorch. Szegedy et al. 2016, section 7.
    Raises ShapeError, DTypeError, ArgumentError, or DataError when a label is out of range, or all are ignored and
    there is no mean.
    """
    name = "cross_entropy"
    label_smoothing = check_number(name, "label_smoothing", label_smoothing, 0, 1)
    input = logits(input, name)
    advise_logits(input, Softmax, "cross_entropy")
    factors = class_weights(weight, input, name)
    q = as_tensor(target, name)
    if q.dtype in FLOAT_DTYPES and q.shape == input.shape:
        return soft_cross_entropy(input, q, factors, reduction, label_smoothing)
    labels, rows, terms = classes(input, q, factors, ignore_index, name, reduction)
    if factors is None or not label_smoothing:
        return CrossEntropy(labels.reshape(-1), label_smoothing, reduction, rows, terms)(input)
    k = input.shape[-1]
    mixed = np.full((labels.size, k), label_smoothing / k, input.dtype)
    mixed[np.arange(labels.size), labels.reshape(-1)] += 1 - label_smoothing
    kept = (rows != 0).reshape(*labels.shape, 1)
    weighted = mixed.reshape(input.shape) * factors * kept
    return reduce(-sum(log_softmax(where(kept, input, 0.0)) * Tensor(weighted), -1), reduction, terms)


def soft_cross_entropy(
    input: Tensor, target: Tensor, factors: np.ndarray | None, reduction: str, label_smoothing: float
) -> Tensor:
    """`cross_entropy` with probabilities as target."""
    input, target = same_dtype([input, target])
    check_reduction(input.size // input.shape[-1], "cross_entropy", reduction)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[-1]
    if factors is not None:
        target = target * Tensor(factors)
    return reduce(-sum(log_softmax(input) * target, -1), reduction)


def nll_loss(
    input: Operand, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """-w[target] input[…, target]: the negative log-likelihood, given log-probabilities (…, K) and integers (…).

    weight, ignore_index, reduction: as in `cross_entropy`. Raises ShapeError, DTypeError, or DataError when a label is
    out of range, or all are ignored and there is no mean.
    """
    input = logits(input, "nll_loss")
    factors = class_weights(weight, input, "nll_loss")
    labels, rows, terms = classes(input, as_tensor(target, "nll_loss"), factors, ignore_index, "nll_loss", reduction)
    losses = -input[(*np.indices(labels.shape), labels)]
    if rows is not None:
        rows = rows.reshape(labels.shape)
        losses = where(rows != 0, losses, 0.0) * Tensor(rows)
    loss = reduce(losses, reduction, terms)
    if (loss.data < 0).any():
        advise(
            "nll_loss",
            "nll_loss: the loss is negative, which log-probabilities can not make it; pass log_softmax(logits), or use "
            "cross_entropy(logits, target)",
        )
    return loss


def kl_div(input: Operand, target: Operand, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """target (log target - input), input a log-probability: the terms of KL(target ‖ exp input), in PyTorch's order.

    target: probabilities (0 log 0 = 0), or, with log_target, their logarithms. reduction "batchmean" is the sum over
    all terms divided by the length of the first axis: the divergence itself, where "mean" divides by all terms.
    Raises ShapeError unless the shapes are equal, DataError for a negative probability. Kullback & Leibler 1951.
    """
    batch = reduction == "batchmean"
    input, target = alike(input, target, "kl_div", "mean" if batch else reduction)
    if input.data.min(initial=1.0) >= 0 and input.size:
        advise(
            "kl_div", "kl_div: input holds no negative number, so these are hardly log-probabilities; pass their log"
        )
    if log_target:
        losses = exp(target) * (target - input)
    else:
        if (target.data < 0).any():
            raise DataError(
                f"kl_div: target holds {target.data.min()}, and a probability is not negative; pass log_target=True "
                "for logarithms. The first argument is the log-probability"
            )
        losses = target * (log(where(target.data > 0, target, 1.0)) - input)
    if batch:
        return sum(losses) * (1.0 / (input.shape[0] if input.ndim else 1))
    return reduce(losses, reduction)


def advise_logits(input: Tensor, maker: type[Function], name: str) -> None:
    """Say, once, that a loss that works on logits was given what an activation made."""
    if type(input.node) is maker:
        kind = maker.__name__.lower()
        advise(name, f"{name}: the input is what {kind} made, and {name} applies {kind} itself; pass the logits")


def logits(input: Operand, name: str) -> Tensor:
    """Scores (…, K) of K ≥ 1 classes, as floats."""
    input = as_float(input, name)
    if input.ndim == 0 or input.shape[-1] == 0:
        raise ShapeError(f"{name}: input is {input.shape}; pass (N, K), one column for each class")
    return input


def class_weights(weight: Any, input: Tensor, name: str) -> np.ndarray | None:
    """The weight of each class (K,), checked, in the dtype of the input; None without."""
    if weight is None:
        return None
    factors = fixed(weight, name, "weight")
    if factors.shape != input.shape[-1:]:
        raise ShapeError(f"{name}: weight is {factors.shape}, expected {input.shape[-1:]}, one for each class")
    if not (np.isfinite(factors) & (factors >= 0)).all():
        raise DataError(f"{name}: weight holds {factors.min()} to {factors.max()}; weights are finite and at least 0")
    return factors.astype(input.dtype)


def classes(
    input: Tensor, target: Tensor, factors: np.ndarray | None, ignore_index: int, name: str, reduction: str
) -> tuple[np.ndarray, np.ndarray | None, float]:
    """Labels (…); the factor of the loss of each, flat, or None when all are 1; and what the mean divides by.

    Ignored labels become 0, with the factor 0.
    """
    ignore_index, k = check_whole(name, "ignore_index", ignore_index), input.shape[-1]
    ignored = None
    try:
        labels = integers(target, k, name, "labels")
        if 0 <= ignore_index < k:
            ignored = labels == ignore_index
    except DataError:
        ignored = target.data == ignore_index
        if not ignored.any():
            raise
        labels = integers(np.where(ignored, 0, target.data), k, name, "labels")
    if labels.shape != input.shape[:-1]:
        mend = ""
        if labels.shape == input.shape:
            mend = "; of one-hot rows pass target.argmax(-1), of probabilities floats"
        elif labels.shape == (*input.shape[:1], *input.shape[2:]):
            mend = "; here axis 1 seems to be that of the classes: move it to the end, mg.moveaxis(input, 1, -1)"
        raise ShapeError(
            f"{name}: target is {labels.shape}, but input {input.shape} asks for {input.shape[:-1]}: one label for "
            f"each row, the classes on the last axis{mend}"
        )
    check_reduction(labels.size, name, reduction)
    if factors is None and ignored is None:
        return labels, None, labels.size
    rows = np.ones(labels.size, input.dtype) if factors is None else factors[labels.reshape(-1)]
    if ignored is not None:
        rows[ignored.reshape(-1)] = 0
    terms = float(rows.sum(dtype=np.float64))
    if reduction == "mean" and terms == 0:
        raise DataError(
            f"{name}: every label is {ignore_index}, ignore_index, or of weight 0, and the mean of nothing is not "
            'defined; leave out such batches, or use reduction="sum"'
        )
    return labels, rows, terms
