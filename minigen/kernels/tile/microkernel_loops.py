"""The register tile (`microkernel.py`) in plain loops, which keep nothing in registers."""

import numpy as np

from minigen.kernels.compiler.jit import part
from minigen.kernels.rows.leaky import leaky
from minigen.kernels.tile.shape import SUM_TERMS, VECTOR_BYTES


@part
def add_block(terms, a, a_first, a_term, b, b_first, b_term, block):
    """block = sum over k < terms of A[k * a_term] * B[k, :], which A and B begin at a_first and b_first."""
    block[:] = 0
    for k in range(terms):
        left, right = a[a_first + k * a_term], b[b_first + k * b_term :]
        for j in range(block.size):
            block[j] += left * right[j]


@part
def tile_rows(
    form, rows, a, a_first, starts, taps, depth, b, b_first, b_taps, bias, bias_first, slope, c, c_first, cells, columns
):
    """C[r, :] = leaky(bias + sum over t, k of A[starts[r] + taps[t] + k] * B[b_taps[t] + k, :]), for r < rows."""
    panel = len(form) * VECTOR_BYTES // c.itemsize
    block = np.empty(panel, c.dtype)
    for r in range(rows):
        row = c[c_first + cells[r] :][:columns]
        row[:] = bias[bias_first : bias_first + columns]
        for t in range(taps.size):
            for low in range(0, depth, SUM_TERMS):
                terms, first = min(SUM_TERMS, depth - low), a_first + starts[r] + taps[t] + low
                add_block(terms, a, first, 1, b, b_first + (b_taps[t] + low) * panel, panel, block)
                row += block[:columns]
        for j in range(columns):
            row[j] = leaky(row[j], slope)


@part
def tile_outer(form, rows, a, a_first, starts, b, b_first, b_starts, terms, c, c_first, ldc, first, stop, columns):
    """C[r, :] += sum over k < terms of A[starts[k] + r] * B[k, :], for first <= r < stop."""
    block = np.empty(columns, c.dtype)
    for r in range(first, stop):
        block[:] = 0
        for k in range(terms):
            left, right = a[a_first + starts[k] + r], b[b_first + b_starts[k] :]
            for j in range(columns):
                block[j] += left * right[j]
        c[c_first + r * ldc :][:columns] += block


@part
def tile_lanes(
    rows, a, a_first, starts, taps, b, b_first, b_taps, b_row, bias, bias_first, slope, c, c_first, cells, columns
):  # fmt: skip
    """C[r, :] = leaky(bias + sum over t of A[starts[r] + taps[t]:] * B[b_taps[t], :]), for r < rows, lane by lane."""
    for r in range(rows):
        row = c[c_first + cells[r] :]
        for j in range(VECTOR_BYTES // c.itemsize if columns is None else columns):
            total = bias[bias_first + j]
            for t in range(taps.size):
                total += a[a_first + starts[r] + taps[t] + j] * b[b_first + b_taps[t] * b_row + j]
            row[j] = leaky(total, slope)


@part
def tile_taps(rows, a, a_first, starts, taps, b, b_first, b_starts, terms, c, c_first, c_taps, c_row, columns):
    """C[c_taps[t], :] += sum over k < terms of A[starts[k] + taps[t]:] * B[k, :], for t < rows, lane by lane."""
    for t in range(rows):
        for j in range(VECTOR_BYTES // c.itemsize if columns is None else columns):
            total = c.dtype.type(0)
            for k in range(terms):
                total += a[a_first + starts[k] + taps[t] + j] * b[b_first + b_starts[k] + j]
            c[c_first + c_taps[t] * c_row + j] += total


@part
def tile_layer(
    form, rows, a, a_first, a_row, a_term, b, b_first, b_term, terms, base, base_first, base_row, slope, c, c_first,
    c_row, columns, blocks,
):  # fmt: skip
    """C[r, :] = leaky(base[r, :] + sum over k < terms of A[r * a_row + k * a_term] * B[k, :]), for r < rows."""
    panel = len(form) * VECTOR_BYTES // c.itemsize if columns is None else columns
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
def copy_row(form, a, a_first, out, out_first, columns):
    """out[out_first + k] = a[a_first + k] for k < columns, and 0 for the others that the vectors of a tile hold."""
    panel = len(form) * VECTOR_BYTES // out.itemsize
    count = panel if columns is None else columns
    for k in range(count):
        out[out_first + k] = a[a_first + k]
    for k in range(count, panel):
        out[out_first + k] = 0
