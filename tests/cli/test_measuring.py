"""What is measured after a training, when, and how one asks for it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minigen as mg
from minigen.cli import main
from minigen.training import RunFolder


@pytest.fixture
def three(tmp_path: Path) -> str:
    """Three classes, few images."""
    images = mg.data.mnist("train")
    labels = np.asarray(images.labels)
    rows = np.flatnonzero(labels < 3)[:60]
    path = tmp_path / "three.npz"
    np.savez(path, images=images.images[rows], labels=labels[rows])
    return str(path)


@pytest.fixture
def run(three: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> Path:
    folder = tmp_path / "run"
    flags = "--conditional --hidden 8 --latent 2 --epochs 1 --no-eval --out"
    assert main(["train", "vae", "--data", three, *flags.split(), str(folder)]) == 0
    assert "measured" not in capsys.readouterr().out
    return folder


def test_a_run_that_was_not_measured_says_so_and_is_measured_later(run: Path, capsys: pytest.CaptureFixture):
    assert RunFolder.open(run).trained and not RunFolder.open(run).results
    assert main(["list", str(run)]) == 0
    assert "not measured" in capsys.readouterr().out
    assert main(["train", "--resume", str(run), "--epochs", "2"]) == 0
    out = capsys.readouterr().out
    assert out.index("now it is measured") < out.index("measured in") and RunFolder.open(run).results


def test_what_can_be_asked_of_an_evaluation_is_in_its_help(run: Path, capsys: pytest.CaptureFixture):
    for argv in (["eval", "--help"], ["eval", str(run), "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(argv)
        assert ended.value.code == 0
        assert ("--samples" in capsys.readouterr().out) == (len(argv) == 3)


def test_a_sheet_has_a_column_for_each_class(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    sizes = []
    for flags in (["-n", "6"], ["-n", "6", "--class", "1"]):
        picture = tmp_path / "sheet.png"
        assert main(["sample", str(run), *flags, "-o", str(picture)]) == 0
        with Image.open(picture) as sheet:
            sizes.append(sheet.size)
    assert sizes[0][0] > sizes[0][1] and sizes[0][0] == pytest.approx(1.5 * sizes[0][1], rel=0.2)  # three columns
    capsys.readouterr()
    assert main(["sample", "gan"]) == 1
    assert "no weights of gan come with minigen" in capsys.readouterr().err
