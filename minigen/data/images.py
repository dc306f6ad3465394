"""A user's own images: a folder of pictures, or a NumPy archive (.npz).

Both give an ImageDataset. Data that brings no test split of its own is split the same way every time: the last 10 % of
every class, in the order of the files or rows, is "test", the rest is "train".
"""

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from minigen.data import idx
from minigen.data.dataset import UNIT_RANGE, ImageDataset, check_finite, check_range
from minigen.errors import ArgumentError, DataError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"}
TEST_FRACTION = 0.1


def image_folder(
    path: str | os.PathLike,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    split: str | None = None,
    range: tuple[float, float] = UNIT_RANGE,
) -> ImageDataset:
    """The pictures in a folder, sorted by name.

    Subfolders are classes; a folder without subfolders has no labels. A folder with subfolders `train` and `test` has
    its own split, taken from there, with the classes of `train`; a class may be missing in `test`. size: height and
    width, or one number for both; pictures are cropped around the middle to that aspect and resized; None: all must
    have the same size already. channels: 1 grey, 3 RGB, None: grey if all pictures are. Transparent pictures are laid
    on white. split: "train", "test" or None for everything. Raises DataError that names the folder or the file.
    """
    root = Path(path)
    check_range(range)
    check_split(split)
    if channels not in (None, 1, 3):
        raise ArgumentError(f"image_folder: channels is {channels!r}; use 1 (grey), 3 (RGB) or None (as the files are)")
    shape = check_size(size)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give a folder of images, or of one subfolder for each class")
    own_split = all((root / name).is_dir() for name in idx.PREFIXES)
    classes = class_names(root / "train" if own_split else root)
    if own_split:
        files, labels = list_own_split(root, split, classes)
    else:
        files, labels = list_images(root, classes)
    if split is not None and not own_split:
        rows = split_rows(labels, len(files), split, str(root))
        files = [files[row] for row in rows]
        labels = None if labels is None else labels[rows]
    images = np.stack(same_shape([read_image(file, shape, channels) for file in files], files))
    return ImageDataset(images, labels, classes, f"{root.name} {split or ''}".strip(), range)


def npz(path: str | os.PathLike, split: str | None = None, range: tuple[float, float] = UNIT_RANGE) -> ImageDataset:
    """The images of a .npz archive, as `np.savez(path, images=…, labels=…)` writes it.

    images: (N, H, W) or (N, H, W, C), C 1 or 3, uint8 in 0 … 255, or float in 0 … 1. labels, optional: (N,) integers
    from 0. split: "train", "test" or None for everything. Raises DataError.
    """
    check_range(range)
    check_split(split)
    arrays = read_archive(path)
    images = check_images(arrays["images"], path)
    labels = arrays.get("labels")
    classes: tuple[str, ...] = ()
    if labels is not None:
        labels = check_labels(labels, len(images), path)
        classes = tuple(str(label) for label in np.arange(labels.max() + 1))
    if split is not None:
        rows = split_rows(labels, len(images), split, str(path))
        images = images[rows]
        labels = None if labels is None else labels[rows]
    return ImageDataset(images, labels, classes, f"{Path(path).stem} {split or ''}".strip(), range)


def split_rows(labels: np.ndarray | None, count: int, split: str, name: str) -> np.ndarray:
    """The rows of `split`, increasing: "test" is the last 10 % of every class, rounded, and at least one row in all."""
    groups = [np.arange(count)] if labels is None else [np.flatnonzero(labels == label) for label in np.unique(labels)]
    test = np.concatenate([rows[len(rows) - round(len(rows) * TEST_FRACTION) :] for rows in groups])
    if len(test) == 0:
        test = np.array([count - 1])
    if count < 2:
        raise DataError(f"{name}: has {count} image, which can not be split into train and test; add images")
    return np.sort(test) if split == "test" else np.setdiff1d(np.arange(count), test)


def check_split(split: str | None) -> None:
    """Raises ArgumentError unless `split` is "train", "test" or None."""
    if split is not None and split not in idx.PREFIXES:
        raise ArgumentError(f"split is {split!r}; use 'train', 'test', or None for everything")


def check_size(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """`size` as (height, width). Raises ArgumentError."""
    if size is None:
        return None
    sides = size if isinstance(size, tuple) else (size, size)
    if len(sides) != 2 or not all(isinstance(side, int) and side >= 1 for side in sides):
        raise ArgumentError(f"image_folder: size is {size!r}; use a number of pixels ≥ 1, or (height, width)")
    return sides


def class_names(root: Path) -> tuple[str, ...]:
    """The names of the subfolders, in order: the classes."""
    return tuple(path.name for path in listing(root) if path.is_dir() and not path.name.startswith("."))


def list_own_split(root: Path, split: str | None, classes: tuple[str, ...]) -> tuple[list[Path], np.ndarray | None]:
    """Image files and labels of `root`/train, `root`/test or, for None, both; `classes` are those of train."""
    unknown = [name for name in class_names(root / "test") if name not in classes]
    if unknown and split != "train":
        raise DataError(
            f"{root / 'test'}: has the class {', '.join(unknown)}, which {root / 'train'} does not have; "
            "rename or remove the folder, or add training images"
        )
    files, labels = [], []
    for part in idx.PREFIXES if split is None else [split]:
        found, numbers = list_images(root / part, classes, allow_empty=part == "test")
        files += found
        labels += [] if numbers is None else [numbers]
    return files, np.concatenate(labels) if labels else None


def list_images(
    root: Path, classes: tuple[str, ...], allow_empty: bool = False
) -> tuple[list[Path], np.ndarray | None]:
    """Image files in order and their labels: of the subfolders `classes`, or of `root` itself if there are none.

    allow_empty: a class may be without images, or without a folder.
    """
    groups = [pictures(root / name) for name in classes] or [pictures(root)]
    files = [file for group in groups for file in group]
    if not files:
        where = f" in folders named {', '.join(classes)}" if classes else ""
        raise DataError(f"{root}: holds no images{where}; it needs files ending in {' '.join(sorted(SUFFIXES))}")
    if not classes:
        return files, None
    for name, group in zip(classes, groups, strict=True):
        if not group and not allow_empty:
            raise DataError(f"{root / name}: a class without images; add images or remove the folder")
    return files, np.repeat(np.arange(len(groups)), [len(group) for group in groups])


def pictures(folder: Path) -> list[Path]:
    """The image files in `folder`, in order; none if there is no such folder."""
    if not folder.is_dir():
        return []
    return [path for path in listing(folder) if path.suffix.lower() in SUFFIXES and path.is_file()]


def listing(folder: Path) -> list[Path]:
    """What is in `folder`, in order. Raises DataError if it can not be read."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: can not be read ({error.strerror}); check its permissions") from error


def read_image(path: Path, size: tuple[int, int] | None, channels: int | None) -> np.ndarray:
    """One picture, uint8 (H, W, C), turned as its camera says."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise DataError(f"{path}: reading images needs Pillow: pip install pillow") from error
    try:
        with Image.open(path) as picture:
            if picture.mode == "F" or picture.mode.startswith("I"):
                raise DataError(f"{path}: has more than 8 bits a channel (mode {picture.mode}); save it with 8")
            if channels is None:
                channels = 1 if picture.mode in ("1", "L", "LA") else 3
            picture = ImageOps.exif_transpose(picture)
            if "A" in picture.getbands() or "transparency" in picture.info:
                picture = picture.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
            picture = picture.convert("L" if channels == 1 else "RGB")
            if size is not None:
                picture = ImageOps.fit(picture, (size[1], size[0]), Image.Resampling.BILINEAR)
            return np.asarray(picture).reshape(picture.height, picture.width, channels)
    except DataError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: can not be read as an image ({error}); repair or remove it") from error


def same_shape(images: list[np.ndarray], files: list[Path]) -> list[np.ndarray]:
    """The images, grey ones among coloured ones made RGB. Raises DataError when their sizes differ."""
    height, width = images[0].shape[:2]
    for image, file in zip(images, files, strict=True):
        if image.shape[:2] != (height, width):
            raise DataError(
                f"{file}: is {image.shape[0]}×{image.shape[1]} pixels, but {files[0].name} is {height}×{width}; "
                "use --size N, or size= in Python, to bring all to one size"
            )
    most = max(image.shape[2] for image in images)
    return [np.broadcast_to(image, (height, width, most)) for image in images]


def read_archive(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The arrays named images and labels of a .npz file."""
    mend = "write it with np.savez(path, images=..., labels=...)"
    try:
        archive: Any = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise DataError(f"{path}: is a single array, not a .npz archive; {mend}")
        with archive:
            if "images" not in archive.files:
                raise DataError(f"{path}: has no array 'images' (it has {', '.join(archive.files) or 'none'}); {mend}")
            return {key: archive[key] for key in ("images", "labels") if key in archive.files}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; correct the path") from None
    except DataError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: can not be read as .npz ({error}); {mend}") from error


def check_images(images: np.ndarray, path: str | os.PathLike) -> np.ndarray:
    """`images` as uint8 or float32 (N, H, W, C)."""
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or 0 in images.shape:
        raise DataError(f"{path}: images have shape {images.shape}; use (N, H, W) or (N, H, W, C), none of them 0")
    if images.shape[1] in (1, 3) and images.shape[3] > 4:
        raise DataError(f"{path}: images of shape {images.shape} look channels-first; use images.transpose(0, 2, 3, 1)")
    if images.shape[3] not in (1, 3):
        raise DataError(
            f"{path}: images have {images.shape[3]} channels; use 1 (grey) or 3 (RGB), such as images[..., :1] or "
            "images[..., :3] without the alpha channel"
        )
    if images.dtype == np.uint8:
        if images.max() == 1:
            raise DataError(f"{path}: images hold only 0 and 1; multiply by 255, or save them as floats")
        return images
    if images.dtype.kind != "f":
        raise DataError(f"{path}: images are {images.dtype}; use uint8 in 0 … 255, or floats in 0 … 1")
    check_finite(images, f"{path}: images")
    if images.min() < 0 or images.max() > 1:
        raise DataError(
            f"{path}: images run from {images.min():g} to {images.max():g}; scale floats to 0 … 1, or save as uint8"
        )
    return images.astype(np.float32)


def check_labels(labels: np.ndarray, count: int, path: str | os.PathLike) -> np.ndarray:
    """`labels` as int64 (N,)."""
    if labels.dtype.kind not in "iu" or labels.shape != (count,):
        raise DataError(
            f"{path}: labels are {labels.dtype} {labels.shape} for {count} images; use one whole number an image"
        )
    if labels.min() < 0:
        raise DataError(f"{path}: label {labels.min()} is negative; number the classes from 0")
    return labels.astype(np.int64)
