"""What this machine can do at most: the rate of a large product on `config.threads` threads, and of a large copy.

S. Williams, A. Waterman, D. Patterson (2009), Roofline: an insightful visual performance model for multicore
architectures, https://doi.org/10.1145/1498765.1498785: an operation takes at least the longer of its multiply-adds at
the one rate and its bytes at the other.
"""

from collections.abc import Callable
from functools import cache
from time import perf_counter
from typing import NamedTuple

import numpy as np

from minigen.autograd import ops
from minigen.autograd.tensor import Tensor
from minigen.config import config

SIDE = 1024  # of the product
COPIED = 1 << 24  # float32 numbers of the copy, more than any cache holds
TIMES = 5


class Limits(NamedTuple):
    """products: multiply-adds a second, in float32. memory: bytes a second, read and written."""

    products: float
    memory: float

    def seconds(self, multiply_adds: float, bytes: float) -> float:
        """The least time for so much work."""
        return max(multiply_adds / self.products, bytes / self.memory)


def limits() -> Limits:
    """Measured once in a process for a number of threads, in about half a second."""
    return measured(config.threads)


@cache
def measured(threads: int) -> Limits:
    """The same, of as many threads as there are now."""
    a = Tensor(np.ones((SIDE, SIDE), np.float32))
    x = np.ones(COPIED, np.float32)
    y = x.copy()
    return Limits(SIDE**3 / best(lambda: ops.matmul(a, a)), 2 * x.nbytes / best(lambda: np.copyto(y, x)))


def best(run: Callable[[], object]) -> float:
    """Seconds of the quickest of some runs, the first apart."""
    run()
    times = []
    for _ in range(TIMES):
        began = perf_counter()
        run()
        times.append(perf_counter() - began)
    return min(times)
