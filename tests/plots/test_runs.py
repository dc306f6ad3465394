"""The curves of several runs on one picture: a panel a quantity, a colour a run."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minigen import plots
from minigen.errors import DataError
from minigen.plots.canvas import COLORS

FALLING = {"step": [1, 2, 3], "loss": [3.0, 2.0, 1.0], "test_loss": [None, None, 2.0]}
RISING = {"step": [10, 20], "loss": [1.0, 5.0], "accuracy": [0.1, 0.9]}


def pixels_of(path: Path, color: str) -> np.ndarray:
    """Where the picture has a colour."""
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return np.abs(picture - rgb).max(axis=-1) < 8


def test_each_run_has_its_colour_in_each_panel_that_it_has(tmp_path: Path):
    plots.save_runs(tmp_path / "both.png", {"a": FALLING, "b": RISING}, "two runs")
    first, second = (pixels_of(tmp_path / "both.png", color) for color in COLORS[:2])
    height, width = first.shape
    panels = [(slice(0, height // 2), slice(0, width // 2)), (slice(0, height // 2), slice(width // 2, None))]
    panels.append((slice(height // 2, None), slice(0, width // 2)))
    assert [first[panel].any() for panel in panels] == [True, True, False]  # loss, test loss, accuracy
    assert [second[panel].any() for panel in panels] == [True, False, True]


def test_equal_runs_give_equal_pictures(tmp_path: Path):
    for name in ("a", "b"):
        plots.save_runs(tmp_path / name, {"x": FALLING, "y": RISING})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_run_that_has_logged_nothing_leaves_its_place_empty(tmp_path: Path):
    plots.save_runs(tmp_path / "one.png", {"new": {}, "a": FALLING})
    assert pixels_of(tmp_path / "one.png", COLORS[1]).any() and not pixels_of(tmp_path / "one.png", COLORS[0]).any()


def test_nothing_to_draw_is_told(tmp_path: Path):
    with pytest.raises(DataError, match="none of the runs"):
        plots.save_runs(tmp_path / "none.png", {"a": {}, "b": {"step": [1], "loss": [None]}})
