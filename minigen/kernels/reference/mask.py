"""The twin of dropout."""

import numpy as np

from minigen.kernels.reference.arrays import Array, contiguous


def dropout(x: Array, key: int | Array, p: float) -> Array:
    """x / (1 - p) where a 32-bit hash of (two seeds, flat index) is at least p · 2³², else 0.

    The seeds are the halves of splitmix64(key); the hash is lowbias32, with the first seed added to the index and the
    second xored in after the first multiplication, and without its last shift.
    """
    z = (int(np.asarray(key).item()) + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    z ^= z >> 31
    h = np.arange(x.size).astype(np.uint32) + np.uint32(z % 2**32)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h ^= np.uint32(z >> 32)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
    keep = (h >= min(round(p * 2.0**32), 2**32 - 1)).reshape(x.shape)
    return contiguous(x * (keep * x.dtype.type(1 / (1 - p) if p < 1 else 0)))
