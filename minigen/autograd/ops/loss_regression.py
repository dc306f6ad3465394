"""Losses of numbers, and of the parameters of a normal distribution; penalties. Reductions: see loss_base.py."""

import math
from collections.abc import Iterable

import numpy as np

from minigen import kernels
from minigen.autograd.function import Function
from minigen.autograd.fused import Gradients
from minigen.autograd.modes import modes
from minigen.autograd.ops.arithmetic import abs, clip
from minigen.autograd.ops.elementary import expm1, log
from minigen.autograd.ops.loss_base import FusedLoss, alike, reduce
from minigen.autograd.ops.operands import as_float, same_dtype
from minigen.autograd.ops.reduction import sum
from minigen.autograd.ops.shape import expand_dims
from minigen.autograd.tensor import Operand, Tensor
from minigen.checks import check_items, check_number
from minigen.errors import ArgumentError, DataError, ShapeError
from minigen.kernels.noting import applied, run


class SquaredError(FusedLoss):
    """(x - t)²; gx = 2 gy (x - t) = -gt."""

    def forward(self, x: np.ndarray, target: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        if self.reduction == "none":
            return np.square(x - target)
        y = np.empty((), x.dtype)
        kernels.squared_error_sum(x, target, x.size if self.reduction == "mean" else 1, y)
        return y

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        x, target = self.saved_array(0), self.saved_array(1)
        gx = kernels.squared_error_grad(x, target, self.share(gy, x.size))
        return gx if self.needs[0] else None, applied(np.negative, gx) if self.needs[1] else None

    def compose(self, x: Tensor, target: Tensor) -> Tensor:
        difference = x - target
        return reduce(difference * difference, self.reduction)


class GaussianKL(FusedLoss):
    """Σ (mu² + exp(logvar) - 1 - logvar) / 2 over the last axis; gmu = gy mu, glogvar = gy (exp(logvar) - 1) / 2."""

    def forward(self, mu: np.ndarray, logvar: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        losses = np.empty(mu.shape[:-1], mu.dtype)
        run(kl_terms, mu, logvar, losses)
        return self.reduced(losses)

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        mu, logvar = self.saved_array(0), self.saved_array(1)
        share = self.share(gy, math.prod(mu.shape[:-1]))[..., None]
        glogvar = None
        if self.needs[1]:
            with np.errstate(over="ignore"):
                glogvar = applied(
                    np.multiply, applied(np.expm1, logvar), applied(np.multiply, share, mu.dtype.type(0.5))
                )
        return applied(np.multiply, mu, share) if self.needs[0] else None, glogvar

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        if not modes.recording:
            return super().backward(gy)
        mu, logvar = self.saved_input(0), self.saved_input(1)  # in `compose`, expm1 would be 1 more, less 1
        share = gy * (1.0 / math.prod(mu.shape[:-1])) if self.reduction == "mean" else gy
        share = expand_dims(share, -1)
        return mu * share if self.needs[0] else None, expm1(logvar) * share * 0.5 if self.needs[1] else None

    def compose(self, mu: Tensor, logvar: Tensor) -> Tensor:
        return reduce(sum(mu * mu + expm1(logvar) - logvar, -1) * 0.5, self.reduction)


def kl_terms(mu: np.ndarray, logvar: np.ndarray, losses: np.ndarray) -> None:
    """Σ (mu² + exp(logvar) - 1 - logvar) / 2 over the last axis, into `losses`."""
    with np.errstate(over="ignore"):
        terms = mu * mu + np.expm1(logvar) - logvar
    losses[...] = kernels.total(terms, (terms.ndim - 1,)) * mu.dtype.type(0.5)


class Huber(Function):
    """y = c (d - c / 2), c being d limited to ±δ; gd = gy c."""

    def __init__(self, delta: float) -> None:
        self.delta = delta

    def forward(self, d: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        c = np.clip(d, -self.delta, self.delta)
        return c * (d - c * d.dtype.type(0.5))

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (gy * clip(self.saved_input(0), -self.delta, self.delta),)


def mse_loss(input: Operand, target: Operand, reduction: str = "mean") -> Tensor:
    """(input - target)². Raises ShapeError unless the shapes are equal, as all losses of two tensors do."""
    input, target = alike(input, target, "mse_loss", reduction)
    return SquaredError(reduction)(input, target)


def l1_loss(input: Operand, target: Operand, reduction: str = "mean") -> Tensor:
    """|input - target|. Raises ShapeError unless the shapes are equal."""
    input, target = alike(input, target, "l1_loss", reduction)
    return reduce(abs(input - target), reduction)


def huber_loss(input: Operand, target: Operand, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """d² / 2 where |d| ≤ delta, delta (|d| - delta / 2) beyond, d = input - target. Huber 1964.

    Raises ShapeError unless the shapes are equal, ArgumentError unless delta > 0.
    """
    input, target = alike(input, target, "huber_loss", reduction)
    return reduce(huber(input - target, check_number("huber_loss", "delta", delta, above=0)), reduction)


def smooth_l1_loss(input: Operand, target: Operand, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """d² / (2 beta) where |d| ≤ beta, |d| - beta / 2 beyond, d = input - target; |d| for beta 0. Girshick 2015, eq. 3.

    It is huber_loss with delta = beta, divided by beta. Raises ShapeError unless the shapes are equal, ArgumentError
    unless beta ≥ 0.
    """
    input, target = alike(input, target, "smooth_l1_loss", reduction)
    beta = check_number("smooth_l1_loss", "beta", beta, 0)
    difference = input - target
    return reduce(huber(difference, beta) * (1.0 / beta) if beta else abs(difference), reduction)


def huber(difference: Tensor, delta: float) -> Tensor:
    """Huber's function of each element."""
    return Huber(delta)(difference)


def gaussian_nll_loss(
    input: Operand, target: Operand, var: Operand, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """(log v + (input - target)² / v) / 2, v = max(var, eps): the negative log-likelihood of N(input, var) at target.

    full: with the constant log(2π) / 2 too. var: of the shape of input, or with a last axis of length 1 or none at all,
    for one variance for each row. Where eps is larger, the gradient of var is that at eps, as in PyTorch. Nix, Weigend
    1994. Raises ShapeError, ArgumentError unless eps > 0, DataError for a negative variance.
    """
    name = "gaussian_nll_loss"
    input, target = alike(input, target, name, reduction)
    eps = check_number(name, "eps", eps, above=0)
    input, target, var = same_dtype([input, target, as_float(var, name)])
    if var.shape == input.shape[:-1] != input.shape:
        var = expand_dims(var, -1)
    if var.shape not in (input.shape, (*input.shape[:-1], 1)):
        raise ShapeError(f"{name}: var is {var.shape}, expected {input.shape}, or one variance for each row")
    if not (var.data >= 0).all():
        raise DataError(f"{name}: var holds {var.data.min()}; a variance is at least 0, such as exp(log_variance)")
    variance = var + Tensor(np.maximum(var.dtype.type(eps) - var.data, 0))
    difference = input - target
    losses = (log(variance) + difference * difference / variance) * 0.5
    return reduce(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


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
