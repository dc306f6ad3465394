"""What the twins share: the name of their arrays, and C order for results."""

import functools

import numpy as np

Array = np.ndarray
contiguous = functools.partial(np.asarray, order="C")  # np.ascontiguousarray would make a 0-d array 1-d
