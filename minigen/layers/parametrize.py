"""Weights that are made of others each time they are read: spectral norm and weight norm, as functions over a layer.

    layer = spectral_norm(Linear(784, 64, rng=rng), rng=rng)

The layer stays what it is. Its `weight` becomes a tensor that is computed from the parameters in
`layer.parametrizations.weight`, with gradients of every order; these parameters are what is trained and saved. Write
into them: what is written into the computed weight is lost.
"""

from typing import TypeVar

import numpy as np

from minigen import random
from minigen.autograd import leaves, ops
from minigen.autograd.modes import modes, no_grad
from minigen.autograd.tensor import Tensor
from minigen.checks import check_count, check_number
from minigen.errors import ArgumentError
from minigen.kernels.noting import run
from minigen.layers.convolution import ConvTranspose2d
from minigen.layers.convolution_nd import ConvTranspose1d
from minigen.layers.dictionaries import ModuleDict
from minigen.layers.module import Computed, Module, Parameter

M = TypeVar("M", bound=Module)


class SpectralNorm(Module):
    """original / σ, σ = uᵀ W v its largest singular value by power iteration: W is `original`, outputs times the rest.

    In training every reading of the weight goes `n_power_iterations` further, v ← Wᵀu / |Wᵀu|, u ← Wv / |Wv|; u and v
    are buffers and count as constants in the gradient. Miyato et al. 2018, section 2.1 and algorithm 1.
    """

    u: np.ndarray
    v: np.ndarray

    def __init__(
        self, original: Parameter, axis: int, n_power_iterations: int, eps: float, rng: np.random.Generator
    ) -> None:
        super().__init__()
        self.original, self.axis = original, axis
        self.n_power_iterations = check_count("spectral_norm", "n_power_iterations", n_power_iterations)
        self.eps = check_number("spectral_norm", "eps", eps, above=0)
        outputs = original.shape[axis]
        for name, size in (("u", outputs), ("v", original.size // outputs)):
            self.register_buffer(name, unit(rng.normal(size=size), self.eps).astype(original.dtype))
        self.iterate(15)  # so that σ is close from the start, as in PyTorch

    def iterate(self, times: int) -> np.ndarray:
        """Steps of power iteration, on u and v in place; u vᵀ as the weight is laid out."""
        product = np.empty_like(self.original.data, order="C")
        run(power_iteration, self.original.data, self.u, self.v, product, self.axis, times, self.eps)
        return product

    def forward(self) -> Tensor:
        """The weight."""
        times = self.n_power_iterations if self.training and not modes.recomputing else 0
        sigma = ops.sum(self.original * Tensor(self.iterate(times)))
        return self.original / ops.maximum(sigma, self.eps)  # of a weight of 0, too

    def extra_repr(self) -> str:
        """Shape of the weight, and n_power_iterations."""
        return f"{self.original.shape}, n_power_iterations={self.n_power_iterations}"


def power_iteration(
    weight: np.ndarray, u: np.ndarray, v: np.ndarray, product: np.ndarray, axis: int, times: int, eps: float
) -> None:
    """v ← Wᵀu / |Wᵀu|, u ← Wv / |Wv|, so many times, and product ← u vᵀ; W has the outputs, which lie along `axis`, in
    its rows.
    """
    rows = np.moveaxis(weight, axis, 0)
    matrix = rows.reshape(len(rows), -1)
    for _ in range(times):
        v[...] = unit(matrix.T @ u, eps)
        u[...] = unit(matrix @ v, eps)
    product[...] = np.moveaxis(np.outer(u, v).reshape(rows.shape), 0, axis)


def unit(vector: np.ndarray, eps: float) -> np.ndarray:
    """`vector` at length 1."""
    return (vector / max(float(np.linalg.norm(vector)), eps)).astype(vector.dtype)


class WeightNorm(Module):
    """original0 · original1 / |original1|: length and direction of each output's weights.

    Salimans & Kingma 2016, equation 2. original0 has the lengths, over all axes but `axis` (over all, if it is None),
    with axes of length 1 in their place.
    """

    def __init__(self, weight: Parameter, axis: int | None) -> None:
        super().__init__()
        self.rest = tuple(i for i in range(weight.ndim) if axis is None or i != axis % weight.ndim)
        lengths = np.sqrt((weight.data.astype(np.float64) ** 2).sum(self.rest, keepdims=True)).astype(weight.dtype)
        self.original0 = Parameter(lengths, weight.requires_grad)
        self.original1 = Parameter(weight.data, weight.requires_grad)

    def forward(self) -> Tensor:
        """The weight."""
        direction = self.original1
        return direction * (self.original0 / ops.sqrt(ops.sum(direction * direction, self.rest, keepdims=True)))

    def extra_repr(self) -> str:
        """Shape of the weight."""
        return f"{self.original1.shape}"


def spectral_norm(
    module: M,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    axis: int | None = None,
    *,
    rng: np.random.Generator | None = None,
) -> M:
    """Divide a layer's weight by its largest singular value, so that the layer stretches nothing. Returns the layer.

    axis: that of the outputs; by default the last, the last but one in transposed convolutions. `rng` draws the first
    vectors of the power iteration. The parameter itself goes on, as `parametrizations.weight.original`, so an optimizer
    that has it keeps it. Raises ArgumentError unless `name` is a parameter with two axes or more.
    """
    rng = random.check_rng(rng, "spectral_norm")
    weight = own_parameter(module, name, "spectral_norm")
    axis = output_axis(module, axis, weight, "spectral_norm")
    if weight.ndim < 2 or not weight.size:
        raise ArgumentError(f"spectral_norm: {name} is {weight.shape}; only matrices and kernels have singular values")
    return parametrized(module, name, SpectralNorm(weight, axis, n_power_iterations, eps, rng))


def weight_norm(module: M, name: str = "weight", axis: int | None = -1) -> M:
    """Write a layer's weight as length times direction, two parameters that are trained in its place.

    Returns the layer. axis: that of the outputs, each with a length of its own: the last (-1) is taken as the last but
    one in transposed convolutions; None: one length for all. Do it before making an optimizer. Raises ArgumentError
    unless `name` is a parameter that no optimizer has.
    """
    weight = own_parameter(module, name, "weight_norm")
    if leaves.has_place(weight):
        raise ArgumentError(f"weight_norm: an optimizer has {name} already; call weight_norm before making it")
    if axis is not None:
        axis = output_axis(module, None if axis == -1 else axis, weight, "weight_norm")
    return parametrized(module, name, WeightNorm(weight, axis))


def remove_parametrizations(module: M, name: str = "weight") -> M:
    """Make a weight a plain parameter again, with the value that it has now. Returns the layer.

    Raises ArgumentError when it is one already.
    """
    made = vars(module).get("parametrizations", {})
    if name not in made:
        known = ", ".join(made) or "none"
        raise ArgumentError(f"remove_parametrizations: {type(module).__name__}.{name} has none; there are: {known}")
    before = made.pop(name)
    if not made:
        delattr(module, "parametrizations")
    with no_grad():
        value = before.eval().forward()
        weight = getattr(before, "original", None)
        if weight is None:
            weight = Parameter(value, any(p.requires_grad for p in before.parameters()))
        else:
            weight.copy_(value)
    setattr(module, name, weight)
    return module


def parametrized(module: M, name: str, made: Module) -> M:
    """The module, whose parameter `name` is computed by `made` from now on."""
    delattr(module, name)
    others: ModuleDict = vars(module).get("parametrizations") or ModuleDict().train(module.training)
    others[name] = made.train(module.training)
    setattr(module, "parametrizations", others)  # noqa: B010  # which no class declares
    Computed.put_into(type(module), name)
    return module


def own_parameter(module: Module, name: str, operation: str) -> Parameter:
    """The parameter of that name. Raises ArgumentError when there is none, or it is computed already."""
    if not isinstance(module, Module):
        raise ArgumentError(f"{operation}: got {type(module).__name__}; pass the layer")
    value = vars(module).get(name)
    if not isinstance(value, Parameter):
        names = ", ".join(key for key, part in vars(module).items() if isinstance(part, Parameter)) or "none"
        why = "is computed already" if hasattr(module, name) and value is None else "is no parameter"
        raise ArgumentError(f"{operation}: {type(module).__name__}.{name} {why}; its parameters: {names}")
    return value


def output_axis(module: Module, axis: int | None, weight: Parameter, operation: str) -> int:
    """The axis of the outputs, from 0 on."""
    if axis is None:
        axis = -2 if isinstance(module, (ConvTranspose1d, ConvTranspose2d)) else -1
    if isinstance(axis, bool) or not isinstance(axis, int) or not -weight.ndim <= axis < weight.ndim:
        raise ArgumentError(f"{operation}: axis is {axis!r}; the weight {weight.shape} has {weight.ndim} axes")
    return axis % weight.ndim
