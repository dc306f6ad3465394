"""Where compiled kernels are kept on disk, and how several processes share that place.

The folder's name is a hash of every source under `kernels/` and of Numba's version. So an edit in one file never leaves
stale code of another behind, and other users of Numba in the same process keep their own cache setting. It lies in
$MINIGEN_CACHE, else $XDG_CACHE_HOME/minigen, else ~/.cache/minigen; those of other sources are removed when nobody used
them for a month. Code for each processor (its name and vector extensions) has names of its own, so machines may share a
home directory.

Code is loaded from a folder alone that belongs to this user (or to root) and that nobody else can write. Where there
can be none, one of this user's below the system's temporary folder takes its place. A warm folder may be read-only.
"""

import atexit
import contextlib
import functools
import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numba

from minigen.kernels.compiler.kept import drop_unknown, note_all, trusted
from minigen.kernels.compiler.process import SETTINGS

try:
    import fcntl
except ImportError:  # not a POSIX system: two processes making a folder at the same moment are then not kept apart
    fcntl = None

KERNELS = Path(__file__).parent.parent
UNUSED_SECONDS = 30 * 24 * 3600  # after which a cache folder of other sources is removed


def cache_folder() -> Path:
    """The folder for exactly this version of the kernels and of Numba. It need not exist yet."""
    root = Path(os.environ.get("MINIGEN_CACHE") or user_cache() / "minigen")
    return root.absolute() / version_name()  # a program may change its working directory


def user_cache() -> Path:
    """Where this user's programs keep what they can make again. Raises RuntimeError when there is no home directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def version_name() -> str:
    """A name for this version of the kernels and of Numba."""
    digest = hashlib.sha256(numba.__version__.encode())
    for name, source in sorted((path.relative_to(KERNELS).as_posix(), path) for path in KERNELS.rglob("*.py")):
        digest.update(f"\0{name}\0".encode() + source.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def usable_folder() -> Path | None:
    """`cache_folder()`, made and tried, else a private one; None when neither can be had. Says so, once."""
    folder = None
    try:
        folder = cache_folder()
        prepare(folder)
        return folder
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home directory
        problem = f"minigen: compiled kernels can not be kept in {folder or 'a home directory'} ({error})"
    mend = "set MINIGEN_CACHE to a folder that you alone can write"
    try:
        root = Path(tempfile.gettempdir()).absolute() / f"minigen-{os.geteuid() if hasattr(os, 'geteuid') else 'cache'}"
        root.mkdir(0o755, exist_ok=True)
        check_owner(root)
        prepare(root / version_name())
    except OSError:
        warnings.warn(f"{problem}, so every run compiles them anew; {mend}", stacklevel=2)
        return None
    warnings.warn(f"{problem}; keeping them in {root}. To choose another place {mend}", stacklevel=2)
    return root / version_name()


def prepare(folder: Path) -> None:
    """Make the folder if it is missing, note that it is used, and check that it is one to load code from.

    Raises OSError when it can not be made, or is not one.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder.parent):
            if not folder.exists():
                remove_unused(folder.parent)
                folder.mkdir(0o755)
    check_owner(folder)
    with contextlib.suppress(OSError):  # it is read-only, and loaded from as it is
        mark_used(folder)
        return
    if not any(folder.iterdir()):
        raise PermissionError("it is empty, and can not be written")


def check_owner(folder: Path) -> None:
    """Raises PermissionError unless this user alone can write in the folder."""
    if not trusted(folder.stat()):
        raise PermissionError(f"somebody else can write in {folder}, and what is loaded from it is run")


@functools.cache
def claimed_folder(name: str) -> Path | None:
    """A folder in `usable_folder()` that this process has to itself as long as it lives; None when it can not.

    What is in there is as the process before left it: files that are not are removed.
    """
    folder = usable_folder()
    if folder is None or fcntl is None:
        return None
    with contextlib.suppress(OSError):  # another process has it, or it is read-only
        place = folder / name
        place.mkdir(0o755, exist_ok=True)
        check_owner(place)
        fcntl.flock(os.open(place / "claimed", os.O_RDWR | os.O_CREAT, 0o600), fcntl.LOCK_EX | fcntl.LOCK_NB)
        drop_unknown(place)
        owner = os.getpid()
        atexit.register(lambda: note_all(place) if os.getpid() == owner else None)  # not for those that were forked
        return place
    return None


def mark_used(folder: Path) -> None:
    """Note the time in the folder's mark, a file, and hold the mark as long as this process lives."""
    file = os.open(folder / "used", os.O_RDWR | os.O_CREAT, 0o600)
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


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Only one process at a time makes and removes folders in `folder`."""
    file = os.open(folder / "lock", os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)  # closing gives the lock back


@functools.cache
def announce() -> None:
    """Say, once, why the first call takes seconds."""
    if sys.stderr is not None:  # as in a program without a console
        print("minigen: compiling kernels for this machine; the first step of a model takes 5 to 20 s", file=sys.stderr)


@contextlib.contextmanager
def numba_cache_in(folder: Path) -> Iterator[None]:
    """Numba's process-wide cache setting is `folder`, inside the block only."""
    previous = SETTINGS.CACHE_DIR
    SETTINGS.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        SETTINGS.CACHE_DIR = previous
