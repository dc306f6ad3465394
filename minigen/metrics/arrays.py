"""What metrics are given, checked: tensors and arrays as arrays, numbers as floats."""

from typing import Any

import numpy as np

from minigen.autograd.conversion import as_array
from minigen.autograd.tensor import Tensor
from minigen.checks import is_number
from minigen.errors import DataError, DTypeError, ShapeError


def plain_array(values: Any, operation: str) -> np.ndarray:
    """A tensor, array or list of numbers as an array; DTypeError for anything else."""
    if isinstance(values, Tensor):
        return values.data
    as_array(values, operation)  # which refuses what holds no numbers
    return np.asarray(values)


def paired(first: Any, second: Any, names: tuple[str, str], operation: str) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays of one shape, of at least one number, as float64, laid out flat. ShapeError, or DataError for NaN."""
    a, b = plain_array(first, operation), plain_array(second, operation)
    if a.shape != b.shape:
        raise ShapeError(f"{operation}: {names[0]} {a.shape} and {names[1]} {b.shape} differ; reshape one to the other")
    if not a.size:
        raise ShapeError(f"{operation}: no examples; pass at least one")
    a, b = a.reshape(-1).astype(np.float64), b.reshape(-1).astype(np.float64)
    for name, array in zip(names, (a, b), strict=True):
        if np.isnan(array).any():
            raise DataError(f"{operation}: {name} hold NaN; look at where they come from")
    return a, b


def real(operation: str, nats: float) -> float:
    """`nats` as a float, NaN and infinity as they are; DTypeError when it is no number."""
    if not is_number(nats):
        raise DTypeError(f"{operation}: nats is {type(nats).__name__}; pass a number")
    try:
        return float(nats)
    except OverflowError:
        raise DataError(f"{operation}: nats is beyond what a float can hold; pass a smaller number") from None
