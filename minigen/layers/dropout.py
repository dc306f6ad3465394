"""Dropout."""

import numpy as np

from minigen import random
from minigen.autograd import Tensor, ops
from minigen.checks import check_number
from minigen.layers.module import Module


class Dropout(Module):
    """In training every element is zero with probability p, else divided by 1 - p; in evaluation y = x.

    Srivastava et al. 2014, with the scaling moved to training. `rng` is drawn from once a call, in training only; it
    belongs to the caller and is not in `state_dict()`: save it beside the model. p = 1 leaves nothing but zeros. Raises
    ArgumentError unless 0 ≤ p ≤ 1.
    """

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        self.p = check_number(type(self).__name__, "p", p, 0, high=1)
        self.rng = random.check_rng(rng, type(self).__name__)

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, unchanged in shape."""
        return ops.dropout(x, self.p, self.rng, self.training)

    def extra_repr(self) -> str:
        """p."""
        return f"{self.p}"


class Dropout2d(Dropout):
    """Dropout of whole channels: each of the N · C of (N, H, W, C) is zero with probability p. Tompson et al. 2015."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C), unchanged in shape."""
        return ops.dropout2d(x, self.p, self.rng, self.training)
