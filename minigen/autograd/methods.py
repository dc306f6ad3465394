"""The functions of `minigen.autograd.ops` that are methods of a Tensor too: x.sum(0) is mg.sum(x, 0).

The tensor stands for the first argument. Documentation and arguments are the function's own. Those whose arguments
may also be given one by one, x.reshape(2, 3), are written out.
"""

from collections.abc import Sequence
from typing import Any

from minigen.autograd import ops
from minigen.autograd.tensor import Tensor


class Methods:
    """What `operators.py` puts into Tensor beside the operators."""

    # elementwise
    astype = ops.astype
    exp, expm1, log, log1p, log2, log10 = ops.exp, ops.expm1, ops.log, ops.log1p, ops.log2, ops.log10
    sqrt, rsqrt, square, reciprocal = ops.sqrt, ops.rsqrt, ops.square, ops.reciprocal
    sin, cos, tan, asin, acos, atan, atan2 = ops.sin, ops.cos, ops.tan, ops.asin, ops.acos, ops.atan, ops.atan2
    sinh, cosh, tanh = ops.sinh, ops.cosh, ops.tanh
    abs, sign, floor, ceil, round, trunc = ops.abs, ops.sign, ops.floor, ops.ceil, ops.round, ops.trunc
    clip, sigmoid, relu, softmax, log_softmax = ops.clip, ops.sigmoid, ops.relu, ops.softmax, ops.log_softmax
    isnan, isinf, isfinite = ops.isnan, ops.isinf, ops.isfinite
    logical_and, logical_or, logical_xor = ops.logical_and, ops.logical_or, ops.logical_xor
    logical_not = ops.logical_not

    # over axes
    sum, mean, var, std, prod, norm = ops.sum, ops.mean, ops.var, ops.std, ops.prod, ops.norm
    max, min, argmax, argmin = ops.max, ops.min, ops.argmax, ops.argmin
    any, all, count_nonzero = ops.any, ops.all, ops.count_nonzero
    logsumexp, cumsum, cumprod = ops.logsumexp, ops.cumsum, ops.cumprod

    # choice and order
    sort, argsort, topk, unique, nonzero = ops.sort, ops.argsort, ops.topk, ops.unique, ops.nonzero
    gather, scatter, scatter_add = ops.gather, ops.scatter, ops.scatter_add
    index_select, index_add = ops.index_select, ops.index_add
    masked_fill, masked_select = ops.masked_fill, ops.masked_select

    # shape
    clone, flatten, squeeze, expand_dims = ops.clone, ops.flatten, ops.squeeze, ops.expand_dims
    swapaxes, moveaxis, flip, roll = ops.swapaxes, ops.moveaxis, ops.flip, ops.roll
    tile, repeat, repeat_interleave = ops.tile, ops.repeat, ops.repeat_interleave
    split, chunk = ops.split, ops.chunk

    # matrices
    matmul, dot, outer = ops.matmul, ops.dot, ops.outer
    tril, triu, diag, diagonal, trace = ops.tril, ops.triu, ops.diag, ops.diagonal, ops.trace

    def reshape(self, *shape: Any) -> Tensor:
        """The same elements in another shape, x.reshape(2, 3) or x.reshape((2, 3)); one length may be -1."""
        return ops.reshape(self, one_by_one(shape))

    def expand(self, *shape: Any) -> Tensor:
        """Repeated along axes of length one, x.expand(2, 3) or x.expand((2, 3)); a view. -1 keeps a length."""
        return ops.expand(self, one_by_one(shape))

    def transpose(self, *axes: Any) -> Tensor:
        """Axes permuted, x.transpose(2, 0, 1) or x.transpose((2, 0, 1)), reversed by default; of two, exchanged."""
        if len(axes) == 2:  # as in PyTorch, whatever the number of axes; a matrix has no other order to be brought to
            return ops.swapaxes(self, *axes)
        return ops.transpose(self, one_by_one(axes) or None)


def one_by_one(values: tuple[Any, ...]) -> Sequence[Any]:
    """The values of f(2, 3), or of f((2, 3))."""
    return values[0] if len(values) == 1 and isinstance(values[0], Sequence) else values
