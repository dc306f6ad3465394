"""The only caller of numba.njit: compile flags, threads, and where compiled code is kept.

Compiled kernels are cached on disk, in a folder of their own whose name is a hash of every kernel's source and of
Numba's version. So an edit in one file never leaves stale code of another behind, and other users of Numba in the same
process keep their own cache setting. The folder lies in $MINIGEN_CACHE, else $XDG_CACHE_HOME/minigen, else
~/.cache/minigen; those of other sources are removed when nobody used them for a month. Inside, Numba keeps the code of
each processor (its name and vector extensions) apart, so machines may share a home directory.
"""

import contextlib
import ctypes
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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numba.core.config
from numba import types
from numba.core import sigutils
from numba.core.caching import FunctionCache
from threadpoolctl import threadpool_limits

from minigen.kernels.parts import PartCompiler

try:
    import fcntl
except ImportError:  # not a POSIX system: two processes compiling at the same moment are then not kept apart
    fcntl = None

SETTINGS: Any = numba.core.config
FASTMATH = {"contract", "reassoc", "nsz", "arcp"}  # never nnan or ninf: NaN and Inf must stay visible

# One pool of threads. After each product the workers of NumPy's BLAS go on spinning, and take the cores from the
# kernels that follow: a VAE step of 8 ms took from 17 to 300. So BLAS gets one thread, for the whole process.
BLAS_LIMIT = threadpool_limits(1, user_api="blas")

# OpenMP's workers spin too. GNU's runtime reads how long once, when the first parallel kernel loads it.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def keep_freed_memory() -> None:
    """Let glibc's malloc keep freed arrays of up to 32 MB, its highest limit, for the arrays of the next step.

    Left alone it gives their pages back to the system, and every step faults thousands of them in again.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 1 << 25)
        mallopt(M_TRIM_THRESHOLD, 1 << 30)


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
keep_freed_memory()

if "NUMBA_THREADING_LAYER_PRIORITY" not in os.environ:  # OpenMP starts a loop soonest; each is tried in turn
    SETTINGS.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]


UNUSED = 30 * 24 * 3600  # seconds after which a cache folder of other sources is removed


def cache_folder() -> Path:
    """The folder for exactly this version of the kernels and of Numba. It need not exist yet."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
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


def mark_used(folder: Path) -> None:
    """Note the time in the folder's mark, a file, and hold the mark as long as this process lives."""
    file = os.open(folder / "used", os.O_RDWR | os.O_CREAT, 0o666)
    os.utime(folder / "used")
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_SH)


def remove_unused(root: Path) -> None:
    """Remove the cache folders in `root` that no process used for a month, or is using now."""
    if fcntl is None:
        return
    for folder in root.iterdir():
        mark = folder / "used"
        with contextlib.suppress(OSError):  # in use, or somebody else's
            if re.fullmatch("[0-9a-f]{16}", folder.name) and time.time() - mark.stat().st_mtime > UNUSED:
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


class KernelCache(FunctionCache):
    """Numba's cache of one function, guarded.

    Numba numbers a function's data files through an index that it reads and writes without a lock: two processes that
    compile different signatures at once can each take the same number, and one then loads the other's code. A damaged
    or unwritable file counts as absent: the kernel is compiled again.
    """

    lock: Lock

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        compiled = None
        with contextlib.suppress(Exception), self.lock:
            compiled = super().load_overload(sig, target_context)
        if compiled is None:
            announce()
        return compiled

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            with self.lock:
                super().save_overload(sig, data)
        except Exception as error:
            warnings.warn(f"minigen: a compiled kernel could not be saved in {self.cache_path} ({error})", stacklevel=2)


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


def jit(function: Callable[..., Any]) -> Any:
    """Compile a kernel, called from Python, on its first call; the result is kept on disk."""
    dispatcher = compiled(function)
    folder = usable_folder()
    if folder is None:
        announce_first(dispatcher)
    else:
        with numba_cache_in(folder):
            dispatcher._cache = KernelCache(function)
        dispatcher._cache.lock = folder_lock(folder)
    return dispatcher


def part(function: Callable[..., Any]) -> Any:
    """Compile a function inside those kernels alone that call it, which takes half the time. Python can not call it."""
    dispatcher = compiled(function, pipeline_class=PartCompiler, no_cpython_wrapper=True)

    def add_overload(result: Any) -> None:  # Numba would also enter it among the functions that Python calls
        dispatcher.overloads[tuple(result.signature.args)] = result

    dispatcher.add_overload = add_overload
    return dispatcher


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Numba's dispatcher of a function, with the settings of all kernels."""
    options |= {"fastmath": FASTMATH, "error_model": "numpy", "no_cfunc_wrapper": True}  # no wrapper for C to call
    dispatcher: Any = numba.njit(**options)(function)
    merge_signatures(dispatcher)
    return dispatcher


def merge_signatures(dispatcher: Any) -> None:
    """Compile once for signatures that differ only in how an index is typed.

    Numba would compile a function called with the constant 0, or with an unsigned number, apart.
    """
    compile_now = dispatcher.compile

    def compile_merged(signature: Any) -> Any:
        arguments, _ = sigutils.normalize_signature(signature)
        return compile_now(tuple(plain(argument) for argument in arguments))

    dispatcher.compile = compile_merged


def plain(kind: Any) -> Any:
    """The type itself of a constant; int64 for uint64."""
    kind = types.unliteral(kind)
    return types.intp if kind == types.uintp else kind


def announce_first(dispatcher: Any) -> None:
    """Without a cache, speak up when `dispatcher` first compiles."""
    compile_now = dispatcher.compile

    def compile_and_say(signature: Any) -> Any:
        announce()
        return compile_now(signature)

    dispatcher.compile = compile_and_say
