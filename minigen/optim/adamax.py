"""Adamax: Adam with the largest gradient of late in place of the root mean square."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from minigen.optim.blocks import Blockwise, decayed
from minigen.optim.groups import Parameters, check_betas, number


class Adamax(Blockwise):
    """m ← β1 m + (1 - β1) g,  u ← max(β2 u, |g| + eps),  p ← p - lr m̂ / u.  g = ∂L/∂p + weight_decay p.

    m̂ = m / (1 - β1^t). Kingma, Ba (2015), Adam: a method for stochastic optimization, Algorithm 2; eps as in PyTorch.
    """

    moments = ("m", "u")
    options: ClassVar = {"betas": check_betas, "eps": number(above=0), "weight_decay": number(0)}
    m: np.ndarray
    u: np.ndarray

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def advance(self, p: np.ndarray, g: np.ndarray, part: slice, count: int, options: Mapping[str, Any]) -> None:
        beta1, beta2 = options["betas"]
        m, u = decayed(self.m[part], beta1, g), self.u[part]
        np.maximum(beta2 * u, np.abs(g) + options["eps"], out=u)
        p -= options["lr"] / (1 - beta1**count) * m / u
