"""Softmax over the rows of (M, K), and the losses that are fused with it or with the sigmoid.

Compiled for float32; float64, which gradient checks use, goes to the NumPy twins.
"""

import math

import numpy as np
from numba import prange

from minigen.kernels import reference
from minigen.kernels.jit import jit
from minigen.kernels.scalar import ONE, ZERO, exp_negative, log1p_unit
from minigen.kernels.tiles import SERIAL

BLOCK = 8192  # elements that a thread takes at a time
SIGN, MAGNITUDE = np.int32(31), np.int32(0x7FFFFFFF)
LOWEST = np.int32(np.float32(-np.inf).view(np.int32) ^ MAGNITUDE)


@jit
def _largest(row):
    """The largest value, or NaN, by the integers whose order is that of the numbers: only their maximum vectorises."""
    bits = row.view(np.int32)
    best = LOWEST
    for i in range(bits.size):
        b = bits[i]
        b = np.int32(b ^ ((b >> SIGN) & MAGNITUDE))
        best = b if b > best else best
    return np.int32(best ^ ((best >> SIGN) & MAGNITUDE)).view(np.float32)


@jit
def _exp_shifted(row, out):
    """out = exp(row - max); returns (max, sum of out)."""
    largest = _largest(row)
    total = ZERO
    for k in range(row.size):
        out[k] = exp_negative(row[k] - largest)
    for k in range(row.size):
        total += out[k]
    return largest, total


def _row_blocks(x: np.ndarray) -> tuple[int, int]:
    """(rows of a block, blocks) for x (M, K)."""
    rows = max(1, BLOCK // max(1, x.shape[1]))
    return rows, -(-len(x) // rows)


@jit
def _softmax(x, y):
    for m in range(x.shape[0]):
        out = y[m]
        _, total = _exp_shifted(x[m], out)
        share = ONE / total
        for k in range(out.size):
            out[k] *= share


@jit(parallel=True)
def _softmax_blocks(x, y, rows, blocks):
    for b in prange(blocks):
        part = slice(b * rows, (b + 1) * rows)
        _softmax(x[part], y[part])


def softmax(x: np.ndarray) -> np.ndarray:
    """exp(x) / sum of exp(x) in each row, without overflow."""
    if x.dtype != np.float32:
        return reference.softmax(x)
    y = np.empty(x.shape, np.float32)
    if x.size <= SERIAL:
        _softmax(np.ascontiguousarray(x), y)
    else:
        _softmax_blocks(np.ascontiguousarray(x), y, *_row_blocks(x))
    return y


@jit
def _softmax_grad(gy, y, gx):
    for m in range(y.shape[0]):
        total = ZERO
        for k in range(y.shape[1]):
            total += gy[m, k] * y[m, k]
        for k in range(y.shape[1]):
            gx[m, k] = y[m, k] * (gy[m, k] - total)


def softmax_grad(gy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """y · (gy - sum of gy · y in each row), y = softmax(x)."""
    if y.dtype != np.float32:
        return reference.softmax_grad(gy, y)
    gx = np.empty(y.shape, np.float32)
    _softmax_grad(np.ascontiguousarray(gy), np.ascontiguousarray(y), gx)
    return gx


@jit
def _log_softmax(x, y):
    for m in range(x.shape[0]):
        row, out = x[m], y[m]
        largest, total = _exp_shifted(row, out)
        log_total = np.float32(math.log(total))
        for k in range(row.size):
            out[k] = (row[k] - largest) - log_total


@jit(parallel=True)
def _log_softmax_blocks(x, y, rows, blocks):
    for b in prange(blocks):
        part = slice(b * rows, (b + 1) * rows)
        _log_softmax(x[part], y[part])


def log_softmax(x: np.ndarray) -> np.ndarray:
    """x - log(sum of exp(x)) in each row, without overflow."""
    if x.dtype != np.float32:
        return reference.log_softmax(x)
    y = np.empty(x.shape, np.float32)
    if x.size <= SERIAL:
        _log_softmax(np.ascontiguousarray(x), y)
    else:
        _log_softmax_blocks(np.ascontiguousarray(x), y, *_row_blocks(x))
    return y


@jit
def _log_softmax_grad(gy, y, gx):
    for m in range(y.shape[0]):
        total = ZERO
        for k in range(y.shape[1]):
            total += gy[m, k]
        for k in range(y.shape[1]):
            v = y[m, k]
            gx[m, k] = gy[m, k] - exp_negative(ZERO if v > ZERO else v) * total


def log_softmax_grad(gy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """gy - exp(y) · sum of gy in each row, y = log_softmax(x)."""
    if y.dtype != np.float32:
        return reference.log_softmax_grad(gy, y)
    gx = np.empty(y.shape, np.float32)
    _log_softmax_grad(np.ascontiguousarray(gy), np.ascontiguousarray(y), gx)
    return gx


@jit
def _cross_entropy(x, labels, smoothing, losses, probabilities):
    columns = np.float32(x.shape[1])
    for m in range(x.shape[0]):
        row, out = x[m], probabilities[m]
        largest, total = _exp_shifted(row, out)
        log_total = np.float32(math.log(total))
        share = ONE / total
        for k in range(out.size):
            out[k] *= share
        loss = (ONE - smoothing) * (log_total - (row[labels[m]] - largest))
        if smoothing > ZERO:
            shifted = ZERO
            for k in range(row.size):
                shifted += row[k] - largest
            loss += smoothing * (log_total - shifted / columns)
        losses[m] = loss


@jit(parallel=True)
def _cross_entropy_blocks(x, labels, smoothing, losses, probabilities, rows, blocks):
    for b in prange(blocks):
        part = slice(b * rows, (b + 1) * rows)
        _cross_entropy(x[part], labels[part], smoothing, losses[part], probabilities[part])


def cross_entropy(logits: np.ndarray, labels: np.ndarray, label_smoothing: float) -> tuple[np.ndarray, np.ndarray]:
    """(losses (M,), probabilities (M, K)): -sum over k of q[k] · log softmax(logits)[k].

    q = (1 - s) · onehot(label) + s / K, s the label smoothing (Szegedy et al., 2016, section 7).
    labels int64 (M,), each in [0, K); not checked here.
    """
    if logits.dtype != np.float32:
        return reference.cross_entropy(logits, labels, label_smoothing)
    losses, probabilities = np.empty(len(logits), np.float32), np.empty(logits.shape, np.float32)
    x, labels, smoothing = np.ascontiguousarray(logits), np.ascontiguousarray(labels), np.float32(label_smoothing)
    if x.size <= SERIAL:
        _cross_entropy(x, labels, smoothing, losses, probabilities)
    else:
        _cross_entropy_blocks(x, labels, smoothing, losses, probabilities, *_row_blocks(x))
    return losses, probabilities


@jit
def _cross_entropy_grad(gy, probabilities, labels, smoothing, gx):
    columns = probabilities.shape[1]
    spread = smoothing / np.float32(columns)
    for m in range(probabilities.shape[0]):
        for k in range(columns):
            gx[m, k] = gy[m] * (probabilities[m, k] - spread)
        gx[m, labels[m]] -= gy[m] * (ONE - smoothing)


def cross_entropy_grad(
    gy: np.ndarray, probabilities: np.ndarray, labels: np.ndarray, label_smoothing: float
) -> np.ndarray:
    """gy[m] · (probabilities - q), q as in cross_entropy; gy (M,)."""
    if probabilities.dtype != np.float32:
        return reference.cross_entropy_grad(gy, probabilities, labels, label_smoothing)
    gx = np.empty(probabilities.shape, np.float32)
    arrays = [np.ascontiguousarray(a) for a in (gy, probabilities, labels)]
    _cross_entropy_grad(*arrays, np.float32(label_smoothing), gx)
    return gx


@jit
def _bce_with_logits(x, target, y):
    for i in range(x.size):
        v = x[i]
        y[i] = ((ZERO if v < ZERO else v) - target[i] * v) + log1p_unit(exp_negative(-abs(v)))


def bce_with_logits(x: np.ndarray, target: np.ndarray) -> np.ndarray:
    """-target · log sigmoid(x) - (1 - target) · log(1 - sigmoid(x)) = softplus(x) - target · x, elementwise."""
    if x.dtype != np.float32:
        return reference.bce_with_logits(x, target)
    y = np.empty(x.shape, np.float32)
    _bce_with_logits(np.ascontiguousarray(x).reshape(-1), np.ascontiguousarray(target).reshape(-1), y.reshape(-1))
    return y


@jit
def _bce_with_logits_total(x, target):
    total = ZERO
    for i in range(x.size):
        v = x[i]
        total += ((ZERO if v < ZERO else v) - target[i] * v) + log1p_unit(exp_negative(-abs(v)))
    return total


@jit
def _bce_with_logits_sum(x, target):
    total = 0.0
    for at in range(0, x.size, BLOCK):
        total += _bce_with_logits_total(x[at : at + BLOCK], target[at : at + BLOCK])
    return total


@jit(parallel=True)
def _bce_with_logits_sum_blocks(x, target, sums):
    for b in prange(sums.size):
        part = slice(b * BLOCK, (b + 1) * BLOCK)
        sums[b] = _bce_with_logits_total(x[part], target[part])


def bce_with_logits_sum(x: np.ndarray, target: np.ndarray) -> float:
    """The sum of bce_with_logits over all elements: in blocks in float32, over the blocks in float64."""
    if x.dtype != np.float32:
        return reference.bce_with_logits_sum(x, target)
    x, target = np.ascontiguousarray(x).reshape(-1), np.ascontiguousarray(target).reshape(-1)
    if x.size <= SERIAL:
        return _bce_with_logits_sum(x, target)
    sums = np.empty(-(-x.size // BLOCK), np.float64)
    _bce_with_logits_sum_blocks(x, target, sums)
    return float(sums.sum())


@jit
def _bce_with_logits_grad(x, target, scale, gx):
    for i in range(x.size):
        v = x[i]
        e = exp_negative(-abs(v))
        gx[i] = scale * ((ONE if v >= ZERO else e) / (ONE + e) - target[i])


@jit(parallel=True)
def _bce_with_logits_grad_blocks(x, target, scale, gx):
    for b in prange((x.size + BLOCK - 1) // BLOCK):
        part = slice(b * BLOCK, (b + 1) * BLOCK)
        _bce_with_logits_grad(x[part], target[part], scale, gx[part])


def bce_with_logits_grad(x: np.ndarray, target: np.ndarray, scale: float) -> np.ndarray:
    """scale · (sigmoid(x) - target): the gradient of scale · sum of bce_with_logits."""
    if x.dtype != np.float32:
        return reference.bce_with_logits_grad(x, target, scale)
    gx = np.empty(x.shape, np.float32)
    arrays = np.ascontiguousarray(x).reshape(-1), np.ascontiguousarray(target).reshape(-1)
    kernel = _bce_with_logits_grad if x.size <= SERIAL else _bce_with_logits_grad_blocks
    kernel(*arrays, np.float32(scale), gx.reshape(-1))
    return gx
