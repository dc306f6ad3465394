"""Operations on images and their neighbours where samples of floats say nothing: dtypes, NaN, ties, draws, adjoints."""

from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen.errors import ArgumentError, DTypeError, ShapeError

untyped: Any = mg  # as wrong types are the point


def rng() -> np.random.Generator:
    return mg.random.generator(0)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("dtype", [np.int64, np.bool_, np.uint8, np.float64])
def test_padding_keeps_the_dtype(mode: str, dtype: Any):
    x = np.array([[1, 0, 1], [0, 1, 1]]).astype(dtype)
    y = mg.pad(x, ((0, 0), (1, 2)), mode=mode)
    names = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    np.testing.assert_array_equal(y.data, np.pad(x, ((0, 0), (1, 2)), names[mode]), strict=True)  # pyright: ignore


def test_the_first_of_equal_values_takes_the_gradient_of_adaptive_max_pooling():
    x = mg.tensor(np.zeros((1, 3, 5, 1)), requires_grad=True)
    mg.adaptive_max_pool2d(x, (1, 2)).sum().backward()
    assert x.grad is not None
    assert np.argwhere(x.grad.data[0, :, :, 0]).tolist() == [[0, 0], [0, 2]]


def test_a_nan_stays_visible():
    x = np.ones((1, 5, 5, 1))
    x[0, 0, 0] = np.nan
    assert np.isnan(mg.adaptive_max_pool2d(x, 2).data).sum() == 1
    for y in (mg.adaptive_avg_pool2d(x, 2), mg.resize(x, 7, mode="bilinear"), mg.resize(x, 7), mg.unfold(x, 2)):
        assert np.isnan(y.data).any()


def test_a_hard_gumbel_softmax_is_one_hot_with_the_soft_gradient():
    logits = mg.tensor(rng().normal(size=(4, 3)), requires_grad=True)
    weights = np.arange(3.0)
    soft, hard = (mg.gumbel_softmax(logits, 0.7, hard, rng=rng()) for hard in (False, True))
    np.testing.assert_allclose(hard.data, np.eye(3)[soft.data.argmax(1)], atol=1e-15)
    (a,), (b,) = mg.grad((soft * weights).sum(), [logits]), mg.grad((hard * weights).sum(), [logits])
    np.testing.assert_allclose(a.data, b.data)


def test_gumbel_softmax_draws_each_class_as_often_as_its_probability():
    logits = np.log(np.array([0.2, 0.5, 0.3]))
    drawn = mg.gumbel_softmax(np.tile(logits, (20_000, 1)), hard=True, rng=rng()).data.mean(0)
    np.testing.assert_allclose(drawn, [0.2, 0.5, 0.3], atol=0.015)


def test_dropout2d_drops_whole_channels():
    y = mg.dropout2d(np.ones((50, 3, 4, 8), np.float32), 0.25, rng()).data
    channels = y.reshape(50, 12, 8)
    assert (channels == channels[:, :1]).all() and set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((channels[:, 0] == 0).mean() - 0.25) < 0.06


def test_unfold_times_a_kernel_is_the_convolution():
    x, w = rng().normal(size=(2, 5, 6, 3)), rng().normal(size=(2, 3, 3, 4))
    y = mg.conv2d(x, w, stride=(2, 1), padding=1, dilation=(1, 2))
    rows = mg.unfold(x, (2, 3), dilation=(1, 2), padding=1, stride=(2, 1)) @ w.reshape(-1, 4)
    np.testing.assert_allclose(rows.data.reshape(y.shape), y.data, atol=1e-12)


def test_unshuffling_undoes_shuffling():
    x = rng().normal(size=(2, 3, 2, 12))
    np.testing.assert_array_equal(mg.pixel_unshuffle(mg.pixel_shuffle(x, 2), 2).data, x)


def test_the_padding_row_of_a_table_gets_no_gradient_at_any_order():
    table = mg.tensor(rng().normal(size=(4, 2)), requires_grad=True)
    rows = mg.embedding(np.array([1, -1 + 4, 1]), table, padding_idx=-1)
    (first,) = mg.grad((rows**3).sum(), [table], create_graph=True)
    (second,) = mg.grad(first.sum(), [table])
    assert not first.data[3].any() and not second.data[3].any()
    np.testing.assert_allclose(first.data[1], 6 * table.data[1] ** 2)
    np.testing.assert_allclose(second.data[1], 12 * table.data[1])


def x(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mg.conv1d(x(2, 5), x(3, 1, 1)), ShapeError, r"conv1d: x is \(2, 5\); .* add the batch axis"),
        (
            lambda: mg.conv1d(x(2, 5, 3), x(3, 2, 1)),
            ShapeError,
            r"conv1d: x has 3 channels, .* expects 2; .*N, T, C",
        ),
        (lambda: mg.conv1d(x(2, 5, 2), x(3, 2)), ShapeError, r"conv1d: w is \(3, 2\); weights have 3 axes, \(K, "),
        (lambda: mg.conv1d(x(2, 5, 2), x(3, 2, 4), x(3)), ShapeError, r"conv1d: bias is \(3,\)"),
        (lambda: mg.conv1d(x(2, 5, 2), x(3, 2, 4), groups=3), ShapeError, "conv1d: 3 groups do not divide"),
        (lambda: mg.conv1d(x(2, 5, 2), x(3, 2, 4), padding="full"), ArgumentError, "conv1d: padding is 'full'"),
        (lambda: mg.conv3d(x(2, 5, 5, 2), x(3, 3, 3, 2, 4)), ShapeError, r"conv3d: x is .* 5 axes, \(N, D, H, W, C\)"),
        (lambda: mg.conv3d(x(1, 5, 5, 5, 2), x(1, 1, 1, 2, 4), stride=(1, 1)), ArgumentError, "one number or three"),
        (lambda: mg.conv_transpose1d(x(2, 5, 2), x(3, 4, 3)), ShapeError, "conv_transpose1d: x has 2 .* expects 3"),
        (lambda: mg.group_norm(x(2, 3), 2), ShapeError, r"group_norm: 2 groups do not divide the 3 channels"),
        (lambda: mg.group_norm(x(2, 4), 2, x(3)), ShapeError, r"group_norm: weight is \(3,\), but x"),
        (lambda: mg.rms_norm(x(2, 4), eps=-1.0), ArgumentError, "rms_norm: eps is -1.0"),
        (lambda: mg.prelu(x(2, 4), x(2)), ShapeError, r"prelu: weight is \(2,\) and x \(2, 4\); pass one slope, or"),
        (lambda: mg.resize(x(1, 2, 2, 1), 3, 2.0), ArgumentError, "resize: pass either size or scale_factor"),
        (lambda: mg.resize(x(1, 2, 2, 1), (3, 2, 1)), ArgumentError, r"resize: size is \(3, 2, 1\)"),
        (lambda: mg.resize(x(1, 2, 2, 1), scale_factor=0.1), ArgumentError, r"leaves nothing of \(2, 2\)"),
        (lambda: mg.resize(x(2, 2), 3), ShapeError, "resize: x is .* four axes"),
        (lambda: mg.pad(x(3), 1, "reflect"), ArgumentError, "pad: value is 'reflect'; pass the mode by its name"),  # pyright: ignore[reportArgumentType]
        (lambda: mg.pad(x(3), 1, mode="edge"), ArgumentError, "pad: mode is 'edge'; use 'constant', 'reflect'"),
        (lambda: mg.pad(x(1), 1, mode="reflect"), ShapeError, "where only 0 can be copied"),
        (lambda: mg.pad(x(0), 1, mode="replicate"), ShapeError, "where only 0 can be copied"),
        (lambda: mg.fold(x(1, 4), 3, 2), ShapeError, r"fold: x is \(1, 4\); images of \(3, 3\) have 2 · 2 windows"),
        (lambda: mg.embedding([0], x(3, 2), padding_idx=True), ArgumentError, "embedding: padding_idx is True"),
        (lambda: mg.gumbel_softmax(x(2), 0, rng=rng()), ArgumentError, "gumbel_softmax: tau is 0"),
        (lambda: untyped.gumbel_softmax(x(2), rng=3), DTypeError, "gumbel_softmax: rng is int"),
        (lambda: mg.max_pool1d(x(2, 5, 1), 3, padding=2), ArgumentError, "max_pool1d: padding 2 is more than half"),
        (lambda: mg.avg_pool1d(x(2, 2, 1), 3), ShapeError, "avg_pool1d: a window of 3 does not fit"),
    ],
)
def test_errors(call: Any, error: Any, message: str):
    with pytest.raises(error, match=message):
        call()


def test_nearest_rows_are_those_of_pytorch_where_the_ratio_is_rounded():
    torch = pytest.importorskip("torch")
    for old, new in ((2, 82), (2, 98), (4, 94), (7, 110), (29, 113)):
        image = np.arange(old, dtype=np.float32).reshape(1, old, 1, 1)
        expected = torch.nn.functional.interpolate(torch.from_numpy(image.transpose(0, 3, 1, 2)), size=(new, 1))
        np.testing.assert_array_equal(mg.resize(image, size=(new, 1)).data.ravel(), expected.numpy().ravel())
