"""How good samples are: images that anyone could order are ordered so, and the frozen classifiers are those shipped."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from model_helpers import trained

from minigen import data, metrics
from minigen.benchmarks.metric_check import known_sets
from minigen.errors import ArgumentError, DataError
from minigen.models.adversarial import gan
from minigen.models.parts import quality, reader
from minigen.models.parts.images import Drawn, asked, closeness, neighbours
from minigen.models.parts.labels import complete
from minigen.random import generator
from minigen.training import Run, RunFolder

COUNT = 500


@pytest.fixture(scope="module", autouse=True)
def fewer() -> object:
    """Five hundred samples where there would be ten thousand, and one set where there would be three."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quality, "COUNT", COUNT)
        patch.setattr(quality, "SEEDS", 1)
        patch.setattr(quality, "NEAREST", 50)
        quality.reference.cache_clear()
        quality.learned_floor.cache_clear()
        yield
    quality.reference.cache_clear()
    quality.learned_floor.cache_clear()


def figures(draw: Callable[[int, np.random.Generator], np.ndarray]) -> dict[str, float]:
    real, _ = quality.reference("mnist")
    return quality.compared(real, reader.look("mnist", draw(COUNT, generator(0))))


def test_known_sets_are_ordered_as_a_person_would():
    sets = {
        name: figures(lambda n, rng, d=draw: d(n, rng).images) for name, draw in known_sets(data.mnist("train")).items()
    }
    fid, kid = ([one[key] for one in sets.values()] for key in ("fid", "kid"))
    assert fid[0] < 0.1 * min(fid[1:]) and kid[0] < 0.1 * min(kid[1:])
    assert max(fid) == fid[-1] and max(kid) == kid[-1]  # noise alone
    assert sets["one class only"]["classes"] == 1 and sets["one class only"]["class_entropy"] < 0.1
    assert sets["one class only"]["precision"] > 0.8 > 0.3 > sets["one class only"]["recall"]
    assert sets["training images"]["recall"] > 0.6 and sets["training images"]["coverage"] > 0.8
    assert sets["with noise of 0.3"]["precision"] < 0.1


def test_other_real_images_give_the_floor(tmp_path: Path):
    train = data.mnist("train")
    run = Run.create(tmp_path / "run", "gan", gan.Recipe(data="MNIST"))
    result = quality.quality(lambda n, rng: Drawn(*train[20_000 : 20_000 + n]), run)
    assert (run.path / "neighbours.png").exists()
    assert set(result) >= {"fid", "fid_floor", "nearest", "learned", "asked"}
    assert not any(name.endswith("_spread") for name in result)  # of a single set
    assert result["fid"] == pytest.approx(result["fid_floor"], rel=0.5)
    for name in ("precision", "recall", "coverage", "density", "class_score"):
        assert result[name] == pytest.approx(result[f"{name}_floor"], rel=0.1), name
    assert result["asked"] > 0.99 and result["learned"] > 0.7 and result["nearest"] < 1e-3  # they are training images


def test_other_data_has_no_reader(tmp_path: Path):
    run = Run.create(tmp_path / "run", "gan", gan.Recipe(data="flowers/"))
    assert quality.quality(lambda n, rng: pytest.fail("drawn"), run) == {}


def test_neighbours_are_the_nearest_of_all_images():
    train = data.mnist("train")
    places = np.array([3, 7000, 59_999])
    np.testing.assert_array_equal(neighbours(train[places][0] * 0.99, train), train[places][0])


@pytest.mark.parametrize("name", reader.READERS)
def test_the_readers_are_the_shipped_ones(name: str):
    folder, _ = reader.READERS[name]
    run = RunFolder.open(reader.SHIPPED / folder)
    assert run.data["command"].startswith("minigen train classifier")
    assert len(reader.reader(name)) == 2  # blocks and head
    assert sum((reader.SHIPPED / f / "checkpoint.safetensors").stat().st_size for f, _ in reader.READERS.values()) < 1e6


def test_the_reader_of_digits_reads_as_well_as_its_run_says():
    test = data.mnist("test")
    run = RunFolder.open(reader.SHIPPED / "classifier")
    images, labels = test[:2000]
    accuracy = metrics.accuracy(reader.look("mnist", images).labels, labels)
    assert accuracy == pytest.approx(run.results["accuracy"], abs=0.01) and run.results["accuracy"] > 0.994


def test_an_altered_reader_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "classifier"
    folder.mkdir()
    for file in (reader.SHIPPED / "classifier").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    weights = folder / "checkpoint.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    monkeypatch.setattr(reader, "SHIPPED", tmp_path)
    reader.reader.cache_clear()
    with pytest.raises(DataError, match="missing or altered; install minigen again"):
        reader.reader("mnist")
    for name in ("vae", "vq_vae", "gan", "cgan", "wgan", "pix2pix", "discogan"):  # before the first step
        with pytest.raises(DataError, match="missing or altered; install minigen again"):
            trained(name, tmp_path / name, max_steps=1)
        assert not (tmp_path / name / "metrics.csv").exists()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((3, 14, 14, 1)), r"images are \(3, 14, 14, 1\)"),
        (np.full((3, 28, 28, 1), np.nan), "not within 0 … 1"),
        (np.full((3, 28, 28, 1), 255.0), "not within 0 … 1"),
        (np.zeros((0, 28, 28, 1)), r"images are \(0, 28, 28, 1\)"),
    ],
)
def test_what_a_reader_can_not_read(images: np.ndarray, message: str):
    with pytest.raises(DataError, match=message):
        reader.look("mnist", images)


def test_a_glance_orders_samples_by_their_distance():
    test = data.mnist("test")
    at_real, at_noisy = (
        quality.glance("mnist", lambda n, level=level: np.clip(test[500 : 500 + n][0] + level * noise(n), 0, 1))
        for level in (0, 0.2)
    )
    assert abs(at_real["kid_500"]) < 0.01 < 20 * abs(at_real["kid_500"]) < at_noisy["kid_500"]
    assert at_real["fid_500"] < 0.2 * at_noisy["fid_500"]
    assert quality.glance(None, noise) == {}


def noise(n: int) -> np.ndarray:
    return generator(0).standard_normal((n, 28, 28, 1), dtype=np.float32)


def test_a_class_is_found_by_its_name_before_its_number(tmp_path: Path):
    run = Run.create(tmp_path / "run", "gan", gan.Recipe())
    run.data["classes"] = ["0", "1", "10", "2", "Shoe"]
    for wanted, place in (("2", 3), ("10", 2), ("shoe", 4), ("4", 4)):
        assert asked(wanted, 2, run, 5).tolist() == [place] * 2
    assert asked(None, 7, run, 5).tolist() == [0, 1, 2, 3, 4, 0, 1]
    with pytest.raises(ArgumentError, match=r"no such class.*10"):
        asked("7", 1, run, 5)
    run.data = {}
    assert asked("3", 1, run, 5).tolist() == [3]


def test_a_class_without_images_can_not_be_learned():
    images = data.ImageDataset(np.zeros((3, 4, 4, 1), np.float32), np.array([0, 2, 2]), ("a", "b", "c"), "mine")
    with pytest.raises(DataError, match=r"mine: 1 of 3 classes have no image to learn from \(b\)"):
        complete(images)


def test_where_held_out_images_are_copies_nothing_is_said_of_copies():
    images = data.ImageDataset(np.zeros((3, 4, 4, 1), np.float32), None, (), "mine")
    assert closeness(np.ones((2, 4, 4, 1), np.float32), images.images, images) == {}
