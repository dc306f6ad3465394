"""Activations as layers, for Sequential; the functions themselves are minigen.relu and its like."""

from minigen.autograd import Tensor, ops
from minigen.checks import check_number
from minigen.layers.module import Module


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
    """x Φ(x), exact. Hendrycks & Gimpel 2016."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return ops.gelu(x)


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
