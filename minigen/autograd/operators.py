"""The operators and methods of a Tensor: `a + b`, `x.sum()`, `x[0]`, `np.exp(x)`, `y.backward()`.

Each hands over to the function of `minigen.autograd.ops` in which the operation stands once. The operations make
Tensors, and Tensors know operators: so that no file has to import what stands above it, the methods are put into the
class here, when all operations are there. To a type checker they are a base class of Tensor; `self: Any` marks the
methods that reach for what Tensor itself defines.
"""

import weakref
from collections.abc import Callable, Iterator
from inspect import signature
from types import FunctionType
from typing import Any

import numpy as np

from minigen.autograd import dlpack, engine, hooks, ops
from minigen.autograd.conversion import check_fits, check_numeric
from minigen.autograd.methods import Methods
from minigen.autograd.modes import modes
from minigen.autograd.ops.operands import raw_index
from minigen.autograd.tensor import Operand, Tensor
from minigen.errors import DTypeError, GradientError, ShapeError
from minigen.kernels.noting import refuse
from minigen.torch_names import explains_keywords, has_axis


def augmented(sign: str, operation: Callable[[Any, Any], Tensor]) -> Callable[[Any, Any], Tensor]:
    """x += y and its like. What is recorded gives a new tensor; anything else is written into x, as in PyTorch."""

    def assign(self: Any, other: Operand) -> Tensor:
        y = operation(self, other)
        if y.requires_grad:
            if self.requires_grad and self.is_leaf:
                raise GradientError(
                    f"x {sign} y: x is a leaf that requires a gradient, which a write in place would invalidate; do it "
                    f"under mg.no_grad(), or make a new tensor, x = x {sign[:-1]} y"
                )
            return y
        if y.shape != self.shape:
            raise ShapeError(f"x {sign} y: x is {self.shape} and the result {y.shape}; write x = x {sign[:-1]} y")
        if y.dtype != self.dtype and y.dtype.kind != self.dtype.kind:
            raise DTypeError(f"x {sign} y: x is {self.dtype} and the result {y.dtype}; write x = x {sign[:-1]} y")
        self[...] = y
        return self

    return assign


class Operators(Methods):
    """What is put into Tensor at the end of this file."""

    def backward(
        self: Any, gradient: Operand | None = None, retain_graph: bool | None = None, create_graph: bool = False
    ) -> None:
        """Add ∂self/∂leaf · gradient to `.grad` of all leaves; see `minigen.autograd.engine.backward`."""
        engine.backward(self, gradient, retain_graph, create_graph)

    def retain_grad(self: Any) -> None:
        """Have `backward()` fill `.grad` of this intermediate result too."""
        if self.node is not None:
            hooks.watch(self.node).tensor = weakref.ref(self)
        elif not self.requires_grad:
            raise GradientError("retain_grad: the tensor does not require a gradient")

    def register_hook(self: Any, hook: hooks.Hook) -> hooks.Handle:
        """Have `hook(gradient)` called in each sweep with the whole gradient of this tensor, leaf or intermediate.

        What it returns, of the same shape and dtype, takes the gradient's place; None leaves it. It can not be written
        into. Gives a handle, whose `remove()` ends it. Raises GradientError when the tensor requires no gradient.
        """
        return hooks.register_hook(self, hook)

    @property
    def T(self) -> "Tensor":
        """All axes reversed."""
        return ops.transpose(self)

    def copy_(self: Any, source: Operand) -> "Tensor":
        """Overwrite all elements in place with `source`, broadcast to this shape. Returns self."""
        self[...] = source
        return self

    # Protocols of NumPy and others

    def __dlpack__(self: Any, **options: Any) -> Any:
        return dlpack.to_dlpack(self, options)

    def __dlpack_device__(self: Any) -> tuple[int, int]:
        return self.data.__dlpack_device__()

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
        name, operation = function.__name__, ops.NUMPY_FUNCTIONS.get(function)
        if operation is None:
            raise DTypeError(f"np.{name}: not available on Tensors; use a minigen function, or x.detach().numpy()")
        try:
            signature(operation).bind(*args, **kwargs)
        except TypeError as error:
            own = f"help(minigen.{operation.__name__})"
            raise DTypeError(f"np.{name} on a Tensor: {error}; see {own} for its arguments") from None
        if len(args) > 2 and function in ops.REDUCTIONS:  # the third one is dtype or out in NumPy
            raise DTypeError(f"np.{name} on a Tensor: pass only x and axis by position, keepdims= and ddof= by name")
        return operation(*args, **kwargs)

    # Python's protocols

    def __iter__(self: Any) -> Iterator["Tensor"]:
        return (self[i] for i in range(len(self)))

    def __contains__(self: Any, value: Operand) -> bool:
        return bool((self == value).data.any())

    def __format__(self: Any, spec: str) -> str:
        """A number as Python formats it, f"{loss:.3f}"; a tensor with more elements only without a specification."""
        if self.size == 1 and (spec or self.ndim == 0):
            return format(self.item(), spec)
        if spec:
            raise ShapeError(
                f"format: a tensor of shape {self.shape} can not be written as {spec!r}, which is for one number; "
                "format x[i], x.mean(), or each of x.tolist()"
            )
        return str(self)

    def __index__(self: Any) -> int:
        if self.size != 1 or self.dtype.kind not in "iu":
            raise DTypeError(
                f"index: a tensor of shape {self.shape} and dtype {self.dtype} is no whole number; use int(x), or an "
                "integer tensor with one element"
            )
        return self.item()

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
            check_fits(value, self.dtype, "setitem")
            self.data[raw_index(index)] = value
        except (ValueError, IndexError) as error:
            raise ShapeError(f"setitem: {error}; the tensor has shape {self.shape}") from None
        self.bump_version()
        refuse("a tensor is written to in place")

    # Augmented assignment: without a graph to record, into the memory of the tensor itself

    __iadd__, __isub__ = augmented("+=", ops.add), augmented("-=", ops.subtract)
    __imul__, __itruediv__ = augmented("*=", ops.multiply), augmented("/=", ops.divide)
    __ifloordiv__, __imod__ = augmented("//=", ops.floor_divide), augmented("%=", ops.remainder)
    __ipow__ = augmented("**=", ops.power)

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

    def __floordiv__(self, other: Operand) -> "Tensor":
        return ops.floor_divide(self, other)

    def __rfloordiv__(self, other: Operand) -> "Tensor":
        return ops.floor_divide(other, self)

    def __mod__(self, other: Operand) -> "Tensor":
        return ops.remainder(self, other)

    def __rmod__(self, other: Operand) -> "Tensor":
        return ops.remainder(other, self)

    def __divmod__(self, other: Operand) -> tuple["Tensor", "Tensor"]:
        return ops.floor_divide(self, other), ops.remainder(self, other)

    def __rdivmod__(self, other: Operand) -> tuple["Tensor", "Tensor"]:
        return ops.floor_divide(other, self), ops.remainder(other, self)

    def __round__(self, ndigits: int | None = None) -> "Tensor":
        return ops.round(self, ndigits or 0)

    def __and__(self, other: Operand) -> "Tensor":
        return ops.bitwise_and(self, other)

    __rand__ = __and__

    def __or__(self, other: Operand) -> "Tensor":
        return ops.bitwise_or(self, other)

    __ror__ = __or__

    def __xor__(self, other: Operand) -> "Tensor":
        return ops.bitwise_xor(self, other)

    __rxor__ = __xor__

    def __invert__(self) -> "Tensor":
        return ops.bitwise_not(self)

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


for kind in (Methods, Operators):
    for name, member in vars(kind).items():
        if isinstance(member, FunctionType) and has_axis(member):
            member = explains_keywords(member)
        if callable(member) or isinstance(member, property):
            setattr(Tensor, name, member)
