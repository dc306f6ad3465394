"""Truth and bits: isnan and its kin, logical_… of any numbers, & | ^ ~ of booleans and integers. No gradient.

`&`, `|`, `^` and `~` of booleans are and, or, exclusive or, not; of integers they work on each bit, as in NumPy.
"""

from collections.abc import Callable

import numpy as np

from minigen.autograd.ops.operands import broadcastable, pair
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.checks import check_number
from minigen.errors import DTypeError, ShapeError
from minigen.kernels.noting import applied, made, refuse


def isnan(x: Operand) -> Tensor:
    """Which elements are NaN, as booleans."""
    return Tensor(applied(np.isnan, as_tensor(x, "isnan").data))


def isinf(x: Operand) -> Tensor:
    """Which elements are infinite, of either sign, as booleans."""
    return Tensor(applied(np.isinf, as_tensor(x, "isinf").data))


def isfinite(x: Operand) -> Tensor:
    """Which elements are neither NaN nor infinite, as booleans."""
    return Tensor(applied(np.isfinite, as_tensor(x, "isfinite").data))


def isclose(a: Operand, b: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Where |a - b| ≤ atol + rtol |b|, broadcast, as booleans; inf is close to inf, NaN to NaN if `equal_nan`."""
    a, b = pair("isclose", a, b)
    if not broadcastable(a.shape, b.shape):
        raise ShapeError(f"isclose: shapes {a.shape} and {b.shape} do not broadcast")
    rtol, atol = check_number("isclose", "rtol", rtol, 0), check_number("isclose", "atol", atol, 0)
    return Tensor(made(close, a.data, b.data, rtol, atol, bool(equal_nan)))


def close(a: np.ndarray, b: np.ndarray, rtol: float, atol: float, equal_nan: bool) -> np.ndarray:
    """np.isclose, as an array."""
    return np.asarray(np.isclose(a, b, rtol, atol, equal_nan))


def allclose(a: Operand, b: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether |a - b| ≤ atol + rtol |b| everywhere, as one bool of Python; see `isclose`."""
    refuse("a value is read: allclose()")
    return bool(isclose(a, b, rtol, atol, equal_nan).data.all())


def logical_and(a: Operand, b: Operand) -> Tensor:
    """Where both are not 0, broadcast, as booleans."""
    return of_two(np.logical_and, a, b)


def logical_or(a: Operand, b: Operand) -> Tensor:
    """Where one at least is not 0, broadcast, as booleans."""
    return of_two(np.logical_or, a, b)


def logical_xor(a: Operand, b: Operand) -> Tensor:
    """Where just one is not 0, broadcast, as booleans."""
    return of_two(np.logical_xor, a, b)


def logical_not(x: Operand) -> Tensor:
    """Where x is 0, as booleans."""
    return Tensor(applied(np.logical_not, as_tensor(x, "logical_not").data))


def bitwise_and(a: Operand, b: Operand) -> Tensor:
    """a & b, broadcast. Raises DTypeError for floats."""
    return of_two(np.bitwise_and, a, b)


def bitwise_or(a: Operand, b: Operand) -> Tensor:
    """a | b, broadcast. Raises DTypeError for floats."""
    return of_two(np.bitwise_or, a, b)


def bitwise_xor(a: Operand, b: Operand) -> Tensor:
    """a ^ b, broadcast. Raises DTypeError for floats."""
    return of_two(np.bitwise_xor, a, b)


def bitwise_not(x: Operand) -> Tensor:
    """~x. Raises DTypeError for floats."""
    x = as_tensor(x, "bitwise_not")
    check_bits("bitwise_not", x)
    return Tensor(applied(np.bitwise_not, x.data))


def of_two(ufunc: Callable[..., np.ndarray], a: Operand, b: Operand) -> Tensor:
    """The ufunc of two operands that broadcast."""
    name = ufunc.__name__
    a, b = pair(name, a, b)
    if name.startswith("bitwise"):
        check_bits(name, a, b)
    if not broadcastable(a.shape, b.shape):
        raise ShapeError(f"{name}: shapes {a.shape} and {b.shape} do not broadcast")
    return Tensor(applied(ufunc, a.data, b.data))


def check_bits(name: str, *operands: Tensor) -> None:
    """Raise DTypeError for floats, which have no bits to work on."""
    for x in operands:
        if x.dtype.kind == "f":
            raise DTypeError(f"{name}: {x.dtype} has no bits; use comparisons (x > 0), or .astype(int)")
