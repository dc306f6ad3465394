"""Reader and writer of IDX, the format of MNIST and of the data sets made in its image: gzipped or raw.

A file is two zero bytes, a type code, the number of axes, each axis' length as a big-endian 32-bit integer, and then
the values, big-endian, last axis fastest (http://yann.lecun.com/exdb/mnist/, "the IDX file format"). Whatever is wrong
with a file ends in one DataError that names the file and the mend.
"""

import gzip
import hashlib
import math
import os
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from minigen.data.limits import GZIP_MAGIC, MEND, Unpacked, check_memory, is_file, read_bytes, shown
from minigen.errors import ArgumentError, DataError, DTypeError
from minigen.files import write_atomic

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
CODES = {np.dtype(name).newbyteorder("="): code for code, name in DTYPES.items()}
PREFIXES = {"train": "train", "test": "t10k"}


def read(path: str | os.PathLike, sha256: str | None = None) -> np.ndarray:
    """The array in the IDX file at `path`, read-only, in its own dtype.

    `sha256`, when given, is what the unpacked bytes must hash to. Raises DataError for a file that is missing,
    truncated, altered, or no IDX file.
    """
    raw = unpacked(read_bytes(path), path)
    if sha256 is not None:
        verify(raw, sha256, path)
    return parse(raw, path)


def unpacked(packed: bytes, source: str | os.PathLike) -> bytes:
    """The bytes of an IDX file without gzip, at most one more than its header promises, which is then refused."""
    if not packed.startswith(GZIP_MAGIC):
        return packed
    with Unpacked(packed, source) as file:
        header = file.read(4)
        if len(header) < 4 or header[:2] != b"\0\0" or header[2] not in DTYPES:
            return header
        header += file.read(4 * header[3])
        return header + file.read(size_after(header, source) + 1)


def size_after(header: bytes, source: str | os.PathLike) -> int:
    """The bytes that a header promises to follow it. Raises DataError for more than memory can hold."""
    if len(header) < 4 + 4 * header[3]:
        return 0
    count = math.prod(struct.unpack(f">{header[3]}I", header[4:])) * np.dtype(DTYPES[header[2]]).itemsize
    check_memory(f"{shown(source)}: the array that its header promises", count, MEND)
    return count


def verify(raw: bytes, sha256: str, source: str | os.PathLike) -> None:
    """Raises DataError unless the unpacked bytes hash to `sha256`."""
    found = hashlib.sha256(raw).hexdigest()
    if found != sha256:
        raise DataError(f"{source}: its unpacked content has SHA-256 {found}, expected {sha256}; {MEND}")


def parse(raw: bytes, source: str | os.PathLike) -> np.ndarray:
    """The array that the unpacked bytes of an IDX file hold; `source` names them in errors."""
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in DTYPES:
        raise DataError(f"{source}: not an IDX file (it begins with {raw[:4].hex(' ') or 'nothing'}); {MEND}")
    start = 4 + 4 * raw[3]
    if len(raw) < start:
        raise DataError(f"{source}: ends inside its header, after {len(raw)} bytes of {start}; {MEND}")
    shape = struct.unpack(f">{raw[3]}I", raw[4:start])
    dtype = np.dtype(DTYPES[raw[2]])
    expected = start + math.prod(shape) * dtype.itemsize
    if len(raw) != expected:
        raise DataError(
            f"{source}: its header promises shape {shape}, {expected:,} bytes in all, but it has {len(raw):,}; {MEND}"
        )
    if raw[3] > 32:
        raise DataError(f"{source}: its header promises {raw[3]} axes; {MEND}")
    array = np.frombuffer(raw, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
    array.flags.writeable = False
    return array


def write(path: str | os.PathLike, array: np.ndarray) -> None:
    """Write `array` as IDX, gzipped when `path` ends in .gz; the same array always gives the same bytes.

    dtypes: uint8, int8, int16, int32, float32, float64. Raises DTypeError for another, RunError when the disk refuses.
    """
    code = CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        names = ", ".join(str(dtype) for dtype in CODES)
        raise DTypeError(f"idx.write: IDX can not hold {array.dtype}; convert to one of {names}")
    header = struct.pack(f">4B{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    raw = header + np.ascontiguousarray(array, DTYPES[code]).tobytes()
    write_atomic(Path(path), gzip.compress(raw, 9, mtime=0) if str(path).endswith(".gz") else raw)


def file_names(split: str) -> tuple[str, str]:
    """The names, without .gz, of the images and the labels of `split`, "train" or "test"."""
    if split not in PREFIXES:
        raise ArgumentError(f"split is {split!r}; use 'train' or 'test'")
    return f"{PREFIXES[split]}-images-idx3-ubyte", f"{PREFIXES[split]}-labels-idx1-ubyte"


def find(folder: str | os.PathLike, name: str) -> Path | None:
    """The file of that name in `folder`: gzipped or raw, also as some archives unpack it (train-images.idx3-ubyte)."""
    for candidate in (f"{name}.gz", name, name.replace("-idx", ".idx")):
        if is_file(path := Path(folder, candidate)):
            return path
    return None


def has_split(folder: str | os.PathLike, split: str) -> bool:
    """Whether `folder` holds both files of `split`."""
    return all(find(folder, name) is not None for name in file_names(split))


def read_split(
    folder: str | os.PathLike, split: str, checksums: Mapping[str, str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, H, W, 1) uint8 and labels (N,) int64 of one split of an MNIST-like folder of IDX files.

    `checksums` maps file names (without .gz) to the SHA-256 of their unpacked bytes. Raises DataError.
    """
    arrays = []
    for name, ndim in zip(file_names(split), (3, 1), strict=True):
        path = find(folder, name) or Path(folder, f"{name}.gz")
        array = read(path, checksums[name] if checksums else None)
        if array.ndim != ndim or array.dtype != np.uint8:
            raise DataError(f"{path}: holds {array.dtype} {array.shape}, expected uint8 with {ndim} axes; {MEND}")
        arrays.append(array)
    images, labels = arrays
    check_pair(images, labels, folder, split)
    return images[..., np.newaxis], labels.astype(np.int64)


def check_pair(images: np.ndarray, labels: np.ndarray, folder: str | os.PathLike, split: str) -> None:
    """Raises DataError unless there are as many labels as images."""
    if len(images) != len(labels):
        raise DataError(
            f"{shown(folder)}: {split} has {len(images):,} images but {len(labels):,} labels; get both files from one "
            "source"
        )
