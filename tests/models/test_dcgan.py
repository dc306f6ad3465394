"""The DCGAN: its networks, its batch-norm statistics, and that the game moves; on a few dozen digits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import data, layers
from minigen.errors import ArgumentError
from minigen.models.adversarial import dcgan
from minigen.models.parts import game
from minigen.random import generator
from minigen.training import Run


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An archive of 80 digits, every other pixel of their middle: 12×12."""
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    x, y = data.mnist("test")[:80]
    np.savez(path, images=x[:, 2:26:2, 2:26:2], labels=y)
    return str(path)


def trained(folder: Path, **fields: Any) -> Run:
    recipe = dcgan.Recipe(batch_size=16, **fields)
    run = Run.create(folder, "dcgan", recipe)
    dcgan.train(recipe, run)
    return run


@pytest.fixture
def model() -> Any:
    return dcgan.build((28, 28, 1), dcgan.Recipe(), generator(0))


def test_the_networks_have_the_papers_shapes(model: Any):
    rows = layers.summary(model.generator, (100,)).rows
    assert [row.output for row in rows if row.layer == "ConvTranspose2d"] == [(7, 7, 128), (14, 14, 64), (28, 28, 1)]
    assert [row.parameters for row in rows if row.parameters] == [
        *(100 * 6272, 2 * 6272),
        *(25 * 128 * 128, 2 * 128),
        *(25 * 64 * 128, 2 * 64),
        25 * 64,
    ]
    rows = layers.summary(model.discriminator, (28, 28, 1)).rows
    assert [row.output for row in rows if row.parameters] == [(14, 14, 64), (7, 7, 128), (1,)]


def test_weights_start_as_the_papers(model: Any):
    drawn = [p.data.ravel() for p in model.parameters() if p.ndim > 1]
    np.testing.assert_allclose(np.concatenate(drawn).std(), 0.02, rtol=0.01)


def test_statistics_are_the_batchs_in_training_and_the_running_ones_in_samples(model: Any):
    g = model.generator
    z = mg.tensor(game.noise(8, 100, generator(0)))
    before = {name: array.copy() for name, array in g.named_buffers()}
    with mg.no_grad():
        together, alone = g(z).data, g(z[:4]).data
    assert np.abs(together[:4] - alone).max() > 1e-3
    assert not any(np.array_equal(array, before[name]) for name, array in g.named_buffers())

    state = model.state_dict()
    together, alone = game.draw(model, z.data), game.draw(model, z.data[:4])
    np.testing.assert_allclose(together[:4], alone, atol=1e-5)
    assert g.training
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, state[name])


def test_the_generators_step_gives_the_discriminator_no_gradient(model: Any):
    fake = model.generator(mg.tensor(game.noise(4, 100, generator(0))))
    with model.discriminator.frozen():
        loss = game.generator_loss(model.discriminator(fake))
    loss.backward()
    assert all(p.grad is None for p in model.discriminator.parameters())
    assert all(p.grad is not None and np.abs(p.grad.data).max() > 0 for p in model.generator.parameters())


def test_training_moves_the_samples_towards_the_data_and_changes_every_weight(digits: str, tmp_path: Path):
    first, last = (trained(tmp_path / str(n), data=digits, epochs=5, lr=5e-4, max_steps=n) for n in (1, 20))
    assert dcgan.evaluate(last)["pixel_mean_error"] < 0.6 * dcgan.evaluate(first)["pixel_mean_error"]
    before, after = dcgan.load(first).state_dict(), dcgan.load(last).state_dict()
    assert [name for name in before if np.array_equal(before[name], after[name])] == ["image"]
    assert last.sample_path(4).exists() and last.sample_path(20).exists()  # end of an epoch, end of the run


def test_k_steps_saved_and_k_more_equal_2k(digits: str, tmp_path: Path):
    whole = trained(tmp_path / "whole", data=digits, max_steps=6)
    trained(tmp_path / "halves", data=digits, max_steps=3)
    halves = Run.open(tmp_path / "halves")
    recipe = dcgan.Recipe(data=digits, batch_size=16, max_steps=6)
    halves.change_recipe(recipe)
    dcgan.train(recipe, halves)
    assert halves.checkpoint_path.read_bytes() == whole.checkpoint_path.read_bytes()


def test_images_that_can_not_be_halved_twice_are_refused():
    with pytest.raises(ArgumentError, match=r"30×28.*multiples of 4"):
        dcgan.build((30, 28, 1), dcgan.Recipe(), generator(0))


def test_other_sizes_and_colours():
    model = dcgan.build((8, 12, 3), dcgan.Recipe(latent=5), generator(0))
    images = model.generator(mg.tensor(game.noise(2, 5, generator(0))))
    assert images.shape == (2, 8, 12, 3)
    assert model.discriminator(images).shape == (2, 1)
