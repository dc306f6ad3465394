"""Recurrent cells: a loop over a cell is the layer with the same weights."""

from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.errors import ArgumentError, ShapeError

PAIRS = [(layers.RNN, layers.RNNCell), (layers.LSTM, layers.LSTMCell), (layers.GRU, layers.GRUCell)]


@pytest.mark.parametrize(("layer", "cell"), PAIRS)
def test_a_loop_over_the_cell_is_the_layer(layer: Any, cell: Any):
    rng = mg.random.generator(0)
    whole, step = layer(3, 4, rng=rng), cell(3, 4, rng=rng)
    for name in ("w_x", "w_h", "b"):
        with mg.no_grad():
            step.get_parameter(name).copy_(whole.get_parameter(f"{name}_0").data)
    x, state, states = rng.standard_normal((2, 5, 3)).astype(np.float32), None, []
    for t in range(5):
        state = step(x[:, t], state)
        states.append(state[0] if isinstance(state, tuple) else state)
    y, _ = whole(x)
    np.testing.assert_allclose(mg.stack(states, 1).data, y.data, rtol=1e-5, atol=1e-6)
    (mg.stack(states, 1) ** 2).sum().backward()
    (y * y).sum().backward()
    for name in ("w_x", "w_h", "b"):
        own, other = step.get_parameter(name).grad, whole.get_parameter(f"{name}_0").grad
        np.testing.assert_allclose(own.data, other.data, rtol=1e-4, atol=1e-5)


def test_states_that_do_not_fit():
    x = np.ones((2, 3), np.float32)
    with pytest.raises(ShapeError, match=r"RNNCell\(3, 4\): a state is \(1, 4\), expected .* \(2, 4\)"):
        layers.RNNCell(3, 4, rng=mg.random.generator(0))(x, mg.zeros((1, 4)))
    with pytest.raises(ArgumentError, match=r"LSTMCell\(3, 4\): state is Tensor; pass a pair \(h, c\)"):
        layers.LSTMCell(3, 4, rng=mg.random.generator(0))(x, mg.zeros((2, 4)))  # pyright: ignore[reportArgumentType]
