"""The operators and methods of a Tensor: `a + b`, `x.sum()`, `x[0]`, `np.exp(x)`, `y.backward()`.

Each hands over to the function of `minigen.autograd.ops` in which the operation stands once. The operations make
Tensors, and Tensors know operators: so that no file has to import what stands above it, the methods are put into the
class here, when all operations are there. To a type checker they are a base class of Tensor; `self: Any` marks the
methods that reach for what Tensor itself defines.
"""

from collections.abc import Iterator, Sequence
from inspect import signature
from typing import Any

import numpy as np

from minigen.autograd import engine, ops
from minigen.autograd.conversion import check_numeric
from minigen.autograd.modes import modes
from minigen.autograd.ops.operands import raw_index
from minigen.autograd.tensor import Axis, Operand, Tensor
from minigen.errors import DTypeError, GradientError, ShapeError


class Operators:
    """What is put into Tensor at the end of this file."""

    def backward(
        self: Any, gradient: "Tensor | None" = None, retain_graph: bool | None = None, create_graph: bool = False
    ) -> None:
        """Add ∂self/∂leaf · gradient to `.grad` of all leaves; see `minigen.autograd.engine.backward`."""
        engine.backward(self, gradient, retain_graph, create_graph)

    @property
    def T(self) -> "Tensor":
        """All axes reversed."""
        return ops.transpose(self)

    def copy_(self: Any, source: Operand) -> "Tensor":
        """Overwrite all elements in place with `source`, broadcast to this shape. Returns self."""
        self[...] = source
        return self

    # NumPy's protocols

    def __array__(self: Any, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> "Tensor":
        function = ops.UFUNCS.get(ufunc)
        if method != "__call__" or kwargs or function is None:
            raise DTypeError(
                f"np.{ufunc.__name__}{'' if method == '__call__' else '.' + method}: not available on Tensors with "
                f"{sorted(kwargs) or 'these arguments'}; use the minigen function, or x.detach().numpy()"
            )
        return function(*inputs)

    def __array_function__(self, function: Any, types: Any, args: tuple, kwargs: dict) -> "Tensor":
        name = function.__name__
        if name not in ops.NUMPY_FUNCTIONS:
            raise DTypeError(f"np.{name}: not available on Tensors; use a minigen function, or x.detach().numpy()")
        operation = getattr(ops, name)
        try:
            signature(operation).bind(*args, **kwargs)
        except TypeError as error:
            raise DTypeError(f"np.{name} on a Tensor: {error}; see help(minigen.{name}) for its arguments") from None
        if len(args) > 2 and name in ops.REDUCTIONS:  # the third one is dtype or out in NumPy
            raise DTypeError(f"np.{name} on a Tensor: pass only x and axis by position, keepdims= and ddof= by name")
        return operation(*args, **kwargs)

    # Python's protocols

    def __iter__(self: Any) -> Iterator["Tensor"]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self: Any, index: Any) -> "Tensor":
        return ops.getitem(self, index)

    def __setitem__(self: Any, index: Any, value: Operand) -> None:
        if self.requires_grad and modes.recording:
            raise GradientError(
                "setitem: writing in place into a tensor that requires a gradient can not be differentiated; use "
                "where() or concatenate(), or write under no_grad()"
            )
        if isinstance(value, Tensor) and value.requires_grad and modes.recording:
            raise GradientError("setitem: the value requires a gradient, which would be lost; write value.detach()")
        try:
            value = np.asarray(value.data if isinstance(value, Tensor) else value)
            check_numeric(value, "setitem")
            self.data[raw_index(index)] = value
        except (ValueError, IndexError) as error:
            raise ShapeError(f"setitem: {error}; the tensor has shape {self.shape}") from None
        self.bump_version()

    # Operators

    def __neg__(self) -> "Tensor":
        return ops.negative(self)

    def __abs__(self) -> "Tensor":
        return ops.abs(self)

    def __add__(self, other: Operand) -> "Tensor":
        return ops.add(self, other)

    __radd__ = __add__

    def __sub__(self, other: Operand) -> "Tensor":
        return ops.subtract(self, other)

    def __rsub__(self, other: Operand) -> "Tensor":
        return ops.subtract(other, self)

    def __mul__(self, other: Operand) -> "Tensor":
        return ops.multiply(self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> "Tensor":
        return ops.divide(self, other)

    def __rtruediv__(self, other: Operand) -> "Tensor":
        return ops.divide(other, self)

    def __pow__(self, other: Operand) -> "Tensor":
        return ops.power(self, other)

    def __rpow__(self, other: Operand) -> "Tensor":
        return ops.power(other, self)

    def __matmul__(self, other: Operand) -> "Tensor":
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Operand) -> "Tensor":
        return ops.matmul(other, self)

    def __eq__(self, other: Operand) -> "Tensor":  # pyright: ignore[reportIncompatibleMethodOverride]
        return ops.equal(self, other)

    def __ne__(self, other: Operand) -> "Tensor":  # pyright: ignore[reportIncompatibleMethodOverride]
        return ops.not_equal(self, other)

    def __lt__(self, other: Operand) -> "Tensor":
        return ops.less(self, other)

    def __le__(self, other: Operand) -> "Tensor":
        return ops.less_equal(self, other)

    def __gt__(self, other: Operand) -> "Tensor":
        return ops.greater(self, other)

    def __ge__(self, other: Operand) -> "Tensor":
        return ops.greater_equal(self, other)

    __hash__ = object.__hash__  # by identity, although == compares elements

    # Functions as methods

    def astype(self, dtype: Any) -> "Tensor":
        """Elements converted to another dtype; differentiable between float dtypes."""
        return ops.astype(self, dtype)

    def exp(self) -> "Tensor":
        """exp of each element."""
        return ops.exp(self)

    def log(self) -> "Tensor":
        """Natural logarithm of each element."""
        return ops.log(self)

    def sqrt(self) -> "Tensor":
        """Square root of each element."""
        return ops.sqrt(self)

    def abs(self) -> "Tensor":
        """Absolute value of each element."""
        return ops.abs(self)

    def tanh(self) -> "Tensor":
        """Hyperbolic tangent of each element."""
        return ops.tanh(self)

    def sigmoid(self) -> "Tensor":
        """1 / (1 + exp(-x)) of each element."""
        return ops.sigmoid(self)

    def relu(self) -> "Tensor":
        """max(x, 0) of each element."""
        return ops.relu(self)

    def clip(self, min: float | None = None, max: float | None = None) -> "Tensor":
        """Each element limited to [min, max]."""
        return ops.clip(self, min, max)

    def sum(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """Sum over `axis`, all axes by default."""
        return ops.sum(self, axis, keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """Mean over `axis`, all axes by default."""
        return ops.mean(self, axis, keepdims)

    def var(self, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> "Tensor":
        """Variance over `axis`, all axes by default."""
        return ops.var(self, axis, keepdims, ddof)

    def max(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """Largest element over `axis`, all axes by default."""
        return ops.max(self, axis, keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """Smallest element over `axis`, all axes by default."""
        return ops.min(self, axis, keepdims)

    def reshape(self, *shape: Any) -> "Tensor":
        """The same elements in another shape; one length may be -1."""
        return ops.reshape(self, shape[0] if len(shape) == 1 and isinstance(shape[0], Sequence) else shape)

    def transpose(self, *axes: Any) -> "Tensor":
        """Axes permuted, reversed by default."""
        return ops.transpose(self, axes[0] if len(axes) == 1 and isinstance(axes[0], Sequence) else axes or None)

    def swapaxes(self, axis1: int, axis2: int) -> "Tensor":
        """Two axes exchanged."""
        return ops.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: Axis = None) -> "Tensor":
        """Axes of length one removed."""
        return ops.squeeze(self, axis)


for name, member in vars(Operators).items():
    if callable(member) or isinstance(member, property):
        setattr(Tensor, name, member)
