"""What rooms share: models that are sound, images as addresses, and the test images that a run can be shown."""

from functools import lru_cache
from typing import Any

import numpy as np

from minigen import data
from minigen.catalog import load_model
from minigen.errors import ArgumentError, DataError
from minigen.plots import canvas, sheets
from minigen.training import RunFolder


def loaded(run: RunFolder) -> Any:
    """The model of a run, in evaluation mode. Raises DataError when its weights are not finite."""
    model = load_model(run.model).load(run).eval()
    check_finite(run, *(p.data for p in model.parameters()))
    return model


def check_finite(run: RunFolder, *arrays: np.ndarray) -> None:
    """Raises DataError when a run's weights are not finite."""
    if not all(np.isfinite(array).all() for array in arrays):
        raise DataError(f"the weights of {run.path.name} are not finite: its training has diverged")


def picture(image: np.ndarray, range: tuple[float, float] = (0.0, 1.0)) -> str:
    """One image (H, W[, C]) of floats."""
    pixels = sheets.to_pixels(image[None], range, "view")[0]
    return canvas.data_address(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def strip(images: np.ndarray, columns: int | None = None, range: tuple[float, float] = (0.0, 1.0), gap: int = 1) -> str:
    """Several images (N, H, W, C) side by side."""
    sheet = sheets.image_grid(images, columns or len(images), range, gap)
    return canvas.data_address(sheet[..., 0] if sheet.shape[-1] == 1 else sheet)


@lru_cache(maxsize=2)
def test_set(name: str, size: int | None) -> data.ImageDataset:
    """The test images of a data set."""
    return data.load(name, "test", size=size)


def test_images(run: RunFolder) -> data.ImageDataset:
    """The images that a run was not trained on, from 0 to 1. Raises DataError when they are not there any more."""
    return test_set(str(run.recipe["data"]), run.recipe.get("size"))


def test_image(run: RunFolder, place: int) -> tuple[np.ndarray, int | None]:
    """One of them (1, H, W, C), and its class where it has one. Raises ArgumentError when there are not so many."""
    images = test_images(run)
    if not 0 <= place < len(images):
        raise ArgumentError(f"there are {len(images):,} test images, from number 0 on, and no number {place}")
    x, *y = images[place : place + 1]
    return x, int(y[0][0]) if y else None
