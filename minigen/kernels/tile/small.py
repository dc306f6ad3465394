"""Products so small that calling anything takes longer than computing them: plain loops, with the bias in them."""

import math

import numpy as np

from minigen.kernels.compiler.arrays import flat
from minigen.kernels.compiler.jit import jit
from minigen.kernels.rows.leaky import leaky

MULTIPLY_ADDS = 512  # of a product, up to which the loops are done before BLAS has begun
TERMS = 256  # of a sum, which runs from the first to the last
NO_BIAS = {np.dtype(kind): np.zeros(0, kind) for kind in (np.float32, np.float64)}


@jit
def _multiply(count, a, a_step, a_row, a_term, b, b_step, b_term, b_column, bias, slope, add, m, depth, n, out):
    zero, sums = slope - slope, np.empty(n, out.dtype)
    for e in range(count):
        for i in range(m):
            first = e * a_step + i * a_row
            for j in range(np.uintp(n)):
                sums[j] = zero
            for k in range(depth if b_column == 1 else 0):
                factor, terms = a[first + k * a_term], b[e * b_step + k * b_term :]
                for j in range(np.uintp(n)):
                    sums[j] += factor * terms[j]
            for j in range(n if b_column != 1 else 0):
                total, terms = zero, b[e * b_step + j * b_column :]
                for k in range(depth):
                    total += a[first + k * a_term] * terms[k * b_term]
                sums[j] = total
            row = out[(e * m + i) * n : (e * m + i + 1) * n]
            for j in range(np.uintp(n)):
                base = row[j] if add else bias[j] if bias.size else zero
                row[j] = leaky(base + sums[j], slope)


def multiply(
    a: np.ndarray, b: np.ndarray, bias: np.ndarray | None, slope: float, out: np.ndarray | None, add: bool
) -> np.ndarray:
    """`matmul` of matrices, or of stacks of as many (…, M, K), (…, K, N); slope: of leaky ReLU, 1 being none."""
    (*stack, m, depth), n = a.shape, b.shape[-1]
    count = math.prod(stack)
    out = np.empty((*stack, m, n), a.dtype) if out is None else out
    (a, a_row, a_term), (b, b_term, b_column) = strided(a), strided(b)
    row = NO_BIAS[a.dtype] if bias is None else flat(bias)
    _multiply(
        count, a, m * depth, a_row, a_term, b, depth * n, b_term, b_column, row, a.dtype.type(slope), add, m, depth, n,
        out.reshape(-1),
    )  # fmt: skip
    return out


def strided(x: np.ndarray) -> tuple[np.ndarray, int, int]:
    """(flat array, distance between rows, distance between columns) of matrices (…, M, N) that lie behind each other.

    No copy of contiguous ones, or of their transposes.
    """
    turned = x.swapaxes(-1, -2)
    if turned.flags.c_contiguous and not x.flags.c_contiguous:
        return flat(turned), 1, x.shape[-2]
    return flat(x), x.shape[-1], 1
