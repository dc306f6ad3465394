"""A table look-up, and its gradient: rows added into the rows that they were taken from."""

import numpy as np

from minigen.kernels.compiler.arrays import contiguous
from minigen.kernels.compiler.jit import jit, tasks
from minigen.kernels.noting import run
from minigen.kernels.rows.cuts import runs, span

OFTEN = 256  # so many terms may be added one after the other in float32


@tasks
def _gather_rows(run, length, weight, indices, y):
    low, high = span(run, length, indices.size)
    for m in range(low, high):
        source, target = weight[indices[m]], y[m]
        for d in range(target.size):
            target[d] = source[d]


def gather_rows(weight: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """weight[indices] (M, D) of a table (rows, D); indices int64 (M,), each in [0, rows); not checked here."""
    y = np.empty((indices.size, weight.shape[1]), weight.dtype)
    _gather_rows(*runs(indices.size, y.size), contiguous(weight), contiguous(indices), y)
    return y


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
    gw = np.empty((rows, gy.shape[1]), gy.dtype)
    run(scatter_into, contiguous(gy), contiguous(indices), gw)
    return gw


def scatter_into(gy: np.ndarray, indices: np.ndarray, gw: np.ndarray) -> None:
    """`scatter_rows` into gw, by what the indices are."""
    if len(indices) > OFTEN and np.bincount(indices).max() > OFTEN:
        sums = np.zeros(gw.shape, np.float64)
        _scatter_rows(gy, indices, sums)
        gw[...] = sums
    else:
        gw[...] = 0
        _scatter_rows(gy, indices, gw)
