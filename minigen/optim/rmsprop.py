"""RMSprop: the gradient divided by a running root mean square of itself."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from minigen import kernels
from minigen.checks import check_flag
from minigen.optim.blocks import blocks, decayed
from minigen.optim.groups import Parameters, number
from minigen.optim.optimizer import Optimizer


class RMSprop(Optimizer):
    """s ← α s + (1 - α) g²,  v ← μ v + g / (√s + eps),  p ← p - lr v.  g = ∂L/∂p + weight_decay p.

    alpha: α, 0 ≤ α < 1; momentum: μ, 0 ≤ μ < 1. Tieleman, Hinton (2012), Lecture 6.5 - RMSprop, COURSERA: Neural
    Networks for Machine Learning; eps and momentum as in PyTorch. centered: s - (running mean of g)² takes the place of
    s, Graves (2013), Generating sequences with recurrent neural networks, equations 38 to 41.
    """

    moments = ("square",)
    options: ClassVar = {
        "alpha": number(0, 1),
        "eps": number(0),
        "weight_decay": number(0),
        "momentum": number(0, 1),
        "centered": check_flag,
    }
    square: np.ndarray
    mean: np.ndarray  # of the centered
    velocity: np.ndarray

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        self.velocity = np.empty(0)  # not used without momentum
        options = {"alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(parameters, lr, **options, centered=centered)
        self.prepare()

    def prepare(self) -> None:
        for option, moment in (("momentum", "velocity"), ("centered", "mean")):
            if any(group[option] for group in self.groups):
                self.add_moment(moment)

    def update(self, span: slice, count: int, options: Mapping[str, Any]) -> None:
        if options["momentum"]:  # it may have been set only now
            self.add_moment("velocity")
        if options["centered"]:
            return self.update_centered(span, options)
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

    def update_centered(self, span: slice, options: Mapping[str, Any]) -> None:
        """`update` with the mean taken out."""
        self.add_moment("mean")
        alpha, momentum = options["alpha"], options["momentum"]
        for part in blocks(span):
            p, g = self.flat.data[part], self.flat.gradients[part]
            g = g + options["weight_decay"] * p
            mean, square = decayed(self.mean[part], alpha, g), decayed(self.square[part], alpha, g * g)
            step = g / (np.sqrt(square - mean * mean) + options["eps"])
            if momentum:
                v = self.velocity[part]
                v *= momentum
                v += step
                step = v
            p -= options["lr"] * step
