"""Writing a file whole or not at all, reading no more than it should hold, and errors of the disk that say what to do.

A crash, a full disk or a pulled plug leaves either the old file or the new one, never half of each.
"""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from minigen.errors import RunError

CAUSES = {
    errno.ENOSPC: "the disk is full; free some space and go on with --resume",
    errno.EDQUOT: "your disk quota is used up; free some space and go on with --resume",
    errno.EFBIG: "the file would pass the allowed file size; raise it (ulimit -f) and go on with --resume",
    errno.EROFS: "the disk is read-only; choose a folder that can be written with --out",
    errno.EACCES: "permission denied; choose a folder that you may write with --out",
    errno.EPERM: "permission denied; choose a folder that you may write with --out",
    errno.ENOENT: "its folder does not exist; make it first, or choose another path",
    errno.ENOTDIR: "part of this path is a file; choose another folder with --out",
    errno.EISDIR: "it is a folder; move it away, or choose another path",
}
TEMPORARY = re.compile(r".+\.(\d+)\.tmp")  # of the process of that number


def disk_error(action: str, path: Path, error: OSError) -> RunError:
    """The RunError that tells what could not be done to `path`, why, and the mend."""
    cause = CAUSES.get(error.errno or 0, error.strerror or str(error))
    kept = action == "write" and os.path.isfile(path)
    return RunError(f"cannot {action} {path}: {cause}{' (what was saved before is intact)' if kept else ''}")


def write_atomic(path: Path, data: bytes) -> None:
    """Put `data` at `path` by way of a temporary file in the same folder, synced, then renamed over it.

    Raises RunError and leaves the old file as it was when the disk refuses.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")  # two processes may write the same file at once
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise disk_error("write", path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def read_regular(path: Path, limit: int) -> bytes:
    """The bytes of a file that holds at most `limit` of them.

    Raises FileNotFoundError when there is none, and RunError, before anything is read, when it is larger or no
    regular file: a pipe would be waited for, and a device has no end.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise disk_error("read", path, error) from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise RunError(f"{path} is no file but {kind(found.st_mode)}; move it away, or restore the file")
        if found.st_size > limit:
            raise RunError(f"{path} has {found.st_size:,} bytes, of at most {limit:,}; restore it from a copy")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(limit)
    except OSError as error:
        raise error if isinstance(error, RunError) else disk_error("read", path, error) from error
    finally:
        os.close(descriptor)


def kind(mode: int) -> str:
    """What a path is that is no regular file."""
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(mode) else "a device or a socket"


def free_name(path: Path) -> Path:
    """NAME-old-1 beside `path`, or the first such name that is free."""
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}-old-{number}")):
        number += 1
    return aside


def keep_aside(path: Path) -> Path:
    """Rename `path` to its `free_name`, which is returned. Raises RunError."""
    aside = free_name(path)
    try:
        path.rename(aside)
        sync_folder(path.parent)
    except OSError as error:
        raise disk_error("rename", path, error) from error
    return aside


def remove_leavings(folders: Iterable[Path]) -> None:
    """Remove the temporary files that killed writers left in these folders. Those of processes that live stay.

    Our own number counts as dead: it was somebody else's before, as it often is in a container.
    """
    for folder in folders:
        for path in folder.glob("*.tmp"):
            match = TEMPORARY.fullmatch(path.name)
            if match and path.is_file() and (int(match[1]) == os.getpid() or not alive(int(match[1]))):
                with contextlib.suppress(OSError):
                    path.unlink()


def alive(pid: int) -> bool:
    """Whether a process of that number runs on this machine. Where that can not be told it does."""
    if os.name != "posix":  # there os.kill would end it
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def sync_folder(folder: Path) -> None:
    """Force the folder's entries to disk, so that a rename outlives a power cut. Nothing to do on Windows."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network disks cannot sync a folder, and say so with EINVAL
            raise
    finally:
        os.close(descriptor)
