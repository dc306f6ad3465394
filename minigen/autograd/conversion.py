"""User data as arrays: the one place that decides which dtypes are numbers here, and says so when they are not."""

from typing import Any

import numpy as np

from minigen.config import FLOAT_DTYPES, config
from minigen.errors import ArgumentError, DTypeError, GradientError, ShapeError
from minigen.kernels.noting import constant, noting


def as_array(data: Any, operation: str, dtype: Any = None) -> np.ndarray:
    """`data` as an ndarray of numbers, in `dtype` when it is given; otherwise Python floats become `config.dtype`."""
    if type(data) is np.ndarray:
        array = data
    elif isinstance(data, np.ndarray):
        array = plain(data, operation)
    elif data is None:
        raise DTypeError(f"{operation}: got None; does the function or layer before it end with `return`?")
    else:
        try:
            array = np.asarray(data)
        except GradientError:
            raise ArgumentError(
                f"{operation}: got a {type(data).__name__} that holds tensors with gradients; pass one tensor, such as "
                "y of a recurrent layer's (y, state), or the mg.stack of several"
            ) from None
        except ValueError as error:
            raise ShapeError(
                f"{operation}: the nested sequence is ragged; all rows need one length ({error})"
            ) from None
        if dtype is None and array.dtype == np.float64 and not isinstance(data, np.float64):
            array = array.astype(config.dtype)
    check_numeric(array, operation)
    if dtype is not None:
        found = numeric_dtype(dtype, operation)
        check_fits(array, found, operation)
        array = array.astype(found, copy=False)
    return constant(array) if noting.notes is not None and only_numbers(data) else array


def only_numbers(data: Any) -> bool:
    """Whether `data` is a number of Python, or nested sequences of them: none that came out of an array, or a host."""
    if isinstance(data, (list, tuple)):
        return all(map(only_numbers, data))
    return type(data) in (int, float, bool)


def check_fits(array: np.ndarray, dtype: np.dtype, operation: str) -> None:
    """Raises DTypeError for numbers out of the range of an integer dtype, and for NaN, which would become others."""
    if dtype.kind not in "iu" or array.dtype == dtype or array.dtype.kind == "b" or not array.size:
        return
    low, high, limits = array.min(), array.max(), np.iinfo(dtype)
    finite = np.isfinite(low) and np.isfinite(high)
    if not finite or int(low) < limits.min or int(high) > limits.max:  # as ints, since float64 takes 2⁶³ - 1 for 2⁶³
        raise DTypeError(f"{operation}: numbers from {low} to {high} do not fit into {dtype}")


def plain(array: np.ndarray, operation: str) -> np.ndarray:
    """An array of a subclass, such as np.matrix or np.memmap, as the array itself, over the same memory.

    Raises DTypeError for masked arrays, whose masked elements would count.
    """
    if isinstance(array, np.ma.MaskedArray):
        raise DTypeError(f"{operation}: a masked array would lose its mask; pass array.filled(0), or another value")
    return np.asarray(array)


def check_numeric(array: np.ndarray, operation: str) -> None:
    """Raise DTypeError unless the array holds booleans, integers, float32 or float64."""
    if array.dtype.kind not in "biu" and array.dtype not in FLOAT_DTYPES:
        raise DTypeError(
            f"{operation}: dtype {array.dtype} is not supported; use float32, float64, integers or booleans "
            "(array.astype(np.float32))"
        )


def numeric_dtype(dtype: Any, operation: str) -> np.dtype:
    """`dtype` as a NumPy dtype. Raises DTypeError when there is no such dtype, or tensors can not hold it."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise DTypeError(f"{operation}: {dtype!r} is no dtype; use np.float32, np.float64, np.int64 or bool") from None
    check_numeric(np.empty(0, found), operation)
    return found


def check_differentiable(array: np.ndarray) -> bool:
    """True for floats; DTypeError for anything else."""
    if array.dtype not in FLOAT_DTYPES:
        raise DTypeError(f"requires_grad: {array.dtype} has no gradient; use .astype(np.float32) or floats")
    return True
