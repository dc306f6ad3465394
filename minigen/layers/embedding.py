"""Embedding: a learned vector for each of a set of symbols."""

import numpy as np

from minigen import random
from minigen.autograd import Tensor, ops
from minigen.autograd.tensor import Operand
from minigen.checks import check_count
from minigen.layers import init as init_
from minigen.layers.module import Module, Parameter


class Embedding(Module):
    """Row i of `weight` for every index i: integers (…) in [0, num) → (…, dim).

    weight (num, dim), first values N(0, 1) as PyTorch's, or `init`. Raises DTypeError for indices that are no integers,
    DataError for one out of range.
    """

    def __init__(self, num: int, dim: int, *, rng: np.random.Generator, init: init_.Initializer = init_.normal) -> None:
        super().__init__()
        self.num = check_count("Embedding", "num", num)
        self.dim = check_count("Embedding", "dim", dim)
        random.check_rng(rng, "Embedding")
        self.weight = Parameter(init_.checked(init, (self.num, self.dim), rng))

    def forward(self, indices: Operand) -> Tensor:
        """(…) → (…, dim)."""
        return ops.embedding(indices, self.weight)

    def extra_repr(self) -> str:
        """num, dim."""
        return f"{self.num}, {self.dim}"
