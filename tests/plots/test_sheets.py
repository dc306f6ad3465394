"""Image sheets: every pixel where it belongs, and clear refusals."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minigen import plots
from minigen.errors import ArgumentError, DataError, RunError, ShapeError
from minigen.plots.sheets import GAP, PAPER


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("count", "columns"), [(1, None), (5, 2), (6, 3), (3, 9)])
def test_grid_places_every_image(count: int, columns: int | None, channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (count, 4, 5, channels), np.uint8)
    grid = plots.image_grid(images, columns)
    wide = min(columns or 1, count)
    assert grid.shape == (-(-count // wide) * (4 + GAP) + GAP, wide * (5 + GAP) + GAP, channels)
    rest = np.ones(grid.shape[:2], bool)
    for i, image in enumerate(images):
        place = np.s_[GAP + i // wide * (4 + GAP) :, GAP + i % wide * (5 + GAP) :]
        np.testing.assert_array_equal(grid[place][:4, :5], image)
        rest[place][:4, :5] = False
    assert (grid[rest] == PAPER).all()


@pytest.mark.parametrize(
    ("range", "values", "pixels"),
    [
        ((0, 1), [0, 0.5, 1, 2, -1, np.inf], [0, 128, 255, 255, 0, 255]),
        ((-1, 1), [-1, 0, 1, -np.inf, 0.5, -0.5], [0, 128, 255, 0, 191, 64]),
    ],
)
def test_range_maps_floats_to_pixels(range: tuple[float, float], values: list[float], pixels: list[int]) -> None:
    images = np.array(values, np.float32).reshape(1, 2, 3)
    np.testing.assert_array_equal(plots.image_grid(images, range=range, gap=0).ravel(), pixels)


def test_default_grid_is_about_square() -> None:
    assert plots.image_grid(np.zeros((64, 28, 28, 1))).shape == (8 * 30 + 2, 8 * 30 + 2, 1)
    height, width, _ = plots.image_grid(np.zeros((12, 40, 10))).shape
    assert 0.5 < height / width < 2


def test_saved_pixels_are_whole_blocks(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((4, 28, 28, 1), np.float32)
    plots.save_grid(tmp_path / "grid.png", images)
    sheet = plots.image_grid(images)[..., 0]
    picture = np.asarray(Image.open(tmp_path / "grid.png"))
    factor = len(picture) // len(sheet)
    assert factor > 1
    np.testing.assert_array_equal(picture, sheet.repeat(factor, 0).repeat(factor, 1))


def test_a_title_stands_over_a_sheet_that_is_the_same_below_it(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((4, 28, 28, 1), np.float32)
    plots.save_grid(tmp_path / "plain.png", images)
    plain = np.asarray(Image.open(tmp_path / "plain.png"))
    for channels, title in ((1, "vae · samples"), (3, "vae · samples after very many steps " * 4)):
        plots.save_grid(tmp_path / "titled.png", images.repeat(channels, axis=-1), title=title)
        titled = np.asarray(Image.open(tmp_path / "titled.png").convert("L"))
        over = len(titled) - len(plain)
        np.testing.assert_array_equal(titled[over:, : plain.shape[1]], plain)
        assert (
            (titled[:over] > 200).any()
            and (titled[:over, -6:] == PAPER).all()
            and (titled[over:, plain.shape[1] :] == PAPER).all()
        )


def test_captions_stand_under_their_images(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((5, 28, 28, 3), np.float32)
    captions = ["Ankle boot\n→ T-shirt/top", "", "1\n→ 7", "", ""]
    plots.save_grid(tmp_path / "grid.png", images, title="mistakes", captions=captions)
    picture = np.asarray(Image.open(tmp_path / "grid.png"))
    factor = next(f for f in range(8, 0, -1) if picture.shape[1] >= f * 3 * (28 + GAP))
    height = (len(picture) - 21 - factor * GAP) // 2
    for i, caption in enumerate(captions):
        top, left = 21 + factor * GAP + i // 3 * height, factor * (GAP + i % 3 * (28 + GAP))
        image = picture[top : top + factor * 28, left : left + factor * 28]
        np.testing.assert_array_equal(image[::factor, ::factor], plots.image_grid(images[i : i + 1], gap=0))
        below = picture[top + factor * 28 : top + factor * 28 + 34, left : left + factor * 28]
        assert (below > 150).any() == bool(caption)
    with pytest.raises(ShapeError, match="1 captions for 5 images"):
        plots.save_grid(tmp_path / "grid.png", images, captions=["one"])


def test_reconstructions_stand_below_their_originals(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((6, 8, 8, 3))
    plots.save_reconstructions(tmp_path / "r.png", images, 1 - images, columns=3)
    picture = np.asarray(Image.open(tmp_path / "r.png"))[4::8, 4::8]  # the middle of every block of 8
    first = picture[GAP : GAP + 16, GAP : GAP + 8].astype(int)
    np.testing.assert_array_equal(first[:8], np.rint(images[0] * 255))
    np.testing.assert_array_equal(first[8:], np.rint((1 - images[0]) * 255))
    with pytest.raises(ShapeError, match=r"\(6, 8, 8, 3\), reconstructions \(5, 8, 8, 3\)"):
        plots.save_reconstructions(tmp_path / "r.png", images, images[:5])


def test_interpolation_rows(tmp_path: Path) -> None:
    walks = np.random.default_rng(0).random((2, 5, 6, 7, 1))
    plots.save_interpolation(tmp_path / "i.png", walks)
    picture = Image.open(tmp_path / "i.png")
    assert picture.size == (8 * (5 * 7 + 2 * GAP), 8 * (2 * (6 + GAP) + GAP))
    for bad in (np.zeros((2, 3, 3)), np.zeros((0, 3, 4, 4, 1)), np.zeros((2, 0, 4, 4, 1))):
        with pytest.raises(ShapeError):
            plots.save_interpolation(tmp_path / "i.png", bad)


@pytest.mark.parametrize(
    ("images", "options", "error", "word"),
    [
        (np.zeros((0, 4, 4)), {}, ShapeError, "at least one"),
        (np.zeros((2, 4, 4, 2)), {}, ShapeError, r"\(2, 4, 4, 2\)"),
        (np.zeros((4, 4)), {}, ShapeError, "expected"),
        (np.full((1, 2, 2), np.nan), {}, DataError, "4 of 4 pixels are NaN"),
        (np.zeros((1, 2, 2), complex), {}, DataError, "complex"),
        (np.zeros((1, 2, 2)), {"range": (1, 0)}, ArgumentError, "range"),
        (np.zeros((1, 2, 2)), {"columns": 0}, ArgumentError, "columns"),
    ],
)
def test_bad_images(images: np.ndarray, options: dict[str, Any], error: type[Exception], word: str) -> None:
    with pytest.raises(error, match=word):
        plots.image_grid(images, **options)


def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="its folder does not exist"):
        plots.save_grid(tmp_path / "no" / "grid.png", np.zeros((1, 2, 2)))
    with pytest.raises(RunError, match=r"cannot write .*it is a folder"):
        plots.save_grid(tmp_path, np.zeros((1, 2, 2)))


def test_a_full_disk_leaves_the_old_picture(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "grid.png"
    plots.save_grid(path, np.zeros((1, 2, 2)))
    old = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(RunError, match="file size"):
            plots.save_grid(path, np.random.default_rng(0).random((4, 28, 28)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]
