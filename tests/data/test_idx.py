"""IDX files: what is written is read back, and every kind of damage is one DataError that names the file."""

import gzip
import struct

import numpy as np
import pytest

from minigen.data import idx
from minigen.errors import ArgumentError, DataError, DTypeError

DTYPES = ["uint8", "int8", "int16", "int32", "float32", "float64"]


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 0x08, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("shape", [(), (3,), (0, 4), (2, 3, 4)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_written_is_read_back(tmp_path, dtype, shape, suffix):
    array = np.random.default_rng(0).uniform(0, 100, shape).astype(dtype)
    path = tmp_path / f"array{suffix}"
    idx.write(path, array)
    found = idx.read(path)
    assert found.dtype == array.dtype and found.shape == shape
    np.testing.assert_array_equal(found, array)
    assert not found.flags.writeable


def test_layout_on_disk_is_the_published_one(tmp_path):
    idx.write(tmp_path / "a", np.array([[1, -2]], np.int16))
    assert (tmp_path / "a").read_bytes().hex(" ") == "00 00 0b 02 00 00 00 01 00 00 00 02 00 01 ff fe"


def test_same_array_gives_same_gzip_bytes(tmp_path):
    for name in ("a.gz", "b.gz"):
        idx.write(tmp_path / name, np.arange(9, dtype=np.uint8))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_dtype_that_idx_can_not_hold(tmp_path):
    with pytest.raises(DTypeError, match="int64"):
        idx.write(tmp_path / "a", np.arange(3))


GOOD = idx_bytes(np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
PACKED = gzip.compress(GOOD)
DAMAGE = {
    "empty": (b"", "not an IDX file"),
    "three bytes": (b"\0\0\x08", "not an IDX file"),
    "text": (b"<html>404</html>", "not an IDX file"),
    "unknown type": (b"\0\0\x07" + GOOD[3:], "not an IDX file"),
    "header cut": (GOOD[:9], "inside its header"),
    "raw truncated": (GOOD[:-1], "promises"),
    "raw too long": (GOOD + b"\0", "promises"),
    "count altered": (GOOD[:7] + b"\x04" + GOOD[8:], "promises"),
    "huge count": (GOOD[:4] + b"\xff" * 12 + GOOD[16:], "promises"),
    "gzip truncated": (PACKED[:-12], "damaged gzip"),
    "gzip header only": (PACKED[:5], "damaged gzip"),
    "gzip byte altered": (PACKED[:-6] + bytes([PACKED[-6] ^ 1]) + PACKED[-5:], "damaged gzip"),
    "gzip with trailing rubbish": (PACKED + b"rubbish", "damaged gzip"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_a_data_error_that_names_the_file(tmp_path, kind):
    content, message = DAMAGE[kind]
    path = tmp_path / "images.idx"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        idx.read(path)
    assert str(path) in str(caught.value) and "fresh copy" in str(caught.value)


def test_checksum(tmp_path):
    path = tmp_path / "images.idx"
    path.write_bytes(GOOD)
    good = "f" * 64
    with pytest.raises(DataError, match="SHA-256") as caught:
        idx.read(path, good)
    assert str(path) in str(caught.value) and good in str(caught.value)


def test_missing_file_and_folder_instead_of_file(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        idx.read(tmp_path / "nothing.gz")
    with pytest.raises(DataError, match="can not be read"):
        idx.read(tmp_path)


@pytest.mark.parametrize("names", ["{}.gz", "{}", "dotted"])
def test_split_is_found_under_its_usual_names(tmp_path, names):
    images, labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4), np.array([7, 1], np.uint8)
    for name, array in zip(idx.file_names("test"), (images, labels), strict=True):
        idx.write(tmp_path / (name.replace("-idx", ".idx") if names == "dotted" else names.format(name)), array)
    assert idx.has_split(tmp_path, "test") and not idx.has_split(tmp_path, "train")
    x, y = idx.read_split(tmp_path, "test")
    np.testing.assert_array_equal(x, images[..., None])
    np.testing.assert_array_equal(y, labels)
    assert y.dtype == np.int64


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((3, 2, 2)), np.zeros(2), "3 images but 2 labels"),
        (np.zeros((3, 2)), np.zeros(3), "3 axes"),
        (np.zeros((3, 2, 2)), np.zeros((3, 1)), "1 axes"),
    ],
)
def test_files_that_do_not_belong_together(tmp_path, images, labels, message):
    for name, array in zip(idx.file_names("train"), (images, labels), strict=True):
        idx.write(tmp_path / name, array.astype(np.uint8))
    with pytest.raises(DataError, match=message):
        idx.read_split(tmp_path, "train")


def test_missing_half_of_a_split_and_unknown_split(tmp_path):
    idx.write(tmp_path / idx.file_names("train")[0], np.zeros((1, 2, 2), np.uint8))
    with pytest.raises(DataError, match="train-labels"):
        idx.read_split(tmp_path, "train")
    with pytest.raises(ArgumentError, match="'valid'"):
        idx.read_split(tmp_path, "valid")
