"""Memory that kernels work in: lent to one of them at a time, and the same from call to call.

Fresh memory costs more than the arithmetic on it. Each thread has its own.
"""

import threading

import numpy as np

LINE_BYTES = 64  # of the cache: a vector that lies across two lines takes two accesses


class Workspace:
    """The memory of a thread, the name of the kernel that has it, "" for none, and of the one that asked last."""

    __slots__ = ("array", "asking", "holder", "memory")

    def __init__(self) -> None:
        self.memory = np.empty(0, np.uint8)  # begins at a line of the cache
        self.holder = self.asking = ""

    def __enter__(self) -> np.ndarray:
        self.holder = self.asking  # not before: a Ctrl-C that comes in between would leave it held for ever
        return self.array

    def __exit__(self, *exception: object) -> None:
        self.holder = ""


class Workspaces(threading.local):
    """The workspace of the thread that asks."""

    def __init__(self) -> None:
        self.own = Workspace()


workspaces = Workspaces()


def scratch(kernel: str, count: int, dtype: np.dtype) -> Workspace:
    """`with scratch("matmul", 1000, dtype) as memory`: an array of so many numbers, that begins at a line of the cache.

    What is in it is left over from before. Raises RuntimeError when a kernel that has the workspace calls one that asks
    for it: they would overwrite each other's numbers.
    """
    own = workspaces.own
    if own.holder:
        raise RuntimeError(
            f"{kernel} asks for {count} numbers of scratch memory while {own.holder} has it; let {own.holder} end its "
            "`with scratch` first, or work in an array of its own"
        )
    size = count * dtype.itemsize
    if own.memory.size < size:
        memory = np.empty(size + LINE_BYTES, np.uint8)
        own.memory = memory[-memory.ctypes.data % LINE_BYTES :]
    own.array = np.ndarray((count,), dtype, own.memory)
    own.asking = kernel
    return own


def padded_numbers(sizes: list[tuple[int, int]], dtype: np.dtype) -> int:
    """How many numbers `divided` needs for arrays of these sizes."""
    line = LINE_BYTES // dtype.itemsize
    return sum(rows * -(-columns // line) * line for rows, columns in sizes)


def divided(memory: np.ndarray, sizes: list[tuple[int, int]]) -> list[np.ndarray]:
    """Arrays of these sizes, (rows, columns), one after the other; every row begins at a line of the cache."""
    line, result = LINE_BYTES // memory.itemsize, []
    for rows, columns in sizes:
        padded = -(-columns // line) * line
        result.append(memory[: rows * padded].reshape(rows, padded))
        memory = memory[rows * padded :]
    return result
