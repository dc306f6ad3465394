"""Exercises of lesson 6: a network learns digits."""

import numpy as np

from minigen.exercises.exercise import Exercise


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """L = -1/N Σₙ log pₙ,yₙ with pₙₖ = exp(lₙₖ) / Σⱼ exp(lₙⱼ), of logits l (N, K) and labels y (N,) in 0 … K-1.

    Finite and right for logits of any size, such as 1000.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-log_p[np.arange(len(labels)), labels].mean())


def cross_entropy_backward(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The gradient of the mean cross-entropy by the logits: ∂L/∂lₙₖ = (pₙₖ - [k = yₙ]) / N.

    logits (N, K), labels (N,), the result (N, K).
    """
    exps = np.exp(logits - logits.max(axis=1, keepdims=True))
    gradient = exps / exps.sum(axis=1, keepdims=True)
    gradient[np.arange(len(labels)), labels] -= 1
    return gradient / len(labels)


def dense_relu_backward(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, gy: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients (gx, gw, gb) of y = max(x w + b, 0), given gy = ∂L/∂y.

    x (N, D), w (D, K), b (K,), gy (N, K). Where x w + b is 0 or less, nothing comes through.
    """
    gz = gy * (x @ w + b > 0)
    return gz @ w.T, x.T @ gz, gz.sum(axis=0)


def batch(rng: np.random.Generator, n: int, k: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits (n, k) and labels."""
    return scale * rng.standard_normal((n, k)), rng.integers(k, size=n)


def layer(rng: np.random.Generator, n: int, d: int, k: int) -> tuple[np.ndarray, ...]:
    """x, w, b and gy of a dense layer."""
    return rng.standard_normal((n, d)), rng.standard_normal((d, k)), rng.standard_normal(k), rng.standard_normal((n, k))


def overflowing(logits: np.ndarray, labels: np.ndarray) -> float:
    """Exponentials of the logits as they are."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return float(-np.log(p[np.arange(len(labels)), labels]).mean())


def log_of_zero(logits: np.ndarray, labels: np.ndarray) -> float:
    """The logarithm of a p that became 0."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    return float(-np.log(p[np.arange(len(labels)), labels]).mean())


def unshifted(logits: np.ndarray, labels: np.ndarray) -> float:
    """log Σ exp l less the label's l, of the logits as they are."""
    return float((np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]).mean())


def whole_columns(logits: np.ndarray, labels: np.ndarray) -> float:
    """All rows of the columns that are labels."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float(-(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))[:, labels].mean())


def one_maximum_for_all(logits: np.ndarray, labels: np.ndarray) -> float:
    """The largest logit of the batch is taken off, not that of the row."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shifted = logits - logits.max()
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return float(-log_p[np.arange(len(labels)), labels].mean())


def mistaken_labels(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """p - 1 in all places."""
    exps = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (exps / exps.sum(axis=1, keepdims=True) - 1) / len(labels)


def columns_less_one(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """p less 1 in all rows of the columns that are labels."""
    exps = np.exp(logits - logits.max(axis=1, keepdims=True))
    gradient = exps / exps.sum(axis=1, keepdims=True)
    gradient[:, labels] -= 1
    return gradient / len(labels)


def unstable(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Exponentials of the logits as they are."""
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return (p - np.eye(logits.shape[1])[labels]) / len(labels)


EXERCISES = [
    Exercise(
        answer=cross_entropy,
        cases=lambda rng: [
            batch(rng, 4, 3),
            batch(rng, 1, 5),
            batch(rng, 3, 2, scale=1000.0),
            (np.array([[0.0, 1.0], [-2000.0, -2001.0]]), np.array([1, 0])),
            (np.zeros((2, 10)), np.array([3, 9])),
        ],
        mistakes={
            "exp of a large logit is infinite: take the largest of each row off first, which changes no p": overflowing,
            "exp overflows, or its sum is 0: take the largest of each row off before, and from l, too": unshifted,
            "a p that is nearly 0 becomes 0, and its log infinite: log p = l - m - log Σ exp(l - m)": log_of_zero,
            "log_p[:, labels] is all rows of some columns; one number of each row needs np.arange(N)": whole_columns,
            "the mean is over the N items, not over all N K numbers": lambda l, y: cross_entropy(l, y) / l.shape[1],
            "each row has a largest logit of its own (axis=1, keepdims=True)": one_maximum_for_all,
            "this is the sum over the batch; divide by N": lambda l, y: len(y) * cross_entropy(l, y),
            "the label says which p counts, not the largest p": lambda l, y: cross_entropy(l, l.argmax(axis=1)),
            "the logarithm of p is 0 or below; the loss is its negative": lambda l, y: -cross_entropy(l, y),
        },
        hints=(
            "log p = l - log Σ exp l. Take the largest l of each row off all l of that row before.",
            "log_p[np.arange(N), labels] picks one number of each row.",
        ),
    ),
    Exercise(
        answer=cross_entropy_backward,
        cases=lambda rng: [batch(rng, 4, 3), batch(rng, 1, 5), batch(rng, 3, 2, scale=1000.0)],
        mistakes={
            "the loss is a mean over N items, so each has 1/N of the gradient": lambda l, y: (
                len(y) * cross_entropy_backward(l, y)
            ),
            "the sign is turned: it is p less the label, and a step against it raises the right logit": lambda l, y: (
                -cross_entropy_backward(l, y)
            ),
            "1 is taken off at the label alone, not in the whole row": mistaken_labels,
            "p[:, labels] is all rows of some columns; one number of each row needs np.arange(N)": columns_less_one,
            "the loss is a mean over N items, not over N K numbers: divide by N": lambda l, y: (
                cross_entropy_backward(l, y) / l.shape[1]
            ),
            "exp of a large logit is infinite, and ∞ / ∞ is NaN: take the largest of each row off first": unstable,
            "this is p itself; the label's 1 is not taken off": lambda l, y: (
                cross_entropy_backward(l, y) + np.eye(l.shape[1])[y] / len(y)
            ),
        },
        hints=(
            "log pₙ,y = lₙ,y - log Σⱼ exp lₙⱼ. What is the derivative of each part by lₙₖ?",
            "The second part gives pₙₖ, the first gives 1 where k = y.",
        ),
    ),
    Exercise(
        answer=dense_relu_backward,
        cases=lambda rng: [
            layer(rng, 4, 3, 2),
            layer(rng, 1, 5, 4),
            layer(rng, 3, 3, 3),
            (np.array([[1.0, -1.0]]), np.ones((2, 2)), np.array([0.0, 1.0]), np.ones((1, 2))),
        ],
        mistakes={
            "nothing comes through where x w + b is not above 0": lambda x, w, b, gy: (gy @ w.T, x.T @ gy, gy.sum(0)),
            "whether a unit is open depends on x w + b; the bias belongs to it": lambda x, w, b, gy: (
                dense_relu_backward(x, w, 0 * b, gy)
            ),
            "what is closed is told by z = x w + b, not by the sign of gy": lambda x, w, b, gy: (
                np.maximum(gy, 0) @ w.T,
                x.T @ np.maximum(gy, 0),
                np.maximum(gy, 0).sum(0),
            ),
            "gb is not closed: it is the sum of gz, of what has come through the ReLU": lambda x, w, b, gy: (
                *dense_relu_backward(x, w, b, gy)[:2],
                gy.sum(0),
            ),
            "w and b serve every row: their gradients are sums over rows, not means": lambda x, w, b, gy: (
                dense_relu_backward(x, w, b, gy)[0],
                dense_relu_backward(x, w, b, gy)[1] / len(x),
                dense_relu_backward(x, w, b, gy)[2] / len(x),
            ),
            "at 0 exactly, ReLU's gradient is 0 here: compare with >": lambda x, w, b, gy: dense_relu_backward(
                x, w, b + 1e-12, gy
            ),
            "the bias was added to every row: its gradient is the sum over rows, not the mean": lambda x, w, b, gy: (
                *dense_relu_backward(x, w, b, gy)[:2],
                dense_relu_backward(x, w, b, gy)[2] / len(x),
            ),
            "gx is closed where the outputs were, not where x is below 0": lambda x, w, b, gy: (
                dense_relu_backward(x, w, b, gy)[0] * (x > 0),
                *dense_relu_backward(x, w, b, gy)[1:],
            ),
        },
        hints=(
            "Give the step between a name: z = x w + b. What is ∂L/∂z?",
            "With gz, it is a dense layer: gx = gz wᵀ, gw = xᵀ gz, gb = Σₙ gz.",
        ),
    ),
]
