"""Elementwise arithmetic with NumPy's broadcasting: + - * / **, maximum, minimum, where, clip.

Where an operand was broadcast, its gradient is summed back over the repeated axes: if y = a + b with a of shape (3,)
and b of shape (2, 3), then ga = sum over axis 0 of gy.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigen import kernels
from minigen.autograd.function import Function
from minigen.autograd.leaves import summed
from minigen.autograd.ops.elementary import log
from minigen.autograd.ops.operands import as_float, broadcastable, pair, scalar_like
from minigen.autograd.ops.shape import sum_to
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.checks import is_number, shown
from minigen.config import FLOAT_DTYPES
from minigen.errors import ArgumentError, DTypeError, ShapeError
from minigen.kernels.noting import applied, copied, noting, run


def binary(name: str, function: Function, a: Operand, b: Operand) -> Tensor:
    """Apply a broadcasting Function; shapes that do not broadcast raise ShapeError."""
    a, b = pair(name, a, b)
    try:
        return function(a, b)
    except ValueError:
        if broadcastable(a.shape, b.shape):
            raise
    raise ShapeError(
        f"{name}: shapes {a.shape} and {b.shape} do not broadcast; aligned at the last axis, lengths must be equal or "
        "1 (reshape, or insert an axis with expand_dims)"
    )


class Binary(Function):
    """Base of the broadcasting operations of two operands."""

    shapes: tuple[tuple[int, ...], tuple[int, ...]]

    def reduced(self, index: int, gradient: Callable[[], Tensor]) -> Tensor | None:
        """The gradient for one operand, summed to its shape; not computed when it is not needed."""
        return sum_to(gradient(), self.shapes[index]) if self.needs[index] else None


class Add(Binary):
    """y = a + b."""

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = a.shape, b.shape
        return summed(a, b)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return self.reduced(0, lambda: gy), self.reduced(1, lambda: gy)


class Subtract(Binary):
    """y = a - b."""

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = a.shape, b.shape
        try:
            return kernels.subtract(a, b) if a.size > kernels.SERIAL_ELEMENTS else applied(np.subtract, a, b)
        except TypeError:
            raise DTypeError("subtract: booleans have no difference; use not_equal, or .astype(np.float32)") from None

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return self.reduced(0, lambda: gy), self.reduced(1, lambda: -gy)


class Multiply(Binary):
    """y = a b; ga = gy b, gb = gy a."""

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = a.shape, b.shape
        self.save_inputs(*[i for i in (0, 1) if self.needs[1 - i]])
        return kernels.multiply(a, b) if max(a.size, b.size) > kernels.SERIAL_ELEMENTS else applied(np.multiply, a, b)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (
            self.reduced(0, lambda: gy * self.saved_input(1)),
            self.reduced(1, lambda: gy * self.saved_input(0)),
        )


class Divide(Binary):
    """y = a / b; ga = gy / b, gb = -gy a / b²."""

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = a.shape, b.shape
        self.save_inputs(*((0, 1) if self.needs[1] else (1,)))
        return applied(np.divide, a, b)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        b = self.saved_input(1)
        return (
            self.reduced(0, lambda: gy / b),
            self.reduced(1, lambda: -gy * self.saved_input(0) / (b * b)),
        )


class Power(Binary):
    """y = a ** b; ga = gy b a^(b-1), gb = gy y log a (0 where a = 0 and b ≥ 0, the limit for b > 0)."""

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = a.shape, b.shape
        self.save_inputs(0, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return a**b

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        a, b = self.saved_input(0), self.saved_input(1)

        def base() -> Tensor:
            zero = (b.data == 0) & ((a.data == 0) | np.isnan(a.data))  # a^(b-1) is infinite or NaN, and the slope is 0
            return gy * where(zero, 0.0, b * power(a, where(zero, 1.0, b - 1)))

        def exponent() -> Tensor:
            zero = (a.data == 0) & (b.data >= 0)
            return gy * where(zero, 0.0, power(a, b) * log(where(zero, 1.0, a)))

        return self.reduced(0, base), self.reduced(1, exponent)


class PowerConstant(Function):
    """y = xⁿ for a number n; gx = gy n xⁿ⁻¹."""

    def __init__(self, exponent: float) -> None:
        self.exponent = exponent

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return applied(np.multiply, x, x) if self.exponent == 2 else x**self.exponent

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        n, x = self.exponent, self.saved_input(0)
        if n == 0:
            return (gy * 0.0,)
        return (gy * (x * 2.0 if n == 2 else power(x, n - 1) * float(n)),)


class Extremum(Binary):
    """y = max(a, b) or min(a, b); the gradient goes to the operand taken, half to each where they are equal.

    Where one is NaN neither loses, and both take all of it, as in PyTorch.
    """

    def __init__(self, largest: bool) -> None:
        self.largest = largest

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = a.shape, b.shape
        if True in self.needs:
            less, more = applied(np.less, a, b), applied(np.greater, a, b)
            self.residuals = (less, more) if self.largest else (more, less)
            self.equal = applied(np.equal, a, b)
        return applied(np.maximum if self.largest else np.minimum, a, b)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        if noting.notes is not None or self.equal.any():  # a recorded step takes the way that is right for all
            gy = where(self.equal, gy * 0.5, gy)
        first, second = self.residuals
        return self.reduced(0, lambda: where(first, 0.0, gy)), self.reduced(1, lambda: where(second, 0.0, gy))


def choose(condition: np.ndarray, a: np.ndarray, b: np.ndarray, y: np.ndarray) -> None:
    """a where the condition holds, else b, into y."""
    np.copyto(y, b)
    np.copyto(y, a, where=condition)


class Where(Binary):
    """y = a where the condition holds, else b."""

    def __init__(self, condition: np.ndarray) -> None:
        self.condition = condition

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = a.shape, b.shape
        if True in self.needs:
            self.condition = copied(self.condition)  # the caller may go on writing into it
        y = np.empty(np.broadcast_shapes(self.condition.shape, a.shape, b.shape), a.dtype)
        run(choose, self.condition, a, b, y)
        return y

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (
            self.reduced(0, lambda: where(self.condition, gy, 0.0)),
            self.reduced(1, lambda: where(self.condition, 0.0, gy)),
        )


class Negative(Function):
    """y = -x."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        if x.dtype == bool:
            raise DTypeError("negative: booleans have no negative; use 1 - x, or .astype(np.float32)")
        return applied(np.negative, x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (-gy,)


def sign_into(x: np.ndarray, y: np.ndarray) -> None:
    """-1, 0 or 1, and 0 at NaN, into y."""
    np.subtract(x > 0, x < 0, out=y, dtype=y.dtype)


class Abs(Function):
    """y = |x|; gx = gy sign(x), 0 at 0 and at NaN."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        return np.abs(x)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        x = self.saved_array(0)
        sign = np.empty(x.shape, x.dtype)
        run(sign_into, x, sign)
        return (gy * Tensor(sign),)


def inside_into(x: np.ndarray, low: float | None, high: float | None, y: np.ndarray) -> None:
    """Whether low ≤ x ≤ high, into y; None is no bound, and within it NaN is inside."""
    y[...] = True
    y &= True if low is None else x >= low
    y &= True if high is None else x <= high


class Clip(Function):
    """y = min(max(x, low), high); the gradient passes where low ≤ x ≤ high."""

    def __init__(self, low: float | None, high: float | None) -> None:
        self.low, self.high = low, high

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        return np.clip(x, self.low, self.high)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        x = self.saved_array(0)
        inside = np.empty(x.shape, bool)
        run(inside_into, x, self.low, self.high, inside)
        return (where(inside, gy, 0.0),)


def add(a: Operand, b: Operand) -> Tensor:
    """a + b, broadcast."""
    return binary("add", Add(), a, b)


def subtract(a: Operand, b: Operand) -> Tensor:
    """a - b, broadcast."""
    return binary("subtract", Subtract(), a, b)


def multiply(a: Operand, b: Operand) -> Tensor:
    """a · b elementwise, broadcast."""
    return binary("multiply", Multiply(), a, b)


def divide(a: Operand, b: Operand) -> Tensor:
    """a / b elementwise, broadcast; integers are divided as `config.dtype`."""
    a, b = pair("divide", a, b)
    return binary("divide", Divide(), as_float(a, "divide"), as_float(b, "divide"))


def power(a: Operand, b: Operand) -> Tensor:
    """a ** b elementwise, broadcast. Negative bases with fractional exponents give NaN, as in NumPy.

    Integers to integer powers give integers; to negative ones, fractions, they raise ArgumentError.
    """
    if isinstance(b, (int, float)) and isinstance(a, Tensor) and a.dtype in FLOAT_DTYPES:
        scalar_like(b, a, "power")  # refuses what is too large
        return PowerConstant(b if isinstance(b, int) else float(b))(a)
    a, b = pair("power", a, b)
    if a.dtype.kind in "iu":
        if (b.data < 0).any():
            raise ArgumentError("power: integers to negative powers are fractions; use floats, x.astype(np.float32)")
        return binary("power", Power(), a, b)
    return binary("power", Power(), as_float(a, "power"), as_float(b, "power"))


def maximum(a: Operand, b: Operand) -> Tensor:
    """Larger of a and b, elementwise, broadcast. Where equal, each takes half the gradient."""
    return binary("maximum", Extremum(largest=True), a, b)


def minimum(a: Operand, b: Operand) -> Tensor:
    """Smaller of a and b, elementwise, broadcast. Where equal, each takes half the gradient."""
    return binary("minimum", Extremum(largest=False), a, b)


def where(condition: Operand, a: Operand, b: Operand) -> Tensor:
    """a where `condition` (booleans) holds, else b; all three broadcast.

    Raises DTypeError for a condition of another dtype, ShapeError when the shapes do not broadcast.
    """
    mask = condition.data if isinstance(condition, Tensor) else np.asarray(condition)
    if mask.dtype != bool:
        raise DTypeError(f"where: condition has dtype {mask.dtype}; pass booleans, such as x > 0")
    a, b = pair("where", a, b)
    if not broadcastable(mask.shape, a.shape, b.shape):
        raise ShapeError(f"where: shapes {mask.shape}, {a.shape} and {b.shape} do not broadcast")
    return Where(mask)(a, b)


def negative(x: Operand) -> Tensor:
    """-x."""
    return Negative()(as_tensor(x, "negative"))


def abs(x: Operand) -> Tensor:
    """|x|; the gradient at 0 is 0."""
    return Abs()(as_tensor(x, "abs"))


def clip(x: Operand, min: float | None = None, max: float | None = None) -> Tensor:
    """Each element limited to [min, max]; None leaves that side open.

    Raises ArgumentError for bounds that are no numbers, and when min > max.
    """
    x = as_float(x, "clip")
    low, high = (None if bound is None else clip_bound(bound, x) for bound in (min, max))
    if low is not None and high is not None and low > high:
        raise ArgumentError(f"clip: min {min} is larger than max {max}")
    return Clip(low, high)(x)


def clip_bound(bound: Any, x: Tensor) -> float:
    """A bound of `clip`; infinite ones are allowed, NaN is not."""
    if not is_number(bound) or bound != bound:
        raise ArgumentError(f"clip: bound {shown(bound)} is no number; for arrays of bounds use maximum and minimum")
    return float(scalar_like(bound, x, "clip").data)
