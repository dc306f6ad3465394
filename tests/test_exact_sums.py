"""Everything that sums, against exact arithmetic: no drift over many terms, whatever the axis, the order, the numbers.

A sum that adds one float32 after the other is off by some percent at millions of terms, and stops at 16,777,216 ones.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import kernels
from minigen.config import config
from minigen.kernels import reference

EPS = float(np.finfo(np.float32).eps)
F32 = np.float32


def relative(actual: Any, exact: Any, size: Any) -> float:
    """The largest error, by the sum of the sizes of the terms, in units of the last place."""
    error = np.abs(np.asarray(actual, np.float64) - exact) / np.where(size == 0, 1, size)
    return float(error.max(initial=0)) / EPS


def constant(shape: tuple[int, ...]) -> np.ndarray:
    return np.full(shape, 0.1, F32)


def positive(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).random(shape, F32)


def mixed(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape, F32)


KINDS = pytest.mark.parametrize("kind", [constant, positive, mixed], ids=lambda kind: kind.__name__)
FORMS = pytest.mark.parametrize("total", [kernels.total, reference.total], ids=["kernel", "twin"])
ORDERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "C": lambda x: x,
    "F": np.asfortranarray,
    "backwards": lambda x: np.ascontiguousarray(x[::-1])[::-1],
    "with gaps": lambda x: np.repeat(np.repeat(x, 2, 0), 2, -1)[::2, ..., ::2],
    "axes swapped": lambda x: np.ascontiguousarray(x.swapaxes(0, -1)).swapaxes(0, -1),
}


@KINDS
@FORMS
@pytest.mark.parametrize("terms", [1, 2, 17, 64, 65, 1000, 4097, 65_537, 1_000_003])
def test_over_rows_of_any_number(terms: int, total: Any, kind: Any):
    for columns in (2,) if terms > 5000 else (1, 2, 7, 300):
        x = kind((terms, columns))
        exact = [math.fsum(column) for column in x.T]
        size = np.abs(x).sum(0, dtype=np.float64)
        assert relative(total(x, (0,)), exact, size) < 6
        assert relative(total(np.ascontiguousarray(x.T), (1,)), exact, size) < 6


@FORMS
def test_of_ten_million(total: Any):
    x = np.full((10_000_000, 2), 0.1, F32)
    exact = 10_000_000 * float(F32(0.1))
    assert relative(total(x, (0,)), exact, exact) < 6
    assert total(np.ones((20_000_000, 1), F32), (0,)) == 20_000_000
    assert total(np.broadcast_to(F32(0.5), (10_000_000, 3)), (0, 1)) == 15_000_000


@KINDS
@FORMS
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", [F32, np.float64])
def test_over_any_axes_in_any_order(order: str, total: Any, kind: Any, dtype: Any):
    for shape in ((3001, 3, 5), (5, 3001, 3), (3, 5, 3001), (70, 300, 2)):
        x = ORDERS[order](kind(shape).astype(dtype))
        for axes in ((), (0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)):
            for keepdims in (False, True):
                y = total(x, axes, keepdims)
                exact = x.sum(axes, dtype=np.longdouble, keepdims=keepdims)
                size = np.abs(x).sum(axes, dtype=np.float64, keepdims=keepdims)
                assert (y.shape, y.dtype) == (exact.shape, dtype)
                assert relative(y, exact, size) < (6 if dtype == F32 else 1e-7)


def test_the_same_bits_on_any_number_of_threads(all_threads: int, monkeypatch: pytest.MonkeyPatch):
    arrays = [mixed(shape) for shape in ((300_001, 3), (5000, 130), (130, 5000), (40, 100, 80))]
    results = []
    for threads in (1, all_threads):
        monkeypatch.setattr(config, "threads", threads)
        results.append([kernels.total(x, (0,)) for x in arrays])
    for one, several in zip(*results, strict=True):
        np.testing.assert_array_equal(one, several)


# ---------------------------------------------------------------- every operation that sums

N = 200_000  # terms; a sum of 0.1 is off by a thousandth here when it is added up one by one


def gradient(function: Callable[..., mg.Tensor], *arrays: np.ndarray, of: int = 0) -> np.ndarray:
    """The gradient of an input where 0.1 comes from above everywhere."""
    xs = [mg.tensor(array, requires_grad=True) for array in arrays]
    y = function(*xs)
    (g,) = mg.grad(y, [xs[of]], [mg.Tensor(np.full(y.shape, 0.1, y.dtype))])
    return g.data


def linear(**options: Any) -> Callable[..., mg.Tensor]:
    return lambda b, x, w: mg.linear(x, w, b, **options)


STEPS = constant((N, 2)), np.ones((2, 2), F32)
ZEROS, ONES = np.zeros(2, F32), np.ones(2, F32)
DEEP = 16_384  # terms of a product by tiles
IMAGES = np.full((100, 64, 64, 1), 0.1, F32), np.ones((1, 1, 1, 2), F32)
WORDS = np.zeros(N, np.int64)

# What each gives in float32, and in float64, where it is exact enough.
CALLS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda f: mg.sum(constant((N, 2)).astype(f), 0).data,
    "mean": lambda f: mg.mean(constant((N, 2)).astype(f), 0).data,
    "mean of losses": lambda f: mg.l1_loss(constant((N, 2)).astype(f).T, np.zeros((2, N), f)).data,
    "var": lambda f: mg.var(positive((N, 2)).astype(f) + f(3), 0).data,
    "var far from 0": lambda f: mg.var((positive((N, 2)) + F32(1e5)).astype(f), 0).data,
    "std": lambda f: mg.std(positive((N, 2)).astype(f), 0).data,
    "logsumexp": lambda f: np.exp(mg.logsumexp(constant((N, 2)).astype(f), 0).data - f(math.log(N))),
    "softmax": lambda f: mg.softmax(constant((N, 2)).astype(f), 0).data * f(N),
    "log_softmax": lambda f: mg.log_softmax(constant((2, N)).astype(f)).data,
    "cumsum": lambda f: mg.cumsum(constant((N, 2)).astype(f), 0).data,
    "cross entropy, smoothed": lambda f: mg.cross_entropy(
        mixed((2, N)).astype(f), np.array([1, 2]), label_smoothing=0.1).data,
    "gaussian_kl": lambda f: mg.gaussian_kl(positive((N, 2)).astype(f).T, constant((N, 2)).astype(f).T).data,
    "l2_penalty": lambda f: mg.l2_penalty([mg.tensor(constant((N, 2)).astype(f).T)]).data,
    "bias": lambda f: gradient(linear(), *(a.astype(f) for a in (ZEROS, *STEPS))),
    "bias, ReLU": lambda f: gradient(linear(negative_slope=0.0), *(a.astype(f) for a in (ONES, *STEPS))),
    "weight": lambda f: gradient(lambda w, x: mg.linear(x, w), np.ones((2, 2), f), STEPS[0].astype(f)),
    "broadcast +": lambda f: gradient(lambda a, b: a + b, np.zeros(2, f), STEPS[0].astype(f)),
    "broadcast ·": lambda f: gradient(lambda a, b: a * b, np.zeros((2, 1), f), constant((2, N)).astype(f)),
    "expand": lambda f: gradient(lambda a: mg.expand(a, (N, 2)), np.zeros(2, f)),
    "convolution's bias": lambda f: gradient(
        lambda b, x, w: mg.conv2d(x, w, b), *(a.astype(f) for a in (ZEROS, *IMAGES))),
    "convolution's weight": lambda f: gradient(lambda w, x: mg.conv2d(x, w), *(a.astype(f) for a in IMAGES[::-1])),
    "layer norm's bias": lambda f: gradient(
        lambda b, x: mg.layer_norm(x, np.ones(2, f), b), np.zeros(2, f), mixed((N, 2)).astype(f)),
    "layer norm's row": lambda f: mg.layer_norm(positive((2, N)).astype(f) + f(3), np.ones(N, f), np.zeros(N, f)).data,
    "batch norm": lambda f: mg.batch_norm(
        positive((N, 2)).astype(f) + f(3), np.ones(2, f), np.zeros(2, f), None, None, True).data,
    "batch norm's bias": lambda f: gradient(
        lambda b, x: mg.batch_norm(x, np.ones(2, f), b, None, None, True), np.zeros(2, f), mixed((N, 2)).astype(f)),
    "batch norm's weight, when not training": lambda f: gradient(
        lambda w, x: mg.batch_norm(x, w, np.zeros(2, f), np.zeros(2, f), np.ones(2, f), False),
        np.ones(2, f), positive((N, 2)).astype(f)),
    "one word": lambda f: gradient(lambda w: mg.embedding(WORDS, w), np.ones((3, 2), f)),
    "one row": lambda f: gradient(lambda w: w[WORDS], np.ones((3, 2), f)),
    "einsum of one": lambda f: mg.einsum("ij->j", constant((N, 2)).astype(f)).data,
    "einsum of two": lambda f: mg.einsum("i,i->", constant((N,)).astype(f), positive((N,)).astype(f)).data,
    "matmul": lambda f: (mg.tensor(constant((1, N)).astype(f)) @ positive((N, 1)).astype(f)).data,
    "matmul of several": lambda f: (mg.tensor(constant((3, 2, N)).astype(f)) @ positive((3, N, 2)).astype(f)).data,
    "matmul, columns first": lambda f: (mg.tensor(constant((N, 2)).astype(f)).T @ constant((N, 2)).astype(f)).data,
    "matmul by tiles": lambda f: (mg.tensor(constant((64, DEEP)).astype(f)) @ constant((DEEP, 64)).astype(f)).data,
    "dense layer": lambda f: mg.linear(
        constant((64, DEEP)).astype(f), constant((DEEP, 64)).astype(f), np.ones(64, f)).data,
    "convolution of many channels": lambda f: mg.conv2d(
        constant((1, 6, 6, DEEP)).astype(f), constant((1, 1, DEEP, 3)).astype(f)).data,
    "convolution of large windows": lambda f: mg.conv2d(
        constant((1, 70, 70, 4)).astype(f), constant((64, 64, 4, 3)).astype(f)).data,
    "transposed convolution": lambda f: mg.conv_transpose2d(
        constant((1, 6, 6, DEEP)).astype(f), constant((1, 1, 20, DEEP)).astype(f)).data,
    "conv1d": lambda f: mg.conv1d(constant((1, 9, DEEP)).astype(f), constant((3, DEEP, 3)).astype(f)).data,
    "conv3d": lambda f: mg.conv3d(
        constant((1, 4, 4, 4, DEEP)).astype(f), constant((1, 1, 1, DEEP, 3)).astype(f)).data,
    "attention's values": lambda f: gradient(
        lambda v, q, k: mg.scaled_dot_product_attention(q, k, v, 1), np.ones((1, 4, 16), f),
        np.zeros((1, DEEP, 16), f), np.zeros((1, 4, 16), f)),
    "attention's keys": lambda f: mg.scaled_dot_product_attention(
        np.zeros((1, 40, 16), f), np.zeros((1, DEEP, 16), f), constant((1, DEEP, 16)).astype(f), 1).data,
    "average of a picture": lambda f: mg.avg_pool2d(constant((1, 640, 640, 2)).astype(f), 640).data,
    "RNN's bias": lambda f: gradient(
        lambda b, x: mg.rnn(x, np.zeros((4, 2), f), np.ones((2, 2), f), np.zeros((2, 2), f), b)[0], np.zeros(2, f),
        np.zeros((4, N // 10, 2), f)),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_every_operation_that_sums(name: str):
    ours, exact = CALLS[name](F32), CALLS[name](np.float64)
    assert ours.dtype == F32
    assert np.abs(ours - exact).max() <= 24 * EPS * np.abs(exact).max()


def test_the_norm_of_a_gradient():
    assert abs(kernels.global_norm(constant((3_000_000,))) / (float(F32(0.1)) * math.sqrt(3_000_000)) - 1) < 1e-9
