"""The twins of a bias and leaky ReLU on the rows of (M, C)."""

from minigen.kernels.reference.arrays import Array
from minigen.kernels.reference.elementwise import leaky_relu, leaky_relu_grad
from minigen.kernels.reference.sums import total


def bias_leaky(y: Array, bias: Array | None, slope: float | None) -> None:
    """y = leaky_relu(y + bias, slope), in place; bias (C,), None being 0; slope None is no activation."""
    z = y if bias is None else y + bias
    y[...] = z if slope is None else leaky_relu(z, slope)


def bias_leaky_grad(gy: Array, y: Array, slope: float | None, needs_bias: bool = True) -> tuple[Array, Array | None]:
    """(gz, gbias): gz = gy where y > 0, slope · gy elsewhere; gbias its sum over the rows."""
    gz = gy if slope is None else leaky_relu_grad(gy, y, slope)
    return gz, total(gz, (0,)) if needs_bias else None
