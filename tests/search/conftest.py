"""Every test of searches works in an empty folder, with two toy models beside the real ones."""

import os
import sys
from pathlib import Path

import pytest
from search_helpers import SLOPE, WALK

from minigen import models, plots
from minigen.config import config


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and the models `walk` and `slope`; nothing is drawn, nor forced to the disk."""
    room = tmp_path / "extra" / "toys"
    room.mkdir(parents=True)
    (room / "__init__.py").write_text('"""Toys."""')
    (room / "walk.py").write_text(WALK)
    (room / "slope.py").write_text(SLOPE)
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path / "extra")])
    for name in [name for name in sys.modules if name.startswith("minigen.models.toys")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(models, "toys", raising=False)
    monkeypatch.setattr(config, "debug", False)
    for name in ("save_curves", "save_search"):  # which take longer than all the rest
        monkeypatch.setattr(plots, name, lambda *_, **__: None)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work
