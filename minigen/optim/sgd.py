"""Stochastic gradient descent, with momentum or Nesterov's momentum."""

from collections.abc import Iterable

import numpy as np

from minigen import kernels
from minigen.autograd.tensor import Tensor
from minigen.checks import check_number
from minigen.errors import ArgumentError
from minigen.optim.optimizer import Optimizer


class SGD(Optimizer):
    """v ← μ v + g,  p ← p - lr v;  with Nesterov  p ← p - lr (g + μ v).  g = ∂L/∂p + weight_decay p.

    momentum: μ, 0 ≤ μ < 1. Sutskever, Martens, Dahl, Hinton (2013), On the importance of initialization and momentum
    in deep learning, section 2; as in PyTorch, lr multiplies v where it is used rather than where it is summed.
    """

    moments = ("velocity",)
    velocity: np.ndarray

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.momentum = check_number(self.name, "momentum", momentum, 0, 1)
        self.weight_decay = check_number(self.name, "weight_decay", weight_decay, 0)
        self.nesterov = bool(nesterov)
        if nesterov and momentum == 0:
            raise ArgumentError("SGD: nesterov=True needs momentum above 0")
        self.velocity = np.empty(0)  # not used without momentum
        if self.momentum == 0:
            self.moments = ()
        super().__init__(parameters, lr)

    def update(self, span: slice, count: int) -> None:
        flat = self.flat
        kernels.sgd(
            flat.data[span],
            flat.gradients[span],
            self.velocity[span],
            self.lr,
            self.momentum,
            self.nesterov,
            self.weight_decay,
        )
