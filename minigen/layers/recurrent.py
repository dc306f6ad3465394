"""Recurrent layers: RNN, LSTM, GRU, of several layers, in one direction or both."""

from typing import Any

import numpy as np

from minigen import random
from minigen.autograd import Tensor, ops
from minigen.autograd.ops.recurrent import step_mask
from minigen.autograd.tensor import as_tensor
from minigen.checks import check_choice, check_count, check_number
from minigen.errors import ArgumentError, ShapeError
from minigen.kernels.noting import constant
from minigen.layers import init
from minigen.layers.checks import in_dtype
from minigen.layers.module import Module, Parameter


class Recurrent(Module):
    """What the three have in common: weights, and the order in which layers and directions run.

    Layer k reads the output of layer k - 1, with dropout between. In both directions, a second set of weights
    ("…_reverse") reads every sequence from its end, and the two outputs stand side by side. All weights start uniform
    on ±1/√hidden_size, as PyTorch's, which has two biases where here is their sum.
    """

    gates, bias_gates = 1, 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        dropout: float = 0.0,
        bidirectional: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.input_size = check_count(name, "input_size", input_size)
        self.hidden_size = size = check_count(name, "hidden_size", hidden_size)
        self.num_layers = check_count(name, "num_layers", num_layers)
        self.dropout = check_number(name, "dropout", dropout, 0, 1)
        self.rng = rng = random.check_rng(rng, name)
        self.ends = ("", "_reverse") if bidirectional else ("",)
        bound = size**-0.5
        for layer in range(self.num_layers):
            below = size * len(self.ends) if layer else self.input_size
            for end in self.ends:
                for weight, shape in (
                    ("w_x", (below, self.gates * size)),
                    ("w_h", (size, self.gates * size)),
                    ("b", (self.bias_gates * size,)),
                ):
                    setattr(self, f"{weight}_{layer}{end}", Parameter(init.uniform(shape, rng, -bound, bound)))

    def step(self, x: Tensor, states: list[Tensor], weights: list[Tensor], mask: np.ndarray | None) -> list[Tensor]:
        """One layer in one direction: y, and those last states that are not y's last step."""
        raise NotImplementedError

    def run(self, x: Any, states: list[Any], mask: Any = None, embedding: Any = None) -> tuple[Tensor, list[Tensor]]:
        """(y, last states): all layers and directions."""
        x, states, mask, embedding = self.checked(x, states, mask, embedding)
        if embedding is not None and x.size < len(embedding):  # fewer rows to multiply when they are looked up first
            x, embedding = ops.embedding(x, embedding), None
        last: list[list[Tensor]] = []
        for layer in range(self.num_layers):
            outputs = []
            for end in self.ends:
                weights = [getattr(self, f"{weight}_{layer}{end}") for weight in ("w_x", "w_h", "b")]
                if layer == 0 and embedding is not None:
                    weights[0] = ops.matmul(embedding, weights[0])
                first = [state[len(last)] for state in states]
                if end:
                    y, *more = self.step(ops.flip(x, 1), first, weights, None if mask is None else mask[:, ::-1])
                else:
                    y, *more = self.step(x, first, weights, mask)
                last.append([y[:, -1], *more])
                outputs.append(ops.flip(y, 1) if end else y)
            x = outputs[0] if len(outputs) == 1 else ops.concatenate(outputs, 2)
            if self.dropout and layer + 1 < self.num_layers:
                x = ops.dropout(x, self.dropout, self.rng, self.training)
        y = x if mask is None else ops.where(mask[:, :, None], x, 0.0)
        return y, [ops.stack(several) for several in zip(*last, strict=True)]

    def checked(
        self, x: Any, states: list[Any], mask: Any, embedding: Any
    ) -> tuple[Tensor, list[Tensor], np.ndarray | None, Tensor | None]:
        """Everything in its proper type and shape; states that are None are zeros."""
        name, dtype = f"{type(self).__name__}({self.input_size}, {self.hidden_size})", self.parameters()[0].dtype
        x = as_tensor(x, name)
        if x.ndim != 2 or x.dtype.kind not in "iu":
            x = in_dtype(x, dtype, name)
            if x.ndim != 3 or x.shape[2] != self.input_size:
                raise ShapeError(f"{name}: x {x.shape} does not fit, expected (N, T, {self.input_size}), batch first")
            if embedding is not None:
                raise ArgumentError(f"{name}: x is {x.dtype}, but an embedding reads whole numbers (N, T)")
        if isinstance(embedding, Module):
            raise ArgumentError(f"{name}: embedding is a {type(embedding).__name__}; pass its table, embedding.weight")
        embedding = None if embedding is None else in_dtype(embedding, dtype, name)
        if embedding is not None and (embedding.ndim != 2 or embedding.shape[1] != self.input_size):
            raise ShapeError(f"{name}: embedding is {embedding.shape}, expected a table (num, {self.input_size})")
        shape = (self.num_layers * len(self.ends), x.shape[0], self.hidden_size)
        for i, state in enumerate(states):
            states[i] = Tensor(constant(np.zeros(shape, dtype))) if state is None else in_dtype(state, dtype, name)
            if states[i].shape != shape:
                raise ShapeError(
                    f"{name}: a state is {states[i].shape}, expected (layers · directions, N, hidden) = {shape}"
                )
        return x, states, step_mask(name, mask, x.shape[:2]), embedding

    def multiply_adds(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        """One for each weight at each step."""
        weights = sum(parameter.size for parameter in self.parameters() if parameter.ndim == 2)
        return int(np.prod(y_shape[:2])) * weights

    def extra_repr(self) -> str:
        """Sizes, layers, and the options that are not the default."""
        parts = [f"{self.input_size}, {self.hidden_size}", f"num_layers={self.num_layers}" * (self.num_layers > 1)]
        parts += [f"dropout={self.dropout}" * (self.dropout > 0), "bidirectional=True" * (len(self.ends) > 1)]
        return ", ".join(filter(None, parts))


class RNN(Recurrent):
    """h_t = tanh(x_t · w_x + b + h_{t-1} · w_h), or ReLU with nonlinearity="relu". Elman 1990.

    layer(x, state, mask) → (y, state): x (N, T, input_size), y (N, T, D · hidden_size) with D = 2 when bidirectional,
    state (num_layers · D, N, hidden_size), zeros when None is given. Carry it on with `state.detach()`.
    mask (N, T), booleans: False where a sequence has no step; there y is 0, and the state stays, in both directions,
    whatever finite numbers x holds.
    x of whole numbers (N, T) counts as rows with a single one, or, with embedding=, a table (num, input_size), as its
    rows: the same as looking them up before, with less work.
    Weights: w_x_0 (input_size, H), w_h_0 (H, H), b_0 (H,), w_x_0_reverse …, w_x_1 ….
    dropout: between layers, in training. Raises ArgumentError for bad options, ShapeError for what does not fit.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        *,
        dropout: float = 0.0,
        bidirectional: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        check_choice("RNN", "nonlinearity", nonlinearity, ("tanh", "relu"))
        super().__init__(input_size, hidden_size, num_layers, dropout=dropout, bidirectional=bidirectional, rng=rng)
        self.nonlinearity = nonlinearity

    def forward(
        self, x: Any, state: Tensor | None = None, mask: Any = None, embedding: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(y, last state)."""
        y, (h,) = self.run(x, [state], mask, embedding)
        return y, h

    def step(self, x: Tensor, states: list[Tensor], weights: list[Tensor], mask: np.ndarray | None) -> list[Tensor]:
        w_x, w_h, b = weights
        return [ops.rnn(x, states[0], w_x, w_h, b, self.nonlinearity, mask)]

    def extra_repr(self) -> str:
        """As the others', and nonlinearity='relu'."""
        return super().extra_repr() + ", nonlinearity='relu'" * (self.nonlinearity == "relu")


class LSTM(Recurrent):
    """i, f, g, o from x_t · w_x + b + h · w_h; c = σ(f) c + σ(i) tanh(g); h = σ(o) tanh(c).

    Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000, whose bias starts as the others'.
    As `RNN`, but the state is a pair (h, c) of tensors (num_layers · D, N, hidden_size), and the weights are
    w_x_0 (input_size, 4H), w_h_0 (H, 4H), b_0 (4H,), the gates in the order i, f, g, o.
    """

    gates, bias_gates = 4, 4

    def forward(
        self, x: Any, state: tuple[Tensor, Tensor] | None = None, mask: Any = None, embedding: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(y, (last h, last c))."""
        if state is not None and (not isinstance(state, (tuple, list)) or len(state) != 2):
            raise ArgumentError(f"LSTM: state is {type(state).__name__}; pass a pair (h, c)")
        y, (h, c) = self.run(x, [None, None] if state is None else list(state), mask, embedding)
        return y, (h, c)

    def step(self, x: Tensor, states: list[Tensor], weights: list[Tensor], mask: np.ndarray | None) -> list[Tensor]:
        w_x, w_h, b = weights
        return list(ops.lstm(x, states[0], states[1], w_x, w_h, b, mask))


class GRU(Recurrent):
    """r, z from x_t · w_x + b + h · w_h; n = tanh(x_t · w_xn + b_n + r (h · w_hn + b_q)); h = (1 - z) n + z h.

    Cho et al. 2014, with the reset gate behind the product, as PyTorch's. As `RNN`, with weights
    w_x_0 (input_size, 3H), w_h_0 (H, 3H) in the order r, z, n, and b_0 (4H,): of r, z, n beside x, and n beside h.
    """

    gates, bias_gates = 3, 4

    def forward(
        self, x: Any, state: Tensor | None = None, mask: Any = None, embedding: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(y, last state)."""
        y, (h,) = self.run(x, [state], mask, embedding)
        return y, h

    def step(self, x: Tensor, states: list[Tensor], weights: list[Tensor], mask: np.ndarray | None) -> list[Tensor]:
        w_x, w_h, b = weights
        return [ops.gru(x, states[0], w_x, w_h, b, mask)]
