"""Softmax over the rows of (M, K), and the losses that are fused with it or with the sigmoid.

Compiled for float32; float64, which gradient checks use, goes to the NumPy twins. A row is summed in float64.
"""

import math

import numpy as np

from minigen.kernels import reference
from minigen.kernels.compiler.arrays import contiguous, flat
from minigen.kernels.compiler.jit import jit, part, tasks
from minigen.kernels.rows.cuts import EXPONENTIAL, STEP_ELEMENTS, runs, span
from minigen.kernels.rows.scalar import ONE, ZERO, exp_negative, log1p_unit

BLOCK_ELEMENTS = 8192  # elements that are summed on their own
BLOCK_ROWS = 64  # that are turned to exponentials in one loop: over a row of few columns it would fill no vectors
SIGN, MAGNITUDE = np.int32(31), np.int32(0x7FFFFFFF)
LOWEST = np.int32(np.float32(-np.inf).view(np.int32) ^ MAGNITUDE)


@part
def ordered(bits):
    """An integer for the bits of a float32, in the order of the numbers, NaN being the largest; its own inverse.

    The maximum of the numbers themselves would not vectorise.
    """
    return np.int32(bits ^ ((bits >> SIGN) & MAGNITUDE))


@part
def exponentials(low, count, x, bits, y, largest, totals):
    """y[m] = exp(x[m] - largest of x[m]) for `count` rows from `low` on; that largest, and the sums of these rows.

    Sums are float64, in which nothing is lost when terms are gathered in another order. bits: those of x, as int32.
    """
    columns = x.shape[1]
    for i in range(np.uintp(count)):
        m, best = np.uintp(low + i), LOWEST
        for k in range(columns):
            b = ordered(bits[m, k])
            best = b if b > best else best
        largest[i] = np.int32(ordered(best)).view(np.float32)
        for k in range(columns):
            y[m, k] = x[m, k] - largest[i]
    numbers = y.reshape(-1)
    for i in range(np.uintp(low * columns), np.uintp((low + count) * columns)):
        numbers[i] = exp_negative(numbers[i])
    for i in range(np.uintp(count)):
        m, total = np.uintp(low + i), np.float64(0)
        for k in range(columns):
            total += y[m, k]
        totals[i] = total


@tasks
def _softmax(run, rows, x, bits, y):
    largest, totals = np.empty(BLOCK_ROWS, np.float32), np.empty(BLOCK_ROWS)
    low, high = span(run, rows, x.shape[0])
    for first in range(np.intp(low), np.intp(high), BLOCK_ROWS):
        count = min(BLOCK_ROWS, np.intp(high) - first)
        exponentials(first, count, x, bits, y, largest, totals)
        for i in range(np.uintp(count)):
            share = np.float32(1 / totals[i])
            for k in range(x.shape[1]):
                y[np.uintp(first + i), k] *= share


def softmax(x: np.ndarray) -> np.ndarray:
    """exp(x) / sum of exp(x) in each row, without overflow."""
    if x.dtype != np.float32:
        return reference.softmax(x)
    x, y = contiguous(x), np.empty(x.shape, np.float32)
    _softmax(*runs(len(x), x.size, work=EXPONENTIAL), x, x.view(np.int32), y)
    return y


@tasks
def _softmax_grad(run, rows, gy, y, gx):
    low, high = span(run, rows, y.shape[0])
    for m in range(low, high):
        total = np.float64(0)
        for k in range(y.shape[1]):
            total += gy[m, k] * y[m, k]
        mean = np.float32(total)
        for k in range(y.shape[1]):
            gx[m, k] = y[m, k] * (gy[m, k] - mean)


def softmax_grad(gy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """y · (gy - sum of gy · y in each row), y = softmax(x)."""
    if y.dtype != np.float32:
        return reference.softmax_grad(gy, y)
    gx = np.empty(y.shape, np.float32)
    _softmax_grad(*runs(len(y), y.size), contiguous(gy), contiguous(y), gx)
    return gx


@tasks
def _log_softmax(run, rows, x, bits, y):
    largest, totals = np.empty(BLOCK_ROWS, np.float32), np.empty(BLOCK_ROWS)
    low, high = span(run, rows, x.shape[0])
    for first in range(np.intp(low), np.intp(high), BLOCK_ROWS):
        count = min(BLOCK_ROWS, np.intp(high) - first)
        exponentials(first, count, x, bits, y, largest, totals)
        for i in range(np.uintp(count)):
            m, top, log_total = np.uintp(first + i), np.float64(largest[i]), math.log(totals[i])
            for k in range(y.shape[1]):
                y[m, k] = (x[m, k] - top) - log_total


def log_softmax(x: np.ndarray) -> np.ndarray:
    """x - log(sum of exp(x)) in each row, without overflow."""
    if x.dtype != np.float32:
        return reference.log_softmax(x)
    x, y = contiguous(x), np.empty(x.shape, np.float32)
    _log_softmax(*runs(len(x), x.size, work=EXPONENTIAL), x, x.view(np.int32), y)
    return y


@tasks
def _log_softmax_grad(run, rows, gy, y, gx):
    low, high = span(run, rows, y.shape[0])
    shares, logs = gx.reshape(-1), y.reshape(-1)
    for i in range(low * np.uintp(y.shape[1]), high * np.uintp(y.shape[1])):
        shares[i] = exp_negative(ZERO if logs[i] > ZERO else logs[i])
    for m in range(low, high):
        exact = np.float64(0)
        for k in range(y.shape[1]):
            exact += gy[m, k]
        total = np.float32(exact)
        for k in range(y.shape[1]):
            gx[m, k] = gy[m, k] - gx[m, k] * total


def log_softmax_grad(gy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """gy - exp(y) · sum of gy in each row, y = log_softmax(x)."""
    if y.dtype != np.float32:
        return reference.log_softmax_grad(gy, y)
    gx = np.empty(y.shape, np.float32)
    _log_softmax_grad(*runs(len(y), y.size, work=EXPONENTIAL), contiguous(gy), contiguous(y), gx)
    return gx


@tasks
def _cross_entropy(run, rows, x, bits, labels, smoothing, losses, probabilities):
    tops, totals = np.empty(BLOCK_ROWS, np.float32), np.empty(BLOCK_ROWS)
    low, high = span(run, rows, x.shape[0])
    for first in range(np.intp(low), np.intp(high), BLOCK_ROWS):
        count = min(BLOCK_ROWS, np.intp(high) - first)
        exponentials(first, count, x, bits, probabilities, tops, totals)
        for i in range(np.uintp(count)):
            m, largest, log_total = np.uintp(first + i), np.float64(tops[i]), math.log(totals[i])
            share = np.float32(1 / totals[i])
            for k in range(x.shape[1]):
                probabilities[m, k] *= share
            loss = (ONE - smoothing) * (log_total - (x[m, labels[m]] - largest))
            if smoothing > ZERO:
                shifted = np.float64(0)
                for k in range(x.shape[1]):
                    shifted += x[m, k] - largest
                loss += smoothing * (log_total - shifted / x.shape[1])
            losses[m] = loss


def cross_entropy(logits: np.ndarray, labels: np.ndarray, label_smoothing: float) -> tuple[np.ndarray, np.ndarray]:
    """(losses (M,), probabilities (M, K)): -sum over k of q[k] · log softmax(logits)[k].

    q = (1 - s) · onehot(label) + s / K, s the label smoothing (Szegedy et al., 2016, section 7).
    labels int64 (M,), each in [0, K); not checked here.
    """
    if logits.dtype != np.float32:
        return reference.cross_entropy(logits, labels, label_smoothing)
    losses, probabilities = np.empty(len(logits), np.float32), np.empty(logits.shape, np.float32)
    x, labels, smoothing = contiguous(logits), contiguous(labels), np.float32(label_smoothing)
    _cross_entropy(
        *runs(len(x), x.size, work=EXPONENTIAL), x, x.view(np.int32), labels, smoothing, losses, probabilities
    )
    return losses, probabilities


@tasks
def _cross_entropy_grad(run, rows, gy, probabilities, labels, smoothing, gx):
    columns = probabilities.shape[1]
    spread = smoothing / np.float32(columns)
    low, high = span(run, rows, probabilities.shape[0])
    for m in range(low, high):
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
    arrays = [contiguous(a) for a in (gy, probabilities, labels)]
    _cross_entropy_grad(*runs(len(gx), gx.size), *arrays, np.float32(label_smoothing), gx)
    return gx


@part
def bce_term(v, t):
    """softplus(v) - t · v; where it is certain, 0 or infinite also for an infinite v."""
    size = abs(v)
    wrong = (ONE - t) if v > ZERO else t
    return log1p_unit(exp_negative(-size), ZERO if wrong == ZERO else wrong * size)


@tasks
def _bce_with_logits(run, length, x, target, y):
    low, high = span(run, length, x.size)
    for i in range(low, high):
        y[i] = bce_term(x[i], target[i])


def bce_with_logits(x: np.ndarray, target: np.ndarray) -> np.ndarray:
    """-target · log sigmoid(x) - (1 - target) · log(1 - sigmoid(x)) = softplus(x) - target · x, elementwise."""
    if x.dtype != np.float32:
        return reference.bce_with_logits(x, target)
    y = np.empty(x.shape, np.float32)
    _bce_with_logits(*runs(x.size, x.size, STEP_ELEMENTS, EXPONENTIAL), flat(x), flat(target), y.reshape(-1))
    return y


@tasks
def _bce_with_logits_sums(run, length, x, target, sums):
    first, stop = span(run, length, sums.size)
    for block in range(first, stop):
        total = ZERO
        low, high = span(block, BLOCK_ELEMENTS, x.size)
        for i in range(low, high):
            total += bce_term(x[i], target[i])
        sums[block] = total


def bce_with_logits_sum(x: np.ndarray, target: np.ndarray, terms: int, y: np.ndarray) -> None:
    """y = the sum of bce_with_logits / terms: in blocks in float32, over the blocks in float64."""
    if x.dtype != np.float32:
        return reference.bce_with_logits_sum(x, target, terms, y)
    sums = np.empty(-(-x.size // BLOCK_ELEMENTS), np.float64)
    _bce_with_logits_sums(*runs(sums.size, x.size, work=EXPONENTIAL), flat(x), flat(target), sums)
    _mean(sums, terms, y.reshape(1))


@jit
def _mean(sums, terms, y):
    total = np.float64(0)
    for block in range(sums.size):
        total += sums[block]
    y[0] = total / terms


@part
def scaled(low, high, scale, gx):
    """gx times the scale: one number for all, or one for each."""
    first, stop = np.uintp(low), np.uintp(high)
    if scale.size == 1:
        factor = scale[0]
        for i in range(first, stop):
            gx[i] *= factor
    else:
        for i in range(first, stop):
            gx[i] *= scale[i]


@tasks
def _bce_with_logits_grad(run, length, x, target, scale, gx):
    low, high = span(run, length, x.size)
    for i in range(low, high):
        v = x[i]
        e = exp_negative(-abs(v))
        gx[i] = (ONE if v >= ZERO else e) / (ONE + e) - target[i]
    scaled(low, high, scale, gx)


def bce_with_logits_grad(x: np.ndarray, target: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """scale · (sigmoid(x) - target): the gradient of the sum of scale · bce_with_logits; scale of one shape, or ()."""
    if x.dtype != np.float32:
        return reference.bce_with_logits_grad(x, target, scale)
    gx = np.empty(x.shape, np.float32)
    _bce_with_logits_grad(
        *runs(x.size, x.size, STEP_ELEMENTS, EXPONENTIAL), flat(x), flat(target), flat(scale), gx.reshape(-1)
    )
    return gx


@tasks
def _squared_error_sums(run, length, x, target, sums):
    first, stop = span(run, length, sums.size)
    for block in range(first, stop):
        total = sums.dtype.type(0)
        low, high = span(block, BLOCK_ELEMENTS, x.size)
        for i in range(low, high):
            d = x[i] - target[i]
            total += d * d
        sums[block] = total


def squared_error_sum(x: np.ndarray, target: np.ndarray, terms: int, y: np.ndarray) -> None:
    """y = the sum of (x - target)² / terms, summed in float64."""
    sums = np.empty(-(-x.size // BLOCK_ELEMENTS), np.float64)
    _squared_error_sums(*runs(sums.size, x.size), flat(x), flat(target), sums)
    _mean(sums, terms, y.reshape(1))


@tasks
def _squared_error_grad(run, length, x, target, scale, gx):
    two = x.dtype.type(2)
    low, high = span(run, length, x.size)
    for i in range(low, high):
        gx[i] = two * (x[i] - target[i])
    scaled(low, high, scale, gx)


def squared_error_grad(x: np.ndarray, target: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """2 · scale · (x - target): the gradient of the sum of scale · (x - target)²; scale of one shape, or ()."""
    gx = np.empty(x.shape, x.dtype)
    _squared_error_grad(*runs(x.size, x.size, STEP_ELEMENTS), flat(x), flat(target), flat(scale), gx.reshape(-1))
    return gx
