"""Measures of samples: closed forms, definitions written out, and what a person would say of planted samples."""

from typing import Any

import numpy as np
import pytest

from minigen import metrics
from minigen.errors import ArgumentError, DataError, DTypeError, MinigenError, ShapeError
from minigen.metrics.distances import discrepancy
from minigen.random import generator


def gaussians(n: int, d: int, shift: float = 0.0, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    return generator(seed).standard_normal((n, d)) * scale + shift


# ---------------------------------------------------------------- against others


def test_frechet_distance_is_that_of_scipys_square_root():
    linalg = pytest.importorskip("scipy.linalg")
    a, b = gaussians(60, 5), gaussians(50, 5, 0.3, 1.4, 1)
    s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    shift = a.mean(0) - b.mean(0)
    expected = shift @ shift + np.trace(s + t - 2 * linalg.sqrtm(s @ t).real)
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_neighbours_are_those_of_scikit_learn():
    neighbors = pytest.importorskip("sklearn.neighbors")
    a, b = gaussians(90, 4), gaussians(70, 4, 0.5, 0.8, 1)
    distances, indices = neighbors.NearestNeighbors(n_neighbors=1).fit(a).kneighbors(b)
    ours = metrics.nearest(b, a)
    np.testing.assert_allclose(ours[0], distances[:, 0], rtol=1e-9)
    np.testing.assert_array_equal(ours[1], indices[:, 0])


def test_both_kinds_of_neighbourhoods_at_once():
    a, b = gaussians(300, 4), gaussians(280, 4, 0.5, 0.8, 1)
    both = metrics.precision_recall_density_coverage(a, b, 2, 4)
    assert both == (metrics.precision_recall(a, b, 2), metrics.density_coverage(a, b, 4))


# ---------------------------------------------------------------- Fréchet distance


def exactly(n: int, mean: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Samples whose mean and covariance are these, exactly: root · rootᵀ."""
    x = gaussians(n, len(mean), seed=n)
    x -= x.mean(0)
    white = x @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(x, rowvar=False)))).T
    return white @ root.T + mean


def test_frechet_distance_of_known_gaussians():
    rng = generator(1)
    for d in (1, 2, 7):
        mean, roots = rng.standard_normal((2, d)), rng.standard_normal((2, d, d))
        a, b = (exactly(50, m, root) for m, root in zip(mean, roots, strict=True))
        s, t = (root @ root.T for root in roots)
        values = np.linalg.eigvals(s @ t)
        expected = ((mean[0] - mean[1]) ** 2).sum() + np.trace(s + t) - 2 * np.sqrt(np.maximum(values.real, 0)).sum()
        assert metrics.frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
        assert metrics.frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_diagonal_gaussians_is_a_sum():
    """(μ - ν)² + (σ - τ)², axis by axis."""
    scales = np.array([1.0, 2.0, 0.5]), np.array([1.5, 2.0, 3.0])
    a, b = exactly(40, np.zeros(3), np.diag(scales[0])), exactly(30, np.array([1.0, 0, 0]), np.diag(scales[1]))
    assert metrics.frechet_distance(a, b) == pytest.approx(1 + 0.25 + 0 + 6.25, rel=1e-9)


def test_frechet_distance_of_a_set_to_itself_is_0_and_of_constant_sets_that_of_their_means():
    x = gaussians(100, 20)
    assert metrics.frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert metrics.frechet_distance(np.zeros((5, 3)), np.ones((9, 3))) == pytest.approx(3)


# ---------------------------------------------------------------- kernel distance


def test_discrepancy_is_the_definition_written_out():
    a, b = gaussians(7, 3), gaussians(7, 3, 0.5, seed=1)

    def k(x: np.ndarray, y: np.ndarray) -> float:
        return (float(x @ y) / 3 + 1) ** 3

    pairs = [(i, j) for i in range(7) for j in range(7)]
    within = sum(k(x[i], x[j]) for x in (a, b) for i, j in pairs if i != j) / 42
    assert discrepancy(a, b) == pytest.approx(within - 2 * sum(k(a[i], b[j]) for i, j in pairs) / 49, rel=1e-12)


def distance_between(seed: int, shift: float = 0.0, n: int = 400, subsets: int = 10) -> float:
    a, b = gaussians(n, 4, seed=seed), gaussians(n, 4, shift, seed=seed + 99)
    return metrics.kernel_distance(a, b, generator(0), subsets)[0]


def test_kernel_distance_is_0_on_average_for_one_distribution_and_grows_with_the_shift():
    values = [distance_between(seed, n=200, subsets=1) for seed in range(40)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(40)
    near, further, far = (distance_between(0, shift) for shift in (0.2, 0.5, 1.0))
    assert 0 < near < further < far


def test_kernel_distance_follows_its_generator():
    a, b = gaussians(300, 4), gaussians(300, 4, 0.3, seed=1)
    one, again, other = (metrics.kernel_distance(a, b, generator(s), 5, 100) for s in (0, 0, 1))
    assert one == again != other and one[1] > 0


# ---------------------------------------------------------------- neighbours


def test_neighbourhoods_by_hand():
    """Real images at 0, 1, 3 on a line with k = 1 reach 1, 1 and 2; samples at 0.5, 4.5, 9 reach 4, 4 and 4.5."""
    real, fake = np.array([[0.0], [1.0], [3.0]]), np.array([[0.5], [4.5], [9.0]])
    assert metrics.precision_recall(real, fake, 1) == (2 / 3, 1.0)
    # 0.5 lies in the balls of 0 and 1; 4.5 in that of 3; 9 in none. All three balls hold a sample.
    assert metrics.density_coverage(real, fake, 1) == (1.0, 1.0)


def test_neighbours_agree_with_every_pair_written_out():
    real, fake = gaussians(60, 5), gaussians(50, 5, 0.3, seed=1)

    def ball(x: np.ndarray, i: int, k: int) -> float:
        return float(np.sort(((x - x[i]) ** 2).sum(1))[k])

    def inside(p: np.ndarray, x: np.ndarray, i: int, k: int) -> bool:
        return bool(((p - x[i]) ** 2).sum() <= ball(x, i, k))

    expected = np.mean([any(inside(p, real, i, 3) for i in range(60)) for p in fake])
    recall = np.mean([any(inside(p, fake, i, 3) for i in range(50)) for p in real])
    assert metrics.precision_recall(real, fake) == pytest.approx((expected, recall))
    density = sum(inside(p, real, i, 5) for p in fake for i in range(60)) / (5 * 50)
    coverage = np.mean([any(inside(p, real, i, 5) for p in fake) for i in range(60)])
    assert metrics.density_coverage(real, fake) == pytest.approx((density, coverage))


def test_samples_of_the_same_kind_have_density_and_coverage_near_their_expectation():
    """Naeem et al., lemmas 1 and 2: on average density is 1, and coverage 1 - C(M - 1 …) → 1 - 1 / 2^k for N = M."""
    found = metrics.density_coverage(gaussians(2000, 8), gaussians(2000, 8, seed=1))
    assert found.density == pytest.approx(1, abs=0.06) and found.coverage == pytest.approx(1 - 2**-5, abs=0.02)


def test_a_collapsed_generator_is_precise_and_recalls_nothing():
    real, fake = gaussians(300, 4), gaussians(300, 4, scale=0.01, seed=1)
    found = metrics.precision_recall(real, fake)
    assert found.precision == 1 and found.recall < 0.05
    assert metrics.density_coverage(real, fake).coverage < 0.3


def test_nearest_finds_copies():
    images = gaussians(2100, 6)
    distance, index = metrics.nearest(images[[5, 2050]] + 1e-3, images)
    assert index.tolist() == [5, 2050] and np.allclose(distance, 1e-3 * np.sqrt(6), rtol=1e-4)


# ---------------------------------------------------------------- classes


def test_class_score_of_the_two_extremes():
    sure = np.eye(10)[np.arange(200) % 10]
    assert metrics.class_score(sure, 1) == (pytest.approx(10), 0)
    assert metrics.class_score(np.full((50, 10), 0.1)) == (pytest.approx(1), pytest.approx(0))
    assert metrics.class_score(np.eye(10)[np.zeros(50, int)], 1)[0] == pytest.approx(1)


def test_class_score_is_its_definition():
    p = generator(0).dirichlet(np.ones(4), 60)
    marginal = p.mean(0)
    expected = np.exp(np.mean([(row * np.log(row / marginal)).sum() for row in p]))
    assert metrics.class_score(p, 1)[0] == pytest.approx(expected, rel=1e-12)


def test_class_balance():
    assert metrics.class_balance(np.arange(100) % 10, 10) == (pytest.approx(1), 10, 0.1)
    assert metrics.class_balance(np.zeros(100, int), 10) == (0, 1, 0)
    found = metrics.class_balance(np.array([0] * 99 + [1]), 3)
    assert found.covered == 2 and found.least == 0 and 0 < found.entropy < 0.1


# ---------------------------------------------------------------- bad input

NOT_A_GENERATOR: Any = 0
PAIRS = {
    "frechet_distance": metrics.frechet_distance,
    "kernel_distance": lambda a, b: metrics.kernel_distance(a, b, generator(0)),
    "precision_recall": metrics.precision_recall,
    "density_coverage": metrics.density_coverage,
    "nearest": metrics.nearest,
}


@pytest.mark.parametrize("name", PAIRS)
def test_bad_features_are_told_in_one_line(name: str):
    good = gaussians(20, 3)
    nan = good.copy()
    nan[3, 1] = np.nan
    cases = [(nan, DataError, "NaN"), (good[:0], ShapeError, "too few"), (good[:, :2], ShapeError, "extractor")]
    cases += [(good[0], ShapeError, r"pass \(N, D\)")]
    for bad, error, word in cases:
        for pair in ((good, bad), (bad, good)):
            with pytest.raises(error, match=rf"^{name}: .*{word}"):
                PAIRS[name](*pair)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: metrics.precision_recall(np.ones((3, 2)), np.ones((3, 2)), 3), ShapeError),
        (lambda: metrics.precision_recall(np.ones((3, 2)), np.ones((3, 2)), 0), ArgumentError),
        (lambda: metrics.kernel_distance(np.ones((3, 2)), np.ones((3, 2)), NOT_A_GENERATOR), DTypeError),
        (lambda: metrics.class_score(np.ones((20, 3))), DataError),
        (lambda: metrics.class_score(np.full((5, 4), 0.25)), ShapeError),
        (lambda: metrics.class_balance(np.array([0, 3]), 3), DataError),
        (lambda: metrics.class_balance(np.array([0.0]), 3), DTypeError),
        (lambda: metrics.class_balance(np.zeros((2, 2), int), 3), ShapeError),
        (lambda: metrics.class_balance(np.array([0]), 3, 2.0), ArgumentError),
        (lambda: metrics.class_balance(np.array([0]), 1), ArgumentError),
    ],
)
def test_bad_options(call, error: type[MinigenError]):
    with pytest.raises(error):
        call()


# ---------------------------------------------------------------- numbers far from 0 and from 1


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 1e8), (1e-3, -1e4), (1e150, 0.0), (1e-150, 0.0)])
def test_neighbours_do_not_depend_on_where_features_lie_or_on_their_size(factor: float, shift: float):
    rng = generator(0)
    a, b = rng.standard_normal((60, 5)), rng.standard_normal((40, 5)) * 0.8 + 0.5
    for measure in (metrics.precision_recall, metrics.density_coverage):
        np.testing.assert_allclose(measure(a * factor + shift, b * factor + shift, 2), measure(a, b, 2), rtol=1e-12)
    distances, indices = metrics.nearest(b, a)
    moved, same = metrics.nearest(b * factor + shift, a * factor + shift)
    np.testing.assert_array_equal(indices, same)
    np.testing.assert_allclose(moved, distances * factor, rtol=1e-3 if shift else 1e-12)
    np.testing.assert_array_equal(metrics.nearest(a * factor + shift, a * factor + shift)[0], 0)


@pytest.mark.parametrize("factor", [1e-150, 1e-82, 1e77, 1e150])
def test_the_frechet_distance_grows_with_the_square(factor: float):
    rng = generator(0)
    a, b = rng.standard_normal((60, 5)), rng.standard_normal((40, 5)) * 2 + 1
    expected = metrics.frechet_distance(a, b)
    assert metrics.frechet_distance(a * factor, b * factor) / factor / factor == pytest.approx(expected, rel=1e-9)


def test_what_is_beyond_a_float_is_refused():
    x = generator(0).standard_normal((20, 3))
    for call in (
        lambda: metrics.frechet_distance(x * 1e200, x * 2e200),
        lambda: metrics.kernel_distance(x * 1e60, x, generator(0)),
        lambda: metrics.nearest(np.full((1, 1), 1.7e308), np.full((1, 1), -1.7e308)),
    ):
        with pytest.raises(DataError, match="scale them down"):
            call()
    with pytest.raises(ShapeError, match="more samples than features"):
        metrics.frechet_distance(x[:3], x)


def test_a_class_score_of_many_single_precision_rows_is_exact():
    same = np.tile(np.array([0.1, 0.9], np.float32), (1_000_000, 1))
    assert metrics.class_score(same, 1)[0] == pytest.approx(1, abs=1e-9)
    tiny = np.zeros((100, 3), np.float32)
    tiny[:, 0], tiny[0, 1] = 1, 1e-45
    assert metrics.class_score(tiny, 1) == (pytest.approx(1, abs=1e-9), 0.0)
