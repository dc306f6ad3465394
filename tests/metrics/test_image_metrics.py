"""PSNR and SSIM against their definitions, place by place."""

import numpy as np
import pytest

from minigen import metrics
from minigen.errors import ArgumentError, DataError, ShapeError
from minigen.random import generator

A, B = (generator(seed).random((3, 14, 13, 2)) for seed in (0, 1))


def test_psnr_is_that_of_the_mean_squared_error():
    expected = [10 * np.log10(1 / np.mean((a - b) ** 2)) for a, b in zip(A, B, strict=True)]
    np.testing.assert_allclose(metrics.psnr(A, B), expected)
    np.testing.assert_allclose(metrics.psnr(A * 255, B * 255, 255), expected)
    assert np.isinf(metrics.psnr(A, A)).all()


def test_ssim_is_that_of_the_paper():
    steps = np.arange(11) - 5
    window = np.exp(-(steps[:, None] ** 2 + steps**2) / (2 * 1.5**2))
    window /= window.sum()
    expected = np.zeros(3)
    for n, i, j, c in np.ndindex(3, 4, 3, 2):
        a, b = (x[n, i : i + 11, j : j + 11, c] for x in (A, B))
        mean_a, mean_b = (window * a).sum(), (window * b).sum()
        var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
        both = (window * (a - mean_a) * (b - mean_b)).sum()
        top = (2 * mean_a * mean_b + 1e-4) * (2 * both + 9e-4)
        expected[n] += top / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4)) / 24
    np.testing.assert_allclose(metrics.ssim(A, B), expected, rtol=1e-9)
    np.testing.assert_allclose(metrics.ssim(A * 255, B * 255, 255), expected, rtol=1e-9)
    np.testing.assert_allclose(metrics.ssim(A, A), 1)
    skimage = pytest.importorskip("skimage.metrics")
    theirs = skimage.structural_similarity(
        A[0], B[0], gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=2
    )
    assert metrics.ssim(A, B)[0] == pytest.approx(theirs, rel=1e-6)


def test_what_can_not_be_compared_is_refused():
    for measure in (metrics.psnr, metrics.ssim):
        with pytest.raises(ShapeError, match="two of one shape"):
            measure(A, B[:2])
        with pytest.raises(ShapeError, match="two of one shape"):
            measure(A[0], B[0])
        with pytest.raises(DataError, match="NaN"):
            measure(A, np.full_like(B, np.nan))
        with pytest.raises(ArgumentError, match="range"):
            measure(A, B, 0)
    with pytest.raises(ShapeError, match="smaller than the window"):
        metrics.ssim(A[:, :10], B[:, :10])
