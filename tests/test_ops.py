"""Every operation against its oracle, its own differences, and PyTorch: values, dtypes, gradients of order 1 and 2."""

from functools import cache
from typing import Any

import numpy as np
import op_cases
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigen as mg
from minigen.autograd import ops
from minigen.autograd.function import Function, FusedFunction
from minigen.autograd.gradcheck import gradcheck
from minigen.autograd.samples import SAMPLES, Sample
from minigen.autograd.verification import verify

NOT_DIFFERENTIABLE = {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"}
NO_SAMPLE = {"astype"}  # leaves float64, where differences work; tested in test_dtypes below
SMALL = [case for case in SAMPLES if sum(array.size for array in case.arrays(mg.random.generator(0))) <= 30]

few = settings(max_examples=25, deadline=None, derandomize=True, database=None)
each_case = pytest.mark.parametrize("case", SAMPLES, ids=lambda case: case.name)


def rng() -> np.random.Generator:
    return mg.random.generator(7)


def outputs(case: Sample, inputs: list[Any]) -> list[mg.Tensor]:
    y = case.call(*inputs)
    return list(y) if isinstance(y, (list, tuple)) else [y]


def assert_close(actual: Any, expected: Any, tolerance: float) -> None:
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * scale)


# ---------------------------------------------------------------- every operation has its cases


def test_every_operation_has_a_sample_and_an_oracle():
    public = {name for name in ops.__all__ if name.islower()} - NOT_DIFFERENTIABLE - NO_SAMPLE
    sampled = {case.operation for case in SAMPLES}
    assert sampled == public
    assert sampled == set(op_cases.ORACLES)


def test_every_operation_is_exported():
    assert [name for name in ops.__all__ if not hasattr(mg, name)] == []


def test_sample_names_are_distinct():
    names = [case.name for case in SAMPLES]
    assert len(set(names)) == len(names)


def test_every_node_of_the_operations_is_reached():
    """No Function is left that no sample runs, forward or at second order."""
    reached: set[str] = set()
    for case in SAMPLES:
        xs = case.tensors(rng())
        inputs = [x for x in xs if isinstance(x, mg.Tensor)]
        ys = [y for y in outputs(case, xs) if y.requires_grad]
        gys = [mg.tensor(np.ones(y.shape), requires_grad=True) for y in ys]
        first = [g for g in mg.grad(ys, inputs, gys, create_graph=True, allow_unused=True) if g is not None]
        reached |= names_behind([*ys, *first])
        second = [g for g in first if g.requires_grad]
        ggs = [mg.tensor(np.ones(g.shape), requires_grad=True) for g in second]
        third = mg.grad(second, [*inputs, *gys], ggs, create_graph=True, allow_unused=True) if second else ()
        reached |= names_behind([g for g in third if g is not None])
    assert {kind.__name__ for kind in kinds_of(Function)} - reached == {"AsType"}


def names_behind(tensors: list[mg.Tensor]) -> set[str]:
    stack, seen = [x.node for x in tensors if x.node is not None], {}
    while stack:
        node = stack.pop()
        if isinstance(node, Function) and id(node) not in seen:
            seen[id(node)] = node
            stack.extend(node.edges)
    return {node.name for node in seen.values()}


def kinds_of(base: type) -> set[type]:
    """Subclasses of `base` defined in minigen that are operations, not bases of others."""
    found = set()
    for kind in base.__subclasses__():
        found |= kinds_of(kind)
        if not kind.__subclasses__() and kind.__module__.startswith("minigen.autograd.ops"):
            found.add(kind)
    return found


# ---------------------------------------------------------------- values, dtypes, gradients


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 2e-5)])
@each_case
def test_forward(case: Sample, dtype: Any, tolerance: float):
    arrays = case.arrays(rng(), dtype)
    before = [array.copy() for array in arrays]
    ys = outputs(case, arrays)
    expected = op_cases.oracle(case, [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays])
    assert [(y.shape, y.dtype) for y in ys] == [(e.shape, dtype) for e in expected]
    for y, e in zip(ys, expected, strict=True):
        assert_close(y.data, e, tolerance)
    for array, original in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, original)


@each_case
def test_gradients(case: Sample):
    assert gradcheck(case.call, case.tensors(rng()))


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_gradients_full(case: Sample):
    assert gradcheck(case.call, case.tensors(rng()), mode="full")


@each_case
def test_gradient_dtype(case: Sample):
    xs = case.tensors(rng(), np.float32)
    ys = [y for y in outputs(case, xs) if y.requires_grad]
    inputs = [x for x in xs if isinstance(x, mg.Tensor)]
    gradients = mg.grad(ys, inputs, [mg.tensor(np.ones(y.shape, np.float32)) for y in ys], allow_unused=True)
    assert [(g.shape, g.dtype) for g in gradients if g is not None] == [(x.shape, np.float32) for x in inputs]


@each_case
def test_memory_layout_does_not_matter(case: Sample):
    def laid_out(array: np.ndarray) -> np.ndarray:
        """First axis backwards, last axis with gaps, order of the axes reversed."""
        wide = np.zeros((2, *array.shape[::-1]), array.dtype)
        view = wide[0].T[::-1] if array.ndim else wide[0, ...]
        view[...] = array
        return view

    def run(change: Any) -> tuple[list[Any], list[Any]]:
        made = zip(case.arrays(rng()), case.differentiable(), strict=True)
        xs = [mg.Tensor(change(a), requires_grad=True) if wanted else change(a) for a, wanted in made]
        ys = [y for y in outputs(case, xs) if y.requires_grad]
        gys = [mg.Tensor(change(np.cos(np.arange(y.size)).reshape(y.shape))) for y in ys]
        return ys, list(mg.grad(ys, [x for x in xs if isinstance(x, mg.Tensor)], gys, allow_unused=True))

    for actual, expected in zip(run(laid_out), run(lambda a: a), strict=True):
        for a, e in zip(actual, expected, strict=True):
            assert_close(a.data, e.data, 1e-12)


FUSED = {
    "elu": {"ELU"},
    "gelu": {"GELU"},
    "cross_entropy": {"CrossEntropy"},
    "binary_cross_entropy": {"BCE"},
    "binary_cross_entropy_with_logits": {"BCEWithLogits"},
    "batch_norm": {"BatchNorm", "BatchNormInference"},
    "layer_norm": {"LayerNorm"},
}


def test_every_fused_operation_is_compared():
    assert {kind.__name__ for kind in kinds_of(FusedFunction)} == set().union(*FUSED.values())


@pytest.mark.parametrize("case", [case for case in SAMPLES if case.operation in FUSED], ids=lambda case: case.name)
def test_fused_kernel_equals_its_composition(case: Sample):
    xs = case.tensors(rng())
    y = case.call(*xs)
    node = y.node
    assert isinstance(node, FusedFunction)
    assert node.name in FUSED[case.operation]
    inputs = [x if isinstance(x, mg.Tensor) else mg.tensor(x) for x in xs[: len(node.needs)]]
    composed = node.compose(*inputs)
    assert_close(y.data, composed.data, 1e-12)
    gy = mg.tensor(np.cos(np.arange(y.size)).reshape(y.shape))
    wanted = [x for x in inputs if x.requires_grad]
    for fused, primitive in zip(mg.grad(y, wanted, gy), mg.grad(composed, wanted, gy), strict=True):
        assert fused is not None
        assert primitive is not None
        assert_close(fused.data, primitive.data, 1e-12)


def test_verification_covers_all_and_passes():
    rows = verify([case for case in SAMPLES if case.operation in ("add", "getitem", "batch_norm")])
    assert [row.operation for row in rows] == ["add", "getitem", "batch_norm"]
    assert all(row.passed and 0 < max(row.errors) < 1e-8 and row.samples > 1 for row in rows)


# ---------------------------------------------------------------- PyTorch


@cache
def torch_and_twins() -> tuple[Any, dict[str, Any]]:
    torch = pytest.importorskip("torch")
    return torch, op_cases.twins(torch)


# 1e-10 and 1e-4 are relative to the largest entry of each array: single entries near zero come from cancellation.
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-4)])
@each_case
def test_parity_with_torch(case: Sample, dtype: Any, tolerance: float):
    torch, twins = torch_and_twins()
    ours = case.tensors(rng(), dtype)
    theirs = [torch.tensor(np.array(x.data if isinstance(x, mg.Tensor) else x)) for x in ours]
    for x, t in zip(ours, theirs, strict=True):
        t.requires_grad_(isinstance(x, mg.Tensor))
    twin = twins.get(case.operation)
    expected = twin(*theirs, **case.options) if twin else None
    if expected is None:
        return  # PyTorch has no such operation, or option
    expected = list(expected) if isinstance(expected, (list, tuple)) else [expected]
    ys = outputs(case, ours)
    gys = [rng().normal(size=y.shape).astype(dtype) for y in ys]
    for y, e in zip(ys, expected, strict=True):
        assert_close(y.data, e.detach().numpy(), tolerance)
    if not ys[0].requires_grad:
        return
    inputs = [x for x in ours if isinstance(x, mg.Tensor)]
    gradients = mg.grad(ys, inputs, [mg.tensor(gy) for gy in gys])
    torch.autograd.backward(expected, [torch.tensor(gy) for gy in gys])
    for g, t in zip(gradients, [t for t in theirs if t.requires_grad], strict=True):
        assert g is not None
        assert_close(g.data, t.grad.numpy(), tolerance)


# ---------------------------------------------------------------- dtypes


@pytest.mark.parametrize("number", [2, 0.5, True, np.float64(0.5), np.int64(2)], ids=repr)
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "power", "maximum", "minimum"])
@pytest.mark.parametrize("swapped", [False, True])
def test_numbers_take_the_dtype_of_the_tensor(name: str, number: Any, swapped: bool):
    for dtype in (np.float32, np.float64):
        x = mg.tensor(np.array([1.0, 2.0], dtype), requires_grad=True)
        y = getattr(mg, name)(*((number, x) if swapped else (x, number)))
        assert y.dtype == dtype
        y.sum().backward()
        assert x.grad is not None
        assert x.grad.dtype == dtype
        a, b = (number, x.data.astype(float)) if swapped else (x.data.astype(float), number)
        assert_close(y.data, getattr(np, name)(a, float(b) if b is number else b), 1e-7)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (lambda x: x.clip(np.float64(0.0), np.float64(1.0)), np.float32),
        (lambda x: mg.leaky_relu(x, np.float64(0.2)), np.float32),
        (lambda x: mg.elu(x, np.float64(0.2)), np.float32),
        (lambda x: x ** np.float64(1.5), np.float32),
        (lambda x: mg.pad(x, 1, np.float64(2.0)), np.float32),
        (lambda x: mg.huber_loss(x, x * 2, np.float64(0.3)), np.float32),
        (lambda x: mg.where(x > 0, x, 1.0), np.float32),
        (lambda x: x * mg.tensor([1, 2, 3]), np.float32),
        (lambda x: x * mg.tensor(np.ones(3)), np.float64),
        (lambda x: mg.concatenate([x, mg.tensor(np.ones(3))]), np.float64),
        (lambda x: mg.tensor([1, 2, 3]) * 2, np.int64),
        (lambda x: mg.tensor([1, 2, 3]) * 0.5, np.float32),
        (lambda x: mg.tensor([1, 2, 3]) / 2, np.float32),
        (lambda x: mg.mean(mg.tensor([1, 2, 3])), np.float32),
        (lambda x: mg.sum(mg.tensor([True, True])), np.int64),
        (lambda x: 1 - mg.tensor([True, False]), np.int64),
    ],
)
def test_result_dtype(operation: Any, expected: Any):
    assert operation(mg.tensor([0.5, -1.0, 2.0], dtype=np.float32)).dtype == expected


def test_astype_carries_the_gradient_between_floats():
    x = mg.tensor(np.array([1.0, 2.0], np.float32), requires_grad=True)
    y = x.astype(np.float64)
    (y * y).sum().backward()
    assert x.grad is not None
    assert (y.dtype, x.grad.dtype, x.grad.tolist()) == (np.float64, np.float32, [2.0, 4.0])
    assert not x.astype(np.int64).requires_grad
    assert x.astype(np.float32) is x


def test_a_python_float_is_not_rounded_on_its_way_into_float64():
    assert mg.tensor(0.1, dtype=np.float64).item() == 0.1
    assert mg.multiply(np.array([1.0]), 0.1).item() == 0.1
    x = mg.tensor(np.zeros(1))
    x[0] = 0.1
    assert x.item() == 0.1


# ---------------------------------------------------------------- values at the edges


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (lambda: mg.sigmoid(mg.tensor([-1e4, 1e4])), [0.0, 1.0]),
        (lambda: mg.softplus(mg.tensor([-1e4, 1e4])), [0.0, 1e4]),
        (lambda: mg.logsumexp(mg.tensor([1e4, 1e4])), 1e4 + np.log(2)),
        (lambda: mg.logsumexp(mg.tensor([-np.inf, -np.inf])), -np.inf),
        (lambda: mg.softmax(mg.tensor([1e4, 0.0, -1e4])), [1.0, 0.0, 0.0]),
        (lambda: mg.log_softmax(mg.tensor([1e4, 0.0])), [0.0, -1e4]),
        (lambda: mg.binary_cross_entropy_with_logits(mg.tensor([1e4, -1e4]), [1.0, 1.0], reduction="none"), [0, 1e4]),
        (lambda: mg.cross_entropy(mg.tensor([[1e4, 0.0]]), [1]), 1e4),
        (lambda: mg.binary_cross_entropy(mg.tensor([0.0, 1.0]), [0.0, 0.0], reduction="none"), [0.0, 100.0]),
        (lambda: mg.sum(mg.tensor(np.zeros((0, 3), np.float32)), 0), [0.0, 0.0, 0.0]),
        (lambda: mg.min(mg.tensor(np.array([0, 3], np.uint8))), 0),
        (lambda: mg.max(mg.tensor([False, True])), True),
        (lambda: mg.log(mg.tensor([0.0])), [-np.inf]),
        (lambda: mg.sqrt(mg.tensor([-1.0])), [np.nan]),
        (lambda: mg.relu(mg.tensor([np.nan, -1.0])), [np.nan, 0.0]),
        (lambda: mg.max(mg.tensor([np.nan, 1.0])), np.nan),
        (lambda: mg.tensor([True, False]) * 3, [3, 0]),
        (lambda: mg.tensor([True, False]) + 2, [3, 2]),
    ],
)
def test_extreme_values(y: Any, expected: Any):
    np.testing.assert_allclose(y().data, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (mg.relu, [0.0], [0.0]),
        (mg.abs, [0.0], [0.0]),
        (lambda x: mg.leaky_relu(x, 0.2), [0.0], [0.2]),
        (lambda x: mg.clip(x, 0.0, 1.0), [0.0, 1.0, 2.0], [1.0, 1.0, 0.0]),
        (lambda x: mg.max(x), [1.0, 1.0, 0.0], [0.5, 0.5, 0.0]),
        (lambda x: mg.maximum(x, 1.0), [1.0, 2.0], [0.5, 1.0]),
        (lambda x: x**0, [0.0], [0.0]),
        (lambda x: x**2, [0.0], [0.0]),
        (lambda x: x**1, [0.0], [1.0]),
        (lambda x: mg.power(x, mg.tensor([0.0, 1.0, 2.0])), [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]),
        (lambda x: mg.sigmoid(x), [1e4, -1e4], [0.0, 0.0]),
        (lambda x: mg.max_pool2d(mg.reshape(x, (1, 2, 2, 1)), 2), [3.0, 3.0, 1.0, 2.0], [1.0, 0.0, 0.0, 0.0]),
    ],
)
def test_gradient_at_special_points(function: Any, x: list[float], expected: list[float]):
    t = mg.tensor(x, requires_grad=True)
    function(t).sum().backward()
    assert t.grad is not None
    np.testing.assert_allclose(t.grad.data, expected, atol=1e-7)


def test_where_keeps_its_condition():
    mask, x = np.array([True, False]), mg.tensor([1.0, 2.0], requires_grad=True)
    y = mg.where(mask, x, 0.0)
    mask[:] = False
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 0.0]


# ---------------------------------------------------------------- properties over random shapes


def floats(shape: Any, low: float = -3.0, high: float = 3.0) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float64, shape, elements=st.floats(low, high))


shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3)
arrays = shapes.flatmap(floats)


@few
@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3), st.data())
def test_broadcasting(both: Any, data: st.DataObject):
    a, b = (data.draw(floats(shape)) for shape in both.input_shapes)
    for name in ("add", "subtract", "multiply", "maximum"):
        y = getattr(mg, name)(a, b)
        assert y.shape == both.result_shape
        np.testing.assert_array_equal(y.data, getattr(np, name)(a, b))
    ta, tb = mg.tensor(a, requires_grad=True), mg.tensor(b, requires_grad=True)
    (ta * tb).sum().backward()
    assert ta.grad is not None
    assert tb.grad is not None
    np.testing.assert_allclose(ta.grad.data, count_into(b, ta.shape, both.result_shape), atol=1e-12)
    np.testing.assert_allclose(tb.grad.data, count_into(a, tb.shape, both.result_shape), atol=1e-12)


def count_into(array: np.ndarray, shape: tuple[int, ...], result: tuple[int, ...]) -> np.ndarray:
    """`array` broadcast to `result`, each element added to the one of `shape` that it meets."""
    total = np.zeros(shape)
    places = np.broadcast_to(np.arange(total.size).reshape(shape), result)
    np.add.at(total.reshape(-1), places.ravel(), np.broadcast_to(array, result).ravel())
    return total


@few
@given(arrays, st.data())
def test_reductions_over_any_axes(x: np.ndarray, data: st.DataObject):
    axes = data.draw(st.none() | st.sets(st.integers(0, x.ndim - 1)).map(tuple) if x.ndim else st.none())
    keepdims = data.draw(st.booleans())
    for name in ("sum", "mean", "var", "max", "min"):
        y = getattr(mg, name)(x, axes, keepdims)
        np.testing.assert_allclose(y.data, getattr(np, name)(x, axis=axes, keepdims=keepdims), atol=1e-12, strict=True)
    gradcheck(lambda t: mg.logsumexp(t, axes, keepdims) + mg.mean(t, axes, keepdims), mg.tensor(x, requires_grad=True))


@few
@given(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4), st.data())
def test_indexing_of_any_kind(shape: tuple[int, ...], data: st.DataObject):
    index: Any = data.draw(
        hnp.basic_indices(shape, allow_newaxis=True)
        | hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=4))
        | hnp.arrays(bool, shape)
    )
    x = np.arange(float(np.prod(shape))).reshape(shape)
    t = mg.tensor(x, requires_grad=True)
    y = t[index]
    np.testing.assert_array_equal(y.data, x[index])
    assume(y.size > 0)
    (y * y).sum().backward()
    expected = np.zeros(shape)
    np.add.at(expected, index, 2 * x[index])
    assert t.grad is not None
    np.testing.assert_array_equal(t.grad.data, expected)


@few
@given(arrays.filter(lambda x: x.ndim > 0), st.data())
def test_moving_elements_and_back(x: np.ndarray, data: st.DataObject):
    t = mg.tensor(x, requires_grad=True)
    axes = data.draw(st.permutations(range(x.ndim)))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    there = mg.transpose(t, axes)
    widths = data.draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=x.ndim, max_size=x.ndim))
    padded = mg.pad(there, widths)
    np.testing.assert_array_equal(padded.data, np.pad(x.transpose(axes), widths))
    inner = padded[tuple(slice(a, a + n) for (a, _), n in zip(widths, there.shape, strict=True))]
    pieces = mg.split(mg.flip(inner, axis), there.shape[axis], axis)
    back = mg.transpose(mg.flip(mg.concatenate(pieces, axis), axis), np.argsort(axes).tolist())
    np.testing.assert_array_equal(back.data, x)
    (back * t).sum().backward()
    assert t.grad is not None
    np.testing.assert_allclose(t.grad.data, 2 * x)


@few
@given(st.data())
def test_matmul_of_any_batch_shapes(data: st.DataObject):
    signature = np.matmul.signature
    assert signature is not None
    both = data.draw(hnp.mutually_broadcastable_shapes(signature=signature, max_dims=2, max_side=3))
    a, b = (data.draw(floats(shape)) for shape in both.input_shapes)
    y = mg.matmul(a, b)
    np.testing.assert_allclose(y.data, np.matmul(a, b), atol=1e-12, strict=True)
    gradcheck(mg.matmul, [mg.tensor(a, requires_grad=True), mg.tensor(b, requires_grad=True)], order=1)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Sample, Any]:
    """A conv2d call with options that fit, and its arrays."""
    kernel, stride, dilation, padding = ((draw(st.integers(low, 3)), draw(st.integers(low, 3))) for low in (1, 1, 1, 0))
    groups, cin, cout = (draw(st.integers(1, 2)) for _ in range(3))
    h, w = (d * (k - 1) + draw(st.integers(1, 4)) for k, d in zip(kernel, dilation, strict=True))
    x_shape, w_shape = (draw(st.integers(1, 2)), h, w, cin * groups), (*kernel, cin, cout * groups)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    seed = draw(st.integers(0, 1000))
    made = mg.random.generator(seed)
    return Sample("conv2d", (), options), [made.normal(size=x_shape), made.normal(size=w_shape)]


@few
@given(convolutions())
def test_convolution_of_any_size(drawn: Any):
    case, (x, w) = drawn
    y = case.call(x, w)
    (expected,) = op_cases.oracle(case, [x, w])
    np.testing.assert_allclose(y.data, expected, atol=1e-10, strict=True)
    inputs = [mg.tensor(x, requires_grad=True), mg.tensor(w, requires_grad=True)]
    gradcheck(case.call, inputs)


@few
@given(convolutions())
def test_transposed_convolution_is_the_adjoint(drawn: Any):
    """<conv(x), y> = <x, conv_transpose(y)> with the same weights."""
    case, (x, w) = drawn
    forward = case.call(x, w)
    y = np.cos(np.arange(forward.size)).reshape(forward.shape)
    options = dict(case.options)
    sizes = zip(x.shape[1:3], options["padding"], options["dilation"], w.shape, options["stride"], strict=False)
    left_over = tuple((h + 2 * p - d * (k - 1) - 1) % s for h, p, d, k, s in sizes)
    back = mg.conv_transpose2d(y, w, output_padding=left_over, **options)
    assert back.shape == x.shape
    np.testing.assert_allclose((forward.data * y).sum(), (back.data * x).sum(), atol=1e-9)


@few
@given(hnp.array_shapes(min_dims=4, max_dims=4, min_side=1, max_side=5), st.data())
def test_pooling_of_any_size(shape: tuple[int, ...], data: st.DataObject):
    kernel = tuple(data.draw(st.integers(1, min(3, n))) for n in shape[1:3])
    options = {
        "kernel_size": kernel,
        "stride": tuple(data.draw(st.integers(1, 3)) for _ in range(2)),
        "padding": tuple(data.draw(st.integers(0, k // 2)) for k in kernel),
    }
    x = mg.random.generator(data.draw(st.integers(0, 1000))).permutation(int(np.prod(shape))).reshape(shape) * 1.0
    for name in ("max_pool2d", "avg_pool2d"):
        case = Sample(name, (), options)
        np.testing.assert_allclose(case.call(x).data, op_cases.oracle(case, [x])[0], atol=1e-10, strict=True)
        gradcheck(case.call, mg.tensor(x, requires_grad=True))
