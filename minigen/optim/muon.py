"""Muon: the momentum of a weight matrix, made orthogonal; vectors by AdamW."""

import math
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from minigen import kernels
from minigen.checks import check_choice, check_count, check_flag
from minigen.optim.blocks import decayed
from minigen.optim.groups import Parameters, check_betas, number
from minigen.optim.optimizer import Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the iteration: steep at 0, and near 1 within [0.7, 1.2]


def check_rule(operation: str, name: str, value: Any) -> str:
    """The check of what scales an update by the shape of its matrix."""
    return check_choice(operation, name, value, ("match_rms_adamw", "original"))


class Muon(Optimizer):
    """m ← μ m + (1 - μ) g,  d = (1 - μ) g + μ m (m itself without nesterov),  p ← p (1 - lr weight_decay) - lr c O(d).

    O(d) = U Vᵀ for d = U S Vᵀ, nearly, by ns_steps steps of Newton-Schulz: all directions of a matrix change alike.
    c = 0.2 √max(rows, columns) with adjust_lr_fn "match_rms_adamw", so that steps are of the size of AdamW's and its lr
    and weight decay will do for all parameters; √max(1, out / in) with "original", as in PyTorch. Weights of more than
    two axes count as matrices (all but the last, last): inputs · kernel by outputs for convolutions. Parameters of
    fewer axes, and groups with muon=False, which is advised for embeddings and the last layer, are updated by AdamW
    with betas and eps.
    Jordan et al. (2024), Muon: an optimizer for hidden layers in neural networks; Liu et al. (2025), Muon is scalable
    for LLM training (arXiv:2502.16982), section 2.2 for the scale.
    """

    moments = ("m", "v")  # v: of those that AdamW updates
    options: ClassVar = {
        "weight_decay": number(0),
        "momentum": number(0, 1),
        "nesterov": check_flag,
        "ns_steps": check_count,
        "adjust_lr_fn": check_rule,
        "betas": check_betas,
        "eps": number(0),
        "muon": check_flag,
    }
    m: np.ndarray
    v: np.ndarray

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_steps: int = 5,
        adjust_lr_fn: str = "match_rms_adamw",
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        muon: bool = True,
    ) -> None:
        options = {"weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov, "ns_steps": ns_steps}
        super().__init__(parameters, lr, **options, adjust_lr_fn=adjust_lr_fn, betas=betas, eps=eps, muon=muon)

    def update(self, span: slice, count: int, options: Mapping[str, Any]) -> None:
        offsets = self.flat.offsets
        for i in range(bisect_left(offsets, span.start), bisect_left(offsets, span.stop)):
            own = slice(offsets[i], offsets[i + 1])
            if own.start == own.stop:
                continue
            if options["muon"] and self.parameters[i].ndim >= 2:
                self.turn(own, self.parameters[i].shape[-1], options)
            else:
                self.adamw(own, count, options)

    def turn(self, span: slice, columns: int, options: Mapping[str, Any]) -> None:
        """The update of a matrix."""
        p, g, momentum = self.flat.data[span], self.flat.gradients[span], options["momentum"]
        m = decayed(self.m[span], momentum, g)
        direction = ((1 - momentum) * g + momentum * m if options["nesterov"] else m).reshape(-1, columns)
        rows = len(direction)
        if options["adjust_lr_fn"] == "original":
            scale = math.sqrt(max(1.0, columns / rows))
        else:
            scale = 0.2 * math.sqrt(max(rows, columns))
        p *= 1 - options["lr"] * options["weight_decay"]
        p -= options["lr"] * scale * orthogonal(direction, options["ns_steps"]).reshape(-1)

    def adamw(self, span: slice, count: int, options: Mapping[str, Any]) -> None:
        """The update of the others."""
        (beta1, beta2), flat = options["betas"], self.flat
        arrays = flat.data[span], flat.gradients[span], self.m[span], self.v[span]
        kernels.adam(*arrays, options["lr"], beta1, beta2, options["eps"], options["weight_decay"], True, count)


def orthogonal(g: np.ndarray, steps: int) -> np.ndarray:
    """U Vᵀ of a matrix U S Vᵀ, nearly: its singular values come to about 1 by x ← a x + (b x xᵀ + c (x xᵀ)²) x."""
    a, b, c = COEFFICIENTS
    wide = g.T if g.shape[0] > g.shape[1] else g
    x = wide / max(float(np.linalg.norm(wide)), 1e-7)
    for _ in range(steps):
        gram = kernels.matmul(x, x.T)
        x = a * x + kernels.matmul(b * gram + c * kernels.matmul(gram, gram), x)
    return x.T if wide is not g else x
