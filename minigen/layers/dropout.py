"""Dropout."""

import numpy as np

from minigen import random
from minigen.autograd import Tensor, ops
from minigen.checks import check_number
from minigen.layers.module import Module


class Dropout(Module):
    """In training every element is zero with probability p, else divided by 1 - p; in evaluation y = x.

    Srivastava et al. 2014, with the scaling moved to training. `rng` is drawn from once a call, in training only; it
    belongs to the caller and is not in `state_dict()`: save it beside the model. Raises ArgumentError unless 0 ≤ p < 1.
    """

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator) -> None:
        super().__init__()
        self.p = check_number("Dropout", "p", p, 0, 1)
        self.rng = random.check_rng(rng, "Dropout")

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, unchanged in shape."""
        return ops.dropout(x, self.p, self.rng, self.training)

    def extra_repr(self) -> str:
        """p."""
        return f"{self.p}"
