"""What the models of images share: holding some out, asking for samples, and how images are fed."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from minigen import data
from minigen.errors import DataError
from minigen.training import RunFolder

ImageShape = tuple[int, ...]  # (H, W, C)


@dataclass(frozen=True)
class Request:
    """What can be asked of a model that draws."""

    n: int = 64  # images


def hold_out(images: data.ImageDataset) -> tuple[data.ImageDataset, data.ImageDataset]:
    """Training images, and every twelfth image (of all classes, however they are sorted) for validation.

    Of fewer than twelve images it is the last one. Raises DataError for a single image.
    """
    if len(images) < 2:
        raise DataError(f"{images.name}: has {len(images)} image, and needs another one for validation; add images")
    held = np.arange(len(images)) % 12 == 11
    held[-1] |= not held.any()
    training, validation = (
        dataclasses.replace(
            images, images=images.images[part], labels=None if images.labels is None else images.labels[part]
        )
        for part in (~held, held)
    )
    return training, validation


def saved_shape(run: RunFolder) -> ImageShape:
    """(H, W, C) of the images that a run was trained on: a model keeps it in its buffer `image`."""
    return tuple(run.saved()["model"]["image"].tolist())
