"""Batch norm over all axes but the last, and layer norm over the last.

Both are fused: kernels compute the value and the first derivative, `compose` writes the same in primitives for
derivatives of higher order.
"""

import numpy as np

from minigen import kernels
from minigen.autograd.fused import FusedFunction, Gradients
from minigen.autograd.modes import modes
from minigen.autograd.ops.activation import leaky
from minigen.autograd.ops.elementary import sqrt
from minigen.autograd.ops.operands import as_float, leaky_slope, rows, same_dtype
from minigen.autograd.ops.reduction import mean
from minigen.autograd.tensor import Operand, Tensor
from minigen.checks import check_number
from minigen.config import FLOAT_DTYPES
from minigen.errors import ArgumentError, DTypeError, ShapeError
from minigen.kernels.noting import made, run


class BatchNorm(FusedFunction):
    """y = leaky((x - mean) / √(var + eps) · weight + bias), with the batch's own mean and biased variance.

    leaky is nothing (slope None), ReLU (0) or LeakyReLU.
    """

    def __init__(self, eps: float, slope: float | None = None) -> None:
        self.eps, self.slope = eps, slope

    def forward(self, x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1, 2)
        y, mean, var = kernels.batch_norm(rows(x), weight, bias, self.eps, self.slope)
        self.residuals = mean, var
        return y.reshape(x.shape)

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        (x, weight, bias), (mean, var) = (self.saved_array(i) for i in range(3)), self.residuals
        gx, gweight, gbias = kernels.batch_norm_grad(
            rows(gy), rows(x), weight, bias, mean, var, self.eps, self.slope, self.needs[0]
        )
        return gx if gx is None else gx.reshape(gy.shape), gweight, gbias

    def compose(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return leaky(normalised(x, tuple(range(x.ndim - 1)), self.eps) * weight + bias, self.slope)


class BatchNormInference(FusedFunction):
    """y = leaky((x - mean) / √(var + eps) · weight + bias), with a given mean and variance."""

    def __init__(self, mean: np.ndarray, var: np.ndarray, eps: float, slope: float | None = None) -> None:
        self.mean, self.var, self.eps, self.slope = mean, var, eps, slope

    def forward(self, x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1, 2)
        self.save_output()
        y = kernels.batch_norm_inference(rows(x), weight, bias, self.mean, self.var, self.eps, self.slope)
        return y.reshape(x.shape)

    def invstd(self) -> np.ndarray:
        """1 / √(var + eps)."""
        return (1 / np.sqrt(self.var + self.eps)).astype(self.mean.dtype)

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        x, weight, invstd = rows(self.saved_array(0)), self.saved_array(1), self.invstd()
        y = rows(self.saved_output_array())
        g, gbias = kernels.bias_leaky_grad(rows(gy), y, self.slope, self.needs[2])
        return (
            (g * (weight * invstd)).reshape(gy.shape) if self.needs[0] else None,
            kernels.total(g * (x - self.mean), (0,)) * invstd if self.needs[1] else None,
            gbias,
        )

    def compose(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return leaky((x - Tensor(self.mean)) * Tensor(self.invstd()) * weight + bias, self.slope)


class LayerNorm(FusedFunction):
    """y = (x - mean) / √(var + eps) · weight + bias, with each row's own mean and biased variance."""

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(self, x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
        self.save_inputs(0, 1, 2)
        y, mean, invstd = kernels.layer_norm(rows(x), weight, bias, self.eps)
        self.residuals = mean, invstd
        return y.reshape(x.shape)

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        x, weight = rows(self.saved_array(0)), self.saved_array(1)
        gx, gweight, gbias = kernels.layer_norm_grad(rows(gy), x, weight, *self.residuals)
        return gx.reshape(gy.shape), gweight, gbias

    def compose(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return normalised(x, (x.ndim - 1,), self.eps) * weight + bias


def normalised(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    """(x - mean) / √(var + eps) over `axes`, in primitives."""
    centred = x - mean(x, axes, keepdims=True)
    return centred / sqrt(mean(centred * centred, axes, keepdims=True) + eps)


def batch_norm(
    x: Operand,
    weight: Operand,
    bias: Operand,
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
    negative_slope: float | None = None,
) -> Tensor:
    """(x - mean) / √(var + eps) · weight + bias for each channel, x (…, C), weight and bias (C,).

    Training: mean and biased variance of the batch, over all axes but the last; the running arrays (C,), unless None,
    move towards them in place by `momentum`, the variance in its unbiased form, as in PyTorch. Not training: the
    running arrays take their place. Ioffe & Szegedy 2015, algorithms 1 and 2. With a negative_slope, the
    result is leaky_relu of that, in the same pass.
    Raises ShapeError for shapes that do not fit, in training also when there is only one value for each channel, and
    ArgumentError for bad options.
    """
    momentum = check_number("batch_norm", "momentum", momentum, 0, high=1)
    slope = leaky_slope(negative_slope, "batch_norm")
    x, weight, bias = checked(x, weight, bias, "batch_norm", eps, 2)
    c = x.shape[-1]
    for role, array in (("running_mean", running_mean), ("running_var", running_var)):
        if array is not None and not (isinstance(array, np.ndarray) and array.dtype in FLOAT_DTYPES):
            raise DTypeError(
                f"batch_norm: {role} is {type(array).__name__}; pass a float ndarray, it is updated in place"
            )
        if array is not None and array.shape != (c,):
            raise ShapeError(f"batch_norm: {role} is {array.shape}, but x {x.shape} has {c} channels")
    if not training:
        if running_mean is None or running_var is None:
            raise ArgumentError("batch_norm: running_mean and running_var are needed when not training; pass arrays")
        # Copies: a later training step would change the originals under this node.
        mean, var = (made(np.array, running, x.dtype) for running in (running_mean, running_var))
        return BatchNormInference(mean, var, eps, slope)(x, weight, bias)
    m = x.size // c
    if m < 2:
        raise ShapeError(
            f"batch_norm: x {x.shape} has {m} value(s) for each channel, which have no variance; train on at least two "
            "(DataLoader(..., drop_last=True) leaves out a last batch of one), or call eval()"
        )
    function = BatchNorm(eps, slope)
    y = function(x, weight, bias)
    mean, var = function.residuals
    if running_mean is not None and not modes.recomputing:
        run(move, running_mean, mean, momentum)
    if running_var is not None and not modes.recomputing:
        run(move, running_var, var, momentum, m / (m - 1))
    return y


def move(running: np.ndarray, value: np.ndarray, momentum: float, scale: float = 1.0) -> None:
    """running += momentum (scale value - running), in place."""
    running += momentum * ((value * scale if scale != 1 else value) - running)


def layer_norm(x: Operand, weight: Operand, bias: Operand, eps: float = 1e-5) -> Tensor:
    """(x - mean) / √(var + eps) · weight + bias over the last axis, x (…, C), weight and bias (C,).

    Mean and biased variance of each row. Ba et al. 2016, section 3. Raises ShapeError for shapes that do not fit and
    ArgumentError unless eps ≥ 0.
    """
    return LayerNorm(eps)(*checked(x, weight, bias, "layer_norm", eps, 1))


def checked(x: Operand, weight: Operand, bias: Operand, name: str, eps: float, least: int) -> list[Tensor]:
    """The three as float tensors of one dtype and fitting shapes, x with at least `least` axes."""
    check_number(name, "eps", eps, 0)
    x, weight, bias = same_dtype([as_float(t, name) for t in (x, weight, bias)])
    if x.ndim < least or x.shape[-1] == 0:
        raise ShapeError(f"{name}: x is {x.shape}; pass (N, C) or (N, H, W, C), the channels last")
    for role, t in (("weight", weight), ("bias", bias)):
        if t.shape != x.shape[-1:]:
            raise ShapeError(f"{name}: {role} is {t.shape}, but x {x.shape} has {x.shape[-1]} channels (the last axis)")
    return [x, weight, bias]
