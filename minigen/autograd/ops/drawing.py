"""New tensors of random numbers. Each draws from the generator passed as `rng`, and from nothing else."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigen.autograd.conversion import check_differentiable, numeric_dtype
from minigen.autograd.ops.creation import lengths_of, made
from minigen.autograd.ops.operands import as_float
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.checks import check_count, check_flag, shown
from minigen.config import FLOAT_DTYPES, config
from minigen.errors import ArgumentError, DataError, DTypeError, ShapeError
from minigen.kernels.noting import host
from minigen.kernels.noting import made as noted
from minigen.random import check_rng

Rng = np.random.Generator | None  # None only to say what is missing


def rand(*shape: Any, rng: Rng = None, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Numbers drawn evenly from [0, 1), float32 by default: rand(2, 3, rng=rng).

    Raises DTypeError without a generator, or for a dtype that is no float; ShapeError for a shape that is none.
    """
    return uniform("rand", shape, rng, dtype, requires_grad)


def randn(*shape: Any, rng: Rng = None, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Standard normal numbers, float32 by default: randn(2, 3, rng=rng). Raises as `rand` does."""
    return normal("randn", shape, rng, dtype, requires_grad)


def rand_like(x: Operand, *, rng: Rng = None, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Numbers drawn evenly from [0, 1), of the shape and float dtype of x. Raises as `rand` does."""
    x = as_tensor(x, "rand_like")
    return uniform("rand_like", (x.shape,), rng, x.dtype if dtype is None else dtype, requires_grad)


def randn_like(x: Operand, *, rng: Rng = None, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Standard normal numbers of the shape and float dtype of x. Raises as `rand` does."""
    x = as_tensor(x, "randn_like")
    return normal("randn_like", (x.shape,), rng, x.dtype if dtype is None else dtype, requires_grad)


def bernoulli(probability: Operand, *, rng: Rng = None) -> Tensor:
    """1 with the probability that stands in its place, else 0, in the dtype of the probabilities. No gradient.

    Raises DataError for a probability outside [0, 1], DTypeError without a generator.
    """
    p, generator = as_float(probability, "bernoulli").data, check_rng(rng, "bernoulli")
    check_range("bernoulli", p, 1)
    return Tensor(noted(below, p, generator))


def multinomial(probabilities: Operand, num_samples: int, replacement: bool = False, *, rng: Rng = None) -> Tensor:
    """Places drawn from each row of (…, C) by its weights, which need not sum to 1: (…, num_samples), int64.

    replacement: a place may be drawn again. Else by the largest of log weight + Gumbel noise, which draws one after the
    other (Vieira 2014, "Gumbel-max trick and weighted reservoir sampling"). Raises DataError for weights that are
    negative, not finite or all 0, ArgumentError when more places are asked than have a weight.
    """
    weights, generator = as_float(probabilities, "multinomial").data.astype(np.float64), check_rng(rng, "multinomial")
    count = check_count("multinomial", "num_samples", num_samples)
    check_range("multinomial", weights, np.finfo(np.float64).max)
    if weights.ndim < 1 or not (weights > 0).any(-1).all():
        raise DataError(f"multinomial: weights {weights.shape}; each row needs a weight above 0")
    if replacement:
        return made("multinomial", lambda: drawn_again(weights, count, generator), False)
    if count > (weights > 0).sum(-1).min():
        fewest = (weights > 0).sum(-1).min()
        raise ArgumentError(f"multinomial: {count} places of {fewest} with a weight; draw fewer, or with replacement")
    with np.errstate(divide="ignore"):
        keys = np.log(weights) + generator.gumbel(size=weights.shape)
    return Tensor(np.argsort(-keys, -1, kind="stable")[..., :count].astype(np.int64, copy=False))


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
    return drawn("randint", integer_array, (generator, first, end, lengths, kind), False)


def randperm(n: int, *, rng: Rng = None) -> Tensor:
    """The numbers 0 … n - 1 in random order, int64. Raises DTypeError without a generator."""
    count, generator = check_count("randperm", "n", n, 0), check_rng(rng, "randperm")
    return drawn("randperm", permutation, (generator, count), False)


def uniform(name: str, shape: tuple, rng: Rng, dtype: Any, requires_grad: bool) -> Tensor:
    """Numbers from [0, 1)."""
    lengths, generator, kind = lengths_of(shape, name), check_rng(rng, name), float_dtype(dtype, name)
    return drawn(name, random_array, (generator, lengths, kind), requires_grad)


def normal(name: str, shape: tuple, rng: Rng, dtype: Any, requires_grad: bool) -> Tensor:
    """Standard normal numbers."""
    lengths, generator, kind = lengths_of(shape, name), check_rng(rng, name), float_dtype(dtype, name)
    return drawn(name, normal_array, (generator, lengths, kind), requires_grad)


def drawn(name: str, draw: Callable[..., np.ndarray], arguments: tuple[Any, ...], requires_grad: bool) -> Tensor:
    """draw(*arguments) as a tensor, drawn anew in each recorded step. Raises ShapeError when there is no memory."""
    try:
        array = noted(draw, *arguments)
    except (MemoryError, ValueError, OverflowError) as error:  # NumPy names the size
        raise ShapeError(f"{name}: too large; {error}") from None
    return Tensor(array, check_flag(name, "requires_grad", requires_grad) and check_differentiable(array))


def random_array(generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Numbers from [0, 1)."""
    return np.asarray(generator.random(shape, dtype.type))


def normal_array(generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Standard normal numbers."""
    return np.asarray(generator.standard_normal(shape, dtype.type))


def integer_array(
    generator: np.random.Generator, first: int, end: int, shape: tuple[int, ...], dtype: np.dtype
) -> np.ndarray:
    """Whole numbers from first … end - 1."""
    return np.asarray(generator.integers(first, end, shape, dtype.type))


def permutation(generator: np.random.Generator, count: int) -> np.ndarray:
    """0 … count - 1 in random order."""
    return generator.permutation(count)


def below(p: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """1 with the probabilities p, else 0."""
    return np.asarray(generator.random(p.shape, p.dtype.type) < p, p.dtype)


def drawn_again(weights: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Places drawn with replacement: where a number from 0 to the sum falls among the running sums."""
    edges = np.cumsum(weights, -1)
    drawn = generator.random((*weights.shape[:-1], count)) * edges[..., -1:]
    drawn = np.minimum(drawn, np.nextafter(edges[..., -1:], 0))  # the product may be rounded up to the end
    rows = zip(edges.reshape(-1, edges.shape[-1]), drawn.reshape(-1, count), strict=True)
    return np.reshape([np.searchsorted(row, numbers, "right") for row, numbers in rows], drawn.shape).astype(np.int64)


@host
def check_range(name: str, values: np.ndarray, high: float) -> None:
    """Raise DataError unless all values lie in [0, high]."""
    if not ((values >= 0) & (values <= high)).all():
        raise DataError(f"{name}: values from {values.min()} to {values.max()}; pass probabilities, as softmax gives")


def float_dtype(dtype: Any, name: str) -> np.dtype:
    """`dtype` as float32 or float64, `config.dtype` by default. Raises DTypeError for others."""
    kind = numeric_dtype(config.dtype if dtype is None else dtype, name)
    if kind not in FLOAT_DTYPES:
        raise DTypeError(f"{name}: dtype {kind} is no float; use np.float32 or np.float64, or randint for integers")
    return kind
