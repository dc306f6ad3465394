"""From one kind of image to another: the changes that make pairs, and that both translators learn them."""

from pathlib import Path

import numpy as np
import pytest
from model_helpers import trained
from PIL import Image

from minigen import data
from minigen.cli import main
from minigen.errors import DataError
from minigen.models.adversarial import discogan, pix2pix
from minigen.models.latent import autoencoder
from minigen.models.parts import pairs
from minigen.random import generator

SQUARE = np.zeros((1, 6, 6, 1), np.float32)
SQUARE[0, 1:5, 1:5] = 1


def test_changes_by_hand():
    edge = SQUARE[0, ..., 0].copy()
    edge[2:4, 2:4] = 0
    np.testing.assert_array_equal(pairs.outline(SQUARE)[0, ..., 0], edge)
    np.testing.assert_array_equal(pairs.thicker(SQUARE), np.ones_like(SQUARE))
    assert pairs.upper_half(SQUARE)[0, :3].sum() == 8 and pairs.upper_half(SQUARE)[0, 3:].sum() == 0
    x = generator(0).random((2, 3, 4, 1), dtype=np.float32)
    np.testing.assert_array_equal(pairs.turned(x), x[:, ::-1, ::-1])
    np.testing.assert_array_equal(pairs.turned(SQUARE[:, :, :6]), SQUARE)


@pytest.mark.parametrize("name", pairs.CHANGES)
def test_changes_keep_shape_and_range_and_touch_nothing(name: str):
    x = generator(0).random((3, 8, 8, 2), dtype=np.float32)
    before = x.copy()
    y = pairs.CHANGES[name](x)
    assert y.shape == x.shape and y.dtype == np.float32 and 0 <= y.min() <= y.max() <= 1
    assert not np.array_equal(y, x)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("source", ["outline", "upper-half"])
def test_pix2pix_comes_nearer_to_the_truth(source: str, digits: str, tmp_path: Path):
    run = trained("pix2pix", tmp_path / "run", data=digits, source=source, width=8, lr=2e-3, max_steps=80)
    distances = [value for value in run.history()["distance"] if value is not None]
    assert distances[-1] < 0.4 * distances[0]
    assert (run.path / "translations.png").exists() and "alarms.txt" not in {f.name for f in run.path.iterdir()}


def test_discogan_learns_there_and_back(digits: str, tmp_path: Path):
    first, last = (trained("discogan", tmp_path / str(n), data=digits, width=8, lr=1e-3, max_steps=n) for n in (1, 60))
    assert last.results["cycle"] < 0.5 * first.results["cycle"]
    assert last.results["distance_ab"] < first.results["distance_ab"]


def test_own_pictures_are_translated(digits: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    run = trained("pix2pix", tmp_path / "run", False, data=digits, width=4, max_steps=1)
    (tmp_path / "own").mkdir()
    for i in range(3):
        Image.new("RGB", (40, 30), (i * 90, 0, 0)).save(tmp_path / "own" / f"{i}.png")
    images = pix2pix.sample(run, pix2pix.Request(pictures=str(tmp_path / "own"), n=2), generator(0))
    assert images.shape == (2, 28, 56, 1) and np.ptp(images[1, :, :28]) < 0.01 < images[1, 0, 0, 0]
    np.testing.assert_array_equal(images[:, :, 28:], pix2pix.translate(pix2pix.load(run), images[:, :, :28]))
    assert main(["sample", str(run.path), "--pictures", str(tmp_path / "none")]) == 1
    assert "no such folder" in capsys.readouterr().err


def test_the_domains_share_no_training_image(digits: str):
    a, b = discogan.domains(discogan.Recipe(data=digits, change="turned"), "train")
    assert len(a) == len(b)
    originals = {image.tobytes() for image in a.images}
    assert not originals & {np.rot90(image, -1, axes=(0, 1)).tobytes() for image in b.images}


def test_domains_of_different_size_are_refused_before_the_first_step(digits: str, tmp_path: Path):
    np.savez(tmp_path / "other.npz", images=np.zeros((40, 12, 12), np.uint8))
    with pytest.raises(DataError, match=r"are 28×28×1, those of other .*12×12×1; bring both to one size"):
        trained("discogan", tmp_path / "run", data=digits, other=str(tmp_path / "other.npz"), max_steps=1)


def test_a_second_data_set_is_the_other_domain(digits: str, tmp_path: Path):
    test = data.mnist("test")
    np.savez(tmp_path / "other.npz", images=255 - test.images[:100])
    run = trained("discogan", tmp_path / "run", data=digits, other=str(tmp_path / "other.npz"), max_steps=2)
    assert set(run.results) == {"cycle"}


@pytest.mark.parametrize("fields", [{"noise": 0.5}, {"mask": 0.5}, {"architecture": "convolutional"}, {"depth": 2}])
def test_the_autoencoder_gives_back_what_it_was_given(fields: dict, digits: str, tmp_path: Path):
    run = trained("autoencoder", tmp_path / "run", data=digits, max_steps=100, **fields)
    noise = run.results.get("squared_error_of_noise")
    assert (noise is None) == (not fields.keys() & {"noise", "mask"})
    losses = [value for value in run.history()["loss"] if value is not None]
    assert losses[-1] < 0.45 * losses[0]
    assert (run.path / "denoised.png").exists() == (noise is not None)


@pytest.mark.parametrize("fields", [{"noise": -1.0}, {"mask": 1.0}, {"noise": float("nan")}])
def test_noise_that_is_none(fields: dict):
    with pytest.raises(autoencoder.ArgumentError, match="use a deviation from 0 on, and a share from 0 up to 1"):
        autoencoder.Recipe(**fields)
