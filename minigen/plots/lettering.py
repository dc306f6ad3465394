"""Words on sheets of images: a title over all, and a caption under each. The images stay, pixel for pixel."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minigen.plots.canvas import load_matplotlib

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

LETTERS = 13  # pixels a line of text is high, without what is left between lines
LINE = LETTERS + 4
INK = 235  # grey value of letters on the sheet's paper


@functools.cache
def font() -> "FreeTypeFont":
    """DejaVu Sans, which the plotting library brings along: the same letters on every machine."""
    from PIL import ImageFont

    return ImageFont.truetype(Path(load_matplotlib().get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", LETTERS)


def text_width(text: str) -> int:
    """Pixels that the longest line of `text` takes."""
    return max((round(font().getlength(line)) for line in text.split("\n")), default=0)


def text_height(text: str) -> int:
    """Pixels that the lines of `text` take."""
    return LINE * (text.count("\n") + 1)


def write_words(sheet: np.ndarray, words: list[tuple[int, int, str]]) -> np.ndarray:
    """A copy of a uint8 sheet (H, W, C), C 1 or 3, with each text written right of its left and below its top."""
    from PIL import Image, ImageDraw

    picture = Image.fromarray(sheet[..., 0] if sheet.shape[-1] == 1 else sheet)
    draw = ImageDraw.Draw(picture)
    for left, top, text in words:
        fill = INK if sheet.shape[-1] == 1 else (INK, INK, INK)
        draw.multiline_text((left, top), text, fill=fill, font=font(), spacing=LINE - LETTERS)
    return np.asarray(picture).reshape(sheet.shape)
