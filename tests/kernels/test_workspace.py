"""Scratch memory: lent to one kernel at a time, so that none overwrites the numbers of another."""

import threading

import numpy as np
import pytest

from minigen import kernels
from minigen.kernels.convolution import gather
from minigen.kernels.tile.workspace import LINE_BYTES, divided, padded_numbers, scratch

FLOAT32 = np.dtype(np.float32)


def test_the_same_memory_again_at_a_line_of_the_cache() -> None:
    with scratch("one", 1000, FLOAT32) as memory:
        first = memory.ctypes.data
        assert memory.shape == (1000,) and memory.dtype == FLOAT32 and first % LINE_BYTES == 0
    with scratch("two", 10, np.dtype(np.float64)) as memory:
        assert memory.ctypes.data == first
    with scratch("none", 0, FLOAT32) as memory:
        assert memory.size == 0


def test_nested_use_is_an_error_that_names_both() -> None:
    with scratch("conv2d", 10, FLOAT32) as memory:
        memory[:] = 7
        with (
            pytest.raises(RuntimeError, match=r"matmul asks for 20 numbers .* while conv2d has it"),
            scratch("matmul", 20, FLOAT32),
        ):
            pass
        assert (memory == 7).all()
    with scratch("matmul", 20, FLOAT32):  # the lender has it back
        pass


def test_it_comes_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), scratch("one", 10, FLOAT32):
        raise ZeroDivisionError
    with scratch("two", 10, FLOAT32):
        pass


def test_a_kernel_that_calls_another_while_it_works_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, work = np.ones((200, 200), np.float32), gather.gather_share

    def careless(*arguments: object) -> None:
        kernels.matmul(matrix, matrix)
        work(*arguments)

    monkeypatch.setattr(gather, "gather_share", careless)
    x, w = np.ones((1, 8, 8, 3), np.float32), np.ones((3, 3, 3, 5), np.float32)
    with pytest.raises(RuntimeError, match=r"matmul asks .* while conv2d has it"):
        kernels.conv2d(x, w, (1, 1), (1, 1, 1, 1), (1, 1), 1)
    monkeypatch.undo()
    assert kernels.conv2d(x, w, (1, 1), (1, 1, 1, 1), (1, 1), 1)[0, 4, 4, 0] == 27


def test_every_thread_has_its_own() -> None:
    found = []

    def work() -> None:
        with scratch("two", 10, FLOAT32) as memory:
            found.append(memory.ctypes.data)

    with scratch("one", 10, FLOAT32) as memory:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert found and found[0] != memory.ctypes.data


def test_divided_memory() -> None:
    sizes = [(2, 3), (1, 16), (0, 5), (3, 17)]
    with scratch("one", padded_numbers(sizes, FLOAT32), FLOAT32) as memory:
        arrays = divided(memory, sizes)
        assert [array.shape for array in arrays] == [(2, 16), (1, 16), (0, 16), (3, 32)]
        assert sum(array.size for array in arrays) == memory.size
        for number, array in enumerate(arrays):
            array[:] = number
        assert memory.tolist() == [0] * 32 + [1] * 16 + [3] * 96
