"""Every test of the command line works in an empty folder, with toy models beside the real ones."""

import sys
from pathlib import Path

import pytest
from cli_helpers import PICKY, TALKS, TEXT_FIELD, TOY

from minigen import cli, models
from minigen.config import config


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and the models `toy`, `mute` (draws no samples), `picky` and `talker` in a room."""
    room = tmp_path / "extra" / "toys"
    room.mkdir(parents=True)
    mute = TOY.replace("def sample(", "def _sample(")
    (room / "__init__.py").write_text('"""Toys."""')
    (room / "toy.py").write_text(TOY)
    (room / "mute.py").write_text(mute.replace(PICKY[0], ""))
    (room / "talker.py").write_text(mute.replace(*TEXT_FIELD) + TALKS)
    (room / "picky.py").write_text(TOY.replace(*PICKY))
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path / "extra")])
    for name in [name for name in sys.modules if name.startswith("minigen.models.toys")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(models, "toys", raising=False)
    monkeypatch.setattr(config, "debug", False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def folders(workplace: Path) -> Path:
    """done: a finished run; silent: one without samples; spoken: of text; damaged, cut, fresh, full: as named."""
    runs = {"done": "toy", "silent": "mute", "spoken": "talker", "damaged": "toy", "cut": "toy", "fresh": "toy"}
    for name, model in runs.items():
        assert cli.main(["train", model, "--out", name]) == 0
    Path("damaged/recipe.json").write_text("{")
    Path("cut/checkpoint.safetensors").write_bytes(Path("cut/checkpoint.safetensors").read_bytes()[:-3])
    Path("fresh/checkpoint.safetensors").unlink()
    Path("full").mkdir()
    Path("full/file").write_text("mine")
    return workplace
