"""The plain NumPy twin of every kernel, same names and signatures.

It serves three times: as the oracle that tests hold the compiled kernels against, as the backend of a machine without
Numba (MINIGEN_BACKEND=numpy), and as the shortest description of what each kernel computes. So each twin is written
the way its equation reads, and nothing here is tuned.
"""

import functools
import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray
Pair = tuple[int, int]
Padding = tuple[int, int, int, int]
Triple = tuple[Array, Array, Array]
DROPOUT_BLOCK = 16384  # elements that share two seeds

contiguous = functools.partial(np.asarray, order="C")  # np.ascontiguousarray would make a 0-d array 1-d


def matmul(a: Array, b: Array) -> Array:
    """C[i, j] = sum over k of A[i, k] · B[k, j]; a (M, K), b (K, N) → (M, N)."""
    return np.matmul(a, b)


# Convolution. Images are channels-last, x (N, H, W, Cin); weights w (KH, KW, Cin / groups, Cout); padding is
# (top, bottom, left, right), of which bottom and right may be negative: so much of x is then not read. As everywhere in
# deep learning the kernel is not flipped (cross-correlation).


def _pad(x: Array, padding: Padding) -> Array:
    """x with zeros around each image, or without its last rows and columns where padding is negative."""
    top, bottom, left, right = padding
    kept = x[:, : x.shape[1] + min(bottom, 0), : x.shape[2] + min(right, 0)]
    return np.pad(kept, ((0, 0), (top, max(bottom, 0)), (left, max(right, 0)), (0, 0)))


def _windows(x: Array, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """Every window of x as a view of its padded copy: (N, OH, OW, groups, Cin / groups, KH, KW)."""
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    padded = _pad(x, padding)
    padded = padded.reshape(*padded.shape[:3], groups, x.shape[3] // groups)
    windows = sliding_window_view(padded, (dh * (kh - 1) + 1, dw * (kw - 1) + 1), axis=(1, 2))
    return windows[:, ::sh, ::sw, ..., ::dh, ::dw]


def _finish(y: Array, bias: Array | None, slope: float) -> Array:
    """leaky(y + bias)."""
    y = y if bias is None else y + bias
    return contiguous(y) if slope == 1 else leaky_relu(y, slope)


def conv2d(
    x: Array, w: Array, stride: Pair, padding: Padding, dilation: Pair, groups: int, bias: Array | None = None,
    slope: float = 1.0,
) -> Array:  # fmt: skip
    """y[n, i, j, o] = leaky(bias[o] + Σ_{a, b, c} x[n, i·sh + a·dh - top, j·sw + b·dw - left, c] · w[a, b, c, o])."""
    kh, kw, depth, cout = w.shape
    windows = _windows(x, (kh, kw), stride, padding, dilation, groups)
    weight = w.reshape(kh, kw, depth, groups, cout // groups)
    y = np.einsum("nijgcab,abcgo->nijgo", windows, weight, optimize=True)
    return _finish(y.reshape(*y.shape[:3], cout), bias, slope)


def conv2d_input_grad(
    gy: Array, w: Array, in_hw: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int,
    bias: Array | None = None, slope: float = 1.0,
) -> Array:  # fmt: skip
    """The adjoint of conv2d in x, which is the transposed convolution: gx of shape (N, *in_hw, Cin), then as conv2d."""
    (n, oh, ow, cout), (kh, kw, depth, _) = gy.shape, w.shape
    (h, width), (sh, sw), (dh, dw), (top, bottom, left, right) = in_hw, stride, dilation, padding
    padded = np.zeros((n, h + top + max(bottom, 0), width + left + max(right, 0), groups, depth), gy.dtype)
    gy = gy.reshape(n, oh, ow, groups, cout // groups)
    weight = w.reshape(kh, kw, depth, groups, cout // groups)
    for a in range(kh):
        for b in range(kw):
            rows, columns = slice(a * dh, a * dh + sh * oh, sh), slice(b * dw, b * dw + sw * ow, sw)
            padded[:, rows, columns] += np.einsum("nijgo,cgo->nijgc", gy, weight[a, b], optimize=True)
    gx = padded[:, top : top + h, left : left + width].reshape(n, h, width, groups * depth)
    return _finish(gx, bias, slope)


def conv2d_weight_grad(
    x: Array, gy: Array, kernel_hw: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """The adjoint of conv2d in w: gw of shape (KH, KW, Cin / groups, Cout)."""
    n, oh, ow, cout = gy.shape
    windows = _windows(x, kernel_hw, stride, padding, dilation, groups)
    gw = np.einsum("nijgcab,nijgo->abcgo", windows, gy.reshape(n, oh, ow, groups, cout // groups), optimize=True)
    return np.ascontiguousarray(gw.reshape(*kernel_hw, x.shape[3] // groups, cout))


# Elementwise functions.


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


# Softmax, over the rows of (M, K), and the losses that fuse it or the sigmoid.


def softmax(x: Array) -> Array:
    """exp(x) / sum of exp(x) in each row, from x - max, which can not overflow."""
    e = np.exp(x - x.max(axis=1, keepdims=True, initial=-np.inf))
    return contiguous(e / e.sum(axis=1, keepdims=True))


def softmax_grad(gy: Array, y: Array) -> Array:
    """y · (gy - sum of gy · y in each row), y = softmax(x)."""
    return contiguous(y * (gy - (gy * y).sum(axis=1, keepdims=True)))


def log_softmax(x: Array) -> Array:
    """x - log(sum of exp(x)) in each row."""
    shifted = x - x.max(axis=1, keepdims=True, initial=-np.inf)
    return contiguous(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def log_softmax_grad(gy: Array, y: Array) -> Array:
    """gy - exp(y) · sum of gy in each row, y = log_softmax(x)."""
    return contiguous(gy - np.exp(y) * gy.sum(axis=1, keepdims=True))


def cross_entropy(logits: Array, labels: Array, label_smoothing: float) -> tuple[Array, Array]:
    """(losses (M,), probabilities (M, K)): -sum over k of q[k] · log softmax(logits)[k].

    q = (1 - s) · onehot(label) + s / K, s the label smoothing.
    """
    y = log_softmax(logits)
    picked = np.take_along_axis(y, labels[:, None], axis=1)[:, 0]
    s = logits.dtype.type(label_smoothing)
    losses = (s - 1) * picked
    if s:
        losses -= s * y.mean(axis=1)
    return losses, np.exp(y)


def cross_entropy_grad(gy: Array, probabilities: Array, labels: Array, label_smoothing: float) -> Array:
    """gy[m] · (probabilities - q), q as in cross_entropy; gy (M,)."""
    s = probabilities.dtype.type(label_smoothing)
    gx = probabilities - s / probabilities.dtype.type(probabilities.shape[1])
    gx[np.arange(len(labels)), labels] -= 1 - s
    return gx * gy[:, None]


def bce_with_logits(x: Array, target: Array) -> Array:
    """-target · log sigmoid(x) - (1 - target) · log(1 - sigmoid(x)) = softplus(x) - target · x, elementwise."""
    return contiguous(np.maximum(x, 0) - target * x + np.log1p(np.exp(-np.abs(x))))


def bce_with_logits_grad(x: Array, target: Array, scale: float) -> Array:
    """scale · (sigmoid(x) - target)."""
    return contiguous(x.dtype.type(scale) * (sigmoid(x) - target))


# Normalization of (M, C): batch_norm over the rows, layer_norm over the columns. Variances are the biased ones.


def batch_norm(x: Array, weight: Array, bias: Array, eps: float) -> Triple:
    """(y, mean, var): y = (x - mean) / √(var + eps) · weight + bias, mean and var of each column."""
    mean, var = (f(x, axis=0, dtype=np.float64).astype(x.dtype) for f in (np.mean, np.var))
    return batch_norm_inference(x, weight, bias, mean, var, eps), mean, var


def batch_norm_inference(x: Array, weight: Array, bias: Array, mean: Array, var: Array, eps: float) -> Array:
    """(x - mean) / √(var + eps) · weight + bias with a given mean and var."""
    return contiguous((x - mean) * (weight / np.sqrt(var + x.dtype.type(eps))) + bias)


def batch_norm_grad(gy: Array, x: Array, weight: Array, mean: Array, var: Array, eps: float) -> Triple:
    """(gx, gweight, gbias) of batch_norm, mean and var being functions of x."""
    invstd = 1 / np.sqrt(var + x.dtype.type(eps))
    normalised = (x - mean) * invstd
    gweight, gbias = (gy * normalised).sum(axis=0), gy.sum(axis=0)
    gx = weight * invstd * (gy - gbias / len(x) - normalised * (gweight / len(x)))
    return contiguous(gx), gweight, gbias


def layer_norm(x: Array, weight: Array, bias: Array, eps: float) -> Triple:
    """(y, mean (M,), invstd (M,)): y = (x - mean) · invstd · weight + bias, mean and invstd of each row."""
    mean = x.mean(axis=1)
    invstd = 1 / np.sqrt(x.var(axis=1) + x.dtype.type(eps))
    return contiguous((x - mean[:, None]) * invstd[:, None] * weight + bias), mean, invstd


def layer_norm_grad(gy: Array, x: Array, weight: Array, mean: Array, invstd: Array) -> Triple:
    """(gx, gweight, gbias) of layer_norm."""
    normalised = (x - mean[:, None]) * invstd[:, None]
    g = gy * weight
    gx = g - g.mean(axis=1, keepdims=True) - normalised * (g * normalised).mean(axis=1, keepdims=True)
    return contiguous(gx * invstd[:, None]), (gy * normalised).sum(axis=0), gy.sum(axis=0)


# Pooling, x (N, H, W, C), kernel (KH, KW), stride (SH, SW), padding (top, bottom, left, right).


def max_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Padding) -> tuple[Array, Array]:
    """(y, index): the largest value of each window and its place, int32 h · W + w inside its image and channel.

    Padding counts as -inf. The first of equal values wins; a NaN wins over everything.
    """
    (h, width), (top, bottom, left, right) = x.shape[1:3], padding
    edges = ((0, 0), (top, bottom), (left, right), (0, 0))
    place = np.pad(np.arange(h * width, dtype=np.int32).reshape(1, h, width, 1), edges, constant_values=-1)
    values = _pool_windows(np.pad(x, edges, constant_values=-np.inf), kernel, stride)
    places = np.broadcast_to(_pool_windows(place, kernel, stride), values.shape)
    rank = np.where(places < 0, -np.inf, np.where(np.isneginf(values), np.finfo(x.dtype).min, values))
    best = rank.argmax(axis=-1)[..., None]
    return np.take_along_axis(values, best, -1)[..., 0], np.take_along_axis(places, best, -1)[..., 0]


def _pool_windows(padded: Array, kernel: Pair, stride: Pair) -> Array:
    """(N, OH, OW, C, KH · KW)."""
    windows = sliding_window_view(padded, kernel, axis=(1, 2))[:, :: stride[0], :: stride[1]]
    return windows.reshape(*windows.shape[:4], kernel[0] * kernel[1])


def max_pool2d_scatter(gy: Array, index: Array, x_shape: tuple[int, ...]) -> Array:
    """gx[n, index[n, i, j, c], c] += gy[n, i, j, c], of shape x_shape; elsewhere 0."""
    n, h, w, c = x_shape
    gx = np.zeros((n, h * w, c), gy.dtype)
    np.add.at(gx, (np.arange(n)[:, None, None, None], index, np.arange(c)), gy)
    return gx.reshape(x_shape)


def max_pool2d_gather(x: Array, index: Array) -> Array:
    """y[n, i, j, c] = x[n, index[n, i, j, c], c]."""
    n, oh, ow, c = index.shape
    flat = x.reshape(n, x.shape[1] * x.shape[2], c)
    return np.take_along_axis(flat, index.reshape(n, oh * ow, c), axis=1).reshape(index.shape)


def avg_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Padding) -> Array:
    """The mean of each window; padding counts as zeros."""
    top, bottom, left, right = padding
    windows = _pool_windows(np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0))), kernel, stride)
    return contiguous(windows.mean(axis=-1, dtype=x.dtype))


def avg_pool2d_grad(gy: Array, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Padding) -> Array:
    """The adjoint of avg_pool2d: each gy / (KH · KW) added to every place of its window."""
    (n, h, w, c), (_, oh, ow, _), (top, bottom, left, right) = x_shape, gy.shape, padding
    padded = np.zeros((n, h + top + bottom, w + left + right, c), gy.dtype)
    share = gy / gy.dtype.type(kernel[0] * kernel[1])
    for a in range(kernel[0]):
        for b in range(kernel[1]):
            padded[:, a : a + stride[0] * oh : stride[0], b : b + stride[1] * ow : stride[1]] += share
    return contiguous(padded[:, top : top + h, left : left + w])


def scatter_rows(gy: Array, indices: Array, rows: int) -> Array:
    """gw[indices[m]] += gy[m] for gy (M, D): the gradient of weight[indices], (rows, D)."""
    gw = np.zeros((rows, gy.shape[1]), gy.dtype)
    np.add.at(gw, indices, gy)
    return gw


# Optimizers, in place over flat contiguous buffers: p the parameters, g their gradient, the rest state.


def sgd(p: Array, g: Array, velocity: Array, lr: float, momentum: float, nesterov: bool, weight_decay: float) -> None:
    """velocity = momentum · velocity + g, p -= lr · velocity (Nesterov: lr · (g + momentum · velocity))."""
    g = g + p.dtype.type(weight_decay) * p
    if momentum:
        velocity *= p.dtype.type(momentum)
        velocity += g
        g = g + p.dtype.type(momentum) * velocity if nesterov else velocity
    p -= p.dtype.type(lr) * g


def rmsprop(
    p: Array, g: Array, square: Array, velocity: Array,
    lr: float, alpha: float, eps: float, momentum: float, weight_decay: float,
) -> None:  # fmt: skip
    """square = alpha · square + (1 - alpha) · g², p -= lr · g / (√square + eps), through velocity with momentum."""
    real = p.dtype.type
    g = g + real(weight_decay) * p
    square *= real(alpha)
    square += real(1 - alpha) * g * g
    step = g / (np.sqrt(square) + real(eps))
    if momentum:
        velocity *= real(momentum)
        velocity += step
        step = velocity
    p -= real(lr) * step


def adagrad(p: Array, g: Array, square: Array, lr: float, eps: float, weight_decay: float) -> None:
    """square += g², p -= lr · g / (√square + eps)."""
    g = g + p.dtype.type(weight_decay) * p
    square += g * g
    p -= p.dtype.type(lr) * g / (np.sqrt(square) + p.dtype.type(eps))


def adam(
    p: Array, g: Array, m: Array, v: Array,
    lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool, step: int,
) -> None:  # fmt: skip
    """m, v: running means of g and g²; p -= lr · m̂ / (√v̂ + eps), with m̂ = m / (1 - beta1^step), v̂ likewise."""
    real = p.dtype.type
    if decoupled:
        p *= real(1 - lr * weight_decay)
    else:
        g = g + real(weight_decay) * p
    m *= real(beta1)
    m += real(1 - beta1) * g
    v *= real(beta2)
    v += real(1 - beta2) * g * g
    p -= real(lr / (1 - beta1**step)) * m / (np.sqrt(v) / real(math.sqrt(1 - beta2**step)) + real(eps))


def global_norm(g: Array) -> float:
    """√ sum of g², summed in float64."""
    return float(np.sqrt(np.sum(np.square(g, dtype=np.float64))))
