"""Exercises of lesson 13: the VAE's bound."""

import numpy as np

import minigen as mg
from minigen.exercises.exercise import Exercise


def gaussian_kl(mu1: mg.Tensor, logvar1: mg.Tensor, mu2: mg.Tensor, logvar2: mg.Tensor) -> mg.Tensor:
    """KL(N(μ₁, σ₁²) ‖ N(μ₂, σ₂²)) of each row, (N,), summed over the independent components; all given (N, d).

    For one component: log(σ₂ / σ₁) + (σ₁² + (μ₁ - μ₂)²) / 2σ₂² - 1/2. logvar is log σ².
    """
    gap = mu1 - mu2
    each = logvar2 - logvar1 + (mg.exp(logvar1) + gap * gap) * mg.exp(-logvar2) - 1.0
    return 0.5 * each.sum(1)


def score_function_gradients(
    f: np.ndarray, z: np.ndarray, mu: np.ndarray, sigma: np.ndarray, baseline: float
) -> np.ndarray:
    """Estimates of ∂E[f(z)]/∂μ, one for each sample: (f - baseline) ∇ log q(z), the gradient in μ; (N, d).

    f (N,): the value of f for each sample. z (N, d): samples of q = N(mu, diag sigma²), mu and sigma (d,).
    """
    return (f - baseline)[:, None] * (z - mu) / sigma**2


def importance_bound(log_w: np.ndarray) -> np.ndarray:
    """log of the mean of the weights of each row, (N,), from their logarithms (N, k).

    The logarithms may be as small as -1000: exp of them is 0. Take the largest of a row out first.
    """
    top = log_w.max(axis=1, keepdims=True)
    return top[:, 0] + np.log(np.exp(log_w - top).mean(axis=1))


# ---------------------------------------------------------------- mistakes


def swapped(mu1: mg.Tensor, logvar1: mg.Tensor, mu2: mg.Tensor, logvar2: mg.Tensor) -> mg.Tensor:
    """The two Gaussians exchanged."""
    return gaussian_kl(mu2, logvar2, mu1, logvar1)


def as_log_deviation(mu1: mg.Tensor, logvar1: mg.Tensor, mu2: mg.Tensor, logvar2: mg.Tensor) -> mg.Tensor:
    """logvar read as log σ."""
    return gaussian_kl(mu1, 2.0 * logvar1, mu2, 2.0 * logvar2)


def batch_mean(mu1: mg.Tensor, logvar1: mg.Tensor, mu2: mg.Tensor, logvar2: mg.Tensor) -> mg.Tensor:
    """The mean over rows."""
    return gaussian_kl(mu1, logvar1, mu2, logvar2).mean()


def component_mean(mu1: mg.Tensor, logvar1: mg.Tensor, mu2: mg.Tensor, logvar2: mg.Tensor) -> mg.Tensor:
    """The mean over components."""
    return gaussian_kl(mu1, logvar1, mu2, logvar2) / mu1.shape[1]


def without_half(mu1: mg.Tensor, logvar1: mg.Tensor, mu2: mg.Tensor, logvar2: mg.Tensor) -> mg.Tensor:
    """Without the factor ½."""
    return 2.0 * gaussian_kl(mu1, logvar1, mu2, logvar2)


def unit_variance(f: np.ndarray, z: np.ndarray, mu: np.ndarray, sigma: np.ndarray, baseline: float) -> np.ndarray:
    """Not divided by σ²."""
    return (f - baseline)[:, None] * (z - mu)


def as_eps(f: np.ndarray, z: np.ndarray, mu: np.ndarray, sigma: np.ndarray, baseline: float) -> np.ndarray:
    """Divided by σ once."""
    return (f - baseline)[:, None] * (z - mu) / sigma


def without_baseline(f: np.ndarray, z: np.ndarray, mu: np.ndarray, sigma: np.ndarray, baseline: float) -> np.ndarray:
    """Without the baseline."""
    return f[:, None] * (z - mu) / sigma**2


def other_sign(f: np.ndarray, z: np.ndarray, mu: np.ndarray, sigma: np.ndarray, baseline: float) -> np.ndarray:
    """The other sign."""
    return (f - baseline)[:, None] * (mu - z) / sigma**2


def overflowing(log_w: np.ndarray) -> np.ndarray:
    """Exponentials of the log-weights as they are."""
    with np.errstate(all="ignore"):
        return np.log(np.exp(log_w).mean(axis=1))


def summed(log_w: np.ndarray) -> np.ndarray:
    """The log of the sum."""
    return importance_bound(log_w) + np.log(log_w.shape[1])


# ---------------------------------------------------------------- cases


def pairs(rng: np.random.Generator) -> list[tuple]:
    """(mu1, logvar1, mu2, logvar2)."""
    return [
        tuple(mg.tensor(rng.standard_normal(shape), requires_grad=True) for _ in range(4))
        for shape in ((2, 3), (1, 1), (3, 2))
    ]


def samples(rng: np.random.Generator) -> list[tuple]:
    """(f, z, mu, sigma, baseline)."""
    cases = []
    for n, d, baseline in ((4, 2, 1.5), (1, 3, -0.5), (2, 1, 0.0)):
        mu, sigma = rng.standard_normal(d), rng.uniform(0.3, 3, d)
        cases.append((rng.standard_normal(n), mu + sigma * rng.standard_normal((n, d)), mu, sigma, baseline))
    return cases


def logarithms(rng: np.random.Generator) -> list[tuple]:
    """(log_w,): small ones, very small and very large ones, one sample."""
    return [
        (rng.standard_normal((3, 4)),),
        (5 * rng.standard_normal((2, 3)) + np.array([[-1000.0], [900.0]]),),
        (rng.standard_normal((2, 1)),),
    ]


EXERCISES = [
    Exercise(
        answer=gaussian_kl,
        cases=pairs,
        mistakes={
            "the two Gaussians are exchanged; KL is not symmetric": swapped,
            "logvar is log σ², not log σ": as_log_deviation,
            "the result is one number for each row; the mean over rows is for later": batch_mean,
            "components are added, not averaged": component_mean,
            "a factor of ½ is missing": without_half,
        },
        hints=(
            "log(σ₂ / σ₁) is half of logvar2 - logvar1, and 1 / σ₂² is exp(-logvar2).",
            "½ Σ (logvar2 - logvar1 + (exp(logvar1) + (μ₁ - μ₂)²) exp(-logvar2) - 1).",
        ),
        gradcheck=True,
    ),
    Exercise(
        answer=score_function_gradients,
        cases=samples,
        mistakes={
            "(z - μ) has to be divided by σ²": unit_variance,
            "(z - μ) / σ is ε; the score is ε / σ, divided by σ once more": as_eps,
            "the baseline is not taken off": without_baseline,
            "the sign is wrong: raising μ makes a z above it more probable": other_sign,
        },
        hints=(
            "log q(z) = -(z - μ)² / 2σ² + …; what is its derivative in μ?",
            "f is (N,), the score (N, d): give f a second axis.",
        ),
    ),
    Exercise(
        answer=importance_bound,
        cases=logarithms,
        mistakes={
            "exp overflows, or gives 0 everywhere: take the largest log-weight of each row out first": overflowing,
            "this is the log of the sum; the mean has 1 / k": summed,
            "this is the mean of the logs, the ELBO: the mean belongs inside the logarithm": (
                lambda log_w: log_w.mean(axis=1)
            ),
            "the bound is for each row; its mean over rows is for later": lambda log_w: importance_bound(log_w).mean(),
        },
        hints=(
            "log Σ exp a = m + log Σ exp(a - m), for every m.",
            "With m the largest of a row, one of the terms is 1, and none is larger.",
        ),
    ),
]
