"""Activations as layers, for Sequential; the functions themselves are minigen.relu and its like."""

import numpy as np

from minigen.autograd import Tensor, ops
from minigen.checks import check_choice, check_count, check_number
from minigen.config import config
from minigen.errors import ShapeError
from minigen.layers.checks import in_dtype
from minigen.layers.module import Module, Parameter


class ReLU(Module):
    """max(x, 0). Nair & Hinton 2010."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return ops.relu(x)


class LeakyReLU(Module):
    """x where x > 0, else negative_slope · x. Maas et al. 2013."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = check_number("LeakyReLU", "negative_slope", negative_slope, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return ops.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        """negative_slope."""
        return f"{self.negative_slope}"


class ELU(Module):
    """x where x > 0, else alpha (eˣ - 1). Clevert et al. 2016."""

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = check_number("ELU", "alpha", alpha)

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return ops.elu(x, self.alpha)

    def extra_repr(self) -> str:
        """alpha."""
        return f"{self.alpha}"


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return ops.tanh(x)


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ)."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return ops.sigmoid(x)


class Softplus(Module):
    """log(1 + eˣ)."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return ops.softplus(x)


class GELU(Module):
    """x Φ(x), exact, or by tanh with approximate="tanh", as in GPT-2. Hendrycks & Gimpel 2016."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = check_choice("GELU", "approximate", approximate, ("none", "tanh"))

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return ops.gelu(x, self.approximate)

    def extra_repr(self) -> str:
        """approximate, unless it is the default."""
        return "" if self.approximate == "none" else f"approximate={self.approximate!r}"


class SiLU(Module):
    """x sigmoid(x). Elfwing et al. 2018."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return ops.silu(x)


class Softmax(Module):
    """exp(x) / Σ exp(x) along `axis`, the last by default."""

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """The same shape, positive and summing to 1 along `axis`."""
        return ops.softmax(x, self.axis)

    def extra_repr(self) -> str:
        """axis."""
        return f"axis={self.axis}"


class LogSoftmax(Module):
    """x - log Σ exp(x) along `axis`, the last by default: log-probabilities, as nll_loss takes them."""

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return ops.log_softmax(x, self.axis)

    def extra_repr(self) -> str:
        """axis."""
        return f"axis={self.axis}"


class LogSigmoid(Module):
    """log(1 / (1 + e⁻ˣ))."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return ops.log_sigmoid(x)


class ReLU6(Module):
    """min(max(x, 0), 6)."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return ops.relu6(x)


class SELU(Module):
    """λ elu(x, α), which keeps mean 0 and variance 1. Klambauer et al. 2017."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return ops.selu(x)


class Mish(Module):
    """x tanh(softplus(x)). Misra 2020."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return ops.mish(x)


class Hardswish(Module):
    """x relu6(x + 3) / 6. Howard et al. 2019."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return ops.hardswish(x)


class GLU(Module):
    """a sigmoid(b), a and b the halves of x along `axis`, the last by default. Dauphin et al. 2017."""

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """Half as long along `axis`."""
        return ops.glu(x, self.axis)

    def extra_repr(self) -> str:
        """axis."""
        return f"axis={self.axis}"


class PReLU(Module):
    """x where x > 0, else weight · x: one learned slope, or one for each of num_parameters channels. He et al. 2015.

    weight (num_parameters,) starts at `init`. Raises ShapeError when the last axis of x has another length.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.num_parameters = check_count("PReLU", "num_parameters", num_parameters)
        self.weight = Parameter(np.full(self.num_parameters, check_number("PReLU", "init", init), config.dtype))

    def forward(self, x: Tensor) -> Tensor:
        """(…, num_parameters), or any shape with one slope."""
        weight = self.weight
        x = in_dtype(x, weight.dtype, "PReLU")
        if self.num_parameters not in (1, *x.shape[-1:]):
            raise ShapeError(
                f"PReLU({self.num_parameters}): x {x.shape} does not end in {self.num_parameters} channels; channels "
                "are on the last axis"
            )
        return ops.prelu(x, weight)

    def extra_repr(self) -> str:
        """num_parameters."""
        return f"num_parameters={self.num_parameters}"
