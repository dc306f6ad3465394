"""Writing a file whole or not at all, and errors of the disk that say what to do.

A crash, a full disk or a pulled plug leaves either the old file or the new one, never half of each.
"""

import contextlib
import errno
import os
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
}


def disk_error(action: str, path: Path, error: OSError) -> RunError:
    """The RunError that tells what could not be done to `path`, why, and the mend."""
    cause = CAUSES.get(error.errno or 0, error.strerror or str(error))
    return RunError(f"cannot {action} {path}: {cause} (what was saved before is intact)")


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
