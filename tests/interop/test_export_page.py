"""docs/export.md: its lines run, and its table names every model and part that `minigen export` has."""

import re
from pathlib import Path

import numpy as np
import pytest

from minigen.cli import main
from minigen.cli.export import MODELS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "export.md").read_text()


def test_the_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (command,) = re.findall(r"```\nminigen (.*)\n```", PAGE)
    assert main(command.split()) == 0
    (lines,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    named: dict[str, np.ndarray] = {}
    exec(lines, named)
    assert named["logits"].shape == (5, 10)


def test_the_table_names_all_models():
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| ")]
    assert set(re.findall(r"`(\w+)`", "".join(rows))) == set(MODELS)
