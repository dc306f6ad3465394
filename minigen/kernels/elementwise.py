"""Activations and their gradients: one pass over memory instead of NumPy's one pass per arithmetic sign.

What NumPy does in one pass itself (exp, tanh, maximum) has no kernel here. Kernels with exp or erf in them are compiled
for float32 and leave float64, which gradient checks use, to the twins. Large arrays are cut into fixed blocks that
threads share out; an element's result does not depend on the block it is in.
"""

import math

import numpy as np
from numba import prange

from minigen.kernels import reference
from minigen.kernels.jit import jit
from minigen.kernels.scalar import HALF, ONE, ZERO, erfc_parts, exp_negative, exp_parts, log1p_unit

BLOCK = 16384
SERIAL = 2 * BLOCK  # up to this size one thread is faster

SQRT_HALF = np.float32(math.sqrt(0.5))
DENSITY_SCALE = np.float32(1 / math.sqrt(2 * math.pi))


def _flat(*arrays: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(a).reshape(-1) for a in arrays]


@jit
def _leaky_relu(x, slope, y):
    zero = slope - slope
    for i in range(x.size):
        v = x[i]
        low = zero if slope == zero else slope * v  # not 0 · ∞
        y[i] = low if v < 0 else v


@jit(parallel=True)
def _leaky_relu_blocks(x, slope, y):
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, (block + 1) * BLOCK)
        _leaky_relu(x[part], slope, y[part])


def leaky_relu(x: np.ndarray, slope: float) -> np.ndarray:
    """x where x ≥ 0, slope · x elsewhere; relu is slope 0."""
    (flat,) = _flat(x)
    y = np.empty_like(flat)
    kernel = _leaky_relu if flat.size <= SERIAL else _leaky_relu_blocks
    kernel(flat, x.dtype.type(slope), y)
    return y.reshape(x.shape)


@jit
def _leaky_relu_grad(gy, x, slope, gx):
    zero = slope - slope
    for i in range(x.size):
        g = gy[i]
        low = zero if slope == zero else slope * g
        gx[i] = low if x[i] <= 0 else g


@jit(parallel=True)
def _leaky_relu_grad_blocks(gy, x, slope, gx):
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, (block + 1) * BLOCK)
        _leaky_relu_grad(gy[part], x[part], slope, gx[part])


def leaky_relu_grad(gy: np.ndarray, x: np.ndarray, slope: float) -> np.ndarray:
    """gy where x > 0, slope · gy elsewhere (at 0 too, as in PyTorch)."""
    flat_gy, flat = _flat(gy, x)
    gx = np.empty_like(flat)
    kernel = _leaky_relu_grad if flat.size <= SERIAL else _leaky_relu_grad_blocks
    kernel(flat_gy, flat, x.dtype.type(slope), gx)
    return gx.reshape(x.shape)


@jit
def _sigmoid(x, y):
    for i in range(x.size):
        v = x[i]
        e = exp_negative(-abs(v))
        y[i] = (ONE if v >= ZERO else e) / (ONE + e)


@jit(parallel=True)
def _sigmoid_blocks(x, y):
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, (block + 1) * BLOCK)
        _sigmoid(x[part], y[part])


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow."""
    return _smooth(_sigmoid if x.size <= SERIAL else _sigmoid_blocks, reference.sigmoid, x)


@jit
def _softplus(x, y):
    for i in range(x.size):
        v = x[i]
        y[i] = (ZERO if v < ZERO else v) + log1p_unit(exp_negative(-abs(v)))


@jit(parallel=True)
def _softplus_blocks(x, y):
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, (block + 1) * BLOCK)
        _softplus(x[part], y[part])


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + exp(x)), without overflow."""
    return _smooth(_softplus if x.size <= SERIAL else _softplus_blocks, reference.softplus, x)


@jit
def _erf(x, y):
    for i in range(x.size):
        v = x[i]
        a = abs(v)
        scale, tail = erfc_parts(a)
        magnitude = (ONE - scale) - tail
        y[i] = -magnitude if v < ZERO else magnitude


def erf(x: np.ndarray) -> np.ndarray:
    """2 / √π · ∫ exp(-t²) dt over t from 0 to x."""
    return _smooth(_erf, reference.erf, x)


@jit
def _normal_cdf(x):
    """Φ(x), the share of a standard normal below x."""
    a = abs(x) * SQRT_HALF
    scale, tail = erfc_parts(a)
    upper = HALF * (scale + tail)
    return ONE - upper if x >= ZERO else upper


@jit
def _gelu(x, y):
    for i in range(x.size):
        v = x[i]
        y[i] = v * _normal_cdf(v)


@jit(parallel=True)
def _gelu_blocks(x, y):
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, (block + 1) * BLOCK)
        _gelu(x[part], y[part])


def gelu(x: np.ndarray) -> np.ndarray:
    """x · Φ(x), exact form (Hendrycks and Gimpel, 2016, section 2)."""
    return _smooth(_gelu if x.size <= SERIAL else _gelu_blocks, reference.gelu, x)


@jit
def _gelu_grad(gy, x, gx):
    for i in range(x.size):
        v = x[i]
        gx[i] = gy[i] * (_normal_cdf(v) + v * (DENSITY_SCALE * exp_negative(-HALF * v * v)))


@jit(parallel=True)
def _gelu_grad_blocks(gy, x, gx):
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        part = slice(block * BLOCK, (block + 1) * BLOCK)
        _gelu_grad(gy[part], x[part], gx[part])


def gelu_grad(gy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """gy · (Φ(x) + x · φ(x)), φ the standard normal density."""
    if x.dtype != np.float32:
        return reference.gelu_grad(gy, x)
    flat_gy, flat = _flat(gy, x)
    gx = np.empty_like(flat)
    kernel = _gelu_grad if flat.size <= SERIAL else _gelu_grad_blocks
    kernel(flat_gy, flat, gx)
    return gx.reshape(x.shape)


@jit
def _elu(x, alpha, y):
    for i in range(x.size):
        v = x[i]
        scale, tail = exp_parts(ZERO if v > ZERO else v)
        y[i] = v if v > ZERO else alpha * ((scale - ONE) + tail)


def elu(x: np.ndarray, alpha: float) -> np.ndarray:
    """x where x > 0, alpha · (exp(x) - 1) elsewhere (Clevert et al., 2015, equation 15)."""
    return _smooth(_elu, reference.elu, x, alpha)


@jit
def _elu_grad(gy, x, alpha, gx):
    for i in range(x.size):
        v = x[i]
        slope = alpha * exp_negative(ZERO if v > ZERO else v)
        gx[i] = gy[i] * (ONE if v > ZERO else slope)


def elu_grad(gy: np.ndarray, x: np.ndarray, alpha: float) -> np.ndarray:
    """gy where x > 0, gy · alpha · exp(x) elsewhere."""
    if x.dtype != np.float32:
        return reference.elu_grad(gy, x, alpha)
    flat_gy, flat = _flat(gy, x)
    gx = np.empty_like(flat)
    _elu_grad(flat_gy, flat, np.float32(alpha), gx)
    return gx.reshape(x.shape)


def _smooth(kernel, twin, x: np.ndarray, *options: float) -> np.ndarray:
    """`kernel` over the elements of x when it is float32, else `twin`."""
    if x.dtype != np.float32:
        return twin(x, *options)
    (flat,) = _flat(x)
    y = np.empty_like(flat)
    kernel(flat, *(np.float32(option) for option in options), y)
    return y.reshape(x.shape)


@jit
def _sigmoid_grad(gy, y, gx):
    for i in range(y.size):
        v = y[i]
        gx[i] = gy[i] * (v - v * v)


def sigmoid_grad(gy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """gy · y · (1 - y), the gradient of y = sigmoid(x)."""
    flat_gy, flat = _flat(gy, y)
    gx = np.empty_like(flat)
    _sigmoid_grad(flat_gy, flat, gx)
    return gx.reshape(y.shape)


@jit
def _tanh_grad(gy, y, gx):
    for i in range(y.size):
        v = y[i]
        gx[i] = gy[i] - gy[i] * v * v


def tanh_grad(gy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """gy · (1 - y²), the gradient of y = tanh(x)."""
    flat_gy, flat = _flat(gy, y)
    gx = np.empty_like(flat)
    _tanh_grad(flat_gy, flat, gx)
    return gx.reshape(y.shape)
