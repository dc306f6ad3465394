"""Exercises of lesson 20: threads."""

import numpy as np

from minigen.exercises.exercise import Exercise


def shares(items: int, workers: int) -> np.ndarray:
    """Which items each worker takes: whole numbers (workers, 2), item i of worker k with low ≤ i < high.

    Worker k takes ⌊k · items / workers⌋ up to ⌊(k + 1) · items / workers⌋: no two differ by more than one item.
    """
    bounds = np.arange(workers + 1) * items // workers
    return np.stack([bounds[:-1], bounds[1:]], axis=1)


def sum_by_blocks(x: np.ndarray, block: int) -> float:
    """The sum of numbers (N,) in blocks of `block`: each block from 0, its first number to its last, then the blocks.

    The blocks' sums are added in order, from 0. Every addition is rounded to float64; the last block may be shorter.
    """
    total = 0.0
    for low in range(0, x.size, block):
        part = 0.0
        for number in x[low : low + block]:
            part += float(number)
        total += part
    return total


def serial_share(one: float, many: float, threads: int) -> float:
    """Amdahl's s: the share of the time on one thread that can not be divided, T(p) = T(1) (s + (1 - s) / p).

    one: T(1). many: T(p), p = threads ≥ 2.
    """
    return (many / one - 1 / threads) / (1 - 1 / threads)


def without_the_rest(items: int, workers: int) -> np.ndarray:
    """Items that do not divide are lost."""
    return shares(items // workers * workers, workers)


def rounded_up(items: int, workers: int) -> np.ndarray:
    """Shares rounded up, as long as there are items."""
    bounds = np.minimum(np.arange(workers + 1) * -(-items // workers), items)
    return np.stack([bounds[:-1], bounds[1:]], axis=1)


def rest_to_the_last(items: int, workers: int) -> np.ndarray:
    """The last worker takes what is left."""
    found = without_the_rest(items, workers)
    found[-1, 1] = items
    return found


def sizes(items: int, workers: int) -> np.ndarray:
    """Where each begins, and how many it takes."""
    found = shares(items, workers)
    found[:, 1] -= found[:, 0]
    return found


EXERCISES = [
    Exercise(
        answer=shares,
        cases=lambda rng: [(10, 2), (11, 4), (3, 5), (0, 3), (9, 4), (7, 1)],
        mistakes={
            "the items that do not divide are lost": without_the_rest,
            "rounded up, the last workers have little or nothing to do": rounded_up,
            "the last worker takes all of the rest, and the others wait for it": rest_to_the_last,
            "the second number is where a share ends, not how long it is": sizes,
        },
        hints=(
            "There are workers + 1 bounds, and each share lies between two that follow each other.",
            "np.arange(workers + 1) * items // workers has them all.",
        ),
    ),
    Exercise(
        answer=sum_by_blocks,
        cases=lambda rng: [
            (np.array([1e16, 1.0, 1.0, 1.0, -1e16, 3.0, 1.0]), 2),
            (np.array([3.0, 1e16, 1.0, -1e16, 1.0, 1.0, 5.0, 2.0]), 3),
            (np.array([1.0, 2.0]), 5),
            (np.zeros(0), 4),
            (np.array([1.0, 1e16, -1e16, 7.0]), 1),
        ],
        mistakes={
            "this is one chain of all numbers; a block begins at 0": lambda x, block: sum_by_blocks(x, max(x.size, 1)),
            "the last block, which is shorter, is missing": lambda x, block: sum_by_blocks(
                x[: x.size // block * block], block
            ),
            "there are to be blocks of so many numbers, not so many blocks": lambda x, block: sum_by_blocks(
                x, max(1, -(-x.size // block))
            ),
            "a block is summed from its last number to its first": lambda x, block: sum_by_blocks(
                np.concatenate([x[low : low + block][::-1] for low in range(0, max(x.size, 1), block)]), block
            ),
        },
        hints=(
            "Two loops: over range(0, x.size, block), and inside over x[low : low + block].",
            "Neither x.sum() nor np.sum: NumPy adds pairs. Python's + does one after the other.",
        ),
    ),
    Exercise(
        answer=serial_share,
        cases=lambda rng: [(1.0, 0.5, 2), (10.0, 4.0, 4), (3.0, 3.0, 8), (2.0, 1.3, 3)],
        mistakes={
            "this is the speedup, T(1) / T(p)": lambda one, many, threads: one / many,
            "this is the efficiency, the speedup for each thread": lambda one, many, threads: one / many / threads,
            "this is the share that is divided, 1 - s": lambda one, many, threads: 1 - serial_share(one, many, threads),
            "what is divided still takes its p-th part: divide by 1 - 1/p as well": lambda one, many, threads: (
                many / one - 1 / threads
            ),
        },
        hints=("T(p) / T(1) = s + (1 - s) / p is linear in s.", "It is s (1 - 1/p) + 1/p."),
    ),
]
