"""Single kernels as steps, for a worker to run: NumPy's matrix product, and minigen's products and convolutions."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from minigen import kernels

Step = Callable[[], object]


def random(*shape: int) -> np.ndarray:
    """float32 numbers around 0."""
    return np.random.Generator(np.random.PCG64(0)).standard_normal(shape, dtype=np.float32)


def product(n: int) -> Step:
    """The n×n product of NumPy's BLAS: what the machine gives."""
    a, b = random(n, n), random(n, n)
    return lambda: a @ b


def copy(count: int, threads: int) -> Step:
    """A copy of so many numbers, each thread its share: what the memory gives."""
    shares = [(np.ones(count // threads, np.float32), np.ones(count // threads, np.float32)) for _ in range(threads)]
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(lambda pair: np.copyto(*pair), shares))


def dense(kernel: str, batch: int, inputs: int, outputs: int) -> Step:
    """One of the three products of a dense layer: y = x w, gx = gy wᵀ, gw = xᵀ gy."""
    x, w, gy = random(batch, inputs), random(inputs, outputs), random(batch, outputs)
    a, b = {"forward": (x, w), "input gradient": (gy, w.T), "weight gradient": (x.T, gy)}[kernel]
    return lambda: kernels.matmul(a, b)


def conv2d(kernel: str, batch: int, size: int, inputs: int, outputs: int, k: int, stride: int, padding: int) -> Step:
    """One of the three kernels of a convolution of size×size images by a k×k window."""
    out = (size + 2 * padding - k) // stride + 1
    x, w, gy = random(batch, size, size, inputs), random(k, k, inputs, outputs), random(batch, out, out, outputs)
    geometry = ((stride, stride), (padding, padding, padding, padding), (1, 1), 1)
    return {
        "forward": lambda: kernels.conv2d(x, w, *geometry),
        "input gradient": lambda: kernels.conv2d_input_grad(gy, w, (size, size), *geometry),
        "weight gradient": lambda: kernels.conv2d_weight_grad(x, gy, (k, k), *geometry),
    }[kernel]
