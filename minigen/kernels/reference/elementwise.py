"""The twins of the activations and their gradients."""

import math

import numpy as np

from minigen.kernels.reference.arrays import Array, contiguous


def add(a: Array, b: Array, out: Array | None = None) -> Array:
    """a + b."""
    return np.add(a, b, out)


def subtract(a: Array, b: Array) -> Array:
    """a - b."""
    return np.subtract(a, b)


def multiply(a: Array, b: Array) -> Array:
    """a · b."""
    return np.multiply(a, b)


def leaky_relu(x: Array, slope: float) -> Array:
    """x where x ≥ 0, slope · x elsewhere."""
    return contiguous(np.where(x < 0, x.dtype.type(slope) * x if slope else x.dtype.type(0), x))  # not 0 · ∞


def leaky_relu_grad(gy: Array, x: Array, slope: float) -> Array:
    """slope · gy where x ≤ 0, gy elsewhere, NaN too."""
    return contiguous(np.where(x <= 0, x.dtype.type(slope) * gy if slope else x.dtype.type(0), gy))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), from exp(-|x|), which can not overflow."""
    e = np.exp(-np.abs(x))
    return contiguous(np.where(x >= 0, 1, e) / (1 + e))


def sigmoid_grad(gy: Array, y: Array) -> Array:
    """gy · y · (1 - y), y = sigmoid(x)."""
    return contiguous(gy * (y - y * y))


def tanh_grad(gy: Array, y: Array) -> Array:
    """gy · (1 - y²), y = tanh(x)."""
    return contiguous(gy * (1 - y * y))


def softplus(x: Array) -> Array:
    """log(1 + exp(x)), from exp(-|x|)."""
    return contiguous(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


_erf, _erfc = (np.vectorize(function, otypes=[np.float64]) for function in (math.erf, math.erfc))  # NumPy has none


def erf(x: Array) -> Array:
    """2 / √π · ∫ exp(-t²) dt over t from 0 to x."""
    return _erf(x).astype(x.dtype, order="C")


def _normal_cdf(x: Array) -> Array:
    return (_erfc(x * -math.sqrt(0.5)) / 2).astype(x.dtype)


def gelu(x: Array) -> Array:
    """x · Φ(x), Φ the standard normal distribution function."""
    return contiguous(x * _normal_cdf(x))


def gelu_grad(gy: Array, x: Array) -> Array:
    """gy · (Φ(x) + x · φ(x)), φ the standard normal density."""
    density = np.exp(x * x / -2) / math.sqrt(2 * math.pi)
    return contiguous(gy * (_normal_cdf(x) + x * density))


def silu(x: Array) -> Array:
    """x / (1 + exp(-x))."""
    return contiguous(x * sigmoid(x))


def silu_grad(gy: Array, x: Array) -> Array:
    """gy · (σ + x · σ · (1 - σ)), σ = 1 / (1 + exp(-x))."""
    s = sigmoid(x)
    return contiguous(gy * (s + x * (s - s * s)))


def elu(x: Array, alpha: float) -> Array:
    """x where x > 0, alpha · (exp(x) - 1) elsewhere."""
    return contiguous(np.where(x >= 0, x, x.dtype.type(alpha) * np.expm1(np.minimum(x, 0))))


def elu_grad(gy: Array, x: Array, alpha: float) -> Array:
    """gy · alpha · exp(x) where x ≤ 0, gy elsewhere, NaN too."""
    return contiguous(np.where(x <= 0, gy * (x.dtype.type(alpha) * np.exp(np.minimum(x, 0))), gy))
