"""The twins of the recurrent layers: one step after the other, each as its equations read."""

import numpy as np

from minigen.kernels.reference.arrays import Array
from minigen.kernels.reference.elementwise import sigmoid

Mask = Array | None


def projection(x: Array, w_x: Array, b: Array) -> Array:
    """x · w_x + b (N, T, G · H) for x (N, T, C); whole numbers (N, T) name the one row of w_x that counts."""
    if x.dtype.kind == "f":
        n, t, c = x.shape
        return (x.reshape(n * t, c) @ w_x + b).reshape(n, t, w_x.shape[1])
    return w_x[x] + b


def carried(mask: Mask, t: int, new: Array, old: Array) -> Array:
    """`new` in the rows whose step t is a real one, `old` in the others."""
    return new if mask is None else np.where(mask[:, t, None], new, old)


def passed(mask: Mask, t: int, g: Array) -> tuple[Array, Array | float]:
    """A gradient in two: what goes into step t, and what goes by it, where the state was carried."""
    return (g, 0.0) if mask is None else (g * mask[:, t, None], g * ~mask[:, t, None])


def rnn(x: Array, h0: Array, w_x: Array, w_h: Array, b: Array, relu: bool, mask: Mask) -> Array:
    """y (N, T, H): h = tanh(x w_x + b + h w_h), or the ReLU of it, step by step."""
    y = projection(x, w_x, b)
    h = h0
    for t in range(y.shape[1]):
        z = y[:, t] + h @ w_h
        h = carried(mask, t, np.maximum(z, 0) if relu else np.tanh(z), h)
        y[:, t] = h
    return y


def rnn_grad(gy: Array, y: Array, w_h: Array, relu: bool, mask: Mask) -> tuple[Array, Array]:
    """(gz, gh0): the gradients of the sums (N, T, H) inside the activation, and of h0."""
    gz, gh = np.empty(y.shape, y.dtype), np.zeros_like(y[:, 0])
    for t in reversed(range(y.shape[1])):
        g, by = passed(mask, t, gh + gy[:, t])
        gz[:, t] = g * (y[:, t] > 0) if relu else g * (1 - y[:, t] ** 2)
        gh = gz[:, t] @ w_h.T + by
    return gz, gh


def lstm(x: Array, h0: Array, c0: Array, w_x: Array, w_h: Array, b: Array, mask: Mask) -> tuple[Array, Array, Array]:
    """(y, gates, cells): i, f, o = σ(…), g = tanh(…), c = f c + i g, h = o tanh(c), step by step.

    y (N, T, H): every h; gates (N, T, 4H): i, f, g, o; cells (N, T, H): every c.
    """
    gates = projection(x, w_x, b)
    n, steps, size = *gates.shape[:2], len(w_h)
    y, cells = np.empty((n, steps, size), gates.dtype), np.empty((n, steps, size), gates.dtype)
    h, c = h0, c0
    for t in range(steps):
        i, f, g, o = np.split(gates[:, t] + h @ w_h, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        gates[:, t] = carried(mask, t, np.concatenate([i, f, g, o], axis=1), np.zeros(1, gates.dtype))
        c_new = f * c + i * g
        h, c = carried(mask, t, o * np.tanh(c_new), h), carried(mask, t, c_new, c)
        y[:, t], cells[:, t] = h, c
    return y, gates, cells


def lstm_grad(
    gy: Array, gc: Array | None, gates: Array, cells: Array, c0: Array, w_h: Array, mask: Mask
) -> tuple[Array, Array, Array]:
    """(gz, gh0, gc0): the gradients of the sums (N, T, 4H) inside the gates, and of the first state.

    gy (N, T, H) is the gradient of every h, gc (N, H) that of the last c; None is 0.
    """
    gz, gh = np.empty(gates.shape, gates.dtype), np.zeros_like(c0)
    gc = np.zeros_like(c0) if gc is None else gc
    for t in reversed(range(cells.shape[1])):
        i, f, g, o = np.split(gates[:, t], 4, axis=1)
        tanh_c = np.tanh(cells[:, t])
        dh, dh_by = passed(mask, t, gh + gy[:, t])
        dc, dc_by = passed(mask, t, gc)
        dc = dc + dh * o * (1 - tanh_c**2)
        before = cells[:, t - 1] if t else c0
        into = (dc * g * i * (1 - i), dc * before * f * (1 - f), dc * i * (1 - g**2), dh * tanh_c * o * (1 - o))
        gz[:, t] = np.concatenate(into, axis=1)
        gh = gz[:, t] @ w_h.T + dh_by
        gc = dc * f + dc_by
    return gz, gh, gc


def gru(x: Array, h0: Array, w_x: Array, w_h: Array, b: Array, mask: Mask) -> tuple[Array, Array, Array]:
    """(y, gates, q): r, z = σ(…), q = h w_hn + b_q, n = tanh(x w_xn + b_n + r q), h = n + z (h - n), step by step.

    y (N, T, H); gates (N, T, 3H): r, z, n; q (N, T, H). b (4H): of r, z, n and q.
    """
    size = len(w_h)
    gates = projection(x, w_x, b[: 3 * size])
    y, qs = np.empty((*gates.shape[:2], size), gates.dtype), np.empty((*gates.shape[:2], size), gates.dtype)
    h = h0
    for t in range(gates.shape[1]):
        (xr, xz, xn), (hr, hz, hn) = np.split(gates[:, t], 3, axis=1), np.split(h @ w_h, 3, axis=1)
        r, z, q = sigmoid(xr + hr), sigmoid(xz + hz), hn + b[3 * size :]
        n = np.tanh(xn + r * q)
        h = carried(mask, t, n + z * (h - n), h)
        nothing = np.zeros(1, gates.dtype)
        y[:, t], qs[:, t] = h, carried(mask, t, q, nothing)
        gates[:, t] = carried(mask, t, np.concatenate([r, z, n], axis=1), nothing)
    return y, gates, qs


def gru_grad(gy: Array, gates: Array, q: Array, y: Array, h0: Array, w_h: Array, mask: Mask) -> tuple[Array, Array]:
    """(gz, gh0): the gradients of the sums (N, T, 3H) of r, z and n, the last as it reaches x, and of h0.

    The gradient of q is r times that of n's sum.
    """
    gz, gh = np.empty(gates.shape, gates.dtype), np.zeros_like(h0)
    for t in reversed(range(y.shape[1])):
        r, z, n = np.split(gates[:, t], 3, axis=1)
        g, by = passed(mask, t, gh + gy[:, t])
        before = y[:, t - 1] if t else h0
        into_n = g * (1 - z) * (1 - n**2)
        into_r, into_z = into_n * q[:, t] * r * (1 - r), g * (before - n) * z * (1 - z)
        gz[:, t] = np.concatenate([into_r, into_z, into_n], axis=1)
        gh = np.concatenate([into_r, into_z, into_n * r], axis=1) @ w_h.T + g * z + by
    return gz, gh
