"""Recurrent cells: one step of RNN, LSTM and GRU, for loops of your own, such as a decoder that reads its own words."""

from typing import Any

import numpy as np

from minigen import random
from minigen.autograd import Tensor, ops
from minigen.checks import check_choice, check_count
from minigen.errors import ArgumentError, ShapeError
from minigen.kernels.noting import constant
from minigen.layers import init
from minigen.layers.checks import check_features, in_dtype
from minigen.layers.module import Module, Parameter


class Cell(Module):
    """What the three have in common. Weights as those of the layer (RNN, LSTM, GRU): w_x, w_h, b, uniform on ±1/√H."""

    gates, bias_gates = 1, 1

    def __init__(self, input_size: int, hidden_size: int, *, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        kind = type(self).__name__
        self.input_size = check_count(kind, "input_size", input_size)
        self.hidden_size = size = check_count(kind, "hidden_size", hidden_size)
        rng, bound = random.check_rng(rng, kind), size**-0.5
        self.w_x = Parameter(init.uniform((input_size, self.gates * size), rng, -bound, bound))
        self.w_h = Parameter(init.uniform((size, self.gates * size), rng, -bound, bound))
        self.b = Parameter(init.uniform((self.bias_gates * size,), rng, -bound, bound))

    @property
    def name(self) -> str:
        """LSTMCell(3, 4), for messages."""
        return f"{type(self).__name__}({self.input_size}, {self.hidden_size})"

    def step(self, x: Any) -> Tensor:
        """x (N, input_size) as a sequence of one step."""
        x = check_features(self.name, x, self.input_size, "(N, input_size)", self.w_x.dtype)
        if x.ndim != 2:
            raise ShapeError(f"{self.name}: x {x.shape} does not fit, expected (N, {self.input_size}), one step")
        return x[:, None]

    def state(self, given: Any, n: int) -> Tensor:
        """A state as a tensor (N, H), zeros when it is None."""
        shape, dtype = (n, self.hidden_size), self.w_x.dtype
        state = Tensor(constant(np.zeros(shape, dtype))) if given is None else in_dtype(given, dtype, self.name)
        if state.shape != shape:
            raise ShapeError(f"{self.name}: a state is {state.shape}, expected (N, hidden_size) = {shape}")
        return state

    def multiply_adds(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        """One for each weight."""
        return x_shape[0] * (self.w_x.size + self.w_h.size)

    def extra_repr(self) -> str:
        """input_size, hidden_size."""
        return f"{self.input_size}, {self.hidden_size}"


class RNNCell(Cell):
    """h' = tanh(x · w_x + b + h · w_h), or ReLU with nonlinearity="relu": one step of `RNN`. Elman 1990.

    x (N, input_size), h (N, hidden_size), zeros when left out → h'. Raises ShapeError for shapes that do not fit.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        nonlinearity: str = "tanh",
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        check_choice("RNNCell", "nonlinearity", nonlinearity, ("tanh", "relu"))
        super().__init__(input_size, hidden_size, rng=rng)
        self.nonlinearity = nonlinearity

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        """The next state (N, hidden_size)."""
        x = self.step(x)
        return ops.rnn(x, self.state(h, len(x)), self.w_x, self.w_h, self.b, self.nonlinearity)[:, 0]


class LSTMCell(Cell):
    """One step of `LSTM`: x (N, input_size), state (h, c), each (N, hidden_size), zeros when left out → (h', c').

    Hochreiter & Schmidhuber 1997. Weights (input_size, 4H), (H, 4H), (4H,), gates in the order i, f, g, o. Raises
    ShapeError for shapes that do not fit, ArgumentError for a state that is no pair.
    """

    gates, bias_gates = 4, 4

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """The next (h, c)."""
        if state is not None and (not isinstance(state, (tuple, list)) or len(state) != 2):
            raise ArgumentError(f"{self.name}: state is {type(state).__name__}; pass a pair (h, c)")
        x = self.step(x)
        h, c = (self.state(given, len(x)) for given in (state or (None, None)))
        y, c = ops.lstm(x, h, c, self.w_x, self.w_h, self.b)
        return y[:, 0], c


class GRUCell(Cell):
    """One step of `GRU`: x (N, input_size), h (N, hidden_size), zeros when left out → h'. Cho et al. 2014.

    Weights (input_size, 3H), (H, 3H) in the order r, z, n, and b (4H,): of r, z, n beside x, and n beside h. Raises
    ShapeError for shapes that do not fit.
    """

    gates, bias_gates = 3, 4

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        """The next state (N, hidden_size)."""
        x = self.step(x)
        return ops.gru(x, self.state(h, len(x)), self.w_x, self.w_h, self.b)[:, 0]
