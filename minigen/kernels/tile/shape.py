"""The sizes of a register tile: chosen by the processor's vector registers and by the columns of the product.

A tile is `rows` x `vectors` registers of C, beside which `vectors` of B and one number of A find room. Many shapes fill
the registers; the one is taken whose columns fit: 16 columns of float32 are one vector of 64 bytes, 48 are three. To a
kernel the shape is its form, a tuple as long as the tile has vectors, (0, 0) for two: so its type says it, and each
shape that somebody uses is compiled, and no other.
"""

import functools
from typing import NamedTuple

import numpy as np

from minigen.kernels.compiler.choice import INNER

if INNER:
    from minigen.kernels.compiler.numba_inner import cpu_features
else:
    from minigen.kernels.compiler.numba_plain import cpu_features

Form = tuple[int, ...]


def tile_shapes(features: set[str]) -> tuple[tuple[int, ...], int, int]:
    """(rows of a tile of 1, 2, 3 … vectors, vectors of the usual one, bytes of a vector).

    rows * vectors + vectors + 1 registers are in use. vectors + rows loads go with each rows * vectors multiply-adds,
    so a tile near a square is best, and the registers should be nearly full.
    """
    if "avx512f" in features:
        return (28, 14, 9), 2, 64  # 30, 31, 31 of 32 registers
    if "avx" in features:
        return (12, 6, 4), 2, 32  # 14, 15, 16 of 16
    if "neon" in features:
        return (28, 14, 9, 6), 4, 16  # 29 of 32 in the usual one
    return (12, 6, 4, 3), 4, 16  # 17 of 16: SSE adds from memory


TILE_ROWS, VECTORS, VECTOR_BYTES = tile_shapes(cpu_features())
MASKED_LOADS = VECTOR_BYTES > 16  # AVX: a part of a vector is loaded as fast as a whole one
ROWS, USUAL = TILE_ROWS[VECTORS - 1], (0,) * VECTORS  # rows and form of the usual tile
LANE_ROWS = (1, 2, 3, 4, 5, 6, 7, 8, 9)  # of tiles of one vector, whose products go lane by lane
NARROW_COST = 1.15  # of a multiply-add in a tile of fewer vectors than the usual one has
PARTS = 4  # a tile has a quarter, two, three quarters, or all of its rows
SUM_TERMS = 256  # of a sum that are added one after the other, then as one to the rest: errors grow with such a chain


def panel_width(dtype: np.dtype) -> int:
    """Columns of the usual tile."""
    return VECTORS * VECTOR_BYTES // dtype.itemsize


def vector_width(dtype: np.dtype) -> int:
    """Numbers of `dtype` in one vector register."""
    return VECTOR_BYTES // dtype.itemsize


def tile_sizes(vectors: int) -> tuple[int, ...]:
    """The numbers of rows that a tile of so many vectors may have, ascending: from a quarter to all."""
    most = TILE_ROWS[vectors - 1]
    return tuple(-(-most * part // PARTS) for part in range(1, PARTS + 1))


LEAST_ROWS = tile_sizes(VECTORS)[0]  # of the usual tile


def rows_taken(rows: int, sizes: tuple[int, ...]) -> int:
    """How many rows the tiles have together that cover `rows` rows: whole ones, and one that holds the rest."""
    whole, rest = divmod(rows, sizes[-1])
    return whole * sizes[-1] + (next(size for size in sizes if size >= rest) if rest else 0)


class Tile(NamedTuple):
    """What a kernel has to know of its tiles."""

    form: Form
    sizes: tuple[int, ...]  # numbers of rows that one may have, ascending
    panel: int  # columns


@functools.cache
def tiles(dtype: np.dtype) -> tuple[Tile, ...]:
    """All that there are, of 1, 2, 3 … vectors."""
    lanes = vector_width(dtype)
    return tuple(Tile((0,) * n, tile_sizes(n), n * lanes) for n in range(1, len(TILE_ROWS) + 1))


def lane_tile(dtype: np.dtype) -> Tile:
    """That of products which go lane by lane."""
    return Tile((0,), LANE_ROWS, vector_width(dtype))


@functools.lru_cache(maxsize=1024)
def best_tile(columns: int, dtype: np.dtype, rows: int | None = None) -> tuple[Tile, float]:
    """The tile that wastes least of its registers on rows and columns that do not exist; of equal ones the usual.

    And what a term of a product of so many columns (and rows; None: of many) takes, in vectors of multiply-adds (for
    each row).
    """

    def cost(tile: Tile) -> tuple[float, bool, int]:
        # A tile of few vectors has many rows, which the first-level cache does not hold, so that it waits for them.
        waiting = NARROW_COST if len(tile.form) < VECTORS else 1.0
        vectors = -(-columns // tile.panel) * len(tile.form)
        taken = waiting * vectors * (1 if rows is None else rows_taken(rows, tile.sizes))
        return taken, len(tile.form) != VECTORS, -len(tile.form)

    return min(((tile, cost(tile)[0]) for tile in tiles(dtype)), key=lambda found: cost(found[0]))
