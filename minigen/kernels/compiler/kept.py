"""Files of compiled code, each behind a digest of its name and contents, read only where nobody else could write.

What is read is unpickled and run, so it must be what this user wrote: the opened file has to belong to the user (or to
root) with nobody else allowed to write it, and its SHA-256 has to be right. A flipped bit, a file cut short, two files
exchanged, somebody else's file: each counts as absent, and the code is compiled again.
"""

import contextlib
import hashlib
import os
import stat
from pathlib import Path

DIGEST_BYTES = 32


def trusted(found: os.stat_result) -> bool:
    """Whether only this user, or root, can have written what is there. True where files have no owners (Windows)."""
    if not hasattr(os, "geteuid"):
        return True
    return found.st_uid in (0, os.geteuid()) and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def read(path: Path) -> bytes | None:
    """What `write` put there; None when it is not there, not whole, or may be of somebody else."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        if trusted(os.fstat(file.fileno())):
            digest, contents = file.read(DIGEST_BYTES), file.read()
            return contents if digest == digest_of(path, contents) else None
    return None


def write(path: Path, contents: bytes) -> None:
    """Put a file there, whole or not at all; several processes may write the same one. Raises OSError."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        # Made anew, since a file that somebody left there under this name would keep its owner.
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:
            file.write(digest_of(path, contents) + contents)
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def digest_of(path: Path, contents: bytes) -> bytes:
    """SHA-256 of a file's name and contents: a file under another's name is noticed, too."""
    return hashlib.sha256(path.name.encode() + b"\0" + contents).digest()


def drop_unknown(folder: Path) -> None:
    """Remove every file below `folder` that is not as `note_all` noted it."""
    noted = (read(folder / "noted") or b"").decode().split("\n")
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if path.parent != folder and not (trusted(path.stat()) and line_of(path, folder) in noted):
            path.unlink()


def note_all(folder: Path) -> None:
    """Note the digest of every file in the folders of `folder`, for `drop_unknown`."""
    files = [path for path in sorted(folder.glob("*/*")) if path.is_file()]
    with contextlib.suppress(OSError):
        write(folder / "noted", "\n".join(line_of(path, folder) for path in files).encode())


def line_of(path: Path, folder: Path) -> str:
    """A file's digest and its path."""
    return f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.relative_to(folder).as_posix()}"
