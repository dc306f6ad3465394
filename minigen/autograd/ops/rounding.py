"""Steps: sign, floor, ceil, round, trunc; division with remainder. Integers and booleans stay what they are.

The steps have slope 0, so their gradient is 0 everywhere, as in PyTorch. A remainder, x - n ⌊x / n⌋, moves with x.
"""

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.ops.arithmetic import Binary, binary
from minigen.autograd.ops.cast import astype
from minigen.autograd.ops.operands import pair
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.checks import check_count
from minigen.errors import ArgumentError
from minigen.kernels.noting import constant, host

MOST_PLACES = 30  # beyond, nothing is left to round


class Step(Function):
    """Base: y is a function of x that is constant but for jumps; gx = 0."""

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (Tensor(constant(np.zeros(gy.shape, gy.dtype))),)


class Sign(Step):
    """y = -1, 0 or 1."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x.copy() if x.dtype == bool else np.sign(x)


class Floor(Step):
    """y = ⌊x⌋."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.floor(x)


class Ceil(Step):
    """y = ⌈x⌉."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.ceil(x)


class Trunc(Step):
    """y = x without what stands behind the point."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.trunc(x)


class Round(Step):
    """y = x rounded to some decimal places, halves to even."""

    def __init__(self, decimals: int) -> None:
        self.decimals = decimals

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x.copy() if x.dtype == bool else np.round(x, self.decimals)


class FloorDivide(Binary):
    """y = ⌊a / b⌋; both gradients are 0."""

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = a.shape, b.shape
        with np.errstate(divide="ignore", invalid="ignore"):
            return a // b

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        zero = Tensor(constant(np.zeros((), gy.dtype)))
        return self.reduced(0, lambda: zero * gy), self.reduced(1, lambda: zero * gy)


class Remainder(Binary):
    """y = a - b ⌊a / b⌋, of the sign of b; ga = gy, gb = -gy ⌊a / b⌋."""

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = a.shape, b.shape
        self.save_inputs(0, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return a % b

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        def divisor() -> Tensor:
            with np.errstate(divide="ignore", invalid="ignore"):
                return gy * Tensor(-(self.saved_array(0) // self.saved_array(1)))

        return self.reduced(0, lambda: gy), self.reduced(1, divisor)


def sign(x: Operand) -> Tensor:
    """-1, 0 or 1. NaN for NaN; of booleans the booleans. The gradient is 0."""
    return Sign()(as_tensor(x, "sign"))


def floor(x: Operand) -> Tensor:
    """The largest whole number ≤ x. The gradient is 0."""
    return Floor()(as_tensor(x, "floor"))


def ceil(x: Operand) -> Tensor:
    """The smallest whole number ≥ x. The gradient is 0."""
    return Ceil()(as_tensor(x, "ceil"))


def trunc(x: Operand) -> Tensor:
    """The whole number next to x towards 0. The gradient is 0."""
    return Trunc()(as_tensor(x, "trunc"))


def round(x: Operand, decimals: int = 0) -> Tensor:
    """x rounded to that many places behind the point, halves to the even neighbour. The gradient is 0.

    A negative number of places rounds to tens, hundreds, … Raises ArgumentError for places that are no whole number.
    """
    places = check_count("round", "decimals", decimals, -MOST_PLACES)
    return Round(min(places, MOST_PLACES))(as_tensor(x, "round"))


def floor_divide(a: Operand, b: Operand) -> Tensor:
    """a // b = ⌊a / b⌋, broadcast, as in Python and NumPy; integers give integers. Both gradients are 0.

    Floats divided by 0 give ±inf or NaN; integers raise ArgumentError.
    """
    a, b = dividend_and_divisor(a, b, "floor_divide")
    return binary("floor_divide", FloorDivide(), a, b)


def remainder(a: Operand, b: Operand) -> Tensor:
    """a % b = a - b ⌊a / b⌋, broadcast, of the sign of b, as in Python and NumPy; ga = gy, gb = -gy ⌊a / b⌋.

    Floats divided by 0 give NaN; integers raise ArgumentError.
    """
    a, b = dividend_and_divisor(a, b, "remainder")
    return binary("remainder", Remainder(), a, b)


def dividend_and_divisor(a: Operand, b: Operand, name: str) -> tuple[Tensor, Tensor]:
    """Both as tensors of one dtype, booleans as integers. Raises ArgumentError when integers are divided by 0."""
    a, b = pair(name, a, b)
    if b.dtype == bool:
        a, b = astype(a, np.int64), astype(b, np.int64)
    if b.dtype.kind in "iu":
        check_divisor(b.data, name)
    return a, b


@host
def check_divisor(b: np.ndarray, name: str) -> None:
    """Raise ArgumentError when one of these integers is 0."""
    if not b.all():
        raise ArgumentError(f"{name}: division of integers by 0; use floats, which give inf or NaN, or where()")
