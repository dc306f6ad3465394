"""The decorators by Numba's public interface alone, for a Numba whose inner ones are not what `numba_inner.py` needs.

The same kernels and the same numbers, within rounding, but slower: every function is compiled apart and again inside
its callers, tasks are started from Python's threads, and products are plain loops. Threads of Python, which compiled
code lets go on, in the place of `prange`: an error inside a task reaches its caller, and a kernel is compiled once.
"""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType
from typing import Any

import numba

from minigen.config import available_cores, config
from minigen.kernels.compiler.cache import announce, claimed_folder, numba_cache_in
from minigen.kernels.noting import noting

FASTMATH = {"contract", "reassoc", "nsz", "arcp"}  # never nnan or ninf: NaN and Inf must stay visible
OPTIONS: dict[str, Any] = {"fastmath": FASTMATH, "error_model": "numpy"}


def cpu_features() -> set[str]:
    """None to build on: the tile of the smallest register file is used."""
    return set()


def part(function: Callable[..., Any]) -> Any:
    """Compile a function for kernels to call."""
    return numba.njit(**OPTIONS)(function)


def inline(function: Callable[..., Any]) -> Any:
    """Put a function's lines into each function that calls it, as if they were written there: the same bits as then."""
    return numba.njit(inline="always", **OPTIONS)(function)


@part
def fma(a, b, c):
    """a · b + c; see `numba_inner.fma`."""
    return a * b + c


def jit(function: Callable[..., Any]) -> Any:
    """Compile a kernel, called from Python, on its first call; kept on disk unless another process keeps its own there.

    Numba's own cache is not safe between processes that compile at the same time, so one of them has it to itself.
    """
    folder = claimed_folder("plain")
    if folder is None:
        announce()
        return numba.njit(nogil=True, **OPTIONS)(function)
    if not any(folder.rglob("*.nbi")):
        announce()
    with numba_cache_in(folder):
        return numba.njit(nogil=True, cache=True, **OPTIONS)(function)


def tasks(function: Callable[..., None]) -> Callable[..., None]:
    """Compile `function(i, *arguments)`, one task. The result, called with (count, *arguments), runs 0 ≤ i < count.

    As `numba_inner.tasks`, on threads of Python, which compiled code lets go on.
    """
    launch = launcher(function)

    @functools.wraps(function)
    def call(count: int, *arguments: Any, threads: int | None = None) -> None:
        workers = max(1, min(count, threads or config.threads))
        bounds = [worker * count // workers for worker in range(workers + 1)]
        try:
            others = [pool().submit(launch(), *bounds[k : k + 2], arguments) for k in range(1, workers)]
            launch()(*bounds[:2], arguments)
            for other in others:
                other.result()
        except MemoryError as error:
            raise MemoryError(f"{function.__name__}: a task could not get memory") from error
        if noting.notes is not None:
            noting.notes.call(functools.partial(call, threads=threads), (count, *arguments))

    return call


def launcher(function: Callable[..., None]) -> Callable[[], Any]:
    """Makes, once, on its first call, a copy of `run` for one kind of task."""

    @functools.cache
    def launch() -> Any:
        copy: Any = FunctionType(run.__code__, {"task": part(function)}, f"{function.__name__}_launch")
        copy.__module__ = function.__module__  # the cache keeps it under this and the name
        copy.__qualname__ = f"{function.__module__}.{copy.__name__}"
        return jit(copy)

    return launch


task: Any = None


def run(first, stop, arguments):
    """Tasks [first, stop), one after the other. Each kind of task has a copy, in which `task` is its own."""
    for i in range(first, stop):
        task(i, *arguments)


@functools.cache
def pool() -> ThreadPoolExecutor:
    """Threads for all kernels."""
    return ThreadPoolExecutor(available_cores(), thread_name_prefix="minigen")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.cache_clear)  # threads do not live on in a forked process
