"""sequential_mnist: what a step is, the gates' first biases, and that it learns; on a few hundred digits."""

from pathlib import Path

import numpy as np
import pytest
from model_helpers import trained

import minigen as mg
from minigen import data
from minigen.errors import ArgumentError
from minigen.models.parts.images import hold_out
from minigen.models.parts.labels import labelled
from minigen.models.vision import sequential_mnist as sequential
from minigen.random import generator
from minigen.training import checkpoint


def test_an_image_is_read_by_rows_or_by_pixels():
    images = data.mnist("test")
    x, y = images[:3]
    rows, labels = sequential.sequences(images, sequential.Recipe())[:3]
    np.testing.assert_array_equal(rows, x.reshape(3, 28, 28))
    np.testing.assert_array_equal(labels, y)
    pixels, _ = sequential.sequences(images, sequential.Recipe(by="pixel"))[:3]
    np.testing.assert_array_equal(pixels, x.reshape(3, 784, 1))


def test_permuted_pixels_are_in_one_order_that_the_seed_decides():
    images = data.mnist("test")
    pixels, _ = sequential.sequences(images, sequential.Recipe(by="pixel"))[:3]
    first, again, other = (
        sequential.sequences(images, sequential.Recipe(by="permuted", seed=seed))[:3][0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other) and not np.array_equal(first, pixels)
    order = generator(1).permutation(784)
    np.testing.assert_array_equal(first, pixels[:, order])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(("by", "steps"), [("row", 28), ("pixel", 784)])
def test_the_first_biases_spread_over_all_lengths(cell: sequential.Cell, by: sequential.By, steps: int):
    model = sequential.Reader((28, 28, 1), 10, sequential.Recipe(cell=cell, by=by, hidden=512), generator(0))
    bias = model.state_dict()["recurrent.b_0"]
    kept, longest = bias[512:1024], np.log(steps - 1)
    assert 0 <= kept.min() < 0.02 * longest and 0.98 * longest < kept.max() <= longest
    np.testing.assert_allclose(np.quantile(kept, [0.25, 0.5, 0.75]) / longest, [0.25, 0.5, 0.75], atol=0.05)
    if cell == "lstm":
        np.testing.assert_array_equal(bias[:512], -bias[512:1024])


def test_grey_levels_are_standardized_and_the_checkpoint_says_how(digits: str, tmp_path: Path):
    run = trained("sequential_mnist", tmp_path / "run", data=digits, max_steps=1)
    images, _ = hold_out(labelled(digits, "train", None))
    x = images[:][0]
    np.testing.assert_allclose(sequential.load(run).grey, [x.mean(), x.std()], rtol=1e-5)
    model = sequential.load(run)
    with mg.no_grad():
        h, _ = model.recurrent(mg.tensor((x[:3].reshape(3, 28, 28) - x.mean()) / x.std()))
        expected = model.out(h[:, -1]).numpy()
        np.testing.assert_allclose(model(mg.tensor(x[:3].reshape(3, 28, 28))).numpy(), expected, atol=1e-5)


def test_blank_images_can_be_read():
    model = sequential.Reader((4, 4, 1), 3, sequential.Recipe(hidden=8), generator(0))
    model.standardize(np.zeros((5, 4, 4, 1), np.float32))
    with mg.no_grad():
        assert np.isfinite(model(mg.tensor(np.zeros((2, 4, 4), np.float32))).numpy()).all()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_it_learns(cell: str, digits: str, tmp_path: Path):
    run = trained("sequential_mnist", tmp_path / "run", data=digits, cell=cell, epochs=12, hidden=64, lr=5e-3)
    assert sequential.evaluate(run)["accuracy"] > 0.6
    assert {"confusion.png", "curves.png"} <= {path.name for path in run.path.glob("*.png")}


@pytest.mark.parametrize("by", ["pixel", "permuted"])
def test_pixels_can_be_read(by: str, digits: str, tmp_path: Path):
    run = trained("sequential_mnist", tmp_path / "run", data=digits, by=by, hidden=8, max_steps=2)
    assert np.isfinite(sequential.evaluate(run)["accuracy"])
    assert checkpoint.read(run.checkpoint_path)[1]["model"]["recurrent.w_x_0"].shape == (1, 24)


def test_the_last_state_alone_gives_the_logits():
    model = sequential.Reader((4, 4, 1), 3, sequential.Recipe(hidden=8), generator(0))
    x = mg.tensor(generator(1).random((2, 4, 4), np.float32))
    with mg.no_grad():
        y, _ = model.recurrent(x)
        np.testing.assert_allclose(model(x).numpy(), model.out(y[:, -1]).numpy(), rtol=1e-6)


@pytest.mark.parametrize("field", [{"hidden": 0}, {"clip": -1.0}])
def test_a_bad_recipe_is_refused(field: dict):
    with pytest.raises(ArgumentError, match=next(iter(field))):
        sequential.Recipe(**field)
