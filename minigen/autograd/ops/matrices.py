"""Parts and makers of matrices: triangles, diagonals, trace, inner and outer product."""

import numpy as np

from minigen.autograd.ops.arithmetic import multiply, where
from minigen.autograd.ops.linalg import matmul
from minigen.autograd.ops.operands import pair, single_axis
from minigen.autograd.ops.reduction import sum
from minigen.autograd.ops.shape import GetItem, Scatter, expand_dims, transpose
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.checks import check_count
from minigen.errors import ArgumentError, ShapeError
from minigen.kernels.noting import constant

LARGEST = 2**31  # no diagonal lies further off


def tril(x: Operand, diagonal: int = 0) -> Tensor:
    """The lower triangle of the last two axes: x[…, i, j] where j ≤ i + diagonal, else 0. ShapeError below 2-D."""
    return triangle(x, diagonal, "tril")


def triu(x: Operand, diagonal: int = 0) -> Tensor:
    """The upper triangle of the last two axes: x[…, i, j] where j ≥ i + diagonal, else 0. ShapeError below 2-D."""
    return triangle(x, diagonal, "triu")


def triangle(x: Operand, diagonal: int, name: str) -> Tensor:
    """What tril and triu share."""
    x, offset = as_tensor(x, name), offset_of(name, "diagonal", diagonal)
    if x.ndim < 2:
        raise ShapeError(f"{name}: x is {x.shape}; a triangle needs two axes")
    distance = np.arange(x.shape[-1]) - np.arange(x.shape[-2])[:, None]
    kept = constant(distance <= offset if name == "tril" else distance >= offset)
    return where(kept, x, constant(np.zeros((), x.dtype)))


def diag(x: Operand, diagonal: int = 0) -> Tensor:
    """Of a row: the square matrix with it on a diagonal, zeros elsewhere. Of a matrix: that diagonal.

    diagonal: 0 the main one, above it from 1 on, below it from -1 on. Raises ShapeError for other shapes.
    """
    x, offset = as_tensor(x, "diag"), offset_of("diag", "diagonal", diagonal)
    if x.ndim == 2:
        return diagonal_of(x, offset)
    if x.ndim != 1:
        raise ShapeError(f"diag: x is {x.shape}; pass a row or a matrix, or use diagonal(x, axis1=…, axis2=…)")
    n = x.size + abs(offset)
    if n * n > LARGEST:
        raise ShapeError(f"diag: a matrix of {n} × {n} elements is too large")
    i = np.arange(x.size)
    return Scatter((constant(i + max(0, -offset)), constant(i + max(0, offset))), (n, n))(x)


def diagonal(x: Operand, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonal x[i, i + offset] of two axes, as the last axis of the result.

    Raises ArgumentError for equal axes.
    """
    x, offset = as_tensor(x, "diagonal"), offset_of("diagonal", "offset", offset)
    if x.ndim < 2:
        raise ShapeError(f"diagonal: x is {x.shape}; a diagonal needs two axes")
    i, j = single_axis(axis1, x.ndim, "diagonal"), single_axis(axis2, x.ndim, "diagonal")
    if i == j:
        raise ArgumentError(f"diagonal: axis1 and axis2 are both {i}; name two")
    return diagonal_of(transpose(x, [*[k for k in range(x.ndim) if k not in (i, j)], i, j]), offset)


def diagonal_of(x: Tensor, offset: int) -> Tensor:
    """The diagonal of the last two axes."""
    n = max(0, min(x.shape[-2] + min(0, offset), x.shape[-1] - max(0, offset)))
    i = np.arange(n)
    return GetItem((..., constant(i + max(0, -offset)), constant(i + max(0, offset))))(x)


def offset_of(name: str, role: str, value: int) -> int:
    """How far a diagonal lies off; so far that no matrix reaches it counts as LARGEST."""
    return min(check_count(name, role, value, -LARGEST), LARGEST)


def trace(x: Operand) -> Tensor:
    """Σ x[i, i] of a matrix. Raises ShapeError for other shapes."""
    x = as_tensor(x, "trace")
    if x.ndim != 2:
        raise ShapeError(f"trace: x is {x.shape}, no matrix; of several, use diagonal(x, axis1=…, axis2=…).sum(-1)")
    return sum(diagonal_of(x, 0))


def outer(a: Operand, b: Operand) -> Tensor:
    """y[i, j] = a[i] b[j] of two rows. Raises ShapeError for other shapes."""
    a, b = pair("outer", a, b)
    if a.ndim != 1 or b.ndim != 1:
        raise ShapeError(f"outer: shapes {a.shape} and {b.shape}; pass two rows, or multiply with expand_dims")
    return multiply(expand_dims(a, 1), b)


def dot(a: Operand, b: Operand) -> Tensor:
    """Σ a[i] b[i] of two rows of one length. Raises ShapeError for other shapes: of matrices, use matmul."""
    a, b = pair("dot", a, b)
    if a.ndim != 1 or a.shape != b.shape:
        raise ShapeError(f"dot: shapes {a.shape} and {b.shape}; pass two rows of one length, or use matmul")
    return matmul(a, b)
