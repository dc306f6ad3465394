"""The compiled product against NumPy's, which is its twin; small sizes are made to use the kernel, too."""

import numpy as np
import pytest
from twins import DTYPES, LAYOUTS, agree, close, laid_out, same_on_any_threads

from minigen import kernels
from minigen.config import config
from minigen.kernels.tile import dense

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def never_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense, "BLAS_MULTIPLY_ADDS", 0)


def matrix(rows: int, columns: int, dtype: type = np.float32, layout: str = "C") -> np.ndarray:
    return laid_out(RNG.standard_normal((rows, columns)).astype(dtype), layout)


@DTYPES
@pytest.mark.parametrize("sizes", [(64, 100, 96), (33, 64, 70), (14, 7, 32), (4, 2, 16), (400, 30, 33)], ids=str)
@pytest.mark.parametrize("layout_b", ["C", "F", "strided"])
@LAYOUTS
def test_layouts(layout: str, layout_b: str, sizes: tuple[int, int, int], dtype: type) -> None:
    m, k, n = sizes
    agree("matmul", matrix(m, k, dtype, layout), matrix(k, n, dtype, layout_b), scale=k)


@DTYPES
@pytest.mark.parametrize("size", range(1, 71))
def test_every_size(size: int, dtype: type) -> None:
    """Each of M, K and N takes the size in turn; both operands in both orders."""
    for m, k, n in ((size, 20, 40), (20, size, 40), (20, 40, size), (size, 71 - size, 71 - size)):
        for a, b in (("C", "C"), ("F", "C"), ("C", "F"), ("F", "F")):
            agree("matmul", matrix(m, k, dtype, a), matrix(k, n, dtype, b), scale=k)


@DTYPES
@pytest.mark.parametrize("sizes", [(24, 64, 47, 24), (5, 14, 300, 50), (2, 30, 1100, 16), (3, 2, 40, 40)], ids=str)
@pytest.mark.parametrize("turned", ["NN", "NT", "TN"])
def test_stacks_of_matrices(turned: str, sizes: tuple[int, ...], dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense, "SERIAL_MULTIPLY_ADDS", 0)
    count, m, k, n = sizes
    a = RNG.standard_normal((count, k, m) if turned[0] == "T" else (count, m, k)).astype(dtype)
    b = RNG.standard_normal((count, n, k) if turned[1] == "T" else (count, k, n)).astype(dtype)
    a, b = (x.swapaxes(1, 2) if way == "T" else x for x, way in zip((a, b), turned, strict=True))
    agree("matmul", a, b, scale=k)
    agree("matmul", a[:1], b, scale=k)  # broadcast
    agree("matmul", np.stack((a, a)), np.stack((b, b)), scale=k)
    agree("matmul", a, b[0], scale=k)
    same_on_any_threads(monkeypatch, "matmul", a, b)


@pytest.mark.parametrize("sizes", [(0, 3, 40), (40, 0, 40), (40, 3, 0), (0, 0, 0)], ids=str)
def test_empty(sizes: tuple[int, int, int]) -> None:
    m, k, n = sizes
    assert not agree("matmul", matrix(m, k), matrix(k, n)).any()


@DTYPES
@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("sizes", [(64, 1024, 50), (20, 2500, 33), (700, 1030, 70), (64, 9216, 128)], ids=str)
def test_sums_of_several_blocks_and_rows_a_page_apart(sizes: tuple[int, int, int], layout: str, dtype: type) -> None:
    m, k, n = sizes
    agree("matmul", matrix(m, k, dtype), matrix(k, n, dtype, layout), scale=k)
    agree("matmul", matrix(m, k, dtype, "F"), matrix(k, n, dtype, layout), scale=k)


@DTYPES
@pytest.mark.parametrize("sizes", [(512, 1030, 32), (1024, 1024, 512), (512, 1030, 33), (512, 1000, 32)], ids=str)
def test_a_product_that_is_turned(sizes: tuple[int, int, int], dtype: type) -> None:
    m, k, n = sizes
    a, b = matrix(m, k, dtype, "F"), matrix(k, n, dtype)
    assert dense.turning_pays(a, b) == (n != 33 and k >= 1024)
    agree("matmul", a, b, scale=k)
    out = np.empty((m, n), dtype)
    assert kernels.matmul(a, b, out=out) is out
    np.testing.assert_array_equal(out, kernels.matmul(np.ascontiguousarray(a), b))  # the same sums, term by term
    agree("matmul", a, b, np.ones(n, dtype), scale=k)


@DTYPES
@pytest.mark.parametrize("sizes", [(64, 100, 784), (128, 2100, 33), (5, 30, 32), (500, 64, 500)], ids=str)
@pytest.mark.parametrize("layout", ["C", "F"])
def test_same_bits_on_any_threads(
    monkeypatch: pytest.MonkeyPatch, layout: str, sizes: tuple[int, int, int], dtype: type
) -> None:
    m, k, n = sizes
    same_on_any_threads(monkeypatch, "matmul", matrix(m, k, dtype, layout), matrix(k, n, dtype, layout))
    same_on_any_threads(monkeypatch, "matmul", matrix(m, k, dtype), matrix(k, n, dtype, "F"))


SIZES = pytest.mark.parametrize(
    "sizes", [(64, 100, 96), (33, 64, 70), (14, 7, 20), (3, 50, 8), (30, 2100, 45), (40, 0, 40)], ids=str
)


@DTYPES
@SIZES
@pytest.mark.parametrize("slope", [1.0, 0.0, 0.2])
def test_bias_and_leaky_relu(slope: float, sizes: tuple[int, int, int], dtype: type) -> None:
    m, k, n = sizes
    bias = RNG.standard_normal(n).astype(dtype)
    agree("matmul", matrix(m, k, dtype), matrix(k, n, dtype), bias, slope, scale=k)
    agree("matmul", matrix(m, k, dtype), matrix(k, n, dtype, "F"), None, slope, scale=k)


@DTYPES
@SIZES
def test_a_product_goes_where_it_is_told_or_is_added_there(sizes: tuple[int, int, int], dtype: type) -> None:
    m, k, n = sizes
    a, b, before = matrix(m, k, dtype, "F"), matrix(k, n, dtype), matrix(m, n, dtype)
    for add in (False, True):
        out = before.copy()
        assert kernels.matmul(a, b, out=out, add=add) is out
        close(out, a @ b + (before if add else 0), scale=max(1, k))


@pytest.mark.parametrize(("value", "expected"), [(np.nan, np.nan), (np.inf, np.inf), (-np.inf, 0.0), (-1.0, 0.0)])
def test_relu_of_nan_and_infinity(value: float, expected: float) -> None:
    """NaN stays NaN, and minus infinity becomes 0, not 0 · ∞."""
    a, b, bias = np.zeros((20, 17), np.float32), np.zeros((17, 40), np.float32), np.full(40, value, np.float32)
    np.testing.assert_array_equal(kernels.matmul(a, b, bias, 0.0), np.full((20, 40), expected))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("n", [20, 32, 45, 64])
def test_nan_and_inf_stay_in_their_row_or_column(n: int, layout: str, bad: float) -> None:
    """Every place of a and of b in turn: lanes that do not exist, and rows that repeat, must not spread it."""
    k = 17
    for row, column in ((0, 0), (18, 16), (9, 8)):
        a, b = np.ones((19, k), np.float32), np.ones((k, n), np.float32)
        a[row, column] = bad
        c = kernels.matmul(laid_out(a, layout), laid_out(b, layout))
        np.testing.assert_array_equal(c[row], np.full(n, bad))
        np.testing.assert_array_equal(np.delete(c, row, axis=0), k)
        a[row, column] = 1
        for where in (0, n // 2, n - 1):
            b[column, where] = bad
            c = kernels.matmul(laid_out(a, layout), laid_out(b, layout))
            np.testing.assert_array_equal(c[:, where], np.full(19, bad))
            np.testing.assert_array_equal(np.delete(c, where, axis=1), k)
            b[column, where] = 1


def test_the_rest_of_a_larger_array_is_not_read() -> None:
    """Rows and columns of NaN all around: a view that ends at the last row of its array, and one inside."""
    around = np.full((40, 60), np.nan, np.float32)
    around[3:23, 5:38] = 1
    np.testing.assert_array_equal(kernels.matmul(np.ones((9, 20), np.float32), around[3:23, 5:38]), 20)
    np.testing.assert_array_equal(kernels.matmul(around[3:23, 5:38].T, np.ones((20, 33), np.float32)), 20)


def test_small_products_are_blas_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    a, b = matrix(8, 700), matrix(700, 16)
    np.testing.assert_array_equal(kernels.matmul(a, b), np.matmul(a, b))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(2, 300, 4000), (3, 1100, 515), (6, 4096, 77), (5, 700, 300)], ids=str)
def test_few_rows_and_a_large_matrix(shape: tuple[int, int, int], dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    m, k, n = shape
    rng = np.random.default_rng(0)
    a, b, row = (rng.normal(size=size).astype(dtype) for size in ((m, k), (k, n), (n,)))
    for right in (b, np.ascontiguousarray(b.T).T):
        agree("matmul", a, right, row, 0.2, scale=k)
        agree("matmul", a, right, scale=k)
        results = []
        for threads in (1, 2):
            monkeypatch.setattr(config, "threads", threads)
            out = np.ones((m, n), dtype)
            results.append(kernels.matmul(a, right, out=out, add=True).tobytes())
        assert results[0] == results[1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape", [(0, 3, 2), (1, 1, 1), (8, 2, 16), (8, 16, 1), (2, 8, 16), (3, 0, 4), (7, 8, 9)], ids=str
)
def test_tiny_products(shape: tuple[int, int, int], dtype: type) -> None:
    m, k, n = shape
    rng = np.random.default_rng(0)
    a, b, row = (rng.normal(size=size).astype(dtype) for size in ((m, k), (k, n), (n,)))
    for left in (a, np.ascontiguousarray(a.T).T):
        for right in (b, np.ascontiguousarray(b.T).T):
            agree("matmul", left, right, row, 0.2, scale=max(k, 1))
            agree("matmul", left, right, scale=max(k, 1))
            out = np.full((m, n), 2, dtype)
            np.testing.assert_allclose(kernels.matmul(left, right, out=out, add=True), a @ b + 2, rtol=1e-5, atol=1e-5)
    stacks = rng.normal(size=(4, 3, m, k)).astype(dtype), rng.normal(size=(4, 3, k, n)).astype(dtype)
    agree("matmul", *stacks, scale=max(k, 1))
