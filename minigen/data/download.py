"""Download one file from the first mirror that has it, whole and unaltered.

The file is verified before it gets its name, and gets its name in one step, so that a folder never holds half a file.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minigen.data import idx
from minigen.data.limits import unpack
from minigen.errors import DataError
from minigen.files import write_atomic

TIMEOUT = 20.0  # seconds without a byte before a mirror is given up
CHUNK = 1 << 18


def data_cache() -> Path:
    """The folder for downloaded data: ~/.cache/minigen/data, or under $XDG_CACHE_HOME."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "minigen", "data")


def download(name: str, mirrors: Sequence[str], sha256: str, folder: Path) -> None:
    """Fetch `name` from the first of `mirrors` (URLs of folders) that works and store it as folder/name.

    `sha256` is that of the unpacked content. Raises DataError that lists each mirror with what went wrong there.
    """
    failures = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{name}"
        try:
            packed = fetch(url)
            idx.verify(unpack(packed, url), sha256, url)
        except (OSError, ValueError) as error:
            reason = str(getattr(error, "reason", "") or error or type(error).__name__)
            failures.append(reason if url in reason else f"{url}: {reason}")
            continue
        store(packed, folder / name)
        return
    raise DataError("\n".join(failures))


def fetch(url: str) -> bytes:
    """The bytes at `url`; on a terminal, progress goes to stderr. Raises OSError."""
    from http.client import HTTPException  # only a download is worth loading these
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=TIMEOUT) as response:
            return received(response, url)
    except HTTPException as error:
        raise OSError(str(error) or type(error).__name__) from error


def received(response: Any, url: str) -> bytes:
    """The whole body of a response. Raises OSError when it ends early."""
    chunks, length = [], 0
    total = int(response.headers.get("Content-Length") or 0)
    show = sys.stderr.isatty()
    while chunk := response.read(CHUNK):
        chunks.append(chunk)
        length += len(chunk)
        if show:
            of_total = f" of {total / 1e6:.1f}" if total else ""
            print(f"\r{url}: {length / 1e6:.1f}{of_total} MB", end="", file=sys.stderr, flush=True)
    if show:
        print(file=sys.stderr)
    if total and length != total:
        raise OSError(f"the connection ended after {length:,} of {total:,} bytes")
    return b"".join(chunks)


def store(content: bytes, path: Path) -> None:
    """Write `path` whole or not at all. Raises DataError if the folder can not be written or the disk is full."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
    except OSError as error:  # a RunError is one too, and tells of --resume, which is no mend here
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        raise DataError(
            f"{path}: can not be written ({cause.strerror}); free some space, or set XDG_CACHE_HOME to another folder"
        ) from error
