"""The gradient of a table look-up: rows added into the rows that they were taken from."""

import numpy as np

from minigen.kernels.compiler.jit import jit

OFTEN = 256  # so many terms may be added one after the other in float32


@jit
def _scatter_rows(gy, indices, gw):
    for m in range(gy.shape[0]):
        source, target = gy[m], gw[indices[m]]
        for d in range(source.size):
            target[d] += source[d]


def scatter_rows(gy: np.ndarray, indices: np.ndarray, rows: int) -> np.ndarray:
    """gw[indices[m]] += gy[m], in the order of m, for gy (M, D): the gradient of weight[indices], (rows, D).

    indices int64 (M,), each in [0, rows); not checked here. Where one row is used very often, sums are in float64.
    """
    indices = np.ascontiguousarray(indices)
    often = len(indices) > OFTEN and np.bincount(indices).max() > OFTEN
    gw = np.zeros((rows, gy.shape[1]), np.float64 if often else gy.dtype)
    _scatter_rows(np.ascontiguousarray(gy), indices, gw)
    return gw.astype(gy.dtype, copy=False)
