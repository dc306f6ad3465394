"""New tensors of given values: zeros, ones, full, arange, linspace, eye, and those that take another tensor's shape.

Floats come in `config.dtype` (float32) unless `dtype` says otherwise; `requires_grad` makes a leaf of the result.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigen.autograd.conversion import check_differentiable, numeric_dtype
from minigen.autograd.ops.operands import holds, whole_shape
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.checks import check_count, check_flag, check_number, is_number, shown
from minigen.config import config
from minigen.errors import ArgumentError, DTypeError, ShapeError
from minigen.kernels.noting import constant, refuse


def zeros(*shape: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros: zeros(2, 3) and zeros((2, 3)) are the same. Raises ShapeError for a shape that is none."""
    return filled("zeros", shape, 0, dtype, requires_grad)


def ones(*shape: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones: ones(2, 3) and ones((2, 3)) are the same. Raises ShapeError for a shape that is none."""
    return filled("ones", shape, 1, dtype, requires_grad)


def full(shape: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of one value; its dtype follows the value: floats `config.dtype`, ints int64, booleans bool.

    Raises ShapeError for a shape that is none, DTypeError for a value that is none, or that the dtype can not hold.
    """
    return filled("full", (shape,), scalar(fill_value, "full"), dtype, requires_grad)


def zeros_like(x: Operand, dtype: Any = None, *, requires_grad: bool = False) -> Tensor:
    """Zeros of the shape and dtype of x."""
    x = as_tensor(x, "zeros_like")
    return filled("zeros_like", (x.shape,), 0, x.dtype if dtype is None else dtype, requires_grad)


def ones_like(x: Operand, dtype: Any = None, *, requires_grad: bool = False) -> Tensor:
    """Ones of the shape and dtype of x."""
    x = as_tensor(x, "ones_like")
    return filled("ones_like", (x.shape,), 1, x.dtype if dtype is None else dtype, requires_grad)


def full_like(x: Operand, fill_value: Any, dtype: Any = None, *, requires_grad: bool = False) -> Tensor:
    """One value in the shape and dtype of x. Raises DTypeError when the dtype can not hold it."""
    x, value = as_tensor(x, "full_like"), scalar(fill_value, "full_like")
    return filled("full_like", (x.shape,), value, x.dtype if dtype is None else dtype, requires_grad)


def arange(
    start: float, end: float | None = None, step: float = 1, *, dtype: Any = None, requires_grad: bool = False
) -> Tensor:
    """start, start + step, … below `end`: arange(n) counts from 0. Whole numbers give int64, others `config.dtype`.

    ⌈(end - start) / step⌉ elements. Raises ArgumentError for a step of 0, or away from the end.
    """
    start, end = (0, start) if end is None else (start, end)
    numbers = [scalar(value, "arange") for value in (start, end, step)]
    start, end, step = (n if isinstance(n, int) else check_number("arange", "each bound", n) for n in numbers)
    if step == 0 or (end - start) / step < 0:
        raise ArgumentError(f"arange: step {shown(step)} does not lead from {shown(start)} to {shown(end)}")
    whole = all(isinstance(n, int) for n in (start, end, step))
    kind = numeric_dtype((np.int64 if whole else config.dtype) if dtype is None else dtype, "arange")
    return made("arange", lambda: np.arange(start, end, step).astype(kind), requires_grad)


def linspace(start: float, end: float, steps: int, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """`steps` numbers at equal distances, the first `start`, the last `end`, in `config.dtype`."""
    first, last = check_number("linspace", "start", start), check_number("linspace", "end", end)
    steps = check_count("linspace", "steps", steps, 0)
    kind = numeric_dtype(config.dtype if dtype is None else dtype, "linspace")
    return made("linspace", lambda: np.linspace(first, last, steps).astype(kind), requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """The (n, m) matrix with ones on its diagonal and zeros elsewhere; m is n by default."""
    rows, columns = check_count("eye", "n", n, 0), check_count("eye", "m", n if m is None else m, 0)
    kind = numeric_dtype(config.dtype if dtype is None else dtype, "eye")
    return made("eye", lambda: np.eye(rows, columns, dtype=kind), requires_grad)


# ---------------------------------------------------------------- what they share


def filled(name: str, shape: tuple, value: float, dtype: Any, requires_grad: bool) -> Tensor:
    """A tensor of one value; `shape` is what stood in the call, numbers or one sequence of them."""
    lengths = lengths_of(shape, name)
    if dtype is None:
        whole = isinstance(value, int) and name == "full"
        dtype = (bool if isinstance(value, bool) else np.int64) if whole else config.dtype
    kind = numeric_dtype(dtype, name)
    if not holds(kind, value):
        raise DTypeError(f"{name}: {shown(value)} does not fit into {kind}; pass another dtype=")
    return made(name, lambda: np.zeros(lengths, kind) if value == 0 else np.full(lengths, value, kind), requires_grad)


def made(name: str, make: Callable[[], np.ndarray], requires_grad: bool) -> Tensor:
    """The array as a tensor. Raises ShapeError when there is no memory for it."""
    try:
        array = make()
    except (MemoryError, ValueError, OverflowError) as error:  # NumPy names the size
        raise ShapeError(f"{name}: too large; {error}") from None
    return Tensor(constant(array), check_flag(name, "requires_grad", requires_grad) and check_differentiable(array))


def lengths_of(shape: tuple, name: str) -> tuple[int, ...]:
    """The shape that was given as numbers, f(2, 3), or as one sequence, f((2, 3)). Raises ShapeError."""
    if shape and isinstance(shape[-1], np.random.Generator):
        raise ArgumentError(f"{name}: the generator stands among the lengths; pass it by name, rng=…")
    lengths = whole_shape(shape[0] if len(shape) == 1 else shape, name)
    if any(n < 0 for n in lengths):
        raise ShapeError(f"{name}: shape {lengths} has a negative length")
    if math.prod(lengths) > np.iinfo(np.int64).max:
        raise ShapeError(f"{name}: shape {shown(lengths)} is too large")
    return lengths


def scalar(value: Any, name: str) -> Any:
    """A number or boolean of Python, from one of NumPy's or a one-element tensor. Raises DTypeError for others."""
    if isinstance(value, (Tensor, np.ndarray, np.generic)) and value.size == 1:
        refuse(f"{name} takes a number out of an array")
        value = value.item()
    if not is_number(value) and not isinstance(value, bool):
        raise DTypeError(f"{name}: {shown(value)} is no number")
    return value
