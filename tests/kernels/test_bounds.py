"""Products and convolutions read and write nothing outside their arrays: each lies against a page that kills who does.

Checked in a process of its own, which would be killed. Wide tiles, masks and rows that are repeated at an edge come so
close to the ends that nothing else would notice.
"""

import subprocess
import sys

import pytest

PROGRAM = """
import contextlib, ctypes, mmap, sys
import numpy as np
from minigen import kernels
from minigen.config import config
from minigen.kernels import reference
from minigen.kernels.convolution import conv2d, winograd
from minigen.kernels.tile import dense

rng, pages, protect = np.random.default_rng(int(sys.argv[1])), [], ctypes.CDLL(None).mprotect

def guarded(array):
    array = np.asarray(array)
    size = -(-max(1, array.nbytes) // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, size + 2 * mmap.PAGESIZE)
    first = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in (first, first + mmap.PAGESIZE + size):
        assert protect(ctypes.c_void_p(page), mmap.PAGESIZE, 0) == 0
    pages.append(memory)
    at_end = size - array.nbytes if rng.random() < 0.5 else 0
    copy = np.frombuffer(memory, array.dtype, array.size, mmap.PAGESIZE + at_end).reshape(array.shape)
    copy[...] = array
    return copy

class Guarding:
    empty = staticmethod(lambda shape, dtype=float: guarded(np.full(shape, np.nan, dtype)))
    zeros = staticmethod(lambda shape, dtype=float: guarded(np.zeros(shape, dtype)))
    def __getattr__(self, name):
        return getattr(np, name)

@contextlib.contextmanager
def scratch(name, size, dtype):
    yield guarded(np.full(size, np.nan, dtype))

for module in (conv2d, winograd, dense):
    module.np, module.scratch = Guarding(), scratch
dense.BLAS_MULTIPLY_ADDS = 0
if sys.argv[2] == "winograd":
    winograd.is_faster = lambda kind, x, y, kernel, stride, padding, dilation, groups, dtype: winograd.is_possible(
        kind, x, y, kernel, stride, dilation, groups, dtype
    )

def draw(*shape):
    return guarded(rng.standard_normal(shape).astype(dtype))

for _ in range(int(sys.argv[3])):
    dtype, config.threads = rng.choice([np.float32, np.float64]), int(rng.choice([1, 2]))
    groups = int(rng.choice([1, 1, 1, 2, 20]))
    cin, cout = (groups * int(rng.choice([1, 3, 8, 16, 17, 40] if groups < 20 else [1, 1, 2])) for _ in "io")
    kh, kw, n, step, apart = (int(rng.choice(sizes)) for sizes in ([1, 3, 5], [1, 3, 5], [1, 3], [1, 1, 2], [1, 1, 2]))
    geometry = (step, step), tuple(rng.integers(0, 3, 4).tolist()), (apart, apart), groups
    x, w = draw(n, int(rng.integers(9, 15)), int(rng.integers(9, 15)), cin), draw(kh, kw, cin // groups, cout)
    bias = draw(cout)
    y = kernels.conv2d(x, w, *geometry, bias, slope=0.2)
    gy = draw(*y.shape)
    sides = [
        [
            form.conv2d(x, w, *geometry, bias, slope=0.2),
            form.conv2d_input_grad(gy, w, x.shape[1:3], *geometry),
            form.conv2d_weight_grad(x, gy, (kh, kw), *geometry),
        ]
        for form in (kernels, reference)
    ]
    m, k, columns = rng.integers(1, 80, 3).tolist()
    a, b, row = draw(m, k), draw(k, columns), draw(columns)
    for left, right in ((a, b), (draw(k, m).T, b), (a, draw(columns, k).T)):
        for side, form in zip(sides, (kernels, reference)):
            side.append(form.matmul(left, right, row, 0.2))
    for ours, twin in zip(*sides):
        assert np.abs(ours - twin).max() <= 1e-4 * np.abs(twin).max(), (x.shape, w.shape, geometry, a.shape, b.shape)
"""


def run(seed: int, way: str, count: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(seed), way, str(count)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.skipif(sys.platform != "linux", reason="pages are protected by a call of Linux")
@pytest.mark.parametrize("way", ["products", "winograd"])
def test_nothing_outside_its_arrays(way: str) -> None:
    run(0, way, 15)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="pages are protected by a call of Linux")
@pytest.mark.parametrize("way", ["products", "winograd"])
@pytest.mark.parametrize("seed", range(1, 6))
def test_nothing_outside_its_arrays_in_many_cases(seed: int, way: str) -> None:
    run(seed, way, 300)
