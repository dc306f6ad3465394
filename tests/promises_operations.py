"""Promises of the tensor operations: what is chosen, moved, measured, drawn; derivatives of functions; checkpoints."""

import operator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from promises import Promise, promise

import minigen as mg
from minigen.errors import ArgumentError, DataError, DTypeError, GradientError, ShapeError

CASES: list[Promise] = []
ANY: dict[str, Any] = {
    "text": "no",
    "array": np.ones(2),
    "none": None,
    "number": 3,
}  # of a kind that no checker refuses


def leaf(values: object) -> mg.Tensor:
    return mg.tensor(np.array(values, float), requires_grad=True)


def slopes(y: mg.Tensor, x: mg.Tensor) -> list[float]:
    (g,) = mg.grad(y.sum(), x)
    return g.tolist()


@promise(CASES, '`f"{loss:.3f}"`', "the number, as Python formats it; of more than one element ShapeError")
def formatted(folder: Path) -> None:
    assert f"{leaf([1.0, 2.0]).mean():.3f}" == "1.500"
    with pytest.raises(ShapeError, match="format"):
        f"{leaf([1.0, 2.0]):.3f}"


@promise(CASES, "`mg.rand(2, 3)` without a generator", "DTypeError: pass `rng=`")
def forgotten_generator(folder: Path) -> None:
    for call in (lambda: mg.rand(2, 3), lambda: mg.randn_like(mg.zeros(2)), lambda: mg.randperm(4)):
        with pytest.raises(DTypeError, match="rng="):
            call()


@promise(CASES, "`mg.zeros(1 << 40, 1 << 20)`: no memory for it", "ShapeError with the size, before anything is taken")
def too_large(folder: Path) -> None:
    with pytest.raises(ShapeError, match="too large"):
        mg.zeros(1 << 40, 1 << 20)


@promise(CASES, "`x + y`, `x @ y`, a Linear for whose result no memory is", "ShapeError with the shapes and the size")
def result_too_large(folder: Path) -> None:
    tall, wide = mg.zeros(1 << 28, 1), mg.zeros(1, 1 << 26)
    for call in (lambda: tall + wide, lambda: tall @ wide):
        with pytest.raises(ShapeError, match="too large"):
            call()
    with pytest.raises(ArgumentError, match="too large"):
        mg.layers.Linear(1 << 24, 1 << 24, rng=mg.random.generator(0))


@promise(
    CASES, '`x[0:1.5]`, `x[::0]`, `mg.sum(x, 0, "no")`, `mg.tensor(x, requires_grad=np.ones(2))`', "a minigen error"
)
def options_of_another_kind(folder: Path) -> None:
    x, no, name = leaf([[1.0, 2.0]]), ANY["text"], ANY["text"]
    for call in (
        lambda: x[0:1.5],
        lambda: x[::0],
        lambda: mg.sum(x, 0, no),
        lambda: mg.tensor([1.0], requires_grad=ANY["array"]),
        lambda: mg.reshape(x, 1 << 200),
        lambda: mg.rms_norm(None),
        lambda: mg.interop.to_torch(name),
    ):
        with pytest.raises(mg.errors.MinigenError):
            call()


@promise(CASES, "a number, None or a broken name as a path or data set", "ArgumentError that says what to pass")
def paths_that_are_none(folder: Path) -> None:
    none, number = ANY["none"], ANY["number"]
    for call in (
        lambda: mg.load(none),
        lambda: mg.data.load(none),
        lambda: mg.data.image_folder(number),
        lambda: mg.data.npz("a\0b"),
        lambda: mg.data.load_text(number),
        lambda: mg.save({"a": leaf([1.0])}, "a\0b.safetensors"),
        lambda: mg.data.Subset(number, [0]),
        lambda: mg.data.ConcatDataset(number),
        lambda: mg.data.CharTokenizer(number),
        lambda: mg.data.collate(number),
        lambda: mg.data.facts(),
    ):
        with pytest.raises(ArgumentError):
            call()


@promise(CASES, "an index outside the axis in `gather`, `scatter`, `index_add`, `one_hot`", "DataError with the index")
def index_outside(folder: Path) -> None:
    x = leaf([[1.0, 2.0]])
    for call in (
        lambda: mg.gather(x, 1, [[2]]),
        lambda: mg.scatter(x, 1, [[-1]], 0.0),
        lambda: mg.index_add(x, 0, [1], x),
        lambda: mg.one_hot([3], 3),
    ):
        with pytest.raises(DataError, match="outside 0 …"):
            call()


@promise(CASES, "`scatter` of several elements to one place", "the last one stays, and alone gets the gradient")
def scatter_twice(folder: Path) -> None:
    src = leaf([1.0, 2.0])
    y = mg.scatter(mg.zeros(2, dtype=np.float64), 0, [1, 1], src)
    assert (y.tolist(), slopes(y, src)) == ([0.0, 2.0], [0.0, 1.0])


@promise(CASES, "`meshgrid` without `indexing`, whose default differs in NumPy and PyTorch", "ArgumentError: say which")
def unsaid_indexing(folder: Path) -> None:
    with pytest.raises(ArgumentError, match=r"'ij'.*'xy'"):
        mg.meshgrid([1.0], [2.0])


@promise(
    CASES,
    "`x.repeat(2)` of a matrix, meant as NumPy's `repeat`",
    "ShapeError: one size for each axis; `repeat_interleave`",
)
def repeated(folder: Path) -> None:
    with pytest.raises(ShapeError, match="repeat_interleave"):
        mg.zeros(2, 3).repeat(2)
    assert np.repeat(mg.tensor([1, 2]), 2).tolist() == [1, 1, 2, 2]


@promise(
    CASES, "`np.sort`, `np.split`, `np.linalg.norm` of a Tensor, whose arguments mean something else", "DTypeError"
)
def other_functions_of_numpy(folder: Path) -> None:
    for call in (np.sort, np.linalg.norm, np.linalg.diagonal):
        with pytest.raises(DTypeError, match="not available on Tensors"):
            call(leaf([[1.0]]))


@promise(
    CASES, "`mg.tensor([1]) // 0`, `% 0`, `** -1` of integers", "ArgumentError; floats give inf or NaN, as in NumPy"
)
def integers_by_zero(folder: Path) -> None:
    for call in (lambda: mg.tensor([1]) // 0, lambda: mg.tensor([1]) % 0, lambda: mg.tensor([1]) ** -1):
        with pytest.raises(ArgumentError):
            call()
    assert (mg.tensor([1.0]) // 0).item() == np.inf


@promise(CASES, "`&`, `|`, `~` of floats", "DTypeError: use comparisons")
def bits_of_floats(folder: Path) -> None:
    with pytest.raises(DTypeError, match="comparisons"):
        operator.and_(leaf([1.0]), 1)


@promise(CASES, "gradient of `norm`, `std`, `cdist` where the length is 0", "0, at every order, never NaN")
def lengths_of_zero(folder: Path) -> None:
    x = leaf([[0.0, 0.0], [3.0, 4.0]])
    for y in (mg.norm(x, axis=1), mg.norm(x, 3, axis=1), mg.std(x, axis=1), mg.cdist(x, x)):
        (first,) = mg.grad(y.sum(), x, create_graph=True)
        (second,) = mg.grad((first * first).sum(), x, allow_unused=True)
        assert np.isfinite(first.data).all()
        assert second is None or np.isfinite(second.data).all()
    np.testing.assert_allclose(slopes(mg.norm(x, axis=1), x), [[0.0, 0.0], [0.6, 0.8]])


@promise(CASES, "`norm` of numbers whose squares leave float32, such as 1e-30 or 1e30", "exact, and so is its gradient")
def lengths_out_of_range(folder: Path) -> None:
    for size in (1e-30, 1e30):
        x = mg.tensor([[3 * size, 4 * size], [3.0, 4.0]], requires_grad=True)
        y = mg.norm(x, axis=1)
        np.testing.assert_allclose(y.data, [5 * size, 5.0], rtol=1e-6)
        np.testing.assert_allclose(slopes(y, x), [[0.6, 0.8]] * 2, rtol=1e-6)


@promise(CASES, "gradient of `prod` and `cumprod` where factors are 0", "the product of the others, at every order")
def products_of_zero(folder: Path) -> None:
    x = leaf([2.0, 0.0, 3.0])
    assert slopes(mg.prod(x), x) == [0.0, 6.0, 0.0]
    np.testing.assert_array_equal(mg.hessian(mg.prod, x).data, [[0, 3, 0], [3, 0, 2], [0, 2, 0]])


@promise(CASES, "a checkpointed function that gives something else when it runs again", "GradientError: pass `rng=`")
def checkpoint_that_changes(folder: Path) -> None:
    rng = np.random.default_rng(0)
    y = mg.checkpoint(lambda x: x * rng.normal(size=2), leaf([1.0, 2.0])).sum()
    with pytest.raises(GradientError, match=r"other numbers .* rng="):
        y.backward()


@promise(CASES, "dropout and batch norm inside `mg.checkpoint`", "the same mask again; running means move once")
def checkpoint_of_layers(folder: Path) -> None:
    states = []
    for through in (mg.checkpoint, lambda f, x: f(x)):
        rng = np.random.default_rng(0)
        model = mg.layers.Sequential(
            mg.layers.Linear(2, 3, rng=rng), mg.layers.BatchNorm(3), mg.layers.Dropout(0.5, rng=rng)
        )
        x = mg.tensor(np.arange(8.0, dtype=np.float32).reshape(4, 2), requires_grad=True)
        through(model, x).sum().backward()
        assert x.grad is not None
        states.append([*model.state_dict().values(), x.grad.data])
    for a, b in zip(*states, strict=True):
        np.testing.assert_array_equal(a, b)
