"""The life of a leaf's gradient: where it lies, who writes it there, and how contributions add up.

A leaf alone keeps its gradient in an array of its own. An optimizer lays the gradients of all its parameters end to end
in one array, and gives each leaf a place in it (`FlatGradients`): `backward()` then puts the gradient there, and an
update is one pass over memory. Some kernels can write a gradient, or add it, straight into the place (`destination`).
They say so by returning it marked, as `Written`: nothing is inferred from whose memory an array lies in.

Whoever keeps a gradient, `g = p.grad`, its array, or a part of it, keeps its values: a place is written to only when
nobody else refers to it, which Python's counts of references tell. Otherwise the leaf moves on to another place.
"""

import weakref
from collections.abc import Sequence
from itertools import pairwise
from sys import getrefcount
from typing import Any, NamedTuple

import numpy as np

from minigen import kernels
from minigen.advice import advise
from minigen.autograd.conversion import check_differentiable
from minigen.autograd.hooks import leaf_hooks
from minigen.autograd.modes import modes
from minigen.autograd.tensor import Tensor
from minigen.errors import DTypeError, GradientError, ShapeError
from minigen.kernels.noting import applied, copied, host, noting, run

PILES = 20  # so many steps with gradients that only grow are taken for a forgotten zero_grad


class Written(Tensor):
    """The gradient of a leaf that a kernel has already written, or added, into the leaf's place."""

    __slots__ = ()


class Fresh(Tensor):
    """The gradient of a leaf in memory that nobody else refers to: the leaf may keep it as it is."""

    __slots__ = ()


def holders(gradients: Sequence[Any], i: int) -> tuple[int, int, int]:
    """How often a tensor is referred to, its array, and the one that this is a view of."""
    g = gradients[i]
    return getrefcount(g), getrefcount(g.data), 0 if g.data.base is None else getrefcount(g.data.base)


OWNED, VIEW = holders((Tensor(np.zeros(1)),), 0), holders((Tensor(np.zeros(1).reshape(1, 1)),), 0)


def handed_over(gradients: Sequence[Any], i: int) -> Tensor:
    """Gradient i, as a Fresh one if nobody but `gradients` holds it, or its memory."""
    return Fresh(gradients[i].data) if holders(gradients, i) in (OWNED, VIEW) else gradients[i]


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

# ---------------------------------------------------------------- places


class Place(Tensor):
    """Where an optimizer wants the gradient of a leaf: part `index` of the `parts` of a flat array.

    used: a step has used the gradient in it. piled: how often more was added to one that was used, since it was None.
    """

    __slots__ = ("flat", "index", "parts", "piled", "used")

    def __init__(self, array: np.ndarray, flat: "weakref.ref[FlatGradients]", index: int, parts: int) -> None:
        super().__init__(array)
        self.flat, self.index, self.parts = flat, index, parts
        self.used, self.piled = False, 0


class FlatGradients:
    """The gradients of several leaves end to end in one array, (total size,), of their one dtype.

    Leaves that have a place in it know it only as long as it lives: `release` them before.
    """

    def __init__(self, leaves: Sequence[Tensor]) -> None:
        self.shapes = [leaf.shape for leaf in leaves]
        self.offsets = [0, *np.cumsum([leaf.size for leaf in leaves]).tolist()]
        self.array = np.zeros(self.offsets[-1], leaves[0].dtype)
        reference: weakref.ref[FlatGradients] = weakref.ref(self)
        views = self.views(self.array)
        self.places = [Place(view, reference, i, len(views)) for i, view in enumerate(views)]
        for leaf, place in zip(leaves, self.places, strict=True):
            leaf.grad_place = place

    def views(self, array: np.ndarray) -> list[np.ndarray]:
        """The part of a flat array that belongs to each leaf, in its shape."""
        return [array[a:b].reshape(shape) for shape, (a, b) in zip(self.shapes, pairwise(self.offsets), strict=True)]

    def move(self) -> None:
        """Go on in another array with the same values; the old one is left to whoever holds a part of it."""
        self.array = self.array.copy()
        for place, view in zip(self.places, self.views(self.array), strict=True):
            place.data, place.version = view, [0]

    def renew(self, leaf: Tensor, place: Place) -> None:
        """Another tensor over a leaf's place; the old one takes its values along, to whoever holds it."""
        fresh = Place(place.data, place.flat, place.index, place.parts)
        fresh.used, fresh.piled = place.used, place.piled
        self.places[place.index] = leaf.grad_place = fresh
        if leaf._grad is place:
            leaf._grad = fresh
        place.data = place.data.copy()

    def release(self, leaves: Sequence[Tensor]) -> None:
        """The leaves keep their gradients, and have no place here any more."""
        for leaf, place in zip(leaves, self.places, strict=True):
            if leaf.grad_place is place:
                leaf.grad_place = None


def references(leaf: Tensor) -> tuple[int, int, int]:
    """How often a leaf's place, its array and the flat array are referred to, as counted in `free_place`."""
    place: Place = leaf.grad_place  # pyright: ignore[reportAssignmentType]
    array = place.data
    return getrefcount(place), getrefcount(array), getrefcount(array.base)


def alone() -> tuple[int, int, int]:
    """`references` when nobody else holds any of them; the last one less the parts of the flat array."""
    leaf = Tensor(np.zeros(1))
    flat = FlatGradients([leaf])
    place, array, whole = references(leaf)
    return place, array, whole - len(flat.places)


PLACE, ARRAY, WHOLE = alone()


def free_place(leaf: Tensor) -> Place:
    """The leaf's place, to be written to: whoever else holds what is in it keeps its values.

    Raises ShapeError or DTypeError when the leaf is not what it was when it got the place.
    """
    place: Place = leaf.grad_place  # pyright: ignore[reportAssignmentType]
    array = place.data
    kept = getrefcount(place) > PLACE + (leaf._grad is place)
    if kept or getrefcount(array) > ARRAY or getrefcount(array.base) > WHOLE + place.parts:
        shared = getrefcount(array) > ARRAY or getrefcount(array.base) > WHOLE + place.parts
        place = vacated(leaf, kept, shared)
    if leaf._grad is None:
        place.used, place.piled = False, 0
    elif place.used:
        pile(place)
    if leaf.data.shape != array.shape or leaf.data.dtype is not array.dtype:
        check_fit(array, leaf.data, "data", "backward")
    return place


def is_held(leaf: Tensor) -> bool:
    """Whether somebody else holds what is in a leaf's place, so that its next gradient would go to another one."""
    place: Place = leaf.grad_place  # pyright: ignore[reportAssignmentType]
    array = place.data
    kept = getrefcount(place) > PLACE + (leaf._grad is place)
    return kept or getrefcount(array) > ARRAY or getrefcount(array.base) > WHOLE + place.parts


def vacated(leaf: Tensor, kept: bool, shared: bool) -> Place:
    """A place for the leaf that nobody else holds. kept: somebody holds the tensor; shared: its array, or a part."""
    place: Place = leaf.grad_place  # pyright: ignore[reportAssignmentType]
    flat = place.flat()
    assert flat is not None
    if shared:
        flat.move()
    if kept:
        flat.renew(leaf, place)
    return flat.places[place.index]


def pile(place: Place) -> None:
    """More is about to be added to a gradient that a step has used already: say so if it goes on like this."""
    place.used = False
    place.piled = place.piled + 1 if place.data.any() else 0  # somebody may have set it to zero in place
    if place.piled == PILES:
        advise(
            "zero_grad",
            f"step: {PILES} steps were made without optimizer.zero_grad(), so each gradient is the sum of all so far; "
            "call it before every backward()",
        )


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
    if leaf._grad is not None and leaf._grad is not leaf.grad_place:
        return ANYWHERE
    if leaf_hooks and id(leaf) in leaf_hooks:  # which are to see the gradient first
        return ANYWHERE
    if sum(edge is leaf for edge in edges) > 1:
        return ANYWHERE
    return Destination(free_place(leaf).data, leaf._grad is not None)


# ---------------------------------------------------------------- contributions


def accumulate(leaf: Tensor, g: Tensor, create_graph: bool) -> None:
    """Add `g` to `leaf.grad`, in the leaf's place when it has one. `create_graph`: by recorded operations."""
    if leaf.data.dtype.kind != "f":
        check_differentiable(leaf.data)
    if leaf._grad is not None and leaf._grad is not leaf.grad_place:
        leaf._grad = leaf.checked_grad(leaf._grad)  # its .data may have changed since it was assigned
        give(leaf, leaf._grad + g if create_graph else Tensor(np.asarray(summed(leaf._grad.data, g.data))))
    elif create_graph:  # by a product, because g may be shared with other leaves
        give(leaf, g * 1.0 if leaf._grad is None else leaf._grad + g)
    elif leaf.grad_place is None:
        seen = modes.observers or leaf_hooks  # by somebody who may have kept it
        kept = type(g) is Fresh and g.data.flags.c_contiguous and not seen
        give(leaf, Tensor(g.data if kept else copied(g.data)))
    else:
        if type(g) is not Written:
            if leaf._grad is not None:
                check_apart(leaf._grad, g.data)
            place = free_place(leaf)
            if leaf._grad is None:
                run(np.copyto, place.data, g.data)
            else:
                summed(place.data, g.data, out=place.data)
        take(leaf)


def give(leaf: Tensor, g: Tensor) -> None:
    """`g` is the gradient of a leaf that has no place for it."""
    leaf._grad = g
    if noting.notes is not None:
        if g.requires_grad:
            noting.notes.refuse("a gradient is kept with its graph: backward(create_graph=True)")
        noting.notes.host(give_copy, (leaf, g.data), None)


def give_copy(leaf: Tensor, array: np.ndarray) -> None:
    """A copy of `array` is the gradient of a leaf."""
    leaf._grad = Tensor(array.copy())


@host
def take(leaf: Tensor) -> None:
    """The gradient of a leaf is what was written to its place."""
    place: Place = leaf.grad_place  # pyright: ignore[reportAssignmentType]
    place.bump_version()  # a graph that saved the gradient is told
    leaf._grad = place


def check_apart(place: Tensor, array: np.ndarray) -> None:
    """GradientError when a gradient to be added to a place lies in it: a kernel has written there, and did not say."""
    if np.may_share_memory(place.data, array):  # adding would count its gradient twice
        raise GradientError(
            f"backward: a gradient {array.shape} lies in the memory of its leaf's own gradient, but is not marked as "
            "written there; return destination.holds(array), or a copy"
        )


def check_fit(place: np.ndarray, array: np.ndarray, what: str, operation: str) -> None:
    """ShapeError or DTypeError unless what was assigned to `.data` or `.grad` fits where an optimizer keeps it."""
    if array.shape != place.shape:
        raise ShapeError(
            f"{operation}: .{what} of shape {array.shape} was assigned to a parameter of shape {place.shape}; change "
            "shapes before the optimizer is made"
        )
    if array.dtype != place.dtype:
        raise DTypeError(
            f"{operation}: .{what} of a {place.dtype} parameter became {array.dtype}; "
            "convert a model before its optimizer is made"
        )


def put(leaf: Tensor, array: np.ndarray) -> None:
    """Make `array` the gradient of a leaf that has none, in its place."""
    place = free_place(leaf)
    np.copyto(place.data, array)
    place.bump_version()
    leaf._grad = place


def own(leaf: Tensor) -> Tensor | None:
    """The gradient, in memory that is the leaf's alone and may be written to; None when there is none."""
    if leaf._grad is not None and leaf._grad is not leaf.grad_place:  # may be part of a graph, or shared
        leaf._grad = Tensor(leaf.checked_grad(leaf._grad).data.copy())
    return leaf._grad


def summed(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """a + b, broadcast; large arrays by all threads."""
    if max(a.size, b.size) > kernels.SERIAL_ELEMENTS:
        return kernels.add(a, b, out)
    if out is None:
        return applied(np.add, a, b)
    run(np.add, a, b, out)
    return out
