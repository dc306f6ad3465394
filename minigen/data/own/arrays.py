"""Arrays in .npz and .npy files, whose headers are read first: what they are, and whether memory can hold them.

NumPy's format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. Pickled objects are refused.
"""

import io
import math
import os
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from minigen.data.limits import CHUNK, MEND, check_memory, open_file, shown
from minigen.errors import DataError

MOST_MEMBERS = 10_000
MOST_HEADER = 10_000  # bytes
Convert = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Stored:
    """An array on disk, not read yet. open: gives the file at its first byte; size: bytes of it; source: its name."""

    name: str
    source: str
    open: Callable[[], BinaryIO]
    size: int
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    start: int

    def read(self, dtype: Any = None, convert: Convert = lambda values: values) -> np.ndarray:
        """The array, converted piece by piece, in `dtype` (None: its own). Raises DataError."""
        target = np.dtype(dtype if dtype is not None else self.dtype.newbyteorder("="))
        count = math.prod(self.shape)
        check_memory(f"{self.source}: {self.name}", count * target.itemsize * (1 + self.fortran), "use less data")
        out = np.empty(count, target)
        done = 0
        try:
            with self.open() as file:
                file.read(self.start)
                while done < count:
                    wanted = min(max(CHUNK // self.dtype.itemsize, 1), count - done)
                    piece = file.read(wanted * self.dtype.itemsize)
                    whole = len(piece) // self.dtype.itemsize
                    if not whole or len(piece) % self.dtype.itemsize:
                        raise DataError(f"{self.source}: {self.name} ends before its last value; {MEND}")
                    out[done : done + whole] = convert(np.frombuffer(piece, self.dtype))
                    done += whole
                file.read(1)  # the end of a member, where its checksum is verified
        except (
            OSError,
            ValueError,
            EOFError,
            zipfile.BadZipFile,
            zlib.error,
            RuntimeError,
            NotImplementedError,
        ) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{self.source}: {self.name} can not be read ({one_line(error)}); {MEND}") from error
        if self.fortran:
            return np.ascontiguousarray(out.reshape(self.shape[::-1]).T)
        return out.reshape(self.shape)


def stored_arrays(path: Path) -> dict[str, Stored]:
    """The arrays of a .npz archive, by name, in their order. Raises DataError that names the file and the mend."""
    source, mend = shown(path), "write it with np.savez(path, images=..., labels=...)"
    with open_file(path) as file:
        if file.read(6) == b"\x93NUMPY":
            raise DataError(f"{source}: is a single array, not a .npz archive; {mend}")
    found = {}
    try:
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS:
                raise DataError(f"{source}: has {len(members):,} members; {mend}")
            for member in members:
                if member.filename.endswith(".npy") and not member.filename.startswith("__MACOSX"):
                    name = member.filename.removesuffix(".npy")
                    found[name] = stored_member(path, archive, member, as_name(name))
    except DataError:
        raise
    except Exception as error:  # what is no archive fails in any way
        raise DataError(f"{source}: can not be read as .npz ({one_line(error)}); {mend}") from error
    return found


def stored_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Stored:
    """One array of an archive."""
    source = shown(path)
    if member.flag_bits & 1:
        raise DataError(f"{source}: {name} is encrypted; save it without a password")
    with archive.open(member) as file:
        shape, dtype, fortran, start = header(file, member.file_size, source, name)

    def reopen() -> Any:
        return Member(path, member)

    return Stored(name, source, reopen, member.file_size, shape, dtype, fortran, start)


class Member:
    """A member of an archive, opened on its own, with the archive closed behind it."""

    def __init__(self, path: Path, member: zipfile.ZipInfo) -> None:
        self.file = open_file(path)
        self.archive = zipfile.ZipFile(self.file)
        self.member = self.archive.open(member)
        self.read = self.member.read

    def __enter__(self) -> "Member":
        return self

    def __exit__(self, *exception: object) -> None:
        for part in (self.member, self.archive, self.file):
            part.close()


def stored_file(path: Path) -> Stored:
    """The array of a .npy file. Raises DataError that names the file and the mend."""
    source = shown(path)
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        shape, dtype, fortran, start = header(file, size, source, "the array")
    return Stored(path.stem, source, lambda: open_file(path), size, shape, dtype, fortran, start)


def header(file: Any, size: int, source: str, name: str) -> tuple[tuple[int, ...], np.dtype, bool, int]:
    """(shape, dtype, whether Fortran's order, bytes before the values) of an array that takes `size` bytes in all."""
    mend = "save it with np.save, as numbers"
    file = io.BytesIO(file.read(MOST_HEADER))  # and no more, whatever length it promises
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"format {version}, as of arrays with named fields")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except DataError:
        raise
    except Exception as error:  # a damaged header fails in any way
        raise DataError(f"{source}: {name} can not be read as .npy ({one_line(error)}); {mend}") from error
    if dtype.hasobject:
        raise DataError(f"{source}: {name} can not be read as .npy (it holds Python objects, pickled); {mend}")
    if dtype.names or dtype.kind not in "buifSU" or dtype.itemsize == 0 or dtype.subdtype:
        raise DataError(f"{source}: {name} can not be read as .npy (its values are {as_name(str(dtype))}); {mend}")
    if any(side < 0 for side in shape) or len(shape) > 32:
        raise DataError(f"{source}: {name} has the shape {as_name(str(shape))}; {MEND}")
    start = file.tell()
    expected = start + math.prod(shape) * dtype.itemsize
    if expected != size:
        raise DataError(
            f"{source}: {name} promises shape {as_name(str(shape))}, {expected:,} bytes in all, but it has "
            f"{size:,}; {MEND}"
        )
    return shape, dtype, bool(fortran and len(shape) > 1), start


def as_name(text: str) -> str:
    """A name from a file as it stands in messages."""
    return shown(text)[:100]


def one_line(error: BaseException) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
