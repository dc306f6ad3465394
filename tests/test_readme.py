"""The Python of README.md runs, from first line to last, as one program in a folder with the run that it names."""

import re
from pathlib import Path

import pytest

from minigen import cli

README = Path(__file__).resolve().parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)


def test_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", "classifier", "--max-steps", "2", "--out", "runs/classifier-1"]) == 0
    exec("\n".join(BLOCKS), {"__name__": "readme"})
