"""Samples among real images, by who is near whom: are they like real ones, are all kinds there, are they copies?

A sample's neighbourhood is the ball that just reaches its k-th nearest neighbour of its own set. Distances are those
of features, in blocks, so that memory stays bounded.
"""

from typing import Any, NamedTuple

import numpy as np

from minigen.checks import check_count
from minigen.metrics.samples import BLOCK, row_pair, squared_distances


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
    a, b = row_pair("precision_recall", real, fake, k + 1)
    precise, recalled = counted(b, a, radii(a, k))[0] > 0, counted(a, b, radii(b, k))[0] > 0
    return Precision(float(precise.mean()), float(recalled.mean()))


def density_coverage(real: Any, fake: Any, k: int = 5) -> Density:
    """How many real neighbourhoods a sample lies in, over k; and the share of them with a sample inside.

    Unlike precision and recall neither is moved by a single outlier. real (N, D), fake (M, D): features. Naeem et al.
    2020, equations 3 and 4. Raises as `precision_recall`.
    """
    k = check_count("density_coverage", "k", k)
    a, b = row_pair("density_coverage", real, fake, k + 1)
    around, inside = counted(b, a, radii(a, k))
    return Density(float(around.mean() / k), float((inside > 0).mean()))


def nearest(queries: Any, images: Any) -> tuple[np.ndarray, np.ndarray]:
    """(distance (N,), index (N,)) of the nearest row of images (M, D) to each of queries (N, D): features or pixels.

    Samples that lie nearer to training images than held-out images do are copies.
    """
    a, b = row_pair("nearest", images, queries, 1)
    distances, indices = [], []
    for block in blocks(b):
        found = squared_distances(block, a)
        indices.append(found.argmin(1))
        distances.append(found.min(1))
    return np.sqrt(np.concatenate(distances)), np.concatenate(indices)


def blocks(x: np.ndarray) -> list[np.ndarray]:
    """Blocks of rows."""
    return [x[i : i + BLOCK] for i in range(0, len(x), BLOCK)]


def radii(x: np.ndarray, k: int) -> np.ndarray:
    """(N,): the squared distance from each row to its k-th nearest other row."""
    # A row is its own nearest, at distance 0: the k-th other one is number k from 0 on.
    return np.concatenate([np.partition(squared_distances(block, x), k, axis=1)[:, k] for block in blocks(x)])


def counted(points: np.ndarray, centers: np.ndarray, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many of the balls around centers hold each point, and how many points each ball; reach: squared radii."""
    around, inside = [], np.zeros(len(centers), np.int64)
    for block in blocks(points):
        within = squared_distances(block, centers) <= reach
        around.append(within.sum(1))
        inside += within.sum(0)
    return np.concatenate(around), inside
