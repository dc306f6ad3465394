"""Models trained in full, whose results are held to those of the README. Minutes, so only with `make slow-test`."""

from pathlib import Path

import pytest

from minigen.catalog import load_model
from minigen.cli.train import train_and_evaluate
from minigen.training import Run


def results(name: str, folder: Path, epochs: int) -> dict[str, float]:
    """The test figures of a run with the model's own recipe."""
    model = load_model(name)
    recipe = model.Recipe(epochs=epochs)
    run = Run.create(folder, name, recipe)
    train_and_evaluate(model, recipe, run)
    return run.results


@pytest.mark.slow
def test_vae_reaches_the_readmes_bound(tmp_path: Path):
    assert results("vae", tmp_path / "run", epochs=20)["negative_elbo"] <= 103.5


@pytest.mark.slow
def test_classifier_reads_the_test_digits(tmp_path: Path):
    assert results("classifier", tmp_path / "run", epochs=6)["accuracy"] >= 0.992
