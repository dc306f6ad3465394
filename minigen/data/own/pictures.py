"""One picture file → uint8 (H, W, C): a list of formats and no other, a limit of pixels, no error but DataError."""

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from minigen.data.limits import open_file, shown
from minigen.errors import DataError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm", ".pbm"}
MOST_PIXELS = 250_000_000  # of one picture as it is decoded: 1 GB, as colours take four bytes a pixel on the way
GREY = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N")
LOCK = threading.Lock()


def read_picture(path: Path, size: tuple[int, int] | None, channels: int | None) -> np.ndarray:
    """One picture, uint8 (H, W, C), turned as its camera says; the first one of several in a file.

    size: (H, W), cropped around the middle to that aspect and resized; None: as it is. channels: 1 grey, 3 RGB, None:
    as the file is. 16 bits are brought to 8, what is transparent is laid on white. Raises DataError.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError(f"{shown(path)}: reading images needs Pillow: pip install pillow") from error
    try:
        with open_file(path) as file, unlimited(Image), Image.open(file, formats=FORMATS) as picture:
            array = decoded(picture, size, channels, path)
    except DataError:
        raise
    except Exception as error:  # readers of damaged pictures fail in any way
        reason = re.sub(r"<_io[^>]*>", "the file", " ".join(str(error).split()))[:200] or type(error).__name__
        raise DataError(f"{shown(path)}: can not be read as an image ({reason}); repair or remove it") from error
    return array


@contextmanager
def unlimited(image: Any) -> Iterator[None]:
    """Without warnings, and the imaging library's limit, which refuses large pictures before they can be reduced."""
    with LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, image.MAX_IMAGE_PIXELS = image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            image.MAX_IMAGE_PIXELS = before


def decoded(picture: Any, size: tuple[int, int] | None, channels: int | None, path: Path) -> np.ndarray:
    """The pixels of an opened picture."""
    from PIL import Image, ImageOps

    if size is not None:  # of a JPEG, only as much as is needed is decoded
        picture.draft(None, (2 * max(size), 2 * max(size)))
    check_pixels(picture.size, path)
    if channels is None:
        channels = 1 if is_grey(picture) else 3
    picture = ImageOps.exif_transpose(picture)
    picture.load()
    picture = eight_bits(picture, path)
    picture = on_white(picture) if has_transparency(picture) else picture.convert("L" if channels == 1 else "RGB")
    picture = picture.convert("L" if channels == 1 else "RGB")
    if size is not None:
        height, width = size
        picture = ImageOps.fit(picture, (width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture, np.uint8).reshape(picture.height, picture.width, channels)


def check_pixels(size: tuple[int, int], path: Path) -> None:
    """Raises DataError for a picture, or a header, of too many pixels."""
    width, height = size
    if width * height > MOST_PIXELS:
        raise DataError(
            f"{shown(path)}: is {height:,}×{width:,} pixels, more than {MOST_PIXELS:,}; make it smaller, or remove it"
        )


def is_grey(picture: Any) -> bool:
    """Whether a picture has no colours, by its mode or its palette."""
    if picture.mode == "P" and picture.palette is not None:
        colours = np.asarray(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
        return bool((colours == colours[:, :1]).all())
    return picture.mode in GREY or (picture.mode == "I" and picture.format in ("PNG", "PPM"))


def has_transparency(picture: Any) -> bool:
    """Whether some of the picture may be transparent."""
    return "A" in picture.getbands() or "a" in picture.getbands() or "transparency" in picture.info


def on_white(picture: Any) -> Any:
    """The picture, RGB, with white where it is transparent."""
    from PIL import Image

    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)


def eight_bits(picture: Any, path: Path) -> Any:
    """A picture of 16 bits as one of 8. Raises DataError for numbers that have no white: 32 bits, floats."""
    from PIL import Image

    if picture.mode == "F" or (picture.mode == "I" and picture.format not in ("PNG", "PPM")):
        raise DataError(f"{shown(path)}: has 32 bits a pixel, which have no white; save it with 8 or 16")
    if not picture.mode.startswith("I"):
        return picture
    values = np.asarray(picture)
    return Image.fromarray((np.clip(values, 0, 65535).astype(np.uint32) * 255 // 65535).astype(np.uint8))
