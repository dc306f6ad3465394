"""RMSprop: the gradient divided by a running root mean square of itself."""

from collections.abc import Iterable

import numpy as np

from minigen import kernels
from minigen.autograd.tensor import Tensor
from minigen.checks import check_number
from minigen.optim.optimizer import Optimizer


class RMSprop(Optimizer):
    """s ← α s + (1 - α) g²,  v ← μ v + g / (√s + eps),  p ← p - lr v.  g = ∂L/∂p + weight_decay p.

    alpha: α, 0 ≤ α < 1; momentum: μ, 0 ≤ μ < 1. Tieleman, Hinton (2012), Lecture 6.5 - RMSprop, COURSERA: Neural
    Networks for Machine Learning; eps and momentum as in PyTorch.
    """

    moments = ("square", "velocity")
    square: np.ndarray
    velocity: np.ndarray

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
    ) -> None:
        self.alpha = check_number(self.name, "alpha", alpha, 0, 1)
        self.eps = check_number(self.name, "eps", eps, 0)
        self.weight_decay = check_number(self.name, "weight_decay", weight_decay, 0)
        self.momentum = check_number(self.name, "momentum", momentum, 0, 1)
        self.velocity = np.empty(0)  # not used without momentum
        if self.momentum == 0:
            self.moments = ("square",)
        super().__init__(parameters, lr)

    def update(self, span: slice, count: int) -> None:
        flat = self.flat
        kernels.rmsprop(
            flat.data[span],
            flat.gradients[span],
            self.square[span],
            self.velocity[span],
            self.lr,
            self.alpha,
            self.eps,
            self.momentum,
            self.weight_decay,
        )
