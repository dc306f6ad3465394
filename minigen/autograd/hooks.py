"""Functions that see a gradient on its way, and may put another one in its place: `tensor.register_hook(f)`.

Those of an intermediate result hang on its node, those of a leaf in a table here: a sweep that meets neither pays
nothing for them.
"""

import itertools
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from minigen.autograd.tensor import Tensor, as_tensor
from minigen.errors import ArgumentError, GradientError

if TYPE_CHECKING:
    from minigen.autograd.function import Function

Hook = Callable[[Tensor], Tensor | None]
leaf_hooks: dict[int, dict[int, Hook]] = {}  # by the id of a living leaf
numbers = itertools.count()


class Handle:
    """What registering a hook gives: `handle.remove()` takes it away again, as does the end of `with handle:`."""

    def __init__(self, hooks: dict[int, Any], hook: Any) -> None:
        if not callable(hook):
            raise ArgumentError(f"a hook is {hook!r}, which is no function; pass one")
        self.hooks, self.number = hooks, next(numbers)
        hooks[self.number] = hook

    def remove(self) -> None:
        """Call the hook no more. A second time does nothing."""
        self.hooks.pop(self.number, None)

    def __enter__(self) -> "Handle":
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class Watch:
    """Who waits for the gradient of an intermediate result: hooks, and the tensor itself after `retain_grad`."""

    def __init__(self) -> None:
        self.hooks: dict[int, Hook] = {}
        self.tensor: weakref.ref[Tensor] | None = None


def watch(node: "Function") -> Watch:
    """The node's Watch, made when there is none."""
    if node.watch is None:
        node.watch = Watch()
    return node.watch


def register_hook(tensor: Tensor, hook: Hook) -> Handle:
    """Have `hook` called with the whole gradient of a tensor in each sweep; see `Tensor.register_hook`."""
    if not tensor.requires_grad:
        raise GradientError("register_hook: the tensor does not require a gradient, so none will come")
    if tensor.node is not None:
        tensor.node.check_alive()
        return Handle(watch(tensor.node).hooks, hook)
    key = id(tensor)
    if key not in leaf_hooks:
        leaf_hooks[key] = {}
        weakref.finalize(tensor, leaf_hooks.pop, key).atexit = False
    return Handle(leaf_hooks[key], hook)


def hooked(g: Tensor, hooks: dict[int, Hook], create_graph: bool) -> Tensor:
    """A gradient after it went through these hooks, which may not write into it: others may share it.

    Raises GradientError when one gives what is no gradient of the same shape and dtype.
    """
    for hook in list(hooks.values()):
        if create_graph:
            seen = g
        else:
            seen = Tensor(g.data.view())
            seen.data.flags.writeable = False
        given = hook(seen)
        if given is not None and given is not seen:
            given = as_tensor(given, "hook")
            if given.shape != g.shape or given.dtype != g.dtype:
                raise GradientError(
                    f"hook: it gave {given.shape} {given.dtype} for a gradient of {g.shape} {g.dtype}; return one like "
                    "it, or None to leave it as it is"
                )
            g = given
    return g
