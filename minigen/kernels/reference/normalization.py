"""The twins of normalization of (M, C): batch_norm over the rows, layer_norm over the columns.

Variances are the biased ones.
"""

import numpy as np

from minigen.kernels.reference.arrays import Array, contiguous
from minigen.kernels.reference.elementwise import leaky_relu, leaky_relu_grad
from minigen.kernels.reference.sums import total

Triple = tuple[Array, Array, Array]


def batch_norm(x: Array, weight: Array, bias: Array, eps: float, slope: float | None = None) -> Triple:
    """(y, mean, var): y = leaky((x - mean) / √(var + eps) · weight + bias), mean and var of each column."""
    mean, var = (f(x, axis=0, dtype=np.float64).astype(x.dtype) for f in (np.mean, np.var))
    return batch_norm_inference(x, weight, bias, mean, var, eps, slope), mean, var


def batch_norm_inference(
    x: Array, weight: Array, bias: Array, mean: Array, var: Array, eps: float, slope: float | None = None
) -> Array:
    """leaky((x - mean) / √(var + eps) · weight + bias) with a given mean and var; slope None is no leaky ReLU."""
    z = (x - mean) * (weight / np.sqrt(var + x.dtype.type(eps))) + bias
    return contiguous(z) if slope is None else leaky_relu(z, slope)


def batch_norm_grad(
    gy: Array, x: Array, weight: Array, bias: Array, mean: Array, var: Array, eps: float,
    slope: float | None = None, needs_x: bool = True,
) -> tuple[Array | None, Array, Array]:  # fmt: skip
    """(gx, gweight, gbias) of batch_norm, mean and var being functions of x; gx None unless `needs_x`."""
    if slope is not None:
        gy = leaky_relu_grad(gy, batch_norm_inference(x, weight, bias, mean, var, eps), slope)
    invstd = 1 / np.sqrt(var + x.dtype.type(eps))
    normalised = (x - mean) * invstd
    gweight, gbias = total(gy * normalised, (0,)), total(gy, (0,))
    gx = weight * invstd * (gy - gbias / len(x) - normalised * (gweight / len(x)))
    return contiguous(gx) if needs_x else None, gweight, gbias


def layer_norm(x: Array, weight: Array, bias: Array, eps: float) -> Triple:
    """(y, mean (M,), invstd (M,)): y = (x - mean) · invstd · weight + bias, mean and invstd of each row."""
    mean, var = (f(x, axis=1, dtype=np.float64).astype(x.dtype) for f in (np.mean, np.var))
    invstd = 1 / np.sqrt(var + x.dtype.type(eps))
    return contiguous((x - mean[:, None]) * invstd[:, None] * weight + bias), mean, invstd


def layer_norm_grad(gy: Array, x: Array, weight: Array, mean: Array, invstd: Array) -> Triple:
    """(gx, gweight, gbias) of layer_norm."""
    normalised = (x - mean[:, None]) * invstd[:, None]
    g = gy * weight
    means = (total(a, (1,), True) / x.dtype.type(x.shape[1]) for a in (g, g * normalised))
    gx = g - next(means) - normalised * next(means)
    return contiguous(gx * invstd[:, None]), total(gy * normalised, (0,)), total(gy, (0,))
