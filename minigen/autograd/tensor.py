"""Tensor: an ndarray, its gradient, and the node of the graph that made it.

Thin on purpose: every operator and method hands over to the functions in `minigen.autograd.ops`, where each
operation stands once.
"""

import weakref
from collections.abc import Iterator, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from minigen import kernels
from minigen.autograd.conversion import as_array, check_differentiable, check_numeric
from minigen.config import config
from minigen.errors import DTypeError, GradientError, ShapeError

if TYPE_CHECKING:
    from minigen.autograd.function import Function

Axis = int | tuple[int, ...] | None
Operand = Any  # Tensor, ndarray, number or nested sequence of numbers


class Tensor:
    """An array that remembers how it was computed.

    data: ndarray, any shape; float32 or float64 when a gradient is required.
    grad: Tensor of the same shape and dtype after `backward()`, on leaves that require a gradient; else None.
    requires_grad: whether operations on this tensor are recorded.

    Writing through `t[...] = value` or `copy_` is noticed by nodes that saved the old values. Writes to the raw
    `.data` array are not seen: call `bump_version()` after them.
    """

    __slots__ = ("__weakref__", "data", "grad", "grad_buffer", "node", "requires_grad", "version")

    def __init__(self, data: np.ndarray, requires_grad: bool = False) -> None:
        self.data = data
        self.requires_grad = requires_grad
        self.grad: Tensor | None = None
        self.node: Function | None = None
        self.version: list[int] = [0]
        self.grad_buffer: Tensor | None = None  # where an optimizer wants this leaf's gradient

    # What it is

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.data.size

    @property
    def dtype(self) -> np.dtype:
        """NumPy dtype of the elements."""
        return self.data.dtype

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was made from data rather than by a recorded operation."""
        return self.node is None

    @property
    def T(self) -> "Tensor":
        """All axes reversed."""
        return ops.transpose(self)

    def numpy(self) -> np.ndarray:
        """The array itself, not a copy. Raises GradientError when a gradient is required: `detach()` first."""
        if self.requires_grad:
            raise GradientError("numpy: the tensor requires a gradient, which NumPy would lose; use .detach().numpy()")
        return self.data

    def item(self) -> float:
        """The only element as a Python number. Raises ShapeError when there is not exactly one."""
        if self.data.size != 1:
            raise ShapeError(
                f"item: shape {self.shape} has {self.size} elements; only a one-element tensor is a number"
            )
        return self.data.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self.data.tolist()

    # Gradients

    def backward(
        self, gradient: "Tensor | None" = None, retain_graph: bool | None = None, create_graph: bool = False
    ) -> None:
        """Add ∂self/∂leaf · gradient to `.grad` of all leaves; see `minigen.autograd.engine.backward`."""
        engine.backward(self, gradient, retain_graph, create_graph)

    def detach(self) -> "Tensor":
        """A tensor over the same memory that no gradient flows through."""
        out = Tensor(self.data)
        out.version = self.version
        return out

    def requires_grad_(self, flag: bool = True) -> "Tensor":
        """Ask for a gradient, or stop asking. Leaves only; floats only. Returns self."""
        if self.node is not None and not flag:
            raise GradientError(
                "requires_grad_: the tensor is a result in a graph; use detach() for one without gradient"
            )
        self.requires_grad = bool(flag) and check_differentiable(self.data)
        return self

    def retain_grad(self) -> None:
        """Have `backward()` fill `.grad` of this intermediate result too."""
        if self.node is not None:
            self.node.retained = weakref.ref(self)
        elif not self.requires_grad:
            raise GradientError("retain_grad: the tensor does not require a gradient")

    def bump_version(self) -> None:
        """Say that `.data` was written to, so that a backward through the old values raises instead of lying."""
        self.version[0] += 1

    def copy_(self, source: Operand) -> "Tensor":
        """Overwrite all elements in place with `source`, broadcast to this shape. Returns self."""
        self[...] = source
        return self

    # NumPy's protocols

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
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

    def __repr__(self) -> str:
        body = np.array2string(self.data, separator=", ", prefix="tensor(", threshold=200)
        dtype = "" if self.dtype == config.dtype else f", dtype={self.dtype}"
        gradient = f", node={self.node.name}" if self.node else ", requires_grad=True" if self.requires_grad else ""
        return f"tensor({body}{dtype}{gradient})"

    def __len__(self) -> int:
        if self.ndim == 0:
            raise ShapeError("len: a 0-d tensor has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator["Tensor"]:
        return (self[i] for i in range(len(self)))

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ShapeError(f"bool: truth of a tensor of shape {self.shape} is ambiguous; use .data.any() or .all()")
        return bool(self.data.item())

    def __deepcopy__(self, memo: dict) -> "Tensor":
        if self.node is not None:
            raise GradientError("deepcopy: only leaf tensors can be copied; use detach() first")
        out = type(self).__new__(type(self))
        Tensor.__init__(out, self.data.copy(), self.requires_grad)
        memo[id(self)] = out
        return out

    __hash__ = object.__hash__

    def __getitem__(self, index: Any) -> "Tensor":
        return ops.getitem(self, index)

    def __setitem__(self, index: Any, value: Operand) -> None:
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


def tensor(data: Operand, requires_grad: bool = False, dtype: Any = None) -> Tensor:
    """A leaf tensor holding a copy of `data` (number, nested sequence, ndarray or Tensor).

    dtype: kept for arrays; Python floats take `config.dtype` (float32), Python integers int64.
    Raises DTypeError when the data is not numbers or booleans, or when a gradient is asked of non-floats.
    """
    source = data.data if isinstance(data, Tensor) else data
    array = np.array(as_array(source, "tensor", dtype))
    return Tensor(array, requires_grad and check_differentiable(array))


def as_tensor(data: Operand, operation: str = "tensor") -> Tensor:
    """`data` itself when it is a Tensor, else a tensor over it, sharing memory where NumPy does."""
    return data if isinstance(data, Tensor) else Tensor(as_array(data, operation))


def summed(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """a + b, broadcast; large arrays by all threads."""
    return kernels.add(a, b, out) if a.size > kernels.SERIAL_ELEMENTS else np.add(a, b, out)


# The operations build on Tensor, so they come last.
from minigen.autograd import engine, ops  # noqa: E402
from minigen.autograd.modes import modes  # noqa: E402
from minigen.autograd.ops.shape import raw_index  # noqa: E402
