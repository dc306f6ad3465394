"""Products: matmul (batched, broadcast), linear, einsum."""

import math
import string

import numpy as np

from minigen import kernels
from minigen.autograd.function import Function
from minigen.autograd.fused import FusedFunction, Gradients
from minigen.autograd.ops.activation import leaky
from minigen.autograd.ops.cast import astype
from minigen.autograd.ops.operands import broadcastable, leaky_slope, rows, same_dtype
from minigen.autograd.ops.shape import expand_dims, getitem, reshape, squeeze, sum_to, swapaxes, transpose
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.errors import ArgumentError, ShapeError
from minigen.kernels.blas import product
from minigen.kernels.noting import constant

MANY_TERMS = 4096  # from which the sums of an einsum in float32 drift


class MatMul(Function):
    """y = a b over the last two axes, leading axes broadcast; ga = gy bᵀ, gb = aᵀ gy."""

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = a.shape, b.shape
        self.save_inputs(*[i for i in (0, 1) if self.needs[1 - i]])
        return kernels.matmul(a, b) if a.dtype.kind == "f" and min(a.ndim, b.ndim) > 1 else product(a, b)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        ga = gb = None
        if self.needs[0]:
            ga = sum_to(matmul(gy, swapaxes(self.saved_input(1), -1, -2)), self.shapes[0])
        if self.needs[1]:
            gb = sum_to(matmul(swapaxes(self.saved_input(0), -1, -2), gy), self.shapes[1])
        return ga, gb


class Linear(FusedFunction):
    """y = leaky(x w + b), x (…, in); with gz = gy leaky'(y): gx = gz wᵀ, and over all rows gw = xᵀ gz, gb = Σ gz.

    leaky is nothing (slope None), ReLU (0) or LeakyReLU, whose derivative can be told from y. One node for all three:
    one pass over y instead of three.
    """

    def __init__(self, slope: float | None = None) -> None:
        self.slope = slope

    def forward(self, x: np.ndarray, w: np.ndarray, *bias: np.ndarray) -> np.ndarray:
        self.save_inputs(*range(2 + len(bias)))
        if self.slope is not None:
            self.save_output()
        y = kernels.matmul(rows(x), w, *bias, slope=self.slope)
        return y if x.ndim == 2 else y.reshape(*x.shape[:-1], w.shape[1])

    def backward_arrays(self, gy: np.ndarray) -> Gradients:
        x, w, gz, gb = self.saved_array(0), self.saved_array(1), rows(gy), None
        if self.slope is not None:
            gz, gb = kernels.bias_leaky_grad(gz, rows(self.saved_output_array()), self.slope, True in self.needs[2:])
        elif True in self.needs[2:]:
            gb = kernels.total(gz, (0,))
        gx = kernels.matmul(gz, w.T).reshape(x.shape) if self.needs[0] else None
        gw, place = None, self.destination(1)
        if self.needs[1]:
            gw = place.holds(kernels.matmul(rows(x).T, gz, out=place.out, add=place.add))
        return (gx, gw, gb)[: len(self.needs)]

    def compose(self, x: Tensor, w: Tensor, *bias: Tensor) -> Tensor:
        y = matmul(x, w)
        return leaky(y + bias[0] if bias else y, self.slope)


class Einsum(Function):
    """y = einsum(terms -> output, operands), every index once in each term.

    The gradient of operand i is the einsum of gy with the other operands, giving the letters of term i. Letters of
    term i that stand nowhere else were summed alone: their gradient is repeated, by an operand of ones.
    """

    def __init__(self, terms: list[str], output: str) -> None:
        self.terms, self.output = terms, output

    def forward(self, *arrays: np.ndarray) -> np.ndarray:
        self.save_inputs(*range(len(arrays)))
        self.shapes = [x.shape for x in arrays]
        if len(arrays) == 1:
            (term,), (x,) = self.terms, arrays
            kept = [letter for letter in term if letter in self.output]
            y = kernels.total(x, tuple([i for i, letter in enumerate(term) if letter not in kept]))
            return y.transpose([kept.index(letter) for letter in self.output])
        dtype, lengths = arrays[0].dtype, dict(zip("".join(self.terms), sum(self.shapes, ()), strict=True))
        if (
            dtype.kind == "f"
            and math.prod([n for letter, n in lengths.items() if letter not in self.output]) > MANY_TERMS
        ):
            arrays = tuple([x.astype(np.float64) for x in arrays])
        return np.einsum(f"{','.join(self.terms)}->{self.output}", *arrays, optimize=True).astype(dtype, copy=False)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return tuple([self.gradient(i, gy) if need else None for i, need in enumerate(self.needs)])

    def gradient(self, i: int, gy: Tensor) -> Tensor:
        """∂L/∂operand i."""
        others = [j for j in range(len(self.terms)) if j != i]
        terms = [self.output, *[self.terms[j] for j in others]]
        operands = [gy, *[self.saved_input(j) for j in others]]
        present = set("".join(terms))
        for letter, length in zip(self.terms[i], self.shapes[i], strict=True):
            if letter not in present:
                terms.append(letter)
                operands.append(Tensor(constant(np.ones(length, gy.dtype))))
        return Einsum(terms, self.terms[i])(*operands)


def matmul(a: Operand, b: Operand) -> Tensor:
    """Matrix product over the last two axes: (…, M, K) · (…, K, N) → (…, M, N), leading axes broadcast.

    A 1-D operand counts as a row on the left, as a column on the right, and the axis is dropped from the result.
    Of integers the result is int64 or uint64, exact. Raises ShapeError when the inner lengths or the leading axes do
    not fit.
    """
    a, b = summable([as_tensor(a, "matmul"), as_tensor(b, "matmul")])
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(f"matmul: shapes {a.shape} and {b.shape}; both need at least one axis (use * for scalars)")
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ShapeError(f"matmul: shapes {a.shape} and {b.shape}; a's last axis must equal b's axis -2 (0 if 1-D)")
    if a.ndim == 1:
        return squeeze(matmul(expand_dims(a, 0), b), -1 if b.ndim == 1 else -2)
    if b.ndim == 1:
        return squeeze(matmul(a, expand_dims(b, 1)), -1)
    if b.ndim == 2 and a.ndim > 2:
        # One product of all rows, instead of one for each leading index.
        return reshape(MatMul()(reshape(a, (math.prod(a.shape[:-1]), a.shape[-1])), b), (*a.shape[:-1], b.shape[-1]))
    if not broadcastable(a.shape[:-2], b.shape[:-2]):
        raise ShapeError(f"matmul: leading axes of {a.shape} and {b.shape} do not broadcast")
    return MatMul()(a, b)


def summable(tensors: list[Tensor]) -> list[Tensor]:
    """Tensors of one dtype whose products can be added up: floats, or where all are integers the widest integers."""
    if any(x.dtype.kind not in "iu" for x in tensors):
        return same_dtype(tensors)
    wide = np.uint64 if all(x.dtype.kind == "u" for x in tensors) else np.int64
    return [astype(x, wide) for x in tensors]


def linear(x: Operand, weight: Operand, bias: Operand | None = None, negative_slope: float | None = None) -> Tensor:
    """y = leaky(x · weight + bias), where leaky(v) is v from 0 on and negative_slope · v below; None: no activation.

    x (…, in), weight (in, out), bias (out,) → y (…, out). The weight is stored (in, out), the transpose of PyTorch's.
    Equal to leaky_relu(linear(x, weight, bias), negative_slope), in one pass. Raises ShapeError when the shapes do not
    fit, ArgumentError for a negative slope.
    """
    operands = same_dtype([as_tensor(t, "linear") for t in (x, weight, *(() if bias is None else (bias,)))])
    x, weight = operands[:2]
    if weight.ndim != 2 or x.ndim < 1 or x.shape[-1] != weight.shape[0]:
        raise ShapeError(
            f"linear: x {x.shape} and weight {weight.shape}; weight is (in, out), and the last axis of x has length in"
        )
    if bias is not None and operands[2].shape != weight.shape[1:]:
        raise ShapeError(f"linear: bias {operands[2].shape} must have shape {weight.shape[1:]}, one value per output")
    return Linear(leaky_slope(negative_slope, "linear"))(*operands)


def einsum(subscripts: str, *operands: Operand) -> Tensor:
    """Einstein summation, as np.einsum: letters name axes; those not in the output are summed over.

    Supports several operands, an implicit output, "..." for broadcast leading axes, and diagonals ("ii->i").
    Raises ArgumentError on malformed subscripts, ShapeError when the lengths of a letter differ.
    """
    tensors = summable([as_tensor(x, "einsum") for x in operands]) if operands else []
    terms, output, batch = parse_subscripts(subscripts, tensors)
    lengths: dict[str, int] = {}
    for term, x in zip(terms, tensors, strict=True):
        for letter, n in zip(term, x.shape, strict=True):
            lengths[letter] = n if lengths.get(letter, 1) == 1 else lengths[letter]
    for i, (term, x) in enumerate(zip(terms, tensors, strict=True)):
        for letter, n in zip(term, x.shape, strict=True):
            if n != lengths[letter] and not (n == 1 and letter in batch):
                raise ShapeError(
                    f"einsum: {subscripts}: index {letter} has length {n} in operand {i}, {lengths[letter]} elsewhere"
                )
        repeated = tuple(k for k, letter in enumerate(term) if x.shape[k] != lengths[letter])
        if repeated:  # an axis of "..." that broadcasts
            terms[i], tensors[i] = "".join(c for k, c in enumerate(term) if k not in repeated), squeeze(x, repeated)
    for i, term in enumerate(terms):
        terms[i], tensors[i] = take_diagonals(term, tensors[i])
    return Einsum(terms, output)(*tensors)


def parse_subscripts(subscripts: str, tensors: list[Tensor]) -> tuple[list[str], str, str]:
    """A string of letters for each operand, one for the output, and the letters that "..." stands for."""
    if not isinstance(subscripts, str):
        raise ArgumentError(f"einsum: subscripts is {type(subscripts).__name__}; write a string such as 'ij,jk->ik'")
    left, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(tensors):
        raise ArgumentError(f"einsum: {subscripts!r} names {len(terms)} operands, {len(tensors)} were given")
    letters = set("".join([*terms, output]).replace(".", ""))
    if not letters <= set(string.ascii_letters):
        raise ArgumentError(f"einsum: {subscripts!r}: indices must be letters")
    spare = [c for c in string.ascii_letters if c not in letters]
    ranks = [x.ndim - len(term.replace("...", "")) for term, x in zip(terms, tensors, strict=True)]
    for term, rank, x in zip(terms, ranks, tensors, strict=True):
        if term.replace("...", "", 1).count(".") or rank < 0 or ("..." not in term and rank):
            raise ArgumentError(f"einsum: {subscripts!r}: term {term!r} does not fit an operand of shape {x.shape}")
    widest = max([rank for term, rank in zip(terms, ranks, strict=True) if "..." in term], default=0)
    batch = "".join(spare[:widest])
    if not arrow:
        once = sorted(c for c in letters if left.count(c) == 1)
        output = ("..." if "..." in left else "") + "".join(once)
    terms = [t.replace("...", batch[len(batch) - r :] if r else "") for t, r in zip(terms, ranks, strict=True)]
    output = output.replace("...", batch)
    if len(set(output)) != len(output) or not set(output) <= set("".join(terms)):
        raise ArgumentError(f"einsum: {subscripts!r}: each output index must stand once, and in an operand")
    return terms, output, batch


def take_diagonals(term: str, x: Tensor) -> tuple[str, Tensor]:
    """`x` reduced to the diagonal of every index that its term repeats."""
    for letter in sorted(set(term)):
        while term.count(letter) > 1:
            i = term.index(letter)
            j = term.index(letter, i + 1)
            rest = [k for k in range(len(term)) if k not in (i, j)]
            n = constant(np.arange(x.shape[i]))
            x = getitem(transpose(x, (i, j, *rest)), (n, n))
            term = letter + "".join(term[k] for k in rest)
    return term, x
