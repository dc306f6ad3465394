"""The twins of the activations, their gradients and dropout."""

import math

import numpy as np

from minigen.kernels.reference.arrays import Array, contiguous

DROPOUT_BLOCK = 16384  # elements that share two seeds


def leaky_relu(x: Array, slope: float) -> Array:
    """x where x ≥ 0, slope · x elsewhere."""
    return contiguous(np.where(x < 0, x.dtype.type(slope) * x if slope else x.dtype.type(0), x))  # not 0 · ∞


def leaky_relu_grad(gy: Array, x: Array, slope: float) -> Array:
    """gy where x > 0, slope · gy elsewhere."""
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


def elu(x: Array, alpha: float) -> Array:
    """x where x > 0, alpha · (exp(x) - 1) elsewhere."""
    return contiguous(np.where(x > 0, x, x.dtype.type(alpha) * np.expm1(np.minimum(x, 0))))


def elu_grad(gy: Array, x: Array, alpha: float) -> Array:
    """gy where x > 0, gy · alpha · exp(x) elsewhere."""
    return contiguous(gy * np.where(x > 0, 1, x.dtype.type(alpha) * np.exp(np.minimum(x, 0))))


def dropout(x: Array, key: int, p: float) -> Array:
    """x / (1 - p) where a 32-bit hash of (two seeds of the block, index in the block) is at least p · 2³², else 0.

    The seeds of block b are the halves of splitmix64(key, b); the hash is MurmurHash3's finaliser, with the second
    seed added between its two multiplications.
    """
    blocks = -(-x.size // DROPOUT_BLOCK)
    z = np.uint64(key) + np.arange(1, blocks + 1, dtype=np.uint64)[:, None] * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    h = np.arange(DROPOUT_BLOCK, dtype=np.uint32) + z.astype(np.uint32)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    h = ((h ^ (h >> np.uint32(13))) + (z >> np.uint64(32)).astype(np.uint32)) * np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    keep = (h.ravel()[: x.size] >= min(round(p * 2.0**32), 2**32 - 1)).reshape(x.shape)
    scale = x.dtype.type(1 / (1 - p) if p < 1 else 0)
    return contiguous(x * (keep * scale))
