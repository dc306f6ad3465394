"""Charts: they are drawn, they show what they should, and refuse what they cannot show."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minigen import plots
from minigen.errors import ArgumentError, DataError, ShapeError
from minigen.plots.charts import confusion_colors, group_columns, smooth
from minigen.plots.latent import principal_plane


def drawn(path: Path) -> bool:
    """Whether a picture of some size, with something in it, is at `path`."""
    picture = np.asarray(Image.open(path).convert("L"))
    return min(picture.shape) > 200 and picture.std() > 3


@pytest.mark.parametrize(
    "history",
    [
        {"step": [1], "loss": [2.0]},
        {"step": [1, 2], "loss": [2.0, None], "test_accuracy": [None, 0.5]},
        {"step": list(range(90)), "loss": [1.0] * 50 + [float("nan")] * 40, "d_loss": [float("inf")] * 90},
        {"step": [0, 1, 2], "loss": [float("nan")] * 3},
        {"step": list(range(500)), "loss": [1e9, *np.linspace(2, 1, 499)], "lr": [1e-3] * 500},
        {"step": [5, 5], "epoch": [1, 1], **{f"q{i}": [1.0, 2.0] for i in range(7)}},
    ],
    ids=["one row", "gaps", "nan", "only nan", "spike", "many"],
)
def test_curves(tmp_path: Path, history: dict[str, list]) -> None:
    plots.save_curves(tmp_path / "c.png", history, title="gan")
    assert drawn(tmp_path / "c.png")


@pytest.mark.parametrize(
    "history", [{}, {"step": []}, {"step": [1], "epoch": [1]}, {"step": [1], "loss": [None]}, {"step": [1], "loss": []}]
)
def test_nothing_to_draw(tmp_path: Path, history: dict[str, list]) -> None:
    with pytest.raises(DataError, match="save_curves"):
        plots.save_curves(tmp_path / "c.png", history)
    assert not list(tmp_path.iterdir())


def test_measured_times(tmp_path: Path) -> None:
    plots.save_times(tmp_path / "t.png", ["a", "b"], {"own": [0.1, 2.0], "other": [0.2, None]}, "steps")
    plots.save_scaling(tmp_path / "s.png", {"a": ([16, 32], [1.0, 0.9]), "b": ([16], [2.0])}, "cost", "batch", "ms")
    plots.save_ratios(tmp_path / "r.png", {"x": {"a": [0.5, 2.0], "b": []}, "y": {"a": [], "b": [1.0]}}, "ratios", "×")
    assert all(drawn(tmp_path / name) for name in ("t.png", "s.png", "r.png"))


@pytest.mark.parametrize("values", [{}, {"own": [1.0]}, {"own": [1.0, None]}, {"own": [1.0, 0.0], "other": [1.0, 1.0]}])
def test_times_that_cannot_be_compared(tmp_path: Path, values: dict[str, list]) -> None:
    with pytest.raises(DataError, match="save_times"):
        plots.save_times(tmp_path / "t.png", ["a", "b"], values)
    with pytest.raises(DataError, match="save_scaling"):
        plots.save_scaling(tmp_path / "s.png", {"a": ([1, 2], [1.0])})
    for ratios in ({}, {"x": {"a": []}}, {"x": {"a": [0.0]}}):
        with pytest.raises(DataError, match="save_ratios"):
            plots.save_ratios(tmp_path / "r.png", ratios)


def test_quantities_of_a_kind_share_a_panel() -> None:
    columns = ["epoch", "d_loss", "kl", "g_loss", "test_accuracy", "unused"]
    history: dict[str, list] = {"step": [1]} | {name: [1.0] for name in columns} | {"unused": [None]}
    assert group_columns(history) == {"loss": ["d_loss", "g_loss"], "kl": ["kl"], "test_accuracy": ["test_accuracy"]}
    game: dict[str, list] = {"step": [1]} | {name: [1.0] for name in ("d_real", "d_fake", "d_loss", "g_loss", "kl")}
    assert group_columns(game) == {"d_real, d_fake": ["d_real", "d_fake"], "loss": ["d_loss", "g_loss"], "kl": ["kl"]}
    apart = ["fid_500", "kid_500", "kl", "kl_weight", "test_bits", "test_kid", "overlap_3", "overlap_4"]
    numbered = group_columns({"step": [1]} | {name: [1.0] for name in apart})
    assert numbered == {name: [name] for name in ("fid_500", "kl", "kl_weight", "test_bits")} | {
        "kid": ["kid_500", "test_kid"],
        "overlap": ["overlap_3", "overlap_4"],
    }


def test_smoothing_keeps_constants_lines_and_gaps() -> None:
    np.testing.assert_allclose(smooth(np.full(50, 3.0), 4), 3.0)
    np.testing.assert_allclose(smooth(np.arange(50.0), 4)[8:-8], np.arange(50.0)[8:-8])
    values = np.where(np.arange(50) % 7 == 0, np.nan, 2.0)
    np.testing.assert_allclose(smooth(values, 4), values)
    noise = np.random.default_rng(0).standard_normal(400)
    assert smooth(noise, 10).std() < 0.4 * noise.std()


@pytest.mark.parametrize("classes", [None, ["trouser", "bag", "coat"]])
def test_confusion(tmp_path: Path, classes: list[str] | None) -> None:
    plots.save_confusion(tmp_path / "m.png", np.array([[90, 10, 0], [0, 0, 0], [1, 2, 97]]), classes)
    assert drawn(tmp_path / "m.png")


def test_confusion_colours_errors_apart() -> None:
    colors = confusion_colors(np.array([[98, 2, 0], [0, 100, 0], [0, 1, 99]]))
    assert (colors[0, 2] == 1).all() and colors[1, 1, 2] > colors[1, 1, 0]  # no error white, diagonal blue
    assert colors[0, 1, 0] > colors[0, 1, 2] and (colors[2, 1] >= colors[0, 1]).all()  # errors orange, worse is darker


@pytest.mark.parametrize(
    ("matrix", "classes", "error"),
    [
        (np.zeros((2, 3)), None, ShapeError),
        (np.zeros((0, 0)), None, ShapeError),
        (np.eye(3), ["a", "b"], ShapeError),
        (np.zeros((2, 2)), None, DataError),
        (-np.eye(2), None, DataError),
        (np.full((2, 2), np.nan), None, DataError),
    ],
)
def test_bad_confusion(tmp_path: Path, matrix: np.ndarray, classes: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="save_confusion"):
        plots.save_confusion(tmp_path / "m.png", matrix, classes)


def shades(z: np.ndarray) -> np.ndarray:
    return np.broadcast_to((np.tanh(z.sum(1)) / 2 + 0.5)[:, None, None, None], (len(z), 4, 4, 1))


def test_latent_map(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    z, labels = rng.standard_normal((300, 2)), rng.integers(0, 12, 300)
    plots.save_latent_map(tmp_path / "a.png", z, labels, decode=shades, side=5)
    plots.save_latent_map(tmp_path / "b.png", z, labels, [f"class {i}" for i in range(12)])
    plots.save_latent_map(tmp_path / "c.png", rng.standard_normal((300, 20)))
    plots.save_latent_map(tmp_path / "d.png", np.zeros((1, 5)))
    assert all(drawn(path) for path in tmp_path.iterdir())


def test_principal_plane_is_the_widest() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((500, 6)) * [0.1, 5, 0.1, 0.1, 2, 0.1]
    flat, names = principal_plane(z)
    assert abs(np.corrcoef(flat[:, 0], z[:, 1])[0, 1]) > 0.99 and abs(np.corrcoef(flat[:, 1], z[:, 4])[0, 1]) > 0.99
    assert names[0].startswith("principal axis 1 (8")


@pytest.mark.parametrize(
    ("z", "options", "error", "word"),
    [
        (np.zeros((5, 1)), {}, ShapeError, "D ≥ 2"),
        (np.zeros((0, 2)), {}, ShapeError, "at least one"),
        (np.full((2, 2), np.nan), {}, DataError, "diverged"),
        (np.zeros((2, 2)), {"labels": [1]}, ShapeError, "labels"),
        (np.zeros((2, 2)), {"labels": [0, 3], "classes": ["a", "b"]}, ShapeError, "class names"),
        (np.zeros((2, 2)), {"labels": [0.0, 1.0]}, ShapeError, "labels"),
        (np.zeros((2, 3)), {"decode": shades}, ArgumentError, "latent of 2"),
        (np.zeros((2, 2)), {"decode": lambda z: shades(z)[:3]}, ShapeError, "decode gave"),
    ],
)
def test_bad_latent(tmp_path: Path, z: np.ndarray, options: dict[str, Any], error: type[Exception], word: str) -> None:
    with pytest.raises(error, match=word):
        plots.save_latent_map(tmp_path / "l.png", z, **options)


def test_drawing_leaves_no_global_state(tmp_path: Path) -> None:
    code = (
        "import sys; from minigen import plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        f"plots.save_curves({str(tmp_path / 'c.png')!r}, {{'step': [1, 2], 'loss': [2.0, 1.0]}})\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
