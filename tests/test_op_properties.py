"""Operations over random shapes, axes, indices and options, against NumPy, loops and differences."""

from typing import Any

import numpy as np
import op_cases
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigen as mg
from minigen.autograd.verify.gradcheck import gradcheck
from minigen.autograd.verify.sample import Sample

few = settings(max_examples=25, deadline=None, derandomize=True, database=None)


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
    pieces = mg.split(mg.flip(inner, axis), 1, axis)
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


# ---------------------------------------------------------------- choosing and moving


@few
@given(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4), st.data())
def test_gather_and_scatter_add_are_adjoint(shape: tuple[int, ...], data: st.DataObject):
    """<gather(x, i), y> = <x, scatter_add(0, i, y)>, and both agree with NumPy's take_along_axis."""
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    lengths = [data.draw(st.integers(0, n)) for n in shape]
    lengths[axis] = data.draw(st.integers(0, 5))
    index = data.draw(hnp.arrays(np.int64, tuple(lengths), elements=st.integers(0, shape[axis] - 1)))
    x, y = data.draw(floats(shape)), data.draw(floats(tuple(lengths)))
    there = mg.gather(x, axis, index)
    cut = x[tuple(slice(None) if i == axis % len(shape) else slice(n) for i, n in enumerate(lengths))]
    np.testing.assert_array_equal(there.data, np.take_along_axis(cut, index, axis))
    back = mg.scatter_add(np.zeros(shape), axis, index, y)
    np.testing.assert_allclose((there.data * y).sum(), (back.data * x).sum(), atol=1e-10)


@few
@given(arrays, st.data())
def test_moving_and_repeating_as_in_numpy(x: np.ndarray, data: st.DataObject):
    axis: Any = data.draw(st.integers(-x.ndim, x.ndim - 1)) if x.ndim else None
    shift, times = data.draw(st.integers(-5, 5)), data.draw(st.integers(0, 3))
    reps = tuple(data.draw(st.lists(st.integers(0, 2), max_size=4)))
    pairs = [(mg.roll(x, shift, axis), np.roll(x, shift, axis)), (mg.tile(x, reps), np.tile(x, reps))]
    pairs += [(mg.repeat_interleave(x, times, axis), np.repeat(x, times, axis))]
    if x.ndim:
        pairs += [(mg.moveaxis(x, axis, 0), np.moveaxis(x, axis, 0)), (mg.sort(x, axis)[0], np.sort(x, axis))]
        pairs += [(mg.concatenate(mg.chunk(x, times + 1, axis), axis), x)]
    if x.ndim > 1:
        pairs += [(mg.tril(x, shift), np.tril(x, shift)), (mg.diagonal(x, shift), np.diagonal(x, shift))]
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours.data, theirs, strict=True)


@few
@given(hnp.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=5), st.data())
def test_products_with_any_zeros(shape: tuple[int, ...], data: st.DataObject):
    x = data.draw(hnp.arrays(np.float64, shape, elements=st.sampled_from([-2.0, -0.5, 0.0, 1.0, 3.0])))
    axis = data.draw(st.integers(0, len(shape) - 1))
    np.testing.assert_allclose(mg.prod(x, axis).data, x.prod(axis), strict=True)
    np.testing.assert_allclose(mg.cumprod(x, axis).data, np.cumprod(x, axis), strict=True)
    t = mg.tensor(x, requires_grad=True)
    (g,) = mg.grad(mg.prod(t, axis).sum(), t)
    for i in np.ndindex(shape):
        others = np.delete(x, i[axis], axis).prod(axis)
        assert g.data[i] == others[tuple(n for k, n in enumerate(i) if k != axis)]
