"""The activations of neural networks, elementwise functions of one tensor, and those that they are made of.

`backward` is written in the same differentiable operations, so every order of derivative follows. Where a kernel
computes the gradient in one pass (Tanh and TanhGrad, Sigmoid and SigmoidGrad), the pass is a Function of its own.
"""

import math

import numpy as np

from minigen import kernels
from minigen.autograd.function import Function
from minigen.autograd.ops.arithmetic import clip, where
from minigen.autograd.ops.comparison import greater
from minigen.autograd.ops.elementary import exp
from minigen.autograd.ops.operands import as_float, same_dtype, single_axis
from minigen.autograd.ops.shape import split
from minigen.autograd.tensor import Operand, Tensor
from minigen.checks import check_choice, check_number
from minigen.errors import ShapeError
from minigen.kernels.noting import applied

# Klambauer et al. 2017, equations 14: with these, standard normal numbers keep mean 0 and variance 1.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
GELU_SCALE = math.sqrt(2 / math.pi)


class Tanh(Function):
    """y = tanh x; gx = gy (1 - y²)."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_output()
        return applied(np.tanh, x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (TanhGrad()(gy, self.saved_output()),)


class TanhGrad(Function):
    """gx = gy (1 - y²), as a function of gy and y."""

    def forward(self, gy: np.ndarray, y: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        return kernels.tanh_grad(gy, y)

    def backward(self, ggx: Tensor) -> tuple[Tensor | None, ...]:
        gy, y = self.saved_input(0), self.saved_input(1)
        return (
            TanhGrad()(ggx, y) if self.needs[0] else None,
            ggx * gy * y * -2.0 if self.needs[1] else None,
        )


class Sigmoid(Function):
    """y = 1 / (1 + exp(-x)); gx = gy y (1 - y)."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_output()
        return kernels.sigmoid(x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (SigmoidGrad()(gy, self.saved_output()),)


class SigmoidGrad(Function):
    """gx = gy y (1 - y), as a function of gy and y."""

    def forward(self, gy: np.ndarray, y: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        return kernels.sigmoid_grad(gy, y)

    def backward(self, ggx: Tensor) -> tuple[Tensor | None, ...]:
        gy, y = self.saved_input(0), self.saved_input(1)
        return (
            SigmoidGrad()(ggx, y) if self.needs[0] else None,
            ggx * gy * (y * -2.0 + 1.0) if self.needs[1] else None,
        )


class Softplus(Function):
    """y = log(1 + exp x); gx = gy sigmoid(x)."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        return kernels.softplus(x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (gy * sigmoid(self.saved_input(0)),)


class Erf(Function):
    """y = 2/√π ∫₀ˣ exp(-t²) dt; gx = gy 2/√π exp(-x²)."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        return kernels.erf(x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        x = self.saved_input(0)
        return (gy * exp(-(x * x)) * (2.0 / math.sqrt(math.pi)),)


class LeakyReLU(Function):
    """y = x where x > 0, else slope · x."""

    def __init__(self, slope: float) -> None:
        self.slope = slope

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        return kernels.leaky_relu(x, self.slope)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (LeakyReLUGrad(self.slope)(gy, Tensor(self.saved_array(0))),)


class LeakyReLUGrad(Function):
    """gx = gy where x > 0, else slope · gy; linear in gy, and flat in x but for the kink."""

    def __init__(self, slope: float) -> None:
        self.slope = slope

    def forward(self, gy: np.ndarray, x: np.ndarray) -> np.ndarray:
        self.residuals = (x,)
        return kernels.leaky_relu_grad(gy, x, self.slope)

    def backward(self, ggx: Tensor) -> tuple[Tensor | None, ...]:
        return LeakyReLUGrad(self.slope)(ggx, Tensor(self.residuals[0])), None


class ELU(Function):
    """y = x where x > 0, else α (exp x - 1)."""

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        return kernels.elu(x, self.alpha)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (ELUGrad(self.alpha)(gy, self.saved_input(0)),)


class ELUGrad(Function):
    """gx = gy where x > 0, else gy α exp x, as a function of gy and x."""

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def forward(self, gy: np.ndarray, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        return kernels.elu_grad(gy, x, self.alpha)

    def backward(self, ggx: Tensor) -> tuple[Tensor | None, ...]:
        gy, x = self.saved_input(0), self.saved_input(1)
        straight = x.data > 0
        return (
            ELUGrad(self.alpha)(ggx, x) if self.needs[0] else None,
            where(straight, 0.0, ggx * gy * exp(where(straight, 0.0, x)) * self.alpha) if self.needs[1] else None,
        )


class GELU(Function):
    """y = x Φ(x), with Φ the standard normal's distribution function."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        return kernels.gelu(x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (GELUGrad()(gy, self.saved_input(0)),)


class GELUGrad(Function):
    """gx = gy (Φ(x) + x φ(x)), as a function of gy and x, φ the normal density; its slope is gy (2 - x²) φ(x)."""

    def forward(self, gy: np.ndarray, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        return kernels.gelu_grad(gy, x)

    def backward(self, ggx: Tensor) -> tuple[Tensor | None, ...]:
        gy, x = self.saved_input(0), self.saved_input(1)
        if not self.needs[1]:
            return GELUGrad()(ggx, x), None
        density = exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
        return GELUGrad()(ggx, x) if self.needs[0] else None, ggx * gy * (2.0 - x * x) * density


class SiLU(Function):
    """y = x σ(x), with σ the sigmoid."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        return kernels.silu(x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (SiLUGrad()(gy, self.saved_input(0)),)


class SiLUGrad(Function):
    """gx = gy (σ + x σ (1 - σ)), as a function of gy and x; its slope is gy σ (1 - σ) (2 + x (1 - 2σ))."""

    def forward(self, gy: np.ndarray, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1)
        return kernels.silu_grad(gy, x)

    def backward(self, ggx: Tensor) -> tuple[Tensor | None, ...]:
        gy, x = self.saved_input(0), self.saved_input(1)
        if not self.needs[1]:
            return SiLUGrad()(ggx, x), None
        s = sigmoid(x)
        slope = s * (1.0 - s) * (2.0 + x * (1.0 - 2.0 * s))
        return SiLUGrad()(ggx, x) if self.needs[0] else None, ggx * gy * slope


def tanh(x: Operand) -> Tensor:
    """Hyperbolic tangent."""
    return Tanh()(as_float(x, "tanh"))


def sigmoid(x: Operand) -> Tensor:
    """1 / (1 + e⁻ˣ), without overflow on either side."""
    return Sigmoid()(as_float(x, "sigmoid"))


def softplus(x: Operand) -> Tensor:
    """log(1 + eˣ), without overflow."""
    return Softplus()(as_float(x, "softplus"))


def erf(x: Operand) -> Tensor:
    """The error function, 2/√π ∫₀ˣ exp(-t²) dt."""
    return Erf()(as_float(x, "erf"))


def relu(x: Operand) -> Tensor:
    """max(x, 0); the gradient at 0 is 0. Nair & Hinton 2010."""
    return LeakyReLU(0.0)(as_float(x, "relu"))


def leaky_relu(x: Operand, negative_slope: float = 0.01) -> Tensor:
    """x where x > 0, else negative_slope · x. Maas et al. 2013, section 2. Raises ArgumentError on a negative slope."""
    return LeakyReLU(check_number("leaky_relu", "negative_slope", negative_slope, 0))(as_float(x, "leaky_relu"))


def leaky(y: Tensor, slope: float | None) -> Tensor:
    """How an operation ends that may include a leaky ReLU: y itself when its slope is None, for none."""
    return y if slope is None else leaky_relu(y, slope)


def elu(x: Operand, alpha: float = 1.0) -> Tensor:
    """x where x > 0, else alpha (eˣ - 1), alpha finite. Clevert et al. 2016, equation 15. Raises ArgumentError."""
    return ELU(check_number("elu", "alpha", alpha))(as_float(x, "elu"))


def gelu(x: Operand, approximate: str = "none") -> Tensor:
    """x Φ(x), exact (by erf); with approximate="tanh" x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, as in GPT-2.

    Hendrycks & Gimpel 2016, section 2. Raises ArgumentError for another `approximate`.
    """
    x = as_float(x, "gelu")
    if check_choice("gelu", "approximate", approximate, ("none", "tanh")) == "none":
        return GELU()(x)
    return x * (tanh(x * (x * x * (0.044715 * GELU_SCALE) + GELU_SCALE)) * 0.5 + 0.5)


def silu(x: Operand) -> Tensor:
    """x sigmoid(x), also called swish. Elfwing et al. 2018; Ramachandran et al. 2017."""
    return SiLU()(as_float(x, "silu"))


def relu6(x: Operand) -> Tensor:
    """min(max(x, 0), 6). Krizhevsky 2010; Howard et al. 2017."""
    return clip(as_float(x, "relu6"), 0.0, 6.0)


def hardswish(x: Operand) -> Tensor:
    """x relu6(x + 3) / 6, swish without an exponential. Howard et al. 2019, section 5.2."""
    x = as_float(x, "hardswish")
    return x * relu6(x + 3.0) * (1.0 / 6.0)


def mish(x: Operand) -> Tensor:
    """x tanh(softplus(x)). Misra 2020."""
    x = as_float(x, "mish")
    return x * tanh(softplus(x))


def selu(x: Operand) -> Tensor:
    """λ elu(x, α), λ = 1.0507…, α = 1.6733…: keeps mean 0 and variance 1 from layer to layer. Klambauer et al. 2017."""
    return elu(as_float(x, "selu"), SELU_ALPHA) * SELU_SCALE


def log_sigmoid(x: Operand) -> Tensor:
    """log(1 / (1 + e⁻ˣ)) = -softplus(-x), without overflow."""
    return -softplus(-as_float(x, "log_sigmoid"))


def prelu(x: Operand, weight: Operand) -> Tensor:
    """x where x > 0, else weight · x, with a learned slope: one for all, or one for each channel (the last axis).

    He et al. 2015, section 2. Raises ShapeError unless weight is (), (1,) or (C,).
    """
    x, weight = same_dtype([as_float(x, "prelu"), as_float(weight, "prelu")])
    if weight.shape not in ((), (1,), x.shape[-1:]):
        raise ShapeError(
            f"prelu: weight is {weight.shape} and x {x.shape}; pass one slope, or one for each channel, "
            f"{x.shape[-1:] or (1,)}: channels are on the last axis"
        )
    above = greater(x, 0)
    below = where(above, 0, x)  # so that an infinity above is no infinity times no gradient of the weight
    return where(above, x, below * weight)


def glu(x: Operand, axis: int = -1) -> Tensor:
    """a sigmoid(b), where a and b are the first and the second half of x along `axis`. Dauphin et al. 2017.

    Raises ShapeError when that axis has an odd length.
    """
    x = as_float(x, "glu")
    axis = single_axis(axis, x.ndim, "glu")
    if x.shape[axis] % 2:
        raise ShapeError(
            f"glu: axis {axis} of x {x.shape} has an odd length; it is cut into two halves, values and gates"
        )
    values, gates = split(x, x.shape[axis] // 2, axis)
    return values * sigmoid(gates)
