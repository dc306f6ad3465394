"""The twin of the gradient of a table look-up."""

import numpy as np

from minigen.kernels.reference.arrays import Array


def scatter_rows(gy: Array, indices: Array, rows: int) -> Array:
    """gw[indices[m]] += gy[m] for gy (M, D): the gradient of weight[indices], (rows, D)."""
    gw = np.zeros((rows, gy.shape[1]), np.float64)
    np.add.at(gw, indices, gy)
    return gw.astype(gy.dtype)
