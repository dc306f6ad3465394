"""From noise to images: a perfect network leads to the image, in any number of steps; the bound is what it says."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_helpers import trained

import minigen as mg
from minigen.errors import ArgumentError
from minigen.models.diffusion import ddpm, flow_matching
from minigen.models.parts.images import in_turn
from minigen.models.parts.unet import UNet, waves
from minigen.random import generator
from minigen.training import RunFolder

RECIPES = [ddpm.Recipe(noise=noise, prediction=guess) for noise in ("cosine", "linear") for guess in ("v", "noise")]


class Perfect(UNet):
    """A network that knows the only image there is."""

    def __init__(self, image: np.ndarray, noise: ddpm.Noise) -> None:
        super().__init__((4, 4, 1), 0, 8, generator(0))
        self.known, self.levels = image, noise

    def forward(self, x: mg.Tensor, t: mg.Tensor, y: Any = None) -> mg.Tensor:
        at = np.rint(t.numpy() * self.levels.steps).astype(int)
        _, signal, level = self.levels.at(at)
        eps = (x - signal * mg.tensor(self.known)) / level
        return signal * eps - level * mg.tensor(self.known) if self.levels.prediction == "v" else eps


def last(steps: Iterator[mg.Tensor]) -> np.ndarray:
    return [*steps][-1].numpy()


@pytest.fixture
def network() -> UNet:
    """A network whose last layers say something, too."""
    model = UNet((8, 8, 1), 3, 8, generator(0))
    for p in model.parameters():
        if not p.data.any():
            p.data[...] = 0.1 * generator(1).standard_normal(p.shape)
    return model.eval()


# ---------------------------------------------------------------- noise


@pytest.mark.parametrize("recipe", RECIPES[::2])
def test_noise_takes_all_that_the_image_loses(recipe: ddpm.Recipe):
    noise = ddpm.Noise(recipe)
    np.testing.assert_allclose(noise.signal**2 + noise.noise**2, 1, rtol=1e-12)
    assert noise.signal[0] == 1 and noise.noise[0] == 0 and noise.signal[-1] < 0.01
    assert (np.diff(noise.signal) < 0).all()
    kept = (noise.signal[1:] / noise.signal[:-1]) ** 2
    if recipe.noise == "linear":  # β from 1e-4 to 0.02
        np.testing.assert_allclose([1 - kept[0], 1 - kept[-1]], [1e-4, 0.02], rtol=1e-6)
    else:
        assert noise.signal[500] ** 2 == pytest.approx(np.cos((0.5 + 0.008) / 1.008 * np.pi / 2) ** 2, rel=1e-3)


def test_a_level_of_noise_costs_what_two_gaussians_differ_by():
    noise = ddpm.Noise(ddpm.Recipe())
    kept, t, gap = noise.signal**2, np.array([2, 10, 500, 1000]), 0.3
    beta = 1 - kept[t] / kept[t - 1]
    variance = beta * (1 - kept[t - 1]) / (1 - kept[t])  # of q(x_t-1|x_t, x_0)
    means = np.sqrt(kept[t - 1]) * beta / (1 - kept[t]) * gap  # how far apart the means are
    np.testing.assert_allclose(noise.weight(t) * gap**2, means**2 / (2 * variance), rtol=1e-8)


def test_the_levels_of_a_pixel_share_all_there_is():
    levels = np.arange(256) / 127.5 - 1
    for mean, deviation in ((0.2, 0.006), (-1.0, 0.02), (0.9999, 0.3)):
        shares = np.exp(ddpm.level_logs(levels, np.full(256, mean), deviation))
        assert shares.sum() == pytest.approx(1, abs=1e-9) and abs(levels[shares.argmax()] - mean) < 0.005


# ---------------------------------------------------------------- sampling


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("sampler", ["ddim", "ancestral"])
def test_a_perfect_network_leads_to_the_image(recipe: ddpm.Recipe, sampler: Any):
    noise, image = ddpm.Noise(recipe), generator(3).uniform(-1, 1, (4, 4, 1)).astype(np.float32)
    model, x = Perfect(image, noise), mg.randn(3, 4, 4, 1, rng=generator(0))
    for steps in (1, 7, 1000):
        found = last(noise.walk(model, x, None, ddpm.Asked(steps, sampler=sampler), generator(0)))
        np.testing.assert_allclose(found, np.broadcast_to(image, found.shape), atol=2e-2 if steps == 1 else 1e-3)


@pytest.mark.parametrize("sampler", ["ddim", "ancestral"])
def test_samples_of_a_gaussian_have_its_deviation(sampler: Any):
    noise, deviation = ddpm.Noise(ddpm.Recipe()), 0.2

    class Gaussian(UNet):  # images are N(0, deviation²): the mean of x_0 given x_t is a multiple of x_t
        def forward(self, x: mg.Tensor, t: mg.Tensor, y: Any = None) -> mg.Tensor:
            at = int(np.rint(t.numpy()[0] * noise.steps))
            a, b = noise.signal[at], noise.noise[at]
            share = a * deviation**2 / (a * a * deviation**2 + b * b)
            return float((a - share) / b) * x  # v = (a x - x̂_0) / b

    x = mg.randn(2000, 4, 4, 1, rng=generator(0))
    found = last(
        noise.walk(Gaussian((4, 4, 1), 0, 8, generator(0)), x, None, ddpm.Asked(1000, sampler=sampler), generator(1))
    )
    assert found.std() == pytest.approx(deviation, rel=0.03) and abs(found.mean()) < 0.005


def test_without_noise_on_the_way_only_the_start_decides(network: UNet):
    noise, x = ddpm.Noise(ddpm.Recipe()), mg.randn(2, 8, 8, 1, rng=generator(0))
    y, ways = np.array([0, 2]), (ddpm.Asked(3), ddpm.Asked(3, sampler="ancestral"))
    with mg.no_grad():
        a, b, c, d = (last(noise.walk(network, x, y, way, generator(seed))) for way in ways for seed in (0, 1))
    np.testing.assert_array_equal(a, b)
    assert np.abs(c - d).max() > 1e-3


@pytest.mark.parametrize("sampler", ["euler", "midpoint"])
def test_a_field_is_followed(sampler: Any):
    class Turning(UNet):  # dx/dt = x - 2 t has the solution x_0 eᵗ + 2 (1 + t - eᵗ)
        def forward(self, x: mg.Tensor, t: mg.Tensor, y: Any = None) -> mg.Tensor:
            return x - 2.0 * t.reshape(-1, 1, 1, 1).astype("float64")

    x = mg.randn(2, 4, 4, 1, rng=generator(0)).astype("float64")
    exact = x.numpy() * np.e + 2 * (2 - np.e)
    errors = [
        np.abs(
            last(flow_matching.walk(Turning((4, 4, 1), 0, 8, generator(0)), x, None, asked, generator(0))) - exact
        ).max()
        for asked in (flow_matching.Asked(n, sampler=sampler) for n in (20, 40))
    ]
    assert errors[0] / errors[1] == pytest.approx(2 if sampler == "euler" else 4, rel=0.1)


# ---------------------------------------------------------------- the network


def test_classes_and_times_are_told(network: UNet):
    x, t = mg.randn(2, 8, 8, 1, rng=generator(0)), mg.tensor(np.array([0.3, 0.6], np.float32))
    with mg.no_grad():
        known, unknown = (network(x, t, y).numpy() for y in (np.array([1, 2]), None))
        other = network(x, 1.0 - t, np.array([1, 2])).numpy()
        for guidance in (0.0, 1.0, 3.0):
            expected = unknown + guidance * (known - unknown)
            found = network.guided(x, t, np.array([1, 2]), guidance).numpy()
            np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(known - unknown).max() > 1e-3 and np.abs(known - other).max() > 1e-3


def test_waves_are_of_unit_length_and_tell_times_apart():
    told = waves(mg.tensor(np.linspace(0, 1, 1000, dtype=np.float32))).numpy()
    np.testing.assert_allclose((told**2).mean(1), 0.5, rtol=1e-4)
    assert np.linalg.norm(np.diff(told, axis=0), axis=1).min() > 0.1


@pytest.mark.parametrize("module", [ddpm, flow_matching])
def test_what_is_asked_for_is_drawn(module: Any, tiny: str, tmp_path: Path):
    name = module.__name__.rpartition(".")[2]
    run = RunFolder.open(trained(name, tmp_path / "run", data=tiny, max_steps=3).path)
    request = module.Request(n=5, class_="3", steps=2, guidance=2.0)
    images = module.sample(run, request, generator(0))
    assert images.shape == (5, 12, 12, 1) and 0 <= images.min() <= images.max() <= 1
    np.testing.assert_array_equal(images, module.sample(run, request, generator(0)))
    model = module.load(run)
    assert int(model.classes) == 10 and np.asarray(in_turn(int(model.classes), 12)).tolist() == [*range(10), 0, 1]
    for wrong, words in (
        ({"class_": "x"}, "no such class"),
        ({"steps": 0}, "above 0"),
        ({"guidance": np.inf}, "guidance"),
    ):
        with pytest.raises(ArgumentError, match=words):
            module.sample(run, replace(request, **wrong), generator(0))
    for file in ("denoising.gif", "steps.png"):
        assert (run.path / file).is_file()


def test_what_does_not_fit_is_refused(tiny: str, tmp_path: Path):
    run = RunFolder.open(trained("ddpm", tmp_path / "run", data=tiny, conditional=False, max_steps=2).path)
    requests: list[tuple[dict[str, Any], str]] = [
        ({"steps": 26}, r"26.*25 of noise"),
        ({"guidance": 2.0}, "no classes"),
        ({"class_": "3"}, "no classes"),
    ]
    for wrong, words in requests:
        with pytest.raises(ArgumentError, match=words):
            ddpm.sample(run, ddpm.Request(**wrong), generator(0))
    recipes: list[tuple[dict[str, Any], str]] = [
        ({"noise_steps": 10}, "noise-steps is 10"),
        ({"untold": 1.0}, "untold"),
        ({"width": 12}, "multiple of 8"),
    ]
    for fields, words in recipes:
        with pytest.raises(ArgumentError, match=words):
            ddpm.Recipe(**fields)
    with pytest.raises(ArgumentError, match="multiples of 4"):
        UNet((10, 12, 1), 0, 8, generator(0))


def test_both_learn(tiny: str, tmp_path: Path):
    for name in ("ddpm", "flow_matching"):
        history = trained(name, tmp_path / name, data=tiny, epochs=2, lr=3e-3, ema=None).history()
        losses = [value for value in history["test_loss"] if value is not None]
        assert losses[-1] < 0.95 * losses[0]
