"""The embedded MNIST: whole, as published, scaled as asked, and checked at every load."""

import importlib
import shutil

import numpy as np
import pytest

from minigen.data import load, mnist
from minigen.errors import ArgumentError, DataError

module = importlib.import_module("minigen.data.mnist")  # the package's `mnist` is the function


@pytest.mark.parametrize(("split", "count", "first"), [("train", 60_000, [5, 0, 4, 1]), ("test", 10_000, [7, 2, 1, 0])])
def test_mnist_is_whole(split, count, first):
    data = mnist(split)
    assert len(data) == count and data.image_shape == (28, 28, 1) and data.images.dtype == np.uint8
    assert data.labels is not None and data.labels.dtype == np.int64
    assert data.labels[:4].tolist() == first
    assert np.unique(data.labels).tolist() == list(range(10))
    # published class counts of the training set, http://yann.lecun.com/exdb/mnist/
    if split == "train":
        assert np.bincount(data.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
        assert data.images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)


def test_second_load_shares_the_arrays_of_the_first():
    assert np.shares_memory(mnist("test").images, load("mnist", "test", (-1, 1)).images)


def test_data_can_not_be_changed_by_accident():
    data = mnist("test")
    with pytest.raises(ValueError, match="read-only"):
        data.images[0] = 0
    x, _ = data[:2]
    x[...] = 0.5  # what is handed out is a copy


@pytest.fixture
def altered_files(tmp_path, monkeypatch):
    """A copy of the installed test files that may be damaged."""
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        shutil.copy(module.FOLDER / name, tmp_path)
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    module.read_embedded.cache_clear()
    yield tmp_path
    module.read_embedded.cache_clear()


def test_altered_label_is_found(altered_files):
    path = altered_files / "t10k-labels-idx1-ubyte.gz"
    labels = module.idx.read(path).copy()
    labels[123] ^= 1
    module.idx.write(path, labels)
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz.*SHA-256"):
        mnist("test")


def test_missing_and_truncated_files(altered_files):
    path = altered_files / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz: damaged gzip"):
        mnist("test")
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        mnist("test")


def test_unknown_split():
    with pytest.raises(ArgumentError, match="'validation'"):
        mnist("validation")
