"""Recurrent layers over whole sequences, one node each: rnn, lstm, gru.

A sequence is x (N, T, C), N of them with T steps of C numbers. Whole numbers (N, T) stand for rows of zeros with a
single one: x · w_x is then a look-up in w_x, and an embedding before the layer costs one small product with w_x.

The gradient of a layer is found in two parts. The kernel walks back through time to the gradients of the sums inside
the activations, gz; with them all at hand, those of the weights and of x are products over all steps at once.
"""

from typing import Any

import numpy as np

from minigen import kernels
from minigen.autograd.fused import FusedFunction, Gradients
from minigen.autograd.leaves import Written
from minigen.autograd.ops.activation import relu, sigmoid, tanh
from minigen.autograd.ops.arithmetic import where
from minigen.autograd.ops.embedding import embedding
from minigen.autograd.ops.linalg import matmul
from minigen.autograd.ops.operands import boolean_mask, integers, rows, same_dtype
from minigen.autograd.ops.shape import split, stack
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.checks import check_choice
from minigen.errors import ShapeError
from minigen.kernels.noting import cleared, copied, joined, noting, run


class Recurrent(FusedFunction):
    """What the three have in common. Their inputs end with w_x, w_h, b. mask: see `rnn`."""

    def __init__(self, mask: np.ndarray | None) -> None:
        self.mask = mask

    def save(self, *residuals: np.ndarray) -> None:
        """Keep all inputs, and these."""
        self.save_inputs(*range(len(self.needs)))
        self.residuals = residuals

    def input_gradients(self, gz: np.ndarray) -> Gradients:
        """(gx, gw_x, gb), from gz of the sums that x · w_x + b is part of."""
        x, (w_x, at) = self.saved_array(0), (self.saved_array(len(self.needs) - 3), len(self.needs) - 3)
        gz, gx, gw_x = rows(gz), None, None
        if self.needs[0]:
            gx = kernels.matmul(gz, w_x.T).reshape(x.shape)
        if self.needs[at] and x.dtype.kind == "f":
            place = self.destination(at)
            gw_x = place.holds(kernels.matmul(rows(x).T, gz, out=place.out, add=place.add))
        elif self.needs[at]:
            gw_x = kernels.scatter_rows(gz, x.reshape(-1), len(w_x))
        return gx, gw_x, kernels.bias_leaky_grad(gz, gz, None)[1] if self.needs[-1] else None

    def state_weight_gradient(self, y: np.ndarray, gz: np.ndarray) -> np.ndarray | Written | None:
        """gw_h: each step's gz with the state before it. y (N, T, H): the states after each step. gz is used up."""
        if not self.needs[-2]:
            return None
        first, place = copied(gz[:, 0]), self.destination(len(self.needs) - 2)
        run(
            np.copyto, gz[:, 0], 0
        )  # so that in the rows of all sequences, one behind the other, the state before is the row before
        gw_h = kernels.matmul(rows(y)[:-1].T, rows(gz)[1:], out=place.out, add=place.add)
        return place.holds(kernels.matmul(self.saved_array(1).T, first, out=gw_h, add=True))

    def steps(self, x: Tensor, w_x: Tensor, b: Tensor) -> list[Tensor]:
        """x · w_x + b of each step, in primitives."""
        z = (matmul(x, w_x) if x.dtype.kind == "f" else embedding(x, w_x)) + b
        return [z[:, t] for t in range(z.shape[1])]

    def carry(self, t: int, new: Tensor, old: Tensor) -> Tensor:
        """`new` in the rows whose step t is a real one, `old` in the others."""
        return new if self.mask is None else where(self.mask[:, t, None], new, old)


class RNN(Recurrent):
    """h = a(x w_x + b + h w_h), a the tanh or ReLU, whose derivative can be told from h."""

    def __init__(self, relu: bool, mask: np.ndarray | None) -> None:
        self.relu, self.mask = relu, mask

    def forward(self, x: np.ndarray, h0: np.ndarray, w_x: np.ndarray, w_h: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.save()
        self.save_output()
        return kernels.rnn(x, h0, w_x, w_h, b, self.relu, self.mask)

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        y = self.saved_output_array()
        gz, gh0 = kernels.rnn_grad(gy, y, self.saved_array(3), self.relu, self.mask)
        gx, gw_x, gb = self.input_gradients(gz)
        return gx, gh0, gw_x, self.state_weight_gradient(y, gz), gb

    def compose(self, x: Tensor, h0: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Tensor:
        h, hs = h0, []
        for t, z in enumerate(self.steps(x, w_x, b)):
            h = self.carry(t, (relu if self.relu else tanh)(z + matmul(h, w_h)), h)
            hs.append(h)
        return stack(hs, 1)


class LSTM(Recurrent):
    """i, f, o = σ(…), g = tanh(…) of x w_x + b + h w_h; c = f c + i g; h = o tanh(c). Outputs: every h, the last c."""

    def forward(
        self, x: np.ndarray, h0: np.ndarray, c0: np.ndarray, w_x: np.ndarray, w_h: np.ndarray, b: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        y, gates, cells = kernels.lstm(x, h0, c0, w_x, w_h, b, self.mask)
        self.save(gates, cells)
        self.save_output(0)
        return y, copied(cells[:, -1])

    def backward_arrays(self, gy: np.ndarray | None, gc: np.ndarray | None) -> Gradients:
        (gates, cells), y = self.residuals, self.saved_output_array(0)
        gy = cleared(y.shape, y.dtype) if gy is None else gy
        gz, gh0, gc0 = kernels.lstm_grad(gy, gc, gates, cells, self.saved_array(2), self.saved_array(4), self.mask)
        gx, gw_x, gb = self.input_gradients(gz)
        return gx, gh0, gc0, gw_x, self.state_weight_gradient(y, gz), gb

    def compose(self, x: Tensor, h0: Tensor, c0: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        h, c, hs = h0, c0, []
        for t, z in enumerate(self.steps(x, w_x, b)):
            i, f, g, o = split(z + matmul(h, w_h), h.shape[1], 1)
            c_new = sigmoid(f) * c + sigmoid(i) * tanh(g)
            h, c = self.carry(t, sigmoid(o) * tanh(c_new), h), self.carry(t, c_new, c)
            hs.append(h)
        return stack(hs, 1), c


class GRU(Recurrent):
    """r, z = σ(…); n = tanh(x w_xn + b_n + r (h w_hn + b_q)); h = n + z (h - n)."""

    def forward(self, x: np.ndarray, h0: np.ndarray, w_x: np.ndarray, w_h: np.ndarray, b: np.ndarray) -> np.ndarray:
        y, gates, q = kernels.gru(x, h0, w_x, w_h, b, self.mask)
        self.save(gates, q)
        self.save_output()
        return y

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        (gates, q), y, size = self.residuals, self.saved_output_array(), gy.shape[2]
        gz, gh0 = kernels.gru_grad(gy, gates, q, y, self.saved_array(1), self.saved_array(3), self.mask)
        gx, gw_x, gb = self.input_gradients(gz)
        inner = gz[..., 2 * size :]
        run(np.multiply, inner, gates[..., :size], inner)  # now what reaches the products with h
        if gb is not None:
            gb = joined([np.asarray(gb), kernels.total(inner, (0, 1))], 0)
        return gx, gh0, gw_x, self.state_weight_gradient(y, gz), gb

    def compose(self, x: Tensor, h0: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Tensor:
        size = h0.shape[1]
        h, hs, b_q = h0, [], b[3 * size :]
        for t, xs in enumerate(self.steps(x, w_x, b[: 3 * size])):
            (xr, xz, xn), (hr, hz, hn) = split(xs, h.shape[1], 1), split(matmul(h, w_h), h.shape[1], 1)
            n = tanh(xn + sigmoid(xr + hr) * (hn + b_q))
            h = self.carry(t, n + sigmoid(xz + hz) * (h - n), h)
            hs.append(h)
        return stack(hs, 1)


def rnn(
    x: Operand,
    h0: Operand,
    w_x: Operand,
    w_h: Operand,
    b: Operand,
    nonlinearity: str = "tanh",
    mask: Any = None,
) -> Tensor:
    """h_t = tanh(x_t · w_x + b + h_{t-1} · w_h) for t = 1 … T, or ReLU in the place of tanh → y (N, T, H), all h_t.

    x (N, T, C), h0 (N, H), w_x (C, H), w_h (H, H), b (H). x may be whole numbers (N, T), each in [0, C): x_t · w_x is
    then that row of w_x. mask (N, T), booleans: where False there is no step, the state stays and y repeats it.
    Elman 1990. Raises ShapeError for shapes that do not fit, a T of 0 among them, ArgumentError for another
    nonlinearity, DTypeError for a mask that is not of booleans.
    """
    check_choice("rnn", "nonlinearity", nonlinearity, ("tanh", "relu"))
    inputs, mask = checked("rnn", x, {"h0": h0}, w_x, w_h, b, (1, 1), mask)
    return RNN(nonlinearity == "relu", mask)(*inputs)


def lstm(
    x: Operand, h0: Operand, c0: Operand, w_x: Operand, w_h: Operand, b: Operand, mask: Any = None
) -> tuple[Tensor, Tensor]:
    """i, f, g, o from x_t · w_x + b + h · w_h; c = σ(f) c + σ(i) tanh(g); h = σ(o) tanh(c), for t = 1 … T.

    x (N, T, C), h0 and c0 (N, H), w_x (C, 4H), w_h (H, 4H), b (4H), the gates in that order → y (N, T, H), every h,
    and the last c (N, H); the last h is y[:, -1]. Whole numbers as x, and mask: as in `rnn`.
    Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000. Raises as `rnn`.
    """
    inputs, mask = checked("lstm", x, {"h0": h0, "c0": c0}, w_x, w_h, b, (4, 4), mask)
    return LSTM(mask)(*inputs)


def gru(x: Operand, h0: Operand, w_x: Operand, w_h: Operand, b: Operand, mask: Any = None) -> Tensor:
    """r, z = σ(x_t · w_x + b + h · w_h); n = tanh(x_t · w_x + b_n + r (h · w_h + b_q)); h = (1 - z) n + z h → y.

    x (N, T, C), h0 (N, H), w_x (C, 3H), w_h (H, 3H), in the order r, z, n; b (4H): of r, of z, of n beside x, and of n
    beside h, as in PyTorch → y (N, T, H), every h. Whole numbers as x, and mask: as in `rnn`.
    Cho et al. 2014, with the reset gate behind the product. Raises as `rnn`.
    """
    inputs, mask = checked("gru", x, {"h0": h0}, w_x, w_h, b, (3, 4), mask)
    return GRU(mask)(*inputs)


def checked(
    name: str,
    x: Operand,
    states: dict[str, Operand],
    w_x: Operand,
    w_h: Operand,
    b: Operand,
    gates: tuple[int, int],
    mask: Any,
) -> tuple[list[Tensor], np.ndarray | None]:
    """(the inputs as tensors of one float dtype, the mask), of shapes that fit. gates: in the weights, and in b."""
    x = as_tensor(x, name)
    named = {**states, "w_x": w_x, "w_h": w_h, "b": b}
    tensors = [as_tensor(t, name) for t in named.values()]
    x, *tensors = same_dtype([x, *tensors]) if x.dtype.kind == "f" else [x, *same_dtype(tensors)]
    shapes = {key: t.shape for key, t in zip(named, tensors, strict=True)}
    if len(shapes["w_h"]) != 2 or len(shapes["w_x"]) != 2:
        raise ShapeError(
            f"{name}: w_x {shapes['w_x']} and w_h {shapes['w_h']}; pass matrices (C, {wide(gates[0])})"
            f" and (H, {wide(gates[0])})"
        )
    c, size = shapes["w_x"][0], shapes["w_h"][0]
    if x.dtype.kind == "f" and (x.ndim != 3 or x.shape[2] != c):
        raise ShapeError(f"{name}: x {x.shape} and w_x {shapes['w_x']}; x is (N, T, C), batch first, w_x (C, …)")
    if x.dtype.kind != "f":
        x = Tensor(integers(x, c, name, "steps"))
        if x.ndim != 2:
            raise ShapeError(f"{name}: x {x.shape} of whole numbers; pass (N, T), each the number of a row of w_x")
    n, steps = x.shape[:2]
    if steps == 0:
        raise ShapeError(f"{name}: x {x.shape} has no steps; pass sequences of length 1 or more")
    expected: dict[str, tuple[str, tuple[int, ...]]] = dict.fromkeys(states, ("(N, H)", (n, size)))
    expected["w_x"] = f"(C, {wide(gates[0])})", (c, gates[0] * size)
    expected["w_h"] = f"(H, {wide(gates[0])})", (size, gates[0] * size)
    expected["b"] = f"({wide(gates[1])},)", (gates[1] * size,)
    for key, (letters, shape) in expected.items():
        if shapes[key] != shape:
            raise ShapeError(
                f"{name}: {key} is {shapes[key]}, but x {x.shape} and w_h {shapes['w_h']} expect {letters} = {shape}"
            )
    return [x, *tensors], step_mask(name, mask, (n, steps))


def wide(gates: int) -> str:
    """The width of so many gates, in letters."""
    return f"{gates}H" if gates > 1 else "H"


def step_mask(name: str, mask: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """A copy of the mask as an array; None for none, and when it hides nothing."""
    array = boolean_mask(mask, shape, name, "(N, T)", "step")
    if array is None or (noting.notes is None and array.all()):
        return None
    return array
