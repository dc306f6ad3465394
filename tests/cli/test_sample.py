"""`minigen sample`: pictures, text, and flags out of what a model can be asked for."""

import sys
from pathlib import Path

import pytest

from minigen import cli


def test_sample_writes_a_picture_of_n_images():
    cli.main(["train", "toy", "--out", "here"])
    assert cli.main(["sample", "here", "-n", "9", "-o", "nine.png"]) == 0
    assert Path("nine.png").read_bytes().startswith(b"\x89PNG")
    assert cli.main(["sample", "here"]) == 0
    assert Path("here/grid.png").exists()


def test_flags_may_come_before_the_folder():
    cli.main(["train", "toy", "--out", "here"])
    assert cli.main(["sample", "-n", "4", "-o", "four.png", "--seed", "0", "here"]) == 0
    assert cli.main(["sample", "here", "-n", "4", "-o", "same.png"]) == 0
    assert Path("four.png").read_bytes() == Path("same.png").read_bytes()


def test_sample_writes_text_as_it_comes(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    cli.main(["train", "talker", "--out", "here"])
    capsys.readouterr()
    flushed = []
    monkeypatch.setattr(sys.stdout, "flush", lambda: flushed.append(True))
    argv = ["sample", "here", "--prompt", "ROMEO:", "-n", "2", "--seed", "1", "-o", "text.txt"]
    assert cli.main([*argv, "--temperature", "0", "--top-k", "3", "--top-p", "0.9"]) == 0
    assert len(flushed) >= 3
    out = capsys.readouterr().out
    assert out == "ROMEO: 0 3 0.9 4 0 3 0.9 5\n"
    assert Path("text.txt").read_text() == out
    assert cli.main(["sample", "here"]) == 0
    assert capsys.readouterr().out.startswith(" 1 None None ")
    assert cli.main([*argv[:6], "--seed", "2"]) == 0
    assert capsys.readouterr().out != out


def test_what_a_model_can_be_asked_for_is_said_by_its_file(capsys: pytest.CaptureFixture):
    cli.main(["train", "picky", "--out", "here"])
    capsys.readouterr()
    with pytest.raises(SystemExit):
        cli.main(["sample", "here", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    for text in ("-n N images (default: 4)", "--class N the digit to draw; 50 % grey without (default: none)"):
        assert text in out
    assert "--prompt" not in out
    assert cli.main(["sample", "here", "--class", "3"]) == 0
    picture = Path("here/grid.png").read_bytes()
    assert cli.main(["sample", "here"]) == 0
    assert Path("here/grid.png").read_bytes() != picture
    assert cli.main(["sample", "here", "--class", "three"]) == 2
    assert cli.main(["sample", "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "picky -n --class" in out and "talker --temperature --top-k --top-p --prompt -n" in out and "mute" not in out
