"""Look-up of rows in a table, and its adjoint, which adds rows into the table."""

from typing import Any

import numpy as np

from minigen import kernels
from minigen.autograd.function import Function
from minigen.autograd.ops.arithmetic import where
from minigen.autograd.ops.operands import as_float, integers
from minigen.autograd.tensor import Operand, Tensor
from minigen.errors import ArgumentError, ShapeError


class Embedding(Function):
    """y = weight[indices]; gweight[indices] += gy."""

    def __init__(self, indices: np.ndarray) -> None:
        self.indices = indices

    def forward(self, weight: np.ndarray) -> np.ndarray:
        self.rows = len(weight)
        return kernels.gather_rows(weight, self.indices.reshape(-1)).reshape(*self.indices.shape, weight.shape[1])

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


def embedding(indices: Any, weight: Operand, padding_idx: int | None = None) -> Tensor:
    """weight[indices]: integers of any shape S and a table (num, dim) → (*S, dim).

    padding_idx: a row that gets no gradient, of a symbol that only fills up. Raises DTypeError unless the indices are
    integers, DataError when one is not in [0, num), ArgumentError when padding_idx is not.
    """
    weight = as_float(weight, "embedding")
    if weight.ndim != 2:
        raise ShapeError(f"embedding: weight is {weight.shape}; pass a table (num, dim)")
    places = integers(indices, len(weight.data), "embedding", "indices")
    rows = Embedding(places)(weight)
    if padding_idx is None:
        return rows
    filler = places == check_row("embedding", padding_idx, len(weight.data))
    return where(filler[..., None], rows.detach(), rows)


def check_row(name: str, row: Any, rows: int) -> int:
    """A row's number, counted from the end if negative. Raises ArgumentError."""
    if isinstance(row, bool) or not isinstance(row, (int, np.integer)) or not -rows <= row < rows:
        raise ArgumentError(f"{name}: padding_idx is {row!r}; use a row's number, 0 … {rows - 1}")
    return int(row) % rows
