"""Oracles and PyTorch twins of the operations on sequences; they belong to `op_cases.py`."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray


def sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def sums(vector: Array, matrix: Array) -> list[float]:
    """vector · matrix, each number by itself."""
    return [math.fsum(float(a) * float(b) for a, b in zip(vector, column, strict=True)) for column in matrix.T]


def walk(x: Array, state: list[Array], mask: Any, cell: Callable[..., list[list[float]]]) -> tuple[Array, list[Array]]:
    """(y, last state) of every sequence by itself; `cell` makes (h, …) of a step's x, a vector, and the state."""
    y, last = np.zeros((*x.shape[:2], state[0].shape[1])), [part.copy() for part in state]
    for n in range(len(x)):
        for t in range(x.shape[1]):
            if mask is None or mask[n][t]:
                for part, new in zip(last, cell(x[n, t], *[part[n] for part in last]), strict=True):
                    part[n] = new
            y[n, t] = last[0][n]
    return y, last


def one_hot(x: Array, c: int) -> Array:
    return x if x.dtype.kind == "f" else np.eye(c)[x]


def rnn(x: Array, h0: Array, w_x: Array, w_h: Array, b: Array, nonlinearity: str = "tanh", mask: Any = None) -> Array:
    bend = math.tanh if nonlinearity == "tanh" else lambda v: max(v, 0.0)

    def cell(x: Array, h: Array) -> list[list[float]]:
        return [[bend(u + v + w) for u, v, w in zip(sums(x, w_x), sums(h, w_h), b, strict=True)]]

    return walk(one_hot(x, len(w_x)), [h0], mask, cell)[0]


def lstm(x: Array, h0: Array, c0: Array, w_x: Array, w_h: Array, b: Array, mask: Any = None) -> tuple[Array, Array]:
    size = len(w_h)

    def cell(x: Array, h: Array, c: Array) -> list[list[float]]:
        z = [u + v + w for u, v, w in zip(sums(x, w_x), sums(h, w_h), b, strict=True)]
        i, f, g, o = (z[k * size : (k + 1) * size] for k in range(4))
        c_new = [sigma(f[k]) * c[k] + sigma(i[k]) * math.tanh(g[k]) for k in range(size)]
        return [[sigma(o[k]) * math.tanh(c_new[k]) for k in range(size)], c_new]

    y, (_, c) = walk(one_hot(x, len(w_x)), [h0, c0], mask, cell)
    return y, c


def gru(x: Array, h0: Array, w_x: Array, w_h: Array, b: Array, mask: Any = None) -> Array:
    size = len(w_h)

    def cell(x: Array, h: Array) -> list[list[float]]:
        u, v, result = sums(x, w_x), sums(h, w_h), []
        for k in range(size):
            r, z = (sigma(u[j] + v[j] + b[j]) for j in (k, size + k))
            j = 2 * size + k
            n = math.tanh(u[j] + b[j] + r * (v[j] + b[size + j]))
            result.append((1 - z) * n + z * h[k])
        return [result]

    return walk(one_hot(x, len(w_x)), [h0], mask, cell)[0]


ORACLES: dict[str, Callable[..., Any]] = {"rnn": rnn, "lstm": lstm, "gru": gru}


def twins(torch: Any) -> dict[str, Callable[..., Any]]:
    """The same operations in PyTorch, whose weights are the transposes, and which has two biases."""

    def arguments(x: Any, w_x: Any, w_h: Any, b_x: Any, b_h: Any) -> tuple[Any, list[Any]]:
        x = x if x.is_floating_point() else torch.nn.functional.one_hot(x, len(w_x)).to(w_x.dtype)
        return x, [w_x.T.contiguous(), w_h.T.contiguous(), b_x, b_h]

    options = (True, 1, 0.0, True, False, True)  # biases, layers, dropout, training, both directions, batch first

    def rnn(x: Any, h0: Any, w_x: Any, w_h: Any, b: Any, nonlinearity: str = "tanh", mask: Any = None) -> Any:
        if mask is not None:
            return None
        x, weights = arguments(x, w_x, w_h, b, torch.zeros_like(b))
        return getattr(torch, f"rnn_{nonlinearity}")(x, h0[None], weights, *options)[0]

    def lstm(x: Any, h0: Any, c0: Any, w_x: Any, w_h: Any, b: Any, mask: Any = None) -> Any:
        if mask is not None:
            return None
        x, weights = arguments(x, w_x, w_h, b, torch.zeros_like(b))
        y, _, c = torch.lstm(x, (h0[None], c0[None]), weights, *options)
        return y, c[0]

    def gru(x: Any, h0: Any, w_x: Any, w_h: Any, b: Any, mask: Any = None) -> Any:
        if mask is not None:
            return None
        size = len(w_h)
        beside_h = torch.cat([torch.zeros_like(b[: 2 * size]), b[3 * size :]])
        x, weights = arguments(x, w_x, w_h, b[: 3 * size], beside_h)
        return torch.gru(x, h0[None], weights, *options)[0]

    return {"rnn": rnn, "lstm": lstm, "gru": gru}
