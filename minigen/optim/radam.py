"""RAdam: Adam that waits with its second moment until that can be trusted."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from minigen.checks import check_flag
from minigen.optim.blocks import Blockwise, decayed
from minigen.optim.groups import Parameters, check_betas, number


class RAdam(Blockwise):
    """p ← p - lr m̂ r_t √(1 - β2^t) / (√v + eps) once ρ_t > 5, before that p ← p - lr m̂; m, v, m̂ and g as in Adam.

    ρ∞ = 2 / (1 - β2) - 1, ρ_t = ρ∞ - 2 t β2^t / (1 - β2^t), r_t² = (ρ_t - 4)(ρ_t - 2) ρ∞ / ((ρ∞ - 4)(ρ∞ - 2) ρ_t).
    decoupled_weight_decay: as in AdamW. Liu et al. (2020), On the variance of the adaptive learning rate and beyond,
    Algorithm 2; eps as in PyTorch.
    """

    moments = ("m", "v")
    options: ClassVar = {
        "betas": check_betas,
        "eps": number(0),
        "weight_decay": number(0),
        "decoupled_weight_decay": check_flag,
    }
    m: np.ndarray
    v: np.ndarray

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
    ) -> None:
        options = {"betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(parameters, lr, **options, decoupled_weight_decay=decoupled_weight_decay)

    def advance(self, p: np.ndarray, g: np.ndarray, part: slice, count: int, options: Mapping[str, Any]) -> None:
        beta1, beta2 = options["betas"]
        m, v = decayed(self.m[part], beta1, g), decayed(self.v[part], beta2, g * g)
        rate, trusted = options["lr"] / (1 - beta1**count), rectification(count, beta2)
        if trusted:
            p -= rate * trusted * math.sqrt(1 - beta2**count) * m / (np.sqrt(v) + options["eps"])
        else:
            p -= rate * m


def rectification(t: int, beta2: float) -> float:
    """r_t, or 0 while the variance of 1 / √v is not to be had."""
    limit = 2 / (1 - beta2) - 1
    rho = limit - 2 * t * beta2**t / (1 - beta2**t)
    return math.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)) if rho > 5 else 0.0
