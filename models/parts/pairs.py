"""Changes of images that make a second domain of one: outlines, halves, thicker strokes, turned images.

Each takes images (N, H, W, C) in [0, 1] and gives as many of the same shape, the same ones every time.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from minigen import data
from minigen.models.parts.images import ImageShape

Change = Callable[[np.ndarray], np.ndarray]
BRIGHT = 0.5  # grey level from which a pixel belongs to the stroke


def shifted(x: np.ndarray, down: int, right: int) -> np.ndarray:
    """Images moved by a pixel or none in each direction, 0 coming in."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return padded[:, 1 - down : 1 - down + x.shape[1], 1 - right : 1 - right + x.shape[2]]


def outline(x: np.ndarray) -> np.ndarray:
    """The edge of what is bright: bright pixels one of whose four neighbours is not."""
    bright = (x >= BRIGHT).astype(np.float32)
    inside = np.minimum.reduce([shifted(bright, *by) for by in ((1, 0), (-1, 0), (0, 1), (0, -1))])
    return bright * (1 - inside)


def upper_half(x: np.ndarray) -> np.ndarray:
    """The upper half, over nothing."""
    half = x.copy()
    half[:, x.shape[1] // 2 :] = 0
    return half


def thicker(x: np.ndarray) -> np.ndarray:
    """Strokes a pixel wider on every side: the brightest of each pixel and its eight neighbours."""
    return np.maximum.reduce([shifted(x, down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)])


def turned(x: np.ndarray) -> np.ndarray:
    """Turned by a quarter, against the clock; images that are not square are turned by a half."""
    return np.rot90(x, 1 if x.shape[1] == x.shape[2] else 2, axes=(1, 2)).copy()


CHANGES: dict[str, Change] = {
    "outline": outline,
    "upper-half": upper_half,
    "thicker": thicker,
    "turned": turned,
}


@dataclass(frozen=True)
class Pictures:
    """What a translator can be asked for."""

    pictures: str = ""  # a folder of pictures to translate; nothing: test images of the run's data
    n: int = 16  # pictures


def asked_pictures(asked: Pictures, image: ImageShape, test: Callable[[], np.ndarray]) -> np.ndarray:
    """The first n pictures of the folder that is asked for, brought to the shape of the run's images, in [0, 1].

    test: gives those that are taken where no folder is. Raises DataError.
    """
    if not asked.pictures:
        return test()[: asked.n]
    height, width, channels = image
    return data.image_folder(asked.pictures, (height, width), channels)[: asked.n][0]


def changed(images: data.ImageDataset, name: str) -> data.ImageDataset:
    """A data set with every image changed."""
    x = CHANGES[name](images[:][0])
    return replace(images, images=np.rint(255 * x).astype(np.uint8))


def difference(x: np.ndarray, y: np.ndarray) -> float:
    """The mean absolute difference of two sets of images."""
    return float(np.abs(x - y, dtype=np.float64).mean())
