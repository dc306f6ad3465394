"""`minigen list` and `minigen compare`: run folders beside each other, damaged ones too."""

from pathlib import Path

import pytest
from cli_helpers import contents

from minigen import cli
from minigen.catalog import shipped


def test_the_runs_in_a_folder_are_listed(folders: Path, capsys: pytest.CaptureFixture):
    for name in ("toy-2", "toy-10"):
        assert cli.main(["train", "toy", "--out", f"runs/{name}"]) == 0
    Path("runs/notes").mkdir()
    capsys.readouterr()
    assert cli.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["run", "toy-2", "toy-10"]
    assert lines[1].split()[1:3] == ["toy", "20"] and lines[1].endswith("count 20")
    Path("spoken/run.json").write_text("{")
    before = contents(folders)
    assert cli.main(["list", "."]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert set(lines) == {"run", "done", "silent", "spoken", "damaged", "cut", "fresh"}
    assert "recipe.json is damaged" in lines["damaged"] and "not finished" in lines["spoken"]
    assert contents(folders) == before
    assert cli.main(["list", "full"]) == 0
    assert capsys.readouterr() == (
        "no runs in full\n",
        f"with minigen come {', '.join(shipped())}; they go by these names\n",
    )
    for text in (
        '{"step": 1e999, "seconds": 1, "results": {}}',
        '{"step": 1, "seconds": NaN, "results": {}}',
        "[" * 10_000,
    ):
        Path("spoken/run.json").write_text(text)
        assert cli.main(["list", "."]) == 0
        assert "0.0 s" in capsys.readouterr().out
    assert cli.main(["list", "done"]) == 0  # a run folder itself
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["run", "done"]


def test_runs_are_compared(capsys: pytest.CaptureFixture):
    cli.main(["train", "toy", "--out", "one", "--lr", "0.25"])
    cli.main(["train", "talker", "--out", "two", "--epochs", "1"])
    capsys.readouterr()
    assert cli.main(["compare", "one", "two", "-o", "both.png"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[:3] == [["one", "two"], ["model", "toy", "talker"], ["steps", "20", "10"]] and lines[3][0] == "time"
    assert lines[4:] == [
        *(["--epochs", "2", "1"], ["--lr", "0.25", "0.5"], ["--text", "–", "shakespeare"]),
        *(["count", "20", "10"], ["both.png"]),
    ]
    assert Path("both.png").read_bytes().startswith(b"\x89PNG") and not Path("compare.png").exists()
