"""Sheets of images: samples, reconstructions under their originals, interpolations. Pixel for pixel, no axes.

Images are (N, H, W, C) or (N, H, W), with one channel (grey) or three (RGB); floats in `range`, or uint8 as they are.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minigen.errors import ArgumentError, DataError, ShapeError
from minigen.plots.canvas import write_png
from minigen.plots.lettering import text_height, text_width, write_words

GAP = 2  # pixels between images
PAPER = 64  # their grey value, so that black and white images both show their edges
SIDE = 640  # sheets smaller than this are enlarged, by whole factors up to 8, so that pixels stay square and sharp


def image_grid(
    images: np.ndarray, columns: int | None = None, range: tuple[float, float] = (0.0, 1.0), gap: int = GAP
) -> np.ndarray:
    """(N, H, W[, C]) images side by side, row by row, as one uint8 image (rows·(H+gap)+gap, columns·(W+gap)+gap, C).

    columns: as many as make the sheet about square unless given. range: the floats that show as black and as white;
    values beyond are clipped. Raises ShapeError, ArgumentError or DataError (NaN).
    """
    pixels = to_pixels(images, range, "image_grid")
    count, height, width, channels = pixels.shape
    if columns is None:
        columns = math.ceil(math.sqrt(count * height / width))
    if columns < 1:
        raise ArgumentError(f"image_grid: columns is {columns}; use at least 1")
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), PAPER, np.uint8)
    for i, image in enumerate(pixels):
        top, left = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def save_grid(
    path: str | Path,
    images: np.ndarray,
    columns: int | None = None,
    range: tuple[float, float] = (0.0, 1.0),
    title: str = "",
    captions: Sequence[str] | None = None,
) -> None:
    """Write `image_grid(images)` to `path`, enlarged by a whole factor to a comfortable size.

    title: stands over the sheet. captions: one under each image, of one line or more; ShapeError for another number.
    """
    if captions is None:
        write_sheet(path, image_grid(images, columns, range), title)
        return
    pixels = to_pixels(images, range, "save_grid")
    if len(captions) != len(pixels):
        raise ShapeError(f"save_grid: {len(captions)} captions for {len(pixels)} images; give one for each")
    factor = max(map(text_width, captions)) // (pixels.shape[2] + GAP) + 1  # wide enough for all of them
    factor = max(factor, enlargement(image_grid(pixels, columns)))
    below = -(-max(map(text_height, captions)) // factor)
    cells = np.pad(pixels, ((0, 0), (0, below), (0, 0), (0, 0)), constant_values=PAPER)
    if columns is None:
        columns = math.ceil(math.sqrt(len(cells)))
    sheet = image_grid(cells, columns)
    height, width = cells.shape[1:3]
    words = []
    for i, caption in enumerate(captions):
        top = GAP + i // columns * (height + GAP) + pixels.shape[1]
        words.append((factor * (GAP + i % columns * (width + GAP)), factor * top, caption))
    write_sheet(path, sheet, title, factor, words)


def save_reconstructions(
    path: str | Path,
    images: np.ndarray,
    reconstructions: np.ndarray,
    columns: int = 10,
    range: tuple[float, float] = (0.0, 1.0),
    title: str = "",
) -> None:
    """Write a sheet in which every image has its reconstruction directly below it, pair by pair."""
    originals = to_pixels(images, range, "save_reconstructions")
    copies = to_pixels(reconstructions, range, "save_reconstructions")
    if originals.shape != copies.shape:
        raise ShapeError(f"save_reconstructions: images are {originals.shape}, reconstructions {copies.shape}")
    save_grid(path, np.concatenate([originals, copies], axis=1), columns, title=title)


def save_interpolation(
    path: str | Path, images: np.ndarray, range: tuple[float, float] = (0.0, 1.0), title: str = ""
) -> None:
    """Write (R, S, H, W[, C]) images as R rows of S steps, without gaps inside a row: each row is one walk."""
    images = np.asarray(images)
    if images.ndim not in (4, 5):
        raise ShapeError(f"save_interpolation: images are {images.shape}, expected (rows, steps, H, W, C)")
    strips = [image_grid(row, columns=len(row), range=range, gap=0) for row in images]
    save_grid(path, np.stack(strips) if strips else np.zeros((0, 1, 1)), columns=1, title=title)


def to_pixels(images: np.ndarray, range: tuple[float, float], operation: str) -> np.ndarray:
    """Images as uint8 (N, H, W, C), C 1 or 3; raises the error that says why they cannot be shown."""
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or images.size == 0:
        raise ShapeError(
            f"{operation}: images are {images.shape}, expected (N, H, W), (N, H, W, 1) or (N, H, W, 3), at least one"
        )
    if images.dtype == np.uint8:
        return images
    low, high = range
    if not -math.inf < low < high < math.inf:
        raise ArgumentError(f"{operation}: range is {range}; use (black, white) with black < white")
    if images.dtype.kind not in "fiub":
        raise DataError(f"{operation}: images are {images.dtype}; use floats, or uint8")
    bad = int(np.isnan(images).sum()) if images.dtype.kind == "f" else 0
    if bad:
        raise DataError(f"{operation}: {bad} of {images.size} pixels are NaN; the model diverged, try a lower lr")
    scaled = (np.clip(images.astype(np.float64), low, high) - low) / (high - low)
    return np.rint(scaled * 255).astype(np.uint8)


def enlargement(sheet: np.ndarray) -> int:
    """The whole factor by which a sheet is enlarged."""
    return min(max(round(SIDE / max(sheet.shape[:2])), 1), 8)


def write_sheet(
    path: str | Path,
    sheet: np.ndarray,
    title: str = "",
    factor: int | None = None,
    words: Sequence[tuple[int, int, str]] = (),
) -> None:
    """Write one uint8 image (H, W, C), each pixel as a square block of `factor` pixels (default: `enlargement`).

    title: over it. words: (left, top, text) in pixels of the enlarged sheet.
    """
    factor = enlargement(sheet) if factor is None else factor
    sheet = sheet.repeat(factor, axis=0).repeat(factor, axis=1)
    words = list(words)
    if title:
        over, beside = text_height(title) + 4, max(text_width(title) + 12 - sheet.shape[1], 0)
        sheet = np.pad(sheet, ((over, 0), (0, beside), (0, 0)), constant_values=PAPER)
        words = [(6, 3, title), *((left, over + top, text) for left, top, text in words)]
    if words:
        sheet = write_words(sheet, words)
    write_png(path, sheet)
