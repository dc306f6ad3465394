"""Elementwise functions of one tensor that have nothing to do with networks: exp and its family, √, sine and cosine."""

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.ops.operands import as_float
from minigen.autograd.tensor import Operand, Tensor
from minigen.kernels.noting import applied


class Exp(Function):
    """y = exp x; gx = gy y."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_output()
        with np.errstate(over="ignore"):
            return applied(np.exp, x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (gy * self.saved_output(),)


class Log(Function):
    """y = log x; gx = gy / x."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return applied(np.log, x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (gy / self.saved_input(0),)


class Log1p(Function):
    """y = log(1 + x); gx = gy / (1 + x)."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return applied(np.log1p, x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (gy / (self.saved_input(0) + 1.0),)


class Expm1(Function):
    """y = exp(x) - 1; gx = gy exp x: not gy (y + 1), of which nothing is left where y is nearly -1."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        with np.errstate(over="ignore"):
            return applied(np.expm1, x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (gy * exp(self.saved_input(0)),)


class Sqrt(Function):
    """y = √x; gx = gy / 2y."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_output()
        with np.errstate(invalid="ignore"):
            return applied(np.sqrt, x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return (gy * 0.5 / self.saved_output(),)


class Sin(Function):
    """y = sin x; gx = gy cos x."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        return applied(np.sin, x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (gy * cos(self.saved_input(0)),)


class Cos(Function):
    """y = cos x; gx = -gy sin x."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        return applied(np.cos, x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (-gy * sin(self.saved_input(0)),)


def exp(x: Operand) -> Tensor:
    """eˣ."""
    return Exp()(as_float(x, "exp"))


def log(x: Operand) -> Tensor:
    """Natural logarithm; -inf at 0, NaN below, as in NumPy."""
    return Log()(as_float(x, "log"))


def log1p(x: Operand) -> Tensor:
    """log(1 + x), exact near 0."""
    return Log1p()(as_float(x, "log1p"))


def expm1(x: Operand) -> Tensor:
    """eˣ - 1, exact near 0."""
    return Expm1()(as_float(x, "expm1"))


def sqrt(x: Operand) -> Tensor:
    """√x; NaN below 0. The gradient at 0 is infinite."""
    return Sqrt()(as_float(x, "sqrt"))


def sin(x: Operand) -> Tensor:
    """Sine of x in radians."""
    return Sin()(as_float(x, "sin"))


def cos(x: Operand) -> Tensor:
    """Cosine of x in radians."""
    return Cos()(as_float(x, "cos"))
