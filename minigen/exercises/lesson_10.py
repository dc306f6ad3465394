"""Exercises of lesson 10: normalisation."""

import math

import numpy as np

from minigen.exercises.exercise import Exercise


def he_deviation(fan_in: int, slope: float) -> float:
    """The deviation of first weights that keeps the mean square through a layer and the leaky ReLU behind it.

    fan_in: how many inputs an output has. slope: of the leaky ReLU below 0; 0 is ReLU. A leaky ReLU multiplies the
    mean square of a symmetric z by (1 + slope²) / 2, and the layer by fan_in times the variance of the weights.
    """
    return math.sqrt(2 / ((1 + slope**2) * fan_in))


def batch_norm_backward(x: np.ndarray, gamma: np.ndarray, upstream: np.ndarray, eps: float) -> np.ndarray:
    """∂L/∂x (N, C) of y = γ x̂ + β, x̂ = (x - μ) / σ, σ = √(var + eps), with mean and (biased) variance of the batch.

    x (N, C); gamma (C,); upstream (N, C) is ∂L/∂y. Both μ and σ depend on every x of the feature.
    """
    sigma = np.sqrt(x.var(axis=0) + eps)
    normal = (x - x.mean(axis=0)) / sigma
    g = gamma * upstream
    return (g - g.mean(axis=0) - normal * (g * normal).mean(axis=0)) / sigma


def group_norm(x: np.ndarray, groups: int, eps: float) -> np.ndarray:
    """(x - mean) / √(var + eps), with one mean and one (biased) variance for each item and each group of channels.

    x (N, H, W, C); group 0 is the first C / groups channels, and so on. The result has the shape of x.
    """
    n, height, width, channels = x.shape
    parts = x.reshape(n, height, width, groups, channels // groups)
    mean, var = (f(parts, axis=(1, 2, 4), keepdims=True) for f in (np.mean, np.var))
    return ((parts - mean) / np.sqrt(var + eps)).reshape(x.shape)


# ---------------------------------------------------------------- mistakes


def normal_and_sigma(x: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """x̂ and σ of batch norm."""
    sigma = np.sqrt(x.var(axis=0) + eps)
    return (x - x.mean(axis=0)) / sigma, sigma


def sigma_constant(x: np.ndarray, gamma: np.ndarray, upstream: np.ndarray, eps: float) -> np.ndarray:
    """The variance is taken as a constant."""
    _, sigma = normal_and_sigma(x, eps)
    g = gamma * upstream
    return (g - g.mean(axis=0)) / sigma


def sums_for_means(x: np.ndarray, gamma: np.ndarray, upstream: np.ndarray, eps: float) -> np.ndarray:
    """Sums over the batch in the place of means."""
    normal, sigma = normal_and_sigma(x, eps)
    g = gamma * upstream
    return (g - g.sum(axis=0) - normal * (g * normal).sum(axis=0)) / sigma


def by_groups_of(x: np.ndarray, size: int, eps: float) -> np.ndarray:
    """Groups of `size` channels in the place of `size` groups, where that is possible."""
    return group_norm(x, max(1, x.shape[-1] // size), eps)


def each_place(x: np.ndarray, groups: int, eps: float) -> np.ndarray:
    """A mean for each place of each group."""
    parts = x.reshape(*x.shape[:3], groups, -1)
    mean, var = (f(parts, axis=4, keepdims=True) for f in (np.mean, np.var))
    return ((parts - mean) / np.sqrt(var + eps)).reshape(x.shape)


def scattered(x: np.ndarray, groups: int, eps: float) -> np.ndarray:
    """A group has every groups-th channel."""
    parts = x.reshape(*x.shape[:3], -1, groups)
    mean, var = (f(parts, axis=(1, 2, 3), keepdims=True) for f in (np.mean, np.var))
    return ((parts - mean) / np.sqrt(var + eps)).reshape(x.shape)


def with_items(x: np.ndarray, groups: int, eps: float) -> np.ndarray:
    """One mean for all items."""
    parts = x.reshape(*x.shape[:3], groups, -1)
    mean, var = (f(parts, axis=(0, 1, 2, 4), keepdims=True) for f in (np.mean, np.var))
    return ((parts - mean) / np.sqrt(var + eps)).reshape(x.shape)


# ---------------------------------------------------------------- cases


def batches(rng: np.random.Generator) -> list[tuple]:
    """(x, gamma, upstream, eps), with features of very different scales, and a batch of two."""
    cases = []
    for n, channels in ((4, 3), (7, 1), (2, 2)):
        x = rng.standard_normal((n, channels)) * np.exp(rng.standard_normal(channels)) + 2
        cases.append((x, rng.uniform(0.5, 2, channels), rng.standard_normal(x.shape), 1e-3))
    return cases


def images(rng: np.random.Generator) -> list[tuple]:
    """(x, groups, eps): several groups, one for all channels, and one for each channel."""
    cases = []
    for shape, groups in (((2, 2, 3, 6), 2), ((3, 2, 2, 4), 1), ((1, 3, 2, 4), 4), ((2, 1, 2, 6), 3)):
        scales = np.exp(rng.standard_normal(shape[-1]))
        cases.append((rng.standard_normal(shape) * scales + scales, groups, 1e-3))
    return cases


EXERCISES = [
    Exercise(
        answer=he_deviation,
        cases=lambda rng: [(100, 0.0), (3, 0.2), (784, 0.01), (1, 1.0)],
        mistakes={
            "this is the variance; the deviation is its root": lambda fan_in, slope: 2 / ((1 + slope**2) * fan_in),
            "this is right for ReLU, and leaves out the slope": lambda fan_in, slope: math.sqrt(2 / fan_in),
            "this keeps the scale of the layer alone: the activation behind it loses about half of the mean square": (
                lambda fan_in, slope: math.sqrt(1 / fan_in)
            ),
            "the slope acts on a square, and counts as slope²": (
                lambda fan_in, slope: math.sqrt(2 / ((1 + slope) * fan_in))
            ),
        },
        hints=(
            "By what does a layer and its activation multiply the mean square, all in all?",
            "Ask for fan_in · variance · (1 + slope²) / 2 = 1, and solve for the variance.",
        ),
    ),
    Exercise(
        answer=batch_norm_backward,
        cases=batches,
        mistakes={
            "mean and variance are taken as constants, but they depend on x too": (
                lambda x, gamma, upstream, eps: gamma * upstream / normal_and_sigma(x, eps)[1]
            ),
            "the variance is taken as a constant: the part along x̂ is missing": sigma_constant,
            "the two sums over the batch have to be means": sums_for_means,
            "γ is missing: what reaches x̂ is γ ∂L/∂y": (
                lambda x, gamma, upstream, eps: batch_norm_backward(x, np.ones_like(gamma), upstream, eps)
            ),
        },
        hints=(
            "x acts on y in three ways: by itself, through μ, and through σ. What is each one's derivative?",
            "∂μ/∂x = 1 / N and ∂σ/∂x = x̂ / N. Sum over all y of the feature.",
            "With g = γ ∂L/∂y: (g - mean of g - x̂ · mean of g x̂) / σ.",
        ),
    ),
    Exercise(
        answer=group_norm,
        cases=images,
        mistakes={
            "each place has a mean of its own; the places of an item share one": each_place,
            "the items share one mean; each item has its own": with_items,
            "a group has neighbouring channels: the axis of groups comes before that of a group's channels": scattered,
            "`groups` is how many groups there are, not how many channels are in each": by_groups_of,
        },
        hints=(
            "Give the groups an axis of their own: reshape C into (groups, C / groups).",
            "Mean and variance are over height, width and the last axis, with keepdims=True; reshape back at the end.",
        ),
    ),
]
