"""Runs that come with minigen: sampled, measured and loaded by their names, and never written into."""

from pathlib import Path

import numpy as np
import pytest

import minigen as mg
from minigen import catalog, data
from minigen.benchmarks.ship import ship
from minigen.cli import main
from minigen.errors import DataError
from minigen.models.adversarial import gan
from minigen.training import Run, RunFolder


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gan of a few digits, with averaged weights, shipped; and the current folder another one."""
    test = data.mnist("test")
    np.savez(tmp_path / "digits.npz", images=test.images[:200, ::2, ::2], labels=np.asarray(test.labels)[:200])
    recipe = gan.Recipe(data=str(tmp_path / "digits.npz"), max_steps=2, ema=0.5)
    run = Run.create(tmp_path / "run", "gan", recipe)
    with pytest.raises(DataError, match="without results"):
        ship(run, tmp_path / "package" / "toy")
    gan.train(recipe, run)
    run.finish(**gan.evaluate(run))
    with pytest.raises(DataError, match="shipped are at most 10"):
        monkeypatch.setattr("minigen.benchmarks.ship.LARGEST", 10)
        ship(run, tmp_path / "package" / "toy")
    monkeypatch.setattr("minigen.benchmarks.ship.LARGEST", 10_000_000)
    (tmp_path / "package").mkdir()
    ship(run, tmp_path / "package" / "toy")
    monkeypatch.setattr(catalog, "SHIPPED", tmp_path / "package")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "package" / "toy"


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_shipped_run_is_sampled_and_measured_by_its_name(shipped: Path, capsys: pytest.CaptureFixture):
    before = content(shipped)
    assert main(["sample", "toy", "-n", "4"]) == 0
    out, err = capsys.readouterr()
    assert out == "toy.png\n" and Path("toy.png").is_file()
    assert "using the weights that come with minigen, made by: minigen train gan" in err
    assert main(["eval", "toy"]) == 0
    assert "pixel_mean_error" in capsys.readouterr().out
    assert Path("runs/shipped-toy/evaluation.json").is_file() and content(shipped) == before


def test_the_averaged_weights_are_shipped(shipped: Path):
    run = RunFolder.open(shipped.parent.parent / "run")
    for name, array in gan.load(run).state_dict().items():
        np.testing.assert_array_equal(mg.load("toy").state_dict()[name], array)


def test_a_folder_of_that_name_comes_first(shipped: Path, capsys: pytest.CaptureFixture):
    Path("toy").mkdir()
    assert main(["sample", "toy"]) == 1
    assert "toy is not a run folder" in capsys.readouterr().err


def test_a_name_that_is_not_enough_is_answered_by_the_one_that_is(shipped: Path, capsys: pytest.CaptureFixture):
    Path("toy").mkdir()
    assert main(["sample", "shipped:toy", "-n", "4"]) == 0
    Run.create("runs/other-1", "gan", gan.Recipe())
    assert main(["compare", "shipped:toy", "runs/other-1", "-o", "both.png"]) == 0
    for command in ("sample", "eval", "export", "view"):
        assert main([command, "other-1"]) == 1
        assert "there is no run folder other-1 here; did you mean runs/other-1?" in capsys.readouterr().err


def test_the_shipped_classifier_reads(capsys: pytest.CaptureFixture):
    model = mg.load("classifier")
    images, labels = data.mnist("test")[:100]
    with mg.no_grad():
        assert (model(mg.tensor(model.preprocessing(images))).numpy().argmax(1) == labels).mean() > 0.97
