"""Activations and their gradients: one pass over memory instead of NumPy's one pass per arithmetic sign.

What NumPy does in one pass itself (exp, tanh, maximum) has no kernel here, except the sum of large arrays, in which
branches of a network meet, and their gradients. Kernels with exp or erf in them are compiled for float32 and leave
float64, which gradient checks use, to the twins. Threads share out the elements of large arrays; an element's result
does not depend on which one makes it.
"""

import math
from collections.abc import Callable

import numpy as np

from minigen.config import FLOAT_DTYPES
from minigen.kernels import reference
from minigen.kernels.compiler.arrays import flat
from minigen.kernels.compiler.jit import part, tasks
from minigen.kernels.noting import applied, run
from minigen.kernels.rows.cuts import EXPONENTIAL, STEP_ELEMENTS, runs, span
from minigen.kernels.rows.leaky import leaky, leaky_grad
from minigen.kernels.rows.scalar import HALF, ONE, ZERO, erfc_parts, exp_negative, exp_parts, log1p_unit
from minigen.kernels.serial import SERIAL_ELEMENTS

DENSITY_SCALE = np.float32(1 / math.sqrt(2 * math.pi))
QUARTER = np.float32(0.25)

# (1 - Φ(a)) / exp(-a² / 2) as a polynomial in t = 1 / (1 + a / 4): Chebyshev interpolation for a from 0 to 8, with a
# relative error of 8e-8. Further out, where 1 - Φ is below 1e-15, the error is below 1e-3.
TAIL = (
    *(0.0003136436953, 0.09481780927, 0.1329624558, -0.03249295707),
    *(0.3725180047, -0.3515992928, 0.3839377067, -0.1004573974),
)
T0, T1, T2, T3, T4, T5, T6, T7 = (np.float32(c) for c in TAIL)


def _one_pass(
    kernel: Callable[..., None], arrays: tuple[np.ndarray, ...], *options: float, work: int = 1
) -> np.ndarray:
    """What `kernel` makes of each element of the arrays; options in their dtype, work as in `runs`."""
    x = arrays[0]
    out = np.empty(x.shape, x.dtype)
    count, length = runs(x.size, x.size, STEP_ELEMENTS, work)
    kernel(count, length, *map(flat, arrays), *map(x.dtype.type, options), out.reshape(-1))
    return out


@tasks
def _add(run, length, a, b, y):
    low, high = span(run, length, y.size)
    for i in range(low, high):
        y[i] = a[i] + b[i]


@tasks
def _subtract(run, length, a, b, y):
    low, high = span(run, length, y.size)
    for i in range(low, high):
        y[i] = a[i] - b[i]


@tasks
def _multiply(run, length, a, b, y):
    low, high = span(run, length, y.size)
    for i in range(low, high):
        y[i] = a[i] * b[i]


@tasks
def _add_number(run, length, a, number, y):
    low, high = span(run, length, y.size)
    b = number[0]
    for i in range(low, high):
        y[i] = a[i] + b


@tasks
def _subtract_number(run, length, a, number, y):
    low, high = span(run, length, y.size)
    b = number[0]
    for i in range(low, high):
        y[i] = a[i] - b


@tasks
def _multiply_number(run, length, a, number, y):
    low, high = span(run, length, y.size)
    b = number[0]
    for i in range(low, high):
        y[i] = a[i] * b


def add(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """np.add(a, b, out), by all threads when a and b are alike and contiguous; out may be one of them."""
    a, b = (b, a) if a.ndim == 0 else (a, b)
    return _shared_out(_add_number if b.ndim == 0 else _add, np.add, a, b, out)


def subtract(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a - b, by all threads when a and b are alike and contiguous, or b is a number."""
    return _shared_out(_subtract_number if b.ndim == 0 else _subtract, np.subtract, a, b, None)


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a · b, by all threads when a and b are alike and contiguous, or one is a number."""
    a, b = (b, a) if a.ndim == 0 else (a, b)
    return _shared_out(_multiply_number if b.ndim == 0 else _multiply, np.multiply, a, b, None)


def _shared_out(
    kernel: Callable[..., None], ufunc: np.ufunc, a: np.ndarray, b: np.ndarray, out: np.ndarray | None
) -> np.ndarray:
    """`kernel` over the elements of large arrays that are alike and contiguous (b: or a number), else NumPy's."""
    arrays = (a, b) if out is None else (a, b, out)
    alike = a.size > SERIAL_ELEMENTS and all(
        x.dtype == a.dtype and x.flags.carray and (x.shape == a.shape or (x is b and not x.ndim)) for x in arrays
    )
    if not alike or a.dtype not in FLOAT_DTYPES:
        if out is None:
            return applied(ufunc, a, b)
        run(ufunc, a, b, out)
        return out
    out = np.empty_like(a) if out is None else out
    count, length = runs(a.size, a.size, STEP_ELEMENTS)
    kernel(count, length, a.reshape(-1), b.reshape(-1), out.reshape(-1))
    return out


@tasks
def _leaky_relu(run, length, x, slope, y):
    low, high = span(run, length, x.size)
    for i in range(low, high):
        y[i] = leaky(x[i], slope)


def leaky_relu(x: np.ndarray, slope: float) -> np.ndarray:
    """x where x ≥ 0, slope · x elsewhere; relu is slope 0."""
    return _one_pass(_leaky_relu, (x,), slope)


@tasks
def _leaky_relu_grad(run, length, gy, x, slope, gx):
    low, high = span(run, length, x.size)
    for i in range(low, high):
        gx[i] = leaky_grad(gy, i, x[i], slope)


def leaky_relu_grad(gy: np.ndarray, x: np.ndarray, slope: float) -> np.ndarray:
    """gy where x > 0, slope · gy elsewhere (at 0 too, as in PyTorch)."""
    return _one_pass(_leaky_relu_grad, (gy, x), slope)


@part
def _logistic(v):
    """1 / (1 + exp(-v))."""
    e = exp_negative(-abs(v))
    return (ONE if v >= ZERO else e) / (ONE + e)


@tasks
def _sigmoid(run, length, x, y):
    low, high = span(run, length, x.size)
    for i in range(low, high):
        y[i] = _logistic(x[i])


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow."""
    return _smooth(_sigmoid, reference.sigmoid, x)


@tasks
def _softplus(run, length, x, y):
    low, high = span(run, length, x.size)
    for i in range(low, high):
        v = x[i]
        y[i] = log1p_unit(exp_negative(-abs(v)), ZERO if v < ZERO else v)


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + exp(x)), without overflow."""
    return _smooth(_softplus, reference.softplus, x)


@tasks
def _erf(run, length, x, y):
    low, high = span(run, length, x.size)
    for i in range(low, high):
        v = x[i]
        a = abs(v)
        scale, tail = erfc_parts(a)
        magnitude = (ONE - scale) - tail
        y[i] = math.copysign(magnitude, v)


def erf(x: np.ndarray) -> np.ndarray:
    """2 / √π · ∫ exp(-t²) dt over t from 0 to x."""
    return _smooth(_erf, reference.erf, x)


@part
def _normal(x):
    """(Φ(x), exp(-x² / 2)), Φ the share of a standard normal below x. One exponential serves both."""
    a = abs(x)
    e = exp_negative(-HALF * a * a)
    t = ONE / (ONE + QUARTER * a)
    upper = e * (((((((T7 * t + T6) * t + T5) * t + T4) * t + T3) * t + T2) * t + T1) * t + T0)
    return (ONE - upper if x >= ZERO else upper), e


@tasks
def _gelu(run, length, x, y):
    low, high = span(run, length, x.size)
    for i in range(low, high):
        v = x[i]
        below, _ = _normal(v)
        y[i] = v * below


def gelu(x: np.ndarray) -> np.ndarray:
    """x · Φ(x), exact form (Hendrycks and Gimpel, 2016, section 2)."""
    return _smooth(_gelu, reference.gelu, x)


@tasks
def _gelu_grad(run, length, gy, x, gx):
    low, high = span(run, length, x.size)
    for i in range(low, high):
        v = x[i]
        below, e = _normal(v)
        gx[i] = gy[i] * (below + v * (DENSITY_SCALE * e))


def gelu_grad(gy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """gy · (Φ(x) + x · φ(x)), φ the standard normal density."""
    if x.dtype != np.float32:
        return reference.gelu_grad(gy, x)
    return _one_pass(_gelu_grad, (gy, x), work=EXPONENTIAL)


@tasks
def _silu(run, length, x, y):
    low, high = span(run, length, x.size)
    for i in range(low, high):
        y[i] = x[i] * _logistic(x[i])


def silu(x: np.ndarray) -> np.ndarray:
    """x / (1 + exp(-x)), without overflow."""
    return _smooth(_silu, reference.silu, x)


@tasks
def _silu_grad(run, length, gy, x, gx):
    low, high = span(run, length, x.size)
    for i in range(low, high):
        v = x[i]
        s = _logistic(v)
        gx[i] = gy[i] * (s + v * (s - s * s))


def silu_grad(gy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """gy · (σ + x · σ · (1 - σ)), σ = 1 / (1 + exp(-x))."""
    if x.dtype != np.float32:
        return reference.silu_grad(gy, x)
    return _one_pass(_silu_grad, (gy, x), work=EXPONENTIAL)


@tasks
def _elu(run, length, x, alpha, y):
    low, high = span(run, length, x.size)
    for i in range(low, high):
        v = x[i]
        scale, tail = exp_parts(ZERO if v > ZERO else v)
        y[i] = v if v >= ZERO else alpha * ((scale - ONE) + tail)


def elu(x: np.ndarray, alpha: float) -> np.ndarray:
    """x where x > 0, alpha · (exp(x) - 1) elsewhere (Clevert et al., 2015, equation 15)."""
    return _smooth(_elu, reference.elu, x, alpha)


@tasks
def _elu_grad(run, length, gy, x, alpha, gx):
    low, high = span(run, length, x.size)
    for i in range(low, high):
        v = x[i]
        slope = alpha * exp_negative(ZERO if v > ZERO else v)
        gx[i] = gy[i] * (slope if v <= ZERO else ONE)


def elu_grad(gy: np.ndarray, x: np.ndarray, alpha: float) -> np.ndarray:
    """gy · alpha · exp(x) where x ≤ 0, gy elsewhere, NaN too."""
    if x.dtype != np.float32:
        return reference.elu_grad(gy, x, alpha)
    return _one_pass(_elu_grad, (gy, x), alpha, work=EXPONENTIAL)


def _smooth(kernel: Callable[..., None], twin: Callable[..., np.ndarray], x: np.ndarray, *options: float) -> np.ndarray:
    """`kernel` over the elements of x when it is float32, else `twin`."""
    return _one_pass(kernel, (x,), *options, work=EXPONENTIAL) if x.dtype == np.float32 else twin(x, *options)


@tasks
def _sigmoid_grad(run, length, gy, y, gx):
    low, high = span(run, length, y.size)
    for i in range(low, high):
        v = y[i]
        gx[i] = gy[i] * (v - v * v)


def sigmoid_grad(gy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """gy · y · (1 - y), the gradient of y = sigmoid(x)."""
    return _one_pass(_sigmoid_grad, (gy, y))


@tasks
def _tanh_grad(run, length, gy, y, gx):
    low, high = span(run, length, y.size)
    for i in range(low, high):
        v = y[i]
        gx[i] = gy[i] - gy[i] * v * v


def tanh_grad(gy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """gy · (1 - y²), the gradient of y = tanh(x)."""
    return _one_pass(_tanh_grad, (gy, y))
