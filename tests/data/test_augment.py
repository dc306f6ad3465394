"""Random changes of images do what they say, each image its own way, and nothing else."""

from collections.abc import Callable

import numpy as np
import pytest

from minigen import random
from minigen.data import (
    mix_up,
    random_elastic,
    random_erase,
    random_flip,
    random_noise,
    random_rotate,
    random_scale,
    random_shear,
    random_shift,
    warp,
)
from minigen.errors import ArgumentError, ShapeError

X = np.random.default_rng(0).random((64, 7, 6, 2), dtype=np.float32)


def shifted(image: np.ndarray, down: int, right: int, fill: float) -> np.ndarray:
    """Oracle: pixel by pixel."""
    out = np.full_like(image, fill)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            if 0 <= i - down < image.shape[0] and 0 <= j - right < image.shape[1]:
                out[i, j] = image[i - down, j - right]
    return out


def test_every_image_is_one_of_its_shifts_and_all_shifts_occur():
    y = random_shift(X, 1, random.generator(0), fill=-1.0)
    assert y.shape == X.shape and y.dtype == X.dtype and y.flags.c_contiguous
    moves = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    used = set()
    for before, after in zip(X, y, strict=True):
        matching = [move for move in moves if np.array_equal(shifted(before, *move, -1.0), after)]
        assert len(matching) == 1
        used.update(matching)
    assert used == set(moves)


def test_shift_by_nothing_and_by_less():
    np.testing.assert_array_equal(random_shift(X, 0, random.generator(0)), X)
    with pytest.raises(ArgumentError, match="pixels"):
        random_shift(X, -1, random.generator(0))


def test_flip_mirrors_about_half():
    y = random_flip(X, random.generator(0))
    kept = [np.array_equal(a, b) for a, b in zip(X, y, strict=True)]
    mirrored = [np.array_equal(a[:, ::-1], b) for a, b in zip(X, y, strict=True)]
    assert all(a != b for a, b in zip(kept, mirrored, strict=True)) and 16 < sum(kept) < 48


# ---------------------------------------------------------------- gaps, noise, mixtures


def test_each_image_loses_a_rectangle_of_its_own():
    x = np.ones((200, 8, 10, 2), np.float32)
    y = random_erase(x, 0.5, random.generator(0), fill=-1.0)
    gone = (y == -1).all(3)
    assert (y[~gone] == 1).all()
    rows, columns = gone.any(2), gone.any(1)
    np.testing.assert_array_equal(gone, rows[:, :, None] & columns[:, None])
    assert rows.sum(1).max() == 4 and columns.sum(1).max() == 5 and gone.reshape(200, -1).any(1).mean() > 0.5
    assert len({gone[i].tobytes() for i in range(200)}) > 100
    np.testing.assert_array_equal(random_erase(x, 0.0, random.generator(0)), x)


def test_noise_has_its_deviation_and_stays_in_range():
    x = np.full((100, 10, 10, 1), 0.5, np.float32)
    y = random_noise(x, 0.1, random.generator(0))
    assert y.std() == pytest.approx(0.1, rel=0.02) and y.dtype == np.float32
    y = random_noise(x, 2.0, random.generator(0), range=(-1, 1))
    assert y.min() == -1 and y.max() == 1


def test_images_and_classes_are_mixed_in_the_same_parts():
    labels = np.arange(64) % 4
    x = np.broadcast_to(labels[:, None, None, None], (64, 3, 3, 1)).astype(np.float32)
    images, classes = mix_up(x, np.eye(4, dtype=np.float32)[labels], random.generator(0), alpha=1.0)
    np.testing.assert_allclose(classes.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(images[:, 0, 0, 0], classes @ np.arange(4, dtype=np.float32), atol=1e-5)
    assert ((classes > 0.05).sum(1) == 2).mean() > 0.4


# ---------------------------------------------------------------- turned, scaled, slanted, bent


def read_at(image: np.ndarray, row: float, column: float, fill: float) -> np.ndarray:
    """Oracle: one place between four pixels."""
    found = np.zeros(image.shape[2])
    for i in (int(np.floor(row)), int(np.floor(row)) + 1):
        for j in (int(np.floor(column)), int(np.floor(column)) + 1):
            share = max(1 - abs(row - i), 0) * max(1 - abs(column - j), 0)
            inside = 0 <= i < image.shape[0] and 0 <= j < image.shape[1]
            found += share * (image[i, j] if inside else fill)
    return found


def test_places_between_pixels_are_read_in_proportion():
    at = np.random.default_rng(1).uniform(-3, 9, (2, 4, 5, 2))
    y = warp.warp(X[:2], at, fill=-0.5)
    assert y.shape == (2, 4, 5, 2) and y.dtype == np.float32
    for n, i, j in np.ndindex(2, 4, 5):
        np.testing.assert_allclose(y[n, i, j], read_at(X[n], *at[n, i, j], fill=-0.5), atol=1e-5)
    with pytest.raises(ShapeError, match="warp"):
        warp.warp(X[:2], at[:1])


def bar(size: int = 21) -> np.ndarray:
    """An upright bar."""
    x = np.zeros((50, size, size, 1), np.float32)
    x[:, 4:17, 9:12] = 1
    return x


def angle(image: np.ndarray) -> float:
    """Of the long axis of what is bright, from upright, in degrees."""
    rows, columns = np.nonzero(image[..., 0] > 0.5)
    _, vectors = np.linalg.eigh(np.cov(rows, columns))
    down, right = vectors[:, 1]
    return float(np.degrees(np.arctan(right / down)))


def test_images_are_turned_by_all_angles_up_to_the_largest():
    angles = [angle(image) for image in random_rotate(bar(), 40, random.generator(0))]
    assert 30 < max(angles) < 42 and -42 < min(angles) < -30 and abs(np.mean(angles)) < 10
    np.testing.assert_allclose(random_rotate(bar(), 0, random.generator(0)), bar(), atol=1e-6)


def test_images_are_scaled_both_ways():
    areas = random_scale(bar(), 1.3, random.generator(0)).sum((1, 2, 3)) / bar()[0].sum()
    assert 1.4 < areas.max() < 1.75 and 0.55 < areas.min() < 0.7
    np.testing.assert_allclose(random_scale(bar(), 1, random.generator(0)), bar(), atol=1e-6)


def test_slanted_images_keep_the_heights_and_widths_of_their_rows():
    y = random_shear(bar(), 25, random.generator(0))
    np.testing.assert_allclose(y.sum((2, 3)), bar().sum((2, 3)), atol=1e-3)
    angles = [angle(image) for image in y]
    assert max(angles) > 15 and min(angles) < -15


def test_images_are_bent_smoothly_and_each_in_its_own_way():
    x = np.broadcast_to(np.arange(28, dtype=np.float32)[:, None, None] / 28, (40, 28, 28, 1))
    y = random_elastic(x, 34.0, 4.0, random.generator(0))
    moved = (y - x)[:, 8:20, 8:20, 0] * 28  # in rows
    assert 0.8 < moved.std() < 2.0 and abs(moved.mean()) < 0.2
    assert np.abs(np.diff(moved, axis=2)).max() < 1.0
    np.testing.assert_allclose(random_elastic(x, 0.0, 4.0, random.generator(0)), x, atol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda rng: random_rotate(X, 181, rng),
        lambda rng: random_scale(X, 0.9, rng),
        lambda rng: random_shear(X, 90, rng),
        lambda rng: random_elastic(X, -1, 4, rng),
        lambda rng: random_elastic(X, 1, 0, rng),
        lambda rng: random_erase(X, 1.1, rng),
        lambda rng: random_noise(X, -1, rng),
        lambda rng: mix_up(X, np.eye(64), rng, 0),
    ],
)
def test_what_is_beyond_is_refused(call: Callable[[np.random.Generator], object]):
    with pytest.raises(ArgumentError):
        call(random.generator(0))


def test_single_images_and_other_classes_are_refused():
    rng = random.generator(0)
    for change in (random_rotate, random_shear):
        with pytest.raises(ShapeError, match=r"x\[None\]"):
            change(X[0], 5, rng)
    with pytest.raises(ShapeError, match="one-hot rows"):
        mix_up(X, np.arange(64), rng)
