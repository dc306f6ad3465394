"""Each operation in ONNX's, opset 20: (graph, node, node of the other trace, inputs) → outputs.

Images are channels-last here and channels-first there: around each convolution and pooling stand transpositions, which
runtimes fold. Weights are turned as they are written.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.ops.activation import ELU, GELU, Erf, LeakyReLU, Sigmoid, SiLU, Softplus, Tanh
from minigen.autograd.ops.arithmetic import (
    Abs,
    Add,
    Clip,
    Divide,
    Extremum,
    Multiply,
    Negative,
    Power,
    PowerConstant,
    Subtract,
    Where,
)
from minigen.autograd.ops.cast import AsType
from minigen.autograd.ops.convolution import Conv2d, ConvTranspose2d
from minigen.autograd.ops.elementary import Cos, Exp, Log, Sin, Sqrt
from minigen.autograd.ops.embedding import Embedding
from minigen.autograd.ops.indexing import OneHot
from minigen.autograd.ops.linalg import Linear, MatMul
from minigen.autograd.ops.normalization import BatchNormInference, LayerNorm
from minigen.autograd.ops.padding import Pad
from minigen.autograd.ops.pooling import AvgPool2d, MaxPool2d, UpsampleNearest
from minigen.autograd.ops.reduction import Extreme, Mean, Sum
from minigen.autograd.ops.shape import Concatenate, Expand, Flip, GetItem, Reshape, SumTo, Transpose
from minigen.autograd.ops.softmax import LogSoftmax, Softmax
from minigen.errors import ArgumentError
from minigen.interop.onnx.graph import Graph, Value

FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)  # channels
END = np.iinfo(np.int64).max

Translation = Callable[[Graph, Any, Any, Sequence[Value]], Value | Sequence[Value]]


def plain(kind: str, **attributes: Any) -> Translation:
    """An operation that has its twin."""
    return lambda g, node, other, x: g.op(kind, x, **attributes)


def leaky(g: Graph, y: Value, slope: float | None) -> Value:
    """The activation that is part of an operation."""
    if slope is None:
        return y
    return g.op("Relu", [y]) if slope == 0 else g.op("LeakyRelu", [y], alpha=float(slope))


def reduction_of(kind: str) -> Translation:
    """A sum, mean, or largest number over axes."""
    return lambda g, node, other, x: g.op(kind, [x[0], g.whole(node.axes)], keepdims=int(node.keepdims))


def extreme(g: Graph, node: Extreme, other: Extreme, x: Sequence[Value]) -> Value:
    """The largest or smallest over axes."""
    kind = "ReduceMax" if node.largest else "ReduceMin"
    return g.op(kind, [x[0], g.whole(node.axes)], keepdims=int(node.keepdims))


def reshape(g: Graph, node: Reshape, other: Reshape, x: Sequence[Value]) -> Value:
    """Also where one number follows from the others."""
    a, b = whole_shape(node), whole_shape(other)
    differ = [i for i, (m, n) in enumerate(zip(a, b, strict=True)) if m != n]
    if len(differ) == 1:
        return g.op("Reshape", [x[0], g.whole([-1 if i == differ[0] else n for i, n in enumerate(a)])])
    return g.op("Reshape", [x[0], g.shape(a, b)])


def whole_shape(node: Reshape) -> list[int]:
    """The shape that is made, without -1."""
    rest = math.prod(n for n in node.target if n != -1)
    return [math.prod(node.source) // max(rest, 1) if n == -1 else n for n in node.target]


def sum_to(g: Graph, node: SumTo, other: SumTo, x: Sequence[Value]) -> Value:
    """A sum over the axes that are longer than wanted."""
    new = len(node.source) - len(node.target)
    axes = [*range(new), *(i + new for i, n in enumerate(node.target) if n == 1 and node.source[i + new] != 1)]
    summed = g.op("ReduceSum", [x[0], g.whole(axes)], keepdims=1)
    return g.op("Reshape", [summed, g.shape(node.target, other.target)])


def getitem(g: Graph, node: GetItem, other: GetItem, x: Sequence[Value]) -> Value:
    """Slices, whole numbers, new axes; or one array of positions, alone or behind whole axes."""
    index = node.index if isinstance(node.index, tuple) else (node.index,)
    rank = len(node.source)
    taken = sum(part is not None and part is not Ellipsis for part in index)
    if Ellipsis in [part for part in index if not isinstance(part, np.ndarray)]:
        at = next(i for i, part in enumerate(index) if part is Ellipsis)
        index = (*index[:at], *[slice(None)] * (rank - taken), *index[at + 1 :])
    y, axis, dropped, added = x[0], 0, [], []
    for part in index:
        if part is None:
            added.append(axis - len(dropped) + len(added))
            continue
        if isinstance(part, np.ndarray):
            if part.dtype == bool or len(dropped) or len([p for p in index if isinstance(p, np.ndarray)]) > 1:
                raise ArgumentError("to_onnx: x[index] with masks, or several arrays, has no translation")
            y = g.op("Gather", [y, g.value(part, find(other.index))], axis=axis)
            axis += part.ndim - 1
        elif isinstance(part, slice):
            y = sliced(g, y, part, axis, node.source[axis])
        else:
            stop = END if part == -1 else int(part) + 1
            y = g.op("Slice", [y, g.whole([int(part)]), g.whole([stop]), g.whole([axis])])
            dropped.append(axis)
        axis += 1
    y = g.op("Squeeze", [y, g.whole(dropped)]) if dropped else y
    return g.op("Unsqueeze", [y, g.whole(added)]) if added else y


def find(index: Any) -> np.ndarray:
    """The array in an index."""
    return next(part for part in (index if isinstance(index, tuple) else (index,)) if isinstance(part, np.ndarray))


def sliced(g: Graph, y: Value, part: slice, axis: int, length: int) -> Value:
    """One axis of x[a:b:c]."""
    if part == slice(None):
        return y
    step = 1 if part.step is None else part.step
    start = (0 if step > 0 else END) if part.start is None else part.start
    stop = (END if step > 0 else -END) if part.stop is None else part.stop
    return g.op("Slice", [y, *(g.whole([n]) for n in (start, stop, axis, step))])


def convolved(g: Graph, node: Any, other: Any, x: Sequence[Value], kind: str, weight: Value, **more: Any) -> Value:
    """Either convolution, between transpositions."""
    top, bottom, left, right = node.geometry.padding
    options = {"strides": list(node.geometry.stride), "dilations": list(node.geometry.dilation)}
    options |= {"pads": [top, left, bottom, right], "group": node.geometry.groups, **more}
    images = g.op("Transpose", [x[0]], perm=list(FIRST))
    y = g.op("Transpose", [g.op(kind, [images, weight, *x[2:]], **options)], perm=list(LAST))
    return leaky(g, y, node.slope)


def conv2d(g: Graph, node: Conv2d, other: Any, x: Sequence[Value]) -> Value:
    """weight (KH, KW, in / groups, out) → (out, in / groups, KH, KW)."""
    return convolved(g, node, other, x, "Conv", g.op("Transpose", [x[1]], perm=[3, 2, 0, 1]))


def conv_transpose2d(g: Graph, node: ConvTranspose2d, other: Any, x: Sequence[Value]) -> Value:
    """weight (KH, KW, out / groups, in), as (in, out / groups, KH, KW); what the strides leave open is padded."""
    top, bottom, left, right = node.geometry.padding
    open_ = []
    for axis, (before, after) in enumerate(((top, bottom), (left, right))):
        stride, reach = node.geometry.stride[axis], node.geometry.dilation[axis] * (node.kernel_hw[axis] - 1) + 1
        open_.append(node.out_hw[axis] - ((node.x_hw[axis] - 1) * stride + reach - before - after))
    turned = g.op("Transpose", [x[1]], perm=[3, 2, 0, 1])
    return convolved(g, node, other, x, "ConvTranspose", turned, output_padding=open_)


def pooled(kind: str, **options: Any) -> Translation:
    """A pooling, between transpositions."""

    def translate(g: Graph, node: Any, other: Any, x: Sequence[Value]) -> Value:
        kernel, stride, (top, bottom, left, right) = node.window
        sizes = {"kernel_shape": list(kernel), "strides": list(stride), "pads": [top, left, bottom, right]}
        images = g.op("Transpose", [x[0]], perm=list(FIRST))
        return g.op("Transpose", [g.op(kind, [images], **sizes, **options)], perm=list(LAST))

    return translate


def upsample(g: Graph, node: UpsampleNearest, other: Any, x: Sequence[Value]) -> Value:
    """Each pixel as a block."""
    scales = g.constant(np.array([1, 1, *node.scale], np.float32))
    images = g.op("Transpose", [x[0]], perm=list(FIRST))
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    big = g.op("Resize", [images, None, scales], **how)
    return g.op("Transpose", [big], perm=list(LAST))


def pad(g: Graph, node: Pad, other: Any, x: Sequence[Value]) -> Value:
    """Constant numbers around."""
    widths = [before for before, _ in node.widths] + [after for _, after in node.widths]
    return g.op("Pad", [x[0], g.whole(widths), g.scalar(node.value, np.float32)])


def linear(g: Graph, node: Linear, other: Any, x: Sequence[Value]) -> Value:
    """x w + b."""
    y = g.op("MatMul", x[:2])
    return leaky(g, g.op("Add", [y, x[2]]) if len(x) > 2 else y, node.slope)


def batch_norm(g: Graph, node: BatchNormInference, other: Any, x: Sequence[Value]) -> Value:
    """(x - mean) / √(var + eps) · weight + bias."""
    centred = g.op("Sub", [x[0], g.constant(node.mean)])
    scaled = g.op("Mul", [centred, g.op("Mul", [x[1], g.constant(node.invstd())])])
    return leaky(g, g.op("Add", [scaled, x[2]]), node.slope)


def layer_norm(g: Graph, node: LayerNorm, other: Any, x: Sequence[Value]) -> Value:
    """Over the last axis."""
    return g.op("LayerNormalization", x, axis=-1, epsilon=float(node.eps))


def clip(g: Graph, node: Clip, other: Any, x: Sequence[Value]) -> Value:
    """From low to high."""
    ends = [None if end is None else g.scalar(end, np.float32) for end in (node.low, node.high)]
    return g.op("Clip", [x[0], *ends])


def power(g: Graph, node: PowerConstant, other: Any, x: Sequence[Value]) -> Value:
    """xⁿ."""
    return g.op("Mul", [x[0], x[0]]) if node.exponent == 2 else g.op("Pow", [x[0], g.scalar(node.exponent, np.float32)])


def where(g: Graph, node: Where, other: Where, x: Sequence[Value]) -> Value:
    """By a condition that does not follow from the inputs, or is one."""
    return g.op("Where", [g.value(node.condition, other.condition), *x])


def looked_up(g: Graph, node: Embedding, other: Embedding, x: Sequence[Value]) -> Value:
    """weight[indices]."""
    return g.op("Gather", [x[0], g.value(node.indices, other.indices)], axis=0)


def one_hot(g: Graph, node: OneHot, other: OneHot, x: Sequence[Value]) -> Value:
    """Rows with a single 1."""
    return g.op("OneHot", [x[0], g.whole([node.count]), g.whole([0, 1])], axis=-1)


def cast_to(g: Graph, node: AsType, other: Any, x: Sequence[Value]) -> Value:
    """Another dtype."""
    return g.op("Cast", x, to=g.ir.DataType.from_numpy(np.dtype(node.target)))


def flip(g: Graph, node: Flip, other: Any, x: Sequence[Value]) -> Value:
    """Backwards along axes."""
    count = len(node.axes)
    starts, stops, steps = ([n] * count for n in (END, -END, -1))
    return g.op("Slice", [x[0], g.whole(starts), g.whole(stops), g.whole(node.axes), g.whole(steps)])


def transpose(g: Graph, node: Transpose, other: Any, x: Sequence[Value]) -> Value:
    """Axes permuted."""
    return g.op("Transpose", x, perm=[int(axis) for axis in node.axes])


def expand(g: Graph, node: Expand, other: Expand, x: Sequence[Value]) -> Value:
    """Repeated along axes."""
    return g.op("Expand", [x[0], g.shape(node.target, other.target)])


def concatenate(g: Graph, node: Concatenate, other: Any, x: Sequence[Value]) -> Value:
    """Joined along an axis."""
    return g.op("Concat", x, axis=int(node.axis))


def silu(g: Graph, node: Any, other: Any, x: Sequence[Value]) -> Value:
    """x σ(x)."""
    return g.op("Mul", [x[0], g.op("Sigmoid", x)])


def rows(kind: str) -> Translation:
    """Over one axis."""
    return lambda g, node, other, x: g.op(kind, x, axis=int(node.axis))


def elu(g: Graph, node: ELU, other: Any, x: Sequence[Value]) -> Value:
    """α (exp x - 1) below 0."""
    return g.op("Elu", x, alpha=float(node.alpha))


TRANSLATIONS: dict[type[Function], Translation] = {
    Add: plain("Add"),
    Subtract: plain("Sub"),
    Multiply: plain("Mul"),
    Divide: plain("Div"),
    Power: plain("Pow"),
    PowerConstant: power,
    Extremum: lambda g, node, other, x: g.op("Max" if node.largest else "Min", x),
    Where: where,
    Negative: plain("Neg"),
    Abs: plain("Abs"),
    Clip: clip,
    Exp: plain("Exp"),
    Log: plain("Log"),
    Sqrt: plain("Sqrt"),
    Sin: plain("Sin"),
    Cos: plain("Cos"),
    Tanh: plain("Tanh"),
    Sigmoid: plain("Sigmoid"),
    Softplus: plain("Softplus"),
    Erf: plain("Erf"),
    GELU: plain("Gelu"),
    SiLU: silu,
    ELU: elu,
    LeakyReLU: lambda g, node, other, x: leaky(g, x[0], node.slope),
    Softmax: rows("Softmax"),
    LogSoftmax: rows("LogSoftmax"),
    Sum: reduction_of("ReduceSum"),
    Mean: reduction_of("ReduceMean"),
    Extreme: extreme,
    Reshape: reshape,
    Transpose: transpose,
    Expand: expand,
    SumTo: sum_to,
    Concatenate: concatenate,
    Flip: flip,
    GetItem: getitem,
    AsType: cast_to,
    MatMul: plain("MatMul"),
    Linear: linear,
    Embedding: looked_up,
    OneHot: one_hot,
    Conv2d: conv2d,
    ConvTranspose2d: conv_transpose2d,
    BatchNormInference: batch_norm,
    LayerNorm: layer_norm,
    MaxPool2d: pooled("MaxPool"),
    AvgPool2d: pooled("AveragePool", count_include_pad=1),
    UpsampleNearest: upsample,
    Pad: pad,
}
