"""The twins of normalization: of (M, C) batch_norm over the rows, layer_norm over the columns; group_norm of (N, P, C).

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


def group_norm(x: Array, groups: int, weight: Array, bias: Array, eps: float) -> Triple:
    """(y, mean (N, G), invstd (N, G)): x (N, P, C) normalised over the places and channels of each group."""
    by_group = x.reshape(*x.shape[:2], groups, -1)
    mean, var = (f(by_group, axis=(1, 3), dtype=np.float64).astype(x.dtype) for f in (np.mean, np.var))
    invstd = 1 / np.sqrt(var + x.dtype.type(eps))
    normalised = (by_group - mean[:, None, :, None]) * invstd[:, None, :, None]
    return contiguous(normalised.reshape(x.shape) * weight + bias), mean, invstd


def group_norm_grad(gy: Array, x: Array, weight: Array, mean: Array, invstd: Array) -> Triple:
    """(gx, gweight, gbias) of group_norm."""
    shape = (*x.shape[:2], mean.shape[1], x.shape[2] // mean.shape[1])
    normalised = (x.reshape(shape) - mean[:, None, :, None]) * invstd[:, None, :, None]
    g = (gy * weight).reshape(shape)
    count = x.dtype.type(shape[1] * shape[3])
    means = (total(a, (1, 3), True) / count for a in (g, g * normalised))
    gx = (g - next(means) - normalised * next(means)) * invstd[:, None, :, None]
    return contiguous(gx.reshape(x.shape)), total(gy * normalised.reshape(x.shape), (0, 1)), total(gy, (0, 1))
