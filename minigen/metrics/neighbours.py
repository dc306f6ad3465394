"""Samples among real images, by who is near whom: are they like real ones, are all kinds there, are they copies?

A sample's neighbourhood is the ball that just reaches its k-th nearest neighbour of its own set. Distances are those
of features, in blocks, so that memory stays bounded.
"""

from typing import Any, NamedTuple

import numpy as np

from minigen.checks import check_count
from minigen.metrics.samples import BLOCK, centred, squared_distances


class Precision(NamedTuple):
    """precision: share of the samples that lie among real images. recall: of real images that lie among samples."""

    precision: float
    recall: float


class Density(NamedTuple):
    """density: real neighbourhoods around a sample, over k; above 1 where images are dense. coverage: share of the real
    neighbourhoods with a sample in them.
    """

    density: float
    coverage: float


def precision_recall(real: Any, fake: Any, k: int = 3) -> Precision:
    """Shares of samples inside the neighbourhoods of real images, and of real images inside those of samples.

    real (N, D), fake (M, D): features; k: which neighbour a neighbourhood reaches. Kynkäänniemi et al. 2019, section 3.
    Raises ShapeError for too few samples, DataError for NaN, ArgumentError.
    """
    k = check_count("precision_recall", "k", k)
    a, b, _ = centred("precision_recall", real, fake, k + 1)
    ((precise, _),), ((recalled, _),) = counted(b, a, *radii(a, k)), counted(a, b, *radii(b, k))
    return Precision(float((precise > 0).mean()), float((recalled > 0).mean()))


def density_coverage(real: Any, fake: Any, k: int = 5) -> Density:
    """How many real neighbourhoods a sample lies in, over k; and the share of them with a sample inside.

    Unlike precision and recall neither is moved by a single outlier. real (N, D), fake (M, D): features. Naeem et al.
    2020, equations 3 and 4. Raises as `precision_recall`.
    """
    k = check_count("density_coverage", "k", k)
    a, b, _ = centred("density_coverage", real, fake, k + 1)
    ((around, inside),) = counted(b, a, *radii(a, k))
    return Density(float(around.mean() / k), float((inside > 0).mean()))


def precision_recall_density_coverage(
    real: Any, fake: Any, k: int = 3, density_k: int = 5
) -> tuple[Precision, Density]:
    """`precision_recall(real, fake, k)` and `density_coverage(real, fake, density_k)` by the same distances."""
    name = "precision_recall_density_coverage"
    k, density_k = check_count(name, "k", k), check_count(name, "density_k", density_k)
    a, b, _ = centred(name, real, fake, max(k, density_k) + 1)
    near, far = radii(a, k, density_k)
    (around, _), (around_far, inside_far) = counted(b, a, near, far)
    ((recalled, _),) = counted(a, b, *radii(b, k))
    return (
        Precision(float((around > 0).mean()), float((recalled > 0).mean())),
        Density(float(around_far.mean() / density_k), float((inside_far > 0).mean())),
    )


def nearest(queries: Any, images: Any) -> tuple[np.ndarray, np.ndarray]:
    """(distance (N,), index (N,)) of the nearest row of images (M, D) to each of queries (N, D): features or pixels.

    Samples that lie nearer to training images than held-out images do are copies.
    """
    a, b, scale = centred("nearest", images, queries, 1)
    distances, indices = np.full(len(b), np.inf), np.zeros(len(b), np.int64)
    for start in range(0, len(a), BLOCK):
        found = squared_distances(b, a[start : start + BLOCK])
        nearer = found.min(1) < distances
        distances[nearer], indices[nearer] = found.min(1)[nearer], found.argmin(1)[nearer] + start
    return np.linalg.norm(b - a[indices], axis=1) * scale, indices  # that of one to itself is 0, without rounding


def blocks(x: np.ndarray) -> list[np.ndarray]:
    """Blocks of rows."""
    return [x[i : i + BLOCK] for i in range(0, len(x), BLOCK)]


def radii(x: np.ndarray, *ks: int) -> list[np.ndarray]:
    """(N,) for each k: the squared distance from each row to its k-th nearest other row."""
    # A row is its own nearest, at distance 0: the k-th other one is number k from 0 on.
    found = [np.partition(squared_distances(block, x), ks, axis=1)[:, ks] for block in blocks(x)]
    return [*np.concatenate(found).T]


def counted(points: np.ndarray, centers: np.ndarray, *reaches: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each reach, squared radii of balls around centers: how many balls hold each point, and how many points each
    ball.
    """
    around: list[list[np.ndarray]] = [[] for _ in reaches]
    inside = np.zeros((len(reaches), len(centers)), np.int64)
    for block in blocks(points):
        distances = squared_distances(block, centers)
        for i, reach in enumerate(reaches):
            within = distances <= reach
            around[i].append(within.sum(1))
            inside[i] += within.sum(0)
    return [(np.concatenate(counts), held) for counts, held in zip(around, inside, strict=True)]
