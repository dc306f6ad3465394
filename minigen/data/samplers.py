"""Samplers: which rows of a data set an epoch takes, and in which order. DataLoader(…, sampler=…) follows one.

Each epoch's rows follow from one 64-bit seed that is drawn from the sampler's `rng`, so that the loader saves a few
numbers and goes on exactly, whatever else the generator serves.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sized
from typing import Any

import numpy as np

from minigen import random
from minigen.checks import check_count
from minigen.errors import ArgumentError


class Sampler(ABC):
    """Iterating gives the rows of one epoch, len(sampler) of them. rng: None for an order that is always the same."""

    rng: np.random.Generator | None = None

    @abstractmethod
    def __len__(self) -> int:
        """Rows in an epoch."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """The rows of one epoch, (len(self),) integers, random by `rng` alone."""

    def __iter__(self) -> Iterator[int]:
        seed = 0 if self.rng is None else random.key(self.rng)
        return iter(self.draw(random.generator(seed)).tolist())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self):,} rows)"


class SequentialSampler(Sampler):
    """All rows in their order. data_source: a data set, or how many rows it has."""

    def __init__(self, data_source: Sized | int) -> None:
        self.count = row_count("SequentialSampler", data_source)

    def __len__(self) -> int:
        return self.count

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """0 … N-1."""
        return np.arange(self.count)


class RandomSampler(Sampler):
    """All rows in a new order every epoch; or, with replacement, each row drawn from all of them.

    data_source: a data set, or how many rows it has. num_samples: rows in an epoch; None: as many as there are.
    Raises ArgumentError, or DTypeError without rng.
    """

    def __init__(
        self,
        data_source: Sized | int,
        replacement: bool = False,
        num_samples: int | None = None,
        *,
        rng: np.random.Generator,
    ) -> None:
        self.count = row_count("RandomSampler", data_source)
        self.replacement = bool(replacement)
        self.num_samples = self.count
        if num_samples is not None:
            self.num_samples = check_count("RandomSampler", "num_samples", num_samples)
        if not replacement and self.num_samples > self.count:
            raise ArgumentError(
                f"RandomSampler: num_samples is {self.num_samples} of {self.count} rows; use replacement=True to draw "
                "rows more than once"
            )
        self.rng = random.check_rng(rng, "RandomSampler")

    def __len__(self) -> int:
        return self.num_samples

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """A permutation, or its beginning; with replacement, independent draws."""
        if self.replacement:
            return rng.integers(0, self.count, self.num_samples)
        return rng.permutation(self.count)[: self.num_samples]


class SubsetRandomSampler(Sampler):
    """The rows `indices`, in a new order every epoch. Raises ArgumentError, or DTypeError without rng."""

    def __init__(self, indices: Any, *, rng: np.random.Generator) -> None:
        self.indices = check_rows("SubsetRandomSampler", indices)
        self.rng = random.check_rng(rng, "SubsetRandomSampler")

    def __len__(self) -> int:
        return len(self.indices)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """A permutation of the indices."""
        return rng.permutation(self.indices)


class WeightedRandomSampler(Sampler):
    """num_samples rows, row i with probability weights[i] / Σ weights: for classes of unequal size.

    weights: (N,), finite and ≥ 0. replacement: a row may come more than once in an epoch. Raises ArgumentError, or
    DTypeError without rng.
    """

    def __init__(self, weights: Any, num_samples: int, replacement: bool = True, *, rng: np.random.Generator) -> None:
        self.num_samples = check_count("WeightedRandomSampler", "num_samples", num_samples)
        self.replacement = bool(replacement)
        self.probabilities = check_weights(weights)
        drawable = np.count_nonzero(self.probabilities)
        if not replacement and self.num_samples > drawable:
            raise ArgumentError(
                f"WeightedRandomSampler: num_samples is {self.num_samples}, but only {drawable} rows have a weight "
                "above 0; use replacement=True, or fewer samples"
            )
        self.rng = random.check_rng(rng, "WeightedRandomSampler")

    def __len__(self) -> int:
        return self.num_samples

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """num_samples draws by the weights."""
        p = self.probabilities
        return rng.choice(len(p), self.num_samples, replace=self.replacement, p=p)


class BatchSampler:
    """Iterating gives the batches of an epoch, lists of batch_size rows. sampler: a Sampler, or any iterable of rows.

    drop_last: leave out a last batch that is smaller. DataLoader(…, batch_sampler=…) follows it, or any other iterable
    with a length whose items are lists of rows.
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool = False) -> None:
        self.sampler = sampler
        self.batch_size = check_count("BatchSampler", "batch_size", batch_size)
        self.drop_last = bool(drop_last)

    def __len__(self) -> int:
        """Batches in an epoch."""
        rows = row_count("BatchSampler", self.sampler)
        return rows // self.batch_size if self.drop_last else -(-rows // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        rows = list(self.sampler)
        for first in range(0, len(self) * self.batch_size, self.batch_size):
            yield rows[first : first + self.batch_size]


def row_count(operation: str, source: Any) -> int:
    """How many rows `source` has: a number, or something with a length."""
    if hasattr(source, "__len__"):
        source = len(source)
    elif not isinstance(source, (int, np.integer)):
        raise ArgumentError(f"{operation}: {type(source).__name__} has no length; pass list(…) of it")
    return check_count(operation, "the number of rows", source)


def check_rows(operation: str, rows: Any, count: int | None = None) -> np.ndarray:
    """`rows` as int64 (N,), each ≥ 0 and below `count`. Raises ArgumentError."""
    try:
        array = np.asarray(rows if hasattr(rows, "__len__") else list(rows))
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{operation}: rows are {type(rows).__name__}; give whole numbers ({error})") from None
    if array.dtype == bool and array.shape == (count,):
        array = np.flatnonzero(array)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ArgumentError(f"{operation}: rows are {array.dtype} {array.shape}; give whole numbers (N,)")
    if array.size and (array.min() < 0 or (count is not None and array.max() >= count)):
        limit = "" if count is None else f" … {count - 1}"
        raise ArgumentError(f"{operation}: rows run from {array.min()} to {array.max()}; use rows of 0{limit}")
    return array.astype(np.int64)


def check_weights(weights: Any) -> np.ndarray:
    """Weights (N,) as probabilities."""
    try:
        array = np.asarray(weights, np.float64)
    except (TypeError, ValueError):
        raise ArgumentError("WeightedRandomSampler: weights are no numbers; give one number ≥ 0 a row") from None
    if array.ndim != 1 or not (np.isfinite(array).all() and (array >= 0).all() and array.sum() > 0):
        raise ArgumentError(
            f"WeightedRandomSampler: weights of shape {array.shape} hold no probabilities; give finite numbers ≥ 0, "
            "(N,), not all of them 0"
        )
    return array / array.sum()
