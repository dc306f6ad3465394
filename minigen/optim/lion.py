"""Lion: the sign of the momentum."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from minigen.optim.blocks import Blockwise, decayed
from minigen.optim.groups import Parameters, check_betas, number


class Lion(Blockwise):
    """p ← p - lr (sign(β1 m + (1 - β1) g) + weight_decay p),  m ← β2 m + (1 - β2) g.

    Every parameter moves by lr in each step: take a third to a tenth of Adam's lr, and as many times its weight decay.
    Chen et al. (2023), Symbolic discovery of optimization algorithms, Algorithm 2.
    """

    moments = ("m",)
    options: ClassVar = {"betas": check_betas, "weight_decay": number(0)}
    m: np.ndarray

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, betas=betas, weight_decay=weight_decay)

    def decoupled(self, options: Mapping[str, Any]) -> bool:
        return True

    def advance(self, p: np.ndarray, g: np.ndarray, part: slice, count: int, options: Mapping[str, Any]) -> None:
        beta1, beta2 = options["betas"]
        m = self.m[part]
        p -= options["lr"] * np.sign(beta1 * m + (1 - beta1) * g)
        decayed(m, beta2, g)
