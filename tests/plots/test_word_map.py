"""The map of words: it is drawn, labels do not cover each other, and bad input is refused."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from minigen import plots
from minigen.errors import DataError, ShapeError
from minigen.plots.canvas import new_figure
from minigen.plots.words import write_labels
from minigen.random import generator


def test_the_map_is_drawn(tmp_path: Path):
    vectors = generator(0).standard_normal((80, 10))
    plots.save_word_map(tmp_path / "a.png", vectors, [f"word{i}" for i in range(80)])
    plots.save_word_map(tmp_path / "b.png", vectors, [f"word{i}" for i in range(80)])
    plots.save_word_map(tmp_path / "c.png", vectors[:1], ["alone"])
    assert np.asarray(Image.open(tmp_path / "a.png").convert("L")).std() > 3
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("crowded", [False, True])
def test_labels_lie_apart_and_inside(crowded: bool):
    figure = new_figure(6, 5)
    axes = figure.add_subplot()
    points = generator(0).standard_normal((60, 2)) * (0.05 if crowded else 1)
    axes.scatter(*points.T)
    axes.set(xlim=(-3, 3), ylim=(-3, 3))
    write_labels(figure, axes, points, ["shakespeare"] * 60)
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [label.get_window_extent(renderer) for label in axes.texts]
    frame = axes.get_window_extent(renderer)
    assert 2 <= len(boxes) <= 10 if crowded else len(boxes) >= 25
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 for box in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize(
    ("vectors", "words", "error"),
    [
        (np.zeros((2, 1)), ["a", "b"], ShapeError),
        (np.zeros((2, 3)), ["a"], ShapeError),
        (np.zeros((0, 3)), [], ShapeError),
        (np.full((1, 3), np.nan), ["a"], DataError),
    ],
)
def test_bad_maps(vectors: np.ndarray, words: list[str], error: type[Exception], tmp_path: Path):
    with pytest.raises(error, match="save_word_map"):
        plots.save_word_map(tmp_path / "m.png", vectors, words)
    assert not list(tmp_path.iterdir())
