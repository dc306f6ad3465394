"""The maps of minimal filtering (`winograd_maps.py`) in plain loops, and both axes at once."""

from typing import Any

import numpy as np

from minigen.kernels.compiler.jit import part
from minigen.kernels.convolution.winograd_matrices import Matrix
from minigen.kernels.rows.leaky import leaky


def sum_at(matrix: Matrix) -> Any:
    """A part (x, places, i, j, c): number (i, j) of a mapped tile, in channel c."""
    factors, size = np.array(matrix, np.float64), len(matrix[0])

    @part
    def apply(x, places, i, j, c):
        total = 0.0
        for a in range(size):
            for b in range(size):
                if places[a * size + b] >= 0:
                    total += factors[i, a] * factors[j, b] * x[places[a * size + b] + c]
        return total

    return apply


def tile_map(matrix: Matrix) -> Any:
    """A part (x, x_places, out, out_places, channels, columns, rows) that maps a square tile along both axes."""
    sum_of = sum_at(matrix)

    @part
    def apply(x, x_places, out, out_places, channels, columns, rows):
        for p in range(rows * rows):
            if out_places[p] >= 0:
                for c in range(channels):
                    out[out_places[p] + c] = sum_of(x, x_places, p // rows, p % rows, c)

    return apply


def tile_map_finish(matrix: Matrix) -> Any:
    """`tile_map` with the arguments bias and slope: of each result v, stores leaky(v + bias[c])."""
    sum_of = sum_at(matrix)

    @part
    def apply(x, x_places, out, out_places, channels, columns, rows, bias, slope):
        for p in range(rows * rows):
            if out_places[p] >= 0:
                for c in range(channels):
                    v = x.dtype.type(sum_of(x, x_places, p // rows, p % rows, c)) + bias[c]
                    out[out_places[p] + c] = leaky(v, slope)

    return apply
