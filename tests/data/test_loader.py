"""The DataLoader: every item once an epoch, exact continuation from a saved state, clear refusals."""

import json

import numpy as np
import pytest

from minigen import random
from minigen.data import ArrayDataset, DataLoader, ImageDataset
from minigen.errors import ArgumentError, CheckpointError, DataError, DTypeError

ITEMS = 23


def loader(batch_size=5, shuffle=True, seed=0, drop_last=False, items=ITEMS, rng=None):
    rng = rng or random.generator(seed)
    return DataLoader(ArrayDataset(np.arange(items)), batch_size, shuffle, rng if shuffle else None, drop_last)


def rows(batches):
    return [batch[0].tolist() for batch in batches]


@pytest.mark.parametrize("items", [1, 4, 5, 20, 23])
@pytest.mark.parametrize("batch_size", [1, 4, 5])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_an_epoch_gives_every_item_once(shuffle, drop_last, batch_size, items):
    if drop_last and items < batch_size:
        return
    data = loader(batch_size, shuffle, drop_last=drop_last, items=items)
    batches = rows(data)
    assert len(batches) == len(data)
    assert {len(batch) for batch in batches[:-1]} <= {batch_size}
    seen = [row for batch in batches for row in batch]
    expected = items // batch_size * batch_size if drop_last else items
    assert len(seen) == len(set(seen)) == expected
    if not shuffle:
        assert seen == list(range(expected))


def test_order_changes_with_epoch_and_seed_and_repeats_with_seed():
    data = loader()
    first, second = rows(data), rows(data)
    assert first != second
    assert rows(loader()) == first
    assert rows(loader(seed=1)) != first


def test_position_epoch_and_epoch_done():
    data = loader()
    trace = [(data.epoch, data.position, data.epoch_done) for _ in data]
    assert trace == [(0, 1, False), (0, 2, False), (0, 3, False), (0, 4, False), (1, 0, True)]
    next(iter(data))
    assert (data.epoch, data.position, data.epoch_done) == (1, 1, False)


def test_steps_run_over_epochs():
    data, other = loader(), loader()
    steps = list(data.steps(3, 15))
    assert [step for step, _ in steps] == list(range(4, 16))
    expected = rows(other) + rows(other) + rows(other)
    assert rows(batch for _, batch in steps) == expected[:12]
    assert (data.epoch, data.position) == (2, 2)
    assert list(data.steps(15, 15)) == []


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("stop", [0, 1, 3, 4, 5, 6, 9, 10, 13])
def test_a_restored_loader_goes_on_exactly(stop, shuffle):
    """Also when the generator serves others between the batches, and through JSON."""

    def draw(rng, data, count):
        out = []
        for _, batch in data.steps(0, count):
            out.append((batch[0].tolist(), rng.random()))
        return out

    rng = random.generator(3)
    data = loader(shuffle=shuffle, rng=rng)
    draw(rng, data, stop)
    saved = json.loads(json.dumps({"loader": data.state_dict(), "rng": random.get_state(rng)}))
    expected = draw(rng, data, 12)

    rng = random.generator(99)
    data = loader(shuffle=shuffle, rng=rng)
    draw(rng, data, 2)
    random.set_state(rng, saved["rng"])
    data.load_state_dict(saved["loader"])
    assert draw(rng, data, 12) == expected


def test_state_saved_inside_the_loop_counts_the_batch_in_use():
    data = loader()
    saved, rest = {}, []
    for batch in data:
        if saved:
            rest.append(batch[0].tolist())
        elif data.position == 2:
            saved = data.state_dict()
    other = loader(seed=8)
    other.load_state_dict(saved)
    assert rows(other) == rest and len(rest) == 3


def test_broken_loop_goes_on_where_it_stopped():
    data = loader()
    for _ in data:
        if data.position == 2:
            break
    assert len(rows(data)) == 3 and data.epoch == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"items": 24}, "items is 24"),
        ({"batch_size": 6}, "batch_size is 6"),
        ({"shuffle": False}, "shuffle is False"),
        ({"drop_last": True}, "drop_last is True"),
        ({"position": 5}, "damaged"),
        ({"position": -1}, "damaged"),
        ({"epoch": -1}, "damaged"),
        ({"seed": -2}, "damaged"),
        ({"position": 1}, "damaged"),
        ({"extra": 1}, "extra"),
    ],
)
def test_state_of_another_loader_is_refused(change, message):
    data = loader()
    before = data.state_dict()
    with pytest.raises(CheckpointError, match=message):
        data.load_state_dict({**before, **change})
    assert data.state_dict() == before
    with pytest.raises(CheckpointError, match="position"):
        data.load_state_dict({"epoch": 0})


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, True, "8"])
def test_bad_batch_size(batch_size):
    with pytest.raises(ArgumentError, match="batch_size"):
        loader(batch_size)


def test_refusals():
    with pytest.raises(DataError, match="empty"):
        loader(items=0)
    nothing = ImageDataset(np.zeros((0, 2, 2, 1), np.uint8), None, (), "pets test")
    with pytest.raises(DataError, match="pets test is empty"):
        DataLoader(nothing, 2)
    with pytest.raises(ArgumentError, match="drop_last leaves no batch"):
        loader(24, drop_last=True)
    with pytest.raises(DTypeError, match="shuffle=True: rng was not given; pass rng="):
        DataLoader(ArrayDataset(np.arange(3)), 2, shuffle=True)
