"""Exercises of lesson 14: the game of GANs and a gradient of a gradient."""

from collections.abc import Callable

import numpy as np

import minigen as mg
from minigen.exercises.exercise import Exercise


def optimal_logit(log_p: np.ndarray, log_q: np.ndarray, share: float) -> np.ndarray:
    """log D / (1 - D) of the best discriminator where data has the log-density log_p and samples have log_q, both (N,).

    share: which part of what D is shown is data; 1/2 in the usual game. D maximises share · E_p[log D] +
    (1 - share) · E_q[log(1 - D)]. Densities may be as small as e^-1000.
    """
    return log_p - log_q + np.log(share) - np.log(1 - share)


def generator_slopes(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """∂L/∂logit of the generator's two losses, (N,) each: of the mean of log(1 - D), and of the mean of -log D.

    logits (N,) are D's, D = 1 / (1 + e^-logit).
    """
    d = 1 / (1 + np.exp(-logits))
    return -d / len(logits), -(1 - d) / len(logits)


def slope_penalty(x: mg.Tensor, w: mg.Tensor, v: mg.Tensor) -> mg.Tensor:
    """The mean over points of (‖∇C(x)‖ - 1)², C(x) = tanh(x w) v, which can be differentiated in w and v.

    x (N, D), which requires a gradient; w (D, H); v (H, 1). The norm is that of each point's own gradient. Use mg.grad.
    """
    (slope,) = mg.grad((mg.tanh(x @ w) @ v).sum(), x, create_graph=True)
    norms = mg.sqrt((slope * slope).sum(1))
    return ((norms - 1.0) * (norms - 1.0)).mean()


# ---------------------------------------------------------------- mistakes


def penalty_of(measure: Callable[[mg.Tensor], mg.Tensor], create_graph: bool = True) -> Callable[..., mg.Tensor]:
    """slope_penalty, but for what it makes of the slopes (N, D)."""

    def wrong(x: mg.Tensor, w: mg.Tensor, v: mg.Tensor) -> mg.Tensor:
        (slope,) = mg.grad((mg.tanh(x @ w) @ v).sum(), x, create_graph=create_graph)
        return measure(slope)

    return wrong


def lengths(slope: mg.Tensor) -> mg.Tensor:
    """The norm of each row."""
    return mg.sqrt((slope * slope).sum(1))


def of_the_mean(x: mg.Tensor, w: mg.Tensor, v: mg.Tensor) -> mg.Tensor:
    """Slopes of the mean over points."""
    (slope,) = mg.grad((mg.tanh(x @ w) @ v).mean(), x, create_graph=True)
    return ((lengths(slope) - 1.0) ** 2).mean()


# ---------------------------------------------------------------- cases


def critics(rng: np.random.Generator) -> list[tuple]:
    """(x, w, v), all of which require a gradient."""
    cases = []
    for n, d, hidden in ((3, 2, 4), (1, 3, 2), (2, 2, 3)):
        shapes = (n, d), (d, hidden), (hidden, 1)
        cases.append(tuple(mg.tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes))
    return cases


EXERCISES = [
    Exercise(
        answer=optimal_logit,
        cases=lambda rng: [
            (rng.standard_normal(4), rng.standard_normal(4), 0.5),
            (rng.standard_normal(3), rng.standard_normal(3), 0.8),
            (np.array([-900.0, -1000.0]), np.array([-1000.0, -900.0]), 0.25),
        ],
        mistakes={
            "this is right for a share of 1/2; more data raises D everywhere": lambda log_p, log_q, share: (
                log_p - log_q
            ),
            "the sign is wrong: where data is denser, D is above 1/2": (
                lambda log_p, log_q, share: log_q - log_p + np.log(1 - share) - np.log(share)
            ),
            "this is D itself; the logit is log D / (1 - D)": (
                lambda log_p, log_q, share: 1 / (1 + np.exp(-optimal_logit(log_p, log_q, share)))
            ),
            "this is the logarithm of D; the logit takes log(1 - D) off": (
                lambda log_p, log_q, share: -np.log1p(np.exp(-optimal_logit(log_p, log_q, share)))
            ),
        },
        hints=(
            "At each x by itself: the derivative of share p log D + (1 - share) q log(1 - D) in D is 0.",
            "So D / (1 - D) = share p / ((1 - share) q). Take the logarithm before any exp.",
        ),
    ),
    Exercise(
        answer=generator_slopes,
        cases=lambda rng: [(3 * rng.standard_normal(n),) for n in (4, 1)] + [(np.array([-30.0, 0.0, 30.0]),)],
        mistakes={
            "the two are exchanged": lambda logits: generator_slopes(logits)[::-1],
            "the losses are means over the batch: 1 / N is missing": (
                lambda logits: tuple(len(logits) * slope for slope in generator_slopes(logits))
            ),
            "the sign is wrong: both losses fall when D believes more": (
                lambda logits: tuple(-slope for slope in generator_slopes(logits))
            ),
            "these are the slopes in D; the slope in the logit is that times D (1 - D)": (
                lambda logits: (-(1 + np.exp(logits)) / len(logits), -(1 + np.exp(-logits)) / len(logits))
            ),
        },
        hints=(
            "log(1 - D) = -log(1 + e^logit); what is its derivative?",
            "It is -D. And that of -log D = log(1 + e^-logit) is -(1 - D). Both means are over N.",
        ),
    ),
    Exercise(
        answer=slope_penalty,
        cases=critics,
        mistakes={
            "the result is right, but can not be differentiated in w and v: mg.grad(…, create_graph=True)": penalty_of(
                lambda slope: ((lengths(slope) - 1.0) ** 2).mean(), create_graph=False
            ),
            "the norm is of each point's gradient, not of all of them together": penalty_of(
                lambda slope: (mg.sqrt((slope * slope).sum()) - 1.0) ** 2
            ),
            "the norm is the root of the sum of squares; the root is missing": penalty_of(
                lambda slope: (((slope * slope).sum(1) - 1.0) ** 2).mean()
            ),
            "this pulls the slope to 0; the penalty asks for a length of 1": penalty_of(
                lambda slope: (slope * slope).sum(1).mean()
            ),
            "∇C of each point is the gradient of the sum over points; of the mean it is N times too small": of_the_mean,
        },
        hints=(
            "The sum over points of C(x) has, in each point, that point's own gradient.",
            "mg.grad(output, x, create_graph=True) gives a tuple of one; squares, a sum over axis 1, a root.",
        ),
        gradcheck=True,
    ),
]
