"""Conversion between dtypes, which everything that brings operands to one dtype builds on."""

from typing import Any

import numpy as np

from minigen.autograd.conversion import numeric_dtype
from minigen.autograd.function import Function
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.config import FLOAT_DTYPES
from minigen.kernels.noting import run


class AsType(Function):
    """y = x in another dtype; gx = gy in the dtype of x."""

    def __init__(self, dtype: np.dtype) -> None:
        self.target = dtype

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.source = x.dtype
        y = np.empty(x.shape, self.target)
        run(cast, x, y)
        return y

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (astype(gy, self.source),)


def cast(x: np.ndarray, y: np.ndarray) -> None:
    """x in the dtype of y, into y."""
    np.copyto(y, x, casting="unsafe")


def astype(x: Operand, dtype: Any) -> Tensor:
    """x in another dtype; x itself when it already has it. No gradient flows through integers."""
    x, dtype = as_tensor(x, "astype"), numeric_dtype(dtype, "astype")
    if x.dtype == dtype:
        return x
    if x.requires_grad and dtype not in FLOAT_DTYPES:
        x = x.detach()
    return AsType(dtype)(x)
