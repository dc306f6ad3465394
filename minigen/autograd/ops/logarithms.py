"""Powers and logarithms in other forms: log2, log10, logaddexp, square, reciprocal, rsqrt."""

import math

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.ops.arithmetic import Binary, binary, divide, multiply, power, where
from minigen.autograd.ops.elementary import exp, sqrt
from minigen.autograd.ops.operands import as_float, pair
from minigen.autograd.ops.shape import expand
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
    """y = log(eᵃ + eᵇ); ga = gy eᵃ⁻ʸ, gb = gy eᵇ⁻ʸ, half each where both are the same infinity."""

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = a.shape, b.shape
        self.save_inputs(0, 1)
        self.save_output()
        with np.errstate(invalid="ignore"):
            return np.logaddexp(a, b)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        y = self.saved_output()

        def share(index: int) -> Tensor:
            x = self.saved_input(index)
            same = np.isinf(y.data) & (self.saved_array(0) == self.saved_array(1))
            away = expand(x, y.shape)
            return gy * exp(where(same, -math.log(2), where(same, 0.0, away) - where(same, 0.0, y)))

        return self.reduced(0, lambda: share(0)), self.reduced(1, lambda: share(1))


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
