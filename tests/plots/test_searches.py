"""Pictures of searches: a dot a trial, the best one of another colour, and marks where they belong."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minigen import plots
from minigen.errors import DataError
from minigen.plots.canvas import COLORS


def seen(path: Path, color: str) -> np.ndarray:
    """Where the picture has a colour, or one that lets a little white through, as dots do."""
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return np.minimum(np.abs(picture - rgb).max(-1), np.abs(picture - (0.8 * rgb + 51)).max(-1)) < 8


def test_trials_are_dots_and_importances_bars(tmp_path: Path):
    values = {"lr": [1e-3, 1e-2, 1e-4], "kind": ["a", "b", "a"]}
    plots.save_search(tmp_path / "a.png", "loss", [1.0, 2.0, 3.0], values, {"lr": 0.9, "kind": 0.1}, {"lr"}, "title")
    first, best = (seen(tmp_path / "a.png", color) for color in COLORS[:2])
    thirds = np.array_split(np.arange(first.shape[1]), 3)
    assert [first[:, third].sum() > 1000 for third in thirds] == [True, False, False]  # the bars
    assert [bool(best[:, third].any()) for third in thirds] == [False, True, True]
    middle, lr = first.shape[0] / 2, np.argwhere(best[:, thirds[1]])
    assert lr[:, 0].mean() > middle  # the best, which is small, lies low


def test_marks_stand_over_their_rates(tmp_path: Path):
    rates = np.geomspace(1e-6, 1, 50)
    losses = list(5 - np.arange(50) / 10)
    plots.save_rates(tmp_path / "a.png", list(rates), losses, losses, {"here": 1e-3, "there": 1e-1})
    here, there = (np.argwhere(seen(tmp_path / "a.png", color))[:, 1] for color in COLORS[1:3])
    assert np.median(here) < np.median(there)


def test_nothing_to_draw_is_told(tmp_path: Path):
    with pytest.raises(DataError, match="expected 0 values"):
        plots.save_search(tmp_path / "a.png", "loss", [], {"lr": []}, {})
    with pytest.raises(DataError, match="expected 2 values"):
        plots.save_search(tmp_path / "a.png", "loss", [1.0, 2.0], {"lr": [0.1]}, {})
    with pytest.raises(DataError, match="2 rates for 1 losses"):
        plots.save_rates(tmp_path / "a.png", [1.0, 2.0], [1.0], [1.0], {})
