"""The bits of small results do not depend on where arrays lie: right behind each other, or far apart.

Compilers make two forms of a loop, by vectors and one by one, and take the second when arrays lie so close that a
vector would reach from one into the other. Both have to round alike.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from minigen import kernels
from minigen.kernels import compiled

LENGTHS = (1, 2, 3, 5, 6, 8, 11, 15)


class Place:
    """NumPy, but new arrays lie in one block, so many bytes apart."""

    def __init__(self, apart: int) -> None:
        self.block, self.apart = np.zeros(1 << 16, np.uint8), apart
        self.end = -self.block.ctypes.data % 64

    def empty(self, shape: Any, dtype: Any = np.float64) -> np.ndarray:
        shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        array = np.ndarray(shape, dtype, self.block, self.end)
        self.end += -(-array.nbytes // 8) * 8 + self.apart
        return array

    def empty_like(self, array: np.ndarray) -> np.ndarray:
        return self.empty(array.shape, array.dtype)

    def put(self, array: np.ndarray) -> np.ndarray:
        copy = self.empty(array.shape, array.dtype)
        copy[...] = array
        return copy

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def calls() -> Iterator[tuple[str, int, tuple[Any, ...]]]:
    """(kernel, columns, its arguments)."""
    rng = np.random.default_rng(0)
    for n in (*LENGTHS, *LENGTHS):
        x, g, t = (rng.normal(0, 2, n).astype(np.float32) for _ in range(3))
        p, one = 1 / (1 + np.exp(-t)), np.array(0.7, np.float32)
        for name in ("sigmoid", "softplus", "erf", "gelu", "silu"):
            yield name, n, (x,)
        yield "elu", n, (x, 1.3)
        yield "elu_grad", n, (g, x, 1.3)
        yield "leaky_relu", n, (x, 0.3)
        yield "leaky_relu_grad", n, (g, x, 0.3)
        for name in ("gelu_grad", "silu_grad"):
            yield name, n, (g, x)
        for name in ("sigmoid_grad", "tanh_grad"):
            yield name, n, (g, p)
        yield "bce_with_logits", n, (x, p)
        yield "bce_with_logits_grad", n, (x, p, one)
        yield "bce_with_logits_grad", n, (x, p, g)
        yield "squared_error_grad", n, (x, p, one)
        yield "squared_error_grad", n, (x, p, g)
        yield "dropout", n, (x, 5, 0.3)
        rows, grows = (rng.normal(0, 2, (3, n)).astype(np.float32) for _ in range(2))
        labels, weight, bias = rng.integers(0, n, 3), p.copy(), t.copy()
        yield "softmax", n, (rows,)
        yield "softmax_grad", n, (grows, kernels.softmax(rows))
        yield "log_softmax", n, (rows,)
        yield "log_softmax_grad", n, (grows, kernels.log_softmax(rows))
        yield "cross_entropy", n, (rows, labels, 0.1)
        yield "cross_entropy_grad", n, (g[:3].repeat(3)[:3], kernels.softmax(rows), labels, 0.1)
        yield "layer_norm", n, (rows, weight, bias, 1e-5)
        yield "layer_norm_grad", n, (grows, rows, weight, rows[:, 0].copy(), p[:1].repeat(3))
        yield "batch_norm", n, (rows, weight, bias, 1e-5, 0.2)
        yield "batch_norm_grad", n, (grows, rows, weight, bias, rows[0].copy(), p + 0.1, 1e-5, 0.2)
        yield "bias_leaky_grad", n, (grows, rows, 0.2)
        images = rng.normal(0, 2, (2, 3, 2 * n)).astype(np.float32)
        yield "group_norm", n, (images, 2, weight.repeat(2), bias.repeat(2), 1e-5)
    for n in LENGTHS:
        p, g, m, v = (np.abs(rng.normal(0, 2, n)).astype(np.float32) for _ in range(4))
        yield "adam", n, (p, g, m, v, 0.1, 0.9, 0.99, 1e-8, 0.1, True, 3)
        yield "adam", n, (p, g, m, v, 0.1, 0.9, 0.99, 1e-8, 0.1, False, 3)
        yield "sgd", n, (p, g, v, 0.1, 0.9, True, 0.1)
        yield "rmsprop", n, (p, g, m, v, 0.1, 0.9, 1e-8, 0.9, 0.1)
        yield "adagrad", n, (p, g, m, 0.1, 1e-8, 0.1)


CALLS = list(calls())


@pytest.mark.parametrize("index", range(len(CALLS)), ids=lambda i: f"{CALLS[i][0]}-{CALLS[i][1]}-{i}")
def test_bits_do_not_depend_on_distances(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    name, _, arguments = CALLS[index]
    kernel = getattr(compiled, name)
    kernel(*[np.copy(a) if isinstance(a, np.ndarray) else a for a in arguments])  # which compiles it
    found = set()
    for apart in (0, 8, 16, 24, 40, 256, 1024):
        place = Place(apart)
        own = [place.put(a) if isinstance(a, np.ndarray) else a for a in arguments]
        with monkeypatch.context() as patch:
            for module in {kernel.__module__, "minigen.kernels.rows.elementwise"}:
                patch.setattr(f"{module}.np", place)
            result = kernel(*own)
        arrays = own if result is None else result if isinstance(result, tuple) else (result,)
        found.add(b"".join(a.tobytes() for a in arrays if isinstance(a, np.ndarray)))
    assert len(found) == 1
