"""One differentiable operation, which is also one node of the graph.

A Function computes `forward` on arrays. When some input needs a gradient, calling it leaves the instance linked into
the graph: `edges` point to the nodes (or leaf tensors) that made its inputs, and what `backward` needs is saved by
name. `backward` is written in differentiable operations, so the gradient of a gradient needs no further code:
under `create_graph=True` the sweep itself is recorded.
"""

import itertools
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from minigen.autograd.guard import guard
from minigen.autograd.modes import modes
from minigen.autograd.observe import listening
from minigen.autograd.tensor import Tensor, as_tensor
from minigen.config import FLOAT_DTYPES, config
from minigen.errors import DTypeError, GradientError, GraphFreedError, ShapeError

if TYPE_CHECKING:
    from minigen.autograd.hooks import Watch

creation_order = itertools.count()

Edge = Any  # Function | Tensor (a leaf) | None (no gradient needed); recursive, so not spelled out

# An input or output array kept for backward: the array, its edge, its tensor's version counter, and the version then.
# A plain tuple: a named one takes longer to make than a small operation.
Saved = tuple[np.ndarray, Edge, list[int], int]


class Function:
    """One operation. Subclasses write `forward` and `backward`; options go to their `__init__`.

    In forward: `save_inputs(0, 1)` and `save_output()` keep what backward needs; own intermediate arrays go to
    `self.residuals`. `self.needs[i]` tells whether input i needs a gradient. The result is an array, or a tuple of
    arrays for several outputs.
    In backward: `saved_input(i)` and `saved_output()` give tensors linked to the graph. There is one gy for each
    output, None for one of several that nobody used. Return one gradient for each input, in order, None where
    `needs[i]` is False.
    """

    needs: tuple[bool, ...] = ()
    edges: tuple[Edge, ...] = ()
    residuals: tuple[Any, ...] = ()
    watch: "Watch | None" = None  # who waits for the gradient of the output
    freed: bool = False
    line: str | None = None  # of user code, noted by the anomaly detector
    order: int
    shape: tuple[int, ...]  # of the output, the first one if there are several
    dtype: np.dtype
    _keep_inputs: tuple[int, ...] = ()
    _keep_outputs: tuple[int, ...] = ()
    _inputs: dict[int, Saved]
    _outputs: dict[int, Saved]
    several: "tuple[weakref.ref[Output] | None, ...]" = ()  # one for each output, if there are several

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        guard(cls)

    def forward(self, *arrays: Any, **_: Any) -> Any:  # of any signature, to a type checker
        """The result of the operation on ndarrays, an ndarray or a tuple of them. Must not change its inputs."""
        raise NotImplementedError(f"{self.name} has no forward")

    def backward(self, *gys: Any, **_: Any) -> tuple[Tensor | None, ...]:
        """∂L/∂input for each input, given gy = ∂L/∂output of each output, written in differentiable operations."""
        raise NotImplementedError(f"{self.name} has no backward")

    @property
    def name(self) -> str:
        """Name of the operation, for messages."""
        return type(self).__name__

    def __repr__(self) -> str:
        """<Add: (2, 3) float32, of MatMul (2, 3) and leaf (3,)>"""
        if not hasattr(self, "shape"):
            return f"<{self.name}, not part of a graph>"
        what = f"{self.name}: {self.shape} {self.dtype}"
        if self.freed:
            return f"<{what}, released>"
        names = ["constant" if e is None else f"{getattr(e, 'name', 'leaf')} {e.shape}" for e in self.edges]
        names = names if len(names) <= 6 else [*names[:5], f"{len(names) - 5} more"]
        return f"<{what}, of {' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))}>"

    def __call__(self, *inputs: Any) -> Any:
        """Apply to tensors (anything else is converted), recording the node when a gradient may be asked.

        Gives a Tensor, or a tuple of them when forward gave a tuple.
        """
        tensors = [x if isinstance(x, Tensor) else as_tensor(x) for x in inputs]
        recording = modes.recording
        self.needs = tuple([recording and x.requires_grad for x in tensors])
        observed = modes.observers or config.debug
        if observed:
            for observer in listening():
                observer.function_starts(self, tensors)
        try:
            y = self.forward(*[x.data for x in tensors])
        except MemoryError as error:
            shapes = " and ".join(str(x.shape) for x in tensors)
            raise ShapeError(f"{self.name}: too large for the memory, of {shapes}; {error}") from error
        if isinstance(y, tuple):
            out = self.several_outputs(y, tensors)
        else:
            if type(y) is not np.ndarray:
                if isinstance(y, np.ndarray):
                    refuse_subclass(self.name, tensors, y)
                y = np.asarray(y)
            out = Tensor(y)
            if y.base is not None:
                share_version(out, tensors)
            if True in self.needs:
                self.link(tensors, out)
                out.node, out.requires_grad = self, True
        if observed:
            for observer in listening():
                observer.function_ends(self, tensors, out if isinstance(out, tuple) else (out,))
        return out

    def several_outputs(self, ys: tuple[np.ndarray, ...], inputs: list[Tensor]) -> tuple[Tensor, ...]:
        """The results of forward as tensors, each with a node of its own in the graph, which leads to this one."""
        if not ys:
            raise GradientError(f"{self.name}: forward gave no output; return an array, or a tuple of one or more")
        outputs = tuple([Tensor(np.asarray(y)) for y in ys])
        for i, y in enumerate(outputs):
            share_version(y, [*inputs, *outputs[:i]])
        if True in self.needs:
            self.link(inputs, *outputs)
            self.several = (None,) * len(outputs)
            for i, y in enumerate(outputs):
                if y.data.dtype in FLOAT_DTYPES:  # others, such as the places of the largest, have no gradient
                    y.node, y.requires_grad = self.output_node(i, y.data), True
        return outputs

    def link(self, inputs: list[Tensor], out: Tensor, *others: Tensor) -> None:
        """Become a node of the graph, behind those that made the inputs, and keep what forward asked for."""
        if self.edges or self.freed:
            raise GradientError(f"{self.name}: called a second time; an instance is one node: make one for each call")
        self.edges = edges = tuple([(x.node or x) if x.requires_grad else None for x in inputs])
        self.order = next(creation_order)
        self.shape, self.dtype = out.data.shape, out.data.dtype
        self._inputs, self._outputs = {}, {}
        for i in self._keep_inputs:
            x = inputs[i]
            self._inputs[i] = x.data, edges[i], x.version, x.version[0]
        for i in self._keep_outputs:
            y = others[i - 1] if i else out
            self._outputs[i] = y.data, None, y.version, y.version[0]  # its edge is this node, or leads to it: no cycle

    def save_inputs(self, *indices: int) -> None:
        """Keep these inputs for backward."""
        self._keep_inputs = indices

    def save_output(self, *indices: int) -> None:
        """Keep the output for backward, or those of several that are named."""
        self._keep_outputs = indices or (0,)

    def saved_array(self, index: int) -> np.ndarray:
        """Input `index` as an array, checked to be what it was at forward."""
        saved = self._inputs.get(index)
        if saved is None:
            raise GradientError(f"{self.name}: input {index} was not saved; call self.save_inputs({index}) in forward")
        return self.unchanged(saved, "input", index)

    def saved_input(self, index: int) -> Tensor:
        """Input `index` as a tensor; linked to the graph while the sweep is recorded."""
        array = self.saved_array(index)
        _, edge, counter, _ = self._inputs[index]
        return linked(array, edge, counter, self.name)

    def saved_output_array(self, index: int = 0) -> np.ndarray:
        """The output as an array, checked to be what it was at forward."""
        return self.unchanged(self._outputs[index], "output", index)

    def saved_output(self, index: int = 0) -> Tensor:
        """The output as a tensor; linked to the graph while the sweep is recorded."""
        array = self.saved_output_array(index)
        edge = self.output_node(index, array) if array.dtype in FLOAT_DTYPES else None
        return linked(array, edge, self._outputs[index][2], self.name)

    def output_node(self, index: int, array: np.ndarray) -> "Function":
        """The node that stands for output `index` in the graph: this one, unless there are several outputs."""
        if not self.several:
            return self
        reference = self.several[index]
        node = None if reference is None else reference()
        if node is None:  # or nobody holds that output any more
            node = Output(self, index, array)
            self.several = (*self.several[:index], weakref.ref(node), *self.several[index + 1 :])
        return node

    def unchanged(self, saved: Saved, kind: str, index: int) -> np.ndarray:
        """A saved array; GradientError when an in-place operation has changed it since forward."""
        array, _, counter, version = saved
        if counter[0] != version:
            what = f"{kind} {index}" if kind == "input" or self.several else "its output"
            raise GradientError(
                f"{self.name}: {what}, {array.shape}, was changed in place (version {counter[0]}, saved at {version}) "
                "after it was used; its gradient would be wrong. Change a copy, or do backward first"
            )
        return array

    def check_alive(self) -> None:
        """Raise GraphFreedError when an earlier sweep has released this node."""
        if self.freed:
            raise GraphFreedError(
                f"{self.name}, output {self.shape}: this part of the graph was released by an earlier backward; pass "
                "retain_graph=True to the earlier call, or run forward again"
            )

    def release(self) -> None:
        """Drop everything but the description: what was saved, options, and the way to earlier nodes."""
        for reference in self.several:
            node = None if reference is None else reference()
            if node is not None:  # an output leads nowhere without its source
                node.release()
        shape, dtype = self.shape, self.dtype
        self.__dict__.clear()
        self.freed, self.shape, self.dtype = True, shape, dtype


class Output(Function):
    """One of several outputs of a node, as a node of its own, which hands its gradient on to that one."""

    def __init__(self, source: Function, index: int, array: np.ndarray) -> None:
        self.index, self.title = index, f"{source.name}[{index}]"
        self.edges, self.needs = (source,), (True,)
        self.order = next(creation_order)
        self.shape, self.dtype = array.shape, array.dtype

    @property
    def name(self) -> str:
        """The operation, and which of its outputs."""
        return self.title

    def release(self) -> None:
        title = self.title
        super().release()
        self.title = title


def refuse_subclass(name: str, inputs: list[Tensor], y: np.ndarray) -> None:
    """DTypeError when the `.data` of an input became an array with arithmetic of its own, such as np.matrix."""
    for i, x in enumerate(inputs):
        if type(x.data) is type(y):
            raise DTypeError(f"{name}: .data of input {i} became a {type(y).__name__}; assign np.asarray(…) of it")


def share_version(out: Tensor, others: list[Tensor]) -> None:
    """A view and its base share one version counter, so that a change through either is seen."""
    array, base = out.data, out.data.base
    for x in others:
        both = base is not None and (base is x.data or base is x.data.base)
        if both or array is x.data or array is x.data.base:
            out.version = x.version
            return


def linked(array: np.ndarray, edge: Edge, counter: list[int], name: str) -> Tensor:
    """A tensor over a saved array. While a sweep is recorded it stands for the tensor it was saved from."""
    if not modes.recording:
        return Tensor(array)
    if isinstance(edge, Tensor):
        if edge.data is not array:
            raise GradientError(
                f"{name}: .data of a saved leaf, {array.shape}, was replaced after forward; run it again"
            )
        return edge
    out = Tensor(array, requires_grad=edge is not None)
    out.node, out.version = edge, counter  # a later change of the saved array is seen at the next order too
    return out
