"""Data sets made of data sets: some of the rows, a random division, several behind each other."""

from collections.abc import Iterable, Sequence, Sized
from typing import Any

import numpy as np

from minigen import random
from minigen.checks import check_count, check_items, is_number
from minigen.data.collate import collate, fetch, fetch_item
from minigen.data.dataset import Dataset, check_dataset
from minigen.data.samplers import check_rows
from minigen.errors import ArgumentError, DTypeError


class Subset:
    """The rows `indices` of a data set, in that order. indices: (N,) whole numbers; Raises ArgumentError."""

    def __init__(self, dataset: Dataset, indices: Any) -> None:
        self.dataset = check_dataset("Subset", dataset)
        self.indices = check_rows("Subset", indices, len(dataset))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, (int, np.integer)):
            return fetch_item(self.dataset, int(self.indices[index]))
        return self.batch(index)

    def batch(self, rows: Any) -> Any:
        """Several items as one batch."""
        return fetch(self.dataset, self.indices[rows])

    def __repr__(self) -> str:
        return f"Subset({len(self):,} of {self.dataset!r})"


class ConcatDataset:
    """Data sets behind each other, whose items are made alike. Raises ArgumentError without any."""

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        self.datasets = tuple(check_items("ConcatDataset", "datasets", datasets, Sized, "pass a list of data sets"))
        if not self.datasets:
            raise ArgumentError("ConcatDataset: no data sets; give at least one")
        self.ends = np.cumsum([len(dataset) for dataset in self.datasets])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> Any:
        row = int(index) + (len(self) if index < 0 else 0)
        if not 0 <= row < len(self):
            raise IndexError(f"ConcatDataset: item {index} of {len(self)}")
        part = int(np.searchsorted(self.ends, row, side="right"))
        return fetch_item(self.datasets[part], row - int(self.ends[part]) + len(self.datasets[part]))

    def batch(self, rows: Any) -> Any:
        """Several items as one batch."""
        return collate([self[row] for row in np.arange(len(self))[rows]])

    def __repr__(self) -> str:
        return f"ConcatDataset({len(self):,} items: {', '.join(map(repr, self.datasets))})"


def random_split(
    dataset: Dataset, lengths: Sequence[int] | Sequence[float], *, rng: np.random.Generator
) -> list[Subset]:
    """A data set divided at random into parts without common rows, as PyTorch's random_split.

    lengths: rows of each part, which add up to all of them; or shares that add up to 1: each part then has its share,
    rounded down, and the rows left over go to the first parts, one each. Raises ArgumentError, DTypeError without rng.
    """
    random.check_rng(rng, "random_split")
    counts = part_lengths(lengths, len(check_dataset("random_split", dataset)))
    order = rng.permutation(len(dataset))
    return [Subset(dataset, rows) for rows in np.split(order, np.cumsum(counts)[:-1])]


def part_lengths(lengths: Sequence[float], total: int) -> list[int]:
    """`lengths` as numbers of rows."""
    if not hasattr(lengths, "__len__") or not len(lengths) or not all(is_number(length) for length in lengths):
        raise DTypeError(f"random_split: lengths is {lengths!r}; give numbers of rows, or shares, in a list")
    if all(float(length).is_integer() for length in lengths) and sum(lengths) == total:
        return [check_count("random_split", "a length", int(length), 0) for length in lengths]
    if min(lengths) < 0 or abs(sum(lengths) - 1) > 1e-6:
        raise ArgumentError(
            f"random_split: lengths are {list(lengths)}, which add up to {sum(lengths):g}; use numbers of rows that "
            f"add up to {total:,}, or shares that add up to 1"
        )
    counts = [int(total * length) for length in lengths]
    for i in range(total - sum(counts)):
        counts[i % len(counts)] += 1
    return counts
