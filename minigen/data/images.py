"""A user's own images: a folder of pictures, or a NumPy archive (.npz); `minigen.data.load` knows the other kinds.

What is decided, is decided for the whole data set before any of it is given out: both parts have images of one shape,
grey if all pictures are, and labels by the same classes. Data that brings no test part has one split off, the same
every time: a seeded tenth of every class. What was decided so is in the `notes` of the data set.
"""

import os

from minigen.checks import check_path
from minigen.data import idx
from minigen.data.dataset import UNIT_RANGE, ImageDataset, check_range
from minigen.data.limits import is_folder, shown
from minigen.data.own.folders import read_folder
from minigen.data.own.source import as_dataset, read_own
from minigen.errors import ArgumentError, DataError


def image_folder(
    path: str | os.PathLike,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    split: str | None = None,
    range: tuple[float, float] = UNIT_RANGE,
) -> ImageDataset:
    """The pictures in a folder, sorted by name.

    Subfolders are classes; a folder without subfolders has no labels. Folders named train, val and test, in any usual
    spelling and at any depth, are the split; a class may be missing in test. size: height and width, or one number for
    both; pictures are cropped around the middle to that aspect and resized; None: all must have the same size already.
    channels: 1 grey, 3 RGB, None: grey if all pictures are. Transparent pictures are laid on white, 16 bits brought to
    8. split: "train", "test" or None for everything. Raises DataError that names the folder or the file.
    """
    check_range(range)
    check_split(split)
    if channels not in (None, 1, 3):
        raise ArgumentError(f"image_folder: channels is {channels!r}; use 1 (grey), 3 (RGB) or None (as the files are)")
    shape, path = check_size(size), check_path("image_folder", path)
    if not is_folder(path):
        raise DataError(f"{shown(path)}: no such folder; give a folder of images, or of one subfolder for each class")
    return as_dataset(read_folder(path, shape, channels), split, range)


def npz(path: str | os.PathLike, split: str | None = None, range: tuple[float, float] = UNIT_RANGE) -> ImageDataset:
    """The images of a .npz archive, as `np.savez(path, images=…, labels=…)` writes it, or under other usual names.

    images: (N, H, W) or (N, H, W, C), C 1 or 3, whole numbers in 0 … 255, or floats in 0 … 1. labels, optional: (N,)
    whole numbers or names, or one-hot rows. split: "train", "test" or None for everything. Raises DataError.
    """
    check_range(range)
    check_split(split)
    return as_dataset(read_own(check_path("npz", path)), split, range)


def check_split(split: str | None) -> None:
    """Raises ArgumentError unless `split` is "train", "test" or None."""
    if split is not None and split not in idx.PREFIXES:
        raise ArgumentError(f"split is {split!r}; use 'train', 'test', or None for everything")


def check_size(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """`size` as (height, width). Raises ArgumentError."""
    if size is None:
        return None
    sides = size if isinstance(size, tuple) else (size, size)
    if len(sides) != 2 or not all(isinstance(side, int) and 1 <= side <= 10_000 for side in sides):
        raise ArgumentError(
            f"image_folder: size is {size!r}; use a number of pixels from 1 to 10,000, or (height, width)"
        )
    return sides
