"""The compiled convolutions against their NumPy twins, and the twins against seven nested loops."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from minigen.config import config
from minigen.kernels import reference
from minigen.kernels.convolution import conv2d as convolution
from minigen.kernels.convolution import plan, winograd

Case = tuple[int, int, int, int, int, int, int, tuple, tuple, tuple, int]
UNIT, NONE = (1, 1), (0, 0, 0, 0)

# n, h, w, cin, cout, kh, kw, stride, padding (top, bottom, left, right), dilation, groups
CASES: list[Case] = [
    (1, 1, 1, 1, 1, 1, 1, UNIT, NONE, UNIT, 1),
    (0, 5, 5, 2, 3, 3, 3, UNIT, NONE, UNIT, 1),
    (2, 7, 7, 16, 32, 5, 5, UNIT, (2, 2, 2, 2), UNIT, 1),
    (3, 14, 14, 8, 33, 5, 5, (2, 2), (1, 2, 1, 2), UNIT, 1),
    (2, 9, 13, 33, 20, 3, 3, UNIT, NONE, UNIT, 1),
    (2, 12, 11, 1, 10, 3, 3, UNIT, NONE, UNIT, 1),
    (2, 28, 28, 1, 64, 5, 5, (2, 2), (2, 2, 2, 2), UNIT, 1),
    (2, 10, 10, 20, 1, 3, 3, UNIT, (1, 1, 1, 1), UNIT, 1),
    (2, 11, 9, 5, 4, 4, 2, (3, 2), (3, 0, 1, 2), UNIT, 1),
    (2, 9, 9, 3, 6, 1, 1, (3, 3), NONE, UNIT, 1),
    (2, 12, 12, 14, 6, 3, 3, UNIT, (2, 2, 2, 2), (2, 2), 1),
    (1, 12, 13, 3, 17, 2, 3, (2, 3), (0, 3, 4, 0), (3, 1), 1),
    (2, 8, 8, 6, 9, 3, 3, UNIT, (1, 1, 1, 1), UNIT, 3),
    (2, 9, 8, 28, 66, 3, 2, (2, 1), (1, 0, 0, 1), (1, 2), 2),
    (1, 6, 6, 4, 4, 3, 3, UNIT, (1, 1, 1, 1), UNIT, 4),
    (2, 9, 10, 5, 7, 3, 3, (2, 2), (1, -1, 0, -2), UNIT, 1),
    (1, 3, 3, 2, 2, 3, 3, UNIT, (4, 4, 4, 4), UNIT, 1),
    (1, 70, 66, 40, 34, 3, 3, UNIT, (1, 1, 1, 1), UNIT, 1),
    (17, 6, 6, 3, 3, 3, 3, (2, 2), (1, 1, 1, 1), UNIT, 1),
    (2, 9, 8, 5, 100, 4, 4, (2, 2), (2, 2, 2, 2), UNIT, 1),
    (2, 9, 8, 40, 40, 3, 3, UNIT, (1, 1, 1, 1), UNIT, 40),  # depthwise, from here on
    (2, 9, 8, 16, 16, 5, 4, (2, 2), (2, 0, 1, 3), UNIT, 16),
    (2, 9, 8, 35, 35, 3, 1, UNIT, (1, 0, 2, 2), (2, 1), 35),
    (1, 6, 6, 20, 40, 3, 3, UNIT, (1, 1, 1, 1), UNIT, 20),
]


def random_case(seed: int) -> Case:
    """Any combination of options that leaves at least one window."""
    rng = np.random.default_rng(seed)
    groups = int(rng.choice([1, 1, 2, 3, 20]))
    cin, cout = (groups * int(rng.choice([1, 2, 3, 14, 17, 33] if groups < 20 else [1, 1, 2])) for _ in range(2))
    kh, kw, sh, sw = rng.integers(1, 5, 4).tolist()
    dh, dw = rng.integers(1, 3, 2).tolist()
    top, bottom, left, right = rng.integers([0, -1, 0, -1], 4).tolist()
    least_h, least_w = dh * (kh - 1) + 1 - top - bottom, dw * (kw - 1) + 1 - left - right
    h, w = (max(1, least) + int(rng.integers(0, 9)) for least in (least_h, least_w))
    n = int(rng.integers(1, 4))
    return n, h, w, cin, cout, kh, kw, (sh, sw), (top, bottom, left, right), (dh, dw), groups


def arrays(case: Case, dtype: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, w and the gradient of y."""
    n, h, w, cin, cout, kh, kw, stride, padding, dilation, groups = case
    rng = np.random.default_rng(n + h + w + cin + cout)
    x = rng.standard_normal((n, h, w, cin)).astype(dtype)
    weight = rng.standard_normal((kh, kw, cin // groups, cout)).astype(dtype)
    oh = (h + padding[0] + padding[1] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (w + padding[2] + padding[3] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    return x, weight, rng.standard_normal((n, oh, ow, cout)).astype(dtype)


def all_three(module, case: Case, x: np.ndarray, w: np.ndarray, gy: np.ndarray) -> list[np.ndarray]:
    """y, gx and gw."""
    geometry = case[7:]
    return [
        module.conv2d(x, w, *geometry),
        module.conv2d_input_grad(gy, w, x.shape[1:3], *geometry),
        module.conv2d_weight_grad(x, gy, w.shape[:2], *geometry),
    ]


def naive(case: Case, x: np.ndarray, w: np.ndarray, gy: np.ndarray) -> list[np.ndarray]:
    """The definition, one multiplication at a time."""
    _, h, width, cin, cout, kh, kw, (sh, sw), (top, _, left, _), (dh, dw), groups = case
    y, gx, gw = np.zeros_like(gy), np.zeros_like(x), np.zeros_like(w)
    depth, size = cin // groups, cout // groups
    for n, i, j, o in np.ndindex(gy.shape):
        for a, b, c in itertools.product(range(kh), range(kw), range(depth)):
            row, column, channel = i * sh + a * dh - top, j * sw + b * dw - left, o // size * depth + c
            if 0 <= row < h and 0 <= column < width:
                y[n, i, j, o] += x[n, row, column, channel] * w[a, b, c, o]
                gx[n, row, column, channel] += gy[n, i, j, o] * w[a, b, c, o]
                gw[a, b, c, o] += gy[n, i, j, o] * x[n, row, column, channel]
    return [y, gx, gw]


def assert_close(result: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for a, b in zip(result, expected, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype and a.flags.c_contiguous
        tolerance = 1e-12 if a.dtype == np.float64 else 1e-5
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1.0, np.abs(b).max(initial=0)) * 10)


@pytest.mark.parametrize("case", [c for c in CASES if c[0] * c[1] * c[2] * c[3] * c[4] < 2000], ids=str)
def test_twin_is_the_definition(case: Case) -> None:
    x, w, gy = arrays(case, np.float64)
    assert_close(all_three(reference, case, x, w, gy), naive(case, x, w, gy))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_kernel_is_its_twin(case: Case, dtype: type) -> None:
    operands = arrays(case, dtype)
    assert_close(all_three(convolution, case, *operands), all_three(reference, case, *operands))


@pytest.mark.parametrize("seed", range(150))
def test_any_options(seed: int) -> None:
    case = random_case(seed)
    operands = arrays(case, np.float64 if seed % 2 else np.float32)
    assert_close(all_three(convolution, case, *operands), all_three(reference, case, *operands))


@pytest.mark.parametrize("slope", [1.0, 0.2, 0.0])
@pytest.mark.parametrize("case", [*CASES[1:10], CASES[12], CASES[13], CASES[15], CASES[16]], ids=str)
def test_bias_and_slope(case: Case, slope: float) -> None:
    x, w, gy = arrays(case, np.float32)
    geometry, in_hw = case[7:], (x.shape[1], x.shape[2])

    def both(module, of_y: np.ndarray | None, of_x: np.ndarray | None) -> list[np.ndarray]:
        return [
            module.conv2d(x, w, *geometry, of_y, slope),
            module.conv2d_input_grad(gy, w, in_hw, *geometry, of_x, slope),
        ]

    biases = (np.linspace(-9, 9, w.shape[3], dtype=np.float32), np.linspace(9, -9, x.shape[3], dtype=np.float32))
    assert_close(both(convolution, *biases), both(reference, *biases))
    assert_close(both(convolution, None, None), both(reference, None, None))


def test_nan_stays_behind_relu() -> None:
    x, w = np.full((1, 5, 5, 2), np.nan, np.float32), np.ones((3, 3, 2, 3), np.float32)
    assert np.isnan(convolution.conv2d(x, w, UNIT, NONE, UNIT, 1, np.zeros(3, np.float32), 0.0)).all()
    assert not convolution.conv2d(np.full_like(x, -np.inf), w, UNIT, NONE, UNIT, 1, None, 0.0).any()


@pytest.mark.parametrize("channels", range(1, 34))
def test_every_number_of_channels(channels: int) -> None:
    for case in (
        (1, 5, 6, channels, 34 - channels, 3, 2, UNIT, (1, 1, 0, 1), UNIT, 1),
        (2, 6, 5, 34 - channels, channels, 2, 3, (2, 1), (0, 1, 1, 1), UNIT, 1),
    ):
        operands = arrays(case, np.float32)
        assert_close(all_three(convolution, case, *operands), all_three(reference, case, *operands))


@pytest.mark.parametrize("case", [CASES[2], CASES[7], CASES[12]], ids=str)
def test_inputs_in_any_layout(case: Case) -> None:
    x, w, gy = arrays(case, np.float32)
    turned = [np.ascontiguousarray(a[::-1, ::-1].T).T[::-1, ::-1] for a in (x, w, gy)]
    for a in turned:
        a.flags.writeable = False
    results = all_three(convolution, case, *turned)
    for a, b in zip(results, all_three(convolution, case, x, w, gy), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", [CASES[2], CASES[3], CASES[6], CASES[7], CASES[9], CASES[12]], ids=str)
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_poison_stays_where_it_is(case: Case, poison: float) -> None:
    """One bad number reaches exactly the results that depend on it: padding lanes and neighbours stay clean."""
    x, w, gy = arrays(case, np.float32)
    for operand in (x, w, gy):
        place = tuple(s // 2 for s in operand.shape)
        kept, operand[place] = operand[place], poison
        with np.errstate(invalid="ignore"):
            expected = all_three(reference, case, x, w, gy)
        for a, b in zip(all_three(convolution, case, x, w, gy), expected, strict=True):
            np.testing.assert_array_equal(np.isfinite(a), np.isfinite(b))
        operand[place] = kept


@pytest.mark.parametrize(
    "case", [CASES[6], CASES[7], CASES[17], (16, 14, 14, 32, 48, 5, 5, (2, 2), (2, 2, 2, 2), UNIT, 1)]
)
def test_same_bits_on_any_number_of_threads(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    operands = arrays(case, np.float32)
    monkeypatch.setattr(convolution, "SERIAL_MULTIPLY_ADDS", 0)
    monkeypatch.setattr(config, "threads", 1)
    alone = all_three(convolution, case, *operands)
    monkeypatch.undo()
    monkeypatch.setattr(convolution, "SERIAL_MULTIPLY_ADDS", 0)
    for workers in (2, 3):  # on as many threads as there are cores
        for module in (convolution, winograd):
            monkeypatch.setattr(module, "config", SimpleNamespace(threads=workers))
        for a, b in zip(alone, all_three(convolution, case, *operands), strict=True):
            np.testing.assert_array_equal(a, b)


def test_no_channels_no_pixels() -> None:
    x, w = np.ones((2, 0, 3, 4), np.float32), np.ones((3, 3, 4, 5), np.float32)
    y = convolution.conv2d(x, w, UNIT, (2, 2, 0, 0), UNIT, 1)
    assert y.shape == (2, 2, 1, 5) and not y.any()
    assert not convolution.conv2d_weight_grad(x, y, (3, 3), UNIT, (2, 2, 0, 0), UNIT, 1).any()


def test_padding_is_left_out() -> None:
    """On 7 x 7 pixels, 5 x 5 windows with padding 2 meet 29 of 35 kernel rows, and columns: no more is multiplied."""
    shape, w = (64, 7, 7, 128), (5, 5, 128, 128)
    made = plan.forward_plan(shape, w, shape, UNIT, (2, 2, 2, 2), UNIT, 1, np.dtype(np.float32))
    assert made.work * 35**2 == 29**2 * 64 * 49 * 25 * 128 * 128
    assert not made.gather.copied


def test_pixels_without_any_product_become_the_bias_through_relu() -> None:
    """Stride 2 and a kernel of one pixel leave every second row and column of the transposed convolution out."""
    gy, w = np.ones((1, 2, 2, 3), np.float32), np.ones((1, 1, 2, 3), np.float32)
    bias = np.array([-np.inf, 1], np.float32)
    y = convolution.conv2d_input_grad(gy, w, (3, 3), (2, 2), (0, 0, 0, 0), (1, 1), 1, bias, 0.0)
    np.testing.assert_array_equal(y[0, 1], [[0, 1]] * 3)
    np.testing.assert_array_equal(y[0, ::2, ::2], [[[0, 4]] * 2] * 2)
