"""A sample: one call of one operation, with makers of its inputs, which stand here too."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigen.autograd import ops
from minigen.autograd.tensor import Tensor
from minigen.random import generator

Maker = Callable[[np.random.Generator], np.ndarray]


def normal(*shape: int) -> Maker:
    """Standard normal numbers."""
    return lambda rng: rng.normal(size=shape)


def uniform(low: float, high: float, *shape: int) -> Maker:
    """Numbers between low and high."""
    return lambda rng: rng.uniform(low, high, shape)


def positive(*shape: int) -> Maker:
    """Numbers well above 0."""
    return uniform(0.5, 2.0, *shape)


def away(*shape: int) -> Maker:
    """Numbers of both signs that keep 0.1 away from 0, where relu and its kin have a kink."""
    return lambda rng: np.asarray(rng.uniform(0.1, 2.0, shape) * rng.choice([-1.0, 1.0], shape))


def distinct(*shape: int) -> Maker:
    """Numbers 0.1 apart or more, in random order: no ties for a maximum."""
    return lambda rng: (rng.permutation(int(np.prod(shape))) * 0.1 - 1.0).reshape(shape)


def integers(high: int, *shape: int) -> Maker:
    """Class labels or indices, below high."""
    return lambda rng: rng.integers(0, high, shape)


def booleans(*shape: int) -> Maker:
    """True and False."""
    return lambda rng: rng.random(shape) < 0.5


def signs(*shape: int) -> Maker:
    """-1.0 and 1.0."""
    return lambda rng: rng.choice([-1.0, 1.0], shape)


def exactly(values: Any) -> Maker:
    """The given numbers."""
    return lambda rng: np.array(values)


@dataclass(frozen=True)
class Fixed:
    """An input of floats that is not differentiated, such as a running mean."""

    make: Maker


@dataclass(frozen=True)
class Sample:
    """One call of one operation.

    operation: name in `minigen.autograd.ops`.
    inputs: makers of the tensors, in order; floats are differentiated unless marked Fixed.
    options: further arguments, by name.
    """

    operation: str
    inputs: tuple[Maker | Fixed, ...]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Readable and distinct: operation, shapes, options."""
        shapes = ",".join("x".join(map(str, array.shape)) or "0d" for array in self.arrays(generator(0)))
        options = ",".join(f"{key}={value}" for key, value in self.options.items())
        return f"{self.operation}({shapes}{';' if options else ''}{options})".replace(" ", "")

    def arrays(self, rng: np.random.Generator, dtype: Any = np.float64) -> list[np.ndarray]:
        """Fresh inputs; floats in `dtype`."""
        made = [np.asarray((maker.make if isinstance(maker, Fixed) else maker)(rng)) for maker in self.inputs]
        return [array.astype(dtype) if array.dtype.kind == "f" else array for array in made]

    def differentiable(self) -> list[bool]:
        """Which inputs have a gradient."""
        made = zip(self.inputs, self.arrays(generator(0)), strict=True)
        return [array.dtype.kind == "f" and not isinstance(maker, Fixed) for maker, array in made]

    def tensors(self, rng: np.random.Generator, dtype: Any = np.float64) -> list[Any]:
        """Fresh inputs as `call` takes them: leaves that require a gradient, and plain arrays."""
        pairs = zip(self.arrays(rng, dtype), self.differentiable(), strict=True)
        return [Tensor(array, requires_grad=True) if wanted else array for array, wanted in pairs]

    def call(self, *inputs: Any) -> Any:
        """The operation on the given inputs, with this sample's options."""
        function = CALLS.get(self.operation) or getattr(ops, self.operation)
        return function(*inputs, **self.options)


# Operations whose tensors are not simply their first arguments.
CALLS: dict[str, Callable[..., Any]] = {
    "batch_norm": lambda x, w, b, mean, var, **options: ops.batch_norm(x, w, b, mean.copy(), var.copy(), **options),
    "concatenate": lambda *xs, **options: ops.concatenate(xs, **options),
    "dropout": lambda x, seed, **options: ops.dropout(x, rng=generator(int(seed)), **options),
    "dropout2d": lambda x, seed, **options: ops.dropout2d(x, rng=generator(int(seed)), **options),
    "einsum": lambda *xs, subscripts: ops.einsum(subscripts, *xs),
    "group_norm": lambda x, *affine, num_groups, **options: ops.group_norm(x, num_groups, *affine, **options),
    "gumbel_softmax": lambda x, seed, **options: ops.gumbel_softmax(x, rng=generator(int(seed)), **options),
    "l1_penalty": lambda *xs: ops.l1_penalty(xs),
    "l2_penalty": lambda *xs: ops.l2_penalty(xs),
    "scaled_dot_product_attention": lambda q, k, v, mask=None, **options: ops.scaled_dot_product_attention(
        q, k, v, mask=mask, **options
    ),
    "gather": lambda x, index, axis: ops.gather(x, axis, index),
    "index_add": lambda x, index, source, axis, **options: ops.index_add(x, axis, index, source, **options),
    "index_select": lambda x, index, axis: ops.index_select(x, axis, index),
    "repeat": lambda x, sizes: ops.repeat(x, *sizes),
    "scatter": lambda x, index, src, axis: ops.scatter(x, axis, index, src),
    "scatter_add": lambda x, index, src, axis: ops.scatter_add(x, axis, index, src),
    "self_attention": lambda qkv, mask=None, **options: ops.self_attention(qkv, mask=mask, **options),
    "stack": lambda *xs, **options: ops.stack(xs, **options),
}


def sample(operation: str, *inputs: Maker | Fixed, **options: Any) -> Sample:
    """A Sample, options as keywords."""
    return Sample(operation, inputs, options)
