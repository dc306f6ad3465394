"""Where in the sequence: vectors of the positions, added to those of the symbols."""

import numpy as np

from minigen import random
from minigen.autograd import Tensor
from minigen.autograd.ops.operands import as_float
from minigen.checks import check_count
from minigen.errors import ShapeError
from minigen.layers import init as init_
from minigen.layers.checks import check_features
from minigen.layers.module import Module, Parameter


class Positions(Module):
    """Base: x (N, T, dim) plus the rows start … start + T of a table (max_length, dim)."""

    def __init__(self, max_length: int, dim: int) -> None:
        super().__init__()
        self.max_length = check_count(type(self).__name__, "max_length", max_length)
        self.dim = check_count(type(self).__name__, "dim", dim)

    def rows(self, x: Tensor, start: int, dtype: np.dtype) -> tuple[Tensor, slice]:
        """x as a tensor, and which rows of the table belong to it. Raises ShapeError past the table's end."""
        name = f"{type(self).__name__}({self.max_length}, {self.dim})"
        x = check_features(name, x, self.dim, "(N, T, dim)", dtype)
        start = check_count(name, "start", start, 0)
        if x.ndim != 3:
            raise ShapeError(f"{name}: x {x.shape} has {x.ndim} axes; pass (N, T, {self.dim})")
        if start + x.shape[1] > self.max_length:
            raise ShapeError(
                f"{name}: {x.shape[1]} steps from position {start} on end at {start + x.shape[1]}, but there are only "
                f"{self.max_length} positions; pass fewer steps, or make max_length larger"
            )
        return x, slice(start, start + x.shape[1])

    def extra_repr(self) -> str:
        """max_length, dim."""
        return f"{self.max_length}, {self.dim}"


class LearnedPositions(Positions):
    """x (N, T, dim) plus a learned vector for each position, rows start … start + T of `weight` (max_length, dim).

    First values N(0, 1) as those of Embedding, or `init`. Raises ShapeError for positions from max_length on.
    """

    def __init__(
        self,
        max_length: int,
        dim: int,
        *,
        rng: np.random.Generator | None = None,
        init: init_.Initializer = init_.normal,
    ) -> None:
        super().__init__(max_length, dim)
        rng = random.check_rng(rng, "LearnedPositions")
        self.weight = Parameter(init_.checked(init, (self.max_length, self.dim), rng))

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """(N, T, dim) → (N, T, dim); x[:, 0] stands at position `start`."""
        x, rows = self.rows(x, start, self.weight.dtype)
        return x + self.weight[rows]


class SinusoidalPositions(Positions):
    """x (N, T, dim) plus waves: sin(t / 10000^(2i / dim)) in column 2i at position t, cos in column 2i + 1.

    Nothing is learned. Vaswani et al. 2017, section 3.5. Raises ShapeError for positions from max_length on.
    """

    def __init__(self, max_length: int, dim: int) -> None:
        super().__init__(max_length, dim)
        column = np.arange(self.dim)
        angle = np.arange(self.max_length)[:, None] / 10000.0 ** (column // 2 * 2 / self.dim)
        self.table = np.where(column % 2, np.cos(angle), np.sin(angle))

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """(N, T, dim) → (N, T, dim); x[:, 0] stands at position `start`."""
        x, rows = self.rows(x := as_float(x, "SinusoidalPositions"), start, x.dtype)
        return x + Tensor(self.table[rows].astype(x.dtype))
