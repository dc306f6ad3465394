"""Images and labels among the arrays of a .npz archive, or of .npy files that lie together, by their names.

Known are images, x, data, … and labels, y, targets, …, alone or with train, val or test; arr_0, arr_1, … as np.savez
names what has no name; and, where no name helps, the one array that has the shape of images.
"""

import math
from pathlib import Path

import numpy as np

from minigen.data.dataset import check_finite
from minigen.data.limits import shown
from minigen.data.own.arrays import Stored, as_name, stored_arrays, stored_file
from minigen.data.own.names import role_of
from minigen.data.own.parts import OwnData, finish
from minigen.errors import DataError

MEND = "write it with np.savez(path, images=..., labels=...)"


def read_archive(path: Path) -> OwnData:
    """The data set in a .npz archive. Raises DataError."""
    return read_arrays(stored_arrays(path), path.stem, shown(path))


def read_array_files(path: Path, files: list[Path]) -> OwnData:
    """The data set in .npy files: a folder of them, or one and those of its folder whose names go with it."""
    arrays = {}
    for file in files:
        if role_of(file.stem) is not None or len(files) == 1:
            arrays[file.stem] = stored_file(file)
    if not arrays:
        names = ", ".join(shown(file.name) for file in files[:5])
        raise DataError(f"{shown(path)}: holds {names}; name them images.npy and labels.npy")
    return read_arrays(arrays, path.stem, shown(path))


def read_arrays(arrays: dict[str, Stored], name: str, source: str) -> OwnData:
    """The data set in some arrays. Raises DataError that says what there is, where none are images."""
    roles = by_name(arrays, source) or by_shape(arrays)
    splits = [split for role, split in roles if role == "images"]
    if not splits:
        there = ", ".join(f"{as_name(key)} {array.dtype} {array.shape}" for key, array in list(arrays.items())[:8])
        raise DataError(f"{source}: has no array 'images' (it has {there or 'none'}); {MEND}")
    notes: list[str] = []
    first = "train" if "train" in splits else None if None in splits else splits[0]
    if first in ("test", "validation"):
        raise DataError(f"{source}: has a test part alone; add images to train on, named train_images")
    second = "test" if "test" in splits else "validation" if "validation" in splits else None
    if second == "validation":
        notes.append("its validation part serves as the test part")
    elif "validation" in splits:
        notes.append("its validation part is left aside")
    train = read_pair(roles, first, source)
    test = read_pair(roles, second, source) if second is not None else None
    return finish(name, source, train, test, notes)


def read_pair(
    roles: dict[tuple[str, str | None], Stored], split: str | None, source: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Images (N, H, W, C) and raw labels of one split."""
    images, labels = roles["images", split], roles.get(("labels", split))
    if labels is not None and labels.shape[:1] != images.shape[:1]:
        raise DataError(
            f"{source}: labels are {labels.dtype} {labels.shape} for {images.shape[0]} images; use one whole number an "
            "image"
        )
    return read_images(images, source), None if labels is None else labels.read()


def by_name(arrays: dict[str, Stored], source: str) -> dict[tuple[str, str | None], Stored]:
    """The arrays by (role, split), as far as their names say one. Raises DataError where two say the same."""
    roles: dict[tuple[str, str | None], Stored] = {}
    for name, array in arrays.items():
        role = role_of(name.rsplit("/", 1)[-1])
        if role is None or len(array.shape) == 0:
            continue
        if role[0] == "images" and array.dtype.kind in "SU":
            continue
        if role in roles:
            raise DataError(
                f"{source}: {as_name(roles[role].name)} and {as_name(name)} may both be its {role[0]}; {MEND}"
            )
        roles[role] = array
    return roles if any(role == "images" for role, _ in roles) else {}


def by_shape(arrays: dict[str, Stored]) -> dict[tuple[str, str | None], Stored]:
    """The same where no name helps: the arrays with the shape of images, one or two, and after each its labels."""
    images = [array for array in arrays.values() if looks_like_images(array)]
    rest = [array for array in arrays.values() if len(array.shape) == 1 or array.shape[1:] == (1,)]
    if not 1 <= len(images) <= 2:
        return {}
    roles: dict[tuple[str, str | None], Stored] = {}
    for split, array in zip(("train", "test"), images, strict=False):
        roles["images", split] = array
        labels = next((other for other in rest if other.shape[0] == array.shape[0]), None)
        if labels is not None:
            roles["labels", split] = labels
            rest.remove(labels)
    return roles


def looks_like_images(array: Stored) -> bool:
    """Whether the shape of an array is (N, H, W), (N, H, W, C) or (N, H·H)."""
    if array.dtype.kind in "SU":
        return False
    return len(array.shape) in (3, 4) or (len(array.shape) == 2 and array.shape[1] >= 16 and is_square(array.shape[1]))


def is_square(count: int) -> bool:
    """Whether so many pixels are a picture as high as it is wide."""
    return math.isqrt(count) ** 2 == count


# ---------------------------------------------------------------- one array of images


def read_images(array: Stored, source: str) -> np.ndarray:
    """(N, H, W, C), uint8, or float32 in 0 … 1. Raises DataError that says what to do with any other."""
    shape = image_shape(array.shape, source)
    if array.dtype.kind in "SU":
        raise DataError(f"{source}: images are {array.dtype}; use uint8 in 0 … 255, or floats in 0 … 1")
    if array.dtype.kind == "b":
        return array.read(np.uint8, lambda values: values * np.uint8(255)).reshape(shape)
    if array.dtype.kind == "f":
        return unit_floats(array.read(np.float32, as_float32).reshape(shape), source)

    def to_bytes(values: np.ndarray) -> np.ndarray:
        low, high = values.min(), values.max()
        if low < 0 or high > 255:
            raise DataError(f"{source}: images are {array.dtype} from {low} to {high}; scale them to uint8 in 0 … 255")
        return values.astype(np.uint8)

    images = array.read(np.uint8, to_bytes).reshape(shape)
    if images.max() == 1:
        raise DataError(f"{source}: images hold only 0 and 1; multiply by 255, or save them as floats")
    return images


def as_float32(values: np.ndarray) -> np.ndarray:
    """Floats of any width; what is too large becomes infinite, which is refused later."""
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float32)


def unit_floats(images: np.ndarray, source: str) -> np.ndarray:
    """The images themselves, or DataError where they do not run from 0 to 1."""
    check_finite(images, f"{source}: images")
    if images.min() < 0 or images.max() > 1:
        raise DataError(
            f"{source}: images run from {images.min():g} to {images.max():g}; scale floats to 0 … 1, or save as uint8"
        )
    return images


def image_shape(shape: tuple[int, ...], source: str) -> tuple[int, ...]:
    """(N, H, W, C) for an array of that shape."""
    given = shape
    if len(shape) == 2 and is_square(shape[1]):
        shape = (shape[0], math.isqrt(shape[1]), math.isqrt(shape[1]))
    if len(shape) == 3:
        shape = (*shape, 1)
    if len(shape) != 4 or 0 in shape:
        raise DataError(f"{source}: images have shape {given}; use (N, H, W) or (N, H, W, C), none of them 0")
    if shape[1] in (1, 3) and shape[3] > 4:
        raise DataError(f"{source}: images of shape {given} look channels-first; use images.transpose(0, 2, 3, 1)")
    if shape[3] not in (1, 3):
        raise DataError(
            f"{source}: images have {shape[3]} channels; use 1 (grey) or 3 (RGB), such as images[..., :1] or "
            "images[..., :3] without the alpha channel"
        )
    return shape
