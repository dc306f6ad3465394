"""The recurrent kernels against their twins: sizes that fill no panel and no tile, masks, whole numbers, threads."""

from typing import Any

import numpy as np
import pytest
from twins import DTYPES, agree, same_on_any_threads

from minigen.kernels.recurrent import layers

Array = np.ndarray
# (N, T, C, H): one of everything, panels and tiles not filled, several of them, rows a page apart
SIZES = pytest.mark.parametrize(
    "sizes",
    [
        (1, 1, 1, 1),
        (1, 6, 3, 5),
        (3, 1, 2, 33),
        (7, 4, 5, 9),
        (15, 3, 4, 40),
        (31, 5, 70, 64),
        (65, 2, 3, 20),
        (0, 2, 3, 40),
    ],
    ids=str,
)
MASKED = pytest.mark.parametrize("masked", [False, True])
WHOLE = pytest.mark.parametrize("whole", [False, True])


@pytest.fixture(autouse=True)
def never_the_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "FEW_ROWS", 0)


class Maker:
    """Random arrays for one call of each kernel."""

    def __init__(self, sizes: tuple[int, ...], masked: bool, whole: bool, dtype: type = np.float32) -> None:
        self.rng, self.dtype = np.random.default_rng(0), dtype
        self.n, self.t, self.c, self.h = sizes
        self.x = self.rng.integers(0, self.c, (self.n, self.t)) if whole else self(self.n, self.t, self.c)
        self.mask = self.rng.random((self.n, self.t)) < 0.6 if masked else None

    def __call__(self, *shape: int) -> Array:
        return self.rng.standard_normal(shape).astype(self.dtype)

    def weights(self, gates: int, biases: int) -> list[Array]:
        w_h = self(self.h, gates * self.h) / self.dtype(np.sqrt(self.h))
        return [self(self.c, gates * self.h), w_h, self(biases * self.h)]

    def state(self) -> Array:
        return self(self.n, self.h)


def calls(make: Maker, run: Any) -> None:
    """Every kernel by `run(name, *arguments)`, each gradient on what its kernel gave."""
    h0, c0, gy = make.state(), make.state(), make(make.n, make.t, make.h)
    for relu in (False, True):
        weights = make.weights(1, 1)
        y = run("rnn", make.x, h0, *weights, relu, make.mask)
        run("rnn_grad", gy, y, weights[1], relu, make.mask)
    weights = make.weights(4, 4)
    _, gates, cells = run("lstm", make.x, h0, c0, *weights, make.mask)
    for gc in (None, make.state()):
        run("lstm_grad", gy, gc, gates, cells, c0, weights[1], make.mask)
    weights = make.weights(3, 4)
    y, gates, q = run("gru", make.x, h0, *weights, make.mask)
    run("gru_grad", gy, gates, q, y, h0, weights[1], make.mask)


@DTYPES
@SIZES
@WHOLE
@MASKED
def test_twins(sizes: tuple[int, ...], masked: bool, whole: bool, dtype: type) -> None:
    calls(Maker(sizes, masked, whole, dtype), lambda name, *arguments: agree(name, *arguments, scale=10))


@pytest.mark.parametrize("sizes", [(64, 5, 8, 40), (9, 4, 30, 64), (33, 3, 5, 7)], ids=str)
@MASKED
def test_same_bits_on_any_threads(monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...], masked: bool) -> None:
    def run(name: str, *arguments: Any) -> Any:
        same_on_any_threads(monkeypatch, name, *arguments)
        return agree(name, *arguments, scale=10)

    calls(Maker(sizes, masked, False), run)


def lstm(x: Array, h0: Array, c0: Array, weights: list[Array]) -> tuple[Array, ...]:
    w_x, w_h, b = weights
    return layers.lstm(x, h0, c0, w_x, w_h, b, None)


def test_a_sequence_does_not_depend_on_its_neighbours() -> None:
    """Neither its values nor NaN in another one."""
    make = Maker((20, 4, 6, 24), False, False)
    h0, c0, weights = make.state(), make.state(), make.weights(4, 4)
    y = lstm(make.x, h0, c0, weights)[0]
    np.testing.assert_array_equal(y[8:9], lstm(make.x[8:9], h0[8:9], c0[8:9], weights)[0])
    make.x[3, 1, 0] = np.nan
    bad = lstm(make.x, h0, c0, weights)[0]
    assert np.isnan(bad[3, 1:]).all()
    bad[3, 1:] = y[3, 1:]
    np.testing.assert_array_equal(bad, y)


def test_layouts() -> None:
    """Arrays that are not contiguous, as flipped sequences are."""
    make = Maker((8, 3, 5, 40), True, False)
    h0, weights = np.asarray(make.state(), order="F"), [np.asarray(w, order="F") for w in make.weights(3, 4)]
    mask = make.mask[:, ::-1] if make.mask is not None else None
    y, gates, q = agree("gru", make.x[:, ::-1], h0, *weights, mask, scale=10)
    agree("gru_grad", make(8, 3, 40)[:, ::-1], gates, q, y, h0, weights[1], mask, scale=10)


@pytest.mark.parametrize("value", [1e-30, 1e-6, 1e-3, 0.3, 5.0, 40.0, 1e4, np.inf])
def test_activations_in_float32(value: float) -> None:
    """tanh keeps its relative accuracy near 0, and nothing overflows far from it."""
    x, nothing = np.full((8, 1, 1), value, np.float32), np.zeros((8, 32), np.float32)
    w_x = np.where(np.arange(32) % 2, -1, 1).astype(np.float32)[None]
    y = layers.rnn(x, nothing, w_x, np.zeros((32, 32), np.float32), nothing[0], False, None)
    np.testing.assert_allclose(y[:, 0], np.tanh(x[:, 0] * w_x), rtol=5e-7)


def test_few_rows_are_walked_without_packing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers as with it, whatever the number of sequences; the way back is the twin's."""
    monkeypatch.undo()
    monkeypatch.setattr(layers, "pack_share", lambda *_: pytest.fail("packed"))
    for n, steps in ((1, 1), (2, 9), (4, 3)):
        make = Maker((n, steps, 5, 128), False, False)
        h0, w_x, w_h, b = make.state(), *make.weights(3, 4)
        y, gates, q = agree("gru", make.x, h0, w_x, w_h, b, None, scale=10)
        if n * steps <= layers.FEW_ROWS:
            agree("gru_grad", make(n, steps, 128), gates, q, y, h0, w_h, None, scale=10)
        w_x, w_h, b = make.weights(4, 4)
        agree("lstm", make.x, h0, make.state(), w_x, w_h, b, None, scale=10)
