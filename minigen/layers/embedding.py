"""Embedding: a learned vector for each of a set of symbols."""

import numpy as np

from minigen import random
from minigen.autograd import Tensor, ops
from minigen.autograd.ops.embedding import check_row
from minigen.autograd.tensor import Operand
from minigen.checks import check_count
from minigen.layers import init as init_
from minigen.layers.module import Module, Parameter


class Embedding(Module):
    """Row i of `weight` for every index i: integers (…) in [0, num) → (…, dim).

    weight (num, dim), first values N(0, 1) as PyTorch's, or `init`. padding_idx: the index of a symbol that only fills
    up, whose row starts at 0 and gets no gradient. Raises DTypeError for indices that are no integers, DataError for
    one out of range, ArgumentError for options out of theirs.
    """

    def __init__(
        self,
        num: int,
        dim: int,
        padding_idx: int | None = None,
        *,
        rng: np.random.Generator | None = None,
        init: init_.Initializer = init_.normal,
    ) -> None:
        super().__init__()
        self.num = check_count("Embedding", "num", num)
        self.dim = check_count("Embedding", "dim", dim)
        self.padding_idx = None if padding_idx is None else check_row("Embedding", padding_idx, self.num)
        rng = random.check_rng(rng, "Embedding")
        values = init_.checked(init, (self.num, self.dim), rng)
        if self.padding_idx is not None:
            values[self.padding_idx] = 0
        self.weight = Parameter(values)

    def forward(self, indices: Operand) -> Tensor:
        """(…) → (…, dim)."""
        return ops.embedding(indices, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """num, dim, and padding_idx if there is one."""
        return f"{self.num}, {self.dim}" + ("" if self.padding_idx is None else f", padding_idx={self.padding_idx}")
