"""The command line as a whole: one clear error for every wrong input, exit codes, version, Ctrl-C."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import contents

from minigen import cli
from minigen.training.checkpoint import version


def test_info_tells_versions_and_data(capsys: pytest.CaptureFixture):
    assert cli.main(["info"]) == 0
    out = capsys.readouterr().out
    assert np.__version__ in out
    assert "60,000 + 10,000 images" in out


WRONG = [
    ("trian vae", 2, "unknown command trian; did you mean train?"),
    ("train", 2, "needs the name of a model"),
    ("train --epochs 3", 2, "needs the name of a model"),
    ("train toi", 2, "unknown model toi; did you mean toy?"),
    ("train zzz", 2, "known: "),
    ("train toy --epochz 3", 2, "unknown flag --epochz; did you mean --epochs?"),
    ("train toy --epochz=3", 2, "did you mean --epochs?"),
    ("train toy --epoch 3", 2, "did you mean --epochs?"),
    ("train toy stray", 2, "stray"),
    ("train toy --epochs", 2, "--epochs: expected one argument"),
    ("train toy --epochs 2.5", 2, "'2.5' is not a whole number"),
    ("train toy --lr fast", 2, "'fast' is not a number"),
    ("train toy --lr nan", 2, "lr is nan"),
    ("train toy --epochs 0", 2, "epochs is 0"),
    ("train toy --max-steps -1", 2, "max-steps is -1"),
    ("train toy --kind odd", 2, "invalid choice: 'odd'"),
    ("train toy --data nowhere", 1, "nowhere"),
    ("train toy --out full", 1, "full is not empty"),
    ("train toy --out full/file", 1, "is a file"),
    ("train toy --out full/file/below", 1, "part of this path is a file"),
    ("train toy --resume nowhere", 1, "no run folder nowhere"),
    ("train --resume full", 1, "not a run folder"),
    ("train mute --resume done", 1, "run of toy, not of mute"),
    ("train --resume done --out else", 2, "leave out --out"),
    ("train --resume done --lr 0.7", 2, "--lr 0.7 does not go with the run in done (0.5)"),
    ("train --resume done --epochs 1", 2, "only grow"),
    ("train --resume done --max-steps 5", 2, "does not go with the run in done (no limit: Ctrl-C stops and saves)"),
    ("train --resume done --epochs 0", 2, "epochs is 0"),
    ("train --resume damaged", 1, "recipe.json is damaged"),
    ("train --resume cut", 1, "checkpoint.safetensors is damaged"),
    ("train --resume cut --epochs 3", 1, "checkpoint.safetensors is damaged"),
    ("sample done -o grid.jpg", 2, "let the name end in .png"),
    ("sample done -o grid", 2, "let the name end in .png"),
    ("sample nowhere", 1, "no run folder nowhere"),
    ("sample done -n 0", 2, "at least 1"),
    ("sample done -n many", 2, "'many' is not a whole number"),
    ("sample done --seed -1", 2, "seed is -1"),
    ("sample done -o nowhere/grid.png", 1, "nowhere/grid.png"),
    ("sample silent", 2, "draws no samples"),
    ("sample done --prompt a --top-k 3", 2, "unknown flag --prompt"),
    ("sample done --temperature 1", 2, "unknown flag --temperature"),
    ("sample spoken -o text.png", 2, "let the name end in .txt"),
    ("sample spoken -n 0", 2, "at least 1"),
    ("sample spoken --temperature -1", 2, "temperature is -1"),
    ("sample spoken --temperature nan", 2, "temperature is nan"),
    ("sample spoken --temperature warm", 2, "'warm' is not a number"),
    ("sample spoken --top-k 0", 2, "top-k is 0"),
    ("sample spoken --top-k 1.5", 2, "'1.5' is not a whole number"),
    ("sample spoken --top-p 0", 2, "top-p is 0"),
    ("sample spoken --top-p 1.5", 2, "top-p is 1.5"),
    ("sample spoken --prompt Ω", 1, "no Ω in the corpus"),
    ("sample spoken --promt a", 2, "did you mean --prompt?"),
    ("sample spoken -n 3 -o nowhere/text.txt", 1, "nowhere/text.txt"),
    ("sample", 2, "needs a run folder"),
    ("sample -n 3", 2, "needs a run folder"),
    ("list nowhere", 2, "no folder nowhere"),
    ("list done stray", 2, "stray"),
    ("compare done", 2, "two or more different runs"),
    ("compare done done", 2, "two or more different runs"),
    ("compare done nowhere", 1, "no run folder nowhere"),
    ("compare done damaged", 1, "recipe.json is damaged"),
    ("compare done spoken -o nowhere/a.png", 1, "nowhere/a.png"),
    ("compare done spoken -o a.jpg", 2, "let the name end in .png"),
    ("sample cut", 1, "checkpoint.safetensors is damaged"),
    ("sample fresh", 1, "no checkpoint"),
    ("eval full", 1, "not a run folder"),
    ("eval done --loud", 2, "unknown flag --loud"),
    ("info --loud", 2, "unknown flag --loud"),
    ("warmup zzz", 2, "unknown model zzz"),
]


def test_wrong_input_gets_one_clear_error_and_loses_nothing(folders: Path, capsys: pytest.CaptureFixture):
    before = contents(folders)
    for line, code, fragment in WRONG:
        capsys.readouterr()
        assert cli.main(line.split()) == code, line
        error = capsys.readouterr().err
        assert error.startswith("minigen: error: "), line
        assert error.count("\n") == 1, line
        assert fragment in error, line
        assert contents(folders) == before, line


def test_version(capsys: pytest.CaptureFixture):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"minigen {version()}\n"
    done = subprocess.run([sys.executable, "-m", "minigen", "--versoin"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("minigen: error: unknown command --versoin")


def test_a_terminal_that_lacks_a_character_gets_another():
    done = subprocess.run(
        [sys.executable, "-m", "minigen", "--help"], capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}
    )
    assert (done.returncode, done.stderr) == (0, b"") and b"?" in done.stdout


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture):
    assert cli.main(["train", "toy", "--data", "nowhere", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    def interrupted(argv: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.COMMANDS, "info", interrupted)
    assert cli.main(["info"]) == 130
    assert capsys.readouterr().err == "minigen: interrupted\n"


def test_the_command_is_installed():
    command = Path(sys.executable).with_name("minigen")
    done = subprocess.run([command, "train", "toi"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("minigen: error: unknown model toi")
