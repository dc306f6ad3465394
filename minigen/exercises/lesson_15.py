"""Exercises of lesson 15: diffusion."""

import numpy as np

from minigen.exercises.exercise import Exercise


def noised(x0: np.ndarray, eps: np.ndarray, betas: np.ndarray, t: np.ndarray) -> np.ndarray:
    """x_t = √ᾱ_t x_0 + √(1 - ᾱ_t) ε of each point at its own time, ᾱ_t = (1 - β_1) (1 - β_2) … (1 - β_t).

    x0, eps (N, D); betas (T,) are β_1 … β_T; t (N,): whole numbers 0 … T, and at t = 0 there is no noise (ᾱ_0 = 1).
    """
    kept = np.concatenate([[1.0], np.cumprod(1 - betas)])[t][:, None]
    return np.sqrt(kept) * x0 + np.sqrt(1 - kept) * eps


def expected_noise(x: np.ndarray, centres: np.ndarray, deviation: float, kept: float) -> np.ndarray:
    """E[ε | x_t = x], (N, D), where x_0 is from one of K Gaussians N(centre, deviation²), all equally probable.

    x (N, D); centres (K, D); kept is ᾱ_t. x_t has the density of K Gaussians with means √ᾱ centre and variance
    ᾱ deviation² + 1 - ᾱ, and E[ε | x] = -√(1 - ᾱ) ∇ log p_t(x).
    """
    variance = kept * deviation**2 + 1 - kept
    gaps = x[:, None] - np.sqrt(kept) * centres
    logs = -(gaps**2).sum(axis=2) / (2 * variance)
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares = shares / shares.sum(axis=1, keepdims=True)
    return np.sqrt(1 - kept) * (shares[:, :, None] * gaps).sum(axis=1) / variance


def descend(x: np.ndarray, eps: np.ndarray, z: np.ndarray, kept_t: float, kept_s: float, eta: float) -> np.ndarray:
    """x_s = √ᾱ_s x̂_0 + √(1 - ᾱ_s - σ²) ε̂ + σ z of x_t, at an earlier time s.

    x is x_t, eps the guess ε̂ of its noise, z fresh noise, all (N, D); kept_t is ᾱ_t, kept_s is ᾱ_s.
    x̂_0 = (x_t - √(1 - ᾱ_t) ε̂) / √ᾱ_t, σ = η √((1 - ᾱ_s) / (1 - ᾱ_t)) √(1 - ᾱ_t / ᾱ_s).
    """
    clean = (x - np.sqrt(1 - kept_t) * eps) / np.sqrt(kept_t)
    sigma = eta * np.sqrt((1 - kept_s) / (1 - kept_t)) * np.sqrt(1 - kept_t / kept_s)
    return np.sqrt(kept_s) * clean + np.sqrt(1 - kept_s - sigma**2) * eps + sigma * z


# ---------------------------------------------------------------- mistakes


def one_step(x0: np.ndarray, eps: np.ndarray, betas: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Noise of one step alone."""
    kept = np.concatenate([[1.0], 1 - betas])[t][:, None]
    return np.sqrt(kept) * x0 + np.sqrt(1 - kept) * eps


def without_roots(x0: np.ndarray, eps: np.ndarray, betas: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Variances in the place of their roots."""
    kept = np.concatenate([[1.0], np.cumprod(1 - betas)])[t][:, None]
    return kept * x0 + (1 - kept) * eps


def one_late(x0: np.ndarray, eps: np.ndarray, betas: np.ndarray, t: np.ndarray) -> np.ndarray:
    """β of the time behind."""
    kept = np.cumprod(1 - betas)[np.minimum(t, len(betas) - 1)][:, None]
    return np.sqrt(kept) * x0 + np.sqrt(1 - kept) * eps


def mean_of_all(x: np.ndarray, centres: np.ndarray, deviation: float, kept: float) -> np.ndarray:
    """All Gaussians count alike."""
    variance = kept * deviation**2 + 1 - kept
    return np.sqrt(1 - kept) * (x - np.sqrt(kept) * centres.mean(axis=0)) / variance


def unshrunken(x: np.ndarray, centres: np.ndarray, deviation: float, kept: float) -> np.ndarray:
    """Centres that do not shrink."""
    return expected_noise(x, centres / np.sqrt(kept), deviation, kept)


def uphill(x: np.ndarray, centres: np.ndarray, deviation: float, kept: float) -> np.ndarray:
    """The other sign."""
    return -expected_noise(x, centres, deviation, kept)


def the_score(x: np.ndarray, centres: np.ndarray, deviation: float, kept: float) -> np.ndarray:
    """The score itself."""
    return -expected_noise(x, centres, deviation, kept) / np.sqrt(1 - kept)


def sharp_centres(x: np.ndarray, centres: np.ndarray, deviation: float, kept: float) -> np.ndarray:
    """Clouds without a width."""
    return expected_noise(x, centres, 0.0, kept)


def exponentials_as_they_are(x: np.ndarray, centres: np.ndarray, deviation: float, kept: float) -> np.ndarray:
    """Shares of which all are 0 / 0 for points far from all centres."""
    variance = kept * deviation**2 + 1 - kept
    gaps = x[:, None] - np.sqrt(kept) * centres
    densities = np.exp(-(gaps**2).sum(axis=2) / (2 * variance))
    shares = densities / densities.sum(axis=1, keepdims=True)
    return np.sqrt(1 - kept) * (shares[:, :, None] * gaps).sum(axis=1) / variance


def too_much_noise(
    x: np.ndarray, eps: np.ndarray, z: np.ndarray, kept_t: float, kept_s: float, eta: float
) -> np.ndarray:
    """All of the guessed noise, beside the fresh."""
    clean = (x - np.sqrt(1 - kept_t) * eps) / np.sqrt(kept_t)
    sigma = eta * np.sqrt((1 - kept_s) / (1 - kept_t)) * np.sqrt(1 - kept_t / kept_s)
    return np.sqrt(kept_s) * clean + np.sqrt(1 - kept_s) * eps + sigma * z


def without_noise(
    x: np.ndarray, eps: np.ndarray, z: np.ndarray, kept_t: float, kept_s: float, eta: float
) -> np.ndarray:
    """Without fresh noise."""
    return descend(x, eps, z, kept_t, kept_s, 0.0)


def straight_to_the_end(
    x: np.ndarray, eps: np.ndarray, z: np.ndarray, kept_t: float, kept_s: float, eta: float
) -> np.ndarray:
    """The clean point itself."""
    return (x - np.sqrt(1 - kept_t) * eps) / np.sqrt(kept_t)


def undivided(x: np.ndarray, eps: np.ndarray, z: np.ndarray, kept_t: float, kept_s: float, eta: float) -> np.ndarray:
    """The clean point without its division."""
    clean = x - np.sqrt(1 - kept_t) * eps
    return descend(np.sqrt(kept_t) * clean + np.sqrt(1 - kept_t) * eps, eps, z, kept_t, kept_s, eta)


# ---------------------------------------------------------------- cases


def drowned(rng: np.random.Generator) -> list[tuple]:
    """(x0, eps, betas, t), among the times the first and the last."""
    return [
        (rng.standard_normal((3, 2)), rng.standard_normal((3, 2)), np.array([0.1, 0.3, 0.5]), np.array([0, 2, 3])),
        (rng.standard_normal((2, 1)), rng.standard_normal((2, 1)), np.linspace(0.01, 0.2, 6), np.array([6, 1])),
    ]


def mixtures(rng: np.random.Generator) -> list[tuple]:
    """(x, centres, deviation, kept): little noise and much, several centres and one, a point far out."""
    return [
        (rng.standard_normal((4, 2)), rng.standard_normal((3, 2)), 0.3, 0.8),
        (rng.standard_normal((2, 1)), rng.standard_normal((2, 1)), 0.5, 0.1),
        (np.array([[100.0, 0.0]]), np.array([[1.0, 1.0], [-1.0, 0.0]]), 0.1, 0.95),
    ]


def steps(rng: np.random.Generator) -> list[tuple]:
    """(x, eps, z, kept_t, kept_s, eta): with and without fresh noise, and the last step, to s = 0."""
    cases = []
    for shape, kept_t, kept_s, eta in (((3, 2), 0.3, 0.6, 1.0), ((2, 2), 0.5, 0.9, 0.5), ((1, 3), 0.9, 1.0, 1.0)):
        x, eps, z = (rng.standard_normal(shape) for _ in range(3))
        cases.append((x, eps, z, kept_t, kept_s, eta))
    return cases


EXERCISES = [
    Exercise(
        answer=noised,
        cases=drowned,
        mistakes={
            "this is one step of noise; ᾱ is the product over all steps up to t": one_step,
            "the roots are missing: ᾱ and 1 - ᾱ are variances": without_roots,
            "the times are off by one: betas[0] is β_1, and t = 0 is without noise": one_late,
        },
        hints=(
            "np.cumprod(1 - betas) gives ᾱ_1 … ᾱ_T; put ᾱ_0 = 1 in front, and look t up in it.",
            "ᾱ is (N,), the points (N, D): give ᾱ a second axis.",
        ),
    ),
    Exercise(
        answer=expected_noise,
        cases=mixtures,
        mistakes={
            "each point counts each Gaussian by its share in the point, not all alike": mean_of_all,
            "the centres shrink, too: the means are √ᾱ centre": unshrunken,
            "the sign is wrong: noise leads away from the centres": uphill,
            "this is the score; E[ε|x] is that times -√(1 - ᾱ)": the_score,
            "the clouds have a width of their own: the variance is ᾱ deviation² + 1 - ᾱ": sharp_centres,
            "far from all centres every exp is 0, and 0 / 0 no share: take the largest logarithm out first": (
                exponentials_as_they_are
            ),
        },
        hints=(
            "∇ log p of a mixture is the mean of the Gaussians' own, -(x - mean) / variance, each by its share.",
            "The share of a Gaussian in a point is a softmax, over the K, of -|x - mean|² / 2 variance.",
            "Take the largest logarithm out first, for points that are far from all.",
        ),
    ),
    Exercise(
        answer=descend,
        cases=steps,
        mistakes={
            "fresh noise replaces some of the guessed: ε̂ has the factor √(1 - ᾱ_s - σ²)": too_much_noise,
            "no fresh noise is added: σ z is missing, and σ² under the root": without_noise,
            "this is x̂_0; go to time s only": straight_to_the_end,
            "x̂_0 has to be divided by √ᾱ_t": undivided,
        },
        hints=(
            "First x̂_0, then σ, then the three terms.",
            "The squares of the last two factors add up to 1 - ᾱ_s, all the noise that x_s has.",
        ),
    ),
]
