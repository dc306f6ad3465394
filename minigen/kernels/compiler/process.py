"""What kernels set for the whole process: threads of NumPy's BLAS and of OpenMP, malloc, Numba's pool of threads."""

import contextlib
import ctypes
import functools
import os
import warnings
from types import SimpleNamespace
from typing import Any

import numba
from threadpoolctl import threadpool_limits

SETTINGS: Any = vars(numba)["config"]  # what the environment's NUMBA_… variables set
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
KEPT_ARRAY_BYTES, KEPT_FREE_BYTES = 1 << 25, 1 << 30
POOL = SimpleNamespace(size=SETTINGS.NUMBA_NUM_THREADS)  # how many threads kernels are shared out to, at most


@functools.cache
def tune() -> threadpool_limits:
    """Set everything, once; the result, the limit on BLAS, lives as long as the process.

    One pool of threads: after each product the workers of NumPy's BLAS go on spinning, and take the cores from the
    kernels that follow: a VAE step of 8 ms took from 17 to 300. So BLAS gets one thread.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # OpenMP's workers spin too; GNU's runtime reads how long once
    if "NUMBA_THREADING_LAYER_PRIORITY" not in os.environ:  # OpenMP starts a loop soonest; each is tried in turn
        SETTINGS.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]
    keep_freed_memory()
    return threadpool_limits(1, user_api="blas")


def keep_freed_memory() -> None:
    """Let glibc's malloc keep freed arrays of up to 32 MB, its highest limit, for the arrays of the next step.

    Left alone it gives their pages back to the system, and every step faults thousands of them in again.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, KEPT_ARRAY_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_FREE_BYTES)


@functools.cache
def start_pool() -> None:
    """Have Numba load its pool of threads: of the layer that NUMBA_THREADING_LAYER asks for, or else of any.

    Threads do not live on in a forked process, and OpenMP's pool ends one that calls it: kernels run on its one thread.
    """
    try:
        numba.get_num_threads()
    except ValueError as error:
        warnings.warn(
            f"minigen: Numba can not start the threads of NUMBA_THREADING_LAYER={SETTINGS.THREADING_LAYER} "
            f"({str(error).splitlines()[0]}); using another layer",
            stacklevel=2,
        )
        SETTINGS.THREADING_LAYER = "default"
        numba.get_num_threads()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: setattr(POOL, "size", 1))
