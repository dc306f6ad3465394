"""The backward sweep: from outputs to inputs, in reverse order of creation.

Nodes carry a running number given when they were made, and a node is always made after those it depends on. Sorting
the reachable nodes by that number, largest first, is therefore a topological order: no recursion, however long the
chain. Gradients in flight live in `pending`, keyed by the node or leaf they belong to, and leave it as soon as
that node has been visited. What becomes of a leaf's gradient is in `leaves.py`.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from operator import attrgetter
from typing import Any, Literal, overload

import numpy as np

from minigen.autograd.conversion import as_array
from minigen.autograd.function import Edge, Function, Output
from minigen.autograd.hooks import hooked, leaf_hooks
from minigen.autograd.leaves import accumulate, handed_over, summed
from minigen.autograd.modes import modes, sweeping
from minigen.autograd.observe import observed
from minigen.autograd.tensor import Operand, Tensor
from minigen.config import config
from minigen.errors import GradientError, ShapeError
from minigen.kernels.noting import constant, copied

Deliver = Callable[[Tensor, Tensor], None]
delivering = threading.RLock()  # one sweep at a time adds to leaves: two threads would lose each other's gradients
Key = int | tuple[int, int]  # whose gradient: the id of a node or leaf, or (id of a node, which of its several outputs)


def backward(
    output: Tensor, gradient: Operand | None = None, retain_graph: bool | None = None, create_graph: bool = False
) -> None:
    """Add ∂output/∂leaf, times `gradient`, to `.grad` of every leaf that requires a gradient.

    output: any shape; when it has more than one element, `gradient` of the same shape is needed.
    retain_graph: keep what was saved, for a second sweep (default: the value of create_graph).
    create_graph: record the sweep, so that the gradients can be differentiated.
    Raises GradientError (nothing to differentiate), ShapeError (gradient's shape), DTypeError (it holds no real
    numbers), GraphFreedError (a second sweep).
    """
    seeds = [(edge_of(output, "backward"), seed_gradient(output, gradient, "backward", create_graph))]
    retain_graph = create_graph if retain_graph is None else retain_graph

    def deliver(leaf: Tensor, g: Tensor) -> None:
        accumulate(leaf, g, create_graph)

    with delivering:
        sweep(seeds, reachable(seeds), deliver, create_graph, retain_graph)


@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Operand | Sequence[Operand | None] | None = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: Literal[False] = False,
) -> tuple[Tensor, ...]: ...
@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Operand | Sequence[Operand | None] | None = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    *,
    allow_unused: bool,
) -> tuple[Tensor | None, ...]: ...
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Operand | Sequence[Operand | None] | None = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """Σ ∂outputs/∂input · grad_outputs for every input, as a tuple; touches no `.grad`.

    Walks only the paths that lead to `inputs`, which may be leaves or intermediate results.
    create_graph: record the sweep, so that the result can be differentiated again (WGAN-GP, Hessians).
    allow_unused: give None, instead of raising GradientError, for an input that the outputs do not depend on.
    """
    outputs = list(outputs) if isinstance(outputs, Sequence) else [outputs]
    inputs = list(inputs) if isinstance(inputs, Sequence) else [inputs]
    if grad_outputs is None:
        given = [None] * len(outputs)
    else:
        given = list(grad_outputs) if isinstance(grad_outputs, (list, tuple)) else [grad_outputs]
    if len(given) != len(outputs):
        raise ShapeError(f"grad: {len(outputs)} outputs but {len(given)} grad_outputs; give one for each")
    edges = [edge_of(y, "grad") for y in outputs]
    seeds = [
        (edge, seed_gradient(y, g, "grad", create_graph)) for edge, y, g in zip(edges, outputs, given, strict=True)
    ]
    targets = {id(edge_of(x, "grad")): x for x in inputs}
    found: dict[int, Tensor] = {}

    def deliver(leaf: Tensor, g: Tensor) -> None:
        add_gradient(found, owned, id(leaf), g, create_graph)

    owned: set[int] = set()
    nodes = reachable(seeds)
    retain_graph = create_graph if retain_graph is None else retain_graph
    found.update(sweep(seeds, nodes, deliver, create_graph, retain_graph, targets))
    results = [found.get(id(x.node or x)) for x in inputs]
    results = apart(results, [g for _, g in seeds], create_graph)
    for i, (x, g) in enumerate(zip(inputs, results, strict=True)):
        if g is None and not allow_unused:
            raise GradientError(
                f"grad: the outputs do not depend on input {i}, {x.shape}; drop it or allow_unused=True"
            )
    return tuple(results)


def partial_derivatives(
    outputs: list[Tensor], edges: list[Edge], gradients: list[Tensor], create_graph: bool
) -> list[Tensor | None]:
    """Σ ∂outputs/∂edge · gradient for nodes and leaves that count as independent: the sweep ends at each of them."""
    seeds = [(edge_of(y, "backward"), g) for y, g in zip(outputs, gradients, strict=True)]
    ends = {id(edge): edge for edge in edges}
    found: dict[int, Tensor] = {}
    owned: set[int] = set()

    def deliver(leaf: Tensor, g: Tensor) -> None:
        add_gradient(found, owned, id(leaf), g, create_graph)

    found |= sweep(seeds, reachable(seeds, ends), deliver, create_graph, create_graph, ends, cut=True)
    return [found.get(id(edge)) for edge in edges]


def apart(gradients: list[Tensor | None], seeds: list[Tensor], create_graph: bool) -> list[Tensor | None]:
    """Gradients in memory of their own each, which in a sweep may be views, or shared; recorded by a product."""
    if not create_graph:
        return [None if g is None else Tensor(copied(g.data)) for g in gradients]
    shared = {id(seed.data) for seed in seeds}
    for i, g in enumerate(gradients):
        if g is not None:
            if g.data.base is not None or id(g.data) in shared:
                gradients[i] = g * 1.0
            shared.add(id(g.data))
    return gradients


def sweep(
    seeds: list[tuple[Edge, Tensor]],
    nodes: list[Function],
    deliver: Deliver,
    create_graph: bool,
    retain_graph: bool,
    targets: dict[int, Any] | None = None,
    cut: bool = False,
) -> dict[int, Tensor]:
    """Visit `nodes` (latest first), pass gradients along edges and hand those of leaves to `deliver`.

    targets: None for every leaf; else only edges that lead to a target are followed, and with `cut` none behind one.
    Returns the gradients of targets that are intermediate results.
    """
    leads = None if targets is None else leading(nodes, targets)
    pending: dict[Key, Tensor] = {}
    owned: set[Key] = set()
    found: dict[int, Tensor] = {}
    waiting: dict[int, Tensor] = {}  # leaves whose hooks are shown the whole gradient at the end

    def send(edge: Edge, g: Tensor) -> None:
        if isinstance(edge, Function):
            add_gradient(pending, owned, id(edge), g, create_graph)
        elif targets is None or id(edge) in targets:
            if leaf_hooks and not cut and leaf_hooks.get(id(edge)):
                waiting[id(edge)] = edge
                add_gradient(pending, owned, id(edge), g, create_graph)
            else:
                deliver(edge, g)

    with sweeping(create_graph, collecting=targets is None and not create_graph):
        for edge, g in seeds:
            send(edge, g)
        for node in nodes:
            gy = pending.pop(id(node), None)
            if gy is None:
                if node.several:  # whose outputs are nodes of their own, and have handed on what reached them
                    gys = tuple([pending.pop((id(node), i), None) for i in range(len(node.several))])
                    used = any(gy is not None for gy in gys)
                    if used and visit(node, gys, send, leads) and not retain_graph:
                        node.release()
                continue
            wanted = targets is not None and id(node) in targets
            if node.watch is not None and not (cut and wanted):  # else the hooks are for the sweep around this one
                gy = hooked(gy, node.watch.hooks, create_graph)
                if targets is None and node.watch.tensor is not None and (tensor := node.watch.tensor()) is not None:
                    accumulate(tensor, gy, create_graph)
            if wanted:
                found[id(node)] = gy
                if cut:
                    continue
            if type(node) is Output:  # released with its source
                add_gradient(pending, owned, (id(node.edges[0]), node.index), gy, create_graph)
            elif visit(node, (gy,), send, leads) and not retain_graph:
                node.release()
        for key, leaf in waiting.items():
            deliver(leaf, hooked(pending.pop(key), leaf_hooks[key], create_graph))
    return found


def visit(node: Function, gys: Sequence[Tensor | None], send: Deliver, leads: set[int] | None) -> bool:
    """Run one node's backward for the inputs that count, and send the gradients on. False when none counts."""
    needs = node.needs
    if leads is not None:
        node.needs = tuple([need and id(edge) in leads for need, edge in zip(needs, node.edges, strict=True)])
        if True not in node.needs:
            node.needs = needs
            return False
    try:
        gradients = observed_backward(node, gys) if modes.observers or config.debug else node.backward(*gys)
        if type(gradients) is not tuple:
            check_sequence(node, gradients)
        if len(gradients) != len(node.edges):
            raise GradientError(
                f"{node.name}.backward gave {len(gradients)} gradients for {len(node.edges)} inputs; return one for "
                "each input, None where there is none"
            )
        for i, edge in enumerate(node.edges):
            g = gradients[i]
            if g is None or not node.needs[i]:
                continue
            array = g.data
            if type(array) is memoryview:  # of an array in the place of a Tensor
                raise GradientError(f"{node.name}.backward gave an array for input {i}; return Tensors")
            if array.shape != edge.shape or array.dtype != edge.dtype:
                raise GradientError(
                    f"{node.name}.backward gave {g.shape} {g.dtype} for input {i}, which is {edge.shape} {edge.dtype}"
                )
            if modes.collecting and isinstance(edge, Tensor) and edge.grad_place is None:
                del g, array  # which would count as others who hold them
                send(edge, handed_over(gradients, i))
            else:
                send(edge, g)
        return True
    finally:
        node.needs = needs


def check_sequence(node: Function, gradients: Any) -> None:
    """Raises GradientError for what is neither a tuple nor a list of gradients: a single one, or nothing."""
    if not isinstance(gradients, (tuple, list)):
        raise GradientError(
            f"{node.name}.backward gave a {type(gradients).__name__}; return a tuple with one gradient for each input, "
            "(gx,), None where there is none"
        )


def observed_backward(node: Function, gys: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    """node.backward, with those who listen told of its start and its end."""
    return observed(
        lambda: node.backward(*gys),
        lambda observer: observer.backward_starts(node, gys),
        lambda observer, gxs: observer.backward_ends(node, gys, gxs),
    )


def add_gradient(pending: dict[Any, Tensor], owned: set[Any], key: Key, g: Tensor, create_graph: bool) -> None:
    """Add a contribution: the first is kept as it is, the second makes a sum of our own, later ones go into it."""
    first = pending.get(key)
    if first is None:
        pending[key] = g
    elif create_graph:
        pending[key] = first + g
    elif key in owned:
        summed(first.data, g.data, out=first.data)
    else:
        pending[key] = Tensor(np.asarray(summed(first.data, g.data)))
        owned.add(key)


def reachable(seeds: list[tuple[Edge, Tensor]], ends: Collection[int] = ()) -> list[Function]:
    """All nodes behind the seeds, latest first; none behind those whose ids are `ends`."""
    stack = [edge for edge, _ in seeds if isinstance(edge, Function)]
    seen = {id(node): node for node in stack}
    while stack:
        node = stack.pop()
        if ends and id(node) in ends:
            continue
        if node.freed:
            node.check_alive()
        for edge in node.edges:
            if isinstance(edge, Function) and id(edge) not in seen:
                seen[id(edge)] = edge
                stack.append(edge)
    return sorted(seen.values(), key=attrgetter("order"), reverse=True)


def leading(nodes: list[Function], targets: dict[int, Any]) -> set[int]:
    """Ids of the targets and of the nodes from which a path leads to one. `nodes` come latest first."""
    leads = set(targets)
    for node in reversed(nodes):
        if any(id(edge) in leads for edge in node.edges):
            leads.add(id(node))
    return leads


def edge_of(tensor: Tensor, operation: str) -> Edge:
    """The node that made a tensor, or the leaf itself. Raises GradientError when it requires no gradient."""
    if not isinstance(tensor, Tensor):
        raise GradientError(f"{operation}: expected a Tensor, got {type(tensor).__name__}")
    if not tensor.requires_grad:
        raise GradientError(
            f"{operation}: tensor {tensor.shape} does not require a gradient: it was made from data, under no_grad, "
            "from inputs without requires_grad=True, or it is a gradient that was taken without create_graph=True"
        )
    return tensor.node or tensor


def seed_gradient(output: Tensor, gradient: Operand | None, operation: str, create_graph: bool) -> Tensor:
    """ones for a one-element output, else the given gradient, checked, in the output's dtype."""
    if gradient is None:
        if output.data.size != 1:
            raise ShapeError(
                f"{operation}: output has shape {output.shape}; only a one-element output has an implied gradient. "
                "Reduce it (.sum(), .mean()) or pass a gradient of the same shape"
            )
        return Tensor(constant(np.ones(output.data.shape, output.data.dtype)))
    g = gradient if isinstance(gradient, Tensor) else Tensor(as_array(gradient, operation))
    if g.shape != output.shape:
        raise ShapeError(f"{operation}: gradient has shape {g.shape}, the output {output.shape}; they must be equal")
    if not create_graph:
        # A view is copied: it may be the place of the very gradient that is to be added to.
        return Tensor(g.data.astype(output.dtype, copy=g.data.base is not None))
    return g if g.dtype == output.dtype else g.astype(output.dtype)
