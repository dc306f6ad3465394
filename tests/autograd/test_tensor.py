"""Tensor: how it is made, that it behaves as an array under operators and NumPy's functions, what it refuses."""

import copy
import math
import operator
from typing import Any

import numpy as np
import pytest
from autograd_helpers import gradient, leaf

import minigen as mg
from minigen.autograd import ops
from minigen.autograd.tensor import Tensor
from minigen.errors import DTypeError, GradientError, ShapeError

VALUES = np.array([[0.5, 1.5, 2.5], [0.25, 1.25, 3.0]])


def floats() -> Tensor:
    return mg.tensor(VALUES, requires_grad=True)


# ---------------------------------------------------------------- making one


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, np.float32),
        ([1.0, 2], np.float32),
        (3, np.int64),
        (True, np.bool_),
        (np.float64(1.5), np.float64),
        (np.ones(2, np.float64), np.float64),
        (np.ones(2, np.uint8), np.uint8),
        (mg.tensor(np.ones(2)), np.float64),
    ],
    ids=str,
)
def test_dtype_of_a_new_tensor(data: Any, dtype: Any):
    assert mg.tensor(data).dtype == dtype
    assert mg.tensor(data, dtype=np.float64).dtype == np.float64


def test_a_new_tensor_is_a_copy():
    array = np.ones(2)
    t = mg.tensor(array)
    array[0] = 5
    assert t.tolist() == [1.0, 1.0]


def test_properties():
    t = floats()
    assert (t.shape, t.ndim, t.size, t.dtype, len(t), t.is_leaf) == ((2, 3), 2, 6, np.float64, 2, True)
    assert t.T.shape == (3, 2)
    assert not (t * 2).is_leaf
    assert [row.tolist() for row in t] == VALUES.tolist()
    assert mg.tensor([[4.0]]).item() == 4.0
    assert (float(mg.tensor(2.5)), int(mg.tensor(2)), bool(mg.tensor(0.0))) == (2.5, 2, False)


def test_repr_says_what_matters():
    assert repr(mg.tensor([1.0, 2.0])) == "tensor([1., 2.])"
    assert repr(leaf(1.0)) == "tensor([1.], dtype=float64, requires_grad=True)"
    assert "node=Multiply" in repr(leaf(1.0) * 2)
    assert len(repr(mg.tensor(np.zeros((100, 100))))) < 1000
    assert repr(mg.zeros(100, 100)).endswith("], shape=(100, 100))")
    assert repr(mg.zeros(0, 3)) == "tensor([], shape=(0, 3))"
    assert (repr(mg.tensor(2)), repr(mg.tensor(0.5))) == ("tensor(2, dtype=int64)", "tensor(0.5)")


def test_repr_of_a_node():
    x = mg.tensor(np.ones((2, 3)), requires_grad=True)
    y = mg.tanh(x) + 1.0
    assert y.node is not None
    assert repr(y.node) == "<Add: (2, 3) float64, of Tanh (2, 3) and constant>"
    assert repr(y.node.edges[0]) == "<Tanh: (2, 3) float64, of leaf (2, 3)>"
    joined = mg.concatenate([x] * 9).node
    assert repr(joined) == f"<Concatenate: (18, 3) float64, of {'leaf (2, 3), ' * 4}leaf (2, 3) and 4 more>"
    assert repr(type(y.node)()) == "<Add, not part of a graph>"
    total = y.sum()
    node = total.node
    total.backward()
    assert repr(node) == "<Sum: () float64, released>"


# ---------------------------------------------------------------- numbers and Python's protocols


def test_formatting():
    x = mg.tensor([[1.25, -2.0]], requires_grad=True)
    assert f"{x.sum():.3f} {x[0, 0]:>6} {x[:, :1]:.1e}" == "-0.750   1.25 1.2e+00"
    assert f"{mg.tensor(7)}" == f"{mg.tensor(7):d}" == "7"
    assert f"{x}" == str(x)
    with pytest.raises(ShapeError, match=r"format: a tensor of shape \(1, 2\) can not be written as '.3f'"):
        f"{x:.3f}"


def test_numbers():
    x = mg.tensor([3.7])
    assert (float(x), int(x), math.floor(x), math.ceil(x), bool(x)) == (pytest.approx(3.7), 3, 3, 4, True)
    assert (round(x).tolist(), [*map(float, divmod(x, 2))]) == ([4.0], pytest.approx([1.0, 1.7]))
    assert ["a", "b", "c"][mg.tensor(1)] == "b"
    assert list(range(mg.tensor(2))) == [0, 1]
    with pytest.raises(DTypeError, match=r"index: a tensor of shape .* is no whole number; use int"):
        range(x)  # pyright: ignore[reportArgumentType]


def test_membership():
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert 3 in x
    assert 5 not in x
    assert 1 not in mg.zeros(0)


# ---------------------------------------------------------------- operators

BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
OTHERS = [2, 0.5, np.float64(1.5), np.int64(2), VALUES[:, ::-1].copy(), VALUES[0], mg.tensor(VALUES * 2)]


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: type(other).__name__)
@pytest.mark.parametrize("op", [*BINARY, *COMPARISONS])
def test_operators_on_both_sides(op: Any, other: Any):
    raw = other.data if isinstance(other, Tensor) else other
    for result, expected in ((op(floats(), other), op(VALUES, raw)), (op(other, floats()), op(raw, VALUES))):
        assert type(result) is Tensor
        assert result.dtype == expected.dtype
        assert result.requires_grad == (op in BINARY)
        np.testing.assert_allclose(result.data, expected, rtol=1e-14)


def test_other_operators():
    t = floats()
    np.testing.assert_array_equal((-t).data, -VALUES)
    np.testing.assert_array_equal(abs(-t).data, VALUES)
    np.testing.assert_allclose((t @ VALUES.T).data, VALUES @ VALUES.T)
    product: Any = VALUES @ t.T
    np.testing.assert_allclose(product.data, VALUES @ VALUES.T)


AUGMENTED = [
    operator.iadd,
    operator.isub,
    operator.imul,
    operator.itruediv,
    operator.ifloordiv,
    operator.imod,
    operator.ipow,
]


@pytest.mark.parametrize("assign", AUGMENTED)
def test_augmented_assignment_writes_into_what_is_not_recorded(assign: Any):
    expected = assign(VALUES + 0.5, np.float32(2))
    plain, leaf = mg.tensor(VALUES + 0.5), mg.tensor(VALUES + 0.5, requires_grad=True)
    memory = plain.data
    assert assign(plain, 2.0) is plain and plain.data is memory and plain.version != [0]
    with mg.no_grad():
        assert assign(leaf, mg.tensor(np.float32(2))) is leaf and leaf.requires_grad
    for t in (plain, leaf):
        np.testing.assert_array_equal(t.data, expected)
    with pytest.raises(GradientError, match=r"under mg\.no_grad"):
        assign(leaf, 2.0)


def test_augmented_assignment_makes_a_new_tensor_where_it_is_recorded():
    t = floats()
    y = before = t * 1.0
    y += 1.0
    total = mg.zeros(2, 3)
    total += y
    total.sum().backward()
    assert gradient(t) == np.ones((2, 3)).tolist()
    np.testing.assert_array_equal(before.data, VALUES)


def test_augmented_assignment_keeps_shape_and_kind():
    x, n = mg.zeros(3), mg.arange(3)
    with pytest.raises(ShapeError, match=r"x \+= y: x is \(3,\) and the result \(2, 3\)"):
        x += np.ones((2, 3), np.float32)
    with pytest.raises(DTypeError, match=r"x \*= y: x is int64 and the result float32; write x = x \* y"):
        n *= 0.5


def test_a_list_is_no_array():
    with pytest.raises(DTypeError, match=r"use mg.tensor\(data\)"):
        mg.Tensor([1.0, 2.0])  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "name", ["exp", "log", "sqrt", "abs", "tanh", "sigmoid", "relu", "sum", "mean", "var", "max", "min"]
)
def test_methods_are_the_functions(name: str):
    np.testing.assert_array_equal(getattr(floats(), name)().data, getattr(mg, name)(VALUES).data)


def test_methods_with_arguments():
    t = floats()
    assert t.sum(0, keepdims=True).shape == (1, 3)
    assert t.var(axis=1, ddof=1).shape == (2,)
    assert t.reshape(3, 2).shape == t.reshape((3, -1)).shape == (3, 2)
    assert (
        t.transpose(1, 0).shape == t.transpose((1, 0)).shape == t.transpose().shape == t.swapaxes(0, 1).shape == (3, 2)
    )
    assert t.reshape(1, 6).squeeze().shape == (6,)
    assert t.clip(1.0, 2.0).max().item() == 2.0
    assert t.astype(np.float32).dtype == np.float32


# ---------------------------------------------------------------- NumPy's functions on tensors


BITS = (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.bitwise_not)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # of NumPy, arcsin and arccos of more than 1
@pytest.mark.parametrize(
    "ufunc", [ufunc for ufunc in ops.UFUNCS if ufunc not in BITS], ids=lambda ufunc: ufunc.__name__
)
def test_ufuncs_build_the_graph(ufunc: np.ufunc):
    arguments = [VALUES] * ufunc.nin if ufunc is not np.matmul else [VALUES, VALUES.T]
    y = ufunc(mg.tensor(arguments[0], requires_grad=True), *arguments[1:])
    assert type(y) is Tensor
    np.testing.assert_allclose(y.data, ufunc(*arguments), rtol=1e-14)
    assert y.requires_grad == (y.dtype == np.float64)
    if ufunc.nin == 2:  # an ndarray, or a NumPy scalar, on the left
        assert type(ufunc(arguments[0], mg.tensor(arguments[1], requires_grad=True))) is Tensor


@pytest.mark.parametrize("ufunc", BITS, ids=lambda ufunc: ufunc.__name__)
def test_ufuncs_of_bits(ufunc: np.ufunc):
    arguments = [np.array([6, -3, 0]), np.array([3, 5, 7])][: ufunc.nin]
    y = ufunc(mg.tensor(arguments[0]), *arguments[1:])
    assert type(y) is Tensor
    np.testing.assert_array_equal(y.data, ufunc(*arguments), strict=True)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.sum(x),
        lambda x: np.sum(x, axis=0, keepdims=True),
        lambda x: np.mean(x, 1),
        lambda x: np.var(x, axis=1, ddof=1),
        lambda x: np.max(x, axis=0),
        lambda x: np.min(x),
        lambda x: np.cumsum(x, 1),
        lambda x: np.clip(x, 1.0, 2.0),
        lambda x: np.where(x > 1.0, x, 0.0),
        lambda x: np.einsum("ij->i", x),
        lambda x: np.concatenate([x, x], axis=1),
        lambda x: np.stack([x, x]),
        lambda x: np.flip(x, 1),
        lambda x: np.reshape(x, (3, 2)),
        lambda x: np.transpose(x),
        lambda x: np.swapaxes(x, 0, 1),
        lambda x: np.squeeze(np.expand_dims(x, 0)),
        lambda x: np.std(x, axis=0, ddof=1),
        lambda x: np.prod(x, 1),
        lambda x: np.cumprod(x, 1),
        lambda x: np.round(x, 1),
        lambda x: np.moveaxis(x, 0, 1),
        lambda x: np.take_along_axis(x, np.array([[2, 0], [1, -1]]), 1),
        lambda x: np.tile(x, (2, 1)),
        lambda x: np.repeat(x, 2, axis=1),
        lambda x: np.roll(x, 1, 0),
        lambda x: np.tril(x, -1),
        lambda x: np.diag(x),
        lambda x: np.diagonal(x, 1),
        lambda x: np.trace(x),
        lambda x: np.outer(x[0], x[1]),
        lambda x: np.dot(x[0], x[1]),
        lambda x: np.broadcast_to(x, (2, 2, 3)),
    ],
)
def test_numpy_functions_build_the_graph(call: Any):
    t = floats()
    y = call(t)
    assert type(y) is Tensor
    assert y.requires_grad
    np.testing.assert_allclose(y.data, call(VALUES), rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: np.sort(x), r"np\.sort: not available on Tensors; .*x\.detach\(\)\.numpy\(\)"),
        (lambda x: np.split(x, [1, 2]), "np.split: not available"),
        (lambda x: np.pad(x, 1, "edge"), "np.pad: not available"),
        (lambda x: np.arctanh(x), "np.arctanh: not available"),
        (lambda x: np.linalg.diagonal(x), "np.diagonal: not available"),
        (lambda x: np.add.reduce(x), "np.add.reduce: not available"),
        (lambda x: np.add(x, 1.0, out=np.empty((2, 3))), r"np\.add: not available on Tensors with \['out'\]"),
        (lambda x: np.cumsum(x), "np.cumsum on a Tensor: missing a required argument: 'axis'"),
        (lambda x: np.sum(x, 0, np.float32), "np.sum on a Tensor: pass only x and axis by position"),
        (lambda x: np.mean(x, dtype=np.float32), "np.mean on a Tensor: got an unexpected keyword argument 'dtype'"),
    ],
)
def test_what_numpy_can_not_do_with_tensors(call: Any, message: str):
    with pytest.raises(DTypeError, match=message):
        call(floats())


def test_asarray():
    t = mg.tensor(VALUES)
    assert np.asarray(t) is t.data
    assert np.array(t, dtype=np.float32).dtype == np.float32
    with pytest.raises(GradientError, match=r"\.detach\(\)\.numpy\(\)"):
        np.asarray(floats())


# ---------------------------------------------------------------- writing, copying


def test_writing_in_place():
    t = mg.tensor(VALUES)
    t[0, :2] = 7.0
    t[1] = mg.tensor([1, 2, 3])
    assert t.tolist() == [[7.0, 7.0, 2.5], [1.0, 2.0, 3.0]]
    assert t.copy_(5).tolist() == [[5.0] * 3] * 2
    x = floats()
    with mg.no_grad():
        x[0] = 0.0
    assert x.data[0].tolist() == [0.0, 0.0, 0.0]


def test_deepcopy_is_a_leaf_of_its_own():
    x = floats()
    other = copy.deepcopy(x)
    assert other.requires_grad
    assert other.data is not x.data
    with pytest.raises(GradientError, match="only leaf tensors"):
        copy.deepcopy(x * 2)


def test_tensors_are_hashable_by_identity():
    a, b = mg.tensor([1.0]), mg.tensor([1.0])
    assert len({a, b, a}) == 2


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mg.tensor([[1.0], [1.0, 2.0]]), ShapeError, "tensor: the nested sequence is ragged"),
        (lambda: mg.tensor("text"), DTypeError, r"tensor: dtype <U4 is not supported; use float32"),
        (lambda: mg.tensor(None), DTypeError, "tensor: got None"),
        (lambda: mg.tensor(np.ones(2, np.float16)), DTypeError, r"float16.*array\.astype\(np\.float32\)"),
        (lambda: mg.tensor([1.0], dtype=complex), DTypeError, "tensor: dtype complex128"),
        (lambda: mg.tensor([1.0], dtype="number"), DTypeError, "tensor: 'number' is no dtype"),
        (
            lambda: mg.tensor([1, 2], requires_grad=True),
            DTypeError,
            "requires_grad: int64 has no gradient; use .astype",
        ),
        (lambda: mg.tensor([1]).requires_grad_(), DTypeError, "requires_grad: int64"),
        (lambda: (floats() * 2).requires_grad_(False), GradientError, r"use detach\(\)"),
        (lambda: floats().numpy(), GradientError, r"use \.detach\(\)\.numpy\(\)"),
        (lambda: floats().item(), ShapeError, r"item: shape \(2, 3\) has 6 elements"),
        (lambda: bool(floats()), ShapeError, r"truth of a tensor of shape \(2, 3\)"),
        (lambda: len(mg.tensor(1.0)), ShapeError, "len: a 0-d tensor"),
        (lambda: list(mg.tensor(1.0)), ShapeError, "0-d tensor"),
        (lambda: floats() + "a", DTypeError, "add: dtype <U1"),
        (lambda: floats() * None, DTypeError, "multiply: got None"),
        (lambda: floats() < "a", DTypeError, "less: can not compare"),
        (lambda: floats().astype("number"), DTypeError, "astype: 'number' is no dtype"),
        (lambda: mg.tensor(VALUES).__setitem__(5, 1.0), ShapeError, r"setitem: .*the tensor has shape \(2, 3\)"),
        (lambda: mg.tensor(VALUES).__setitem__(0, np.ones(5)), ShapeError, "setitem"),
        (lambda: mg.tensor(VALUES).__setitem__(0, "a"), DTypeError, "setitem: dtype <U1"),
        (lambda: floats().__setitem__(0, 1.0), GradientError, "no_grad"),
        (lambda: mg.tensor(np.array([1], np.uint8)) + 300, DTypeError, "add: 300 does not fit into uint8"),
        (lambda: -mg.tensor([True]), DTypeError, "negative: booleans"),
        (lambda: mg.tensor([True]) - mg.tensor([True]), DTypeError, "subtract: booleans"),
    ],
)
def test_refusals(call: Any, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        call()
