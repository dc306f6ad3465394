"""Bad input to operations: each gives one error of ours that names the operation and the mend, never NumPy's.

The same table for data, checkpoints, runs and the command line stands beside their tests.
"""

from typing import Any

import numpy as np
import pytest

import minigen
from minigen import Tensor
from minigen.errors import ArgumentError, DataError, DTypeError, MinigenError, ShapeError

mg: Any = minigen  # without its types, as wrong ones are the point here


def x(*shape: int) -> Tensor:
    return mg.tensor(np.ones(shape, np.float32), requires_grad=True)


def batch_norm(shape: tuple[int, ...], channels: int = 3, training: bool = True, **options: Any) -> Tensor:
    mean, var = options.pop("running", (np.zeros(channels), np.ones(channels)))
    return mg.batch_norm(x(*shape), x(channels), x(channels), mean, var, training, **options)


LABELS = np.array([0, 1])
RNG = mg.random.generator(0)

ARITHMETIC = [
    (lambda: x(2) + x(3), ShapeError, r"add: shapes \(2,\) and \(3,\) do not broadcast; .*reshape"),
    (lambda: x(2, 3) * x(2), ShapeError, r"multiply: shapes \(2, 3\) and \(2,\)"),
    (lambda: x(2) / x(3), ShapeError, "divide: shapes"),
    (lambda: x(2) ** x(3), ShapeError, "power: shapes"),
    (lambda: mg.maximum(x(2), x(3)), ShapeError, "maximum: shapes"),
    (lambda: x(2) < x(3), ShapeError, r"less: shapes \(2,\) and \(3,\)"),
    (lambda: mg.where(x(2), 1.0, x(2)), DTypeError, "where: condition has dtype float32; pass booleans"),
    (lambda: mg.where(np.ones(3, bool), x(2), 1.0), ShapeError, r"where: shapes \(3,\), \(2,\)"),
    (lambda: mg.clip(x(2), 2, 1), ArgumentError, "clip: min 2 is larger than max 1"),
    (lambda: mg.clip(x(2), np.zeros(2)), ArgumentError, "clip: bound .* use maximum and minimum"),
    (lambda: mg.exp("a"), DTypeError, "exp: dtype <U1"),
    (lambda: mg.log(None), DTypeError, "log: dtype object"),
    (lambda: mg.tanh([[1.0], [1.0, 2.0]]), ShapeError, "tanh: the nested sequence is ragged"),
    (lambda: x(2) * 1j, DTypeError, "multiply: dtype complex128"),
    (lambda: mg.leaky_relu(x(2), -0.1), ArgumentError, "leaky_relu: negative_slope is -0.1; use a number ≥ 0"),
]

REDUCTION = [
    (lambda: mg.sum(x(2), 1), ArgumentError, "sum: axis 1 does not exist in 1 axes"),
    (lambda: mg.sum(x(2), 0.5), ArgumentError, "sum: axis 0.5"),
    (lambda: mg.mean(x(2, 2), (0, -2)), ArgumentError, "mean: axis .* names one axis twice"),
    (lambda: mg.mean(x(0, 2), 0), ShapeError, r"mean: no elements along axis 0 of \(0, 2\)"),
    (lambda: mg.max(x(0)), ShapeError, "max: no elements"),
    (lambda: mg.min(x(0)), ShapeError, "min: no elements"),
    (lambda: mg.logsumexp(x(0)), ShapeError, "logsumexp: no elements"),
    (lambda: mg.softmax(x(2, 0)), ShapeError, "softmax: axis 1 .* is empty"),
    (lambda: mg.log_softmax(x(2), 2), ArgumentError, "log_softmax: axis 2"),
    (lambda: mg.softmax(x(2, 2), None), ArgumentError, "softmax: axis is None; name one axis"),
    (lambda: mg.var(x(1), ddof=1), ArgumentError, "var: 1 elements with ddof=1 .* smaller ddof"),
    (lambda: mg.cumsum(x(2, 2), None), ArgumentError, "cumsum: axis is None; name one axis"),
]

SHAPE = [
    (lambda: mg.reshape(x(2, 3), (4, 2)), ShapeError, r"reshape: \(2, 3\) has 6 elements and can not become \(4, 2\)"),
    (lambda: mg.reshape(x(2, 3), (-1, -1)), ShapeError, "reshape"),
    (lambda: mg.reshape(x(2, 3), (-1, 4)), ShapeError, "reshape"),
    (lambda: mg.reshape(x(2, 3), (2.0, 3)), ShapeError, "reshape: shape .* must be whole numbers"),
    (lambda: mg.expand(x(2), (3,)), ShapeError, "expand: .* only axes of length 1 repeat"),
    (lambda: mg.transpose(x(2, 3), (0,)), ArgumentError, "transpose: axes .* each of the 2 axes"),
    (lambda: mg.transpose(x(2, 3), (0, 0)), ArgumentError, "transpose: .* twice"),
    (lambda: mg.swapaxes(x(2, 3), 0, 2), ArgumentError, "swapaxes: axis 2"),
    (lambda: mg.squeeze(x(2, 3), 0), ShapeError, r"squeeze: axis 0 of \(2, 3\) is longer than 1"),
    (lambda: mg.expand_dims(x(2), 3), ArgumentError, "expand_dims: axis 3"),
    (lambda: mg.concatenate([]), ShapeError, "concatenate: no tensors given"),
    (lambda: mg.concatenate([x(2, 3), x(2, 4)]), ShapeError, "concatenate: shapes .* differ in more than axis 0"),
    (lambda: mg.concatenate([x(2), x(2, 2)]), ShapeError, "concatenate: shapes"),
    (lambda: mg.concatenate([x(), x()]), ShapeError, "concatenate: 0-d tensors .* use stack"),
    (lambda: mg.concatenate([x(2)], axis=None), ArgumentError, "concatenate: axis is None"),
    (lambda: mg.stack([x(2), x(3)]), ShapeError, "stack: shapes .* must be equal"),
    (lambda: mg.stack([]), ShapeError, "stack: .* at least one is needed"),
    (lambda: mg.split(x(5), 2), ShapeError, "split: axis 0 .* can not be cut into 2 equal pieces"),
    (lambda: mg.split(x(5), [2, 2]), ShapeError, "split: lengths .* do not add up"),
    (lambda: mg.pad(x(2, 2), -1), ArgumentError, "pad: pad_width -1 must be"),
    (lambda: mg.pad(x(2, 2), (1, 2)), ArgumentError, "pad: pad_width .* 2 pairs"),
    (lambda: mg.flip(x(2), 1), ArgumentError, "flip: axis 1"),
    (lambda: x(2, 3)[5], ShapeError, r"getitem: .*out of bounds.*shape \(2, 3\)"),
    (lambda: x(2, 3)[0, 0, 0], ShapeError, "getitem: too many indices"),
    (lambda: x(2, 3)[[0.5]], DTypeError, "getitem: index of dtype float64; use integers or booleans"),
    (lambda: x(2, 3)[[[0], [1, 2]]], ShapeError, "getitem: .* ragged"),
    (lambda: x(2, 3)[np.ones((3, 3), bool)], ShapeError, "getitem: boolean index"),
    (lambda: x(2, 3)["a"], ShapeError, "getitem: only integers"),
]

PRODUCTS = [
    (lambda: x(2, 3) @ x(2, 3), ShapeError, r"matmul: shapes \(2, 3\) and \(2, 3\); a's last axis must equal"),
    (lambda: x(2) @ mg.tensor(3.0), ShapeError, r"matmul: .*use \* for scalars"),
    (lambda: x(2, 2, 3) @ x(3, 3, 2), ShapeError, "matmul: leading axes"),
    (lambda: mg.linear(x(2, 3), x(4, 2)), ShapeError, r"linear: x \(2, 3\) and weight \(4, 2\)"),
    (lambda: mg.linear(x(2, 3), x(3, 2), x(3)), ShapeError, r"linear: bias \(3,\) must have shape \(2,\)"),
    (lambda: mg.einsum("ij,jk->ik", x(2, 3)), ArgumentError, "einsum: 'ij,jk->ik' names 2 operands, 1 were given"),
    (lambda: mg.einsum("ij->iz", x(2, 3)), ArgumentError, "einsum: .* each output index must stand once"),
    (
        lambda: mg.einsum("ij,jk", x(2, 3), x(4, 2)),
        ShapeError,
        "einsum: .* index j has length 4 in operand 1, 3 elsewhere",
    ),
    (lambda: mg.einsum("ijk", x(2, 3)), ArgumentError, "einsum: .* term 'ijk' does not fit"),
    (lambda: mg.einsum("i1", x(2, 3)), ArgumentError, "einsum: .* indices must be letters"),
    (lambda: mg.einsum(x(2), [0]), ArgumentError, "einsum: subscripts is Tensor; write a string"),
]

IMAGES = [
    (
        lambda: mg.conv2d(x(8, 28, 28, 3), x(5, 5, 1, 64)),
        ShapeError,
        r"conv2d: x has 3 channels, \(8, 28, 28, 3\), but w \(5, 5, 1, 64\) expects 1; images are channels-last",
    ),
    (lambda: mg.conv2d(x(28, 28, 1), x(5, 5, 1, 8)), ShapeError, r"conv2d: .*\(N, H, W, C\)"),
    (lambda: mg.conv2d(x(2, 8, 8, 1), x(5, 5, 8)), ShapeError, r"conv2d: .*\(KH, KW, "),
    (lambda: mg.conv2d(x(2, 3, 3, 1), x(5, 5, 1, 8)), ShapeError, "conv2d: the kernel spans 5 in height .* padding"),
    (lambda: mg.conv2d(x(2, 8, 8, 1), x(3, 3, 1, 4), x(3)), ShapeError, r"conv2d: bias .*\(3,\)"),
    (lambda: mg.conv2d(x(2, 8, 8, 1), x(3, 3, 1, 4), stride=0), ArgumentError, "conv2d: stride is 0; use a whole"),
    (lambda: mg.conv2d(x(2, 8, 8, 1), x(3, 3, 1, 4), padding=-1), ArgumentError, "conv2d: padding"),
    (lambda: mg.conv2d(x(2, 8, 8, 1), x(3, 3, 1, 4), padding="full"), ArgumentError, 'conv2d: padding .*"same"'),
    (lambda: mg.conv2d(x(2, 8, 8, 1), x(3, 3, 1, 4), dilation=0.5), ArgumentError, "conv2d: dilation"),
    (lambda: mg.conv2d(x(2, 8, 8, 2), x(3, 3, 1, 3), groups=2), (ShapeError, ArgumentError), "conv2d: .*groups"),
    (lambda: mg.conv2d(x(2, 8, 8, 2), x(3, 3, 1, 4), groups=0), ArgumentError, "conv2d: groups"),
    (lambda: mg.conv_transpose2d(x(2, 4, 4, 3), x(3, 3, 2, 4)), ShapeError, "conv_transpose2d: x has 3 channels"),
    (
        lambda: mg.conv_transpose2d(x(2, 4, 4, 3), x(3, 3, 2, 3), output_padding=1),
        ArgumentError,
        "conv_transpose2d: output_padding .* must be smaller than stride",
    ),
    (lambda: mg.conv_transpose2d(x(2, 1, 1, 3), x(3, 3, 2, 3), padding=2), ShapeError, "conv_transpose2d"),
    (lambda: mg.max_pool2d(x(2, 3, 3), 2), ShapeError, r"max_pool2d: x is \(2, 3, 3\); images are channels-last"),
    (lambda: mg.max_pool2d(x(1, 2, 2, 1), 3), ShapeError, r"max_pool2d: a window of \(3, 3\) does not fit"),
    (lambda: mg.avg_pool2d(x(1, 4, 4, 1), 2, padding=2), ArgumentError, "avg_pool2d: padding .* more than half"),
    (lambda: mg.avg_pool2d(x(1, 4, 4, 1), (2, 2, 2)), ArgumentError, "avg_pool2d: kernel_size is"),
    (lambda: mg.upsample_nearest(x(1, 4, 4, 1), 0), ArgumentError, "upsample_nearest: scale_factor is 0"),
]

NORMALIZATION = [
    (lambda: batch_norm((1, 3)), ShapeError, r"batch_norm: x \(1, 3\) has 1 value.*drop_last=True"),
    (lambda: batch_norm((0, 3)), ShapeError, "batch_norm: .* 0 value"),
    (lambda: batch_norm((1, 1, 1, 3)), ShapeError, "batch_norm: .* 1 value"),
    (lambda: batch_norm((4, 5)), ShapeError, r"batch_norm: .*\(4, 5\) has 5 channels"),
    (lambda: batch_norm((3,)), ShapeError, r"batch_norm: x is \(3,\); pass \(N, C\)"),
    (lambda: batch_norm((4, 3), running=(np.zeros(2), np.ones(2))), ShapeError, r"batch_norm: running_mean is \(2,\)"),
    (lambda: batch_norm((4, 3), training=False, running=(None, None)), ArgumentError, "batch_norm: running_mean and"),
    (lambda: batch_norm((4, 3), eps=-1.0), ArgumentError, "batch_norm: eps is -1.0"),
    (lambda: mg.layer_norm(x(4, 3), x(2), x(2)), ShapeError, r"layer_norm: weight is \(2,\), but x \(4, 3\)"),
    (lambda: mg.dropout(x(3), 1.5, RNG), ArgumentError, "dropout: p is 1.5; use the probability"),
    (lambda: mg.dropout(x(3), 0.5, 0), DTypeError, r"dropout: rng is int; pass rng=minigen\.random\.generator\(seed\)"),
    (lambda: mg.embedding([0.5], x(5, 2)), DTypeError, "embedding: indices have dtype float32; pass integers"),
    (lambda: mg.embedding([0, 5], x(5, 2)), DataError, "embedding: indices hold 5, outside 0 … 4"),
    (lambda: mg.embedding([-1], x(5, 2)), DataError, "embedding: indices hold -1"),
    (lambda: mg.embedding([0], x(5)), ShapeError, r"embedding: weight is \(5,\); pass a table"),
]

LOSSES = [
    (lambda: mg.mse_loss(x(3, 1), x(3)), ShapeError, r"mse_loss: shapes \(3, 1\) and \(3,\) differ; reshape"),
    (lambda: mg.mse_loss(x(3), x(3), reduction="average"), ArgumentError, 'mse_loss: reduction is .*use "mean"'),
    (lambda: mg.mse_loss(x(0, 3), x(0, 3)), ShapeError, "mse_loss: the batch is empty"),
    (lambda: mg.l1_loss(x(3), x(2)), ShapeError, "l1_loss"),
    (lambda: mg.huber_loss(x(3), x(3), delta=0.0), ArgumentError, "huber_loss: delta is 0.0; use a number > 0"),
    (lambda: mg.binary_cross_entropy(x(3) * 1.5, x(3)), DataError, r"outside \[0, 1\]; .*with_logits"),
    (lambda: mg.binary_cross_entropy(x(3) * np.nan, x(3)), DataError, "binary_cross_entropy: input has values"),
    (lambda: mg.binary_cross_entropy_with_logits(x(3), x(2)), ShapeError, "binary_cross_entropy_with_logits"),
    (lambda: mg.hinge_loss(x(3), x(3) * 0.0), DataError, "hinge_loss: target holds values other than -1 and 1"),
    (lambda: mg.cross_entropy(x(2, 3), np.array([0, 3])), DataError, "cross_entropy: labels hold 3, outside 0 … 2"),
    (lambda: mg.cross_entropy(x(2, 3), np.array([0, -1])), DataError, "cross_entropy: labels hold -1"),
    (lambda: mg.cross_entropy(x(2, 3), np.array([0.0, 1.0])), DTypeError, "cross_entropy: labels have dtype float64"),
    (lambda: mg.cross_entropy(x(2, 3), np.array([0])), ShapeError, r"cross_entropy: target is \(1,\), .*\(2,\)"),
    (lambda: mg.cross_entropy(x(0, 3), np.array([])), ShapeError, "cross_entropy: the batch is empty"),
    (lambda: mg.cross_entropy(x(2, 0), LABELS), MinigenError, "cross_entropy"),
    (lambda: mg.cross_entropy(x(2, 3), LABELS, label_smoothing=1.0), ArgumentError, "cross_entropy: label_smoothing"),
    (lambda: mg.nll_loss(x(2, 2), np.array([0, 2])), DataError, "nll_loss: labels hold 2"),
    (lambda: mg.nll_loss(x(2, 2), LABELS, reduction="max"), ArgumentError, "nll_loss: reduction"),
    (lambda: mg.gaussian_kl(x(3, 2), x(3)), ShapeError, "gaussian_kl: shapes"),
    (lambda: mg.gaussian_kl(x(), x()), ShapeError, r"gaussian_kl: .*pass \(N, latent\)"),
    (lambda: mg.l2_penalty([]), ArgumentError, "l2_penalty: no parameters"),
]

TABLE = [*ARITHMETIC, *REDUCTION, *SHAPE, *PRODUCTS, *IMAGES, *NORMALIZATION, *LOSSES]


@pytest.mark.parametrize(("call", "error", "message"), TABLE, ids=[f"{i}-{row[2][:30]}" for i, row in enumerate(TABLE)])
def test_bad_input(call: Any, error: type[Exception], message: str):
    with pytest.raises(error, match=message) as caught:
        call()
    assert isinstance(caught.value, MinigenError)
    assert isinstance(caught.value, (ValueError, TypeError))


def test_every_error_is_a_builtin_one_too():
    for name in dir(mg.errors):
        kind = getattr(mg.errors, name)
        if isinstance(kind, type) and issubclass(kind, MinigenError) and kind is not MinigenError:
            assert issubclass(kind, (ValueError, TypeError, RuntimeError, OSError)), name
