"""Exercises of lesson 11: recurrence and its vanishing gradient."""

import numpy as np

from minigen.exercises.exercise import Exercise


def rnn_backward(upstream: np.ndarray, h0: np.ndarray, states: np.ndarray, w_h: np.ndarray) -> np.ndarray:
    """∂L/∂W_h (H, H) of h_t = tanh(x_t W_x + b + h_{t-1} W_h), by backpropagation through time.

    upstream (N, T, H): ∂L/∂h_t from outside, for every step. h0 (N, H): the state before the first step. states
    (N, T, H): h_1 … h_T. With g_t all that reaches h_t: ∂L/∂z_t = g_t (1 - h_t²), and ∂L/∂z_t W_hᵀ goes to h_{t-1}.
    """
    g, gradient = np.zeros_like(h0), np.zeros_like(w_h)
    for t in reversed(range(states.shape[1])):
        before = states[:, t - 1] if t else h0
        gz = (g + upstream[:, t]) * (1 - states[:, t] ** 2)
        gradient = gradient + before.T @ gz
        g = gz @ w_h.T
    return gradient


def clipped(a: np.ndarray, b: np.ndarray, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Both gradients, scaled by one number so that their common norm, √(Σ a² + Σ b²), is at most `most`.

    a, b: arrays of any shapes. Gradients that are short enough stay as they are.
    """
    norm = float(np.sqrt((a**2).sum() + (b**2).sum()))
    scale = 1.0 if norm <= most else most / norm
    return a * scale, b * scale


def lstm_step(z: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h, c) after a step of the LSTM: c' = σ(f) c + σ(i) tanh(g), h = σ(o) tanh(c').

    z (N, 4H): the sums x W_x + b + h W_h, whose columns are those of i, f, g, o, side by side. c (N, H): the cells
    before the step.
    """
    i, f, g, o = np.split(z, 4, axis=1)
    new = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
    return np.tanh(new) / (1 + np.exp(-o)), new


# ---------------------------------------------------------------- mistakes


def one_step_back(upstream: np.ndarray, h0: np.ndarray, states: np.ndarray, w_h: np.ndarray) -> np.ndarray:
    """What goes back to the state before is lost."""
    gz = upstream * (1 - states**2)
    before = np.concatenate([h0[:, None], states[:, :-1]], axis=1)
    return np.einsum("nth,ntk->hk", before, gz)


def without_transpose(upstream: np.ndarray, h0: np.ndarray, states: np.ndarray, w_h: np.ndarray) -> np.ndarray:
    """Gradients go back through W_h as it is."""
    return rnn_backward(upstream, h0, states, w_h.T)


def same_step(upstream: np.ndarray, h0: np.ndarray, states: np.ndarray, w_h: np.ndarray) -> np.ndarray:
    """W_h's gradient from the state after the step."""
    g, gradient = np.zeros_like(h0), np.zeros_like(w_h)
    for t in reversed(range(states.shape[1])):
        gz = (g + upstream[:, t]) * (1 - states[:, t] ** 2)
        gradient = gradient + states[:, t].T @ gz
        g = gz @ w_h.T
    return gradient


def last_only(upstream: np.ndarray, h0: np.ndarray, states: np.ndarray, w_h: np.ndarray) -> np.ndarray:
    """The last step's upstream alone."""
    last = np.zeros_like(upstream)
    last[:, -1] = upstream[:, -1]
    return rnn_backward(last, h0, states, w_h)


def each_alone(a: np.ndarray, b: np.ndarray, most: float) -> tuple[np.ndarray, np.ndarray]:
    """A scale for each gradient."""
    first, second = (g * min(1.0, most / max(float(np.sqrt((g**2).sum())), 1e-300)) for g in (a, b))
    return first, second


def always(a: np.ndarray, b: np.ndarray, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Short gradients are made longer."""
    scale = most / max(float(np.sqrt((a**2).sum() + (b**2).sum())), 1e-300)
    return a * scale, b * scale


def by_square(a: np.ndarray, b: np.ndarray, most: float) -> tuple[np.ndarray, np.ndarray]:
    """The root of the norm is missing."""
    scale = min(1.0, most / max(float((a**2).sum() + (b**2).sum()), 1e-300))
    return a * scale, b * scale


def without_tanh(z: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cell is shown as it is."""
    _, new = lstm_step(z, c)
    return new / (1 + np.exp(-np.split(z, 4, axis=1)[3])), new


def reordered(order: tuple[int, int, int, int]):
    """lstm_step that takes the columns of z in another order."""

    def step(z: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = np.split(z, 4, axis=1)
        return lstm_step(np.concatenate([parts[k] for k in order], axis=1), c)

    return step


def sigmoid_candidate(z: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A sigmoid for the candidate, too."""
    i, f, g, o = (1 / (1 + np.exp(-part)) for part in np.split(z, 4, axis=1))
    new = f * c + i * g
    return o * np.tanh(new), new


# ---------------------------------------------------------------- cases


def sequences(rng: np.random.Generator) -> list[tuple]:
    """(upstream, h0, states, w_h): states are any numbers in (-1, 1)."""
    cases = []
    for n, length, size in ((2, 3, 2), (1, 4, 3), (3, 1, 2)):
        shape = (n, length, size)
        states = np.tanh(rng.standard_normal(shape))
        cases.append(
            (rng.standard_normal(shape), rng.standard_normal((n, size)), states, rng.standard_normal((size, size)))
        )
    return cases


def gradients(rng: np.random.Generator) -> list[tuple]:
    """(a, b, most): too long, short enough, and zeros."""
    cases = [(rng.standard_normal((2, 3)), rng.standard_normal(4), most) for most in (0.5, 100.0)]
    return [*cases, (np.full(2, 3.0), np.full((1, 2), 4.0), 6.0), (np.zeros(2), np.zeros(3), 1.0)]


EXERCISES = [
    Exercise(
        answer=rnn_backward,
        cases=sequences,
        mistakes={
            "the gradient goes back one step only: what reaches h_{t-1} through W_h is lost": one_step_back,
            "gradients go back through the transposed matrix: ∂L/∂z W_hᵀ": without_transpose,
            "W_h is multiplied by the state before the step, not by the one after it": same_step,
            "only the last step's upstream is used; each step has its own": last_only,
        },
        hints=(
            "Go from the last step to the first, and carry g, the gradient that comes from the step behind.",
            "At step t: gz = (g + upstream[:, t]) (1 - h_t²); the gradient grows by h_{t-1}ᵀ gz; then g = gz W_hᵀ.",
        ),
    ),
    Exercise(
        answer=clipped,
        cases=gradients,
        mistakes={
            "each gradient is clipped for itself, which changes the common direction": each_alone,
            "short gradients are made longer: the scale is 1 at most": always,
            "this is the squared norm; take its root": by_square,
            "each number is clipped by itself: that is another method, which changes the direction": (
                lambda a, b, most: (np.clip(a, -most, most), np.clip(b, -most, most))
            ),
        },
        hints=(
            "One norm of both: add up all squares, and take the root.",
            "One scale for both: most / norm if the norm is larger than `most`, else 1.",
        ),
    ),
    Exercise(
        answer=lstm_step,
        cases=lambda rng: [
            (2 * rng.standard_normal((n, 4 * h)), rng.standard_normal((n, h))) for n, h in ((2, 3), (1, 1))
        ],
        mistakes={
            "h shows tanh(c'), not c' itself": without_tanh,
            "input and forget gate are exchanged: the order is i, f, g, o": reordered((1, 0, 2, 3)),
            "candidate and output gate are exchanged: the order is i, f, g, o": reordered((0, 1, 3, 2)),
            "the candidate g goes through a tanh; only gates are sigmoids": sigmoid_candidate,
        },
        hints=("np.split(z, 4, axis=1) gives the four parts.", "σ for i, f, o; tanh for g, and once more for c'."),
    ),
]
