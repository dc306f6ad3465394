"""The register tile (`microkernel.py`) in plain loops, which keep nothing in registers."""

import numpy as np

from minigen.kernels.compiler.jit import part
from minigen.kernels.rows.leaky import leaky
from minigen.kernels.tile.shape import ROWS, SUM_TERMS, VECTOR_BYTES, VECTORS

PANEL_BYTES = VECTORS * VECTOR_BYTES


@part
def add_block(terms, a, a_first, a_term, b, b_first, b_term, block):
    """block = sum over k < terms of A[k * a_term] * B[k, :], which A and B begin at a_first and b_first."""
    block[:] = 0
    for k in range(terms):
        left, right = a[a_first + k * a_term], b[b_first + k * b_term :]
        for j in range(block.size):
            block[j] += left * right[j]


@part
def tile_rows(a, a_first, starts, taps, depth, b, b_first, c, c_first, cells):
    """C[r, :] = sum over t, k of A[starts[r] + taps[t] + k] * B[t * depth + k, :], for r < ROWS."""
    panel = PANEL_BYTES // c.itemsize
    block = np.empty(panel, c.dtype)
    for r in range(ROWS):
        row = c[c_first + cells[r] :][:panel]
        row[:] = 0
        for t in range(taps.size):
            for low in range(0, depth, SUM_TERMS):
                terms, first = min(SUM_TERMS, depth - low), a_first + starts[r] + taps[t] + low
                add_block(terms, a, first, 1, b, b_first + (t * depth + low) * panel, panel, block)
                row += block


@part
def tile_outer(a, a_first, starts, b, b_first, b_starts, terms, c, c_first, ldc):
    """C[r, :] += sum over k < terms of A[starts[k] + r] * B[k, :], for r < ROWS."""
    panel = PANEL_BYTES // c.itemsize
    block = np.empty(panel, c.dtype)
    for r in range(ROWS):
        block[:] = 0
        for k in range(terms):
            left, right = a[a_first + starts[k] + r], b[b_first + b_starts[k] :]
            for j in range(panel):
                block[j] += left * right[j]
        c[c_first + r * ldc :][:panel] += block


@part
def tile_layer(
    rows, a, a_first, a_row, a_term, b, b_first, b_term, terms, base, base_first, base_row, slope, c, c_first, c_row
):
    """C[r, :] = leaky(base[r, :] + sum over k < terms of A[r * a_row + k * a_term] * B[k, :]), for r < rows."""
    panel = PANEL_BYTES // c.itemsize
    block = np.empty(panel, c.dtype)
    for r in range(rows):
        row, start = c[c_first + r * c_row :][:panel], base[base_first + r * base_row :]
        for j in range(panel):
            row[j] = start[j]
        for low in range(0, terms, SUM_TERMS):
            first, size = a_first + r * a_row + low * a_term, min(SUM_TERMS, terms - low)
            add_block(size, a, first, a_term, b, b_first + low * b_term, b_term, block)
            row += block
        for j in range(panel):
            row[j] = leaky(row[j], slope)


@part
def transpose_block(a, a_first, a_row, out, out_first, out_row):
    """out[out_first + j * out_row + i] = a[a_first + i * a_row + j] for i, j < vector_width(dtype)."""
    for i in range(VECTOR_BYTES // out.itemsize):
        for j in range(VECTOR_BYTES // out.itemsize):
            out[out_first + j * out_row + i] = a[a_first + i * a_row + j]


@part
def copy_row(a, a_first, out, out_first):
    """out[out_first + k] = a[a_first + k] for k < panel_width(dtype)."""
    for k in range(PANEL_BYTES // out.itemsize):
        out[out_first + k] = a[a_first + k]
