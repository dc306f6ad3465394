"""Bad input to operations: each gives one error of ours that names the operation and the mend, never NumPy's.

The same table for data, checkpoints, runs and the command line stands beside their tests.
"""

from typing import Any

import numpy as np
import pytest

import minigen
from minigen import Tensor, layers
from minigen.errors import ArgumentError, CheckpointError, DataError, DTypeError, MinigenError, ShapeError

mg: Any = minigen  # without its types, as wrong ones are the point here


def x(*shape: int) -> Tensor:
    return mg.tensor(np.ones(shape, np.float32), requires_grad=True)


def batch_norm(shape: tuple[int, ...], channels: int = 3, training: bool = True, **options: Any) -> Tensor:
    mean, var = options.pop("running", (np.zeros(channels), np.ones(channels)))
    return mg.batch_norm(x(*shape), x(channels), x(channels), mean, var, training, **options)


HUGE = 10**400
LABELS = np.array([0, 1])
RNG = mg.random.generator(0)
LINEAR: Any = layers.Linear(2, 2, rng=RNG)
WITHOUT_WEIGHT = {**LINEAR.state_dict(), "weight": None}


def adam(**options: Any) -> Any:
    return mg.optim.Adam([x(2)], **options)


def load(target: Any, *states: Any, **changes: Any) -> None:
    """Load a state, or the target's own with some changes."""
    target.load_state_dict(*states or [{**target.state_dict(), **changes}])


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
    (lambda: mg.log(None), DTypeError, "log: got None"),
    (lambda: mg.tanh([[1.0], [1.0, 2.0]]), ShapeError, "tanh: the nested sequence is ragged"),
    (lambda: x(2) * 1j, DTypeError, "multiply: dtype complex128"),
    (
        lambda: mg.leaky_relu(x(2), -0.1),
        ArgumentError,
        "leaky_relu: negative_slope is -0.1; use a finite number from 0",
    ),
    (lambda: mg.leaky_relu(x(2), "a"), ArgumentError, "leaky_relu: negative_slope is 'a'"),
    (lambda: mg.elu(x(2), None), ArgumentError, "elu: alpha is None; use a finite number"),
    (lambda: mg.elu(x(2), np.nan), ArgumentError, "elu: alpha is nan"),
    (lambda: mg.clip(x(2), np.nan, 1), ArgumentError, "clip: bound nan is no number"),
    (lambda: mg.clip(x(2), "a"), ArgumentError, "clip: bound 'a' is no number"),
    (lambda: mg.clip(x(2), HUGE), DTypeError, "clip: a number of 1329 bits does not fit into float32"),
    (lambda: x(2) * HUGE, DTypeError, "multiply: a number of 1329 bits does not fit into float32; use a smaller"),
    (lambda: x(2) ** HUGE, DTypeError, "power: a number of 1329 bits does not fit"),
    (lambda: mg.tensor([1]) * HUGE, DTypeError, "multiply: .* does not fit into int64; convert the tensor"),
    (lambda: x(2) < HUGE, DTypeError, "less: can not compare .* with a number of 1329 bits"),
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
    (lambda: mg.var(x(2), ddof=None), ArgumentError, "var: ddof is None; use a whole number ≥ 0"),
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
    (lambda: mg.transpose(x(2), 1.5), ArgumentError, r"transpose: axis \(1.5,\) does not exist"),
    (lambda: mg.swapaxes(x(2, 3), 0, 2), ArgumentError, "swapaxes: axis 2"),
    (lambda: mg.squeeze(x(2, 3), 0), ShapeError, r"squeeze: axis 0 of \(2, 3\) is longer than 1"),
    (lambda: mg.expand_dims(x(2), 3), ArgumentError, "expand_dims: axis 3"),
    (lambda: mg.concatenate([]), ShapeError, "concatenate: no tensors given"),
    (lambda: mg.concatenate(5), ArgumentError, "concatenate: tensors is int; pass a list of tensors"),
    (lambda: mg.stack(None), ArgumentError, "stack: tensors is NoneType; pass a list of tensors"),
    (lambda: mg.concatenate([x(2, 3), x(2, 4)]), ShapeError, "concatenate: shapes .* differ in more than axis 0"),
    (lambda: mg.concatenate([x(2), x(2, 2)]), ShapeError, "concatenate: shapes"),
    (lambda: mg.concatenate([x(), x()]), ShapeError, "concatenate: 0-d tensors .* use stack"),
    (lambda: mg.concatenate([x(2)], axis=None), ArgumentError, "concatenate: axis is None"),
    (lambda: mg.stack([x(2), x(3)]), ShapeError, "stack: shapes .* must be equal"),
    (lambda: mg.stack([]), ShapeError, "stack: .* at least one is needed"),
    (lambda: mg.split(x(5), 0), ArgumentError, "split: lengths is 0"),
    (lambda: mg.split(x(5), [2, 2]), ShapeError, "split: lengths .* do not add up"),
    (lambda: mg.pad(x(2, 2), -1), ArgumentError, "pad: pad_width -1 must be"),
    (lambda: mg.pad(x(2, 2), (1, 2)), ArgumentError, "pad: pad_width .* 2 pairs"),
    (lambda: mg.pad(mg.tensor([1, 2]), 1, 0.5), ArgumentError, "pad: value 0.5 does not fit into int64; .* astype"),
    (lambda: mg.pad(mg.tensor([1, 2], dtype=np.uint8), 1, 256), ArgumentError, "pad: value 256 .* uint8"),
    (lambda: mg.pad(mg.tensor([1, 2]), 1, np.nan), ArgumentError, "pad: value nan .* int64"),
    (lambda: mg.pad(x(2), 1, 1e300), ArgumentError, "pad: value 1e\\+300 .* float32"),
    (lambda: mg.pad(x(2), 1, HUGE), ArgumentError, "pad: value a number of 1329 bits .* float32"),
    (lambda: mg.pad(x(2), 1, "a"), ArgumentError, "pad: value is 'a'"),
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
    (lambda: batch_norm((4, 3), eps="a"), ArgumentError, "batch_norm: eps is 'a'; use a finite number from 0"),
    (lambda: batch_norm((4, 3), momentum="a"), ArgumentError, "batch_norm: momentum is 'a'; .* from 0 to 1"),
    (lambda: mg.layer_norm(x(4, 3), x(3), x(3), "a"), ArgumentError, "layer_norm: eps is 'a'"),
    (lambda: mg.layer_norm(x(), x(), x()), ShapeError, r"layer_norm: x is \(\)"),
    (lambda: mg.dropout(x(3), "0.5", RNG), ArgumentError, "dropout: p is '0.5'; use a finite number from 0 to 1"),
    (lambda: mg.layer_norm(x(4, 3), x(2), x(2)), ShapeError, r"layer_norm: weight is \(2,\), but x \(4, 3\)"),
    (lambda: mg.dropout(x(3), 1.5, RNG), ArgumentError, "dropout: p is 1.5; use a finite number from 0 to 1"),
    (lambda: mg.dropout(x(3), 0.5, 0), DTypeError, r"dropout: rng is int; pass rng=minigen\.random\.generator\(seed\)"),
    (lambda: mg.embedding([0.5], x(5, 2)), DTypeError, "embedding: indices have dtype float32; pass integers"),
    (lambda: mg.embedding([0, 5], x(5, 2)), DataError, "embedding: indices hold 5, outside 0 … 4"),
    (lambda: mg.embedding([-1], x(5, 2)), DataError, "embedding: indices hold -1"),
    (lambda: mg.embedding([0], x(5)), ShapeError, r"embedding: weight is \(5,\); pass a table"),
]

LOSSES = [
    (lambda: mg.mse_loss(x(3, 1), x(3)), ShapeError, r"mse_loss: shapes \(3, 1\) and \(3,\) differ; reshape"),
    (lambda: mg.mse_loss(x(3), x(3), reduction="average"), ArgumentError, "mse_loss: reduction is .*use 'mean'"),
    (lambda: mg.mse_loss(x(0, 3), x(0, 3)), ShapeError, "mse_loss: the batch is empty"),
    (lambda: mg.l1_loss(x(3), x(2)), ShapeError, "l1_loss"),
    (
        lambda: mg.huber_loss(x(3), x(3), delta=0.0),
        ArgumentError,
        "huber_loss: delta is 0.0; use a finite number above 0",
    ),
    (lambda: mg.huber_loss(x(3), x(3), delta="a"), ArgumentError, "huber_loss: delta is 'a'"),
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
    (
        lambda: mg.cross_entropy(x(2, 3), LABELS, label_smoothing="a"),
        ArgumentError,
        "label_smoothing is 'a'; .* from 0, below 1",
    ),
    (lambda: mg.nll_loss(x(2, 2), np.array([0, 2])), DataError, "nll_loss: labels hold 2"),
    (lambda: mg.nll_loss(x(2, 2), LABELS, reduction="max"), ArgumentError, "nll_loss: reduction"),
    (lambda: mg.gaussian_kl(x(3, 2), x(3)), ShapeError, "gaussian_kl: shapes"),
    (lambda: mg.gaussian_kl(x(), x()), ShapeError, r"gaussian_kl: .*pass \(N, latent\)"),
    (lambda: mg.l2_penalty([]), ArgumentError, "l2_penalty: no parameters"),
    (lambda: mg.l2_penalty(LINEAR), ArgumentError, r"l2_penalty: parameters is Linear; pass model.parameters\(\)"),
    (lambda: mg.l1_penalty([1.0]), ArgumentError, "l1_penalty: item 0 of parameters is float; pass model"),
]

OPTIMIZERS = [
    (lambda: mg.optim.Adam(LINEAR), ArgumentError, r"Adam: parameters is Linear; pass model.parameters\(\)"),
    (lambda: mg.optim.Adam(LINEAR.parameters), ArgumentError, r"Adam: parameters is method; pass model.parameters\(\)"),
    (lambda: mg.optim.Adam(layers.Sequential(LINEAR)), ArgumentError, r"Adam: .*Linear; pass model.parameters\(\)"),
    (lambda: adam(betas=0.9), ArgumentError, "Adam: betas is 0.9; use a pair"),
    (lambda: adam(betas=(0.9,)), ArgumentError, r"Adam: betas is \(0.9,\); use a pair"),
    (lambda: adam(betas=("a", 0.9)), ArgumentError, "Adam: beta1 is 'a'; use a finite number from 0, below 1"),
    (lambda: adam(eps="a"), ArgumentError, "Adam: eps is 'a'"),
    (lambda: mg.optim.clip_grad_norm(LINEAR, 1), ArgumentError, "clip_grad_norm: parameters is Linear; pass model"),
    (lambda: mg.optim.clip_grad_norm([x(2)], "1"), ArgumentError, "clip_grad_norm: max_norm is '1'; .* above 0"),
    (lambda: mg.optim.clip_grad_value([x(2)], None), ArgumentError, "clip_grad_value: max_value is None"),
    (lambda: mg.optim.EMA(x(2), 0.9), ArgumentError, "EMA: model is Tensor; pass a Module"),
    (lambda: mg.optim.EMA(LINEAR, "a"), ArgumentError, "EMA: decay is 'a'"),
    (lambda: mg.optim.CosineLR(LINEAR, 5), ArgumentError, "CosineLR: optimizer is Linear; pass the optimizer"),
    (lambda: mg.optim.ReduceLROnPlateau(LINEAR), ArgumentError, "ReduceLROnPlateau: optimizer is Linear"),
    (lambda: mg.optim.StepLR(adam(), 1, "a"), ArgumentError, "StepLR: gamma is 'a'"),
    (lambda: mg.optim.WarmupLR(adam(), 1, after=5), ArgumentError, "WarmupLR: got int as a schedule"),
    (
        lambda: mg.optim.ReduceLROnPlateau(adam(), patience="a"),
        ArgumentError,
        "patience is 'a'; use a whole number ≥ 0",
    ),
]

STATES = [
    (lambda: LINEAR.load_state_dict(None), CheckpointError, "Linear.load_state_dict: got NoneType; pass the dict"),
    (lambda: LINEAR.astype("abc"), DTypeError, "Linear.astype: 'abc' is no dtype"),
    (lambda: LINEAR.astype(int), DTypeError, "Linear.astype: int64 can not be trained"),
    (lambda: mg.summary(LINEAR, 2), ShapeError, "summary: input_shape is 2; give the shape of one item as a tuple"),
    (lambda: load(adam(), None), CheckpointError, "Adam: the saved state is NoneType; pass the dict"),
    (lambda: load(adam(), shapes=5), CheckpointError, "Adam: the saved parameters have shapes 5"),
    (lambda: load(adam(), steps=np.array([-1])), CheckpointError, "Adam: the saved steps hold -1"),
    (lambda: load(adam(), m=[0.0, 0.0]), CheckpointError, "Adam: saved m is list, expected an array"),
    (lambda: load(adam(), lr=-1), CheckpointError, "Adam: lr is -1; .*saved"),
    (lambda: load(mg.optim.StepLR(adam(), 1), None), CheckpointError, "StepLR: the saved state is NoneType"),
    (lambda: load(mg.optim.StepLR(adam(), 1), t="a"), CheckpointError, "StepLR: t is 'a'; .*saved"),
    (lambda: load(mg.optim.ReduceLROnPlateau(adam()), best="a"), CheckpointError, "the saved best is 'a'"),
    (lambda: load(mg.optim.ReduceLROnPlateau(adam()), waited=-1), CheckpointError, "waited is -1; .*saved"),
    (lambda: load(mg.optim.EMA(LINEAR, 0.9), None), CheckpointError, "EMA: the saved state is NoneType"),
    (lambda: load(mg.optim.EMA(LINEAR, 0.9), weights=WITHOUT_WEIGHT), CheckpointError, "saved weight is NoneType"),
]

TABLE = [*ARITHMETIC, *REDUCTION, *SHAPE, *PRODUCTS, *IMAGES, *NORMALIZATION, *LOSSES, *OPTIMIZERS, *STATES]


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
            assert issubclass(kind, (ValueError, TypeError, RuntimeError, OSError, AttributeError)), name
