"""Recurrent layers over whole sequences: RNN, LSTM, GRU, and their gradients back to the sums inside the gates.

x · w_x + b of all steps is one large product (`tile/dense.py`). What is left of a step depends on the step before, but
no sequence depends on another: so each worker takes an equal share of the sequences through all steps (`walk.py`).
Where there are few rows, as in generating text, the way forward reads the weights as they lie. The way back of a few
steps with large weights, and float64, are left to the twins.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from minigen.config import config
from minigen.kernels import reference
from minigen.kernels.compiler.arrays import flat
from minigen.kernels.noting import applied, cleared, copied, run
from minigen.kernels.recurrent.cells import (
    gru_grad_share,
    gru_share,
    lstm_grad_share,
    lstm_share,
    rnn_grad_share,
    rnn_share,
)
from minigen.kernels.recurrent.walk import Walk, pack_share
from minigen.kernels.tile.dense import matmul
from minigen.kernels.tile.shape import LEAST_ROWS, USUAL, panel_width, vector_width
from minigen.kernels.tile.workspace import LINE_BYTES, scratch

Array = np.ndarray
Mask = Array | None

FLOAT32 = np.dtype(np.float32)
FEW_SEQUENCES = 2  # for which a tile would stay nearly empty: their weights are read as they lie, forward,
FEW_ROWS, MANY_WEIGHTS = 16, 32768  # and where packing so many numbers takes longer than so many rows of all steps
ANY = np.ones(1, bool)  # stands for no mask
NO_TABLE, NO_IDS = np.ones(1, np.float32), np.ones(1, np.int64)


def packing_pays(n: int, steps: int, w_h: tuple[int, ...]) -> bool:
    """Whether there are enough rows to pack the weights for."""
    return n * steps > FEW_ROWS or math.prod(w_h) < MANY_WEIGHTS


def back_by_twin(n: int, steps: int, w_h: Array) -> bool:
    """Whether NumPy is the better choice for the way back: in float64, and where packing does not pay."""
    return w_h.dtype != FLOAT32 or not packing_pays(n, steps, w_h.shape)


class Prepared(NamedTuple):
    """How to walk: the plan, how many workers there are, and how much memory they need."""

    plan: Walk
    workers: int
    zeros: Array  # a row to start sums from
    weights: int  # numbers of the packed weights
    numbers: int  # of them and of a workspace for each worker


@functools.lru_cache(maxsize=1024)
def prepared(
    n: int, steps: int, w_h: tuple[int, ...], masked: bool, threads: int, back: bool = False, looked_up: bool = False
) -> Prepared:
    """Prepare a walk through weights (H, G · H), or back through their transpose."""
    (terms, columns), panel = w_h[::-1] if back else w_h, panel_width(FLOAT32)
    size, gap, panels = w_h[0], LINE_BYTES // FLOAT32.itemsize, -(-columns // panel)
    packed = back or (n > FEW_SEQUENCES and packing_pays(n, steps, w_h))
    workers = max(1, min(threads, -(-n // LEAST_ROWS) if packed else n))
    plan = Walk(
        n, steps, size, terms, columns, apart(terms, gap), apart(panels * panel, gap), panels, USUAL,
        panel, vector_width(FLOAT32), *((1, w_h[1]) if back else (w_h[1], 1)), packed, masked, looked_up,
    )  # fmt: skip
    rows, weights = max(-(-n // workers), LEAST_ROWS), panels * panel * terms if packed else 0
    workspace = rows * (plan.left_row + plan.right_row) + apart(size, gap)
    return Prepared(plan, workers, np.zeros(panels * panel, np.float32), weights, weights + workers * workspace)


def packed(w_h: Array, walk: Prepared, memory: Array) -> tuple[Array, Array]:
    """(the weights, packed if the plan says so, and a workspace for each worker), both in the memory."""
    if not walk.plan.packed:
        return flat(w_h), memory.reshape(walk.workers, -1)
    weights = memory[: walk.weights]
    pack_share(config.threads, config.threads, flat(w_h), walk.plan, weights)
    return weights, memory[walk.weights :].reshape(walk.workers, -1)


def apart(numbers: int, gap: int) -> int:
    """The distance of rows of so many numbers: whole lines of the cache, an odd number of them."""
    lines = -(-numbers // gap)
    return (lines + (lines % 2 == 0)) * gap


def inputs(x: Array, w_x: Array, b: Array) -> tuple[Array, Array, Array]:
    """(x · w_x + b (N · T, G · H), table, ids); for whole numbers the first is empty, and ids name table's rows."""
    steps = x.shape[0] * x.shape[1]
    if x.dtype.kind == "f":
        return matmul(x.reshape(steps, x.shape[2]), w_x, b), NO_TABLE, NO_IDS
    return np.empty((steps, len(b)), b.dtype), flat(applied(np.add, w_x, b)), flat(x)


def flat_mask(mask: Mask) -> Array:
    """The mask as kernels take it."""
    return ANY if mask is None else flat(mask)


def rnn(x: Array, h0: Array, w_x: Array, w_h: Array, b: Array, relu: bool, mask: Mask) -> Array:
    """y (N, T, H), every h = tanh(x_t · w_x + b + h · w_h), or the ReLU of it.

    x (N, T, C), or whole numbers (N, T) that name rows of w_x; h0 (N, H), w_x (C, H), w_h (H, H), b (H); mask (N, T)
    or None: where False, h stays.
    """
    (n, steps), size = x.shape[:2], len(w_h)
    if w_h.dtype != FLOAT32:
        return reference.rnn(x, h0, w_x, w_h, b, relu, mask)
    y, table, ids = inputs(x, w_x, b)
    walk = prepared(n, steps, w_h.shape, mask is not None, config.threads, looked_up=x.ndim == 2)
    with scratch("rnn", walk.numbers, w_h.dtype) as memory:
        weights, workspaces = packed(w_h, walk, memory)
        rnn_share(
            walk.workers, walk.workers, table, ids, weights, walk.zeros, flat(h0), relu, flat_mask(mask),
            walk.plan, y.reshape(-1), workspaces,
        )  # fmt: skip
    return y.reshape(n, steps, size)


def rnn_grad(gy: Array, y: Array, w_h: Array, relu: bool, mask: Mask) -> tuple[Array, Array]:
    """(gz (N, T, H), gh0 (N, H)): the gradients of the sums inside the activation, and of h0."""
    n, steps, size = y.shape
    if back_by_twin(n, steps, w_h):
        return reference.rnn_grad(gy, y, w_h, relu, mask)
    gz, gh0 = np.empty(y.shape, y.dtype), np.empty((n, size), y.dtype)
    walk = prepared(n, steps, w_h.shape, mask is not None, config.threads, back=True)
    with scratch("rnn_grad", walk.numbers, w_h.dtype) as memory:
        weights, workspaces = packed(w_h, walk, memory)
        rnn_grad_share(
            walk.workers, walk.workers, flat(gy), flat(y), weights, relu, flat_mask(mask),
            walk.plan, gz.reshape(-1), gh0.reshape(-1), workspaces,
        )  # fmt: skip
    return gz, gh0


def lstm(x: Array, h0: Array, c0: Array, w_x: Array, w_h: Array, b: Array, mask: Mask) -> tuple[Array, Array, Array]:
    """(y, gates, cells): i, f, g, o of x_t · w_x + b + h · w_h; c = σ(f) c + σ(i) tanh(g); h = σ(o) tanh(c).

    y (N, T, H): every h; gates (N, T, 4H): σ(i), σ(f), tanh(g), σ(o); cells (N, T, H): every c. The rest as in `rnn`.
    Where the mask is False, gates are 0.
    """
    (n, steps), size, dtype = x.shape[:2], len(w_h), w_h.dtype
    if w_h.dtype != FLOAT32:
        return reference.lstm(x, h0, c0, w_x, w_h, b, mask)
    gates, table, ids = inputs(x, w_x, b)
    y, cells = np.empty((n, steps, size), dtype), np.empty((n, steps, size), dtype)
    walk = prepared(n, steps, w_h.shape, mask is not None, config.threads, looked_up=x.ndim == 2)
    with scratch("lstm", walk.numbers, w_h.dtype) as memory:
        weights, workspaces = packed(w_h, walk, memory)
        lstm_share(
            walk.workers, walk.workers, table, ids, weights, walk.zeros, flat(h0), flat(c0), flat_mask(mask), walk.plan,
            y.reshape(-1), gates.reshape(-1), cells.reshape(-1), workspaces,
        )  # fmt: skip
    return y, gates.reshape(n, steps, 4 * size), cells


def lstm_grad(
    gy: Array, gc: Array | None, gates: Array, cells: Array, c0: Array, w_h: Array, mask: Mask
) -> tuple[Array, Array, Array]:
    """(gz (N, T, 4H), gh0, gc0 (N, H)): the gradients of the sums inside the gates, and of the first state.

    gy (N, T, H) is the gradient of every h, gc (N, H) that of the last c; None is 0.
    """
    n, steps, size = cells.shape
    if back_by_twin(n, steps, w_h):
        return reference.lstm_grad(gy, gc, gates, cells, c0, w_h, mask)
    gz, gh0 = np.empty(gates.shape, cells.dtype), np.empty((n, size), cells.dtype)
    gc0 = cleared((n, size), cells.dtype) if gc is None else copied(gc)
    walk = prepared(n, steps, w_h.shape, mask is not None, config.threads, back=True)
    with scratch("lstm_grad", walk.numbers, w_h.dtype) as memory:
        weights, workspaces = packed(w_h, walk, memory)
        lstm_grad_share(
            walk.workers, walk.workers, flat(gy), flat(gates), flat(cells), flat(c0), weights, flat_mask(mask),
            walk.plan, gz.reshape(-1), gh0.reshape(-1), gc0.reshape(-1), workspaces,
        )  # fmt: skip
    return gz, gh0, gc0


def gru(x: Array, h0: Array, w_x: Array, w_h: Array, b: Array, mask: Mask) -> tuple[Array, Array, Array]:
    """(y, gates, q): r, z of x_t · w_x + b + h · w_h; q = h · w_hn + b_q; n = tanh(x_t · w_xn + b_n + r q);
    h = n + z (h - n).

    y (N, T, H): every h; gates (N, T, 3H): r, z, n; q (N, T, H). b (4H): of r, z, n and q. The rest as in `rnn`. Where
    the mask is False, gates and q are 0.
    """
    (n, steps), size, dtype = x.shape[:2], len(w_h), w_h.dtype
    if w_h.dtype != FLOAT32:
        return reference.gru(x, h0, w_x, w_h, b, mask)
    gates, table, ids = inputs(x, w_x, b[: 3 * size])
    y, q = np.empty((n, steps, size), dtype), np.empty((n, steps, size), dtype)
    walk = prepared(n, steps, w_h.shape, mask is not None, config.threads, looked_up=x.ndim == 2)
    with scratch("gru", walk.numbers, w_h.dtype) as memory:
        weights, workspaces = packed(w_h, walk, memory)
        bias = copied(walk.zeros)
        run(np.copyto, bias[2 * size : 3 * size], b[3 * size :])
        gru_share(
            walk.workers, walk.workers, table, ids, weights, bias, flat(h0), flat_mask(mask), walk.plan,
            y.reshape(-1), gates.reshape(-1), q.reshape(-1), workspaces,
        )  # fmt: skip
    return y, gates.reshape(n, steps, 3 * size), q


def gru_grad(gy: Array, gates: Array, q: Array, y: Array, h0: Array, w_h: Array, mask: Mask) -> tuple[Array, Array]:
    """(gz (N, T, 3H), gh0 (N, H)): the gradients of the sums of r, z and n, the last as it reaches x, and of h0.

    The gradient of q is r times that of n's sum.
    """
    n, steps, size = y.shape
    if back_by_twin(n, steps, w_h):
        return reference.gru_grad(gy, gates, q, y, h0, w_h, mask)
    gz, gh0 = np.empty(gates.shape, y.dtype), np.empty((n, size), y.dtype)
    walk = prepared(n, steps, w_h.shape, mask is not None, config.threads, back=True)
    with scratch("gru_grad", walk.numbers, w_h.dtype) as memory:
        weights, workspaces = packed(w_h, walk, memory)
        gru_grad_share(
            walk.workers, walk.workers, flat(gy), flat(gates), flat(q), flat(y), flat(h0), weights, flat_mask(mask),
            walk.plan, gz.reshape(-1), gh0.reshape(-1), workspaces,
        )  # fmt: skip
    return gz, gh0
