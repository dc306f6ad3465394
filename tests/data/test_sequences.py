"""Windows and streams of a text cover it as promised, and images read as sequences are those images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigen as mg
from minigen.data import DataLoader, ImageDataset, SequenceDataset, StreamDataset, WindowDataset
from minigen.errors import ArgumentError, DataError, ShapeError

TOKENS = np.arange(1000, dtype=np.uint16)  # a token is its own position
rng = np.random.default_rng(0)
IMAGES = ImageDataset(rng.integers(0, 256, (5, 4, 6, 3), np.uint8), np.arange(5) % 2, ("a", "b"), "toy", (-1, 1))
INDICES = [0, -1, slice(1, 4), slice(None, None, 2), np.array([3, 0, 0, -2])]


@pytest.mark.parametrize("index", INDICES, ids=str)
@pytest.mark.parametrize(
    "data", [WindowDataset(TOKENS[:20], 6), StreamDataset(TOKENS[:50], 3, 4)], ids=["window", "stream"]
)
def test_items_are_windows_and_their_successors(data, index):
    x, y = data[index]
    length = data.length
    assert x.dtype == y.dtype == np.int64 and x.flags.c_contiguous and y.flags.c_contiguous
    assert x.shape == y.shape == (*np.arange(len(data))[index].shape, length)
    np.testing.assert_array_equal(y, x + 1)
    np.testing.assert_array_equal(x, x[..., :1] + np.arange(length))


def test_windows_start_everywhere():
    data = WindowDataset(TOKENS, 64)
    assert len(data) == 1000 - 64
    x, y = data[:]
    np.testing.assert_array_equal(x[:, 0], np.arange(936))
    assert y[-1, -1] == 999


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 100))
def test_streams_go_on_from_batch_to_batch(batch_size, length, more):
    tokens = np.arange(batch_size * length + 1 + more)
    data = StreamDataset(tokens, batch_size, length)
    batches = list(DataLoader(data, batch_size))
    assert {x.shape for x, _ in batches} == {(batch_size, length)}  # no batch is smaller
    streams = np.concatenate([x for x, _ in batches], axis=1)
    np.testing.assert_array_equal(streams.ravel(), np.arange(len(data) * length))  # each token once, streams in order
    assert len(tokens) - 1 - streams.size < batch_size * length
    for x, y in batches:
        np.testing.assert_array_equal(y, x + 1)


@pytest.mark.parametrize("batches", [1, 3])
def test_the_documented_idiom_finds_each_start_of_the_streams(batches):
    loader = DataLoader(StreamDataset(np.arange(batches * 10 + 1), 2, 5), 2)
    anew = [loader.position == 1 or len(loader) == 1 for _ in loader.steps(0, 2 * batches)]
    assert anew == [x[0, 0] == 0 for _, (x, _) in loader.steps(0, 2 * batches)]


def test_random_windows_are_drawn_once_each():
    loader = DataLoader(WindowDataset(TOKENS, 10), 64, shuffle=True, rng=mg.random.generator(1))
    starts = np.concatenate([x[:, 0] for x, _ in loader])
    assert not np.array_equal(starts, np.sort(starts))
    np.testing.assert_array_equal(np.sort(starts), np.arange(990))


def test_tokens_of_the_caller_are_not_touched():
    tokens = np.arange(20)
    for index in (2, slice(0, 1), slice(0, 3), np.array([1, 4])):
        x, y = WindowDataset(tokens, 5)[index]
        x[...] = y[...] = 7
    np.testing.assert_array_equal(tokens, np.arange(20))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: WindowDataset(TOKENS[:10], 10),
            DataError,
            "10 tokens .* length 10, which takes 11; use a length of at most 9",
        ),
        (lambda: WindowDataset(TOKENS[:1], 1), DataError, "1 tokens .* use more text"),
        (lambda: WindowDataset(TOKENS[:0], 1), DataError, "0 tokens .* use more text"),
        (lambda: WindowDataset(TOKENS, 0), ArgumentError, "length is 0"),
        (lambda: WindowDataset(TOKENS * 0.5, 3), ShapeError, "tokenizer.encode"),
        (lambda: WindowDataset(TOKENS[:, None], 3), ShapeError, r"\(1000, 1\)"),
        (lambda: StreamDataset(TOKENS[:60], 12, 5), DataError, "12 streams of length 5, which take 61; use a smaller"),
        (lambda: StreamDataset(TOKENS[:4], 1, 5), DataError, "length of at most 3"),
        (lambda: StreamDataset(TOKENS, 0, 5), ArgumentError, "batch_size is 0"),
        (lambda: StreamDataset(TOKENS, 2, True), ArgumentError, "length is True"),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_rows_and_pixels_of_images(index):
    x, y = IMAGES[index]
    batch = x.shape[:-3]
    order = rng.permutation(24)
    rows, labels = SequenceDataset(IMAGES, "row")[index]
    np.testing.assert_array_equal(rows, x.reshape(*batch, 4, 18))
    np.testing.assert_array_equal(labels, y)
    (pixels, _), (permuted, _) = SequenceDataset(IMAGES, "pixel")[index], SequenceDataset(IMAGES, "pixel", order)[index]
    np.testing.assert_array_equal(pixels, x.reshape(*batch, 24, 3))
    np.testing.assert_array_equal(permuted, pixels[..., order, :])
    assert rows.dtype == permuted.dtype == np.float32 and permuted.flags.c_contiguous


def test_sequences_know_what_the_images_know():
    data = SequenceDataset(IMAGES, "row", rng.permutation(4))
    assert (len(data), data.shape, data.classes, data.name) == (5, (4, 18), ("a", "b"), "toy")
    assert data.labels is IMAGES.labels


def test_images_without_labels():
    (x,) = SequenceDataset(ImageDataset(IMAGES.images, None, (), "toy"), "pixel")[:2]
    assert x.shape == (2, 24, 3)


@pytest.mark.parametrize("order", [np.arange(23), np.zeros(24, int), np.arange(24.0), np.arange(24)[None], "reversed"])
def test_bad_permutation(order):
    with pytest.raises(ArgumentError, match="each of 0 … 23 once"):
        SequenceDataset(IMAGES, "pixel", order)


def test_bad_reading():
    with pytest.raises(ArgumentError, match="'column'"):
        SequenceDataset(IMAGES, "column")
