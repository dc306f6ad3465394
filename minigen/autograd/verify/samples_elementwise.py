"""Sample calls of the less common elementwise operations, products and lengths, for `samples.py`."""

from collections.abc import Iterator

import numpy as np

from minigen.autograd.verify.sample import (
    Sample,
    away,
    distinct,
    exactly,
    normal,
    positive,
    sample,
    uniform,
)


def elementwise() -> Iterator[Sample]:
    """Angles, logarithms, steps, division with remainder."""
    for name in ("tan", "atan", "sinh", "cosh"):
        yield sample(name, normal(2, 3))
        yield sample(name, uniform(-1.5, 1.5, 4))
    for name in ("asin", "acos"):
        yield sample(name, uniform(-0.9, 0.9, 2, 3))
    yield sample("atan2", away(2, 3), away(2, 3))
    yield sample("atan2", away(3, 1), away(2))
    for name in ("log2", "log10", "rsqrt"):
        yield sample(name, positive(2, 3))
    yield sample("square", normal(2, 3))
    yield sample("reciprocal", away(2, 3))
    yield sample("logaddexp", normal(2, 3), normal(2, 3))
    yield sample("logaddexp", uniform(-30.0, 30.0, 3, 1), normal(2))
    for name in ("sign", "floor", "ceil", "trunc", "round"):
        yield sample(name, exactly([[-2.7, -0.4, 0.3], [1.2, 2.8, 7.1]]))
    yield sample("round", uniform(-3.0, 3.0, 4), decimals=2)
    for name in ("floor_divide", "remainder"):
        yield sample(name, exactly([[-2.7, -0.4, 0.3], [1.2, 2.8, 7.1]]), exactly([0.7, -0.9, 2.0]))
        yield sample(name, exactly([-2.75, 7.1, 0.4]), exactly([[1.3], [-2.2]]))


def products() -> Iterator[Sample]:
    """Products, with a zero, and with two, among the factors."""
    zeros = exactly([[1.5, 0.0, -2.0, 0.3], [0.0, 0.7, 1.1, 0.0], [0.5, -0.8, 1.7, 2.1]])
    yield sample("prod", normal(3, 4))
    yield sample("prod", zeros, axis=1)
    yield sample("prod", normal(2, 2, 3), axis=(0, -1))
    yield sample("prod", normal(2, 3), axis=0, keepdims=True)
    yield sample("cumprod", normal(3, 4), axis=0)
    yield sample("cumprod", zeros, axis=-1)


def lengths() -> Iterator[Sample]:
    """Norms, and what is measured with them."""
    yield sample("std", normal(2, 3))
    yield sample("std", normal(3, 4), axis=1, ddof=1)
    yield sample("std", normal(2, 2, 3), axis=(0, 2), keepdims=True)
    for p in (2, "fro", 1, 3, 2.5):
        yield sample("norm", away(2, 3), p=p)
        yield sample("norm", away(2, 3, 2), p=p, axis=-2)
    yield sample("norm", away(2, 2, 3), p=2, axis=(0, 2), keepdims=True)
    yield sample("norm", distinct(3, 4), p=np.inf)
    yield sample("norm", away(3, 4), p=np.inf, axis=1, keepdims=True)
    yield sample("norm", away(3, 4), p=-np.inf, axis=0)
    yield sample("normalize", normal(3, 4))
    yield sample("normalize", away(2, 3, 2), p=3, axis=-1)
    yield sample("normalize", uniform(-0.1, 0.1, 2, 3), eps=5.0)
    yield sample("cosine_similarity", normal(2, 3), normal(2, 3))
    yield sample("cosine_similarity", normal(2, 1, 3), normal(2, 3), axis=-1)
    yield sample("cosine_similarity", uniform(-0.1, 0.1, 2, 3), normal(2, 3), eps=1.5)
    yield sample("cdist", normal(3, 2), normal(2, 2))
    yield sample("cdist", normal(2, 2, 3), normal(1, 2, 3))
    yield sample("cdist", normal(3, 2), normal(2, 2), p=1)
    yield sample("cdist", normal(3, 2), normal(2, 2), p=3)
