"""ImageDataset and ArrayDataset: scaling, indexing, and what they refuse."""

import numpy as np
import pytest

from minigen.data import ArrayDataset, ImageDataset
from minigen.errors import ArgumentError, DataError, ShapeError

IMAGES = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
LABELS = np.array([0, 1, 2, 1])


def dataset(images: np.ndarray = IMAGES, labels: np.ndarray | None = LABELS, classes=("a", "b", "c"), range=(0.0, 1.0)):
    return ImageDataset(images, labels, classes, "toy", range)


@pytest.mark.parametrize("range", [(0, 1), (-1, 1), (0.25, 0.5)])
@pytest.mark.parametrize("stored", ["uint8", "float32"])
def test_scaling_is_linear_and_exact_at_both_ends(stored, range):
    images = IMAGES if stored == "uint8" else (IMAGES / 255).astype(np.float32)
    x, _ = dataset(images, range=range)[:]
    low, high = range
    assert x.dtype == np.float32 and x.min() == low and x.max() == high
    np.testing.assert_allclose(x, low + (high - low) * (IMAGES / 255), rtol=0, atol=1.2e-7)


@pytest.mark.parametrize("index", [2, slice(1, 3), np.array([3, 0, 0]), -1])
def test_indexing_follows_numpy(index):
    x, y = dataset()[index]
    np.testing.assert_array_equal(x, (IMAGES[index] / np.float32(255)))
    np.testing.assert_array_equal(y, LABELS[index])


def test_without_labels_items_have_one_part():
    (x,) = dataset(labels=None, classes=())[:3]
    assert x.shape == (3, 8, 8, 1)


@pytest.mark.parametrize("range", [(1, 0), (0, 0), (0, np.nan), (0, np.inf), (0,), (0, 1, 2), 1, ("a", "b")])
def test_bad_range(range):
    with pytest.raises(ArgumentError, match="range is"):
        dataset(range=range)


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (IMAGES[..., 0], LABELS, ShapeError, "channels-last"),
        (IMAGES.astype(np.int64), LABELS, ShapeError, "uint8 or float32"),
        (IMAGES, LABELS[:3], ShapeError, "4 images"),
        (IMAGES, LABELS + 1, DataError, "from 1 to 3"),
        (IMAGES, LABELS - 1, DataError, "from -1 to 1"),
    ],
)
def test_arrays_that_do_not_fit(images, labels, error, message):
    with pytest.raises(error, match=message):
        dataset(images, labels)


def test_array_dataset():
    x, y = np.arange(12.0).reshape(6, 2), np.arange(6)
    data = ArrayDataset(x, y)
    assert len(data) == 6
    np.testing.assert_array_equal(data[np.array([4, 1])][0], x[[4, 1]])
    np.testing.assert_array_equal(data[2:4][1], [2, 3])


@pytest.mark.parametrize("arrays", [(), (np.zeros(3), np.zeros(4)), (np.float32(1),)])
def test_array_dataset_needs_equal_lengths(arrays):
    with pytest.raises(ShapeError, match="same number of rows"):
        ArrayDataset(*arrays)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_array_dataset_names_the_first_bad_value(bad):
    x = np.zeros((5, 2))
    x[3, 1] = x[4, 0] = bad
    with pytest.raises(DataError, match=r"array 0: 2 of 10 values .* \(3, 1\)"):
        ArrayDataset(x)
