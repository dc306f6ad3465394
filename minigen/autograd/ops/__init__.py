"""Every operation on tensors, by its public name: the functions of `minigen` itself.

What integers and booleans become: functions of real numbers (exp, /, mean, norm) take them as `config.dtype`, float32.
+ - * // % **, maximum, where, rounding, and what chooses, sorts and moves keep integers; with a float beside them they
become floats, never float64. sum, prod, cumprod, counts and places are int64. Comparisons, logic, any and all give
booleans, and so do & | ^ ~ of booleans. Only floats carry gradients.
"""

from collections.abc import Callable

import numpy as np

from minigen.autograd.ops.activation import (
    elu,
    erf,
    gelu,
    glu,
    hardswish,
    leaky_relu,
    log_sigmoid,
    mish,
    prelu,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softplus,
    tanh,
)
from minigen.autograd.ops.adaptive_pooling import adaptive_avg_pool2d, adaptive_max_pool2d
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
from minigen.autograd.ops.arrangement import (
    chunk,
    clone,
    flatten,
    meshgrid,
    moveaxis,
    repeat,
    repeat_interleave,
    roll,
    tile,
)
from minigen.autograd.ops.attention import scaled_dot_product_attention, self_attention
from minigen.autograd.ops.cast import astype
from minigen.autograd.ops.comparison import equal, greater, greater_equal, less, less_equal, not_equal
from minigen.autograd.ops.convolution import conv2d, conv_transpose2d
from minigen.autograd.ops.convolution_nd import conv1d, conv3d, conv_transpose1d
from minigen.autograd.ops.counting import all, any, bincount, count_nonzero
from minigen.autograd.ops.creation import arange, eye, full, full_like, linspace, ones, ones_like, zeros, zeros_like
from minigen.autograd.ops.ctc import ctc_loss
from minigen.autograd.ops.drawing import bernoulli, multinomial, rand, rand_like, randint, randn, randn_like, randperm
from minigen.autograd.ops.dropout import dropout, dropout2d
from minigen.autograd.ops.elementary import cos, exp, expm1, log, log1p, sin, sqrt
from minigen.autograd.ops.embedding import embedding
from minigen.autograd.ops.group_normalization import group_norm, instance_norm, rms_norm
from minigen.autograd.ops.indexing import (
    gather,
    index_add,
    index_select,
    masked_fill,
    masked_select,
    nonzero,
    one_hot,
    scatter,
    scatter_add,
    take_along_axis,
)
from minigen.autograd.ops.linalg import einsum, linear, matmul
from minigen.autograd.ops.logarithms import log2, log10, logaddexp, reciprocal, rsqrt, square
from minigen.autograd.ops.logic import (
    allclose,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    isclose,
    isfinite,
    isinf,
    isnan,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
)
from minigen.autograd.ops.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    kl_div,
    nll_loss,
)
from minigen.autograd.ops.loss_metric import cosine_embedding_loss, hinge_loss, margin_ranking_loss, triplet_margin_loss
from minigen.autograd.ops.loss_regression import (
    gaussian_kl,
    gaussian_nll_loss,
    huber_loss,
    l1_loss,
    l1_penalty,
    l2_penalty,
    mse_loss,
    smooth_l1_loss,
)
from minigen.autograd.ops.matrices import diag, diagonal, dot, outer, trace, tril, triu
from minigen.autograd.ops.normalization import batch_norm, layer_norm
from minigen.autograd.ops.norms import cdist, cosine_similarity, norm, normalize, std
from minigen.autograd.ops.ordering import argmax, argmin, argsort, searchsorted, sort, topk, unique
from minigen.autograd.ops.padding import pad
from minigen.autograd.ops.patches import fold, pixel_shuffle, pixel_unshuffle, unfold
from minigen.autograd.ops.pooling import avg_pool1d, avg_pool2d, max_pool1d, max_pool2d, upsample_nearest
from minigen.autograd.ops.products import cumprod, prod
from minigen.autograd.ops.recurrent import gru, lstm, rnn
from minigen.autograd.ops.reduction import cumsum, logsumexp, max, mean, min, sum, var
from minigen.autograd.ops.resize import resize
from minigen.autograd.ops.rounding import ceil, floor, floor_divide, remainder, round, sign, trunc
from minigen.autograd.ops.shape import (
    concatenate,
    expand,
    expand_dims,
    flip,
    getitem,
    reshape,
    split,
    squeeze,
    stack,
    swapaxes,
    transpose,
)
from minigen.autograd.ops.softmax import gumbel_softmax, log_softmax, softmax
from minigen.autograd.ops.trigonometry import acos, asin, atan, atan2, cosh, sinh, tan

__all__ = [
    "abs",
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "add",
    "astype",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "clip",
    "concatenate",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "cos",
    "cosine_embedding_loss",
    "cross_entropy",
    "ctc_loss",
    "cumsum",
    "divide",
    "dropout",
    "dropout2d",
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
    "fold",
    "gaussian_kl",
    "gaussian_nll_loss",
    "gelu",
    "getitem",
    "glu",
    "greater",
    "greater_equal",
    "group_norm",
    "gru",
    "gumbel_softmax",
    "hardswish",
    "hinge_loss",
    "huber_loss",
    "instance_norm",
    "kl_div",
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
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "lstm",
    "margin_ranking_loss",
    "matmul",
    "max",
    "max_pool1d",
    "max_pool2d",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mish",
    "mse_loss",
    "multiply",
    "negative",
    "nll_loss",
    "not_equal",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "power",
    "prelu",
    "relu",
    "relu6",
    "reshape",
    "resize",
    "rms_norm",
    "rnn",
    "scaled_dot_product_attention",
    "self_attention",
    "selu",
    "sigmoid",
    "silu",
    "sin",
    "smooth_l1_loss",
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
    "unfold",
    "triplet_margin_loss",
    "upsample_nearest",
    "var",
    "where",
]
__all__ += ["zeros", "ones", "full", "arange", "linspace", "eye", "zeros_like", "ones_like", "full_like"]
__all__ += ["rand", "randn", "randint", "randperm", "rand_like", "randn_like", "bernoulli", "multinomial"]
__all__ += ["gather", "take_along_axis", "scatter", "scatter_add", "index_select", "index_add"]
__all__ += ["masked_fill", "masked_select", "one_hot", "nonzero"]
__all__ += ["argmax", "argmin", "sort", "argsort", "topk", "searchsorted", "unique"]
__all__ += ["clone", "flatten", "moveaxis", "tile", "repeat", "repeat_interleave", "roll", "chunk", "meshgrid"]
__all__ += ["bincount", "isclose", "allclose"]
__all__ += ["any", "all", "count_nonzero", "prod", "cumprod", "std", "norm", "normalize", "cosine_similarity", "cdist"]
__all__ += ["sign", "floor", "ceil", "round", "trunc", "floor_divide", "remainder"]
__all__ += ["tan", "asin", "acos", "atan", "atan2", "sinh", "cosh"]
__all__ += ["log2", "log10", "logaddexp", "square", "reciprocal", "rsqrt"]
__all__ += ["isnan", "isinf", "isfinite", "logical_and", "logical_or", "logical_xor", "logical_not"]
__all__ += ["bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not"]
__all__ += ["tril", "triu", "diag", "diagonal", "trace", "outer", "dot"]

UFUNCS: dict[np.ufunc, Callable] = {
    getattr(np, function.__name__): function
    for function in (
        *(abs, add, divide, equal, exp, expm1, greater, greater_equal, less, less_equal, log, log1p, matmul, maximum),
        *(minimum, multiply, negative, not_equal, power, sin, cos, sqrt, subtract, tanh),
        *(tan, sinh, cosh, log2, log10, logaddexp, square, reciprocal, sign, floor, ceil, trunc),
        *(floor_divide, remainder, isnan, isinf, isfinite, logical_and, logical_or, logical_xor, logical_not),
        *(bitwise_and, bitwise_or, bitwise_xor, bitwise_not),
    )
} | {np.arcsin: asin, np.arccos: acos, np.arctan: atan, np.arctan2: atan2}

REDUCTIONS = tuple(getattr(np, f.__name__) for f in (sum, mean, var, std, max, min, prod, any, all, argmax, argmin))
NUMPY_FUNCTIONS: dict[Callable, Callable] = {  # whose arguments mean the same here; np.split's, np.pad's, np.sort's not
    getattr(np, function.__name__): function
    for function in (
        *(sum, mean, var, std, max, min, prod, any, all, argmax, argmin, count_nonzero, cumsum, cumprod, round),
        *(clip, where, einsum, concatenate, stack, flip, reshape, transpose, swapaxes, squeeze, expand_dims, moveaxis),
        *(zeros_like, ones_like, full_like, take_along_axis, tile, roll, tril, triu, diag, diagonal, trace, outer, dot),
    )
} | {np.repeat: repeat_interleave, np.broadcast_to: expand}
