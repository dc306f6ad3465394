"""The twin of the dense product."""

import numpy as np

from minigen.kernels.reference.arrays import Array


def matmul(a: Array, b: Array) -> Array:
    """C[i, j] = sum over k of A[i, k] · B[k, j]; a (M, K), b (K, N) → (M, N)."""
    return np.matmul(a, b)
