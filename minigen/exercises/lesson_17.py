"""Exercises of lesson 17: a product in registers."""

import numpy as np

from minigen.exercises.exercise import Exercise


def tallest_tile(registers: int, vectors: int) -> tuple[int, float]:
    """The most rows R of a tile that is V = `vectors` wide, and its loads for each multiply-add, (R + V) / (R V).

    In use are R V registers for the tile, V for a row of B and 1 for a number of A; R V + V + 1 ≤ registers.
    """
    rows = (registers - 1 - vectors) // vectors
    return rows, (rows + vectors) / (rows * vectors)


def pack_panels(b: np.ndarray, panel: int) -> np.ndarray:
    """The panels of B (K, N): (panels, K, panel), as many as cover the N columns.

    packed[p, k, j] = B[k, p · panel + j], and 0 where B has no such column.
    """
    terms, columns = b.shape
    count = -(-columns // panel)
    wide = np.zeros((terms, count * panel), b.dtype)
    wide[:, :columns] = b
    return wide.reshape(terms, count, panel).swapaxes(0, 1)


def add_tile(tile: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What a tile (R, P) holds after K more terms: tile + Σₖ aₖ bₖᵀ; no argument is changed.

    aₖ: column k of a (R, K). bₖ: row k of b (K, P).
    """
    total = tile.copy()
    for k in range(a.shape[1]):
        total += np.outer(a[:, k], b[k])
    return total


def without_operands(registers: int, vectors: int) -> tuple[int, float]:
    """A tile that fills all registers."""
    rows = registers // vectors
    return rows, (rows + vectors) / (rows * vectors)


def without_a_number(registers: int, vectors: int) -> tuple[int, float]:
    """No register for the number of A."""
    rows = (registers - vectors) // vectors
    return rows, (rows + vectors) / (rows * vectors)


def loads_of_the_tile(registers: int, vectors: int) -> tuple[int, float]:
    """Each number of the tile is loaded as well."""
    rows, loads = tallest_tile(registers, vectors)
    return rows, loads + 1


def loads_each_alone(registers: int, vectors: int) -> tuple[int, float]:
    """Two loads for each multiply-add."""
    return tallest_tile(registers, vectors)[0], 2.0


def whole_panels(b: np.ndarray, panel: int) -> np.ndarray:
    """The last columns are forgotten."""
    return pack_panels(b[:, : b.shape[1] // panel * panel], panel)


def cut_rows(b: np.ndarray, panel: int) -> np.ndarray:
    """The memory of B, cut without regard to its rows."""
    return pack_panels(b, panel).swapaxes(0, 1).reshape(-1, b.shape[0], panel)


def repeated_columns(b: np.ndarray, panel: int) -> np.ndarray:
    """The last panel begins early enough to lie inside."""
    starts = [min(start, b.shape[1] - panel) for start in range(0, b.shape[1], panel)]
    return np.stack([b[:, start : start + panel] for start in starts])


EXERCISES = [
    Exercise(
        answer=tallest_tile,
        cases=lambda rng: [(32, 2), (16, 2), (32, 3), (32, 1), (16, 5)],
        mistakes={
            "the row of B and the number of A need registers, too": without_operands,
            "the number of A needs a register as well": without_a_number,
            "the tile stays where it is: nothing of it is loaded for a term": loads_of_the_tile,
            "each vector of B serves all rows, each number of A all vectors: fewer than two loads": loads_each_alone,
        },
        hints=(
            "Solve R V + V + 1 = registers for R, and round down.",
            "A term loads V vectors of B and R numbers of A, and does R V multiply-adds.",
        ),
    ),
    Exercise(
        answer=pack_panels,
        cases=lambda rng: [
            (rng.standard_normal((3, 8)), 4),
            (rng.standard_normal((2, 7)), 3),
            (rng.standard_normal((4, 5)), 5),
            (rng.standard_normal((1, 9)), 4),
        ],
        mistakes={
            "the last columns, which fill no whole panel, are missing": whole_panels,
            "a panel has some columns of all rows; here memory is cut as it lies": cut_rows,
            "the last panel repeats columns of the one before; fill it up with zeros": repeated_columns,
            "each panel is turned: its rows are the rows of B": lambda b, panel: pack_panels(b, panel).swapaxes(1, 2),
        },
        hints=(
            "-(-n // d) is n / d rounded up.",
            "Pad B with columns of zeros to whole panels; then reshape (K, panels, panel), and exchange two axes.",
        ),
    ),
    Exercise(
        answer=add_tile,
        cases=lambda rng: [
            (rng.standard_normal((2, 3)), rng.standard_normal((2, 4)), rng.standard_normal((4, 3))),
            (np.ones((3, 3)), rng.standard_normal((3, 3)), rng.standard_normal((3, 3))),
            (rng.standard_normal((1, 2)), rng.standard_normal((1, 1)), rng.standard_normal((1, 2))),
        ],
        mistakes={
            "what the tile held before is lost: a later block of a sum goes on from it": lambda tile, a, b: a @ b,
            "only the last term is added": lambda tile, a, b: tile + np.outer(a[:, -1], b[-1]),
            "the tile is added once for each term": lambda tile, a, b: a.shape[1] * tile + a @ b,
            "the first term is left out: k begins at 0": lambda tile, a, b: tile + a[:, 1:] @ b[1:],
        },
        hints=("np.outer(x, y)[i, j] = x[i] y[j].", "Begin with a copy of the tile, and add an outer product a term."),
    ),
]
