"""DataLoader: batches of a data set, in a shuffled order that can be saved in mid-epoch and continued exactly.

Each epoch draws one 64-bit seed from the generator and makes its permutation from that seed alone. So epoch, position
and seed say everything about where a loader stands, also when the generator serves others in between.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from minigen import random
from minigen.checks import check_count
from minigen.data.collate import Collate, fetch
from minigen.data.dataset import Dataset
from minigen.data.samplers import BatchSampler, RandomSampler, Sampler, SequentialSampler, check_rows, row_count
from minigen.errors import ArgumentError, CheckpointError, DataError, DTypeError

NO_SEED = -1  # the seed of this epoch is not drawn yet, or none is needed


class DataLoader:
    """Iterating gives the batches of one epoch, each of `batch_size` items of the data set, put together.

    dataset: anything with a length whose items are had by dataset[i], such as a list of pairs; `minigen.data.collate`
    says what becomes of the items, or collate_fn(list of items) → batch. A data set with a method `batch(rows)` (rows a
    slice or an array of numbers) makes the whole batch itself, which is faster, unless there is a collate_fn.
    shuffle: a new order every epoch, from `rng`. drop_last: leave out a last batch that is smaller than the others.
    sampler: the rows of an epoch, a `Sampler` or any iterable of whole numbers with a length. batch_sampler: the same
    in batches, a `BatchSampler` or any iterable of lists of rows.

    A loader stands somewhere: `epoch` counts the epochs that are over, `position` the batches already given of the
    present one. A loop that is broken off, or a loader that was restored in mid-epoch, goes on from there. Raises
    DataError for an empty data set, ArgumentError for a bad option, DTypeError for what is no data set.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        rng: np.random.Generator | None = None,
        drop_last: bool = False,
        *,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        collate_fn: Collate | None = None,
    ) -> None:
        check_dataset(dataset)
        if collate_fn is not None and not callable(collate_fn):
            raise ArgumentError(f"DataLoader: collate_fn is {collate_fn!r}; pass a function of a list of items")
        self._batches: Iterable[Any] | None = None
        if batch_sampler is not None:
            if shuffle or drop_last or sampler is not None or batch_size != 1:
                raise ArgumentError(
                    "DataLoader: batch_sampler decides batch_size, order and drop_last; leave out batch_size, shuffle, "
                    "sampler and drop_last"
                )
            if type(batch_sampler) is BatchSampler:  # one of a class of its own may make other batches
                sampler, batch_size, drop_last = (
                    batch_sampler.sampler,
                    batch_sampler.batch_size,
                    batch_sampler.drop_last,
                )
            else:
                self._batches = batch_sampler
        if shuffle and sampler is not None:
            raise ArgumentError("DataLoader: sampler decides the order; leave out shuffle=True")
        if shuffle:
            sampler = RandomSampler(len(dataset), rng=random.check_rng(rng, "DataLoader with shuffle=True"))
        self.dataset = dataset
        self.sampler = sampler
        self.batch_size = check_count("DataLoader", "batch_size", batch_size)
        self.shuffle = bool(shuffle)
        self.drop_last = bool(drop_last)
        self.collate_fn = collate_fn
        self.epoch = 0
        self.position = 0
        self._seed = NO_SEED
        self._order: Any = None
        if len(self) == 0:
            raise ArgumentError(
                f"DataLoader: batch_size {self.batch_size} is larger than the data set of {self._items}, "
                "so that drop_last leaves no batch; use a smaller batch_size or drop_last=False"
            )

    @property
    def _items(self) -> int:
        """Rows in an epoch, where batches are made of them."""
        return len(self.dataset) if self.sampler is None else row_count("DataLoader: sampler", self.sampler)

    def __len__(self) -> int:
        """Batches in an epoch."""
        if self._batches is not None:
            return row_count("DataLoader: batch_sampler", self._batches)
        size = self._items
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)

    def __repr__(self) -> str:
        name = "its batch_sampler" if self._batches is not None else f"{self.batch_size:,}"
        order = "shuffled" if self.shuffle else "in order" if self.sampler is None else f"by {self.sampler!r}"
        return (
            f"DataLoader({len(self):,} batches of {name} from {self.dataset!r}, {order}; "
            f"epoch {self.epoch}, {self.position:,} given)"
        )

    @property
    def epoch_done(self) -> bool:
        """Whether the batch given last ended an epoch."""
        return self.epoch > 0 and self.position == 0

    def __iter__(self) -> Iterator[Any]:
        """The batches from the present position to the end of the epoch."""
        epoch = self.epoch
        while self.epoch == epoch:
            yield self._next_batch()

    def steps(self, start: int, stop: int) -> Iterator[tuple[int, Any]]:
        """(step, batch) for step in start + 1 … stop, from where the loader stands, over as many epochs as it takes."""
        for step in range(start + 1, stop + 1):
            yield step, self._next_batch()

    def _next_batch(self) -> Any:
        """The next batch. The loader moves on before it is given out: a state saved while it is in use counts it."""
        batch = fetch(self.dataset, self._rows(), self.collate_fn)
        self.position += 1
        if self.position == len(self):
            self.epoch += 1
            self.position = 0
            self._seed = NO_SEED
            self._order = None
        return batch

    def _rows(self) -> Any:
        """The rows of the next batch: a slice where they follow each other."""
        if self._batches is not None:
            return self._epoch_order()[self.position]
        first = self.position * self.batch_size
        rows = slice(first, min(first + self.batch_size, self._items))
        if self.sampler is None or (type(self.sampler) is SequentialSampler and self._items <= len(self.dataset)):
            return rows
        return self._epoch_order()[rows]

    def _epoch_order(self) -> Any:
        """All rows of this epoch, an array, or a list of such where a batch_sampler makes the batches."""
        if self._order is None and isinstance(self.sampler, Sampler):
            if self._seed == NO_SEED and self.sampler.rng is not None:
                self._seed = random.key(self.sampler.rng)
            self._order = self._checked(self.sampler.draw(random.generator(max(self._seed, 0))))
        elif self._order is None:
            source = self.sampler if self._batches is None else self._batches
            assert source is not None
            self._order = self._checked(list(source))
        return self._order

    def _checked(self, order: Any) -> Any:
        """The rows of an epoch, whatever sampler they are from. Raises ArgumentError for rows that do not exist."""
        count = len(self.dataset)
        if self._batches is None:
            rows = check_rows("DataLoader: sampler", order, count)
            expected = self._items
        else:
            rows = [check_rows("DataLoader: batch_sampler", batch, count) for batch in order]
            expected = len(self)
            if not all(map(len, rows)):
                raise ArgumentError("DataLoader: batch_sampler gave a batch without rows; leave it out")
        if len(rows) != expected:
            raise ArgumentError(f"DataLoader: a sampler of length {expected} gave {len(rows)}; let it give its length")
        return rows

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands, as plain numbers. The generator is not in it: save it beside the loader.

        Of a sampler that is no `Sampler` the rows of this epoch are in it.
        """
        state = {"epoch": self.epoch, "position": self.position, "seed": self._seed, **self._layout()}
        if self._foreign:  # its order follows from no seed
            state["order"] = [] if self._order is None else [np.asarray(rows).tolist() for rows in self._order]
        return state

    @property
    def _foreign(self) -> bool:
        """Whether the order is given by an object of which only iteration is known."""
        return self._batches is not None or not (self.sampler is None or isinstance(self.sampler, Sampler))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was saved. Raises CheckpointError if it is of other data or another batch size."""
        expected = {"epoch", "position", "seed", *self._layout(), *(["order"] if self._foreign else [])}
        if set(state) != expected:
            raise CheckpointError(f"DataLoader: state has {sorted(state)}, expected {sorted(expected)}")
        for name, value in self._layout().items():
            if state[name] != value:
                raise CheckpointError(
                    f"DataLoader: the saved {name} is {state[name]}, this one is {value}; "
                    "resume with the data and options of the saved run"
                )
        epoch, position, seed = (int(state[name]) for name in ("epoch", "position", "seed"))
        random_order = isinstance(self.sampler, Sampler) and self.sampler.rng is not None
        unseeded = random_order and position > 0 and seed == NO_SEED
        if epoch < 0 or not 0 <= position < len(self) or seed < NO_SEED or unseeded:
            raise CheckpointError(f"DataLoader: state has epoch {epoch}, position {position}, seed {seed}: damaged")
        self.epoch, self.position, self._seed = epoch, position, seed
        self._order = self._checked(state["order"]) if self._foreign and state["order"] else None

    def _layout(self) -> dict[str, Any]:
        """What must be the same for a saved position to mean the same batches."""
        layout: dict[str, Any] = {
            "items": len(self.dataset),
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
        }
        given = self.sampler if self._batches is None else self._batches
        if given is not None and not self.shuffle:
            layout |= {"sampler": type(given).__name__, "batches": len(self)}
        return layout


def check_dataset(dataset: Any) -> None:
    """Raises DTypeError for what has no length or no items by number, DataError for what is empty."""
    kind = type(dataset).__name__
    if not hasattr(dataset, "__len__"):
        raise DTypeError(
            f"DataLoader: the data set is {kind}, which has no length; pass list(…) of it, or an object with __len__ "
            "and __getitem__"
        )
    if isinstance(dataset, (dict, set, frozenset, str, bytes)) or not hasattr(dataset, "__getitem__"):
        raise DTypeError(f"DataLoader: the data set is {kind}, which has no items by number; pass a list of its items")
    try:
        count = len(dataset)
    except TypeError:
        raise DTypeError(f"DataLoader: the data set is {kind} without a length; pass an array (N, …)") from None
    if count == 0:
        name = getattr(dataset, "name", "")
        raise DataError(f"DataLoader: the data set {name} is empty; give it at least one item".replace("  ", " "))
