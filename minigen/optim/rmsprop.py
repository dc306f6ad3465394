"""RMSprop: the gradient divided by a running root mean square of itself."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from minigen import kernels
from minigen.optim.groups import Parameters, number
from minigen.optim.optimizer import Optimizer


class RMSprop(Optimizer):
    """s ← α s + (1 - α) g²,  v ← μ v + g / (√s + eps),  p ← p - lr v.  g = ∂L/∂p + weight_decay p.

    alpha: α, 0 ≤ α < 1; momentum: μ, 0 ≤ μ < 1. Tieleman, Hinton (2012), Lecture 6.5 - RMSprop, COURSERA: Neural
    Networks for Machine Learning; eps and momentum as in PyTorch.
    """

    moments = ("square",)
    options: ClassVar = {"alpha": number(0, 1), "eps": number(0), "weight_decay": number(0), "momentum": number(0, 1)}
    square: np.ndarray
    velocity: np.ndarray

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
    ) -> None:
        self.velocity = np.empty(0)  # not used without momentum
        super().__init__(parameters, lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum)
        if any(group["momentum"] for group in self.groups):
            self.add_moment("velocity")

    def update(self, span: slice, count: int, options: Mapping[str, Any]) -> None:
        if options["momentum"]:  # it may have been set only now
            self.add_moment("velocity")
        flat = self.flat
        kernels.rmsprop(
            flat.data[span],
            flat.gradients[span],
            self.square[span],
            self.velocity[span],
            options["lr"],
            options["alpha"],
            options["eps"],
            options["momentum"],
            options["weight_decay"],
        )
