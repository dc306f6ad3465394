"""Tunes on staves: notes stand where they belong, staves end with bars, equal tunes give equal bytes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minigen import plots
from minigen.errors import DataError
from minigen.plots import score
from minigen.plots.canvas import new_figure

NOTES = [(60, 24), (61, 12), (None, 12), (81, 36), (None, 48), (40, 6), (71, 96), (None, 96), (72, 48)]


def test_scores_are_drawn(tmp_path: Path):
    tunes = [plots.Score("One", (3, 4), 24, NOTES * 8), plots.Score("Two", (6, 8), 0, NOTES[:2])]
    for name in ("a.png", "b.png"):
        plots.save_score(tmp_path / name, tunes)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert np.asarray(Image.open(tmp_path / "a.png").convert("L")).std() > 10
    with pytest.raises(DataError, match="no notes"):
        plots.save_score(tmp_path / "c.png", [plots.Score("Empty", (4, 4), 0, [])])


def test_staves_hold_all_notes_and_begin_with_bars():
    tune = plots.Score("Long", (3, 4), 24, [(60 + i % 12, 24) for i in range(100)])
    staves = list(score.split(tune))
    assert [note for staff in staves for note in staff] == [(24 * (i + 1), 60 + i % 12, 24) for i in range(100)]
    assert len(staves) > 2 and all(staff[0][0] % 72 == 0 for staff in staves[1:])


@pytest.mark.parametrize(("pitch", "line"), [(71, 0), (64, -4), (77, 4), (60, -6), (61, -6), (81, 6), (84, 8)])
def test_heads_stand_on_their_lines(pitch: int, line: int):
    axes = new_figure(2, 2).add_subplot()
    score.draw_note(axes, 10, pitch, 24)
    (head,) = axes.patches
    assert head.get_center() == (10, line)  # pyright: ignore[reportAttributeAccessIssue]
    assert [text.get_text() for text in axes.texts] == (["♯"] if pitch == 61 else [])


@pytest.mark.parametrize(("ticks", "count", "dotted"), [(24, 0, 0), (12, 1, 0), (6, 2, 0), (36, 0, 1), (18, 1, 1)])
def test_flags_and_dots(ticks: int, count: int, dotted: bool):
    assert (score.flags(ticks), score.is_dotted(ticks)) == (count, dotted)
