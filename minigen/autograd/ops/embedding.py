"""Look-up of rows in a table, and its adjoint, which adds rows into the table."""

from typing import Any

import numpy as np

from minigen import kernels
from minigen.autograd.function import Function
from minigen.autograd.ops.arithmetic import as_float
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.errors import DataError, DTypeError, ShapeError


class Embedding(Function):
    """y = weight[indices]; gweight[indices] += gy."""

    def __init__(self, indices: np.ndarray) -> None:
        self.indices = indices

    def forward(self, weight: np.ndarray) -> np.ndarray:
        self.rows = len(weight)
        return np.take(weight, self.indices, axis=0)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (ScatterRows(self.indices, self.rows)(gy),)


class ScatterRows(Function):
    """gweight[indices] += gy."""

    def __init__(self, indices: np.ndarray, rows: int) -> None:
        self.indices, self.rows = indices, rows

    def forward(self, gy: np.ndarray) -> np.ndarray:
        columns = gy.shape[-1]
        return kernels.scatter_rows(gy.reshape(self.indices.size, columns), self.indices.reshape(-1), self.rows)

    def backward(self, ggw: Tensor) -> tuple[Tensor | None, ...]:
        return (Embedding(self.indices)(ggw),)


def embedding(indices: Any, weight: Operand) -> Tensor:
    """weight[indices]: integers of any shape S and a table (num, dim) → (*S, dim).

    Raises DTypeError unless the indices are integers, DataError when one is not in [0, num).
    """
    weight = as_float(weight, "embedding")
    if weight.ndim != 2:
        raise ShapeError(f"embedding: weight is {weight.shape}; pass a table (num, dim)")
    return Embedding(integers(indices, len(weight.data), "embedding", "indices"))(weight)


def integers(values: Any, end: int, name: str, role: str) -> np.ndarray:
    """`values` as a fresh int64 array, each checked to be in [0, end)."""
    array = as_tensor(values, name).data
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{name}: {role} have dtype {array.dtype}; pass integers, such as labels.astype(int)")
    if array.size and not (array.min() >= 0 and array.max() < end):
        bad = array.min() if array.min() < 0 else array.max()
        raise DataError(f"{name}: {role} hold {bad}, outside 0 … {end - 1}; check the data, or make room for it")
    return np.array(array, dtype=np.int64)
