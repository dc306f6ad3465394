"""Few images, changed and generated: each classifier depends on its place alone, and changes help."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen.cli import main
from minigen.cli.train import train_and_evaluate
from minigen.data import ArrayDataset, mnist
from minigen.errors import ArgumentError, DataError
from minigen.models.applications import augment
from minigen.random import generator
from minigen.training import Run, RunFolder

FIELDS: dict[str, Any] = {"counts": "10,20", "repeats": 1, "updates": 4, "samples": 20}


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A hundred small digits."""
    path, images = tmp_path_factory.mktemp("data") / "few.npz", mnist("test")
    np.savez(path, images=images.images[:300, 2:26:2, 2:26:2], labels=np.asarray(images.labels)[:300])
    return str(path)


def trained(folder: Path, **fields: Any) -> Run:
    run = Run.create(folder, "augment", recipe := augment.Recipe(**{**FIELDS, **fields}))
    train_and_evaluate(augment, recipe, run)
    return run


def test_classifiers_depend_on_their_place_alone(few: str, tmp_path: Path):
    whole = trained(tmp_path / "whole", data=few)
    trained(tmp_path / "halves", data=few, max_steps=3)
    assert main(["train", "--resume", str(tmp_path / "halves"), "--max-steps", "8"]) == 0
    halves = RunFolder.open(tmp_path / "halves")
    assert halves.checkpoint_path.read_bytes()[-1000:] == whole.checkpoint_path.read_bytes()[-1000:]
    assert halves.results == whole.results and whole.results["classifiers"] == 8
    assert set(whole.results) == {f"{kind}_{n}" for kind in augment.KINDS for n in (10, 20)} | {"classifiers"}
    assert (whole.path / "accuracy.png").is_file()
    model = mg.load(halves.path)
    assert model(mg.tensor(model.preprocessing(np.zeros((12, 12), np.uint8)))).shape == (1, 10)


def test_known_images_are_the_same_for_all_kinds_and_of_each_class():
    labels = np.arange(100) % 10
    rows = augment.chosen(labels, 23, 10, np.random.default_rng(0))
    assert sorted(np.bincount(labels[rows]).tolist()) == [2] * 7 + [3] * 3 and len(set(rows)) == 23
    with pytest.raises(DataError, match="class 0 has 10 images, fewer than 20"):
        augment.chosen(labels, 200, 10, np.random.default_rng(0))


def test_what_is_generated_is_of_its_class():
    images = mnist("train")
    rows = np.flatnonzero(np.asarray(images.labels) < 2)[:60]
    x, y = images[rows]
    samples, labels = augment.generated(x, y, 2, augment.Recipe(updates=300, samples=40), generator(0))
    assert samples.shape == (40, 28, 28, 1) and labels.tolist() == [0, 1] * 20
    means = [x[y == label].mean(0) for label in (0, 1)]
    nearest = [np.argmin([np.abs(sample - mean).sum() for mean in means]) for sample in samples]
    assert np.mean(nearest == labels) > 0.85


def test_changes_help(tmp_path: Path):
    images, recipe = mnist("train"), augment.Recipe(updates=150)
    test: Any = ArrayDataset(*mnist("test")[:1000])
    alone, changed = (augment.judged(model(), images, test, recipe, 100, 0, kind) for kind in (0, 1))
    assert changed > alone + 0.02 and alone > 0.6


def model() -> mg.layers.Sequential:
    return augment.small_classifier((28, 28, 1), 10, generator(0))


def test_bad_recipes_are_refused(few: str, tmp_path: Path):
    bad: list[dict[str, Any]] = [{"counts": "10,x"}, {"counts": "0"}, {"repeats": 0}, {"lr": -1.0}]
    for fields in bad:
        with pytest.raises(ArgumentError):
            augment.Recipe(**fields)
    with pytest.raises(DataError, match="use smaller --counts"):
        trained(tmp_path / "run", data=few, counts="1000")
