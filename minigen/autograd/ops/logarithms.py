"""Powers and logarithms in other forms: log2, log10, logaddexp, square, reciprocal, rsqrt."""

import math

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.ops.arithmetic import Binary, binary, divide, multiply, power, where
from minigen.autograd.ops.elementary import exp, sqrt
from minigen.autograd.ops.operands import as_float, pair
from minigen.autograd.tensor import Operand, Tensor, as_tensor


class LogBase(Function):
    """y = log x / log base; gx = gy / (x log base)."""

    def __init__(self, ufunc: np.ufunc, base: float) -> None:
        self.ufunc, self.log_base = ufunc, math.log(base)

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.ufunc(x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return (gy / (self.saved_input(0) * self.log_base),)


class LogAddExp(Binary):
    """y = log(eᵃ + eᵇ); with e = exp(-|a - b|), gy / (1 + e) goes to the larger operand, gy e / (1 + e) to the other.

    Written so, no order overflows, and the second derivative, e / (1 + e)², keeps its digits where e is small. Equal
    infinities share evenly.
    """

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = a.shape, b.shape
        self.save_inputs(0, 1)
        with np.errstate(invalid="ignore"):
            return np.logaddexp(a, b)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        a, b = self.saved_input(0), self.saved_input(1)
        same = np.isinf(a.data) & (a.data == b.data)
        lead = where(same, 0.0, a) - where(same, 0.0, b)
        first = lead.data >= 0
        e = exp(where(first, -lead, lead))
        larger, smaller = gy / (e + 1.0), gy * e / (e + 1.0)
        return (
            self.reduced(0, lambda: where(first, larger, smaller)),
            self.reduced(1, lambda: where(first, smaller, larger)),
        )


def log2(x: Operand) -> Tensor:
    """Logarithm to the base 2; -inf at 0, NaN below."""
    return LogBase(np.log2, 2)(as_float(x, "log2"))


def log10(x: Operand) -> Tensor:
    """Logarithm to the base 10; -inf at 0, NaN below."""
    return LogBase(np.log10, 10)(as_float(x, "log10"))


def logaddexp(a: Operand, b: Operand) -> Tensor:
    """log(eᵃ + eᵇ) without overflow, broadcast."""
    a, b = pair("logaddexp", a, b)
    return binary("logaddexp", LogAddExp(), as_float(a, "logaddexp"), as_float(b, "logaddexp"))


def square(x: Operand) -> Tensor:
    """x²; integers stay integers."""
    x = as_tensor(x, "square")
    return power(x, 2) if x.dtype.kind == "f" else multiply(x, x)


def reciprocal(x: Operand) -> Tensor:
    """1 / x; integers count as floats."""
    x = as_float(x, "reciprocal")
    with np.errstate(divide="ignore"):
        return divide(1.0, x)


def rsqrt(x: Operand) -> Tensor:
    """1 / √x; inf at 0, NaN below."""
    return reciprocal(sqrt(as_float(x, "rsqrt")))
