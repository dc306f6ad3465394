"""The life of a leaf's gradient: where it lies, who writes it there, and how contributions add up.

A leaf alone keeps its gradient in an array of its own. An optimizer lays the gradients of all its parameters end to end
in one array, and gives each leaf a place in it (`give_place`): `backward()` then puts the gradient there, and an update
is one pass over memory. Some kernels can write a gradient, or add it, straight into the place (`destination`). They
say so by returning it marked, as `Written`: nothing is inferred from whose memory an array lies in.
"""

from typing import NamedTuple

import numpy as np

from minigen import kernels
from minigen.autograd.modes import modes
from minigen.autograd.tensor import Tensor
from minigen.errors import DTypeError, GradientError, ShapeError


class Written(Tensor):
    """The gradient of a leaf that a kernel has already written, or added, into the leaf's place."""

    __slots__ = ()


class Destination(NamedTuple):
    """Where a kernel is to put a gradient: into `out`, added to what is there if `add`; anywhere if out is None."""

    out: np.ndarray | None = None
    add: bool = False

    def holds(self, array: np.ndarray) -> "np.ndarray | Written":
        """What backward returns when the kernel has done so; `array` is what the kernel returned.

        Raises GradientError when that lies elsewhere although there was a place: the kernel has not put it there.
        """
        if self.out is None:
            return array
        if array is not self.out and not np.may_share_memory(array, self.out):
            raise GradientError(
                f"backward: a gradient {array.shape} was to be written into its place, but lies elsewhere; hand the "
                "destination's `out` and `add` to the kernel, or return the array itself"
            )
        return Written(self.out)


ANYWHERE = Destination()


def give_place(leaf: Tensor, array: np.ndarray) -> Tensor:
    """From now on the leaf's gradient goes into `array`, of the leaf's shape and dtype; it as a tensor."""
    leaf.grad_place = Tensor(array)
    return leaf.grad_place


def has_place(leaf: Tensor) -> bool:
    """Whether an optimizer has given the leaf a place for its gradient."""
    return leaf.grad_place is not None


def destination(edges: tuple, index: int) -> Destination:
    """Where the gradient of input `index` of a node with these edges goes while a sweep adds to `.grad`.

    Anywhere, unless the input is a leaf with a place, which holds all of its gradient so far and gets nothing else
    from this node.
    """
    leaf = edges[index]
    if not modes.collecting or not isinstance(leaf, Tensor) or leaf.grad_place is None:
        return ANYWHERE
    elsewhere = leaf.grad is not None and leaf.grad is not leaf.grad_place
    if elsewhere or sum(edge is leaf for edge in edges) > 1:
        return ANYWHERE
    return Destination(leaf.grad_place.data, leaf.grad is not None)


def accumulate(leaf: Tensor, g: Tensor, create_graph: bool) -> None:
    """Add `g` to `leaf.grad`, in the leaf's place when it has one. `create_graph`: by recorded operations."""
    place = leaf.grad_place
    if create_graph:
        leaf.grad = g if leaf.grad is None else leaf.grad + g
    elif place is not None and (leaf.grad is None or leaf.grad is place):
        if type(g) is not Written:
            if leaf.grad is None:
                np.copyto(place.data, g.data)
            else:
                add(place, g.data)
        place.bump_version()  # whoever still holds the last step's gradient is told
        leaf.grad = place
    elif leaf.grad is not None:
        leaf.grad = Tensor(np.asarray(summed(leaf.grad.data, g.data)))
    else:
        leaf.grad = Tensor(g.data.copy())  # g may be shared with other leaves


def add(place: Tensor, array: np.ndarray) -> None:
    """Add `array` to what is in a place. Raises GradientError when it lies in the place itself, and is not marked."""
    if np.may_share_memory(place.data, array):  # a kernel has written here, and adding would count its gradient twice
        raise GradientError(
            f"backward: a gradient {array.shape} lies in the memory of its leaf's own gradient, but is not marked as "
            "written there; return destination.holds(array), or a copy"
        )
    summed(place.data, array, out=place.data)


def gather(leaf: Tensor, place: Tensor, operation: str) -> None:
    """Bring a gradient that was assigned to `leaf.grad`, or that another optimizer's place holds, into this place.

    Raises ShapeError or DTypeError when it does not fit.
    """
    if leaf.grad is not None and leaf.grad is not place:
        copy_in(place.data, leaf.grad.data, "grad", operation)
        place.bump_version()
        leaf.grad = place


def copy_in(place: np.ndarray, array: np.ndarray, what: str, operation: str) -> None:
    """Copy what was assigned to a parameter's `.data` or `.grad` to where an optimizer keeps it.

    Raises ShapeError or DTypeError when it does not fit.
    """
    if array.shape != place.shape:
        raise ShapeError(
            f"{operation}: .{what} of shape {array.shape} was assigned to a parameter of shape {place.shape}"
        )
    if array.dtype != place.dtype:
        raise DTypeError(
            f"{operation}: .{what} of a {place.dtype} parameter became {array.dtype}; "
            "convert a model before making its optimizer"
        )
    np.copyto(place, array)


def own(leaf: Tensor) -> Tensor | None:
    """The gradient, in memory that is the leaf's alone and may be written to; None when there is none."""
    if leaf.grad is not None and leaf.grad is not leaf.grad_place:  # may be part of a graph, or shared
        leaf.grad = Tensor(leaf.grad.data.copy())
    return leaf.grad


def summed(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """a + b, broadcast; large arrays by all threads."""
    return kernels.add(a, b, out) if a.size > kernels.SERIAL_ELEMENTS else np.add(a, b, out)
