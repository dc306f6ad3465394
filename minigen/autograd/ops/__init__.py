"""Every differentiable operation, by its public name: the functions of `minigen` itself."""

from collections.abc import Callable

import numpy as np

from minigen.autograd.ops.activation import elu, erf, gelu, leaky_relu, relu, sigmoid, silu, softplus, tanh
from minigen.autograd.ops.arithmetic import (
    abs,
    add,
    clip,
    divide,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    subtract,
    where,
)
from minigen.autograd.ops.attention import scaled_dot_product_attention, self_attention
from minigen.autograd.ops.cast import astype
from minigen.autograd.ops.comparison import equal, greater, greater_equal, less, less_equal, not_equal
from minigen.autograd.ops.convolution import conv2d, conv_transpose2d
from minigen.autograd.ops.dropout import dropout
from minigen.autograd.ops.elementary import cos, exp, expm1, log, log1p, sin, sqrt
from minigen.autograd.ops.embedding import embedding
from minigen.autograd.ops.linalg import einsum, linear, matmul
from minigen.autograd.ops.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    gaussian_kl,
    hinge_loss,
    huber_loss,
    l1_loss,
    l1_penalty,
    l2_penalty,
    mse_loss,
    nll_loss,
)
from minigen.autograd.ops.normalization import batch_norm, layer_norm
from minigen.autograd.ops.pooling import avg_pool2d, max_pool2d, upsample_nearest
from minigen.autograd.ops.recurrent import gru, lstm, rnn
from minigen.autograd.ops.reduction import cumsum, logsumexp, max, mean, min, sum, var
from minigen.autograd.ops.shape import (
    concatenate,
    expand,
    expand_dims,
    flip,
    getitem,
    pad,
    reshape,
    split,
    squeeze,
    stack,
    swapaxes,
    transpose,
)
from minigen.autograd.ops.softmax import log_softmax, softmax

__all__ = [
    "abs",
    "add",
    "astype",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "clip",
    "concatenate",
    "conv2d",
    "conv_transpose2d",
    "cos",
    "cross_entropy",
    "cumsum",
    "divide",
    "dropout",
    "einsum",
    "elu",
    "embedding",
    "equal",
    "erf",
    "exp",
    "expand",
    "expand_dims",
    "expm1",
    "flip",
    "gaussian_kl",
    "gelu",
    "getitem",
    "greater",
    "greater_equal",
    "gru",
    "hinge_loss",
    "huber_loss",
    "l1_loss",
    "l1_penalty",
    "l2_penalty",
    "layer_norm",
    "leaky_relu",
    "less",
    "less_equal",
    "linear",
    "log",
    "log1p",
    "log_softmax",
    "logsumexp",
    "lstm",
    "matmul",
    "max",
    "max_pool2d",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mse_loss",
    "multiply",
    "negative",
    "nll_loss",
    "not_equal",
    "pad",
    "power",
    "relu",
    "reshape",
    "rnn",
    "scaled_dot_product_attention",
    "self_attention",
    "sigmoid",
    "silu",
    "sin",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "squeeze",
    "stack",
    "subtract",
    "sum",
    "swapaxes",
    "tanh",
    "transpose",
    "upsample_nearest",
    "var",
    "where",
]

UFUNCS: dict[np.ufunc, Callable] = {
    getattr(np, function.__name__): function
    for function in (
        *(abs, add, divide, equal, exp, expm1, greater, greater_equal, less, less_equal, log, log1p, matmul, maximum),
        *(minimum, multiply, negative, not_equal, power, sin, cos, sqrt, subtract, tanh),
    )
}

REDUCTIONS = ("sum", "mean", "var", "max", "min")
NUMPY_FUNCTIONS = frozenset(  # those whose arguments mean the same here; np.split's and np.pad's do not
    (
        *REDUCTIONS,
        *("cumsum", "clip", "where", "einsum", "concatenate", "stack", "flip"),
        *("reshape", "transpose", "swapaxes", "squeeze", "expand_dims"),
    )
)
