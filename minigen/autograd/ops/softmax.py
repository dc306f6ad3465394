"""Softmax and its logarithm along one axis, with their gradients as operations of their own."""

import numpy as np

from minigen import kernels
from minigen.autograd.function import Function
from minigen.autograd.ops.elementary import exp
from minigen.autograd.ops.operands import as_float, single_axis
from minigen.autograd.ops.reduction import sum
from minigen.autograd.tensor import Operand, Tensor
from minigen.checks import check_number
from minigen.errors import ShapeError
from minigen.kernels.noting import made
from minigen.random import check_rng


class Rows(Function):
    """Base: lays `axis` last and the others flat, for kernels on (M, K), and back."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def to_rows(self, x: np.ndarray) -> np.ndarray:
        """(M, K), K the length of the axis."""
        if x.ndim == 2 and self.axis == 1:  # moving nothing would take longer than the kernel of a small array
            return x
        return np.moveaxis(x, self.axis, -1).reshape(-1, x.shape[self.axis])

    def from_rows(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """`y` (M, K) in the shape of x again."""
        if x.ndim == 2 and self.axis == 1:
            return y
        return np.moveaxis(y.reshape(np.moveaxis(x, self.axis, -1).shape), -1, self.axis)


class Softmax(Rows):
    """y = exp x / Σ exp x."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_output()
        return self.from_rows(kernels.softmax(self.to_rows(x)), x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (SoftmaxGrad(self.axis)(gy, self.saved_output()),)


class SoftmaxGrad(Rows):
    """gx = y (gy - Σ gy y), as a function of gy and y; symmetric as a map of gy."""

    def forward(self, gy: np.ndarray, y: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        return self.from_rows(kernels.softmax_grad(self.to_rows(gy), self.to_rows(y)), y)

    def backward(self, ggx: Tensor) -> tuple[Tensor | None, ...]:
        gy, y = self.saved_input(0), self.saved_input(1)
        ggy = SoftmaxGrad(self.axis)(ggx, y) if self.needs[0] else None
        if not self.needs[1]:
            return ggy, None
        return ggy, ggx * (gy - sum(gy * y, self.axis, keepdims=True)) - gy * sum(ggx * y, self.axis, keepdims=True)


class LogSoftmax(Rows):
    """y = x - log Σ exp x."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_output()
        return self.from_rows(kernels.log_softmax(self.to_rows(x)), x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (LogSoftmaxGrad(self.axis)(gy, self.saved_output()),)


class LogSoftmaxGrad(Rows):
    """gx = gy - exp(y) Σ gy, as a function of gy and y."""

    def forward(self, gy: np.ndarray, y: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        return self.from_rows(kernels.log_softmax_grad(self.to_rows(gy), self.to_rows(y)), y)

    def backward(self, ggx: Tensor) -> tuple[Tensor | None, ...]:
        gy, weighted = self.saved_input(0), ggx * exp(self.saved_input(1))
        return (
            ggx - sum(weighted, self.axis, keepdims=True) if self.needs[0] else None,
            -weighted * sum(gy, self.axis, keepdims=True) if self.needs[1] else None,
        )


def softmax(x: Operand, axis: int = -1) -> Tensor:
    """exp x / Σ exp x along `axis`, without overflow. Raises ShapeError over an empty axis."""
    x = as_float(x, "softmax")
    return Softmax(checked_axis(x, axis, "softmax"))(x)


def log_softmax(x: Operand, axis: int = -1) -> Tensor:
    """x - log Σ exp x along `axis`, without overflow. Raises ShapeError over an empty axis."""
    x = as_float(x, "log_softmax")
    return LogSoftmax(checked_axis(x, axis, "log_softmax"))(x)


def gumbel_softmax(
    logits: Operand, tau: float | Tensor = 1.0, hard: bool = False, axis: int = -1, *,
    rng: np.random.Generator | None = None,
) -> Tensor:  # fmt: skip
    """softmax((logits + g) / tau), g Gumbel noise from `rng`: a differentiable draw from softmax(logits).

    tau: a number, or a tensor of shape (). hard=True: 1 at the largest and 0 elsewhere, with the gradient of the soft
    one (straight-through). Jang et al. 2017, section 2. Raises ArgumentError unless tau > 0, ShapeError.
    """
    logits = as_float(logits, "gumbel_softmax")
    if not isinstance(tau, Tensor):
        tau = check_number("gumbel_softmax", "tau", tau, above=0)
    elif tau.shape:
        raise ShapeError(f"gumbel_softmax: tau is {tau.shape}; pass a number, or a tensor of shape ()")
    axis = checked_axis(logits, axis, "gumbel_softmax")
    noise = made(gumbel, check_rng(rng, "gumbel_softmax"), logits.shape, logits.dtype)
    soft = softmax((logits + Tensor(noise)) / tau, axis)
    if not hard:
        return soft
    return soft + Tensor(made(to_the_largest, soft.data, axis))


def gumbel(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Numbers of the standard Gumbel distribution."""
    return rng.gumbel(size=shape).astype(dtype)


def to_the_largest(soft: np.ndarray, axis: int) -> np.ndarray:
    """What is missing to 1 at the largest and 0 elsewhere."""
    chosen = np.zeros_like(soft)
    np.put_along_axis(chosen, soft.argmax(axis, keepdims=True), 1, axis)
    return chosen - soft


def checked_axis(x: Tensor, axis: int, name: str) -> int:
    """`axis` as a non-negative int of a non-empty axis."""
    axis = single_axis(axis, x.ndim, name)
    if x.shape[axis] == 0:
        raise ShapeError(f"{name}: axis {axis} of {x.shape} is empty; there is nothing to normalise")
    return axis
