"""Reductions over axes: sum, mean, var, max, min, logsumexp, and the running sum.

`axis` is an int, a tuple of ints, or None for all axes, as in NumPy; `keepdims` leaves them with length one.
"""

import math

import numpy as np

from minigen import kernels
from minigen.autograd.function import Function
from minigen.autograd.ops.elementary import exp
from minigen.autograd.ops.operands import as_float, normalize_axis, single_axis
from minigen.autograd.ops.shape import Reshape, expand, flip
from minigen.autograd.tensor import Axis, Operand, Tensor, as_tensor
from minigen.checks import check_count, check_flag
from minigen.errors import ArgumentError, ShapeError
from minigen.kernels.noting import run


class Reduction(Function):
    """Base: remembers the shape and the axes, and repeats a reduced tensor over them again."""

    source: tuple[int, ...]

    def __init__(self, axes: tuple[int, ...], keepdims: bool) -> None:
        self.axes, self.keepdims = axes, check_flag(self.name.lower(), "keepdims", keepdims)

    def repeated(self, y: Tensor) -> Tensor:
        """`y`, of the reduced shape, expanded to the input's shape."""
        if not self.keepdims:
            y = Reshape(tuple(1 if i in self.axes else n for i, n in enumerate(self.source)))(y)
        return expand(y, self.source)


class Sum(Reduction):
    """y = Σ x; gx = gy, repeated."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.source = x.shape
        return kernels.total(x, self.axes, self.keepdims)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (self.repeated(gy),)


def mean_into(x: np.ndarray, axes: tuple[int, ...], share: np.floating, y: np.ndarray) -> None:
    """Σ x · share over the axes into y; finite where the sum alone would overflow."""
    y[...] = (kernels.total(x, axes) * share).reshape(y.shape)
    if not np.isfinite(y).all():
        y[...] = kernels.total(x * share, axes).reshape(y.shape)


class Mean(Reduction):
    """y = Σ x / n; gx = gy / n, repeated. Finite where the sum alone would overflow."""

    def __init__(self, axes: tuple[int, ...], keepdims: bool, terms: int) -> None:
        super().__init__(axes, keepdims)
        self.share = 1.0 / terms

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.source = x.shape
        shape = tuple(1 if i in self.axes else n for i, n in enumerate(x.shape) if self.keepdims or i not in self.axes)
        y = np.empty(shape, x.dtype)
        run(mean_into, x, self.axes, x.dtype.type(self.share), y)
        return y

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (self.repeated(gy * self.share),)


def extreme_into(x: np.ndarray, axes: tuple[int, ...], largest: bool, y: np.ndarray, shares: np.ndarray) -> None:
    """max or min over the axes into y; into shares, unless it is empty, what each element has of it."""
    y[...] = (x.max if largest else x.min)(axes, keepdims=True)
    if shares.shape == x.shape:
        taken = x == y
        with np.errstate(invalid="ignore"):  # where y is NaN, so is its gradient
            shares[...] = taken / taken.sum(axes, keepdims=True)


class Extreme(Reduction):
    """y = max x or min x; equal ones share the gradient evenly."""

    def __init__(self, axes: tuple[int, ...], keepdims: bool, largest: bool) -> None:
        super().__init__(axes, keepdims)
        self.largest = largest

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.source = x.shape
        y = np.empty([1 if i in self.axes else n for i, n in enumerate(x.shape)], x.dtype)
        shares = np.empty(x.shape if self.needs[0] else 0, x.dtype)
        run(extreme_into, x, self.axes, self.largest, y, shares)
        self.residuals = (shares,)
        return y if self.keepdims else y.squeeze(self.axes)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (self.repeated(gy) * Tensor(self.residuals[0]),)


class Var(Reduction):
    """y = Σ (x - mean x)² / (n - ddof); gx = gy 2 (x - mean x) / (n - ddof).

    The mean, rounded, is off by some δ, which would add δ² to the result: seen in the sum of the differences, and
    taken off again.
    """

    def __init__(self, axes: tuple[int, ...], keepdims: bool, terms: int, ddof: int) -> None:
        super().__init__(axes, keepdims)
        self.terms, self.share = terms, 1.0 / (terms - ddof)

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.source = x.shape
        self.save_inputs(0)
        real = x.dtype.type
        centred = x - kernels.total(x, self.axes, True) * real(1.0 / self.terms)
        apart = kernels.total(centred, self.axes, self.keepdims)
        squares = kernels.total(np.square(centred), self.axes, self.keepdims)
        return (squares - apart * (apart * real(1.0 / self.terms))) * real(self.share)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        x = self.saved_input(0)
        return (self.repeated(gy * (2.0 * self.share)) * (x - mean(x, self.axes, keepdims=True)),)


class LogSumExp(Reduction):
    """y = log Σ exp x; gx = gy exp(x - y). The largest element is taken out first, so nothing overflows."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.source = x.shape
        self.save_inputs(0)
        self.save_output()
        top = x.max(self.axes, keepdims=True)
        top = np.where(np.isfinite(top), top, x.dtype.type(0))
        with np.errstate(divide="ignore"):
            y = np.log(kernels.total(np.exp(x - top), self.axes, True)) + top
        return y if self.keepdims else y.squeeze(self.axes)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        y = self.saved_output()
        return (self.repeated(gy) * exp(self.saved_input(0) - self.repeated(y)),)


class CumSum(Function):
    """y_i = Σ_{j ≤ i} x_j along one axis; gx is the running sum of gy from the other end."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: np.ndarray) -> np.ndarray:
        y = np.cumsum(x, self.axis, dtype=np.float64 if x.dtype == np.float32 else None)
        return y.astype(x.dtype) if x.dtype == np.float32 else y

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (flip(CumSum(self.axis)(flip(gy, self.axis)), self.axis),)


def sum(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Σ x over `axis`. The sum over no elements is 0."""
    x = as_tensor(x, "sum")
    return Sum(normalize_axis(axis, x.ndim, "sum"), keepdims)(x)


def mean(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Σ x / n over `axis`. Raises ShapeError over no elements."""
    x = as_float(x, "mean")
    n = count(x, axis, "mean")
    return Mean(normalize_axis(axis, x.ndim, "mean"), keepdims, n)(x)


def var(x: Operand, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """Σ (x - mean x)² / (n - ddof) over `axis`; ddof=0 is the population's variance (NumPy's default).

    Raises ArgumentError when n - ddof is not positive.
    """
    x, ddof = as_float(x, "var"), check_count("var", "ddof", ddof, 0)
    n = count(x, axis, "var")
    if n <= ddof:
        raise ArgumentError(f"var: {n} elements with ddof={ddof} leave nothing to divide by; use a smaller ddof")
    return Var(normalize_axis(axis, x.ndim, "var"), keepdims, n, ddof)(x)


def max(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Largest element over `axis`; equal ones share the gradient evenly. Raises ShapeError over no elements."""
    x = as_tensor(x, "max")
    count(x, axis, "max")
    return Extreme(normalize_axis(axis, x.ndim, "max"), keepdims, largest=True)(x)


def min(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Smallest element over `axis`; equal ones share the gradient evenly. Raises ShapeError over no elements."""
    x = as_tensor(x, "min")
    count(x, axis, "min")
    return Extreme(normalize_axis(axis, x.ndim, "min"), keepdims, largest=False)(x)


def logsumexp(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """log Σ exp x over `axis`, without overflow. Raises ShapeError over no elements."""
    x = as_float(x, "logsumexp")
    count(x, axis, "logsumexp")
    return LogSumExp(normalize_axis(axis, x.ndim, "logsumexp"), keepdims)(x)


def cumsum(x: Operand, axis: int) -> Tensor:
    """y_i = Σ_{j ≤ i} x_j along `axis`."""
    x = as_tensor(x, "cumsum")
    axis = single_axis(axis, x.ndim, "cumsum")
    return CumSum(axis)(x)


def count(x: Tensor, axis: Axis, name: str) -> int:
    """How many elements each result of a reduction is made from; ShapeError when none."""
    n = math.prod(x.shape[i] for i in normalize_axis(axis, x.ndim, name))
    if n == 0:
        raise ShapeError(f"{name}: no elements along axis {axis} of {x.shape}; it is not defined over an empty axis")
    return n
