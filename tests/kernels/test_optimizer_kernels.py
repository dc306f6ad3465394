"""Optimizer steps against their twins, over several steps, in place; and the gradient's norm."""

import numpy as np
import pytest
from twins import DTYPES, close

from minigen import kernels
from minigen.config import config
from minigen.kernels import reference

STEPS = {  # options after p, g and as many state buffers
    "sgd": ("sgd", 1, (0.1, 0.0, False, 0.01)),
    "momentum": ("sgd", 1, (0.1, 0.9, False, 0.01)),
    "nesterov": ("sgd", 1, (0.1, 0.9, True, 0.0)),
    "rmsprop": ("rmsprop", 2, (0.01, 0.99, 1e-8, 0.0, 0.01)),
    "rmsprop momentum": ("rmsprop", 2, (0.01, 0.99, 1e-8, 0.9, 0.0)),
    "adagrad": ("adagrad", 1, (0.1, 1e-10, 0.01)),
    "adam": ("adam", 2, (0.01, 0.9, 0.999, 1e-8, 0.0, False)),
    "adam decay": ("adam", 2, (0.01, 0.5, 0.99, 1e-6, 0.1, False)),
    "adamw": ("adam", 2, (0.01, 0.9, 0.999, 1e-8, 0.1, True)),
}
STEP = pytest.mark.parametrize(("name", "states", "options"), STEPS.values(), ids=STEPS)


def run(module, name, states, options, size, dtype, count=3):
    """The buffers after `count` steps."""
    rng = np.random.default_rng(size)
    buffers = [rng.normal(size=size).astype(dtype), *(np.zeros(size, dtype) for _ in range(states))]
    for step in range(1, count + 1):
        g = rng.normal(size=size).astype(dtype)
        last = (step,) if name == "adam" else ()
        assert getattr(module, name)(buffers[0], g, *buffers[1:], *options, *last) is None
    return buffers


@DTYPES
@pytest.mark.parametrize("size", [0, 1, 17, 50_001])
@STEP
def test_equals_its_twin(name, states, options, size, dtype):
    for ours, theirs in zip(
        run(kernels, name, states, options, size, dtype),
        run(reference, name, states, options, size, dtype),
        strict=True,
    ):
        assert ours.dtype == dtype
        close(ours, theirs)


@STEP
def test_same_bits_on_any_number_of_threads(name, states, options, monkeypatch):
    several = run(kernels, name, states, options, 50_001, np.float32)
    monkeypatch.setattr(config, "threads", 1)
    for one, other in zip(run(kernels, name, states, options, 50_001, np.float32), several, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "options"), [("sgd", (0.1, 0.0, False, 0.1)), ("rmsprop", (0.1, 0.9, 1e-8, 0.0, 0.1))]
)
def test_without_momentum_no_velocity_is_needed(name, options):
    p, square = np.ones(5, np.float32), [np.zeros(5, np.float32)] if name == "rmsprop" else []
    getattr(kernels, name)(p, np.ones(5, np.float32), *square, np.empty(0), *options)
    assert (p < 1).all()


def test_nan_in_a_gradient_reaches_its_parameter():
    p, g, m, v = (np.zeros(40_000, np.float32) for _ in range(4))
    g[20_000] = np.nan
    kernels.adam(p, g, m, v, 1e-3, 0.9, 0.999, 1e-8, 0.0, False, 1)
    assert np.isnan(p[20_000])
    assert np.isnan(p).sum() == 1
    assert np.isnan(kernels.global_norm(g))


@DTYPES
@pytest.mark.parametrize("size", [0, 1, 100, 16_384, 16_385, 70_001])
def test_global_norm(size, dtype, monkeypatch):
    g = np.random.default_rng(size).normal(size=size).astype(dtype)
    norm = kernels.global_norm(g)
    assert norm == pytest.approx(reference.global_norm(g), rel=1e-12)
    monkeypatch.setattr(config, "threads", 1)
    assert kernels.global_norm(g) == norm


def test_global_norm_of_huge_float32_values_does_not_overflow():
    assert kernels.global_norm(np.full(40_000, 1e30, np.float32)) == pytest.approx(2e32, rel=1e-6)
