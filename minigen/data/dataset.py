"""What a data set is here: an object with a length, whose items are had by their number, dataset[i].

Those of this module hold arrays. They take slices and arrays of numbers, too, and give one row for each: `batch(rows)`
tells a DataLoader so. Images stay as they are stored, uint8, and are scaled as they are taken: a quarter of the memory,
and one pass over a batch.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from minigen.errors import ArgumentError, DataError, ShapeError

Index = int | slice | np.ndarray
UNIT_RANGE = (0.0, 1.0)


class Dataset(Protocol):
    """Anything a DataLoader can read."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


def check_dataset(operation: str, dataset: Any) -> Any:
    """`dataset` itself; ArgumentError unless it has a length and items."""
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        raise ArgumentError(f"{operation}: {type(dataset).__name__} is no data set; pass one that has len() and items")
    return dataset


@dataclass(frozen=True, eq=False, repr=False)
class ImageDataset:
    """Images with or without labels, held in memory.

    images: (N, H, W, C), uint8 in 0 … 255 or float32 in 0 … 1.
    labels: (N,) int64, positions in `classes`, or None.
    classes: the names of the classes.
    name: what error messages and plots call the data.
    range: the (low, high) to which black and white are scaled, such as (0, 1) or (-1, 1).
    notes: what was decided when the data was read, each a sentence, to be told when a training starts.

    Items are (x, y), x float32, or (x,) without labels. Raises ArgumentError, ShapeError or DataError.
    """

    images: np.ndarray
    labels: np.ndarray | None
    classes: tuple[str, ...]
    name: str
    range: tuple[float, float] = UNIT_RANGE
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_range(self.range)
        if self.images.ndim != 4 or self.images.dtype not in (np.uint8, np.float32):
            raise ShapeError(
                f"{self.name}: images are {self.images.dtype} {self.images.shape}; "
                "use uint8 or float32, channels-last (N, H, W, C)"
            )
        if self.labels is None:
            return
        if self.labels.shape != self.images.shape[:1]:
            raise ShapeError(
                f"{self.name}: labels are {self.labels.shape} for {len(self.images)} images; use one label an image"
            )
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise DataError(
                f"{self.name}: labels run from {self.labels.min()} to {self.labels.max()}, "
                f"but there are {len(self.classes)} classes; use 0 … {len(self.classes) - 1}"
            )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Index) -> tuple[np.ndarray, ...]:
        x = scale(self.images[index], self.range)
        return (x,) if self.labels is None else (x, self.labels[index])

    def batch(self, rows: Index) -> tuple[np.ndarray, ...]:
        """Several items as one batch, x (N, H, W, C)."""
        return self[rows]

    def __repr__(self) -> str:
        height, width, channels = self.image_shape
        labels = "no labels" if self.labels is None else f"{len(self.classes):,} classes"
        low, high = self.range
        return (
            f"ImageDataset({self.name}: {len(self):,} images {height}×{width}×{channels}, {labels}, "
            f"range {low:g}…{high:g})"
        )

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H, W, C)."""
        return self.images.shape[1:]


class ArrayDataset:
    """Rows of arrays of equal length, such as ArrayDataset(x, y). Raises ShapeError, or DataError on NaN."""

    def __init__(self, *arrays: np.ndarray) -> None:
        try:
            self.arrays = tuple(np.asarray(array) for array in arrays)
        except ValueError:
            raise ShapeError(
                "ArrayDataset: rows of different lengths; make them alike, or use a data set of items"
            ) from None
        lengths = [array.shape[:1] for array in self.arrays]
        if not arrays or () in lengths or len(set(lengths)) > 1:
            shapes = ", ".join(str(array.shape) for array in self.arrays) or "no arrays"
            raise ShapeError(f"ArrayDataset: got {shapes}; give arrays with the same number of rows")
        for position, array in enumerate(self.arrays):
            check_finite(array, f"ArrayDataset: array {position}")

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: Index) -> tuple[np.ndarray, ...]:
        return tuple(array[index] for array in self.arrays)

    def batch(self, rows: Index) -> tuple[np.ndarray, ...]:
        """Several rows of every array."""
        return self[rows]

    def __repr__(self) -> str:
        shapes = ", ".join(f"{array.dtype} {array.shape}" for array in self.arrays)
        return f"ArrayDataset({len(self):,} rows: {shapes})"


def scale(images: np.ndarray, range: tuple[float, float]) -> np.ndarray:
    """float32 low + (high - low)·v, where v is a uint8 image divided by 255, or a float image as it is."""
    low, high = range
    x = np.divide(images, np.float32(255)) if images.dtype == np.uint8 else np.array(images, np.float32)
    if (low, high) != UNIT_RANGE:
        x *= np.float32(high - low)
        x += np.float32(low)
    return x


def check_range(range: tuple[float, float]) -> None:
    """Raises ArgumentError unless `range` is two finite numbers, low < high."""
    try:
        low, high = (float(value) for value in range)
    except (TypeError, ValueError):
        raise ArgumentError(f"range is {range!r}; use two numbers (low, high), such as (0, 1) or (-1, 1)") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ArgumentError(f"range is {range!r}; use finite numbers with low < high, such as (0, 1) or (-1, 1)")


def check_finite(array: np.ndarray, name: str) -> None:
    """Raises DataError that says how many NaN and infinite values a float array has, and where the first one is."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return
    bad = np.argwhere(~np.isfinite(array))
    first = tuple(int(position) for position in bad[0])
    raise DataError(
        f"{name}: {len(bad):,} of {array.size:,} values are NaN or infinite, the first at {first}; remove them"
    )
