"""First values of weights. Each function has the signature (shape, rng, options) and gives a fresh array.

A layer takes one as `init=`, with options by functools.partial or a lambda:

    Linear(784, 64, rng=rng, init=init.orthogonal)
    Linear(784, 64, rng=rng, init=functools.partial(init.normal, std=0.02))

and a parameter that exists takes the values by `with mg.no_grad(): layer.weight.copy_(init.normal(shape, rng))`.

fan_in counts the inputs of one output, fan_out the outputs of one input. With the input axes before the last and the
outputs on it, as in Linear (in, out) and Conv2d (KH, KW, Cin/groups, Cout), fan_in is the product of all but the last
axis, and fan_out that of all but the last but one. Values are drawn in float64 and rounded, so that the same seed gives
the same weights in both dtypes.
"""

import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from minigen import random, torch_names
from minigen.checks import check_choice
from minigen.config import config
from minigen.errors import ArgumentError

Initializer = Callable[[tuple[int, ...], np.random.Generator], np.ndarray]


def uniform(shape: Sequence[int], rng: np.random.Generator, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Uniform on [low, high)."""
    if not low <= high:
        raise ArgumentError(f"init.uniform: low {low} is above high {high}")
    return random.check_rng(rng, "init.uniform").uniform(low, high, sized(shape)).astype(config.dtype)


def normal(shape: Sequence[int], rng: np.random.Generator, mean: float = 0.0, std: float = 1.0) -> np.ndarray:
    """Gaussian with the given mean and standard deviation."""
    if not std >= 0:
        raise ArgumentError(f"init.normal: std is {std}; use a number ≥ 0")
    return random.check_rng(rng, "init.normal").normal(mean, std, sized(shape)).astype(config.dtype)


def constant(shape: Sequence[int], rng: np.random.Generator, value: float = 0.0) -> np.ndarray:
    """`value` everywhere. `rng` is not drawn from; it is there so that all initializers are called alike."""
    return np.full(sized(shape), value, config.dtype)


def xavier_uniform(shape: Sequence[int], rng: np.random.Generator, gain: float = 1.0) -> np.ndarray:
    """Uniform on ±gain √(6 / (fan_in + fan_out)). Glorot & Bengio 2010, equation 16."""
    bound = gain * math.sqrt(6.0 / sum(fans(shape)))
    return uniform(shape, rng, -bound, bound)


def xavier_normal(shape: Sequence[int], rng: np.random.Generator, gain: float = 1.0) -> np.ndarray:
    """Gaussian with std gain √(2 / (fan_in + fan_out)). Glorot & Bengio 2010, equation 12."""
    return normal(shape, rng, 0.0, gain * math.sqrt(2.0 / sum(fans(shape))))


def kaiming_uniform(
    shape: Sequence[int], rng: np.random.Generator, a: float = 0.0, mode: Literal["fan_in", "fan_out"] = "fan_in"
) -> np.ndarray:
    """Uniform on ±√(6 / ((1 + a²) fan)), before a LeakyReLU of slope a. He et al. 2015, section 2.2."""
    bound = math.sqrt(3.0) * kaiming_std(shape, a, mode)
    return uniform(shape, rng, -bound, bound)


def kaiming_normal(
    shape: Sequence[int], rng: np.random.Generator, a: float = 0.0, mode: Literal["fan_in", "fan_out"] = "fan_in"
) -> np.ndarray:
    """Gaussian with std √(2 / ((1 + a²) fan)), before a LeakyReLU of slope a. He et al. 2015, equation 15."""
    return normal(shape, rng, 0.0, kaiming_std(shape, a, mode))


def orthogonal(shape: Sequence[int], rng: np.random.Generator, gain: float = 1.0) -> np.ndarray:
    """gain times a random matrix with orthonormal rows or columns, whichever are fewer. Saxe et al. 2014.

    All axes but the last count as rows. Uniform over such matrices: Q of a Gaussian matrix, signs set by R's diagonal.
    """
    fans(sized(shape))  # at least two axes
    rows, columns = math.prod(shape[:-1]), shape[-1]
    gaussian = random.check_rng(rng, "init.orthogonal").standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(gaussian)
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return np.ascontiguousarray(gain * (q if rows >= columns else q.T), config.dtype).reshape(tuple(shape))


def default(shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """PyTorch's default for Linear and convolutions: kaiming_uniform with a = √5, which is uniform on ±1/√fan_in."""
    return kaiming_uniform(shape, rng, a=math.sqrt(5.0))


def default_bias(size: int, weight_shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """PyTorch's default bias: uniform on ±1/√fan_in of the weight."""
    bound = 1.0 / math.sqrt(fans(weight_shape)[0])
    return uniform((size,), rng, -bound, bound)


def sized(shape: Sequence[int]) -> tuple[int, ...]:
    """`shape`; ArgumentError when no memory can be addressed that holds so many numbers."""
    if math.prod(shape) > sys.maxsize // 8:
        raise ArgumentError(f"init: an array {tuple(shape)} has more numbers than can be addressed; use smaller sizes")
    return tuple(shape)


def checked(init: Initializer, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """init(shape, rng); ArgumentError for no function, or an array of another shape."""
    if not callable(init):
        raise ArgumentError(f"init is {init!r}; pass a function of (shape, rng), such as layers.init.normal")
    try:
        values = np.asarray(init(shape, rng))
    except MemoryError as error:
        raise ArgumentError(f"init: an array {shape} is too large for the memory; {error}") from None
    if values.shape != shape:
        raise ArgumentError(f"init gave an array {values.shape} for a weight {shape}; return one of the asked shape")
    return values


def kaiming_std(shape: Sequence[int], a: float, mode: str) -> float:
    """√(2 / ((1 + a²) fan))."""
    check_choice("init.kaiming", "mode", mode, ("fan_in", "fan_out"))
    return math.sqrt(2.0 / ((1.0 + a * a) * fans(shape)[mode == "fan_out"]))


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """(fan_in, fan_out). Raises ArgumentError for fewer than two axes or an empty one."""
    if len(shape) < 2 or min(shape) < 1:
        raise ArgumentError(
            f"init: shape {tuple(shape)} has no fan-in and fan-out; it needs two axes or more, none empty"
        )
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


if not TYPE_CHECKING:
    __getattr__ = torch_names.module_names(__name__)
