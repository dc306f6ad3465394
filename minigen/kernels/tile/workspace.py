"""Memory that kernels work in: lent to one of them at a time, and the same from call to call.

Fresh memory costs more than the arithmetic on it. Each thread has its own.
"""

import threading

import numpy as np

LINE_BYTES = 64  # of the cache: a vector that lies across two lines takes two accesses


class Workspace(threading.local):
    """The memory of a thread, and who has it."""

    memory = np.empty(0, np.uint8)  # begins at a line of the cache
    holder = ""


workspace = Workspace()


class scratch:
    """`with scratch("matmul", 1000, dtype) as memory`: an array of so many numbers, that begins at a line of the cache.

    What is in it is left over from before. Raises RuntimeError when a kernel that has the workspace calls one that asks
    for it: they would overwrite each other's numbers.
    """

    __slots__ = ("count", "dtype", "kernel")

    def __init__(self, kernel: str, count: int, dtype: np.dtype) -> None:
        self.kernel, self.count, self.dtype = kernel, count, dtype

    def __enter__(self) -> np.ndarray:
        if workspace.holder:
            raise RuntimeError(
                f"{self.kernel} asks for {self.count} numbers of scratch memory while {workspace.holder} has it; let "
                f"{workspace.holder} end its `with scratch` first, or work in an array of its own"
            )
        size = self.count * self.dtype.itemsize
        if workspace.memory.size < size:
            memory = np.empty(size + LINE_BYTES, np.uint8)
            workspace.memory = memory[-memory.ctypes.data % LINE_BYTES :]
        workspace.holder = self.kernel
        return workspace.memory[:size].view(self.dtype)

    def __exit__(self, *exception: object) -> None:
        workspace.holder = ""


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
