"""There and back: what is invertible is inverted, and determinants are those of the whole Jacobian."""

from pathlib import Path

import numpy as np
import pytest
from model_helpers import SMALL, trained

import minigen as mg
from minigen import data
from minigen.errors import ArgumentError
from minigen.models.likelihood import real_nvp
from minigen.random import generator
from minigen.training import RunFolder


@pytest.fixture
def model() -> real_nvp.RealNVP:
    """With last layers that say something, too."""
    model = real_nvp.RealNVP((4, 8, 1), real_nvp.Recipe(**SMALL["real_nvp"]), generator(0)).astype("float64").eval()
    for step in model.modules():
        if isinstance(step, real_nvp.Coupling):
            step.mask = step.mask.astype("float64")
    for p in model.parameters():
        if not p.data.any():
            p.data[...] = 0.1 * generator(1).standard_normal(p.shape)
    return model


def jacobian(model: real_nvp.RealNVP, x: np.ndarray) -> np.ndarray:
    at = mg.tensor(x[None], requires_grad=True)
    z = model(at)[0][0]
    return np.stack([mg.grad(z[i], [at], retain_graph=True)[0].numpy().reshape(-1) for i in range(len(z))])


def test_it_is_inverted(model: real_nvp.RealNVP):
    x = generator(2).standard_normal((3, 4, 8, 1))
    with mg.no_grad():
        z, _ = model(mg.tensor(x))
        np.testing.assert_allclose(model.inverse(z).numpy(), x, atol=1e-10)


def test_the_determinant_is_that_of_the_jacobian(model: real_nvp.RealNVP):
    x = generator(2).standard_normal((3, 4, 8, 1))
    with mg.no_grad():
        logs = model(mg.tensor(x))[1].numpy()
    for one, log in zip(x, logs, strict=True):
        assert np.linalg.slogdet(jacobian(model, one))[1] == pytest.approx(log, rel=1e-8)
    assert np.abs(logs).min() > 0.01


def test_stretching_is_undone_and_its_determinant_is_that_of_its_slope():
    x, u = generator(3).integers(0, 256, (2, 3, 3, 1)) / 255, generator(4).random((2, 3, 3, 1))
    y, logs = real_nvp.stretched(x, mg.tensor(u))
    np.testing.assert_allclose(real_nvp.shrunk(y), (255 * x + u) / 256, atol=1e-12)
    nudged = real_nvp.stretched(x + 1e-6 / 255, mg.tensor(u))[0]
    slopes = np.log((nudged - y).numpy() / 1e-6)  # for a whole level
    np.testing.assert_allclose(logs.numpy(), slopes.sum((1, 2, 3)), rtol=1e-5)


def test_of_noise_alone_a_pixel_costs_what_the_logistic_density_says():
    model = real_nvp.RealNVP((4, 4, 1), real_nvp.Recipe(**SMALL["real_nvp"]), generator(0))  # changes nothing yet
    x, u = np.full((1, 4, 4, 1), 128 / 255, np.float32), mg.zeros(1, 4, 4, 1)
    with mg.no_grad():
        found = real_nvp.log_probability(model, x, u).item() / 16
    slope = 0.9 / 256 / 0.25  # of the logit at one half
    assert found == pytest.approx(np.log(slope / np.sqrt(2 * np.pi)), rel=1e-5)


@pytest.mark.parametrize("shape", [(4, 8, 2), (2, 2, 4)])
def test_masks_take_half_and_the_next_takes_the_other(shape: tuple[int, ...]):
    for kind in (real_nvp.checkerboard, real_nvp.halves):
        a, b = kind(shape, False), kind(shape, True)
        assert a.sum() == b.sum() and (a.astype(int) + b == 1).all()


def test_it_learns(tiny: str, tmp_path: Path):
    run = RunFolder.open(trained("real_nvp", tmp_path / "run", data=tiny, ema=None, lr=3e-3, max_steps=40).path)
    bits = [value for value in run.history()["test_bits"] if value is not None]
    untrained = real_nvp.RealNVP((12, 12, 1), real_nvp.Recipe(**SMALL["real_nvp"]), generator(0))
    before = real_nvp.measure(untrained, data.load(tiny, "test"))
    assert bits[-1] < 0.85 * before
    assert run.results["bits_per_dimension"] < bits[-1]  # of the last step, after the last whole epoch
    assert real_nvp.sample(run, real_nvp.Request(n=3), generator(0)).shape == (3, 12, 12, 1)
    assert (run.path / "interpolation.png").is_file()


def test_images_that_can_not_be_squeezed_are_refused():
    with pytest.raises(ArgumentError, match="multiples of 4"):
        real_nvp.RealNVP((6, 8, 1), real_nvp.Recipe(), generator(0))


def test_it_is_inverted_in_single_precision():
    model = real_nvp.RealNVP((8, 8, 1), real_nvp.Recipe(**SMALL["real_nvp"]), generator(0)).eval()
    for p in model.parameters():
        p.data += 0.05 * generator(1).standard_normal(p.shape, dtype=np.float32)
    x = generator(2).standard_normal((3, 8, 8, 1), dtype=np.float32)
    with mg.no_grad():
        np.testing.assert_allclose(model.inverse(model(mg.tensor(x))[0]).numpy(), x, atol=1e-5)
