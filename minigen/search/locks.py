"""A lock that processes wait for, on this machine or on a shared folder, and that ends with its holder however it ends.

The kernel holds it (flock), and a network disk's server for the machines that share it: of a killed process none is
left behind, so nobody has to guess by the clock whether a holder still lives.
"""

import os
from pathlib import Path

from minigen.errors import RunError
from minigen.files import disk_error

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


class FileLock:
    """A context manager; `acquire` and `release` are how Optuna's journal calls it. One thread, and not twice.

    lines: a file of lines that is written under this lock alone. What a writer who was killed left of a last line is
    cut off on the way in, or the next one would be appended to it. Raises RunError where there are no file locks.
    """

    def __init__(self, path: Path, lines: Path | None = None) -> None:
        self.path, self.lines = path, lines
        self._descriptor = -1

    def acquire(self) -> bool:
        """Wait until the lock is ours."""
        if fcntl is None:
            raise RunError(
                "search: this system has no flock, by which workers keep out of each other's way; use Linux or macOS"
            )
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise disk_error("lock", self.path, error) from error
        if self.lines is not None:
            drop_half_line(self.lines)
        return True

    def release(self) -> None:
        """Let the next one in."""
        os.close(self._descriptor)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def drop_half_line(path: Path) -> None:
    """Cut a file of lines after its last whole one."""
    with open(path, "rb+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        if size and file.read(1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
