"""Exercises of lesson 16: memory and the roofline."""

import numpy as np

from minigen.exercises.exercise import Exercise


def product_intensity(m: int, k: int, n: int, itemsize: int) -> float:
    """The multiply-adds a byte of C = A B, with A (m, k), B (k, n) and C (m, n), of `itemsize` bytes a number.

    I = W / Q: W counts a multiplication with its addition once; Q reads A and B once, and writes C once.
    """
    return m * k * n / (itemsize * (m * k + k * n + m * n))


def least_seconds(multiply_adds: np.ndarray, moved: np.ndarray, products: float, memory: float) -> np.ndarray:
    """The least time of each of several operations, as the roofline has it: max(W / π, Q / β).

    multiply_adds, moved: W and Q (bytes) of each, (n,). products, memory: π and β, multiply-adds and bytes a second.
    Products and memory are at work at the same time.
    """
    return np.maximum(multiply_adds / products, moved / memory)


def chain_bytes(reads: tuple[int, ...], count: int, itemsize: int, inputs: int) -> tuple[int, int]:
    """The bytes that a chain of elementwise operations moves: (one operation after the other, fused into one pass).

    reads: of how many arrays each operation reads; each writes one. All have `count` numbers of `itemsize` bytes.
    inputs: how many different arrays the whole chain starts from. Fused, each is read once, and the result written.
    """
    array = count * itemsize
    return (sum(reads) + len(reads)) * array, (inputs + 1) * array


EXERCISES = [
    Exercise(
        answer=product_intensity,
        cases=lambda rng: [(2, 3, 5, 4), (64, 64, 64, 8), (1, 100, 1, 4), (7, 1, 9, 2)],
        mistakes={
            "a multiplication and its addition are one multiply-add here, not two": lambda m, k, n, itemsize: (
                2 * product_intensity(m, k, n, itemsize)
            ),
            "C is missing: the result has to be written, too": lambda m, k, n, itemsize: (
                m * k * n / (itemsize * (m * k + k * n))
            ),
            "these are multiply-adds for each number that moves, not for each byte": lambda m, k, n, itemsize: (
                itemsize * product_intensity(m, k, n, itemsize)
            ),
            "this moves every operand for every multiply-add; each number is to move once": lambda m, k, n, itemsize: (
                1 / (3 * itemsize)
            ),
        },
        hints=(
            "Each of the m · n numbers of C is a sum of k products.",
            "Three matrices move: m · k, k · n and m · n numbers, each of `itemsize` bytes.",
        ),
    ),
    Exercise(
        answer=least_seconds,
        cases=lambda rng: [
            (np.array([100.0, 100.0, 0.0]), np.array([10.0, 1000.0, 50.0]), 50.0, 20.0),
            (rng.uniform(1, 10, 5), rng.uniform(1, 10, 5), 2.0, 3.0),
        ],
        mistakes={
            "both times are added, but memory and products are at work at once": lambda w, q, products, memory: (
                w / products + q / memory
            ),
            "the shorter of both times is not enough: both have to be over": lambda w, q, products, memory: np.minimum(
                w / products, q / memory
            ),
            "this is the roof of the rate, min(π, β I), not a time": lambda w, q, products, memory: np.minimum(
                products, memory * w / q
            ),
            "this is one maximum for all operations together; each has its own": lambda w, q, products, memory: (
                np.maximum(w.sum() / products, q.sum() / memory) * np.ones(w.shape)
            ),
        },
        hints=("np.maximum compares element by element.", "One time is W / π, the other Q / β."),
    ),
    Exercise(
        answer=chain_bytes,
        cases=lambda rng: [((1, 1, 1, 2), 1000, 4, 1), ((2,), 7, 8, 2), ((1, 2, 2), 10, 4, 3)],
        mistakes={
            "what an operation writes counts, too, when one runs after the other": lambda reads, n, size, inputs: (
                sum(reads) * n * size,
                (inputs + 1) * n * size,
            ),
            "each operation is counted as if it read one array; some read two": lambda reads, n, size, inputs: (
                2 * len(reads) * n * size,
                (inputs + 1) * n * size,
            ),
            "fused, what is between two operations does not move": lambda reads, n, size, inputs: (
                (sum(reads) + len(reads)) * n * size,
                (sum(reads) + 1) * n * size,
            ),
            "these are numbers, not bytes": lambda reads, n, size, inputs: (
                (sum(reads) + len(reads)) * n,
                (inputs + 1) * n,
            ),
        },
        hints=(
            "Count arrays first, then multiply by the bytes of one.",
            "Unfused: all reads, and a write for each operation. Fused: the inputs, and one result.",
        ),
    ),
]
