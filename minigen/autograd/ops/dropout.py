"""Dropout: a random mask that is redrawn in backward instead of being stored."""

import numpy as np

from minigen import kernels
from minigen.autograd.function import Function
from minigen.autograd.ops.operands import as_float, images
from minigen.autograd.tensor import Operand, Tensor
from minigen.checks import check_number
from minigen.kernels.noting import constant, made
from minigen.random import check_rng, key


class Dropout(Function):
    """y = x · mask / (1 - p), the mask a function of (key, position): linear, and its own adjoint."""

    def __init__(self, key: np.ndarray, p: float) -> None:
        self.key, self.p = key, p

    def forward(self, x: np.ndarray) -> np.ndarray:
        return kernels.dropout(x, self.key, self.p)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return (Dropout(self.key, self.p)(gy),)


def dropout(x: Operand, p: float, rng: np.random.Generator | None = None, training: bool = True) -> Tensor:
    """Each element 0 with probability p, else x / (1 - p); x itself when not training or p is 0.

    Draws one number from `rng`, the key of the mask. Srivastava et al. 2014, with the scaling moved to training.
    Raises ArgumentError unless 0 ≤ p ≤ 1.
    """
    x, p = as_float(x, "dropout"), check_number("dropout", "p", p, 0, high=1)
    if not training or p == 0:
        return x
    return Dropout(made(drawn_key, check_rng(rng, "dropout")), p)(x)


def dropout2d(x: Operand, p: float, rng: np.random.Generator | None = None, training: bool = True) -> Tensor:
    """Whole channels of images (N, H, W, C): each of the N · C 0 with probability p, else divided by 1 - p.

    Neighbouring pixels say nearly the same, so that single ones would hardly be missed. Tompson et al. 2015, section
    3.2. Otherwise as `dropout`.
    """
    x, p = images(x, "dropout2d"), check_number("dropout2d", "p", p, 0, high=1)
    if not training or p == 0:
        return x
    n, _, _, c = x.shape
    return x * dropout(Tensor(constant(np.ones((n, 1, 1, c), x.dtype))), p, check_rng(rng, "dropout2d"))


def drawn_key(rng: np.random.Generator) -> np.ndarray:
    """The key of a mask, as an array (1,)."""
    return np.array([key(rng)], np.uint64)
