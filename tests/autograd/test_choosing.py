"""Places, truths and counts as PyTorch and NumPy give them; edges of the operations that choose; what is refused."""

from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen.errors import ArgumentError, DataError, DTypeError, MinigenError, ShapeError

X = np.array([[0.5, -1.0, 0.5, 3.0], [2.0, 2.0, -0.5, 0.0], [np.nan, 1.0, -2.0, 1.0]])
INTS = np.array([[3, 0, 3], [-1, 2, 2]])


def same(ours: mg.Tensor, theirs: Any) -> None:
    np.testing.assert_array_equal(ours.data, np.asarray(theirs), strict=True)
    assert not ours.requires_grad


@pytest.mark.parametrize("x", [X, INTS, INTS > 1, X[0]], ids=["floats", "ints", "booleans", "row"])
def test_places_and_truths_as_in_numpy(x: np.ndarray):
    t = mg.tensor(x, requires_grad=x.dtype == np.float64)
    for axis in (None, 0, -1):
        same(t.argmax(axis), np.argmax(x, axis))
        same(t.argmin(axis, keepdims=True), np.argmin(x, axis, keepdims=True))
        same(t.any(axis), np.any(x, axis))
        same(t.all(axis, keepdims=True), np.all(x, axis, keepdims=True))
        same(t.count_nonzero(axis), np.count_nonzero(x, axis))
    same(t.argsort(0), np.argsort(x, 0, stable=True))
    same(t.isnan(), np.isnan(x))
    same(mg.isfinite(t), np.isfinite(x))
    same(t.isinf(), np.isinf(x))
    same(t.logical_not(), np.logical_not(x))
    same(mg.logical_xor(t, 1), np.logical_xor(x, 1))
    same(t.nonzero(), np.argwhere(x))
    for ours, theirs in zip(t.nonzero(as_tuple=True), np.nonzero(x), strict=True):
        same(ours, theirs)
    for ours, theirs in zip(t.unique(True, True), np.unique(x, return_inverse=True, return_counts=True), strict=True):
        same(ours, theirs)
    same(t.unique(), np.unique(x))


@pytest.mark.parametrize("descending", [False, True])
def test_sort_keeps_the_order_of_equal_ones_and_puts_nan_as_the_largest(descending: bool):
    torch = pytest.importorskip("torch")
    values, places = mg.sort(X, 1, descending)
    theirs = torch.sort(torch.tensor(X), dim=1, descending=descending, stable=True)
    same(values, theirs.values)
    same(places, theirs.indices)
    same(mg.argsort(X, 1, descending), theirs.indices)
    best, where = mg.topk(X, 2, 1, largest=descending)
    same(best, theirs.values[:, :2])
    same(where, theirs.indices[:, :2])


def test_one_hot_and_searchsorted_as_in_pytorch():
    torch = pytest.importorskip("torch")
    for labels in ([2, 0, 1], [[1], [3]], 2):
        same(mg.one_hot(labels), torch.nn.functional.one_hot(torch.tensor(labels)))
        same(mg.one_hot(labels, 5), torch.nn.functional.one_hot(torch.tensor(labels), 5))
    row, values = [1.0, 2.0, 2.0, 5.0], [[0.0, 2.0], [5.0, 9.0]]
    for right in (False, True):
        same(
            mg.searchsorted(row, values, right),
            torch.searchsorted(torch.tensor(row), torch.tensor(values), right=right),
        )
    assert mg.nonzero(5.0).shape == (1, 0)
    assert mg.nonzero(0.0).shape == (0, 0)


def test_bits_and_division_of_integers_as_in_numpy():
    a, b = np.array([7, -7, 6, 0]), np.array([3, 3, -4, 5])
    s, t = mg.tensor(a), mg.tensor(b)
    pairs = (
        *((s & t, a & b), (s | t, a | b), (s ^ t, a ^ b), (~s, ~a), (s // t, a // b), (s % t, a % b), (5 & s, 5 & a)),
        *(
            (9 // t, 9 // b),
            (9 % t, 9 % b),
            (s // 2, a // 2),
            (s % -2, a % -2),
            (~(s > 0) | (t > 4), ~(a > 0) | (b > 4)),
        ),
        *(
            (s.floor(), a),
            (s.round(), a),
            (s.sign(), np.sign(a)),
            ((s > 0).sign(), a > 0),
            (mg.round(s, -1), a.round(-1)),
        ),
        *((s.square(), a * a), (s.prod(), a.prod()), (s.cumprod(0), a.cumprod()), ((s > 0).prod(), np.int64(0))),
        *(((s > 0) % (t > -9), (a > 0) % 1),),
    )
    for ours, theirs in pairs:
        same(ours, theirs)
    assert (s // 0.5).dtype == np.float32
    assert (mg.tensor([1.0, -1.0, 0.0]) // 0).tolist()[:2] == [np.inf, -np.inf]
    assert np.isnan((mg.tensor([1.0]) % 0).item())


def test_scatter_to_one_place_keeps_the_last_and_its_gradient():
    x, src = mg.zeros(1, 3, requires_grad=True), mg.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    y = mg.scatter(x, 1, [[2, 2, 0]], src)
    assert y.tolist() == [[3.0, 0.0, 2.0]]
    (y * mg.tensor([5.0, 6.0, 7.0])).sum().backward()
    assert x.grad is not None
    assert src.grad is not None
    assert (x.grad.tolist(), src.grad.tolist()) == ([[0.0, 6.0, 0.0]], [[0.0, 7.0, 5.0]])


@pytest.mark.parametrize(
    "call",
    [
        *(
            lambda x: mg.gather(x, 1, np.zeros((2, 0), int)),
            lambda x: mg.index_select(x, 0, []),
            lambda x: mg.topk(x, 0)[0],
        ),
        *(lambda x: mg.masked_select(x, x > 99), lambda x: mg.tile(x, 0), lambda x: mg.repeat_interleave(x, 0, 1)),
        *(
            lambda x: mg.flatten(x[:, :0]),
            lambda x: mg.sort(x[:0], 1)[0],
            lambda x: mg.roll(x[:0], 1),
            lambda x: mg.tril(x[:0]),
        ),
        *(
            lambda x: mg.diag(x, 9),
            lambda x: mg.cumprod(x[:0], 0),
            lambda x: mg.cdist(x[:0], x),
            lambda x: mg.norm(x[:0], axis=1),
        ),
    ],
)
def test_nothing_has_a_gradient_of_zeros(call: Any):
    x = mg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    y = call(x)
    assert y.size == 0
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == np.zeros((2, 3)).tolist()


def test_writing_nothing_changes_nothing():
    x = mg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    for y in (
        mg.scatter(x, 0, np.zeros((0, 3), int), 1.0),
        mg.scatter_add(x, 1, np.zeros((2, 0), int), mg.zeros(2, 0)),
    ):
        np.testing.assert_array_equal(y.data, x.data)
        assert not np.shares_memory(y.data, x.data)
    np.testing.assert_array_equal(mg.index_add(x, 0, [], mg.zeros(0, 3)).data, x.data)


def test_counts_and_closeness_as_in_numpy():
    row, a, b = [3, 1, 1], np.array([1.0, np.inf, np.nan, 2.0]), np.array([1.000001, np.inf, np.nan, 2.1])
    same(mg.bincount(row), np.bincount(row))
    same(mg.bincount(row, minlength=6), np.bincount(row, minlength=6))
    same(mg.bincount([]), np.bincount(np.zeros(0, int)))
    for equal_nan in (False, True):
        same(mg.isclose(a, b, equal_nan=equal_nan), np.isclose(a, b, equal_nan=equal_nan))
    assert mg.allclose(a, b, 0.1, equal_nan=True) is True
    assert mg.allclose(mg.tensor(a), b) is False


def test_integers_stay_integers():
    x = mg.tensor(INTS)
    same(x**2, INTS**2)
    same(2 ** mg.tensor([3, 0]), [8, 1])
    assert mg.masked_fill(x, x > 2, -1).tolist() == [[-1, 0, -1], [-1, 2, 2]]
    assert mg.scatter(x, 1, [[0], [0]], 9).dtype == np.int64
    assert mg.scatter_add(x, 1, [[0], [0]], mg.ones(2, 1)).dtype == np.float32
    assert mg.sort(x)[0].tolist() == [[0, 3, 3], [-1, 2, 2]]
    assert (mg.tril(x).dtype, mg.outer([1, 2], [3, 4]).tolist(), mg.dot([1, 2], [3, 4]).item()) == (
        np.int64,
        [[3, 4], [6, 8]],
        11,
    )


W = mg.tensor(np.ones((3, 4)), requires_grad=True)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mg.gather(W, 1, [[9]]), DataError, r"gather: indices hold 9, outside 0 … 3"),
        (lambda: mg.gather(W, 1, [[-1]]), DataError, r"gather: indices hold -1, outside 0 … 3"),
        (lambda: mg.gather(W, 1, [[0.5]]), DTypeError, "gather: indices have dtype float32"),
        (lambda: mg.gather(W, 5, [[1]]), ArgumentError, "gather: axis 5 does not exist in 2 axes"),
        (lambda: mg.gather(W, 1, [1]), ShapeError, r"gather: index \(1,\) does not fit x \(3, 4\); it needs 2 axes"),
        (lambda: mg.gather(W, 1, np.zeros((4, 1), int)), ShapeError, r"gather: index \(4, 1\) does not fit"),
        (lambda: mg.gather(W, None, [[1]]), ArgumentError, "gather: axis is None"),  # pyright: ignore[reportArgumentType]
        (lambda: mg.take_along_axis(W, [[-5]], 1), DataError, "hold -1, outside"),
        (lambda: mg.take_along_axis(W, [[0], [0]], 1), ShapeError, "take_along_axis: indices"),
        (
            lambda: mg.scatter(W, 1, [[1, 1]], mg.zeros(1, 1)),
            ShapeError,
            r"scatter: src \(1, 1\) must be at least as long",
        ),
        (lambda: mg.scatter(mg.tensor([1]), 0, [0], 0.5), DTypeError, "scatter: 0.5 does not fit into int64"),
        (
            lambda: mg.index_add(W, 0, [1], mg.zeros(2, 4)),
            ShapeError,
            r"index_add: source is \(2, 4\), expected \(1, 4\)",
        ),
        (lambda: mg.index_select(W, 0, [[1]]), ShapeError, r"index_select: index is \(1, 1\)"),
        (lambda: mg.masked_fill(W, [1, 0, 0, 0], 0.0), DTypeError, "masked_fill: mask has dtype int64"),
        (lambda: mg.masked_fill(W, W > 0, "a"), DTypeError, "masked_fill: value 'a' is no number"),
        (lambda: mg.masked_fill(mg.tensor([1]), [True], np.inf), DTypeError, "masked_fill: value inf"),
        (lambda: mg.masked_select(W, [True, False]), ShapeError, r"masked_select: mask \(2,\) does not broadcast"),
        (lambda: mg.one_hot([0.5]), DTypeError, "one_hot: labels have dtype float32"),
        (lambda: mg.one_hot([5], 3), DataError, "one_hot: labels hold 5, outside 0 … 2"),
        (lambda: mg.one_hot([-1]), DataError, "one_hot: labels hold -1"),
        (lambda: mg.one_hot([]), ShapeError, "one_hot: no labels"),
        (lambda: mg.topk(W, 9), ArgumentError, r"topk: k is 9, but axis 1 of \(3, 4\) has 4 elements"),
        (lambda: mg.topk(W, 1.5), ArgumentError, "topk: k is 1.5"),  # pyright: ignore[reportArgumentType]
        (lambda: mg.sort(W, 3), ArgumentError, "sort: axis 3 does not exist"),
        (lambda: mg.argmax(mg.zeros(0)), ShapeError, "argmax: no elements"),
        (lambda: mg.argmin(W, (0, 1)), ArgumentError, "argmin: axis is"),  # pyright: ignore[reportArgumentType]
        (lambda: mg.searchsorted([3, 1], [2]), DataError, "searchsorted: the sequence is not sorted"),
        (lambda: mg.tile(W, -1), ShapeError, "tile: .* negative number of repetitions"),
        (lambda: W.repeat(2), ShapeError, "repeat: 1 sizes for 2 axes; .* repeat_interleave"),
        (lambda: mg.repeat_interleave(W, [1, 2], 0), ShapeError, r"repeat_interleave: repeats is \(2,\), expected one"),
        (lambda: mg.repeat_interleave(W, -1, 0), ArgumentError, "repeat_interleave: repeats is -1"),
        (lambda: mg.roll(W, (1, 2)), ShapeError, r"roll: shifts \(1, 2\), but no axes"),
        (lambda: mg.roll(W, 1, (0, 1)), ShapeError, "roll: 1 shifts for 2 axes"),
        (lambda: mg.meshgrid([1], [2]), ArgumentError, "meshgrid: indexing is None; say 'ij' .* or 'xy'"),
        (lambda: mg.meshgrid(W, indexing="ij"), ShapeError, "meshgrid: shapes"),
        (lambda: mg.flatten(W, 1, 0), ArgumentError, "flatten: start_axis 1 stands behind end_axis 0"),
        (lambda: mg.moveaxis(W, 0, 9), ArgumentError, "moveaxis: axis 9 does not exist"),
        (lambda: mg.moveaxis(W, (0, 1), 0), ArgumentError, "moveaxis: 2 axes to move, 1 places"),
        (lambda: mg.chunk(W, 0), ArgumentError, "chunk: chunks is 0"),
        (lambda: mg.diag(mg.zeros(2, 2, 2)), ShapeError, r"diag: x is \(2, 2, 2\)"),
        (lambda: mg.diagonal(W, 0, 1, -1), ArgumentError, "diagonal: axis1 and axis2 are both 1"),
        (lambda: mg.trace(W[0]), ShapeError, r"trace: x is \(4,\), no matrix"),
        (lambda: mg.tril([1.0]), ShapeError, "tril: x is"),
        (lambda: mg.triu(W, 0.5), ArgumentError, "triu: diagonal is 0.5"),  # pyright: ignore[reportArgumentType]
        (lambda: mg.dot(W, W), ShapeError, "dot: shapes .* use matmul"),
        (lambda: mg.outer(W, W), ShapeError, "outer: shapes"),
        (lambda: mg.norm(W, 0.5), ArgumentError, "norm: p is 0.5; use a number ≥ 1, inf, -inf or 'fro'"),
        (lambda: mg.norm(W, "nuc"), ArgumentError, "norm: p is 'nuc'"),
        (lambda: mg.cdist(W, mg.zeros(3, 5)), ShapeError, "cdist: shapes"),
        (lambda: mg.cosine_similarity(W, mg.zeros(3, 5)), ShapeError, "cosine_similarity: shapes"),
        (lambda: mg.normalize(W, axis=2), ArgumentError, "normalize: axis 2 does not exist"),
        (lambda: mg.std(W, axis=0, ddof=3), ArgumentError, "3 elements with ddof=3"),
        (lambda: mg.tensor([1]) // 0, ArgumentError, "floor_divide: division of integers by 0"),
        (lambda: 5 % mg.tensor([1, 0]), ArgumentError, "remainder: division of integers by 0"),
        (lambda: W & 1, DTypeError, "bitwise_and: float64 has no bits; use comparisons"),
        (lambda: ~W, DTypeError, "bitwise_not: float64 has no bits"),
        (lambda: mg.tensor([1, 2]) | mg.tensor([1, 2, 3]), ShapeError, "bitwise_or: shapes .* do not broadcast"),
        (lambda: mg.tensor([2]) ** -1, ArgumentError, "power: integers to negative powers are fractions"),
        (lambda: mg.bincount([0.5]), DTypeError, "bincount: the integers have dtype float32"),
        (lambda: mg.bincount([-1]), DataError, "bincount: the integers hold -1"),
        (lambda: mg.bincount([[1]]), ShapeError, "bincount: x is"),
        (lambda: mg.bincount([1], [1.0, 2.0]), ShapeError, "bincount: weights"),
        (lambda: mg.bincount([10**12]), DataError, "bincount: the largest integer is 1000000000000"),
        (lambda: mg.isclose(W, mg.zeros(3)), ShapeError, "isclose: shapes"),
        (lambda: mg.sort(W, 0, "yes"), ArgumentError, "sort: descending is 'yes'; use True or False"),  # pyright: ignore[reportArgumentType]
        (lambda: mg.topk(W, 1, 0, None), ArgumentError, "topk: largest is None; use True or False"),  # pyright: ignore[reportArgumentType]
        (lambda: mg.norm(W, keepdims=2), ArgumentError, "norm: keepdims is 2"),  # pyright: ignore[reportArgumentType]
        (lambda: mg.any(W, 0, []), ArgumentError, "any: keepdims is"),  # pyright: ignore[reportArgumentType]
        (lambda: mg.norm(W, X), ArgumentError, "norm: p is an array of shape"),
        (lambda: mg.one_hot([1], 10**30), ShapeError, "one_hot: too large"),
        (lambda: mg.diag([1.0], 10**30), ShapeError, "diag: a matrix of .* is too large"),
        (lambda: mg.masked_fill(2.0, [True], [W]), DTypeError, "masked_fill: value"),
        (lambda: mg.round(W, 0.5), ArgumentError, "round: decimals is 0.5"),  # pyright: ignore[reportArgumentType]
        (lambda: mg.atan2(W, mg.zeros(5)), ShapeError, "atan2: shapes"),
    ],
)
def test_what_is_refused(call: Any, error: type[MinigenError], message: str):
    with pytest.raises(error, match=message):
        call()


def test_minus_one_keeps_a_length_in_expand():
    for x, shape, expected in (((2, 1), (-1, 3), (2, 3)), ((0, 1), (4, -1, 3), (4, 0, 3))):
        assert mg.expand(mg.zeros(x), shape).shape == mg.zeros(x).expand(*shape).shape == expected
    with pytest.raises(ShapeError, match=r"expand: \(2,\) can not be repeated to \(-1, 2\)"):
        mg.expand(mg.zeros(2), (-1, 2))
