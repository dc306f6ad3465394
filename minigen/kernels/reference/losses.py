"""The twins of softmax over the rows of (M, K), and of the losses that fuse it or the sigmoid."""

import numpy as np

from minigen.kernels.reference.arrays import Array, contiguous
from minigen.kernels.reference.elementwise import sigmoid
from minigen.kernels.reference.sums import total


def softmax(x: Array) -> Array:
    """exp(x) / sum of exp(x) in each row, from x - max, which can not overflow."""
    e = np.exp(x - x.max(axis=1, keepdims=True, initial=-np.inf))
    return contiguous(e / total(e, (1,), True))


def softmax_grad(gy: Array, y: Array) -> Array:
    """y · (gy - sum of gy · y in each row), y = softmax(x)."""
    return contiguous(y * (gy - total(gy * y, (1,), True)))


def log_softmax(x: Array) -> Array:
    """x - log(sum of exp(x)) in each row."""
    shifted = x - x.max(axis=1, keepdims=True, initial=-np.inf)
    return contiguous(shifted - np.log(total(np.exp(shifted), (1,), True)))


def log_softmax_grad(gy: Array, y: Array) -> Array:
    """gy - exp(y) · sum of gy in each row, y = log_softmax(x)."""
    return contiguous(gy - np.exp(y) * total(gy, (1,), True))


def cross_entropy(logits: Array, labels: Array, label_smoothing: float) -> tuple[Array, Array]:
    """(losses (M,), probabilities (M, K)): -sum over k of q[k] · log softmax(logits)[k].

    q = (1 - s) · onehot(label) + s / K, s the label smoothing.
    """
    y = log_softmax(logits)
    picked = np.take_along_axis(y, labels[:, None], axis=1)[:, 0]
    s = logits.dtype.type(label_smoothing)
    losses = (1 - s) * (0 - picked)
    if s:
        losses -= s * y.mean(axis=1, dtype=np.float64).astype(y.dtype)
    return losses, np.exp(y)


def cross_entropy_grad(gy: Array, probabilities: Array, labels: Array, label_smoothing: float) -> Array:
    """gy[m] · (probabilities - q), q as in cross_entropy; gy (M,)."""
    s = probabilities.dtype.type(label_smoothing)
    gx = probabilities - s / probabilities.dtype.type(probabilities.shape[1])
    gx[np.arange(len(labels)), labels] -= 1 - s
    return gx * gy[:, None]


def bce_with_logits(x: Array, target: Array) -> Array:
    """-target · log sigmoid(x) - (1 - target) · log(1 - sigmoid(x)) = softplus(x) - target · x, elementwise."""
    size, wrong = np.abs(x), np.where(x > 0, 1 - target, target)  # 0 · ∞ is 0 here: the answer is right
    return contiguous(np.multiply(wrong, size, out=np.zeros_like(x), where=wrong != 0) + np.log1p(np.exp(-size)))


def bce_with_logits_sum(x: Array, target: Array, terms: int, y: Array) -> None:
    """y = the sum of bce_with_logits / terms."""
    y[...] = bce_with_logits(x, target).sum(dtype=np.float64) / terms


def bce_with_logits_grad(x: Array, target: Array, scale: Array) -> Array:
    """scale · (sigmoid(x) - target)."""
    return contiguous(scale * (sigmoid(x) - target))


def squared_error_sum(x: Array, target: Array, terms: int, y: Array) -> None:
    """y = the sum of (x - target)² / terms."""
    y[...] = np.square(x - target).sum(dtype=np.float64) / terms


def squared_error_grad(x: Array, target: Array, scale: Array) -> Array:
    """2 · scale · (x - target)."""
    return contiguous((x - target) * (2 * scale))
