"""NAdam: Adam with Nesterov's momentum."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from minigen.checks import check_flag
from minigen.optim.blocks import Blockwise, decayed
from minigen.optim.groups import Parameters, check_betas, number


class NAdam(Blockwise):
    """p ← p - lr ((1 - μ_t) g / (1 - Π μ) + μ_{t+1} m / (1 - Π μ μ_{t+1})) / (√v̂ + eps), m, v, v̂ and g as in Adam.

    μ_t = β1 (1 - 0.96^(t ψ) / 2), ψ = momentum_decay; Π μ = μ_1 … μ_t. decoupled_weight_decay: as in AdamW. Dozat
    (2016), Incorporating Nesterov momentum into Adam, with the schedule of μ as in PyTorch.
    """

    moments = ("m", "v")
    options: ClassVar = {
        "betas": check_betas,
        "eps": number(0),
        "weight_decay": number(0),
        "momentum_decay": number(0),
        "decoupled_weight_decay": check_flag,
    }
    m: np.ndarray
    v: np.ndarray

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
    ) -> None:
        self.products: dict[tuple[float, float], tuple[int, float]] = {}  # (β1, ψ): (t, Π μ up to t), as last asked for
        options = {"betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay}
        super().__init__(parameters, lr, **options, decoupled_weight_decay=decoupled_weight_decay)

    def product(self, count: int, beta: float, psi: float) -> float:
        """Π μ over the first `count` steps."""
        t, product = self.products.get((beta, psi), (0, 1.0))
        if t > count:
            t, product = 0, 1.0
        while t < count:
            t += 1
            product *= mu(t, beta, psi)
        self.products[beta, psi] = count, product
        return product

    def advance(self, p: np.ndarray, g: np.ndarray, part: slice, count: int, options: Mapping[str, Any]) -> None:
        (beta1, beta2), psi, lr = options["betas"], options["momentum_decay"], options["lr"]
        now, following, product = mu(count, beta1, psi), mu(count + 1, beta1, psi), self.product(count, beta1, psi)
        m, v = decayed(self.m[part], beta1, g), decayed(self.v[part], beta2, g * g)
        root = np.sqrt(v / (1 - beta2**count)) + options["eps"]
        p -= (lr * (1 - now) / (1 - product) * g + lr * following / (1 - product * following) * m) / root


def mu(t: int, beta: float, psi: float) -> float:
    """The momentum of step t."""
    return beta * (1 - 0.5 * 0.96 ** (t * psi))
