"""Tangent, the inverse functions of sine, cosine and tangent, and the hyperbolic sine and cosine. Angles in radians."""

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.ops.arithmetic import Binary, binary
from minigen.autograd.ops.elementary import sqrt
from minigen.autograd.ops.operands import as_float, pair
from minigen.autograd.tensor import Operand, Tensor


class Tan(Function):
    """y = tan x; gx = gy (1 + y²)."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_output()
        with np.errstate(invalid="ignore"):
            return np.tan(x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        y = self.saved_output()
        return (gy * (y * y + 1.0),)


class ArcSine(Function):
    """y = asin x; gx = gy / √(1 - x²), where 1 - x² = (1 - x)(1 + x), exact near ±1."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        with np.errstate(invalid="ignore"):
            return np.arcsin(x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (gy / sine_of(self.saved_input(0)),)


class ArcCosine(Function):
    """y = acos x; gx = -gy / √(1 - x²)."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        with np.errstate(invalid="ignore"):
            return np.arccos(x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (-gy / sine_of(self.saved_input(0)),)


class ArcTangent(Function):
    """y = atan x; gx = gy / (1 + x²)."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        return np.arctan(x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        x = self.saved_input(0)
        return (gy / (x * x + 1.0),)


class ArcTangent2(Binary):
    """y = the angle of the point (b, a); ga = gy b / (a² + b²), gb = -gy a / (a² + b²)."""

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = a.shape, b.shape
        self.save_inputs(0, 1)
        return np.arctan2(a, b)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        a, b = self.saved_input(0), self.saved_input(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = gy / (a * a + b * b)
            return self.reduced(0, lambda: share * b), self.reduced(1, lambda: -share * a)


class Sinh(Function):
    """y = sinh x; gx = gy cosh x."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        with np.errstate(over="ignore"):
            return np.sinh(x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (gy * cosh(self.saved_input(0)),)


class Cosh(Function):
    """y = cosh x; gx = gy sinh x."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        with np.errstate(over="ignore"):
            return np.cosh(x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (gy * sinh(self.saved_input(0)),)


def sine_of(x: Tensor) -> Tensor:
    """√(1 - x²): the sine of the angle whose cosine is x."""
    return sqrt((1.0 - x) * (x + 1.0))


def tan(x: Operand) -> Tensor:
    """Tangent of x."""
    return Tan()(as_float(x, "tan"))


def asin(x: Operand) -> Tensor:
    """The angle from -π/2 to π/2 whose sine is x; NaN outside [-1, 1]. The gradient at ±1 is infinite."""
    return ArcSine()(as_float(x, "asin"))


def acos(x: Operand) -> Tensor:
    """The angle from 0 to π whose cosine is x; NaN outside [-1, 1]. The gradient at ±1 is infinite."""
    return ArcCosine()(as_float(x, "acos"))


def atan(x: Operand) -> Tensor:
    """The angle from -π/2 to π/2 whose tangent is x."""
    return ArcTangent()(as_float(x, "atan"))


def atan2(a: Operand, b: Operand) -> Tensor:
    """The angle from -π to π of the point with height a and abscissa b, broadcast. At (0, 0) the gradient is NaN."""
    a, b = pair("atan2", a, b)
    return binary("atan2", ArcTangent2(), as_float(a, "atan2"), as_float(b, "atan2"))


def sinh(x: Operand) -> Tensor:
    """Hyperbolic sine, (eˣ - e⁻ˣ) / 2."""
    return Sinh()(as_float(x, "sinh"))


def cosh(x: Operand) -> Tensor:
    """Hyperbolic cosine, (eˣ + e⁻ˣ) / 2."""
    return Cosh()(as_float(x, "cosh"))
