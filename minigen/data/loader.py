"""DataLoader: batches of a data set, in a shuffled order that can be saved in mid-epoch and continued exactly.

Each epoch draws one 64-bit seed from the generator and makes its permutation from that seed alone. So epoch, position
and seed say everything about where a loader stands, also when the generator serves others in between.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigen import random
from minigen.data.dataset import Dataset, Index
from minigen.errors import ArgumentError, CheckpointError, DataError

NO_SEED = -1  # the seed of this epoch is not drawn yet, or none is needed


class DataLoader:
    """Iterating gives the batches of one epoch, each the tuple that `dataset[rows]` gives for `batch_size` rows.

    shuffle: a new order every epoch, from `rng`. drop_last: leave out a last batch that is smaller than the others.

    A loader stands somewhere: `epoch` counts the epochs that are over, `position` the batches already given of the
    present one. A loop that is broken off, or a loader that was restored in mid-epoch, goes on from there. Raises
    DataError for an empty data set, ArgumentError for a bad option.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        shuffle: bool = False,
        rng: np.random.Generator | None = None,
        drop_last: bool = False,
    ) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ArgumentError(f"DataLoader: batch_size is {batch_size!r}; use a whole number ≥ 1")
        if len(dataset) == 0:
            name = getattr(dataset, "name", "")
            raise DataError(f"DataLoader: the data set {name} is empty; give it at least one item".replace("  ", " "))
        if drop_last and len(dataset) < batch_size:
            raise ArgumentError(
                f"DataLoader: batch_size {batch_size} is larger than the data set of {len(dataset)}, "
                "so that drop_last leaves no batch; use a smaller batch_size or drop_last=False"
            )
        self.rng = random.check_rng(rng, "DataLoader with shuffle=True") if shuffle else None
        self.dataset = dataset
        self.batch_size = int(batch_size)
        self.shuffle = bool(shuffle)
        self.drop_last = bool(drop_last)
        self.epoch = 0
        self.position = 0
        self._seed = NO_SEED
        self._permutation: np.ndarray | None = None

    def __len__(self) -> int:
        """Batches in an epoch."""
        size = len(self.dataset)
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)

    @property
    def epoch_done(self) -> bool:
        """Whether the batch given last ended an epoch."""
        return self.epoch > 0 and self.position == 0

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        """The batches from the present position to the end of the epoch."""
        epoch = self.epoch
        while self.epoch == epoch:
            yield self._next_batch()

    def steps(self, start: int, stop: int) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
        """(step, batch) for step in start + 1 … stop, from where the loader stands, over as many epochs as it takes."""
        for step in range(start + 1, stop + 1):
            yield step, self._next_batch()

    def _next_batch(self) -> tuple[np.ndarray, ...]:
        """The next batch. The loader moves on before it is given out: a state saved while it is in use counts it."""
        batch = self.dataset[self._rows()]
        self.position += 1
        if self.position == len(self):
            self.epoch += 1
            self.position = 0
            self._seed = NO_SEED
            self._permutation = None
        return batch

    def _rows(self) -> Index:
        first = self.position * self.batch_size
        rows = slice(first, min(first + self.batch_size, len(self.dataset)))
        if self.rng is None:
            return rows
        if self._seed == NO_SEED:
            self._seed = random.key(self.rng)
        if self._permutation is None:
            self._permutation = random.generator(self._seed).permutation(len(self.dataset))
        return self._permutation[rows]

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands, as plain numbers. The generator is not in it: save it beside the loader."""
        return {"epoch": self.epoch, "position": self.position, "seed": self._seed, **self._layout()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was saved. Raises CheckpointError if it is of other data or another batch size."""
        expected = {"epoch", "position", "seed", *self._layout()}
        if set(state) != expected:
            raise CheckpointError(f"DataLoader: state has {sorted(state)}, expected {sorted(expected)}")
        for name, value in self._layout().items():
            if state[name] != value:
                raise CheckpointError(
                    f"DataLoader: the saved {name} is {state[name]}, this one is {value}; "
                    "resume with the data and options of the saved run"
                )
        epoch, position, seed = (int(state[name]) for name in ("epoch", "position", "seed"))
        unseeded = self.shuffle and position > 0 and seed == NO_SEED
        if epoch < 0 or not 0 <= position < len(self) or seed < NO_SEED or unseeded:
            raise CheckpointError(f"DataLoader: state has epoch {epoch}, position {position}, seed {seed}: damaged")
        self.epoch, self.position, self._seed = epoch, position, seed
        self._permutation = None

    def _layout(self) -> dict[str, Any]:
        """What must be the same for a saved position to mean the same batches."""
        return {
            "items": len(self.dataset),
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
        }
