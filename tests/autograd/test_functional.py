"""Jacobians, Hessians and their products: against PyTorch's, against differences, for several inputs and results."""

from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen.errors import ArgumentError, DTypeError, GradientError, MinigenError, ShapeError

A, B = np.array([[0.3, -1.2, 0.7], [1.1, 0.4, -0.5]]), np.array([0.9, -0.3, 0.6])
DIRECTIONS = np.array([[1.0, -2.0, 0.5], [0.3, 0.8, -1.0]]), np.array([-0.7, 0.2, 1.5])


def one_to_one(lib: Any) -> Any:
    return lambda a: lib.tanh(a) * a.sum()


def several(lib: Any) -> Any:
    return lambda a, b: (lib.sin(a) * b, (a * a).sum(), b.prod() * a[0])


def number(lib: Any) -> Any:
    return lambda a, b: (lib.exp(a * 0.3) * b).sum() + (b**3).sum()


def alone(lib: Any) -> Any:
    return lambda a: lib.exp(a * 0.3).sum() * a[0, 1]


def flat(value: Any) -> list[np.ndarray]:
    """Every tensor in nested tuples, as arrays."""
    if isinstance(value, tuple):
        return [array for part in value for array in flat(part)]
    return [value.data if isinstance(value, mg.Tensor) else value.detach().numpy()]


def forms(value: Any) -> Any:
    return tuple(map(forms, value)) if isinstance(value, tuple) else tuple(value.shape)


@pytest.mark.parametrize(
    ("name", "make", "inputs", "v"),
    [
        *(("jacobian", one_to_one, A, ()), ("jacobian", several, (A, B), ()), ("jacobian", number, (A, B), ())),
        *(("jacobian", one_to_one, (A,), ()), ("hessian", alone, A, ()), ("hessian", number, (A, B), ())),
        *(
            ("vjp", one_to_one, A, (A,)),
            ("vjp", number, (A, B), ()),
            ("vjp", several, (A, B), ((A, np.array(2.0), B),)),
        ),
        *(
            ("jvp", one_to_one, A, (A,)),
            ("jvp", several, (A, B), (DIRECTIONS,)),
            ("jvp", alone, (A,), (DIRECTIONS[:1],)),
        ),
        *(("hvp", alone, A, (A,)), ("hvp", number, (A, B), (DIRECTIONS,))),
    ],
)
def test_as_in_pytorch(name: str, make: Any, inputs: Any, v: Any):
    torch = pytest.importorskip("torch")

    def turned(value: Any, to: Any) -> Any:
        return tuple(turned(part, to) for part in value) if isinstance(value, tuple) else to(value)

    ours = getattr(mg, name)(make(mg), turned(inputs, mg.tensor), *turned(v, mg.tensor))
    theirs = getattr(torch.autograd.functional, name)(
        make(torch), turned(inputs, torch.tensor), *turned(v, torch.tensor)
    )
    assert forms(ours) == forms(theirs)
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["jacobian", "hessian", "vjp", "jvp", "hvp"])
def test_results_are_differentiable_when_asked(name: str):
    function, x = getattr(mg, name), mg.tensor(A, requires_grad=True)
    v = () if name in ("jacobian", "hessian", "vjp") else (mg.tensor(DIRECTIONS[0]),)

    def last(x: mg.Tensor) -> mg.Tensor:
        y = function(alone(mg), x * 1.5, *v, create_graph=True)
        return y[-1] if isinstance(y, tuple) else y

    assert mg.gradcheck(last, x)
    plain = function(alone(mg), x, *v)
    assert not any(t.requires_grad for t in (plain if isinstance(plain, tuple) else (plain,)))
    assert x.grad is None


def test_what_does_not_depend_is_zero_or_an_error():
    x = mg.tensor(B)
    y, g = mg.vjp(lambda a, b: (b * 2).sum(), (x, x))
    assert (y.item(), [part.tolist() for part in g]) == (pytest.approx(2.4), [[0.0] * 3, [2.0] * 3])
    assert mg.hessian(lambda a: a.sum(), x).tolist() == np.zeros((3, 3)).tolist()
    assert mg.jvp(lambda a: mg.ones(2, dtype=np.float64), x, x)[1].tolist() == [0.0, 0.0]
    assert mg.jacobian(lambda a: a[:0], x).shape == (0, 3)
    for call in (
        lambda: mg.vjp(lambda a, b: (b * 2).sum(), (x, x), strict=True),
        lambda: mg.hessian(lambda a: a.sum(), x, strict=True),
        lambda: mg.jacobian(lambda a: mg.ones(2), x, strict=True),
    ):
        with pytest.raises(GradientError, match="strict=True"):
            call()


def test_inputs_are_variables_of_their_own():
    """The second input was made from the first; the derivative by the first leaves that way out."""
    x = mg.tensor(B, requires_grad=True)
    for create_graph in (False, True):
        _, (ga, gb) = mg.vjp(lambda a, b: (a * b).sum(), (x, x * 3.0), create_graph=create_graph)
        np.testing.assert_allclose(ga.data, 3 * B)
        np.testing.assert_allclose(gb.data, B)


def test_works_without_recording():
    with mg.no_grad():
        assert mg.jacobian(lambda a: a * a, mg.tensor([2.0])).tolist() == [[4.0]]
        assert mg.hvp(lambda a: (a**3).sum(), mg.tensor([2.0]))[1].tolist() == [12.0]


X = mg.tensor(B)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mg.jacobian(lambda a: a, mg.tensor([1, 2])), DTypeError, "jacobian: an input is a tensor of int64"),
        (lambda: mg.jacobian(lambda a: a, "x"), DTypeError, "jacobian: an input is str; pass a float Tensor"),  # pyright: ignore[reportArgumentType]
        (lambda: mg.jacobian(lambda a: a.argmax(), X), DTypeError, "jacobian: result 0 of f is int64"),
        (lambda: mg.jacobian("f", X), ArgumentError, "jacobian: f is 'f'; pass a function"),  # pyright: ignore[reportArgumentType]
        (lambda: mg.hvp(lambda a: a.sum(), X, X, 2), ArgumentError, "hvp: create_graph is 2"),  # pyright: ignore[reportArgumentType]
        (lambda: mg.vjp(lambda a: a, ()), ArgumentError, "vjp: inputs is empty"),
        (lambda: mg.vjp(lambda a: a, X, {}), DTypeError, "vjp: dtype object"),
        (lambda: mg.jacobian(lambda a: None, X), DTypeError, "jacobian: result 0 of f is NoneType"),
        (lambda: mg.hessian(lambda a: a, X), ShapeError, r"hessian: f gave a result of shape \(3,\); .* one number"),
        (lambda: mg.hvp(lambda a: (a.sum(), a.sum()), X, X), ShapeError, "hvp: f gave 2 results"),
        (lambda: mg.vjp(lambda a: a, X), ShapeError, "vjp: v is missing"),
        (lambda: mg.jvp(lambda a: a, X), ShapeError, "jvp: v is missing"),
        (lambda: mg.vjp(lambda a: a, X, np.ones(2)), ShapeError, r"vjp: v has shape \(2,\), the results \(3,\)"),
        (lambda: mg.jvp(lambda a, b: a, (X, X), X), ShapeError, "jvp: v holds 1 vectors for 2 inputs"),
    ],
)
def test_what_is_refused(call: Any, error: type[MinigenError], message: str):
    with pytest.raises(error, match=message):
        call()
