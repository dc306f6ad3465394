"""Exercises of lesson 12: attention."""

import numpy as np

import minigen as mg
from minigen.exercises.exercise import Exercise


def causal_attention(q: mg.Tensor, k: mg.Tensor, v: mg.Tensor) -> mg.Tensor:
    """softmax(q kᵀ / √d) v, where query i sees the keys 0 … i only. Do not use mg.scaled_dot_product_attention.

    q, k (N, T, d), v (N, T, D) → (N, T, D).
    """
    scores = q @ mg.swapaxes(k, -1, -2) / q.shape[-1] ** 0.5
    seen = np.tri(q.shape[1], k.shape[1], dtype=bool)
    return mg.softmax(mg.where(seen, scores, -np.inf), axis=-1) @ v


def attention_backward(
    upstream: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """∂L/∂q, ∂L/∂k, ∂L/∂v of y = weights · v, weights = softmax(q kᵀ / √d), the softmax over each row.

    upstream (Tq, D) is ∂L/∂y; q (Tq, d), k (Tk, d), v (Tk, D), weights (Tq, Tk).
    """
    root = np.sqrt(q.shape[-1])
    gp = upstream @ v.T
    gs = weights * (gp - (gp * weights).sum(axis=1, keepdims=True))
    return gs @ k / root, gs.T @ q / root, weights.T @ upstream


def sinusoidal_positions(length: int, dim: int) -> np.ndarray:
    """The table (length, dim) of waves: column 2i is sin(t ω_i), column 2i + 1 is cos(t ω_i), ω_i = 10000^(-2i / dim).

    t = 0 … length - 1 is the row; dim is even.
    """
    omega = 10000.0 ** (-np.arange(0, dim, 2) / dim)
    angles = np.arange(length)[:, None] * omega
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, dim)


# ---------------------------------------------------------------- mistakes


def scores_of(q: mg.Tensor, k: mg.Tensor, root: float) -> tuple[mg.Tensor, np.ndarray]:
    """q kᵀ / root, and where a query may look."""
    return q @ mg.swapaxes(k, -1, -2) / root, np.tri(q.shape[1], k.shape[1], dtype=bool)


def unscaled(q: mg.Tensor, k: mg.Tensor, v: mg.Tensor) -> mg.Tensor:
    """Without √d."""
    scores, seen = scores_of(q, k, 1.0)
    return mg.softmax(mg.where(seen, scores, -np.inf), axis=-1) @ v


def unmasked(q: mg.Tensor, k: mg.Tensor, v: mg.Tensor) -> mg.Tensor:
    """Without the mask."""
    scores, _ = scores_of(q, k, q.shape[-1] ** 0.5)
    return mg.softmax(scores, axis=-1) @ v


def masked_after(q: mg.Tensor, k: mg.Tensor, v: mg.Tensor) -> mg.Tensor:
    """The mask behind the softmax."""
    scores, seen = scores_of(q, k, q.shape[-1] ** 0.5)
    return mg.where(seen, mg.softmax(scores, axis=-1), 0.0) @ v


def zeros_for_infinity(q: mg.Tensor, k: mg.Tensor, v: mg.Tensor) -> mg.Tensor:
    """Masked scores become 0."""
    scores, seen = scores_of(q, k, q.shape[-1] ** 0.5)
    return mg.softmax(mg.where(seen, scores, 0.0), axis=-1) @ v


def without_row_sum(
    upstream: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The softmax's gradient without the sum over the row."""
    root, gs = np.sqrt(q.shape[-1]), weights * (upstream @ v.T)
    return gs @ k / root, gs.T @ q / root, weights.T @ upstream


def diagonal_only(
    upstream: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The diagonal of the softmax's Jacobian alone."""
    root, gs = np.sqrt(q.shape[-1]), weights * (1 - weights) * (upstream @ v.T)
    return gs @ k / root, gs.T @ q / root, weights.T @ upstream


def without_root(
    upstream: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Backward without √d."""
    gq, gk, gv = attention_backward(upstream, q, k, v, weights)
    return gq * np.sqrt(q.shape[-1]), gk * np.sqrt(q.shape[-1]), gv


def halves(length: int, dim: int) -> np.ndarray:
    """Sines in the first half, cosines in the second."""
    table = sinusoidal_positions(length, dim)
    return np.concatenate([table[:, ::2], table[:, 1::2]], axis=1)


def column_by_column(length: int, dim: int) -> np.ndarray:
    """A frequency for each column."""
    column = np.arange(dim)
    angles = np.arange(length)[:, None] * 10000.0 ** (-column / dim)
    return np.where(column % 2, np.cos(angles), np.sin(angles))


def from_one(length: int, dim: int) -> np.ndarray:
    """Positions from 1 on."""
    return sinusoidal_positions(length + 1, dim)[1:]


# ---------------------------------------------------------------- cases


def tensors(rng: np.random.Generator) -> list[tuple]:
    """(q, k, v) that require gradients: several steps, one step, values of another width."""
    cases = []
    for n, length, d, width in ((2, 3, 2, 2), (1, 1, 3, 2), (1, 4, 4, 1)):
        shapes = (n, length, d), (n, length, d), (n, length, width)
        cases.append(tuple(mg.tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes))
    return cases


def arrays(rng: np.random.Generator) -> list[tuple]:
    """(upstream, q, k, v, weights)."""
    cases = []
    for queries, keys, d, width in ((3, 4, 2, 3), (1, 2, 4, 1), (2, 1, 3, 2)):
        q, k = rng.standard_normal((queries, d)), rng.standard_normal((keys, d))
        weights = np.exp(q @ k.T / np.sqrt(d))
        weights /= weights.sum(axis=1, keepdims=True)
        cases.append((rng.standard_normal((queries, width)), q, k, rng.standard_normal((keys, width)), weights))
    return cases


EXERCISES = [
    Exercise(
        answer=causal_attention,
        cases=tensors,
        mistakes={
            "the scores are not divided by √d": unscaled,
            "there is no mask: early places see late ones": unmasked,
            "the mask comes after the softmax, so the weights that are left do not sum to 1": masked_after,
            "a masked score has to be -∞; a score of 0 has the weight of e⁰ = 1": zeros_for_infinity,
        },
        hints=(
            "np.tri(T, T, dtype=bool) is True where a query may look.",
            "mg.where(seen, scores, -np.inf), and then the softmax over the last axis.",
        ),
        gradcheck=True,
    ),
    Exercise(
        answer=attention_backward,
        cases=arrays,
        mistakes={
            "the softmax's gradient lacks the sum over the row: all weights share a total of 1": without_row_sum,
            "of the softmax's Jacobian only the diagonal is used; every score changes every weight": diagonal_only,
            "q kᵀ is divided by √d, and so are the gradients of q and k": without_root,
        },
        hints=(
            "One line back for each line of forward: the last product, the softmax, the first product.",
            "From ∂L/∂P = ∂L/∂y vᵀ the softmax makes P (∂L/∂P - the row's sum of ∂L/∂P P).",
        ),
    ),
    Exercise(
        answer=sinusoidal_positions,
        cases=lambda rng: [(5, 4), (1, 2), (7, 6)],
        mistakes={
            "sine and cosine stand side by side, in columns 2i and 2i + 1, not in two halves": halves,
            "the two columns of a pair have the same frequency": column_by_column,
            "positions begin with 0": from_one,
        },
        hints=(
            "There are dim / 2 frequencies: make the angles (length, dim / 2) first.",
            "Stack sines and cosines on a new last axis, and reshape.",
        ),
    ),
]
