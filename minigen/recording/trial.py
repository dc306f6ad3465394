"""Is an operation nothing but the calls that it told of? It is tried on other numbers.

Its inputs are changed where they lie, the operation runs again, and then the calls alone, with everything that it made
overwritten. Bits that differ say that it does more: it computes in NumPy, takes a number out of an array, or decides
by values what to call. The inputs, and all else, are as before afterwards.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.fused import FusedFunction
from minigen.autograd.leaves import Written
from minigen.kernels.noting import noting
from minigen.recording.items import Place, found, mapped
from minigen.recording.plan import view

if TYPE_CHECKING:
    from minigen.recording.notes import Frame


def other(x: np.ndarray) -> np.ndarray:
    """Other numbers of the same size."""
    return (x * -0.75 + 0.25).astype(x.dtype)


def not_finite(x: np.ndarray) -> np.ndarray:
    """The same with a NaN at the start and infinity in the middle."""
    y = x.copy().reshape(-1)
    y[y.size // 2] = np.inf
    y[0] = np.nan
    return y.reshape(x.shape)


def zeros(x: np.ndarray) -> np.ndarray:
    """All equal."""
    return np.zeros_like(x)


class Trial:
    """The trial of an operation. results: its arrays; fresh: owners of memory that nobody knew before."""

    def __init__(self, node: Function, frame: "Frame", results: list[np.ndarray], fresh: list[np.ndarray]) -> None:
        self.node, self.frame, self.results, self.fresh = node, frame, results, fresh
        given = [x for x in frame.arrays if x is not None]
        if frame.backward:
            given += [kept[0] for kept in (*node._inputs.values(), *node._outputs.values())]
        options = found({k: v for k, v in frame.options.items() if not k.startswith("_")}, np.ndarray)
        self.changed = [x for x in (*given, *options) if x.dtype.kind == "f" and x.size and x.flags.writeable]

    def agrees(self) -> bool:
        """Whether the calls alone do what the operation does."""
        if any(base.dtype.kind in "iu" and not base.any() for base in self.fresh):
            return False  # whole numbers that are zeros are not seen to be overwritten by zeros
        kept = [(x, x.copy()) for x in (*self.changed, *self.fresh, *self.places())]
        notes, noting.notes = noting.notes, None
        try:
            with np.errstate(all="ignore"):
                return all(self.holds(change, kept) for change in (other, not_finite, zeros))
        except Exception:  # such numbers are refused by values: the calls would not refuse them
            return False
        finally:
            noting.notes = notes
            restore(kept)

    def holds(self, change: Callable[[np.ndarray], np.ndarray], kept: list[tuple[np.ndarray, np.ndarray]]) -> bool:
        """Whether they agree on inputs changed in that way."""
        restore(kept)
        for x, values in kept[: len(self.changed)]:
            np.copyto(x, change(values))
        places, before = self.places(), [values for _, values in self.frame.leaves]
        restore(zip(places, before, strict=True))
        expected = [y.copy() for y in self.again()]
        expected += [place.copy() for place in places]
        restore(zip(places, before, strict=True))
        for base in self.fresh:
            overwrite(base)
        for function, arguments in self.frame.calls or ():
            function(*mapped(arguments, Place, lent))
        return all(map(same_bits, (*self.results, *places), expected))

    def places(self) -> list[np.ndarray]:
        """Where leaves have their gradients."""
        return [leaf.grad_place.data for leaf, _ in self.frame.leaves if leaf.grad_place is not None]

    def again(self) -> list[np.ndarray]:
        """The results of the operation itself."""
        node, frame = self.node, self.frame
        if not frame.backward:
            fresh = type(node).__new__(type(node))
            fresh.__dict__.update(frame.options)
            y = fresh.forward(*frame.arrays)
            return [np.asarray(part) for part in (y if isinstance(y, tuple) else (y,))]
        assert isinstance(node, FusedFunction)
        node.__dict__["destination"] = frame.destinations.__getitem__
        try:
            gradients = node.backward_arrays(*frame.arrays)
        finally:
            del node.__dict__["destination"]
        pairs = zip(gradients, node.needs, strict=True)
        return [np.asarray(g) for g, need in pairs if need and g is not None and type(g) is not Written]


def lent(place: Place) -> np.ndarray:
    """An array from outside, without holding it."""
    owner = place.memory.owner()
    assert owner is not None
    return view(owner, place)


def restore(kept: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
    """Everything as it was."""
    for array, values in kept:
        np.copyto(array, values)


def overwrite(array: np.ndarray) -> None:
    """Something else in the place of what an array holds. Whole numbers become zeros, which may be used as places."""
    if array.dtype == bool:
        np.logical_not(array, out=array)
    else:
        array[...] = np.nan if array.dtype.kind == "f" else 0


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are alike to the bit."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
