"""One run, one writer: a lock on a run folder, which ends with its process however that ends.

Where the system has file locks (flock) the kernel holds it, so that a killed process leaves none. Elsewhere the file
itself is the lock, and counts as left behind when no process of its number lives on this machine.
"""

import contextlib
import json
import os
import socket
import stat
import time
from pathlib import Path
from typing import Any

from minigen.errors import RunError
from minigen.files import alive, disk_error, remove_leavings

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

NAME = "lock"


class RunLock:
    """A context manager around everything that writes into the run folder `folder`; it may be entered again inside.

    Entering raises RunError, which says who holds it, when another one does. On the way in the temporary files of dead
    writers are removed. Whoever only reads a run asks for no lock.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / NAME
        self._depth = 0
        self._descriptor = -1

    def __enter__(self) -> "RunLock":
        if self._depth == 0:
            self._descriptor = self._acquire()
            remove_leavings([self.folder, self.folder / "samples"])
        self._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            with contextlib.suppress(OSError):
                os.truncate(self._descriptor, 0)
                self.path.unlink()  # while it is held: whoever opened it meanwhile sees that it is gone
            os.close(self._descriptor)

    def _acquire(self) -> int:
        """The descriptor of the locked file, which says who we are."""
        try:
            while True:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o644)
                try:
                    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                        raise RunError(f"{self.path} is not the lock file of a run; move it away")
                    if not self._taken(descriptor):
                        raise self._held(descriptor)
                    if self._is_still_there(descriptor):
                        os.truncate(descriptor, 0)
                        os.lseek(descriptor, 0, os.SEEK_SET)
                        os.write(descriptor, json.dumps(holder()).encode())
                        return descriptor
                except BaseException:
                    os.close(descriptor)
                    raise
                os.close(descriptor)  # its holder went, and took the name with it, between our two calls: once more
        except OSError as error:
            if isinstance(error, RunError):
                raise
            raise disk_error("lock", self.path, error) from error

    def _taken(self, descriptor: int) -> bool:
        """Whether the file is now ours."""
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                return False
            except OSError:
                pass  # a network disk without locks
        other = read_holder(descriptor)
        return not other or (other.get("host") == socket.gethostname() and not alive(other["pid"]))

    def _is_still_there(self, descriptor: int) -> bool:
        """Whether the name still means the file that we locked."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _held(self, descriptor: int) -> RunError:
        """The error that names the holder."""
        other = read_holder(descriptor)
        pid, host = other.get("pid", "unknown"), other.get("host", "an unknown host")
        return RunError(
            f"{self.folder} is being trained by process {pid} on {host}, since {other.get('since', 'a while')}; "
            f"wait for it, or let it save and stop with: kill -INT {pid}"
        )


def is_held(folder: Path) -> bool:
    """Whether a process of this machine, or one of another that can not be asked, trains the run in a folder."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False
    try:
        other = read_holder(descriptor)
    finally:
        os.close(descriptor)
    return bool(other) and (other.get("host") != socket.gethostname() or alive(other["pid"]))


def holder() -> dict[str, Any]:
    """Who we are, for whoever finds the folder locked."""
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}


def read_holder(descriptor: int) -> dict[str, Any]:
    """Who wrote the lock file; empty when that can not be read."""
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        found = json.loads(os.read(descriptor, 1000))
        return found if isinstance(found["pid"], int) else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
