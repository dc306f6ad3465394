"""Sample calls of every differentiable operation: what `minigen gradcheck` verifies and what the tests build on.

Each operation is declared once, with inputs and options that reach its corners; those on sequences in files of their
own. tests/op_cases.py adds a naive oracle, and a twin in PyTorch where there is one, under the same name.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigen.autograd.verify import (
    samples_attention,
    samples_choosing,
    samples_elementwise,
    samples_images,
    samples_layers,
    samples_loss,
    samples_sequence,
)
from minigen.autograd.verify.sample import (
    Fixed,
    Sample,
    away,
    booleans,
    distinct,
    exactly,
    integers,
    normal,
    positive,
    sample,
    uniform,
)
from minigen.random import generator


def arithmetic() -> Iterator[Sample]:
    """Elementwise operations of two tensors, and their relatives."""
    for name in ("add", "subtract", "multiply"):
        yield sample(name, normal(2, 3), normal(2, 3))
        yield sample(name, normal(3, 1), normal(2, 1, 4))
        yield sample(name, normal(), normal(3))
    yield sample("divide", normal(2, 3), away(2, 3))
    yield sample("divide", normal(4), away(2, 3, 1))
    yield sample("divide", normal(3), away())
    yield sample("power", positive(2, 3), normal(3))
    yield sample("power", positive(3, 1), normal(2))
    yield sample("power", positive(3), exactly([0.0, 1.0, 2.0]))
    for exponent in (0, 1, 2, 3, -1, -2.5, 0.5):
        yield sample("power", positive(2, 3), b=exponent)
    yield sample("power", away(5), b=3)
    for name in ("maximum", "minimum"):
        yield sample(name, distinct(2, 3), exactly([[0.03], [-0.77]]))
        yield sample(name, distinct(4), exactly(-0.83))
    yield sample("where", booleans(2, 3), normal(2, 3), normal(3))
    yield sample("where", booleans(2, 3), normal(), normal(2, 1))
    yield sample("where", booleans(3), normal(2, 3), normal(2, 1))
    yield sample("negative", normal(2, 3))
    yield sample("abs", away(2, 3))
    yield sample("clip", away(3, 4), min=-1.01, max=0.98)
    yield sample("clip", away(3, 4), min=0.05)
    yield sample("clip", away(3, 4), max=0.05)


def activation() -> Iterator[Sample]:
    """Elementwise operations of one tensor."""
    for name in ("exp", "expm1", "sin", "cos", "tanh", "sigmoid", "softplus", "erf", "gelu", "silu"):
        yield sample(name, normal(2, 3))
        yield sample(name, uniform(-8.0, 8.0, 4))
    for name in ("log", "log1p", "sqrt"):
        yield sample(name, positive(2, 3))
    yield sample("gelu", uniform(-4.0, 4.0, 2, 3), approximate="tanh")
    yield sample("relu", away(3, 4))
    yield sample("leaky_relu", away(3, 4))
    yield sample("leaky_relu", away(3, 4), negative_slope=0.2)
    yield sample("elu", away(3, 4))
    yield sample("elu", away(3, 4), alpha=1.3)
    for name in ("softmax", "log_softmax"):
        yield sample(name, normal(3, 5))
        yield sample(name, normal(4))
        yield sample(name, uniform(-9.0, 9.0, 2, 4, 3), axis=1)
        yield sample(name, normal(3, 2, 2), axis=0)


def reduction() -> Iterator[Sample]:
    """Operations over axes."""
    for name, make in (
        *(("sum", normal), ("mean", normal), ("var", normal), ("logsumexp", normal)),
        *(("max", distinct), ("min", distinct)),
    ):
        yield sample(name, make(2, 3))
        yield sample(name, make(2, 3), axis=0)
        yield sample(name, make(2, 3, 4), axis=(0, 2))
        yield sample(name, make(2, 3, 4), axis=-2, keepdims=True)
        yield sample(name, make(4), axis=0)
    yield sample("var", normal(3, 4), axis=1, ddof=1)
    yield sample("logsumexp", uniform(-20.0, 20.0, 2, 5), axis=-1)
    yield sample("cumsum", normal(3, 4), axis=0)
    yield sample("cumsum", normal(2, 3, 2), axis=-2)


INDICES: tuple[Any, ...] = (
    *(1, -1, (0, 2), slice(1, 3), slice(None, None, -2), (slice(None), 1), (Ellipsis, 0), None, (None, 1, None), ...),
    *((), (slice(3, 1),), [0, 2, 0], [], [[0, 1], [2, 2]], ([0, 2, 0], [1, 1, 1]), (slice(None), [3, 3, 0])),
    *(([0, 2], slice(1, 3)), ([[0], [2]], [1, 3, 3]), (slice(1, None), [-1, 0]), ((0, 0),), ((0, 0), 1)),
    *([True, False, True], (slice(None), [True, False, False, True]), (None, [1, 1], 2), (0, [1, 1, 2])),
    *(np.array(2), np.array([2, 2]), np.array([[True, False, True, False]] * 3), (np.int64(1), np.array([0, 0]))),
)


def shape() -> Iterator[Sample]:
    """Operations that move elements."""
    yield sample("reshape", normal(2, 6), shape=(3, 4))
    yield sample("reshape", normal(2, 6), shape=(-1,))
    yield sample("reshape", normal(1), shape=())
    yield sample("transpose", normal(2, 3))
    yield sample("transpose", normal(2, 3, 4), axes=(1, 2, 0))
    yield sample("swapaxes", normal(2, 3, 4), axis1=0, axis2=-1)
    yield sample("expand", normal(3, 1), shape=(2, 3, 4))
    yield sample("expand", normal(), shape=(2,))
    yield sample("squeeze", normal(1, 3, 1))
    yield sample("squeeze", normal(1, 3, 1), axis=0)
    yield sample("expand_dims", normal(2, 3), axis=1)
    yield sample("expand_dims", normal(2, 3), axis=(0, -1))
    yield sample("concatenate", normal(2, 3), normal(1, 3), normal(4, 3))
    yield sample("concatenate", normal(2, 3), normal(2, 1), axis=-1)
    yield sample("stack", normal(2, 3), normal(2, 3))
    yield sample("stack", normal(2, 3), normal(2, 3), normal(2, 3), axis=-1)
    yield sample("split", normal(5, 3), lengths=2)
    yield sample("split", normal(2, 6), lengths=[1, 3, 2], axis=1)
    yield sample("pad", normal(2, 3), pad_width=1)
    yield sample("pad", normal(2, 3), pad_width=((0, 2), (1, 0)), value=1.5)
    yield sample("flip", normal(2, 3))
    yield sample("flip", normal(2, 3), axis=-1)
    for index in INDICES:
        yield sample("getitem", normal(3, 4), index=index)


def linalg() -> Iterator[Sample]:
    """Products."""
    for a, b in (
        *(
            ((2, 3), (3, 4)),
            ((5, 2, 3), (3, 4)),
            ((2, 2, 3), (2, 3, 4)),
            ((3, 1, 2, 2), (2, 2, 3)),
            ((2, 3), (4, 3, 1)),
        ),
        *(((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 2, 3), (3,)), ((3,), (2, 3, 2))),
    ):
        yield sample("matmul", normal(*a), normal(*b))
    yield sample("linear", normal(2, 3), normal(3, 4), normal(4))
    yield sample("linear", normal(2, 3), normal(3, 1))
    yield sample("linear", normal(2, 2, 3), normal(3, 4), normal(4))
    yield sample("linear", normal(3), normal(3, 2), normal(2))
    yield sample("linear", normal(5, 3), normal(3, 4), normal(4), negative_slope=0.2)
    yield sample("linear", normal(2, 2, 3), normal(3, 4), negative_slope=0.0)
    for subscripts, *shapes in (
        *(("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 2)), ("bij,bjk->bik", (2, 2, 3), (2, 3, 2))),
        *(
            ("ij->ji", (2, 3)),
            ("ij->", (2, 3)),
            ("ij->i", (2, 3)),
            ("ii->i", (3, 3)),
            ("ii", (3, 3)),
            ("i,j->ij", (2,), (3,)),
        ),
        *(("...i,ij->...j", (2, 3, 4), (4, 2)), ("a,ab,b->", (2,), (2, 3), (3,)), ("ij,ik->jk", (3, 2), (3, 2))),
        *(("i,i->i", (3,), (3,)), ("ij,k->i", (2, 3), (2,)), ("...ij,...jk->...ik", (2, 2, 3), (3, 2))),
    ):
        yield sample("einsum", *[normal(*s) for s in shapes], subscripts=subscripts)


def images() -> Iterator[Sample]:
    """Convolution, pooling and upsampling; images are (N, H, W, C)."""
    x, w, b = normal(2, 5, 6, 2), normal(3, 3, 2, 3), normal(3)
    for options in (
        *({}, {"stride": 2}, {"stride": (2, 1), "padding": 1}, {"padding": (2, 1)}, {"padding": "same"}),
        *({"padding": "valid"}, {"dilation": 2}, {"dilation": (1, 2), "padding": "same"}, {"stride": 3, "padding": 2}),
        *({"stride": (2, 3), "padding": "same"},),
    ):
        yield sample("conv2d", x, w, b, **options)
    yield sample("conv2d", x, w)
    yield sample("conv2d", normal(1, 4, 4, 4), normal(2, 3, 2, 6), normal(6), groups=2, padding=1)
    yield sample("conv2d", normal(2, 4, 3, 3), normal(3, 3, 1, 3), groups=3, padding="same")
    yield sample("conv2d", normal(2, 3, 3, 2), normal(2, 4, 2, 2), normal(2), padding="same")
    yield sample("conv2d", normal(1, 3, 3, 1), normal(1, 1, 1, 2), stride=2)
    yield sample("conv2d", normal(2, 4, 3, 2), normal(2, 2, 2, 3), normal(3), padding=1, negative_slope=0.2)
    yield sample("conv2d", normal(2, 3, 3, 2), normal(2, 2, 2, 2), negative_slope=0.0)
    x, w = normal(2, 3, 4, 3), normal(3, 3, 2, 3)
    for options in (
        *({}, {"stride": 2}, {"stride": 2, "padding": 1, "output_padding": 1}, {"stride": (2, 3), "padding": (1, 0)}),
        *({"padding": "same"}, {"stride": 2, "padding": "same"}, {"padding": "valid"}, {"dilation": 2, "padding": 1}),
        *({"stride": 2, "output_padding": (1, 0)},),
    ):
        yield sample("conv_transpose2d", x, w, normal(2), **options)
    yield sample("conv_transpose2d", x, w)
    yield sample("conv_transpose2d", normal(1, 3, 3, 4), normal(3, 2, 3, 4), normal(6), groups=2, stride=2)
    yield sample("conv_transpose2d", normal(2, 2, 3, 3), normal(2, 2, 2, 3), normal(2), stride=2, negative_slope=0.2)
    yield sample("conv_transpose2d", normal(2, 2, 2, 3), normal(2, 2, 2, 3), negative_slope=0.0)
    for name, make in (("max_pool2d", distinct), ("avg_pool2d", normal)):
        yield sample(name, make(2, 4, 6, 2), kernel_size=2)
        yield sample(name, make(1, 5, 5, 2), kernel_size=3, stride=2)
        yield sample(name, make(2, 5, 4, 1), kernel_size=(3, 2), stride=(1, 2), padding=(1, 0))
        yield sample(name, make(1, 4, 4, 3), kernel_size=3, stride=2, padding=1)
        yield sample(name, make(1, 3, 3, 1), kernel_size=2, stride=1)
    yield sample("upsample_nearest", normal(2, 2, 3, 2), scale_factor=2)
    yield sample("upsample_nearest", normal(1, 2, 3, 2), scale_factor=(1, 3))


def normalization() -> Iterator[Sample]:
    """Normalization, dropout and embedding."""
    for x in (normal(6, 3), normal(2, 3, 2, 4)):
        c = x(generator(0)).shape[-1]
        buffers = Fixed(normal(c)), Fixed(positive(c))
        yield sample("batch_norm", x, normal(c), normal(c), *buffers, training=True)
        yield sample("batch_norm", x, normal(c), normal(c), *buffers, training=False, eps=0.01)
        for training in (True, False):
            yield sample("batch_norm", x, normal(c), normal(c), *buffers, training=training, negative_slope=0.2)
        yield sample("layer_norm", x, normal(c), normal(c))
    yield sample("layer_norm", uniform(3.0, 7.0, 2, 4), normal(4), normal(4), eps=0.1)
    yield sample("dropout", normal(5, 7), exactly(3), p=0.4)
    yield sample("dropout", normal(5, 7), exactly(3), p=0.0)
    yield sample("dropout", normal(5, 7), exactly(3), p=0.4, training=False)
    yield sample("embedding", integers(5, 3, 4), normal(5, 2))
    yield sample("embedding", exactly(2), normal(5, 2))


SAMPLES: tuple[Sample, ...] = (
    *arithmetic(),
    *activation(),
    *reduction(),
    *shape(),
    *linalg(),
    *images(),
    *normalization(),
    *samples_loss.losses(),
    *samples_sequence.sequences(),
    *samples_attention.attention(),
    *samples_choosing.choosing(),
    *samples_choosing.arrangement(),
    *samples_choosing.matrices(),
    *samples_elementwise.elementwise(),
    *samples_elementwise.products(),
    *samples_elementwise.lengths(),
    *samples_images.images(),
    *samples_layers.layers(),
)
