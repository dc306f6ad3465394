"""Bad options and bad inputs of layers: one error that names the layer and the mend."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.errors import ArgumentError, DTypeError, MinigenError, ShapeError

untyped: Any = layers  # as wrong types are the point


def layer(kind: Any, *args: Any, **options: Any) -> Callable[[], layers.Module]:
    return functools.partial(kind, *args, **options, rng=mg.random.generator(0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (layer(layers.Linear, 0, 3), "Linear: in_features is 0; use a whole number ≥ 1"),
        (layer(layers.Linear, 3, 2.0), "Linear: out_features is 2.0"),
        (layer(layers.Conv2d, 1, 64, 0), "Conv2d: kernel_size is 0"),
        (layer(layers.Conv2d, 1, 64, (3, 3, 3)), r"Conv2d: kernel_size is \(3, 3, 3\); use one number or a pair"),
        (layer(layers.Conv2d, 1, 64, 3, padding="Same"), "Conv2d: padding is 'Same'; .*\"same\""),
        (layer(layers.Conv2d, 1, 64, 3, padding=-1), "Conv2d: padding is -1; use a whole number ≥ 0"),
        (
            layer(layers.ConvTranspose2d, 1, 64, 3, output_padding=7),
            r"ConvTranspose2d: output_padding \(7, 7\) must be",
        ),
        (layer(layers.ConvTranspose2d, 1, 64, 3, 2, "same", 1), 'ConvTranspose2d: padding="same" fixes the output'),
        (layer(layers.Conv2d, 1, 64, 3, stride=0), "Conv2d: stride is 0"),
        (layer(layers.Conv2d, 4, 6, 3, groups=3), "Conv2d: in_channels 4 can not be cut into 3 groups"),
        (layer(layers.ConvTranspose2d, 6, 4, 3, groups=3), "ConvTranspose2d: out_channels 4 can not be cut"),
        (layer(layers.Dropout, 1.1), "Dropout: p is 1.1; use a finite number from 0 to 1"),
        (layer(layers.Dropout, "a"), "Dropout: p is 'a'"),
        (lambda: untyped.LeakyReLU("a"), "LeakyReLU: negative_slope is 'a'"),
        (lambda: layers.ELU(float("nan")), "ELU: alpha is nan"),
        (lambda: layers.MaxPool2d(2, padding=9), r"MaxPool2d: padding \(9, 9\) is more than half"),
        (layer(layers.Embedding, 0, 3), "Embedding: num is 0"),
        (lambda: layers.BatchNorm(0), "BatchNorm: num_features is 0"),
        (lambda: layers.BatchNorm(3, eps=0.0), "BatchNorm: eps is 0.0"),
        (lambda: layers.BatchNorm(3, momentum=1.5), "BatchNorm: momentum is 1.5"),
        (lambda: layers.LayerNorm(3, eps=-1.0), "LayerNorm: eps is -1.0"),
        (lambda: layers.LeakyReLU(-0.1), "LeakyReLU: negative_slope is -0.1"),
        (lambda: layers.MaxPool2d(0), "MaxPool2d: kernel_size is 0"),
        (lambda: layers.AvgPool2d(2, stride=0), "AvgPool2d: stride is 0"),
        (lambda: layers.Upsample(0), "Upsample: scale_factor is 0"),
        (lambda: layers.Reshape(-1, -1), "Reshape: shape"),
        (lambda: untyped.Reshape((2, "a")), r"Reshape: shape \(2, 'a'\) must be whole numbers"),
        (lambda: untyped.Flatten("a"), "Flatten: start_axis is 'a'"),
        (layer(layers.Conv2d, 1, 2, 3, padding_mode="mirror"), "padding_mode is 'mirror'; use 'zeros', 'reflect'"),
        (layer(layers.Conv2d, 1, 2, 3, 2, "same", padding_mode="reflect"), r"needs stride 1, not \(2, 2\)"),
        (layer(layers.Conv3d, 1, 2, 3, padding=(1, 1)), r"Conv3d: padding is \(1, 1\); use one number or three"),
        (layer(layers.Conv1d, 1, 2, (3, 3)), r"Conv1d: kernel_size is \(3, 3\); use one number"),
        (layer(layers.ConvTranspose1d, 1, 2, 3, output_padding=2), "ConvTranspose1d: output_padding"),
        (layer(layers.Embedding, 3, 2, padding_idx=3), "Embedding: padding_idx is 3; use a row's number, 0 … 2"),
        (layer(layers.Linear, 3, 2, init=3), "init is 3; pass a function"),
        (lambda: layers.GroupNorm(3, 4), "GroupNorm: num_channels 4 can not be cut into 3 groups"),
        (lambda: untyped.LayerNorm((3, 4)), "the last axis alone is normalized; pass its length"),
        (lambda: layers.AdaptiveAvgPool2d(0), "AdaptiveAvgPool2d: output_size is 0"),
        (lambda: layers.Upsample(), "Upsample: pass either size or scale_factor"),
        (lambda: layers.Upsample(2, "linear"), "Upsample: mode is 'linear'; use 'nearest', 'bilinear' or 'bicubic'"),
        (lambda: layers.Upsample(2, align_corners=True), "align_corners has no meaning for mode 'nearest'"),
        (lambda: layers.Pad((1, 2, 3)), r"Pad: padding is \(1, 2, 3\); use one number or a pair"),
        (lambda: layers.Pad(1, "mirror"), "Pad: mode is 'mirror'; use 'constant'"),
        (lambda: untyped.Pad(1, value="a"), "Pad: value is 'a'; use a number"),
        (lambda: layers.MaxPool1d(2, padding=2), r"MaxPool1d: padding \(0, 2\) is more than half"),
        (layer(layers.RNNCell, 2, 2, "gelu"), "RNNCell: nonlinearity is 'gelu'"),
    ],
)
def test_options(make: Callable[[], layers.Module], message: str):
    with pytest.raises(ArgumentError, match=message):
        make()


@pytest.mark.parametrize("kind", [layers.Linear, layers.Embedding, functools.partial(layers.Conv2d, kernel_size=3)])
def test_rng_is_needed(kind: Any):
    with pytest.raises(DTypeError, match=r"rng is int; pass rng=minigen.random.generator\(seed\)"):
        kind(3, 3, rng=0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Linear(3, 4),
        lambda: untyped.Linear(3, 4, mg.random.generator(0)),  # where bias stands
        lambda: layers.Conv1d(1, 2, 3),
        lambda: layers.LSTM(3, 4),
        lambda: layers.GRUCell(3, 4),
        lambda: layers.Dropout2d(0.5),
        lambda: layers.MultiHeadAttention(4, 2),
        lambda: layers.TransformerBlock(4, 2),
        lambda: layers.spectral_norm(layers.PReLU(2)),
        lambda: mg.dropout(np.ones(2), 0.5),
        lambda: mg.gumbel_softmax(np.ones(2)),
    ],
)
def test_a_forgotten_rng_names_the_mend(make: Callable[[], Any]):
    with pytest.raises(DTypeError, match=r"rng was not given; pass rng=np\.random\.default_rng\(0\)"):
        make()


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (layer(layers.Linear, 3, 2), (5, 4), r"Linear\(3, 2\): x \(5, 4\) has 4 on its last axis, expected 3"),
        (layer(layers.Linear, 3, 2), (), "no axes"),
        (
            layer(layers.Conv2d, 1, 8, 3),
            (2, 9, 9, 3),
            r"Conv2d\(1, 8\): .* 3 channels; images are channels-last",
        ),
        (layer(layers.Conv2d, 1, 8, 3), (2, 1, 9, 9), r"turn \(N, C, H, W\) around with x.transpose\(0, 2, 3, 1\)"),
        (layer(layers.Conv2d, 1, 8, 3), (9, 9, 1), r"four axes; add the batch axis with x\[None\]"),
        (layer(layers.ConvTranspose2d, 1, 8, 3), (2, 9), r"ConvTranspose2d\(1, 8\): .* four axes"),
        (lambda: layers.BatchNorm(3), (4, 2), r"BatchNorm\(3\): x \(4, 2\) has 2"),
        (lambda: layers.LayerNorm(3), (4, 2), r"LayerNorm\(3\): x \(4, 2\) has 2"),
        (lambda: layers.Reshape(3, 4), (2, 11), r"Reshape\(3, 4\): an item of x \(2, 11\) has 11 elements"),
        (lambda: layers.Reshape(3, -1), (2, 11), "do not fit"),
        (lambda: layers.Flatten(), (), "Flatten: x has no axes"),
        (lambda: layers.MaxPool2d(2), (4, 4), "max_pool2d"),
        (layer(layers.Conv1d, 3, 8, 3), (2, 3, 9), r"Conv1d\(3, 8\): .* expected \(N, T, 3\); channels are last"),
        (layer(layers.Conv1d, 3, 8, 3), (9, 3), r"Conv1d\(3, 8\): .* add the batch axis with x\[None\]"),
        (layer(layers.Conv1d, 3, 8, 5), (2, 3, 3), r"conv1d: the kernel spans \(5,\)"),
        (layer(layers.Conv3d, 1, 8, 3), (2, 2, 9, 9, 1), r"conv3d: the kernel spans \(3, 3, 3\)"),
        (lambda: layers.GroupNorm(2, 4), (2, 3), r"GroupNorm\(2, 4\): x \(2, 3\) has 3"),
        (lambda: layers.GroupNorm(4, 4), (2, 4), "group_norm: .* one value in each group"),
        (lambda: layers.InstanceNorm(4), (2, 4), "instance_norm: .* one value in each group"),
        (lambda: layers.PReLU(3), (2, 4), r"PReLU\(3\): x \(2, 4\) does not end in 3 channels"),
        (lambda: layers.GLU(), (2, 3), "glu: axis 1 .* odd length"),
        (lambda: layers.AdaptiveMaxPool2d(1), (2, 0, 4, 1), "adaptive_max_pool2d: .* no pixels"),
        (lambda: layers.PixelShuffle(2), (1, 2, 2, 3), "pixel_shuffle: .* 3 channels"),
        (lambda: layers.PixelUnshuffle(2), (1, 3, 2, 3), "pixel_unshuffle: 2 does not divide"),
        (lambda: layers.Unfold(5), (1, 3, 3, 1), r"unfold: a window of \(5, 5\) does not fit"),
        (lambda: layers.Fold(4, 2), (1, 8, 8), r"fold: x is .* so pass \(N, 9, 4 · C\)"),
        (lambda: layers.Pad(4, "circular"), (1, 3, 3, 1), "where only 3 can be copied"),
        (lambda: layers.Pad(1), (3, 3), "Pad: x is .* four axes"),
        (lambda: layers.Flatten(2), (2, 3), "Flatten: x .* has no axes 2 … -1"),
        (layer(layers.GRUCell, 3, 4), (2, 5, 3), r"GRUCell\(3, 4\): .* expected \(N, 3\), one step"),
        (lambda: layers.MaxPool1d(2), (3, 4), "max_pool1d: .* sequences have three axes"),
        (lambda: layers.BatchNorm(3), (1, 3), "batch_norm"),  # one value for each feature has no variance
    ],
)
def test_inputs(make: Callable[[], layers.Module], shape: tuple[int, ...], message: str):
    with pytest.raises(ShapeError, match=message):
        make()(mg.tensor(np.ones(shape, np.float32)))


@pytest.mark.parametrize("indices", [[0, 3], [-4], [0.5]])
def test_embedding_indices(indices: list):
    with pytest.raises(MinigenError, match="embedding"):
        layers.Embedding(3, 2, rng=mg.random.generator(0))(np.array(indices))


def test_empty_batches_pass():
    rng = mg.random.generator(0)
    x = mg.tensor(np.ones((0, 4, 4, 1), np.float32))
    model = layers.Sequential(layers.Flatten(), layers.Linear(16, 4, rng=rng), layers.Reshape(2, -1), layers.ReLU())
    assert model(x).shape == (0, 2, 2)


def test_dropout_follows_the_mode():
    layer = layers.Dropout(0.5, rng=mg.random.generator(0))
    x = mg.tensor(np.ones((50, 50), np.float32))
    first, second = layer(x).data, layer(x).data
    assert set(np.unique(first)) == {0.0, 2.0} and not np.array_equal(first, second)
    assert abs(first.mean() - 1) < 0.1
    np.testing.assert_array_equal(layer.eval()(x).data, x.data)


def test_none_asks_for_the_forgotten_return():
    with pytest.raises(DTypeError, match=r"Linear\(2, 2\): got None; does the function or layer before it end with"):
        untyped.Linear(2, 2, rng=mg.random.generator(0))(None)
