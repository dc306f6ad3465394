"""One differentiable operation, which is also one node of the graph.

A Function computes `forward` on arrays. When some input needs a gradient, calling it leaves the instance linked into
the graph: `edges` point to the nodes (or leaf tensors) that made its inputs, and what `backward` needs is saved by
name. `backward` is written in differentiable operations, so the gradient of a gradient needs no further code:
under `create_graph=True` the sweep itself is recorded.
"""

import itertools
import sys
import traceback
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from minigen.autograd.modes import modes
from minigen.autograd.tensor import Tensor, as_tensor
from minigen.config import config
from minigen.errors import GradientError, GraphFreedError, NotTwiceDifferentiable

PACKAGE = str(Path(__file__).resolve().parent.parent)
creation_order = itertools.count()

Edge = Any  # Function | Tensor (a leaf) | None (no gradient needed); recursive, so not spelled out


class NotFinite(GradientError):
    """NaN or infinity, found by detect_anomaly."""


# An input or output array kept for backward: the array, its edge, its tensor's version counter, and the version then.
# A plain tuple: a named one takes longer to make than a small operation.
Saved = tuple[np.ndarray, Edge, list[int], int]


class Function:
    """One operation with one output. Subclasses write `forward` and `backward`; options go to their `__init__`.

    In forward: `save_inputs(0, 1)` and `save_output()` keep what backward needs; own intermediate arrays go to
    `self.residuals`. `self.needs[i]` tells whether input i needs a gradient.
    In backward: `saved_input(i)` and `saved_output()` give tensors linked to the graph. Return one gradient for each
    input, in order, None where `needs[i]` is False.
    """

    needs: tuple[bool, ...] = ()
    edges: tuple[Edge, ...] = ()
    residuals: tuple[Any, ...] = ()
    retained: "weakref.ref[Tensor] | None" = None
    freed: bool = False
    line: str | None = None
    order: int
    shape: tuple[int, ...]
    dtype: np.dtype
    _keep_inputs: tuple[int, ...] = ()
    _keep_output: bool = False
    _inputs: dict[int, Saved]
    _output: Saved

    def forward(self, *arrays: Any, **_: Any) -> np.ndarray:  # of any signature, to a type checker
        """The result of the operation on ndarrays. Must not change them."""
        raise NotImplementedError(f"{self.name} has no forward")

    def backward(self, gy: Tensor, /) -> tuple[Tensor | None, ...]:
        """∂L/∂input for each input, given gy = ∂L/∂output, written in differentiable operations."""
        raise NotImplementedError(f"{self.name} has no backward")

    @property
    def name(self) -> str:
        """Name of the operation, for messages."""
        return type(self).__name__

    def __call__(self, *inputs: Any) -> Tensor:
        """Apply to tensors (anything else is converted), recording the node when a gradient may be asked."""
        tensors = [x if isinstance(x, Tensor) else as_tensor(x) for x in inputs]
        recording = modes.recording
        self.needs = tuple([recording and x.requires_grad for x in tensors])
        y = self.forward(*[x.data for x in tensors])
        if type(y) is not np.ndarray:
            y = np.asarray(y)
        out = Tensor(y)
        if y.base is not None:
            share_version(out, tensors)
        if modes.anomaly or config.debug:
            self.line = user_line()
            self.check_finite("forward", y, [x.shape for x in tensors])
        if True in self.needs:
            self.link(tensors, out)
        return out

    def link(self, inputs: list[Tensor], out: Tensor) -> None:
        """Become the node that made `out`."""
        if self.edges or self.freed:
            raise GradientError(f"{self.name}: called a second time; an instance is one node: make one for each call")
        self.edges = edges = tuple([(x.node or x) if x.requires_grad else None for x in inputs])
        self.order = next(creation_order)
        self.shape, self.dtype = out.data.shape, out.data.dtype
        self._inputs = {
            i: (inputs[i].data, edges[i], inputs[i].version, inputs[i].version[0]) for i in self._keep_inputs
        }
        if self._keep_output:
            self._output = out.data, None, out.version, out.version[0]  # its edge is this node: no cycle
        out.node, out.requires_grad = self, True

    def save_inputs(self, *indices: int) -> None:
        """Keep these inputs for backward."""
        self._keep_inputs = indices

    def save_output(self) -> None:
        """Keep the output for backward."""
        self._keep_output = True

    def saved_array(self, index: int) -> np.ndarray:
        """Input `index` as an array, checked to be what it was at forward."""
        saved = self._inputs.get(index)
        if saved is None:
            raise GradientError(f"{self.name}: input {index} was not saved; call self.save_inputs({index}) in forward")
        return self.unchanged(saved, index)

    def saved_input(self, index: int) -> Tensor:
        """Input `index` as a tensor; linked to the graph while the sweep is recorded."""
        array = self.saved_array(index)
        _, edge, counter, _ = self._inputs[index]
        return linked(array, edge, counter, self.name)

    def saved_output(self) -> Tensor:
        """The output as a tensor; linked to the graph while the sweep is recorded."""
        return linked(self.saved_output_array(), self, self._output[2], self.name)

    def saved_output_array(self) -> np.ndarray:
        """The output as an array, checked to be what it was at forward."""
        return self.unchanged(self._output)

    def unchanged(self, saved: Saved, index: int | None = None) -> np.ndarray:
        """The saved input (or the output); GradientError when an in-place operation has changed it since forward."""
        array, _, counter, version = saved
        if counter[0] != version:
            what = "its output" if index is None else f"input {index}"
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
        shape, dtype = self.shape, self.dtype
        self.__dict__.clear()
        self.freed, self.shape, self.dtype = True, shape, dtype

    def check_finite(self, phase: str, array: np.ndarray, shapes: list[tuple[int, ...]]) -> None:
        """Raise GradientError when `array` holds NaN or infinity (anomaly detection)."""
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            kind = "NaN" if np.isnan(array).any() else "infinity"
            raise NotFinite(f"{self.name}, {phase}: {kind} in the result; shapes {shapes}; called at {self.line}")


class FusedFunction(Function):
    """An operation whose kernel computes the first-order gradient on raw arrays.

    `compose` is the same operation written in primitives. It is run again on the saved inputs when the gradient must
    itself be differentiated, and it is the oracle of the kernel in tests. Without it, such a request raises
    NotTwiceDifferentiable: never a wrong number.
    """

    def backward_arrays(self, gy: np.ndarray, /) -> tuple[np.ndarray | None, ...]:
        """∂L/∂input for each input, by kernels on ndarrays."""
        raise NotImplementedError(f"{self.name} has no backward_arrays")

    def room(self, index: int) -> dict[str, Any]:
        """Arguments `out` and `add` of a kernel that computes the gradient of input `index`.

        During `backward()` a leaf's gradient is written where its optimizer wants it, or added to what is there; the
        array is then returned like any other. Otherwise there is nothing to say, and the kernel makes an array.
        """
        leaf = self.edges[index]
        if not modes.collecting or not isinstance(leaf, Tensor) or leaf.grad_buffer is None:
            return {}
        elsewhere = leaf.grad is not None and leaf.grad is not leaf.grad_buffer
        if elsewhere or sum(edge is leaf for edge in self.edges) > 1:
            return {}
        return {"out": leaf.grad_buffer.data, "add": leaf.grad is not None}

    def compose(self, *inputs: Any, **_: Any) -> Tensor:
        """The operation in differentiable primitives."""
        raise NotTwiceDifferentiable(
            f"{self.name} has only a first derivative; write its compose() in differentiable operations, or leave out "
            "create_graph=True"
        )

    def backward(self, gy: Tensor, /) -> tuple[Tensor | None, ...]:
        """First order by the kernel; when recorded, through `compose`."""
        if not modes.recording:
            gradients = self.backward_arrays(gy.data)
            return tuple([g if g is None else Tensor(np.asarray(g)) for g in gradients])
        if type(self).compose is FusedFunction.compose:
            self.compose()
        from minigen.autograd.engine import grad
        from minigen.autograd.ops.shape import alias

        # Aliases keep the partial derivatives apart when one input was computed from another.
        inputs = [alias(self.saved_input(i)) for i in range(len(self.needs))]
        y = self.compose(*inputs)
        wanted = [x for x, need in zip(inputs, self.needs, strict=True) if need]
        gradients = iter(grad(y, wanted, gy, create_graph=True))
        return tuple([next(gradients) if need else None for need in self.needs])


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


def share_version(out: Tensor, inputs: list[Tensor]) -> None:
    """A view and its base share one version counter, so that a change through either is seen."""
    base = out.data.base
    for x in inputs:
        if base is x.data or (x.data.base is base and base is not None):
            out.version = x.version
            return


def user_line() -> str:
    """`file:line, code` of the innermost frame outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    summary = traceback.extract_stack(frame, limit=1)[0]
    return f"{summary.filename}:{summary.lineno}: {summary.line}"
