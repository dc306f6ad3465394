"""Adadelta: steps in the units of the parameters, without a learning rate to be found."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from minigen.optim.blocks import Blockwise, decayed
from minigen.optim.groups import Parameters, number


class Adadelta(Blockwise):
    """s ← ρ s + (1 - ρ) g²,  d = √(a + eps) / √(s + eps) g,  a ← ρ a + (1 - ρ) d²,  p ← p - lr d.

    g = ∂L/∂p + weight_decay p; rho: ρ, 0 ≤ ρ < 1. Zeiler (2012), ADADELTA: an adaptive learning rate method,
    Algorithm 1, with lr as in PyTorch.
    """

    moments = ("square", "distance")
    options: ClassVar = {"rho": number(0, 1), "eps": number(above=0), "weight_decay": number(0)}
    square: np.ndarray
    distance: np.ndarray

    def __init__(
        self, parameters: Parameters, lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, lr, rho=rho, eps=eps, weight_decay=weight_decay)

    def advance(self, p: np.ndarray, g: np.ndarray, part: slice, count: int, options: Mapping[str, Any]) -> None:
        rho, eps, distance = options["rho"], options["eps"], self.distance[part]
        d = np.sqrt((distance + eps) / (decayed(self.square[part], rho, g * g) + eps)) * g
        decayed(distance, rho, d * d)
        p -= options["lr"] * d
