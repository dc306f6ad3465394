"""The conditional GAN: classes reach both players, a request for a class gives it, and bad ones are told at once."""

from pathlib import Path

import numpy as np
import pytest
from model_helpers import trained

import minigen as mg
from minigen import data
from minigen.errors import ArgumentError, DataError
from minigen.models.adversarial import cgan
from minigen.models.parts.game import noise
from minigen.random import generator

IMAGE = (12, 12, 1)


@pytest.fixture(scope="module")
def players() -> cgan.CGAN:
    return cgan.CGAN(IMAGE, 3, cgan.Recipe(latent=5), generator(0))


def test_both_players_see_the_class(players: cgan.CGAN):
    z = mg.tensor(np.repeat(noise(1, 5, generator(0)).data, 3, axis=0))
    images = cgan.draw(players, z, np.arange(3))
    assert images.shape == (3, *IMAGE) and 0 <= images.min() <= images.max() <= 1
    assert np.abs(images[0] - images[1]).max() > 1e-6
    x = np.repeat(images[:1], 3, axis=0)
    assert np.ptp(cgan.judge(players, x, np.arange(3))) > 1e-6
    assert np.ptp(cgan.judge(players, x, np.zeros(3, np.int64))) < 1e-7


def test_the_logit_is_a_projection():
    d, x = (
        cgan.Discriminator(IMAGE, 3, cgan.Recipe(), generator(0)),
        mg.tensor(generator(1).uniform(-1, 1, (4, *IMAGE)).astype(np.float32)),
    )
    y = np.array([0, 2, 1, 1])
    with mg.no_grad():
        d.eval()
        features = d.features(x).numpy()
        expected = (d.of_class.weight.data[y] * features).sum(1) / np.sqrt(features.shape[1])
        expected = expected[:, None] + d.last(mg.tensor(features)).numpy()
        np.testing.assert_allclose(d(x, y).numpy(), expected, rtol=1e-4, atol=1e-6)


def test_a_run_draws_the_class_that_is_asked_for(digits: str, tmp_path: Path):
    run = trained("cgan", tmp_path / "run", data=digits, max_steps=2)
    by_name, by_place, other = (cgan.sample(run, cgan.Request(2, c), generator(0)) for c in ("7", "7", "3"))
    np.testing.assert_array_equal(by_name, by_place)
    assert np.abs(by_name - other).max() > 1e-6
    assert cgan.sample(run, cgan.Request(), generator(0)).shape == (100, 28, 28, 1)
    assert (run.path / "classes.png").exists()
    with pytest.raises(ArgumentError, match="--class 10: there is no such class; the run was trained on 0, 1, 2"):
        cgan.sample(run, cgan.Request(2, "10"), generator(0))


def test_data_without_labels_is_refused_before_the_first_step(tmp_path: Path):
    np.savez(tmp_path / "x.npz", images=data.mnist("test").images[:40])
    with pytest.raises(DataError, match="has no labels"):
        trained("cgan", tmp_path / "run", data=str(tmp_path / "x.npz"), max_steps=1)
    assert not (tmp_path / "run" / "metrics.csv").exists()


@pytest.mark.parametrize("name", ["cgan", "dcgan", "wgan", "wgan_gp"])
def test_images_that_can_not_be_halved_are_refused_before_the_first_step(name: str, tmp_path: Path):
    np.savez(tmp_path / "x.npz", images=np.zeros((40, 14, 13), np.uint8), labels=np.zeros(40, np.int64))
    with pytest.raises(ArgumentError, match=rf"{name}: images are 14×13.*multiples of 4"):
        trained(name, tmp_path / "run", data=str(tmp_path / "x.npz"), max_steps=1)
