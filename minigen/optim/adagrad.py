"""Adagrad: the gradient divided by the root of the sum of all its squares so far."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from minigen import kernels
from minigen.optim.groups import Parameters, number
from minigen.optim.optimizer import Optimizer


class Adagrad(Optimizer):
    """s ← s + g²,  p ← p - lr g / (√s + eps).  g = ∂L/∂p + weight_decay p.

    Duchi, Hazan, Singer (2011), Adaptive subgradient methods for online learning and stochastic optimization, the
    diagonal version of Figure 1; eps as in PyTorch. lr_decay: in step t lr / (1 + (t - 1) lr_decay) is used.
    """

    moments = ("square",)
    options: ClassVar = {"lr_decay": number(0), "weight_decay": number(0), "eps": number(0)}
    square: np.ndarray

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        super().__init__(parameters, lr, lr_decay=lr_decay, weight_decay=weight_decay, eps=eps)

    def update(self, span: slice, count: int, options: Mapping[str, Any]) -> None:
        flat = self.flat
        kernels.adagrad(
            flat.data[span],
            flat.gradients[span],
            self.square[span],
            options["lr"] / (1 + (count - 1) * options["lr_decay"]),
            options["eps"],
            options["weight_decay"],
        )
