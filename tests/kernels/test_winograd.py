"""Convolutions by minimal filtering: the matrices exactly, the three passes against the NumPy twins."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from minigen.kernels import reference
from minigen.kernels.convolution import conv2d as convolution
from minigen.kernels.convolution import winograd
from minigen.kernels.convolution.winograd_matrices import OUTPUTS, TAPS, filtering, transposed
from minigen.kernels.tile.shape import vector_width

UNIT, NONE = (1, 1), (0, 0, 0, 0)

# n, h, w, cin, cout, kh, kw, stride, padding (top, bottom, left, right)
CASES = [
    (2, 9, 12, 32, 64, 3, 3, UNIT, NONE),
    (1, 3, 3, 64, 32, 3, 3, UNIT, NONE),
    (3, 7, 7, 32, 32, 5, 5, UNIT, (2, 2, 2, 2)),
    (2, 8, 5, 64, 32, 5, 5, UNIT, (4, 0, 1, 3)),
    (3, 14, 14, 32, 64, 5, 5, (2, 2), (2, 2, 2, 2)),
    (2, 13, 10, 64, 32, 5, 5, (2, 2), (1, 2, 3, 0)),
    (2, 11, 11, 32, 32, 6, 6, (2, 2), (2, 2, 2, 2)),
    (2, 12, 10, 32, 32, 3, 5, (1, 2), (1, 1, 2, 2)),
    (2, 16, 10, 32, 32, 8, 3, (3, 1), (5, 0, 0, 1)),
    (2, 11, 12, 32, 32, 3, 3, UNIT, (1, -1, 0, -2)),
    (2, 11, 12, 32, 32, 5, 5, (2, 2), (6, -1, 5, -2)),
    (2, 9, 12, 16, 100, 3, 3, UNIT, (1, 1, 1, 1)),
    (2, 9, 12, 33, 48, 5, 5, (2, 2), (2, 2, 2, 2)),
    (2, 9, 7, 50, 17, 6, 6, (2, 2), (2, 2, 2, 2)),
]


def arrays(case: tuple, dtype: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, w and the gradient of y."""
    n, h, w, cin, cout, kh, kw, (sh, sw), (top, bottom, left, right) = case
    rng = np.random.default_rng(h)
    oh, ow = (h + top + bottom - kh) // sh + 1, (w + left + right - kw) // sw + 1
    shapes = (n, h, w, cin), (kh, kw, cin, cout), (n, oh, ow, cout)
    x, weight, gy = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    return x, weight, gy


def all_three(module, case: tuple, x: np.ndarray, w: np.ndarray, gy: np.ndarray, *finish) -> list[np.ndarray]:
    """y, gx and gw. `finish`: a bias for each channel of x or y, and a slope."""
    geometry = (*case[7:], UNIT, 1)
    bias, slope = finish or (None, 1.0)
    of_y, of_x = (None, None) if bias is None else (bias[: w.shape[3]], bias[: w.shape[2]])
    return [
        module.conv2d(x, w, *geometry, of_y, slope),
        module.conv2d_input_grad(gy, w, x.shape[1:3], *geometry, of_x, slope),
        module.conv2d_weight_grad(x, gy, w.shape[:2], *geometry),
    ]


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every convolution goes this way."""
    monkeypatch.setattr(winograd, "is_faster", lambda *_: True)


def assert_close(result: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for a, b in zip(result, expected, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype and a.flags.c_contiguous
        assert np.abs(a - b).max() <= (1e-13 if a.dtype == np.float64 else 4e-5) * np.abs(b).max()


@pytest.mark.parametrize("taps", TAPS)
def test_matrices_filter_exactly(taps: int) -> None:
    a, g, b = filtering(OUTPUTS, taps)
    d = [Fraction(k * k - 5 * k + 3) for k in range(OUTPUTS + taps - 1)]
    weights = [Fraction(7 - 3 * k, k + 1) for k in range(taps)]

    def times(matrix: list, vector: list) -> list:
        return [sum(f * v for f, v in zip(row, vector, strict=True)) for row in matrix]

    products = [u * v for u, v in zip(times(g, weights), times(b, d), strict=True)]
    expected = [sum(d[k + j] * weights[j] for j in range(taps)) for k in range(OUTPUTS)]
    assert times(transposed(a), products) == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_kernel_is_its_twin(case: tuple, dtype: type, always: None) -> None:
    operands = arrays(case, dtype)
    assert_close(all_three(convolution, case, *operands), all_three(reference, case, *operands))


@pytest.mark.parametrize("slope", [1.0, 0.2, 0.0])
@pytest.mark.parametrize("case", [CASES[0], CASES[2], CASES[5]], ids=str)
def test_bias_and_slope(case: tuple, slope: float, always: None) -> None:
    operands = arrays(case, np.float32)
    bias = np.linspace(-20, 20, 64, dtype=np.float32)
    result = all_three(convolution, case, *operands, bias, slope)
    assert_close(result, all_three(reference, case, *operands, bias, slope))
    assert_close(
        all_three(convolution, case, *operands, None, slope), all_three(reference, case, *operands, None, slope)
    )


@pytest.mark.parametrize("case", [CASES[0], CASES[3], CASES[4]], ids=str)
@pytest.mark.parametrize("sizes", [(2**19, 2**25), (2**19, 1), (0, 2**25), (0, 1)], ids=str)
def test_same_bits_in_any_blocks_on_any_threads(
    case: tuple, sizes: tuple, always: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fused or by stages, all tiles at once or in many blocks."""
    case = (9, *case[1:])
    operands = arrays(case, np.float32)
    monkeypatch.setattr(winograd, "FUSED_BYTES", sizes[0])
    monkeypatch.setattr(winograd, "STAGE_BYTES", sizes[1])
    expected = all_three(reference, case, *operands)
    alone = None
    for workers in (1, 2, 3):  # on as many threads as there are cores
        monkeypatch.setattr(winograd, "config", SimpleNamespace(threads=workers))
        winograd.make_plan.cache_clear()
        result = all_three(convolution, case, *operands)
        winograd.make_plan.cache_clear()
        assert_close(result, expected)
        alone = alone or result
        for a, b in zip(alone, result, strict=True):
            np.testing.assert_array_equal(a, b)


def test_nan_stays(always: None) -> None:
    x, w, gy = arrays(CASES[0], np.float32)
    x[1, 4, 5, 3] = gy[1, 4, 5, 3] = np.nan
    expected = all_three(reference, CASES[0], x, w, gy, None, 0.0)
    for a, b in zip(all_three(convolution, CASES[0], x, w, gy, None, 0.0), expected, strict=True):
        assert np.isnan(a[np.isnan(b)]).all()
    assert np.isfinite(convolution.conv2d(x, w, UNIT, NONE, UNIT, 1)[0]).all()  # another image


def chosen(x: tuple, w: tuple, y: tuple, stride: tuple, padding: tuple, **options) -> list[bool]:
    other = {"dilation": UNIT, "groups": 1, "dtype": np.dtype(np.float32)} | options
    return [
        winograd.is_faster(kind, x, y, w[:2], stride, padding, *other.values())
        for kind in ("forward", "input", "weight")
    ]


def test_chosen_where_it_saves() -> None:
    big = (64, 26, 26, 32), (3, 3, 32, 64), (64, 24, 24, 64), UNIT, NONE
    assert all(chosen(*big))
    assert not any(chosen(*big, dilation=(2, 2))) and not any(chosen(*big, groups=2))
    assert all(chosen((64, 14, 14, 64), (5, 5, 64, 128), (64, 7, 7, 128), (2, 2), (2, 2, 2, 2)))
    assert not any(chosen((1, 7, 7, 128), (5, 5, 128, 128), (1, 7, 7, 128), UNIT, (2, 2, 2, 2)))  # one image
    assert all(chosen((64, 26, 26, 33), (3, 3, 33, 70), (64, 24, 24, 70), UNIT, NONE))
    few = vector_width(np.dtype(np.float32)) - 1  # channels, which do not fill a vector
    assert not any(chosen((64, 26, 26, few), (3, 3, few, 64), (64, 24, 24, 64), UNIT, NONE))
    assert not any(chosen((64, 26, 26, 32), (2, 2, 32, 64), (64, 25, 25, 64), UNIT, NONE))
