"""Tensor: an ndarray, its gradient, and the node of the graph that made it.

Thin on purpose: only what a node of the graph needs stands here. The operators and methods that hand over to an
operation are installed by `operators.py`, which stands above the operations as this file stands below them.
"""

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from minigen.autograd.conversion import as_array, check_differentiable
from minigen.checks import check_flag
from minigen.config import config
from minigen.errors import DTypeError, GradientError, ShapeError
from minigen.kernels.noting import constant, made, refuse
from minigen.torch_names import Count, class_names, visible

if TYPE_CHECKING:
    from minigen.autograd.function import Function
    from minigen.autograd.leaves import Place
    from minigen.autograd.operators import Operators  # for editors: what every Tensor can do
else:
    Operators = object  # `operators.py` installs them when it is imported, as `minigen.autograd` does

SHOWN = 200  # elements; of longer tensors the corners are printed
Axis = int | tuple[int, ...] | None
ARRAYS = (np.ndarray, np.generic)
Operand = Any  # Tensor, ndarray, number or nested sequence of numbers


@class_names("Tensor")
class Tensor(Operators):
    """An array that remembers how it was computed.

    data: ndarray, any shape; float32 or float64 when a gradient is required.
    grad: Tensor of the same shape and dtype after `backward()`, on leaves that require a gradient; else None.
    requires_grad: whether operations on this tensor are recorded.

    Writing through `t[...] = value` or `copy_` is noticed by nodes that saved the old values. Writes to the raw
    `.data` array are not seen: call `bump_version()` after them.
    """

    __slots__ = ("__weakref__", "_grad", "data", "grad_place", "node", "requires_grad", "version")

    def __init__(self, data: np.ndarray, requires_grad: bool = False) -> None:
        if not isinstance(data, ARRAYS):
            raise DTypeError(f"Tensor: data is a {type(data).__name__}, not an array; use mg.tensor(data)")
        self.data = data
        self.requires_grad = requires_grad
        self._grad: Tensor | None = None  # for the engine: `grad` without the check
        self.node: Function | None = None
        self.version: list[int] = [0]
        self.grad_place: Place | None = None  # where an optimizer wants this leaf's gradient

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
        return Count(self.data.size)

    @property
    def dtype(self) -> np.dtype:
        """NumPy dtype of the elements."""
        return self.data.dtype

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was made from data rather than by a recorded operation."""
        return self.node is None

    def numpy(self) -> np.ndarray:
        """The array itself, not a copy. Raises GradientError when a gradient is required: `detach()` first."""
        if self.requires_grad:
            raise GradientError("numpy: the tensor requires a gradient, which NumPy would lose; use .detach().numpy()")
        refuse("a value is read: numpy()")
        return self.data

    def item(self) -> float:
        """The only element as a Python number. Raises ShapeError when there is not exactly one."""
        if self.data.size != 1:
            raise ShapeError(
                f"item: shape {self.shape} has {self.size} elements; only a one-element tensor is a number"
            )
        refuse("a value is read: item()")
        return self.data.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        refuse("a value is read: tolist()")
        return self.data.tolist()

    # Gradients

    @property
    def grad(self) -> "Tensor | None":
        """The gradient; None before the first `backward()`. May be set: to None, or to one of this shape and dtype.

        Raises ShapeError or DTypeError when set to any other.
        """
        return self._grad

    @grad.setter
    def grad(self, value: "Tensor | np.ndarray | None") -> None:
        self._grad = None if value is None else self.checked_grad(value)

    def checked_grad(self, value: Operand) -> "Tensor":
        """A gradient that fits this tensor. Raises ShapeError or DTypeError."""
        g = as_tensor(value, "grad")
        if g.shape != self.shape:
            raise ShapeError(f"grad: a gradient of shape {g.shape} was assigned to a tensor of shape {self.shape}")
        if g.dtype != self.dtype:
            raise DTypeError(f"grad: a gradient of {g.dtype} was assigned to a tensor of {self.dtype}; convert it")
        return g

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

    def bump_version(self) -> None:
        """Say that `.data` was written to, so that a backward through the old values raises instead of lying."""
        self.version[0] += 1

    # Python's protocols

    def __repr__(self) -> str:
        refuse("a value is read: repr()")
        body = np.array2string(self.data, separator=", ", prefix="tensor(", threshold=SHOWN)
        if self.size == 0 or self.size > SHOWN:  # the brackets do not tell
            body = f"{body if self.size else '[]'}, shape={self.shape}"
        dtype = "" if self.dtype == config.dtype else f", dtype={self.dtype}"
        gradient = f", node={self.node.name}" if self.node else ", requires_grad=True" if self.requires_grad else ""
        return f"tensor({body}{dtype}{gradient})"

    def __dir__(self) -> list[str]:
        return visible(self)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise ShapeError("len: a 0-d tensor has no length")
        return self.shape[0]

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ShapeError(f"bool: truth of a tensor of shape {self.shape} is ambiguous; use .data.any() or .all()")
        refuse("a value is read: bool()")
        return bool(self.data.item())

    def __copy__(self) -> "Tensor":
        """A leaf over the same memory, writes through which are noticed; the gradient is shared, too."""
        out = type(self).__new__(type(self))
        out.__setstate__(self.__getstate__())
        out.version = self.version
        return out

    def __deepcopy__(self, memo: dict) -> "Tensor":
        out = memo[id(self)] = type(self).__new__(type(self))
        out.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return out

    def __getstate__(self) -> tuple[dict, np.ndarray, bool, np.ndarray | None]:
        """What deepcopy and pickle take along: the gradient too, but not the optimizer's place for it."""
        if self.node is not None:
            raise GradientError("deepcopy: only leaf tensors can be copied or pickled; use detach() first")
        own = getattr(self, "__dict__", {})  # of a subclass
        return own, self.data, self.requires_grad, None if self._grad is None else self._grad.data

    def __setstate__(self, state: tuple[dict, np.ndarray, bool, np.ndarray | None]) -> None:
        own, data, requires_grad, grad = state
        Tensor.__init__(self, data, requires_grad)
        self._grad = None if grad is None else Tensor(grad)
        for name, value in own.items():
            setattr(self, name, value)


def tensor(data: Operand, requires_grad: bool = False, dtype: Any = None) -> Tensor:
    """A leaf tensor holding a copy of `data` (number, nested sequence, ndarray or Tensor).

    dtype: kept for arrays; Python floats take `config.dtype` (float32), Python integers int64.
    Raises DTypeError when the data is not numbers or booleans, or when a gradient is asked of non-floats.
    """
    source = data.data if isinstance(data, Tensor) else data
    array = made(own_array, source, dtype) if isinstance(source, np.ndarray) else constant(own_array(source, dtype))
    return Tensor(array, check_flag("tensor", "requires_grad", requires_grad) and check_differentiable(array))


def own_array(data: Any, dtype: Any) -> np.ndarray:
    """A copy of `data` as an array of numbers, in `dtype` when it is given."""
    return np.array(as_array(data, "tensor", dtype))


def as_tensor(data: Operand, operation: str = "tensor") -> Tensor:
    """`data` itself when it is a Tensor, else a tensor over it, sharing memory where NumPy does."""
    return data if isinstance(data, Tensor) else Tensor(as_array(data, operation))
