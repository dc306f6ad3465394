"""Reading a user's files without harm: nothing that blocks is opened, and nothing is allocated that is not there.

A name may be a pipe or a device, a header may promise 10¹² values, a few kilobytes may unpack to gigabytes. So a file
is opened only when it is a regular one, what it will take is reckoned before it is allocated, and unpacking stops at
that.
"""

import gzip
import io
import os
import stat
import struct
import zlib
from typing import BinaryIO

from minigen.errors import DataError

GB = 10**9
MOST = 3 * GB  # a data set may take so much memory, where MINIGEN_DATA_GB says nothing else
CHUNK = 1 << 22
GZIP_MAGIC = b"\x1f\x8b"
MEND = "get a fresh copy of the file"


def shown(path: str | os.PathLike) -> str:
    """A path as it stands in messages: on one line, and with bytes that are no text escaped."""
    text = os.fspath(path).encode(errors="backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def status(path: str | os.PathLike) -> os.stat_result | None:
    """os.stat of what is there, following links; None where nothing is, or a name that no file can have."""
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None


def is_folder(path: str | os.PathLike) -> bool:
    """Whether a folder is there."""
    found = status(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def is_file(path: str | os.PathLike) -> bool:
    """Whether a regular file is there: no folder, pipe or device."""
    found = status(path)
    return found is not None and stat.S_ISREG(found.st_mode)


def open_file(path: str | os.PathLike) -> BinaryIO:
    """A regular file, opened to be read. Raises DataError for what is missing, forbidden, a folder, pipe or device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise DataError(f"{shown(path)}: no such file; {MEND} or correct the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{shown(path)}: can not be read ({reason}); check the path and its permissions") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device"
        raise DataError(f"{shown(path)}: can not be read (it is {kind}); give a regular file")
    return open(descriptor, "rb")


def read_bytes(path: str | os.PathLike) -> bytes:
    """The file as it is on disk. Raises DataError, also for one that memory can not hold."""
    with open_file(path) as file:
        check_memory(shown(path), os.fstat(file.fileno()).st_size, "use a smaller file")
        try:
            return file.read()
        except OSError as error:
            raise DataError(f"{shown(path)}: can not be read ({error.strerror}); check the disk") from error


def unpack(packed: bytes, source: str | os.PathLike) -> bytes:
    """`packed` without gzip, if it is gzipped; `source` names it in errors. Unpacks no more than memory can hold."""
    if not packed.startswith(GZIP_MAGIC):
        return packed
    limit = memory_limit()
    with Unpacked(packed, source) as file:
        raw = file.read(limit + 1)
    if len(raw) > limit:
        raise too_large(shown(source), "more than this", "use a smaller file")
    return raw


class Unpacked:
    """The content of gzipped bytes, read piece by piece. Raises DataError where it is damaged."""

    def __init__(self, packed: bytes, source: str | os.PathLike) -> None:
        self.size, self.source = len(packed), source
        self.file = gzip.GzipFile(fileobj=io.BytesIO(packed))

    def read(self, count: int) -> bytes:
        """Up to `count` further bytes: fewer only at the end, whose checksum has then been verified."""
        pieces, left = [], count
        try:
            while left and (piece := self.file.read(min(left, CHUNK))):
                pieces.append(piece)
                left -= len(piece)
        except (EOFError, zlib.error, gzip.BadGzipFile, struct.error) as error:
            raise DataError(
                f"{shown(self.source)}: damaged gzip file of {self.size:,} bytes ({error}); {MEND}"
            ) from error
        return b"".join(pieces)

    def __enter__(self) -> "Unpacked":
        return self

    def __exit__(self, *exception: object) -> None:
        self.file.close()


def memory_limit() -> int:
    """Bytes that a data set may take: $MINIGEN_DATA_GB or 3 GB, and no more than 80 % of the memory that is free."""
    try:
        most = int(float(os.environ.get("MINIGEN_DATA_GB", "")) * GB)
    except (ValueError, OverflowError):
        most = MOST
    return max(min(most, free_memory() * 4 // 5), 0)


def free_memory() -> int:
    """Bytes of memory that this process can have without swapping."""
    try:
        with open("/proc/meminfo", "rb") as file:
            lines = dict(line.split(b":", 1) for line in file)
        return int(lines[b"MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError, IndexError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2 if hasattr(os, "sysconf") else 4 * GB


def check_memory(name: str, count: int, mend: str) -> None:
    """Raises DataError, before anything is allocated, when `count` bytes are more than a data set may take."""
    if count > memory_limit():
        raise too_large(name, f"{count / GB:,.1f} GB", mend)


def too_large(name: str, size: str, mend: str) -> DataError:
    """The DataError for what memory can not hold."""
    return DataError(
        f"{name}: would take {size} of memory, and the limit is {memory_limit() / GB:.1f} GB; {mend}, or raise the "
        "limit with MINIGEN_DATA_GB (never above the memory that is free)"
    )
