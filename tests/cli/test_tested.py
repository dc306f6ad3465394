"""`minigen eval` on data that are not those of the training's end."""

from pathlib import Path

import numpy as np
import pytest

from minigen import cli


def own_images(path: Path, value: int) -> None:
    np.savez(path, images=np.full((20, 8, 8), value, np.uint8))


def test_data_that_were_replaced_are_told(workplace: Path, capsys: pytest.CaptureFixture):
    own_images(workplace / "own.npz", 7)
    (workplace / "own.txt").write_text("to be\n" * 50)
    assert cli.main(["train", "toy", "--data", "own.npz", "--out", "images"]) == 0
    assert cli.main(["train", "talker", "--text", "own.txt", "--out", "text"]) == 0
    for changed in (False, True):
        for run in ("images", "text"):
            capsys.readouterr()
            assert cli.main(["eval", run]) == 0
            said = capsys.readouterr()
            assert ("not the data that the run was measured on" in said.err) == changed
            assert said.out.startswith("count 20\n")
        own_images(workplace / "own.npz", 8)
        (workplace / "own.txt").write_text("or not\n" * 50)


def test_fields_that_mean_something_else_are_no_data(workplace: Path, capsys: pytest.CaptureFixture):
    assert cli.main(["train", "talker", "--text", "no file", "--out", "here"]) == 0
    capsys.readouterr()
    assert cli.main(["eval", "here"]) == 0
    assert capsys.readouterr().err == ""
