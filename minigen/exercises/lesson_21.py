"""Exercises of lesson 21: what is still lost."""

import numpy as np

from minigen.exercises.exercise import Exercise


def fixed_and_per_item(batches: np.ndarray, seconds: np.ndarray) -> tuple[float, float]:
    """a and b of the line T(n) = a + b n that is nearest to measured times, by least squares: a first.

    batches: n, (k,), not all equal; seconds: T(n), (k,). With means n̄ and T̄, b = Σ (n - n̄)(T - T̄) / Σ (n - n̄)².
    """
    n, t = batches - batches.mean(), seconds - seconds.mean()
    b = float((n * t).sum() / (n * n).sum())
    return float(seconds.mean() - b * batches.mean()), b


def most_alive(arrays: np.ndarray) -> int:
    """The most memory that arrays need at once.

    arrays: whole numbers (k, 3), a row (size, first, last) for each: the first and the last item that touches it, which
    both need it. 0 without arrays.
    """
    sizes, first, last = arrays.T
    return max((int(sizes[(first <= item) & (item <= last)].sum()) for item in first), default=0)


def first_fit(arrays: np.ndarray) -> np.ndarray:
    """Where each of the arrays begins: whole numbers (k,), ≥ 0.

    arrays: (k, 3), rows (size, first, last) as in `most_alive`, sorted by first. One after the other, each is put at
    the lowest place where it overlaps with no earlier array that is alive at the same time.
    """
    places = np.zeros(len(arrays), int)
    for k, (size, first, _) in enumerate(arrays):
        living = sorted((places[i], places[i] + arrays[i, 0]) for i in range(k) if arrays[i, 2] >= first)
        for start, end in living:
            if places[k] + size <= start:
                break
            places[k] = max(places[k], end)
    return places


def through_the_origin(batches: np.ndarray, seconds: np.ndarray) -> tuple[float, float]:
    """T(n) = b n."""
    return 0.0, float((batches * seconds).sum() / (batches * batches).sum())


def by_the_ends(batches: np.ndarray, seconds: np.ndarray) -> tuple[float, float]:
    """A line through the first and the last point."""
    b = float((seconds[-1] - seconds[0]) / (batches[-1] - batches[0]))
    return float(seconds[0] - b * batches[0]), b


def sooner_ended(arrays: np.ndarray) -> np.ndarray:
    """The same arrays, not needed any more by the last item that touches them."""
    return arrays - np.array([0, 0, 1])


def behind_all(arrays: np.ndarray) -> np.ndarray:
    """Behind everything that lives; gaps stay empty."""
    places = np.zeros(len(arrays), int)
    for k, (_, first, _) in enumerate(arrays):
        places[k] = max((places[i] + arrays[i, 0] for i in range(k) if arrays[i, 2] >= first), default=0)
    return places


def into_any_gap(arrays: np.ndarray) -> np.ndarray:
    """The first gap, however small it is."""
    places = np.zeros(len(arrays), int)
    for k, (_, first, _) in enumerate(arrays):
        living = sorted((places[i], places[i] + arrays[i, 0]) for i in range(k) if arrays[i, 2] >= first)
        for start, end in living:
            if places[k] < start:
                break
            places[k] = max(places[k], end)
    return places


ARRAYS = np.array([(4, 0, 2), (6, 1, 3), (3, 2, 6), (5, 3, 4), (4, 4, 7), (6, 5, 8), (2, 6, 8), (4, 7, 9)])

EXERCISES = [
    Exercise(
        answer=fixed_and_per_item,
        cases=lambda rng: [
            (np.array([1.0, 4.0, 16.0, 64.0]), np.array([3.0, 3.5, 6.0, 15.5])),
            (np.array([2.0, 4.0]), np.array([1.0, 2.5])),
            (rng.uniform(1, 9, 5), rng.uniform(1, 2, 5)),
        ],
        mistakes={
            "a comes first, then b": lambda batches, seconds: fixed_and_per_item(batches, seconds)[::-1],
            "this line goes through the origin: a step of no example would take no time": through_the_origin,
            "this line goes through two of the points; all of them count": by_the_ends,
            "a is where the line meets n = 0, not its mean": lambda batches, seconds: (
                float(seconds.mean()),
                fixed_and_per_item(batches, seconds)[1],
            ),
        },
        hints=("Take the means off first.", "The line goes through (n̄, T̄): a = T̄ - b n̄."),
    ),
    Exercise(
        answer=most_alive,
        cases=lambda rng: [
            (ARRAYS,),
            (np.array([(3, 0, 1), (5, 1, 2), (7, 2, 3)]),),
            (np.array([(9, 0, 9)]),),
            (np.zeros((0, 3), int),),
        ],
        mistakes={
            "this is the sum of all arrays, as if none were ever done with": lambda arrays: int(arrays[:, 0].sum()),
            "this is the largest array alone; several are alive at once": lambda arrays: int(
                max(arrays[:, 0], default=0)
            ),
            "an array is still needed by the last item that touches it": lambda arrays: most_alive(
                sooner_ended(arrays)
            ),
            "this counts arrays; their sizes count": lambda arrays: most_alive(np.minimum(arrays, [1, 99, 99])),
        },
        hints=(
            "The sum grows only where an array begins: it is enough to look at those items.",
            "An array is alive at an item with first ≤ item ≤ last.",
        ),
    ),
    Exercise(
        answer=first_fit,
        cases=lambda rng: [
            (ARRAYS,),
            (np.array([(2, 0, 1), (3, 0, 5), (4, 0, 3), (5, 2, 4), (2, 2, 9), (1, 4, 5)]),),
            (np.zeros((0, 3), int),),
            (np.array([(3, 0, 1), (5, 2, 4), (2, 3, 3)]),),
        ],
        mistakes={
            "no place is used twice": lambda arrays: np.cumsum(arrays[:, 0]) - arrays[:, 0],
            "an array is still needed by the last item that touches it": lambda arrays: first_fit(sooner_ended(arrays)),
            "gaps between living arrays stay empty, where one would fit": behind_all,
            "a gap has to be as large as the array": into_any_gap,
        },
        hints=(
            "Of the earlier arrays those are alive whose last item is not before this one's first.",
            "Go through them by where they begin. Stop at the first gap that is large enough; else go behind each.",
        ),
    ),
]
