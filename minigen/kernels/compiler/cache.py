"""Where compiled kernels are kept on disk, and how several processes share that place.

The folder's name is a hash of every source under `kernels/` and of Numba's version. So an edit in one file never leaves
stale code of another behind, and other users of Numba in the same process keep their own cache setting. It lies in
$MINIGEN_CACHE, else $XDG_CACHE_HOME/minigen, else ~/.cache/minigen; those of other sources are removed when nobody used
them for a month. Inside, Numba keeps the code of each processor (its name and vector extensions) apart, so machines may
share a home directory.
"""

import contextlib
import functools
import hashlib
import os
import re
import shutil
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numba

from minigen.kernels.compiler.process import SETTINGS

try:
    import fcntl
except ImportError:  # not a POSIX system: two processes compiling at the same moment are then not kept apart
    fcntl = None

KERNELS = Path(__file__).parent.parent
UNUSED_SECONDS = 30 * 24 * 3600  # after which a cache folder of other sources is removed


def cache_folder() -> Path:
    """The folder for exactly this version of the kernels and of Numba. It need not exist yet."""
    digest = hashlib.sha256(numba.__version__.encode())
    for name, source in sorted((path.relative_to(KERNELS).as_posix(), path) for path in KERNELS.rglob("*.py")):
        digest.update(f"\0{name}\0".encode() + source.read_bytes())
    if "MINIGEN_CACHE" in os.environ:
        root = Path(os.environ["MINIGEN_CACHE"])
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "minigen"
    return root / digest.hexdigest()[:16]


@functools.cache
def usable_folder() -> Path | None:
    """`cache_folder()`, made and tried; None, after saying so once, when nothing can be written there."""
    folder = None
    try:
        folder = cache_folder()
        folder.parent.mkdir(parents=True, exist_ok=True)
        with Lock(folder.parent):
            if not folder.exists():
                remove_unused(folder.parent)
                folder.mkdir()
            mark_used(folder)
        with tempfile.TemporaryFile(dir=folder), Lock(folder):
            return folder
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home directory
        warnings.warn(
            f"minigen: compiled kernels can not be kept in {folder} ({error}), so every run compiles them anew; "
            "set MINIGEN_CACHE to a folder that can be written",
            stacklevel=2,
        )
        return None


@functools.cache
def claimed_folder(name: str) -> Path | None:
    """A folder in `usable_folder()` that this process has to itself as long as it lives; None when it can not."""
    folder = usable_folder()
    if folder is None or fcntl is None:
        return None
    with contextlib.suppress(OSError):  # another process has it
        (folder / name).mkdir(exist_ok=True)
        fcntl.flock(os.open(folder / name / "claimed", os.O_RDWR | os.O_CREAT, 0o666), fcntl.LOCK_EX | fcntl.LOCK_NB)
        return folder / name
    return None


def mark_used(folder: Path) -> None:
    """Note the time in the folder's mark, a file, and hold the mark as long as this process lives."""
    file = os.open(folder / "used", os.O_RDWR | os.O_CREAT, 0o666)
    os.utime(folder / "used")
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_SH)


def remove_unused(root: Path) -> None:
    """Remove the cache folders in `root` that no process used for a month, unless one is using it now."""
    if fcntl is None:
        return
    for folder in root.iterdir():
        mark = folder / "used"
        with contextlib.suppress(OSError):  # in use, or somebody else's
            if re.fullmatch("[0-9a-f]{16}", folder.name) and time.time() - mark.stat().st_mtime > UNUSED_SECONDS:
                with mark.open() as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)


class Lock:
    """Only one process at a time reads or writes a cache folder. May be entered again by the thread that holds it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self.thread = threading.RLock()
        self.depth = 0
        self.file = -1

    def __enter__(self) -> None:
        self.thread.acquire()
        if self.depth == 0 and fcntl is not None:
            try:
                self.file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
                fcntl.flock(self.file, fcntl.LOCK_EX)
            except OSError:
                self.thread.release()
                raise
        self.depth += 1

    def __exit__(self, *exception: object) -> None:
        self.depth -= 1
        if self.depth == 0 and fcntl is not None:
            os.close(self.file)  # closing gives the lock back
        self.thread.release()


@functools.cache
def announce() -> None:
    """Say, once, why the first call takes seconds."""
    print("minigen: compiling kernels for this machine; the first step of a model takes 5 to 20 s", file=sys.stderr)


@functools.cache
def folder_lock(folder: Path) -> Lock:
    """The lock that all kernels of this process share."""
    return Lock(folder)


@contextlib.contextmanager
def numba_cache_in(folder: Path) -> Iterator[None]:
    """Numba's process-wide cache setting is `folder`, inside the block only."""
    previous = SETTINGS.CACHE_DIR
    SETTINGS.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        SETTINGS.CACHE_DIR = previous
