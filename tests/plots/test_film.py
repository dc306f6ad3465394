"""Films and strips of the sheets of a training."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from minigen import plots
from minigen.errors import ArgumentError
from minigen.plots.film import FRAMES, LAST, MOMENTS


def sheets(folder: Path, n: int, size: tuple[int, int] = (20, 30)) -> list[Path]:
    paths = [folder / f"step-{i:04d}.png" for i in range(n)]
    for i, path in enumerate(paths):
        Image.fromarray(np.full(size, i * 255 // n, np.uint8)).save(path)
    return paths


def frame_count(film: Image.Image) -> int:
    count = 0
    for _ in ImageSequence.Iterator(film):
        count += 1
    return count


def test_a_film_shows_the_sheets_in_order(tmp_path: Path):
    plots.save_film(tmp_path / "film.gif", sheets(tmp_path, 4))
    with Image.open(tmp_path / "film.gif") as film:
        assert (frame_count(film), film.size, film.info["loop"]) == (4, (30, 20), 0)
        shades = []
        for i in range(4):
            film.seek(i)
            shades.append(np.asarray(film.convert("L"))[0, 0])
        assert shades == pytest.approx([0, 63, 127, 191], abs=2) and film.info["duration"] == LAST


def test_of_many_sheets_some_are_chosen_the_first_and_the_last_among_them(tmp_path: Path):
    paths = sheets(tmp_path, 200)
    plots.save_film(tmp_path / "film.gif", paths)
    with Image.open(tmp_path / "film.gif") as film:
        assert frame_count(film) == FRAMES
    plots.save_strip(tmp_path / "strip.png", paths)
    with Image.open(tmp_path / "strip.png") as strip:
        assert strip.size == (3 * 30, MOMENTS // 3 * 20)  # three abreast
        row = np.asarray(strip.convert("L"))[10::20, 15::30].ravel()
    assert row[0] == 0 and row[-1] == 199 * 255 // 200 and (np.diff(row.astype(int)) > 0).all()


def test_sheets_of_another_size_are_left_out(tmp_path: Path):
    (tmp_path / "other").mkdir()
    paths = [*sheets(tmp_path / "other", 1, (8, 8)), *sheets(tmp_path, 2)]
    plots.save_film(tmp_path / "film.gif", paths)
    with Image.open(tmp_path / "film.gif") as film:
        assert frame_count(film) == 2


def test_no_sheets():
    for save in (plots.save_film, plots.save_strip):
        with pytest.raises(ArgumentError, match="no sheets"):
            save("x.gif", [])
