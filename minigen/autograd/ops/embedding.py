"""Look-up of rows in a table, and its adjoint, which adds rows into the table."""

from typing import Any

import numpy as np

from minigen import kernels
from minigen.autograd.function import Function
from minigen.autograd.ops.operands import as_float, integers
from minigen.autograd.tensor import Operand, Tensor
from minigen.errors import ShapeError


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
