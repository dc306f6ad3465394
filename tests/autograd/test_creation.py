"""New tensors: their values and dtypes as in PyTorch, random ones from their generator alone, bad calls refused."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen.errors import ArgumentError, DataError, DTypeError, MinigenError, ShapeError


def rng() -> np.random.Generator:
    return mg.random.generator(3)


SAME = (
    *(("zeros", (2, 3)), ("zeros", ((2, 3),)), ("ones", (4,)), ("ones", ([2, 0],)), ("full", ((2,), 1.5))),
    *(
        ("full", ((2, 2), 3)),
        ("full", ((1,), True)),
        ("arange", (5,)),
        ("arange", (2, 7, 2)),
        ("arange", (1.0, 2.0, 0.25)),
    ),
    *(("arange", (3, 0, -1)), ("arange", (2.5,)), ("linspace", (0, 1, 5)), ("linspace", (-1.0, 3.0, 1)), ("eye", (3,))),
    *(("eye", (2, 4)), ("linspace", (0, 1, 0)), ("arange", (0,)), ("arange", (0, 1, 0.3))),
)


@pytest.mark.parametrize(("name", "arguments"), SAME, ids=lambda part: str(part))
def test_as_in_pytorch(name: str, arguments: tuple):
    torch = pytest.importorskip("torch")
    ours, theirs = getattr(mg, name)(*arguments), getattr(torch, name)(*arguments).numpy()
    np.testing.assert_allclose(ours.data, theirs, rtol=1e-6, strict=True)
    assert not ours.requires_grad


@pytest.mark.parametrize("name", ["zeros", "ones", "rand", "randn"])
def test_options(name: str):
    options: dict[str, Any] = {"rng": rng()} if name.startswith("rand") else {}
    t = getattr(mg, name)(2, 3, dtype=np.float64, requires_grad=True, **options)
    assert (t.shape, t.dtype, t.requires_grad, t.is_leaf) == ((2, 3), np.float64, True, True)


def test_like_another():
    x = mg.tensor(np.arange(6).reshape(2, 3), dtype=np.int32)
    for y, value in ((mg.zeros_like(x), 0), (mg.ones_like(x), 1), (mg.full_like(x, 7), 7)):
        assert (y.shape, y.dtype, np.unique(y.data).tolist()) == ((2, 3), np.int32, [value])
    assert mg.zeros_like(x, np.float64, requires_grad=True).requires_grad
    assert np.ones_like(mg.zeros(2)).tolist() == [1.0, 1.0]  # NumPy's function, on a tensor


def test_default_dtype_is_that_of_the_settings():
    before = mg.config.dtype
    try:
        mg.config.dtype = np.dtype(np.float64)
        made = [
            mg.zeros(1),
            mg.full((1,), 0.1),
            mg.arange(0, 1, 0.5),
            mg.linspace(0, 1, 2),
            mg.eye(1),
            mg.rand(1, rng=rng()),
        ]
        assert {t.dtype for t in made} == {np.dtype(np.float64)}
    finally:
        mg.config.dtype = before


def test_random_numbers_follow_from_the_generator():
    calls = (
        *(lambda g: mg.rand(4, rng=g), lambda g: mg.randn((2, 3), rng=g), lambda g: mg.randint(-3, 9, (50,), rng=g)),
        *(lambda g: mg.randint(5, (50,), rng=g), lambda g: mg.randperm(9, rng=g)),
    )
    for call in calls:
        first, again = call(rng()), call(rng())
        np.testing.assert_array_equal(first.data, again.data)
        g = rng()
        call(g)
        assert call(g).tolist() != first.tolist()
    assert sorted(calls[4](rng()).tolist()) == list(range(9))
    assert {*calls[2](rng()).tolist()} <= {*range(-3, 9)}
    assert {*calls[3](rng()).tolist()} == {*range(5)}
    u = mg.rand(10_000, rng=rng()).data
    assert u.dtype == np.float32
    assert 0 <= u.min() < 0.01 < 0.99 < u.max() < 1
    assert abs(mg.randn(10_000, rng=rng()).std().item() - 1) < 0.05


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mg.rand(2, 3), DTypeError, "rand: rng was not given; pass rng="),
        (lambda: mg.randperm(3), DTypeError, "randperm: .*rng="),
        (lambda: mg.randint(0, 5, (2,)), DTypeError, "randint: .*rng="),
        (lambda: mg.randn(3, rng()), ArgumentError, "randn: the generator stands among the lengths; .* rng="),
        (lambda: mg.zeros(-1), ShapeError, r"zeros: shape \(-1,\) has a negative length"),
        (lambda: mg.zeros(2.5), ShapeError, "zeros: shape 2.5 must be whole numbers"),
        (lambda: mg.ones((2, 3), (4,)), ShapeError, "ones: .* must be whole numbers"),
        (lambda: mg.zeros(1 << 40, 1 << 20), ShapeError, "zeros: too large"),
        (lambda: mg.zeros(1 << 40, 1 << 40), ShapeError, "zeros: .* too large"),
        (lambda: mg.arange(1e30), ShapeError, "arange: too large"),
        (lambda: mg.arange(0, 5, 0), ArgumentError, "arange: step 0 does not lead from 0 to 5"),
        (lambda: mg.arange(0, 5, -1), ArgumentError, "arange: step -1 does not lead"),
        (lambda: mg.arange("a"), DTypeError, "arange: 'a' is no number"),  # pyright: ignore[reportArgumentType]
        (lambda: mg.arange(np.nan), ArgumentError, "arange: each bound is nan"),
        (lambda: mg.linspace(0, 1, 2.5), ArgumentError, "linspace: steps is 2.5"),  # pyright: ignore[reportArgumentType]
        (lambda: mg.eye(-1), ArgumentError, "eye: n is -1"),
        (lambda: mg.full((2,), "x"), DTypeError, "full: 'x' is no number"),
        (lambda: mg.full_like(mg.tensor([1]), 0.5), DTypeError, "full_like: 0.5 does not fit into int64"),
        (lambda: mg.full((2,), 300, dtype=np.uint8), DTypeError, "full: 300 does not fit into uint8"),
        (lambda: mg.zeros(2, dtype=int, requires_grad=True), DTypeError, "requires_grad: int64 has no gradient"),
        (lambda: mg.zeros(2, dtype=complex), DTypeError, "zeros: dtype complex128 is not supported"),
        (lambda: mg.randint(5, 5, (2,), rng=rng()), ArgumentError, "randint: low 5 must be below high 5"),
        (lambda: mg.randint(0, 300, (2,), rng=rng(), dtype=np.uint8), ArgumentError, "do not fit into uint8"),
        (lambda: mg.randn(2, dtype=int, rng=rng()), DTypeError, "randn: dtype int64 is no float"),
    ],
)
def test_what_is_refused(call: Any, error: type[MinigenError], message: str):
    with pytest.raises(error, match=message):
        call()


# ---------------------------------------------------------------- draws with given probabilities


def test_draws_like_another_tensor():
    x = mg.tensor(np.zeros((2, 3)))
    for call, source in ((mg.rand_like, mg.rand), (mg.randn_like, mg.randn)):
        y = call(x, rng=rng(), requires_grad=True)
        assert (y.shape, y.dtype, y.requires_grad) == ((2, 3), np.float64, True)
        np.testing.assert_array_equal(y.data, source(2, 3, rng=rng(), dtype=np.float64).data)
        assert call(mg.tensor([1, 2]), rng=rng(), dtype=np.float32).dtype == np.float32


def test_bernoulli_and_multinomial_follow_their_probabilities():
    p = np.array([0.0, 0.2, 0.7, 1.0])
    ones = mg.bernoulli(np.broadcast_to(p, (20_000, 4)), rng=rng())
    assert (ones.dtype, {*np.unique(ones.data)}) == (np.float64, {0.0, 1.0})
    np.testing.assert_allclose(ones.data.mean(0), p, atol=0.015)
    weights = np.array([[0.0, 1.0, 3.0], [2.0, 0.0, 2.0]])
    drawn = mg.multinomial(weights, 20_000, replacement=True, rng=rng())
    assert (drawn.shape, drawn.dtype) == ((2, 20_000), np.int64)
    for row, expected in zip(drawn.data, weights / 4, strict=True):
        np.testing.assert_allclose(np.bincount(row, minlength=3) / 20_000, expected, atol=0.015)
    once = mg.multinomial(np.broadcast_to(weights[0] + 1, (20_000, 3)), 2, rng=rng()).data
    assert (once[:, 0] != once[:, 1]).all()
    np.testing.assert_allclose(np.bincount(once[:, 0]) / 20_000, [1 / 7, 2 / 7, 4 / 7], atol=0.015)
    after_last = once[once[:, 0] == 2, 1]  # the others, in proportion
    np.testing.assert_allclose(np.bincount(after_last) / len(after_last), [1 / 3, 2 / 3], atol=0.02)
    assert sorted(mg.multinomial([1.0, 2.0, 3.0], 3, rng=rng()).tolist()) == [0, 1, 2]


def test_many_draws_of_many_places_take_little_memory():
    tracemalloc.start()
    drawn = mg.multinomial(np.ones(10_000), 100_000, replacement=True, rng=rng())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6 and drawn.data.min() < 100 and drawn.data.max() > 9900


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mg.randn_like(mg.zeros(2)), DTypeError, "randn_like: .*rng="),
        (lambda: mg.rand_like(mg.tensor([1]), rng=rng()), DTypeError, "rand_like: dtype int64 is no float"),
        (lambda: mg.rand(2, rng=rng(), requires_grad=[]), ArgumentError, r"rand: requires_grad is \[\]"),  # pyright: ignore[reportArgumentType]
        (lambda: mg.multinomial([1.0], 10**30, True, rng=rng()), ShapeError, "multinomial: too large"),
        (lambda: mg.bernoulli([0.5]), DTypeError, "bernoulli: .*rng="),
        (lambda: mg.bernoulli([1.5, 0.0], rng=rng()), DataError, "bernoulli: values from 0.0 to 1.5; pass prob"),
        (lambda: mg.bernoulli([np.nan], rng=rng()), DataError, "bernoulli: values from nan"),
        (lambda: mg.multinomial([0.5], 1), DTypeError, "multinomial: .*rng="),
        (lambda: mg.multinomial([-0.5, 1.0], 1, rng=rng()), DataError, "multinomial: values from -0.5"),
        (
            lambda: mg.multinomial([[0.0, 0.0]], 1, rng=rng()),
            DataError,
            "multinomial: .* each row needs a weight above 0",
        ),
        (lambda: mg.multinomial([0.0, 1.0], 2, rng=rng()), ArgumentError, "multinomial: 2 places of 1 with a weight"),
    ],
)
def test_draws_that_are_refused(call: Any, error: type[MinigenError], message: str):
    with pytest.raises(error, match=message):
        call()
