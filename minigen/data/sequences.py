"""Sequences: windows of a text, parallel streams of a text, and images read row by row or pixel by pixel."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minigen.checks import check_choice, check_count
from minigen.data.dataset import ImageDataset, Index
from minigen.data.text import check_tokens
from minigen.errors import ArgumentError, DataError


class _Windows:
    """Items (x, y) of tokens (T,): x (length,) from where the item starts, y the same moved on by one; int64."""

    def __init__(self, tokens: np.ndarray, length: int) -> None:
        operation = type(self).__name__
        self.length = check_count(operation, "length", length)
        tokens = np.ascontiguousarray(check_tokens(tokens, operation))  # in their own dtype: a long text stays small
        if len(tokens) <= self.length:
            shorter = f"use a length of at most {len(tokens) - 1}, or more text" if len(tokens) > 1 else "use more text"
            raise DataError(
                f"{operation}: {len(tokens)} tokens are too few for length {self.length}, which takes "
                f"{self.length + 1}; {shorter}"
            )
        self.tokens = tokens
        self._windows = sliding_window_view(tokens, self.length)

    def at(self, start: Index) -> tuple[np.ndarray, np.ndarray]:
        """(x, y) of the windows that start there, copied."""
        x, y = self._windows[:-1][start], self._windows[1:][start]
        return np.array(x, np.int64, order="C"), np.array(y, np.int64, order="C")

    def __len__(self) -> int:
        return len(self._windows) - 1

    def __getitem__(self, index: Index) -> tuple[np.ndarray, np.ndarray]:
        return self.at(index)

    def batch(self, rows: Index) -> tuple[np.ndarray, np.ndarray]:
        """Several items as one batch, x and y (N, length)."""
        return self[rows]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self):,} windows of {self.length} of {len(self.tokens):,} tokens)"


class WindowDataset(_Windows):
    """Every window of a text: item i is x = tokens[i : i+length], y = tokens[i+1 : i+1+length], both int64.

    tokens: (T,) integers. DataLoader(WindowDataset(tokens, length), batch_size, shuffle=True, rng=rng) draws windows
    (N, length) at random, without drawing one twice in an epoch of T - length windows. Raises DataError for a text of
    fewer than length + 1 tokens.
    """


class StreamDataset(_Windows):
    """A text as `batch_size` parallel streams, cut into chunks of `length`, for models that carry their state on.

    Items are ordered so that DataLoader(data, data.batch_size), not shuffled, gives x, y (batch_size, length) whose row
    r goes on where row r of the batch before ended. The last tokens that would fill no batch are left out. At the start
    of an epoch, and there only, the state must start anew:

        for step, (x, y) in loader.steps(start, stop):
            if loader.position == 1 or len(loader) == 1:  # the first batch of an epoch: position counts those given
                state = None
            …
            state = state.detach()

    tokens: (T,) integers. Raises DataError for fewer than batch_size * length + 1 tokens.
    """

    def __init__(self, tokens: np.ndarray, batch_size: int, length: int) -> None:
        super().__init__(tokens, length)
        self.batch_size = check_count("StreamDataset", "batch_size", batch_size)
        chunks = (len(self.tokens) - 1) // (self.batch_size * self.length)
        if not chunks:
            raise DataError(
                f"StreamDataset: {len(self.tokens)} tokens are too few for {self.batch_size} streams of length "
                f"{self.length}, which take {self.batch_size * self.length + 1}; use a smaller batch_size, a shorter "
                "length, or more text"
            )
        streams = np.arange(self.batch_size) * (chunks * self.length)
        self._starts = (np.arange(chunks)[:, np.newaxis] * self.length + streams).ravel()

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: Index) -> tuple[np.ndarray, np.ndarray]:
        return self.at(self._starts[index])


class SequenceDataset:
    """Images as sequences (T, C), scaled as `images` scales them, labels as there.

    by: "row": the rows of an image, T = H, C = W·channels; "pixel": its pixels, T = H·W, C = channels.
    permutation: (T,), the order in which the steps are read, the same for all images; None: from the top left on.
    "permuted MNIST" is `permutation=rng.permutation(784)` with "pixel". Raises ArgumentError.

    Q. V. Le, N. Jaitly, G. E. Hinton (2015), A Simple Way to Initialize Recurrent Networks of Rectified Linear Units,
    section 4.2 (arXiv:1504.00941).
    """

    def __init__(self, images: ImageDataset, by: str = "row", permutation: np.ndarray | None = None) -> None:
        check_choice("SequenceDataset", "by", by, ("row", "pixel"))
        height, width, channels = images.image_shape
        self.shape = (height, width * channels) if by == "row" else (height * width, channels)
        self.images = images
        self.permutation = None if permutation is None else check_permutation(permutation, self.shape[0])

    @property
    def labels(self) -> np.ndarray | None:
        """Those of the images."""
        return self.images.labels

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.images.classes

    @property
    def name(self) -> str:
        """What error messages and plots call the data."""
        return self.images.name

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Index) -> tuple[np.ndarray, ...]:
        x, *labels = self.images[index]
        x = x.reshape(*x.shape[:-3], *self.shape)
        if self.permutation is not None:
            x = np.take(x, self.permutation, axis=-2)
        return x, *labels

    def batch(self, rows: Index) -> tuple[np.ndarray, ...]:
        """Several items as one batch, x (N, T, C)."""
        return self[rows]

    def __repr__(self) -> str:
        steps, features = self.shape
        return f"SequenceDataset({steps} steps of {features} of {self.images!r})"


def check_permutation(permutation: np.ndarray, length: int) -> np.ndarray:
    """`permutation` as int64 (length,), or ArgumentError unless it has each of 0 … length-1 once."""
    order = np.asarray(permutation)
    if (
        order.shape != (length,)
        or order.dtype.kind not in "iu"
        or not np.array_equal(np.sort(order), np.arange(length))
    ):
        raise ArgumentError(
            f"SequenceDataset: permutation is {order.dtype} {order.shape}; give each of 0 … {length - 1} once, as "
            f"rng.permutation({length}) does"
        )
    return order.astype(np.int64)
