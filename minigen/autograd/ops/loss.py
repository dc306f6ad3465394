"""Losses. `reduction` is "mean" over all terms, "sum" of them, or "none", which returns them one by one.

Classes lie on the last axis of logits, also for images and sequences.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from minigen import kernels
from minigen.autograd.function import Function
from minigen.autograd.fused import FusedFunction, Gradients
from minigen.autograd.ops.activation import relu, softplus
from minigen.autograd.ops.arithmetic import abs, maximum, where
from minigen.autograd.ops.elementary import expm1, log, log1p
from minigen.autograd.ops.operands import as_float, integers, same_dtype
from minigen.autograd.ops.reduction import mean, sum
from minigen.autograd.ops.softmax import log_softmax
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.checks import check_items, check_number
from minigen.errors import ArgumentError, DataError, ShapeError

REDUCTIONS = ("mean", "sum", "none")


def reduce(losses: Tensor, reduction: str) -> Tensor:
    """The mean or the sum of `losses`, or themselves."""
    if reduction == "none":
        return losses
    return mean(losses) if reduction == "mean" else sum(losses)


class FusedLoss(FusedFunction):
    """Base: a loss whose kernel gives one value for each term, reduced here."""

    def __init__(self, reduction: str) -> None:
        self.reduction = reduction

    def reduced(self, losses: np.ndarray) -> np.ndarray:
        """The losses reduced, as an array."""
        if self.reduction == "none":
            return losses
        total = np.add.reduce(losses, axis=None)  # what .mean() and .sum() call, after some Python
        return np.asarray(total / losses.dtype.type(losses.size) if self.reduction == "mean" else total)

    def share(self, gy: np.ndarray, terms: int) -> np.ndarray:
        """∂L/∂loss of one term: an array for "none", else one number for all."""
        return gy / gy.dtype.type(terms) if self.reduction == "mean" else gy


class SquaredError(FusedLoss):
    """(x - t)²; gx = 2 gy (x - t) = -gt."""

    def forward(self, x: np.ndarray, target: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        difference = x - target
        return self.reduced(difference * difference)

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        x, target = self.saved_array(0), self.saved_array(1)
        gx = (x - target) * (2 * self.share(gy, x.size))
        return gx if self.needs[0] else None, -gx if self.needs[1] else None

    def compose(self, x: Tensor, target: Tensor) -> Tensor:
        difference = x - target
        return reduce(difference * difference, self.reduction)


class CrossEntropy(FusedLoss):
    """-Σ_k q_k log softmax(x)_k, q = (1 - s) onehot(label) + s / K; gx = gy (softmax(x) - q)."""

    def __init__(self, labels: np.ndarray, smoothing: float, reduction: str) -> None:
        super().__init__(reduction)
        self.labels, self.smoothing = labels, smoothing

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        losses, probabilities = kernels.cross_entropy(x.reshape(-1, x.shape[-1]), self.labels, self.smoothing)
        self.residuals = (probabilities,)
        return self.reduced(losses.reshape(x.shape[:-1]))

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        shape = self.saved_array(0).shape
        scale = np.broadcast_to(self.share(gy, self.labels.size), shape[:-1]).reshape(-1)
        gx = kernels.cross_entropy_grad(scale, self.residuals[0], self.labels, self.smoothing)
        return (gx.reshape(shape),)

    def compose(self, x: Tensor) -> Tensor:
        k = x.shape[-1]
        q = np.full((self.labels.size, k), self.smoothing / k, x.dtype)
        q[np.arange(self.labels.size), self.labels] += 1 - self.smoothing
        return reduce(-sum(log_softmax(x) * Tensor(q.reshape(x.shape)), -1), self.reduction)


class BCEWithLogits(FusedLoss):
    """softplus(x) - t x; gx = gy (sigmoid(x) - t), gt = -gy x."""

    def forward(self, x: np.ndarray, target: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        if self.reduction == "none":
            return kernels.bce_with_logits(x, target)
        terms = x.size if self.reduction == "mean" else 1
        return np.asarray(kernels.bce_with_logits_sum(x, target) / terms, x.dtype)

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        x, target = self.saved_array(0), self.saved_array(1)
        share = self.share(gy, x.size)
        gx = None
        if self.needs[0]:
            gx = kernels.bce_with_logits_grad(x, target, 1.0 if share.ndim else float(share))
            gx = gx * share if share.ndim else gx
        return gx, -share * x if self.needs[1] else None

    def compose(self, x: Tensor, target: Tensor) -> Tensor:
        return reduce(softplus(x) - x * target, self.reduction)


class GaussianKL(FusedLoss):
    """Σ (mu² + exp(logvar) - 1 - logvar) / 2 over the last axis; gmu = gy mu, glogvar = gy (exp(logvar) - 1) / 2."""

    def forward(self, mu: np.ndarray, logvar: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        with np.errstate(over="ignore"):
            terms = mu * mu + np.expm1(logvar) - logvar
        return self.reduced(terms.sum(-1) * mu.dtype.type(0.5))

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        mu, logvar = self.saved_array(0), self.saved_array(1)
        share = self.share(gy, math.prod(mu.shape[:-1]))[..., None]
        with np.errstate(over="ignore"):
            glogvar = np.expm1(logvar) * (share * mu.dtype.type(0.5)) if self.needs[1] else None
        return mu * share if self.needs[0] else None, glogvar

    def compose(self, mu: Tensor, logvar: Tensor) -> Tensor:
        return reduce(sum(mu * mu + expm1(logvar) - logvar, -1) * 0.5, self.reduction)


class BCE(Function):
    """-t log p - (1 - t) log(1 - p), each logarithm at least -100; gp = gy (p - t) / max(p (1 - p), 1e-12)."""

    def __init__(self, reduction: str) -> None:
        self.reduction = reduction

    def forward(self, p: np.ndarray, target: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        with np.errstate(divide="ignore"):
            yes, no = np.maximum(np.log(p), -100), np.maximum(np.log1p(-p), -100)
        losses = -target * yes - (1 - target) * no
        return losses if self.reduction == "none" else losses.mean() if self.reduction == "mean" else losses.sum()

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        p, target = self.saved_input(0), self.saved_input(1)
        share = gy * (1.0 / p.size) if self.reduction == "mean" else gy
        gp = share * (p - target) / maximum(p * (1.0 - p), 1e-12) if self.needs[0] else None
        gt = share * (maximum(log1p(-p), -100.0) - maximum(log(p), -100.0)) if self.needs[1] else None
        return gp, gt


def mse_loss(input: Operand, target: Operand, reduction: str = "mean") -> Tensor:
    """(input - target)². Raises ShapeError unless the shapes are equal, as all losses of two tensors do."""
    input, target = alike(input, target, "mse_loss", reduction)
    return SquaredError(reduction)(input, target)


def l1_loss(input: Operand, target: Operand, reduction: str = "mean") -> Tensor:
    """|input - target|. Raises ShapeError unless the shapes are equal."""
    input, target = alike(input, target, "l1_loss", reduction)
    return reduce(abs(input - target), reduction)


def huber_loss(input: Operand, target: Operand, delta: float = 1.0, reduction: str = "mean") -> Tensor:
    """d² / 2 where |d| ≤ delta, delta (|d| - delta / 2) beyond, d = input - target. Huber 1964.

    Raises ShapeError unless the shapes are equal, ArgumentError unless delta > 0.
    """
    input, target = alike(input, target, "huber_loss", reduction)
    delta = check_number("huber_loss", "delta", delta, above=0)
    difference = input - target
    size = abs(difference)
    losses = where(size.data <= delta, difference * difference * 0.5, (size - 0.5 * delta) * delta)
    return reduce(losses, reduction)


def binary_cross_entropy(input: Operand, target: Operand, reduction: str = "mean") -> Tensor:
    """-target log(input) - (1 - target) log(1 - input), input a probability; each logarithm is at least -100.

    Raises DataError when an input is outside [0, 1] or NaN.
    """
    input, target = alike(input, target, "binary_cross_entropy", reduction)
    if not ((input.data >= 0) & (input.data <= 1)).all():
        raise DataError(
            f"binary_cross_entropy: input has values from {input.data.min()} to {input.data.max()}, outside [0, 1]; "
            "pass probabilities, or logits to binary_cross_entropy_with_logits"
        )
    return BCE(reduction)(input, target)


def binary_cross_entropy_with_logits(input: Operand, target: Operand, reduction: str = "mean") -> Tensor:
    """softplus(input) - target · input: the binary cross-entropy of sigmoid(input), without overflow.

    Raises ShapeError unless the shapes are equal.
    """
    input, target = alike(input, target, "binary_cross_entropy_with_logits", reduction)
    return BCEWithLogits(reduction)(input, target)


def cross_entropy(input: Operand, target: Any, label_smoothing: float = 0.0, reduction: str = "mean") -> Tensor:
    """-Σ_k q_k log softmax(input)_k with q = (1 - s) onehot(target) + s / K, s = label_smoothing.

    input: logits (…, K), the classes on the last axis; target: integers (…) in [0, K). Szegedy et al. 2016, section 7.
    Raises ShapeError, DTypeError, ArgumentError, or DataError when a label is out of range.
    """
    label_smoothing = check_number("cross_entropy", "label_smoothing", label_smoothing, 0, 1)
    input, labels = classes(input, target, "cross_entropy", reduction)
    return CrossEntropy(labels.reshape(-1), label_smoothing, reduction)(input)


def nll_loss(input: Operand, target: Any, reduction: str = "mean") -> Tensor:
    """-input[…, target]: the negative log-likelihood, given log-probabilities (…, K) and integers (…).

    Raises ShapeError, DTypeError, or DataError when a label is out of range.
    """
    input, labels = classes(input, target, "nll_loss", reduction)
    places = np.indices(labels.shape)
    return reduce(-input[(*places, labels)], reduction)


def hinge_loss(input: Operand, target: Operand, reduction: str = "mean") -> Tensor:
    """max(0, 1 - target · input), target -1 or 1. Raises DataError on other targets."""
    input, target = alike(input, target, "hinge_loss", reduction)
    if not (np.abs(target.data) == 1).all():
        raise DataError("hinge_loss: target holds values other than -1 and 1; use 2 · label - 1 for labels 0 and 1")
    return reduce(relu(1.0 - target * input), reduction)


def gaussian_kl(mu: Operand, logvar: Operand, reduction: str = "mean") -> Tensor:
    """KL(N(mu, exp logvar) ‖ N(0, 1)) = Σ (mu² + exp(logvar) - 1 - logvar) / 2, summed over the last axis, in nats.

    The reduction goes over the other axes, so that "mean" is nats per sample. Kingma & Welling 2014, appendix B.
    Raises ShapeError unless mu and logvar have one shape, of at least one axis.
    """
    mu, logvar = alike(mu, logvar, "gaussian_kl", reduction)
    if mu.ndim == 0:
        raise ShapeError("gaussian_kl: mu is a single number; pass (N, latent) or (latent,)")
    return GaussianKL(reduction)(mu, logvar)


def l1_penalty(parameters: Tensor | Iterable[Tensor]) -> Tensor:
    """Σ |p| over all elements of all parameters."""
    return total([sum(abs(p)) for p in listed(parameters, "l1_penalty")], "l1_penalty")


def l2_penalty(parameters: Tensor | Iterable[Tensor]) -> Tensor:
    """Σ p² over all elements of all parameters."""
    return total([sum(p * p) for p in listed(parameters, "l2_penalty")], "l2_penalty")


def listed(parameters: Tensor | Iterable[Tensor], name: str) -> list[Tensor]:
    """One tensor, or many, as a list."""
    if isinstance(parameters, Tensor):
        return [parameters]
    mend = "pass model.parameters(), or a list of tensors"
    return check_items(name, "parameters", parameters, (Tensor, np.ndarray), mend)


def total(terms: list[Tensor], name: str) -> Tensor:
    """The sum of scalar tensors."""
    if not terms:
        raise ArgumentError(f"{name}: no parameters; pass module.parameters()")
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result


def alike(input: Operand, target: Operand, name: str, reduction: str) -> list[Tensor]:
    """Two float tensors of one dtype and equal shapes. Losses do not broadcast: it hides mistakes."""
    input, target = as_tensor(input, name), as_tensor(target, name)
    if input.shape != target.shape:
        raise ShapeError(f"{name}: shapes {input.shape} and {target.shape} differ; reshape one to the other's shape")
    check_reduction(input.size, name, reduction)
    return same_dtype([input, target])


def classes(input: Operand, target: Any, name: str, reduction: str) -> tuple[Tensor, np.ndarray]:
    """Logits (…, K) and labels (…), checked."""
    input = as_float(input, name)
    if input.ndim == 0 or input.shape[-1] == 0:
        raise ShapeError(f"{name}: input is {input.shape}; pass (N, K), one column for each class")
    labels = integers(target, input.shape[-1], name, "labels")
    if labels.shape != input.shape[:-1]:
        raise ShapeError(
            f"{name}: target is {labels.shape}, but input {input.shape} asks for {input.shape[:-1]}: one label for "
            "each row, the classes on the last axis"
        )
    check_reduction(labels.size, name, reduction)
    return input, labels


def check_reduction(terms: int, name: str, reduction: str) -> None:
    """Raise on an unknown reduction, and on the mean of nothing."""
    if reduction not in REDUCTIONS:
        raise ArgumentError(f'{name}: reduction is {reduction!r}; use "mean", "sum" or "none"')
    if reduction == "mean" and terms == 0:
        raise ShapeError(f'{name}: the batch is empty, and the mean of nothing is not defined; use reduction="sum"')
