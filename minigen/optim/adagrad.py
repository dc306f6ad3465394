"""Adagrad: the gradient divided by the root of the sum of all its squares so far."""

from collections.abc import Iterable

import numpy as np

from minigen import kernels
from minigen.autograd.tensor import Tensor
from minigen.checks import check_number
from minigen.optim.optimizer import Optimizer


class Adagrad(Optimizer):
    """s ← s + g²,  p ← p - lr g / (√s + eps).  g = ∂L/∂p + weight_decay p.

    Duchi, Hazan, Singer (2011), Adaptive subgradient methods for online learning and stochastic optimization, the
    diagonal version of Figure 1; eps as in PyTorch.
    """

    moments = ("square",)
    square: np.ndarray

    def __init__(
        self, parameters: Iterable[Tensor], lr: float = 1e-2, eps: float = 1e-10, weight_decay: float = 0.0
    ) -> None:
        self.eps = check_number(self.name, "eps", eps, 0)
        self.weight_decay = check_number(self.name, "weight_decay", weight_decay, 0)
        super().__init__(parameters, lr)

    def update(self, span: slice, count: int) -> None:
        flat = self.flat
        kernels.adagrad(flat.data[span], flat.gradients[span], self.square[span], self.lr, self.eps, self.weight_decay)
