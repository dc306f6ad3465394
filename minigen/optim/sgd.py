"""Stochastic gradient descent, with momentum or Nesterov's momentum."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from minigen import kernels
from minigen.checks import check_flag
from minigen.errors import ArgumentError
from minigen.optim.groups import Parameters, number
from minigen.optim.optimizer import Optimizer


class SGD(Optimizer):
    """v ← μ v + (1 - τ) g,  p ← p - lr v;  with Nesterov  p ← p - lr (g + μ v).  g = ∂L/∂p + weight_decay p.

    momentum: μ, 0 ≤ μ < 1; dampening: τ, which does not count in the first step (v = g). maximize: -∂L/∂p takes the
    place of ∂L/∂p. Sutskever, Martens, Dahl, Hinton (2013), On the importance of initialization and momentum in deep
    learning, section 2; as in PyTorch, lr multiplies v where it is used rather than where it is summed.
    """

    options: ClassVar = {
        "momentum": number(0, 1),
        "dampening": number(0, high=1),
        "weight_decay": number(0),
        "nesterov": check_flag,
        "maximize": check_flag,
    }
    velocity: np.ndarray

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
    ) -> None:
        self.velocity = np.empty(0)  # not used without momentum
        options = {"momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(parameters, lr, **options, nesterov=nesterov, maximize=maximize)
        self.prepare()

    def prepare(self) -> None:
        if any(group["momentum"] for group in self.groups):
            self.add_moment("velocity")

    @classmethod
    def check_together(cls, name: str, options: Mapping[str, Any]) -> None:
        if options["nesterov"] and (options["momentum"] == 0 or options["dampening"]):
            raise ArgumentError(f"{name}: nesterov=True needs momentum above 0, and dampening 0")

    def update(self, span: slice, count: int, options: Mapping[str, Any]) -> None:
        p, g = self.flat.data[span], self.flat.gradients[span]
        momentum, decay = options["momentum"], options["weight_decay"]
        if momentum:  # it may have been set only now
            self.add_moment("velocity")
        if options["maximize"]:
            g = -g
        if momentum and options["dampening"] and count > 1:
            v = self.velocity[span]
            v *= momentum
            v += (1 - options["dampening"]) * (g + decay * p)
            p -= options["lr"] * v
        else:
            kernels.sgd(p, g, self.velocity[span], options["lr"], momentum, options["nesterov"], decay)
