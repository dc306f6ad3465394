"""The compiled maps that apply the matrices of minimal filtering (`winograd_matrices.py`) to a tile, along both axes.

A map is called with (x, x_places, out, out_places, channels, columns, rows); those to results with (bias, slope), too:

    out[out_places[i, j] + c] = sum over a, b of matrix[i][a] * matrix[j][b] * x[x_places[a, b] + c]

for c < channels, of which there are at least as many as a vector has lanes. x, out: flat, of the dtype of slope.
Places: int64, row by row; one below 0 stands for zeros to be read, or a result that is not wanted. columns and rows are
the matrix's.
"""

from typing import Any

from minigen.kernels.compiler.choice import INNER
from minigen.kernels.convolution.winograd_matrices import OUTPUTS, filtering, transposed

if INNER:
    from minigen.kernels.convolution.winograd_maps_llvm import tile_map, tile_map_finish
else:
    from minigen.kernels.convolution.winograd_maps_loops import tile_map, tile_map_finish


def forward_maps(m: int, r: int) -> tuple[Any, Any, Any, Any, Any]:
    """(window to points, points to outputs, outputs to points, taps to points, points to taps)."""
    a, g, b = filtering(m, r)
    return tile_map(b), tile_map_finish(transposed(a)), tile_map(a), tile_map(g), tile_map(transposed(g))


window_3, result_3, gradient_3, taps_3, kernel_3 = forward_maps(OUTPUTS, 3)
window_5, result_5, gradient_5, taps_5, kernel_5 = forward_maps(OUTPUTS, 5)
