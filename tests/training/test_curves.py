"""The curves of a run that is being trained: drawn now and then, for a share of the time."""

from itertools import pairwise
from pathlib import Path

import pytest

from minigen import plots
from minigen.training.curves import Curves


def test_drawing_takes_its_share_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    now, drawn = [0.0], []

    def draw(path: Path, history: dict[str, list], title: str) -> None:
        now[0] += 0.2
        drawn.append(now[0])

    monkeypatch.setattr(plots, "save_curves", draw)
    curves = Curves(tmp_path / "curves.png", "walk", lambda: now[0])
    while now[0] < 200:
        now[0] += 1
        curves.refresh(lambda: {"step": [1], "loss": [1.0]})
    assert 7 <= len(drawn) <= 8 and drawn[0] > 50
    assert all(later - earlier >= 20 for earlier, later in pairwise(drawn))
    before = len(drawn)
    curves.draw({"step": [1], "loss": [1.0]})
    assert len(drawn) == before + 1
    curves.draw({})
    curves.draw({"step": [1]})
    assert len(drawn) == before + 1
