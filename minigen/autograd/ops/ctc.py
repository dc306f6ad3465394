"""Connectionist temporal classification: the likelihood of a label sequence, summed over all its alignments in time.

A target l of S labels is read with blanks between and around its labels: l' = (blank, l_1, blank, …, l_S, blank). A
path through l' takes one of its places at each step; it stays, goes to the next, or skips a blank that stands between
two different labels. Graves et al. 2006, section 4.1. Sums of probabilities are kept as logarithms, in float64.
"""

from typing import Any

import numpy as np

from minigen.autograd.fused import Gradients
from minigen.autograd.ops.arithmetic import where
from minigen.autograd.ops.loss_base import FusedLoss, check_reduction, reduce
from minigen.autograd.ops.operands import as_float, integers
from minigen.autograd.ops.reduction import logsumexp, sum
from minigen.autograd.ops.shape import concatenate, getitem, stack
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.checks import check_whole
from minigen.errors import ArgumentError, DataError, DTypeError, ShapeError

IMPOSSIBLE = -1e30  # a logarithm of 0 that can be subtracted from itself, for `compose`


class CTC(FusedLoss):
    """-log Σ over paths of Π_t p_t(l'_path(t)); gx_t(c) = -gy · the share of the paths that are at label c in step t.

    labels: l' of each sequence (N, L), L = 2 S + 1; steps, lengths: how much of the time and of l' counts (N,).
    """

    def __init__(
        self, labels: np.ndarray, blank: int, steps: np.ndarray, lengths: np.ndarray, reduction: str, zero: bool
    ) -> None:
        super().__init__(reduction)
        self.labels, self.steps, self.lengths, self.zero = labels, steps, lengths, zero
        skips = np.zeros(labels.shape, bool)  # whether a path may come to this place from the one before the last
        skips[:, 2:] = (labels[:, 2:] != blank) & (labels[:, 2:] != labels[:, :-2])
        self.skips = skips
        self.divisors = np.maximum(lengths // 2, 1) if reduction == "mean" else np.ones(len(lengths))

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        emissions = self.emissions(x)
        alpha = np.full(emissions.shape, -np.inf)
        alpha[:, 0, :2] = emissions[:, 0, :2]
        for t in range(1, x.shape[1]):
            alpha[:, t] = self.joined(alpha[:, t - 1], self.skips) + emissions[:, t]
        last = alpha[np.arange(len(x)), self.steps - 1]
        losses = -np.logaddexp.reduce(np.where(self.ends(), last, -np.inf), axis=-1)
        self.residuals = alpha, losses
        if self.zero:
            losses = np.where(np.isinf(losses), 0.0, losses)
        return self.reduced((losses / self.divisors).astype(x.dtype))

    def emissions(self, x: np.ndarray) -> np.ndarray:
        """log p of each place of l' in each step, (N, T, L)."""
        return np.take_along_axis(x, self.labels[:, None, :], axis=2).astype(np.float64)

    def ends(self) -> np.ndarray:
        """Where in l' a path may end: at its last label, or at the blank behind (N, L)."""
        behind = self.lengths[:, None] - np.arange(self.labels.shape[1])
        return (behind == 1) | (behind == 2)

    @staticmethod
    def joined(log_sums: np.ndarray, skips: np.ndarray) -> np.ndarray:
        """From the logarithms of the sums over paths to each place, (N, L), those over paths one step further."""
        y = log_sums.copy()
        np.logaddexp(y[:, 1:], log_sums[:, :-1], out=y[:, 1:])
        skipping = np.where(skips[:, 2:], log_sums[:, :-2], -np.inf)
        np.logaddexp(y[:, 2:], skipping, out=y[:, 2:])
        return y

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        x, (alpha, losses) = self.saved_array(0), self.residuals
        with np.errstate(invalid="ignore"):  # -inf + inf, where there is no path
            occupied = np.exp(alpha + self.beta(x) + losses[:, None, None])
        impossible = np.isinf(losses)
        if impossible.any():
            occupied[impossible] = 0.0 if self.zero else np.nan
        occupied[np.arange(x.shape[1]) >= self.steps[:, None]] = 0.0
        scale = np.broadcast_to(self.share(gy, len(x)), len(x)) / self.divisors
        onehot = self.labels[:, :, None] == np.arange(x.shape[2])
        return ((np.matmul(occupied, onehot) * -scale[:, None, None]).astype(x.dtype),)

    def beta(self, x: np.ndarray) -> np.ndarray:
        """log Σ over the rest of the paths from each place, (N, T, L); the mirror of alpha, without the emission."""
        emissions, ends = self.emissions(x), np.where(self.ends(), 0.0, -np.inf)
        beta = np.full(emissions.shape, -np.inf)
        mirrored = np.zeros_like(self.skips)
        mirrored[:, 2:] = self.skips[:, 2:][:, ::-1]
        for t in reversed(range(x.shape[1])):
            if t + 1 < x.shape[1]:
                following = (beta[:, t + 1] + emissions[:, t + 1])[:, ::-1]
                beta[:, t] = self.joined(following, mirrored)[:, ::-1]
            beta[:, t] = np.where((self.steps - 1 == t)[:, None], ends, beta[:, t])
        return beta

    def compose(self, x: Tensor) -> Tensor:
        n, t, _ = x.shape
        x = where(x.data > IMPOSSIBLE, x, IMPOSSIBLE)
        emissions = getitem(x, (np.arange(n)[:, None, None], np.arange(t)[None, :, None], self.labels[:, None, :]))
        none = Tensor(np.full((n, 2), IMPOSSIBLE, x.dtype))
        alpha = where(np.arange(self.labels.shape[1]) < 2, emissions[:, 0], IMPOSSIBLE)
        for i in range(1, t):
            padded = concatenate([none, alpha], 1)
            skipping = where(self.skips, padded[:, :-2], IMPOSSIBLE)
            following = logsumexp(stack([alpha, padded[:, 1:-1], skipping]), 0) + emissions[:, i]
            alpha = where((i < self.steps)[:, None], following, alpha)
        losses = -logsumexp(where(self.ends(), alpha, IMPOSSIBLE), -1)
        impossible = losses.data > -IMPOSSIBLE / 2
        scale = np.where(impossible & self.zero, 0.0, 1 / self.divisors)
        if impossible.any() and not self.zero:
            unknown = impossible[:, None] & (np.arange(t) < self.steps[:, None])
            losses = losses + sum(x * Tensor(np.where(unknown, np.nan, 0.0).astype(x.dtype)[..., None]), (1, 2))
        return reduce(losses * Tensor(scale.astype(x.dtype)), self.reduction)


def ctc_loss(
    log_probs: Operand,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log of the probability of `targets`, summed over all their alignments to the time steps, blanks between.

    log_probs: log-probabilities (N, T, C) of C labels, the blank among them; batch-first, where PyTorch has (T, N, C).
    targets: labels (N, S), or one after the other (sum of target_lengths,), none of them the blank. input_lengths,
    target_lengths: how many steps and labels of each sequence count (N,). The mean is over the sequences, each loss
    divided by its target's length. A target that does not fit into its steps has loss inf and gradient NaN, or both 0
    with zero_infinity. Graves et al. 2006. Raises ShapeError, DTypeError, ArgumentError, DataError.
    """
    log_probs = as_float(log_probs, "ctc_loss")
    if log_probs.ndim != 3 or 0 in log_probs.shape[1:]:
        raise ShapeError(f"ctc_loss: log_probs is {log_probs.shape}; pass (N, T, C): sequences, steps, labels")
    n, t, k = log_probs.shape
    blank = check_whole("ctc_loss", "blank", blank)
    if not 0 <= blank < k:
        raise ArgumentError(f"ctc_loss: blank is {blank}, outside the labels 0 … {k - 1}")
    check_reduction(n, "ctc_loss", reduction)
    steps = lengths(input_lengths, n, 1, t, "input_lengths", "steps")
    counts = lengths(target_lengths, n, 0, None, "target_lengths", "labels")
    rows = padded_targets(targets, counts, blank, k)
    labels = np.full((n, 2 * rows.shape[1] + 1), blank)
    labels[:, 1::2] = rows
    return CTC(labels, blank, steps, 2 * counts + 1, reduction, bool(zero_infinity))(log_probs)


def lengths(values: Any, n: int, low: int, high: int | None, role: str, unit: str) -> np.ndarray:
    """How much of each sequence counts, (N,) whole numbers from low to high."""
    array = as_tensor(values, "ctc_loss").data
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise DTypeError(f"ctc_loss: {role} have dtype {array.dtype}; pass whole numbers")
    if array.shape != (n,):
        raise ShapeError(f"ctc_loss: {role} are {array.shape}, expected ({n},), one for each sequence")
    if array.size and (array.min() < low or (high is not None and array.max() > high)):
        bad = array.min() if array.min() < low else array.max()
        limit = f"from {low} to {high}" if high is not None else f"at least {low}"
        raise DataError(f"ctc_loss: {role} hold {bad}; the {unit} of a sequence are {limit} here")
    return array.astype(np.int64)


def padded_targets(targets: Any, counts: np.ndarray, blank: int, k: int) -> np.ndarray:
    """The labels of each sequence as rows (N, S), those that do not count being blanks."""
    given = as_tensor(targets, "ctc_loss")
    longest = int(counts.max(initial=0))
    if given.ndim == 1 and given.size == counts.sum():
        rows = np.full((len(counts), longest), blank)
        valid = np.arange(longest) < counts[:, None]
        rows[valid] = integers(given, k, "ctc_loss", "targets")
    elif given.ndim == 2 and len(given.data) == len(counts) and given.shape[1] >= longest:
        valid = np.arange(longest) < counts[:, None]
        rows = integers(np.where(valid, given.data[:, :longest], blank), k, "ctc_loss", "targets")
    else:
        raise ShapeError(
            f"ctc_loss: targets are {given.shape}; pass ({len(counts)}, {longest}), or ({counts.sum()},) one after the "
            "other, as target_lengths say"
        )
    if (rows[valid] == blank).any():
        raise DataError(f"ctc_loss: targets hold {blank}, the blank; leave blanks out, or name another label as blank")
    return rows
