"""Pixel by pixel: no output sees its own pixel or a later one, and what is drawn is drawn from what forward says."""

from pathlib import Path

import numpy as np
import pytest
from model_helpers import SMALL, trained

import minigen as mg
from minigen.errors import ArgumentError
from minigen.models.likelihood import pixel_cnn
from minigen.random import generator
from minigen.training import RunFolder

SHAPE = (5, 6, 2)


@pytest.fixture(params=[0, 3])
def model(request: pytest.FixtureRequest) -> pixel_cnn.PixelCNN:
    return pixel_cnn.PixelCNN(SHAPE, request.param, pixel_cnn.Recipe(**SMALL["pixel_cnn"]), generator(0)).eval()


def classes(model: pixel_cnn.PixelCNN, n: int) -> np.ndarray | None:
    return np.arange(n) % 3 if int(model.classes) else None


def test_no_output_sees_its_own_pixel_or_a_later_one_and_each_sees_all_near_ones_before(model: pixel_cnn.PixelCNN):
    height, width, _ = SHAPE
    x = mg.tensor(generator(1).random((1, *SHAPE)), requires_grad=True)
    logits = model.astype("float64")(x, classes(model, 1))
    places = np.arange(height * width).reshape(height, width)
    for i in range(height):
        for j in range(width):
            (seen,) = mg.grad(logits[0, i, j].sum(), [x], retain_graph=True)
            moved = np.abs(seen.numpy()[0]).sum(2)
            assert not moved[places >= places[i, j]].any()
            assert (moved[places < places[i, j]] > 0).all()  # no blind spot, for images of this size


def test_what_is_drawn_has_the_probability_that_forward_gives(
    model: pixel_cnn.PixelCNN, monkeypatch: pytest.MonkeyPatch
):
    chances = []
    sigmoid = mg.sigmoid

    def noted(x: mg.Tensor) -> mg.Tensor:
        if x.shape[1:3] == (1, 1) and x.shape[3] == SHAPE[2]:
            chances.append(sigmoid(x).numpy()[:, 0, 0])
        return sigmoid(x)

    monkeypatch.setattr(mg, "sigmoid", noted)
    y = classes(model, 4)
    x = pixel_cnn.draw(model, 4, generator(2), y)
    monkeypatch.undo()
    with mg.no_grad():
        expected = mg.sigmoid(model(mg.tensor(x), y)).numpy()
    found = np.stack(chances, 1).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert set(np.unique(x)) == {0.0, 1.0}
    np.testing.assert_array_equal(x, pixel_cnn.draw(model, 4, generator(2), y))


def test_known_rows_stay(model: pixel_cnn.PixelCNN):
    known = generator(3).integers(0, 2, (4, 3, *SHAPE[1:])).astype(np.float32)
    x = pixel_cnn.draw(model, 4, generator(2), known=known)
    np.testing.assert_array_equal(x[:, :3], known)
    assert x[:, 3:].any()


def test_nats_are_those_of_the_pixels(model: pixel_cnn.PixelCNN):
    x, y = generator(4).integers(0, 2, (3, *SHAPE)).astype(np.float32), classes(model, 3)
    with mg.no_grad():
        chance = mg.sigmoid(model(mg.tensor(x), y)).numpy()
        found = pixel_cnn.negative_log_likelihood(model, mg.tensor(x), y).item()
    expected = -np.log(np.where(x == 1, chance, 1 - chance)).sum() / 3
    assert found == pytest.approx(expected, rel=1e-5)


def test_it_learns_and_draws_what_is_asked_for(tiny: str, tmp_path: Path):
    run = RunFolder.open(
        trained("pixel_cnn", tmp_path / "run", data=tiny, conditional=True, lr=1e-2, ema=None, max_steps=30).path
    )
    nats = run.results["negative_log_likelihood"]
    assert nats < 95 and run.results["bits_per_dimension"] == pytest.approx(nats / 144 / np.log(2))  # 100 knows nothing
    images = pixel_cnn.sample(run, pixel_cnn.Request(n=2, class_="3"), generator(0))
    assert images.shape == (2, 12, 12, 1)
    assert (run.path / "completions.png").is_file()
    with pytest.raises(ArgumentError, match="no such class"):
        pixel_cnn.sample(run, pixel_cnn.Request(class_="x"), generator(0))


def test_a_run_without_classes_can_not_be_asked_for_one(tiny: str, tmp_path: Path):
    run = RunFolder.open(trained("pixel_cnn", tmp_path / "run", data=tiny, binarization="static", max_steps=1).path)
    with pytest.raises(ArgumentError, match="--conditional"):
        pixel_cnn.sample(run, pixel_cnn.Request(class_="3"), generator(0))
