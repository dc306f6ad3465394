"""Images out of JSON and into it: nested lists of numbers from 0 to 1, or PNG files in base64."""

import base64
import binascii
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigen.checks import shown
from minigen.data.own.pictures import decoded
from minigen.errors import ArgumentError, DataError
from minigen.plots import canvas, sheets

MOST = 256  # images at once
PIXELS = 2**22  # of a PNG, which is reduced to the size of the model's images
PREFIX = "data:image/png;base64,"
Shape = tuple[int, int, int]  # (H, W, C)


@dataclass(frozen=True)
class ImagesField:
    """The images that a model of images (H, W, C) is asked about."""

    shape: Shape

    def about(self) -> dict[str, Any]:
        """As it is told to those who ask."""
        return {"type": "images", "what": wanted(self.shape), "from": 1, "to": MOST}

    def read(self, value: Any) -> np.ndarray:
        """float32 (N, H, W, C) in [0, 1]."""
        return images_of(value, self.shape)


def images_of(value: Any, shape: Shape) -> np.ndarray:
    """The images of a question, float32 (N, H, W, C) in [0, 1].

    value: nested lists (N, H, W, C), (N, H, W) where C is 1, or one image alone; or one PNG, or a list of them, each
    base64 of the file or an address that begins with data:image/png. A PNG of another size is cropped around the middle
    and resized, and what is transparent is laid on white. Raises ArgumentError or DataError, which name the image.
    """
    if value is None:
        raise ArgumentError(f"images is missing; send {wanted(shape)}")
    files = [value] if isinstance(value, str) else value
    if isinstance(files, list) and files and all(isinstance(one, str) for one in files):
        check_count(len(files))
        return np.stack([picture_of(file, f"images[{i}]", shape) for i, file in enumerate(files)])
    return numbers_of(value, shape)


def wanted(shape: Shape) -> str:
    """What images may be, in words."""
    height, width, channels = shape
    last = "" if channels == 1 else f" × {channels}"
    return f"lists of {height} × {width}{last} numbers from 0 (black) to 1 (white), or PNG files in base64"


def check_count(count: int) -> None:
    """Raises ArgumentError for too many images, or none."""
    if not 1 <= count <= MOST:
        raise ArgumentError(f"images are {count:,}; send 1 to {MOST} at once")


def numbers_of(value: Any, shape: Shape) -> np.ndarray:
    """Images from nested lists."""
    try:
        x = np.asarray(value)
    except ValueError:  # lists of unequal lengths
        x = np.array(None)
    if x.dtype.kind not in "iuf":
        raise ArgumentError(f"images are {shown(value)}; send {wanted(shape)}, all of one size")
    given = x.shape
    if shape[-1] == 1 and given[-2:] == shape[:2]:
        x = x[..., None]
    if x.ndim == 3:
        x = x[None]
    if x.shape[1:] != shape:
        raise ArgumentError(f"images are {' × '.join(map(str, given)) or 'one number'}; send {wanted(shape)}")
    check_count(len(x))
    low, high = float(x.min()), float(x.max())
    if not 0 <= low <= high <= 1:
        mend = "divide by 255" if 1 < high <= 255 and low >= 0 else "black is 0, and white 1"
        raise ArgumentError(f"images run from {low:g} to {high:g}; use numbers from 0 to 1 ({mend})")
    return x.astype(np.float32)


def picture_of(text: str, name: str, shape: Shape) -> np.ndarray:
    """One image (H, W, C) from a PNG in base64; `name` names it in errors."""
    from PIL import Image

    try:
        content = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise DataError(f"{name} is {shown(text[:40])}, which is not base64; send the bytes of a PNG in it") from None
    height, width, channels = shape
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            columns, rows = picture.size
            if columns * rows > PIXELS:
                raise DataError(f"{name} has {rows:,} × {columns:,} pixels; send {PIXELS:,} at most")
            pixels = decoded(picture, (height, width), channels, Path(name))
    except DataError:
        raise
    except Exception as error:  # readers of damaged pictures fail in any way
        raise DataError(f"{name} is no PNG that can be read; send one that opens in a browser") from error
    return pixels.astype(np.float32) / 255


def png(images: np.ndarray) -> str:
    """Images (N, H, W, C) in [0, 1] as one sheet, a PNG in base64; one alone without an edge."""
    sheet = sheets.image_grid(images, gap=0 if len(images) == 1 else sheets.GAP)
    return canvas.data_address(sheet[..., 0] if sheet.shape[-1] == 1 else sheet).removeprefix(PREFIX)
