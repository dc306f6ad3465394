"""Arrays as compiled code takes them."""

from collections.abc import Sequence

import numpy as np

from minigen.kernels.noting import constant, noting


def flat(array: np.ndarray) -> np.ndarray:
    """One contiguous row of numbers, which compiled code may take as aligned and writable (it only reads inputs)."""
    return contiguous(array).reshape(-1)


def contiguous(array: np.ndarray) -> np.ndarray:
    """The array itself, or a contiguous, aligned and writable copy."""
    if array.flags.carray:  # which is all three
        return array
    copy = np.require(array, requirements=["C", "A", "W"])
    if noting.notes is not None:
        noting.notes.call(np.copyto, (copy, array))
    return copy


def integers(numbers: Sequence[object]) -> np.ndarray:
    """A table of int64."""
    return constant(np.array(numbers, np.int64))
