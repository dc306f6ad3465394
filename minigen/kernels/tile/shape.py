"""The size of a register tile, ROWS x panel numbers: chosen by the processor's vector registers."""

import numpy as np

from minigen.kernels.compiler.choice import INNER

if INNER:
    from minigen.kernels.compiler.numba_inner import cpu_features
else:
    from minigen.kernels.compiler.numba_plain import cpu_features


def tile_shape(features: set[str]) -> tuple[int, int, int]:
    """(rows, vectors, bytes of a vector): as much of C as fits beside VECTORS rows of B and one number of A.

    ROWS * VECTORS + VECTORS + 1 registers are in use; more than VECTORS + ROWS loads go with each ROWS * VECTORS
    multiply-adds, so a tile near a square is best, and the registers should be nearly full.
    """
    if "avx512f" in features:
        return 14, 2, 64  # 31 of 32 registers
    if "avx" in features:
        return 6, 2, 32  # 15 of 16
    if "neon" in features:
        return 6, 4, 16  # 29 of 32
    return 3, 4, 16  # 17 of 16: SSE adds from memory


ROWS, VECTORS, VECTOR_BYTES = tile_shape(cpu_features())
SUM_TERMS = 256  # of a sum that are added one after the other, then as one to the rest: errors grow with such a chain


def panel_width(dtype: np.dtype) -> int:
    """Columns of a tile: numbers of `dtype` in VECTORS vector registers."""
    return VECTORS * VECTOR_BYTES // dtype.itemsize


def vector_width(dtype: np.dtype) -> int:
    """Numbers of `dtype` in one vector register."""
    return VECTOR_BYTES // dtype.itemsize
