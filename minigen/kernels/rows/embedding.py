"""The gradient of a table look-up: rows added into the rows that they were taken from."""

import numpy as np

from minigen.kernels.compiler.jit import jit


@jit
def _scatter_rows(gy, indices, gw):
    for m in range(gy.shape[0]):
        source, target = gy[m], gw[indices[m]]
        for d in range(source.size):
            target[d] += source[d]


def scatter_rows(gy: np.ndarray, indices: np.ndarray, rows: int) -> np.ndarray:
    """gw[indices[m]] += gy[m], in the order of m, for gy (M, D): the gradient of weight[indices], (rows, D).

    indices int64 (M,), each in [0, rows); not checked here.
    """
    gw = np.zeros((rows, gy.shape[1]), gy.dtype)
    _scatter_rows(np.ascontiguousarray(gy), np.ascontiguousarray(indices), gw)
    return gw
