"""The twins of a table look-up and its gradient."""

import numpy as np

from minigen.kernels.reference.arrays import Array


def gather_rows(weight: Array, indices: Array) -> Array:
    """weight[indices] (M, D) of a table (rows, D)."""
    return np.take(weight, indices, axis=0)


def scatter_rows(gy: Array, indices: Array, rows: int) -> Array:
    """gw[indices[m]] += gy[m] for gy (M, D): the gradient of weight[indices], (rows, D)."""
    gw = np.zeros((rows, gy.shape[1]), np.float64)
    np.add.at(gw, indices, gy)
    return gw.astype(gy.dtype)
