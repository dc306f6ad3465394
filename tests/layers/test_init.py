"""Initializers: the distributions they promise, their fans, and the layers' default first values."""

import functools
import math

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.config import config
from minigen.errors import ArgumentError, DTypeError
from minigen.layers import init

SHAPE = (3, 3, 40, 100)  # fan_in 360, fan_out 900, 36,000 values
COUNT = math.prod(SHAPE)


def generator() -> np.random.Generator:
    return mg.random.generator(3)


@pytest.mark.parametrize(
    ("initializer", "bound"),
    [
        (init.xavier_uniform, math.sqrt(6 / 1260)),
        (functools.partial(init.xavier_uniform, gain=2.0), 2 * math.sqrt(6 / 1260)),
        (init.kaiming_uniform, math.sqrt(6 / 360)),
        (functools.partial(init.kaiming_uniform, a=0.2, mode="fan_out"), math.sqrt(6 / (1.04 * 900))),
        (init.default, 1 / math.sqrt(360)),
        (functools.partial(init.uniform, low=-0.5, high=0.5), 0.5),
    ],
)
def test_uniform_ones_fill_their_interval(initializer: init.Initializer, bound: float):
    values = initializer(SHAPE, generator())
    assert values.shape == SHAPE and values.dtype == np.float32
    assert 0.999 * bound < np.abs(values).max() <= bound * (1 + 1e-6)
    np.testing.assert_allclose(values.mean(dtype=float), 0, atol=4 * bound / math.sqrt(3 * COUNT))
    np.testing.assert_allclose(values.std(dtype=float), bound / math.sqrt(3), rtol=0.01)


@pytest.mark.parametrize(
    ("initializer", "std"),
    [
        (init.xavier_normal, math.sqrt(2 / 1260)),
        (init.kaiming_normal, math.sqrt(2 / 360)),
        (functools.partial(init.kaiming_normal, a=1.0, mode="fan_out"), math.sqrt(1 / 900)),
        (functools.partial(init.normal, std=0.02), 0.02),
    ],
)
def test_gaussian_ones_have_their_spread(initializer: init.Initializer, std: float):
    values = initializer(SHAPE, generator()).astype(float)
    np.testing.assert_allclose(values.std(), std, rtol=0.015)
    np.testing.assert_allclose(values.mean(), 0, atol=4 * std / math.sqrt(COUNT))
    np.testing.assert_allclose((values**4).mean() / values.var() ** 2, 3, rtol=0.05)  # kurtosis of a Gaussian


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (6, 6), (3, 3, 2, 7)])
def test_orthogonal(shape: tuple[int, ...]):
    w = init.orthogonal(shape, generator(), gain=2.0).reshape(-1, shape[-1]).astype(float)
    product = w @ w.T if len(w) <= shape[-1] else w.T @ w
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)


def test_orthogonal_has_no_preferred_sign():
    signs = np.sign([init.orthogonal((1, 1), rng)[0, 0] for rng in map(mg.random.generator, range(200))])
    assert abs(signs.sum()) < 60


def test_constant():
    np.testing.assert_array_equal(init.constant((2,), generator(), 3.0), [3, 3])


def test_one_seed_gives_one_set_of_weights_in_both_dtypes(monkeypatch: pytest.MonkeyPatch):
    single = init.normal((4,), generator())
    monkeypatch.setattr(config, "dtype", np.dtype(np.float64))
    double = init.normal((4,), generator())
    assert double.dtype == np.float64
    np.testing.assert_array_equal(single, double.astype(np.float32))


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (functools.partial(layers.Linear, 50, 400), 50),
        (functools.partial(layers.Conv2d, 6, 80, 5), 150),
        (functools.partial(layers.Conv2d, 6, 80, 5, groups=2), 75),
        (functools.partial(layers.ConvTranspose2d, 80, 6, 5), 150),  # as PyTorch, which counts the outputs here
    ],
)
def test_layers_start_as_pytorchs(layer, fan_in: int):
    module = layer(rng=generator())
    bound = 1 / math.sqrt(fan_in)
    for values in (module.weight.data, module.bias.data):
        assert np.abs(values).max() <= bound * (1 + 1e-6)
    assert np.abs(module.weight.data).max() > 0.999 * bound
    np.testing.assert_allclose(module.weight.data.std(), bound / math.sqrt(3), rtol=0.02)
    assert np.unique(module.bias.data).size > 1


def test_init_argument_of_a_layer():
    layer = layers.Linear(4, 4, rng=generator(), init=init.orthogonal)
    np.testing.assert_allclose(layer.weight.data @ layer.weight.data.T, np.eye(4), atol=1e-6)
    with pytest.raises(ArgumentError, match=r"init gave an array \(4,\) for a weight \(4, 4\)"):
        layers.Linear(4, 4, rng=generator(), init=lambda shape, rng: np.zeros(4))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: init.xavier_uniform((3,), generator()), ArgumentError, "no fan-in"),
        (lambda: init.orthogonal((3, 0), generator()), ArgumentError, "no fan-in"),
        (lambda: init.kaiming_normal((3, 3), generator(), mode="both"), ArgumentError, "'fan_in' or 'fan_out'"),  # pyright: ignore[reportArgumentType]
        (lambda: init.normal((3,), generator(), std=-1.0), ArgumentError, "std is -1.0"),
        (lambda: init.uniform((3,), generator(), 1.0, 0.0), ArgumentError, "low 1.0 is above high 0.0"),
        (lambda: init.orthogonal((3, 10**19), generator()), ArgumentError, "use smaller sizes"),
        (lambda: layers.Embedding(2**40, 2**40, rng=generator()), ArgumentError, "use smaller sizes"),
        (lambda: init.normal((3,), 0), DTypeError, "rng is int"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_bad_arguments(call, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        call()
