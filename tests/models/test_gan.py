"""The GAN: the paper's losses, whose weights which step changes, and that the game moves; on a few hundred digits."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import data, layers, optim
from minigen.cli.train import train_and_evaluate
from minigen.errors import MinigenError
from minigen.models.adversarial import gan
from minigen.models.parts import game
from minigen.random import generator
from minigen.training import Run, checkpoint

LOOKED = {"diversity", "nearest", "real_accuracy", "fake_accuracy", "held_out_accuracy", "g_gradient", "d_gradient"}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An archive of 192 digits, every other pixel of their middle: 12×12."""
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    x, y = data.mnist("test")[:192]
    np.savez(path, images=x[:, 2:26:2, 2:26:2], labels=y)
    return str(path)


def trained(folder: Path, **fields: Any) -> Run:
    recipe = gan.Recipe(batch_size=32, **fields)
    run = Run.create(folder, "gan", recipe)
    train_and_evaluate(gan, recipe, run)
    return run


def weights(module: layers.Module) -> np.ndarray:
    return np.concatenate([p.data.ravel() for p in module.parameters()])


def test_the_networks_are_the_papers():
    model = gan.build((28, 28, 1), gan.Recipe(), generator(0))
    shapes = [p.shape for p in model.generator.parameters() + model.discriminator.parameters() if p.ndim == 2]
    assert shapes == [(100, 256), (256, 512), (512, 784), (784, 512), (512, 256), (256, 1)]
    z = mg.tensor(game.noise(3, 100, generator(0)))
    assert model.generator(z).shape == (3, 28, 28, 1)
    assert model.discriminator(model.generator(z)).shape == (3, 1)


def test_the_losses_are_the_papers():
    real, fake = generator(0).normal(0, 3, (2, 50, 1))
    d_real, d_fake = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-fake))
    value = np.log(d_real).mean() + np.log(1 - d_fake).mean()  # equation 1
    np.testing.assert_allclose(game.discriminator_loss(mg.tensor(real), mg.tensor(fake)).item(), -value, rtol=1e-12)
    np.testing.assert_allclose(game.generator_loss(mg.tensor(fake)).item(), -np.log(d_fake).mean(), rtol=1e-12)
    np.testing.assert_allclose(game.mean_d(mg.tensor(real)), d_real.mean(), rtol=1e-12)


def test_each_step_reaches_its_own_network_only():
    model = gan.build((4, 4, 1), gan.Recipe(latent=5), generator(0))
    g, d = model.generator, model.discriminator
    x = mg.tensor(generator(1).uniform(-1, 1, (6, 4, 4, 1)).astype(np.float32))
    fake = g(mg.tensor(game.noise(6, 5, generator(2))))

    game.discriminator_loss(d(x), d(fake.detach())).backward()
    assert all(p.grad is None for p in g.parameters())
    assert all(p.grad is not None and np.abs(p.grad.data).max() > 0 for p in d.parameters())

    d.zero_grad()
    with d.frozen():
        loss = game.generator_loss(d(fake))
    loss.backward()
    assert all(p.grad is None for p in d.parameters())
    assert all(p.grad is not None and np.abs(p.grad.data).max() > 0 for p in g.parameters())


def test_training_is_algorithm_1(digits: str, tmp_path: Path):
    """Two steps written out again, with the gradients of both losses taken on their own."""
    recipe = gan.Recipe(data=digits, batch_size=32, max_steps=2)
    run = Run.create(tmp_path / "run", "gan", recipe)
    gan.train(recipe, run)

    rng = generator(0)
    images = data.load(digits, "train", range=(-1, 1))
    model = gan.build(images.image_shape, recipe, rng)
    g, d = model.generator, model.discriminator
    optimizers = [optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999)) for network in (d, g)]
    for _, (x, _) in data.DataLoader(images, 32, shuffle=True, rng=rng).steps(0, 2):
        fake = g(mg.tensor(game.noise(32, 100, rng)))
        losses = (
            lambda x=x, fake=fake: game.discriminator_loss(d(mg.tensor(x)), d(fake.detach())),
            lambda fake=fake: game.generator_loss(d(fake)),  # through the new D
        )
        for optimizer, loss in zip(optimizers, losses, strict=True):
            gradients = mg.grad(loss(), optimizer.parameters)
            for p, gradient in zip(optimizer.parameters, gradients, strict=True):
                p.grad = gradient
            optimizer.step()

    loaded = gan.load(run)
    np.testing.assert_allclose(weights(loaded.generator), weights(g), rtol=0, atol=1e-6)
    np.testing.assert_allclose(weights(loaded.discriminator), weights(d), rtol=0, atol=1e-6)
    start = gan.build(images.image_shape, recipe, generator(0))
    assert np.abs(weights(loaded.generator) - weights(start.generator)).max() > 1e-4


def test_training_moves_the_samples_towards_the_data(digits: str, tmp_path: Path):
    first, last = (trained(tmp_path / str(n), data=digits, epochs=20, max_steps=n) for n in (1, 52))
    before, after = gan.evaluate(first), gan.evaluate(last)
    assert after["pixel_mean_error"] < 0.6 * before["pixel_mean_error"]
    assert last.history()["d_loss"][-1] < 2 * math.log(2) - 0.1  # less than that of an undecided D
    assert set(last.history()) == {"step", "d_loss", "g_loss", "d_real", "d_fake", *LOOKED}
    assert sorted(set(last.history()["step"])) == list(range(1, 53))
    assert last.sample_path(6).exists() and last.sample_path(52).exists()  # end of an epoch, end of the run


def test_k_steps_saved_and_k_more_equal_2k(digits: str, tmp_path: Path):
    whole = trained(tmp_path / "whole", data=digits, max_steps=8)
    trained(tmp_path / "halves", data=digits, max_steps=4)
    halves = Run.open(tmp_path / "halves")
    recipe = gan.Recipe(data=digits, batch_size=32, max_steps=8)
    halves.change_recipe(recipe)
    gan.train(recipe, halves)
    assert halves.checkpoint_path.read_bytes() == whole.checkpoint_path.read_bytes()


def test_a_checkpoint_alone_gives_samples(digits: str, tmp_path: Path):
    run = trained(tmp_path / "run", data=digits, max_steps=1, latent=7)
    images = gan.sample(run, gan.Request(n=3), generator(0))
    assert images.shape == (3, 12, 12, 1) and 0 <= images.min() < images.max() <= 1
    assert checkpoint.read(run.checkpoint_path)[1]["model"]["generator.0.weight"].shape == (7, 256)


def test_a_folder_of_another_recipe_is_refused(digits: str, tmp_path: Path):
    run = trained(tmp_path / "run", data=digits, max_steps=1, latent=7)
    with pytest.raises(MinigenError, match=r"generator.0.weight"):
        gan.train(gan.Recipe(data=digits, batch_size=32, max_steps=2), run)
