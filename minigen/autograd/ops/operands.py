"""What operations are given, brought into form: tensors of one dtype, axes, shapes, indices, masks.

Each function takes the name of the operation that asks, for its messages, and raises one of minigen's errors when
there is no sense in what was given.
"""

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minigen.advice import advise
from minigen.autograd.ops.cast import astype
from minigen.autograd.tensor import Axis, Operand, Tensor, as_tensor
from minigen.checks import check_number, is_number, shown
from minigen.config import FLOAT_DTYPES, config
from minigen.errors import ArgumentError, DataError, DTypeError, ShapeError
from minigen.kernels.noting import constant, made, refuse

# ---------------------------------------------------------------- dtypes


def as_float(x: Operand, name: str) -> Tensor:
    """`x` as a float tensor: integers and booleans become `config.dtype`."""
    x = as_tensor(x, name)
    return x if x.dtype in FLOAT_DTYPES else astype(x, config.dtype)


def same_dtype(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Tensors as floats of one dtype: the widest float dtype among them, `config.dtype` when there is none."""
    first = tensors[0].data.dtype
    if first in FLOAT_DTYPES and all(x.data.dtype == first for x in tensors):
        return list(tensors)
    dtype = common_dtype(tensors)
    for x in tensors:
        advise_scaling(x)
    return [astype(x, dtype if dtype in FLOAT_DTYPES else config.dtype) for x in tensors]


def pair(name: str, a: Operand, b: Operand) -> tuple[Tensor, Tensor]:
    """Both operands as tensors of one dtype. A Python number takes the dtype of the tensor beside it."""
    if isinstance(b, (int, float)) and not isinstance(a, (int, float)):
        a = as_tensor(a, name)
        return a if a.dtype in FLOAT_DTYPES else number_like(a, b), scalar_like(b, a, name)
    if isinstance(a, (int, float)) and not isinstance(b, (int, float)):
        b = as_tensor(b, name)
        return scalar_like(a, b, name), b if b.dtype in FLOAT_DTYPES else number_like(b, a)
    a, b = as_tensor(a, name), as_tensor(b, name)
    if a.dtype != b.dtype:
        dtype = common_dtype([a, b])
        a, b = astype(a, dtype), astype(b, dtype)
    return a, b


def common_dtype(tensors: Sequence[Tensor]) -> np.dtype:
    """The dtype that several operands share: the widest float among them; without floats, NumPy's promotion."""
    floats = [x.dtype for x in tensors if x.dtype in FLOAT_DTYPES]
    if len(set(floats)) > 1:
        shapes = " and ".join(f"{x.shape} {x.dtype}" for x in tensors if x.dtype in FLOAT_DTYPES)
        advise(
            "float64",
            f"float32 and float64 meet ({shapes}), and all that follows is float64, which is slower; np.ones, np.zeros "
            "and data files are float64 by default: convert with .astype(np.float32)",
        )
    return np.result_type(*(floats or [x.dtype for x in tensors]))


def advise_scaling(x: Tensor) -> None:
    """Say, once, that pixels from 0 to 255 reach a layer as they are."""
    if x.dtype == np.uint8 and x.ndim > 1 and (x.data > 1).any():
        advise(
            "uint8",
            f"bytes up to {x.data.max()}, {x.shape}, are used as numbers of that size; networks learn badly from "
            "pixels that are not scaled: divide them by 255",
        )


def scalar_like(number: float, tensor: Tensor, name: str) -> Tensor:
    """A 0-d tensor in the float dtype of `tensor`; for integer tensors NumPy's or the default float dtype."""
    if tensor.dtype == bool:
        return as_tensor(number, name)
    keeps = tensor.dtype in FLOAT_DTYPES or not isinstance(number, float)
    try:
        return Tensor(constant(np.asarray(number, tensor.dtype if keeps else config.dtype)))
    except OverflowError:
        mend = "use a smaller number" if tensor.dtype in FLOAT_DTYPES else "convert the tensor with astype"
        raise DTypeError(f"{name}: {shown(number)} does not fit into {tensor.dtype}; {mend}") from None


def number_like(tensor: Tensor, number: float) -> Tensor:
    """An integer tensor as default floats when it meets a Python float."""
    return astype(tensor, config.dtype) if isinstance(number, float) else tensor


# ---------------------------------------------------------------- shapes and axes


def broadcastable(*shapes: tuple[int, ...]) -> bool:
    """Whether NumPy can broadcast these shapes to one."""
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


def normalize_axis(axis: Axis, ndim: int, name: str) -> tuple[int, ...]:
    """`axis` as a tuple of distinct non-negative ints; None means all axes. Raises ArgumentError."""
    axes = tuple(range(ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if any(isinstance(i, bool) or not isinstance(i, (int, np.integer)) or not -ndim <= i < ndim for i in axes):
        raise ArgumentError(f"{name}: axis {axis} does not exist in {ndim} axes")
    axes = tuple(int(i) % ndim for i in axes)
    if len(set(axes)) != len(axes):
        raise ArgumentError(f"{name}: axis {axis} names one axis twice")
    return axes


def single_axis(axis: int, ndim: int, name: str) -> int:
    """`axis` as a non-negative int. Raises ArgumentError, also for None and tuples."""
    if axis is None or isinstance(axis, tuple):
        raise ArgumentError(f"{name}: axis is {axis}; name one axis by its number")
    return normalize_axis(axis, ndim, name)[0]


def whole_shape(shape: Any, name: str) -> tuple[int, ...]:
    """`shape`, a number or several, as a tuple of ints. Raises ShapeError when it is anything else."""
    try:
        numbers = shape if isinstance(shape, Iterable) else (shape,)
        lengths = tuple(map(operator.index, numbers))
    except TypeError:
        raise ShapeError(f"{name}: shape {shape!r} must be whole numbers") from None
    if any(n > np.iinfo(np.int64).max for n in lengths):
        raise ShapeError(f"{name}: shape {shown(lengths)} is too large")
    return lengths


def rows(x: np.ndarray) -> np.ndarray:
    """(…, C) as (M, C), also when it is empty."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def images(x: Operand, name: str) -> Tensor:
    """`x` as a float tensor with four axes."""
    x = as_tensor(x, name)
    advise_scaling(x)
    x = as_float(x, name)
    if x.ndim != 4:
        raise ShapeError(f"{name}: x is {x.shape}; images are channels-last with four axes, (N, H, W, C)")
    return x


# ---------------------------------------------------------------- indices, masks and options


def integers(values: Any, end: int, name: str, role: str) -> np.ndarray:
    """`values` as a fresh int64 array, each checked to be in [0, end)."""
    return made(checked_integers, as_tensor(values, name).data, end, name, role)


def checked_integers(array: np.ndarray, end: int, name: str, role: str) -> np.ndarray:
    """`integers` of an array."""
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{name}: {role} have dtype {array.dtype}; pass integers, such as labels.astype(int)")
    fresh = np.array(array, dtype=np.int64)
    if fresh.size and fresh.view(np.uint64).max() >= end:  # what is negative is large there
        bad = array.min() if array.min() < 0 else array.max()
        raise DataError(f"{name}: {role} hold {bad}, outside 0 … {end - 1}; check the data, or make room for it")
    return fresh


def raw_index(index: Any) -> Any:
    """An index with tensors and lists replaced by arrays of their own, so that later changes do not matter."""
    if isinstance(index, tuple):
        return tuple(raw_index(list(part) if isinstance(part, tuple) else part) for part in index)
    if isinstance(index, Tensor):
        index = index.data
    if isinstance(index, (list, range, np.ndarray)):
        try:
            array = made(np.array, index) if isinstance(index, np.ndarray) else constant(np.array(index))
        except ValueError:
            raise ShapeError("getitem: a nested list as index must not be ragged") from None
        if array.ndim and not array.size and array.dtype.kind == "f":  # [] counts as integers
            array = array.astype(np.int64)
        if array.dtype.kind not in "biu":
            raise DTypeError(f"getitem: index of dtype {array.dtype}; use integers or booleans")
        if array.dtype == bool:
            refuse("an index of booleans, whose number of True may change; use mg.where, or places")
        return array
    return index


def contiguous_copy(array: np.ndarray) -> np.ndarray:
    """A copy in C order."""
    return np.array(array, order="C")


def boolean_mask(mask: Any, shape: tuple[int, ...], name: str, axes: str, what: str) -> np.ndarray | None:
    """A copy of a mask as a contiguous array of `shape`, or None; `axes` and `what` a boolean is of, for messages."""
    if mask is None:
        return None
    array = made(contiguous_copy, as_tensor(mask, name).data)
    if array.dtype != bool:
        raise DTypeError(f"{name}: mask has dtype {array.dtype}; pass booleans, True for a {what} that counts")
    if array.shape != shape:
        raise ShapeError(f"{name}: mask is {array.shape}, expected {axes} = {shape}, one boolean for each {what}")
    return array


def leaky_slope(slope: float | None, name: str) -> float | None:
    """The `negative_slope` of an operation that may end with a leaky ReLU, checked; None: without one."""
    return None if slope is None else check_number(name, "negative_slope", slope, 0)


def holds(dtype: np.dtype, value: Any) -> bool:
    """Whether `value` is a number that `dtype` can hold: floats by rounding, but not by overflow, others exactly."""
    if not is_number(value) and not isinstance(value, (bool, np.bool_)):
        return False
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            held = np.asarray(value).astype(dtype)
            return bool(np.isinf(held) == np.isinf(float(value)) if dtype.kind == "f" else held == value)
    except OverflowError:
        return False
