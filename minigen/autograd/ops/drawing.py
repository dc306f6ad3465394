"""New tensors of random numbers. Each draws from the generator passed as `rng`, and from nothing else."""

from typing import Any

import numpy as np

from minigen.autograd.conversion import numeric_dtype
from minigen.autograd.ops.creation import lengths_of, made
from minigen.autograd.tensor import Tensor
from minigen.checks import check_count, shown
from minigen.config import FLOAT_DTYPES, config
from minigen.errors import ArgumentError, DTypeError
from minigen.random import check_rng

Rng = np.random.Generator | None  # None only to say what is missing


def rand(*shape: Any, rng: Rng = None, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Numbers drawn evenly from [0, 1), float32 by default: rand(2, 3, rng=rng).

    Raises DTypeError without a generator, or for a dtype that is no float; ShapeError for a shape that is none.
    """
    lengths, generator, kind = lengths_of(shape, "rand"), check_rng(rng, "rand"), float_dtype(dtype, "rand")
    return made("rand", lambda: np.asarray(generator.random(lengths, kind.type)), requires_grad)


def randn(*shape: Any, rng: Rng = None, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Standard normal numbers, float32 by default: randn(2, 3, rng=rng). Raises as `rand` does."""
    lengths, generator, kind = lengths_of(shape, "randn"), check_rng(rng, "randn"), float_dtype(dtype, "randn")
    return made("randn", lambda: np.asarray(generator.standard_normal(lengths, kind.type)), requires_grad)


def randint(low: int, high: Any, shape: Any = None, *, rng: Rng = None, dtype: Any = np.int64) -> Tensor:
    """Whole numbers drawn evenly from low … high - 1: randint(0, 10, (2, 3), rng=rng), or randint(10, (2, 3), rng=rng).

    Raises ArgumentError unless low < high, and both fit into the dtype; DTypeError without a generator.
    """
    generator = check_rng(rng, "randint")
    low, high, shape = (0, low, high) if shape is None else (low, high, shape)
    first, lengths = check_count("randint", "low", low, -(2**63)), lengths_of((shape,), "randint")
    end, kind = check_count("randint", "high", high, -(2**63)), numeric_dtype(dtype, "randint")
    if first >= end:
        raise ArgumentError(f"randint: low {first} must be below high {end}, which is not drawn itself")
    if kind.kind not in "iu" or first < np.iinfo(kind).min or end - 1 > np.iinfo(kind).max:
        raise ArgumentError(f"randint: {shown(first)} … {shown(end - 1)} do not fit into {kind}; pass another dtype=")
    return made("randint", lambda: np.asarray(generator.integers(first, end, lengths, kind.type)), False)


def randperm(n: int, *, rng: Rng = None) -> Tensor:
    """The numbers 0 … n - 1 in random order, int64. Raises DTypeError without a generator."""
    count, generator = check_count("randperm", "n", n, 0), check_rng(rng, "randperm")
    return made("randperm", lambda: generator.permutation(count), False)


def float_dtype(dtype: Any, name: str) -> np.dtype:
    """`dtype` as float32 or float64, `config.dtype` by default. Raises DTypeError for others."""
    kind = numeric_dtype(config.dtype if dtype is None else dtype, name)
    if kind not in FLOAT_DTYPES:
        raise DTypeError(f"{name}: dtype {kind} is no float; use np.float32 or np.float64, or randint for integers")
    return kind
