"""Every differentiable operation, by its public name: the functions of `minigen` itself."""

from collections.abc import Callable

import numpy as np

from minigen.autograd.ops.activation import (
    cos,
    elu,
    erf,
    exp,
    expm1,
    gelu,
    leaky_relu,
    log,
    log1p,
    relu,
    sigmoid,
    silu,
    sin,
    softplus,
    sqrt,
    tanh,
)
from minigen.autograd.ops.arithmetic import (
    abs,
    add,
    astype,
    clip,
    divide,
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    power,
    subtract,
    where,
)
from minigen.autograd.ops.linalg import einsum, linear, matmul
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

__all__ = [
    "abs",
    "add",
    "astype",
    "clip",
    "concatenate",
    "cos",
    "cumsum",
    "divide",
    "einsum",
    "elu",
    "equal",
    "erf",
    "exp",
    "expand",
    "expand_dims",
    "expm1",
    "flip",
    "gelu",
    "getitem",
    "greater",
    "greater_equal",
    "leaky_relu",
    "less",
    "less_equal",
    "linear",
    "log",
    "log1p",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "pad",
    "power",
    "relu",
    "reshape",
    "sigmoid",
    "silu",
    "sin",
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

NUMPY_FUNCTIONS = frozenset(
    (
        *("sum", "mean", "var", "max", "min", "cumsum", "clip", "where", "einsum"),
        *("concatenate", "stack", "split", "pad", "flip", "reshape", "transpose", "swapaxes", "squeeze", "expand_dims"),
    )
)
