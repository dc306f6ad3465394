"""Arrays as compiled code takes them."""

from collections.abc import Sequence

import numpy as np


def flat(array: np.ndarray) -> np.ndarray:
    """One contiguous row of numbers, which compiled code may take as aligned and writable (it only reads inputs)."""
    if not array.flags.carray:  # which is all three
        array = np.require(array, requirements=["C", "A", "W"])
    return array.reshape(-1)


def integers(numbers: Sequence[object]) -> np.ndarray:
    """A table of int64."""
    return np.array(numbers, np.int64)
