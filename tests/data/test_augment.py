"""Shifts and mirror images move pixels and change nothing else."""

import numpy as np
import pytest

from minigen import random
from minigen.data import random_flip, random_shift
from minigen.errors import ArgumentError

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
