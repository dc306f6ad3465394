"""The product of two matrices, on the same threads as every other kernel.

NumPy's BLAS has threads of its own, which would fight with ours for the cores, so it is kept at one
(`compiler/process.py`). A product worth both cores is computed here instead: C is cut into tiles of a few rows x
panel numbers, each of which stays in registers while the whole sum over k runs (`microkernel.py`), and every worker
takes an equal run of tiles.

C is made in bands of rows, a band panel by panel (a panel is as many columns as a tile has), a panel tile by tile.
First the panel of B is packed, its rows one after the other, since all tiles of the band read it; but rows that are
contiguous are read where they lie when there are few tiles. A is read where it lies, whether its rows or its columns
are contiguous: a tile takes single numbers of A, so that only two distances matter. The exception is an A whose rows
are a multiple of 4096 bytes apart: they would share a few places of the first-level cache and evict each other, so a
tile's rows are copied first. Columns of A that do the like in the second level make it the other operand (`turned`).

A tile's sum runs in a fixed order, in blocks of BLOCK_TERMS terms, so the bits do not depend on the threads.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from minigen.config import config
from minigen.kernels.blas import product
from minigen.kernels.compiler.arrays import contiguous, flat
from minigen.kernels.compiler.jit import part, tasks
from minigen.kernels.noting import run
from minigen.kernels.rows.bias import bias_leaky
from minigen.kernels.rows.leaky import slope_number
from minigen.kernels.tile import few, small
from minigen.kernels.tile.microkernel import copy_row, tile_layer, transpose_block
from minigen.kernels.tile.shape import MASKED_LOADS, VECTORS, Form, Tile, best_tile, tiles, vector_width
from minigen.kernels.tile.small import strided
from minigen.kernels.tile.workspace import scratch

BLAS_MULTIPLY_ADDS = 800_000  # up to these one thread of BLAS is done before ours are well under way
SERIAL_MULTIPLY_ADDS = 100_000  # of several products, up to which BLAS takes less time
BLOCK_TERMS = 1024  # of a block (KC): its panel of B, and a tile's rows of A, stay in the second-level cache
BAND_TILES = 24  # most tiles below each other that read a panel before the next is packed
UNPACKED_TILES = 6  # in a band, up to which packing does not pay
PAGE_BYTES = 4096  # after which places in the first-level cache repeat
REPEAT_BYTES = 2048  # after which they repeat, nearly, in the second level
GAP_BYTES = 64  # more than the numbers of a block between copied rows of A: they must not repeat


class Product(NamedTuple):
    """C (m, n) = A (m, depth) · B (depth, n): sizes, and distances between neighbours in each flat array."""

    m: int
    depth: int
    n: int
    a_row: int
    a_term: int
    b_term: int
    b_column: int
    tiles: int  # below each other
    panels: int  # side by side
    band: int  # tiles below each other in a band; the last may have fewer
    form: Form
    rows: int  # most of a tile
    panel: int  # columns of a panel
    add: bool  # to what C holds
    lanes: int  # numbers in a vector register


@part
def pack(b, first, width, terms, plan, out):
    """out[k * panel + i] = B's row k, column i < width, counted from `first`, and zeros from there on."""
    panel, lanes = plan.panel, plan.lanes
    if plan.b_column == 1:
        for k in range(terms):
            copy_row(plan.form, b, first + k * plan.b_term, out, k * panel, width)
    elif plan.b_term == 1 and width >= lanes and terms >= lanes:
        for k in range(0, terms, lanes):
            inside = min(k, terms - lanes)  # the last block begins early enough to lie inside, and repeats some terms
            for i in range(0, width, lanes):
                column = min(i, width - lanes)  # or columns
                source = first + inside + column * plan.b_column
                transpose_block(b, source, plan.b_column, out, inside * panel + column, panel)
    else:
        for k in range(terms):
            source, target = b[first + k * plan.b_term :], out[k * panel :]
            for i in range(width):
                target[i] = source[i * plan.b_column]
    if plan.b_column != 1:
        for k in range(terms):
            for i in range(k * panel + width, (k + 1) * panel):
                out[i] = 0


@tasks
def turn(e, rows, columns, x, out, lanes):
    """The transpose (columns, rows) of matrix e of x (matrices, rows, columns). Both are multiples of `lanes`."""
    at = e * rows * columns
    for i in range(0, rows, lanes):
        for j in range(0, columns, lanes):
            transpose_block(x, at + i * columns + j, columns, out, at + j * rows + i, rows)


@part
def multiply_tiles(start, stop, a, a_origin, b, b_origin, row, slope, plan, out, origin, workspace):
    """Tiles [start, stop) of C, where A, B and C begin at those places of flat arrays."""
    m, n, panel = plan.m, plan.n, plan.panel
    line = min(plan.depth, BLOCK_TERMS) + GAP_BYTES // a.itemsize
    lines, packed = workspace[: plan.rows * line], workspace[plan.rows * line :]
    copied = plan.a_term == 1 and plan.a_row * a.itemsize % PAGE_BYTES == 0
    few = plan.b_column == 1 and (plan.band <= UNPACKED_TILES or plan.panels == 1)
    for low in range(0, plan.depth, BLOCK_TERMS):
        terms = min(BLOCK_TERMS, plan.depth - low)
        going_on = plan.add or low > 0
        bend = slope if low + terms == plan.depth else a.dtype.type(1)
        for tile in range(start, stop):
            above = tile // (plan.band * plan.panels) * plan.band
            band = min(plan.band, plan.tiles - above)
            j, i = (tile - above * plan.panels) // band, (tile - above * plan.panels) % band
            top, bottom = (above + i) * m // plan.tiles, (above + i + 1) * m // plan.tiles
            column = j * panel
            width = min(panel, n - column)
            direct = few and (width == panel or MASKED_LOADS)

            b_first = b_origin + low * plan.b_term + column * plan.b_column
            if not direct and (tile == start or i == 0):
                pack(b, b_first, width, terms, plan, packed)
            a_first = a_origin + top * plan.a_row + low * plan.a_term
            if copied:
                for r in range(bottom - top):
                    target, source = lines[r * line :], a[a_first + r * plan.a_row :]
                    for k in range(terms):
                        target[k] = source[k]
            first = origin + top * n + column
            base, base_first, base_row = (out, first, n) if going_on else (row, column, 0)
            tile_layer(
                plan.form, bottom - top,
                lines if copied else a, 0 if copied else a_first, line if copied else plan.a_row, plan.a_term,
                b if direct else packed, b_first if direct else 0, plan.b_term if direct else panel, terms,
                base, base_first, base_row, bend, out, first, n, width, True,
            )  # fmt: skip


@tasks
def multiply_share(worker, workers, a, b, row, slope, plan, out, workspaces):
    """The share of one worker: an equal run of the tiles of C."""
    tiles = plan.tiles * plan.panels
    start, stop = worker * tiles // workers, (worker + 1) * tiles // workers
    multiply_tiles(start, stop, a, 0, b, 0, row, slope, plan, out, 0, workspaces[worker])


@tasks
def multiply_several(worker, workers, count, a, a_step, b, b_step, row, plan, out, workspaces):
    """A worker's equal share of `count` products, whose matrices lie a_step and b_step numbers apart."""
    for e in range(worker * count // workers, (worker + 1) * count // workers):
        multiply_tiles(
            0, plan.tiles * plan.panels, a, e * a_step, b, e * b_step, row, out.dtype.type(1), plan, out,
            e * plan.m * plan.n, workspaces[worker],
        )  # fmt: skip


def matmul(
    a: np.ndarray,
    b: np.ndarray,
    bias: np.ndarray | None = None,
    slope: float | None = None,
    out: np.ndarray | None = None,
    add: bool = False,
) -> np.ndarray:
    """C[i, j] = leaky(bias[j] + sum over k of A[i, k] · B[k, j]); a (M, K), b (K, N), bias (N,) → (M, N).

    a (…, M, K), b (…, K, N) → (…, M, N) without bias, slope and out: leading axes are broadcast.

    leaky(v) is v from 0 on, slope · v below: slope None leaves v, 0 is ReLU. out: where to put C, contiguous; with
    add it is added to what is there, instead of a bias.
    Small products are left to BLAS, and so are those that would fill only a few rows or columns of a tile.
    """
    if a.ndim > 2 or b.ndim > 2:
        return several(a, b)
    (m, depth), n, slope = a.shape, b.shape[1], slope_number(slope)
    if m * depth * n <= small.MULTIPLY_ADDS and depth <= small.TERMS and a.dtype is b.dtype:
        return small.multiply(a, b, bias, slope, out, add)
    tile = fitting_tile(m, n, a.dtype)
    if tile is None and m * depth * n > BLAS_MULTIPLY_ADDS and a.dtype is b.dtype:
        if 1 < m <= few.ROWS:
            return few.multiply(a, b, bias, slope, out, add)
        if 1 < n <= few.ROWS and a.flags.c_contiguous:
            return few.multiply_columns(a, b, bias, slope, out, add)
        if 1 < n <= few.ROWS and bias is None and slope == 1 and out is None:
            return contiguous(few.multiply(contiguous(b.T), a.T, None, 1, None, False).T)
    if m * depth * n <= BLAS_MULTIPLY_ADDS or tile is None:
        return by_blas(a, b, bias, slope, out, add)
    if bias is None and slope == 1 and not add and turning_pays(a, b):
        return turned(a, b, out)
    (a, a_row, a_term), (b, b_term, b_column) = strided(a), strided(b)
    plan, zeros, workers, size = prepared(
        m, depth, n, a_row, a_term, b_term, b_column, add, tile, a.dtype, config.threads
    )  # fmt: skip
    out = np.empty((m, n), a.dtype) if out is None else out
    row = zeros if bias is None else flat(bias)
    with scratch("matmul", workers * size, a.dtype) as memory:
        workspaces = memory.reshape(workers, size)
        multiply_share(workers, workers, a, b, row, a.dtype.type(slope), plan, out.reshape(-1), workspaces)
    return out


def several(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`matmul` of stacks of matrices. Those that differ in number, and small ones, are left to BLAS, one by one."""
    if b.ndim == 2 and a.flags.c_contiguous:
        return matmul(a.reshape(-1, a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[1])
    (*stack, m, depth), n, count = a.shape, b.shape[-1], math.prod(a.shape[:-2])
    alike, size = a.shape[:-2] == b.shape[:-2] and a.dtype is b.dtype, m * depth * n
    if alike and size <= small.MULTIPLY_ADDS and depth <= small.TERMS and count * size <= SERIAL_MULTIPLY_ADDS:
        return small.multiply(a, b, None, 1, None, False)
    tile = fitting_tile(m, n, a.dtype)
    if not alike or tile is None or count * size <= SERIAL_MULTIPLY_ADDS:
        return product(a, b)
    (a, a_row, a_term), (b, b_term, b_column) = map(strided, (a, b))
    plan, row, _, size = prepared(m, depth, n, a_row, a_term, b_term, b_column, False, tile, a.dtype, config.threads)
    out, workers = np.empty((*stack, m, n), a.dtype), min(count, config.threads)
    with scratch("matmul", workers * size, a.dtype) as memory:
        workspaces = memory.reshape(workers, size)
        multiply_several(
            workers, workers, count, a, m * depth, b, depth * n, row, plan, out.reshape(-1), workspaces
        )  # fmt: skip
    return out


@functools.lru_cache(maxsize=1024)
def fitting_tile(m: int, n: int, dtype: np.dtype) -> Tile | None:
    """The tile that wastes least on columns that do not exist, if C fills half of it; else the usual one; else None."""
    for tile in (best_tile(n, dtype)[0], tiles(dtype)[VECTORS - 1]):
        if m >= tile.sizes[-1] // 2 and n >= tile.panel // 2:
            return tile
    return None


def turning_pays(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether A, the larger one, is read by columns whose numbers share few places of the second-level cache.

    They would come from further away for every panel of B. As the other operand A is packed, and read once.
    """
    (m, depth), n, lanes = a.shape, b.shape[1], vector_width(a.dtype)
    larger = m > n and m % lanes == n % lanes == 0
    return larger and depth >= BLOCK_TERMS and a.T.flags.c_contiguous and m * a.itemsize % REPEAT_BYTES == 0


def turned(a: np.ndarray, b: np.ndarray, out: np.ndarray | None) -> np.ndarray:
    """A · B as the transpose of Bᵀ · Aᵀ: the same sums."""
    m, n = a.shape[0], b.shape[1]
    out = np.empty((m, n), a.dtype) if out is None else out
    turn(1, n, m, matmul(b.T, a.T).reshape(-1), out.reshape(-1), vector_width(a.dtype))
    return out


@functools.lru_cache(maxsize=1024)
def prepared(
    m: int, depth: int, n: int, a_row: int, a_term: int, b_term: int, b_column: int, add: bool, tile: Tile,
    dtype: np.dtype, threads: int,
) -> tuple[Product, np.ndarray, int, int]:  # fmt: skip
    """The plan, a row of zeros to start from, workers, and how many numbers of memory each of them has."""
    rows, panel, lanes = tile.sizes[-1], tile.panel, vector_width(dtype)
    tiles, panels = -(-m // rows), -(-n // panel)
    band = -(-tiles // -(-tiles // BAND_TILES))
    workers = max(1, min(tiles * panels, threads))
    plan = Product(
        m, depth, n, a_row, a_term, b_term, b_column, tiles, panels, band, tile.form, rows, panel, add, lanes
    )  # fmt: skip
    terms = min(depth, BLOCK_TERMS)
    size = rows * (terms + GAP_BYTES // dtype.itemsize) + terms * panel
    zeros = np.zeros(n, dtype)
    return plan, zeros, workers, size


def by_blas(
    a: np.ndarray, b: np.ndarray, bias: np.ndarray | None, slope: float, out: np.ndarray | None, add: bool
) -> np.ndarray:
    """`matmul` by NumPy."""
    if add and out is not None:
        run(np.add, out, product(a, b), out)
        return out
    if a.shape[1] == 1:
        c = np.empty((a.shape[0], b.shape[1]), a.dtype) if out is None else out
        run(np.multiply, a, b, c)
    else:
        c = product(a, b, out)
    if slope != 1:
        bias_leaky(c, bias, slope)
    elif bias is not None:
        run(np.add, c, bias, c)
    return c
