"""Memory that kernels work in."""

import threading

import numpy as np

LINE = 64  # bytes: a vector that lies across two lines of the cache takes two accesses


class Room(threading.local):
    """Memory of a thread to work in."""

    bytes = np.empty(0, np.uint8)  # begins at a line of the cache


room = Room()


def scratch(count: int, dtype: np.dtype) -> np.ndarray:
    """Room for `count` numbers, the same from call to call: fresh memory costs more than the arithmetic on it.

    It begins at a line of the cache.
    """
    size = count * dtype.itemsize
    if room.bytes.size < size:
        memory = np.empty(size + LINE, np.uint8)
        room.bytes = memory[-memory.ctypes.data % LINE :]
    return room.bytes[:size].view(dtype)


def flat(array: np.ndarray) -> np.ndarray:
    """One contiguous row of numbers, which compiled code may take as aligned and writable (it only reads inputs)."""
    if not array.flags.carray:  # which is all three
        array = np.require(array, requirements=["C", "A", "W"])
    return array.reshape(-1)


def several(sizes: list[tuple[int, int]], dtype: np.dtype) -> list[np.ndarray]:
    """Arrays of these sizes, (rows, columns), in one room; every row begins at a line of the cache."""
    numbers = LINE // dtype.itemsize
    padded = [(rows, -(-columns // numbers) * numbers) for rows, columns in sizes]
    memory, result = scratch(sum(rows * columns for rows, columns in padded), dtype), []
    for rows, columns in padded:
        result.append(memory[: rows * columns].reshape(rows, columns))
        memory = memory[rows * columns :]
    return result
