"""The sheets of a training one after the other: a film, and a strip of a few of them for paper."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from minigen.errors import ArgumentError
from minigen.files import write_atomic
from minigen.plots.canvas import write_png
from minigen.plots.sheets import enlargement, image_grid

T = TypeVar("T")
FRAMES = 48  # of a film at most, evenly spread over the training
MOMENTS, ABREAST = 6, 3  # of a strip, and of a row of it
DURATION, LAST = 150, 1500  # milliseconds that a frame of a film is shown, and the last one


def save_film(path: str | Path, sheets: Sequence[Path]) -> None:
    """Write PNG sheets of one size as an animated GIF that repeats; of many, FRAMES evenly spread ones.

    Sheets of another size than the last one's are left out. Raises ArgumentError without any, RunError when the disk
    refuses.
    """
    write_gif(path, chosen(sheets, FRAMES, "save_film"), DURATION)


def save_animation(
    path: str | Path,
    frames: Sequence[np.ndarray],
    columns: int | None = None,
    range: tuple[float, float] = (0.0, 1.0),
    duration: int = 100,
) -> None:
    """Write sheets of images (N, H, W, C), one a frame of so many milliseconds, as an animated GIF that repeats.

    columns, range: as `image_grid` has them. Raises ArgumentError without any, ShapeError, DataError, RunError.
    """
    from PIL import Image

    if not len(frames):
        raise ArgumentError("save_animation: no frames; pass one batch of images for each")
    sheets = [image_grid(frame, columns, range) for frame in frames]
    larger = max(enlargement(sheets[0]) // 2, 1)  # half as large as a sheet that is looked at for long
    sheets = [sheet.repeat(larger, 0).repeat(larger, 1) for sheet in sheets]
    write_gif(path, [Image.fromarray(sheet[..., 0] if sheet.shape[2] == 1 else sheet) for sheet in sheets], duration)


def write_gif(path: str | Path, frames: list, duration: int) -> None:
    """Write images as an animated GIF that repeats, each shown for `duration`, the last one for LAST."""
    durations = [duration] * (len(frames) - 1) + [LAST]
    buffer = io.BytesIO()
    frames[0].save(
        buffer, format="GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=False
    )
    write_atomic(Path(path), buffer.getvalue())


def save_strip(path: str | Path, sheets: Sequence[Path]) -> None:
    """Write MOMENTS of the sheets, evenly spread, side by side in rows of ABREAST. Raises as `save_film`."""
    frames = [np.asarray(frame.convert("RGB")) for frame in chosen(sheets, MOMENTS, "save_strip")]
    abreast = min(ABREAST, len(frames))
    frames += [np.zeros_like(frames[0])] * (-len(frames) % abreast)
    rows = [np.concatenate(frames[i : i + abreast], axis=1) for i in range(0, len(frames), abreast)]
    write_png(path, np.concatenate(rows))


def evenly(items: Sequence[T], most: int) -> list[T]:
    """At most so many of them, evenly spread, first and last among them."""
    places = np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)
    return [items[i] for i in np.unique(places)]


def chosen(sheets: Sequence[Path], most: int, operation: str) -> list:
    """The sheets as images, evenly spread, first and last among them."""
    from PIL import Image

    if not sheets:
        raise ArgumentError(f"{operation}: no sheets; pass the pictures of a run, run.samples()")
    images = []
    for sheet in evenly(sheets, most):
        with Image.open(sheet) as image:
            images.append(image.convert("L") if image.mode == "L" else image.convert("RGB"))
    return [image for image in images if (image.size, image.mode) == (images[-1].size, images[-1].mode)]
