"""Stochastic gradient descent, with momentum or Nesterov's momentum."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from minigen import kernels
from minigen.errors import ArgumentError
from minigen.optim.groups import Parameters, flag, number
from minigen.optim.optimizer import Optimizer


class SGD(Optimizer):
    """v ← μ v + g,  p ← p - lr v;  with Nesterov  p ← p - lr (g + μ v).  g = ∂L/∂p + weight_decay p.

    momentum: μ, 0 ≤ μ < 1. Sutskever, Martens, Dahl, Hinton (2013), On the importance of initialization and momentum
    in deep learning, section 2; as in PyTorch, lr multiplies v where it is used rather than where it is summed.
    """

    options: ClassVar = {"momentum": number(0, 1), "nesterov": flag, "weight_decay": number(0)}
    velocity: np.ndarray

    def __init__(
        self,
        parameters: Parameters,
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.velocity = np.empty(0)  # not used without momentum
        super().__init__(parameters, lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)
        if any(group["momentum"] for group in self.groups):
            self.add_moment("velocity")

    @classmethod
    def check_together(cls, name: str, options: Mapping[str, Any]) -> None:
        if options["nesterov"] and options["momentum"] == 0:
            raise ArgumentError(f"{name}: nesterov=True needs momentum above 0")

    def update(self, span: slice, count: int, options: Mapping[str, Any]) -> None:
        if options["momentum"]:  # it may have been set only now
            self.add_moment("velocity")
        flat = self.flat
        kernels.sgd(
            flat.data[span],
            flat.gradients[span],
            self.velocity[span],
            options["lr"],
            options["momentum"],
            options["nesterov"],
            options["weight_decay"],
        )
