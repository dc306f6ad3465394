"""Activation checkpointing: memory for time. A stretch of a computation keeps its inputs and runs again in backward.

Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost". Of a network of n equal stretches, memory holds n
inputs and the insides of one stretch, instead of the insides of all; forward is computed twice.

The stretch becomes one node of the graph. Its edges lead to every tensor that it drew on: those passed, and parameters
or other tensors that the function reaches by itself. They are found by running it once with the graph recorded, and
walking that graph back to what was there before; then the graph is dropped.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigen.autograd.engine import edge_of, partial_derivatives
from minigen.autograd.function import Edge, Function, creation_order
from minigen.autograd.modes import enable_grad, modes, recomputing
from minigen.autograd.tensor import Tensor
from minigen.checks import check_callable, check_items
from minigen.errors import GradientError
from minigen.random import Draws, draws_noted, get_state, set_state

SAMPLED = 256  # elements of each result by which a second run is known to be equal
TOLERANCE = 1e-3


def checkpoint(f: Callable[..., Any], *inputs: Any, rng: Any = None, **options: Any) -> Any:
    """f(*inputs, **options), a Tensor or a tuple of them, without keeping what is computed inside.

    In backward f runs again. Gradients of every order reach the inputs, and all parameters that f uses. Generators that
    f hands to minigen (dropout, rand) draw the same numbers again, and running means of batch norm move once.
    rng: a generator, or several, from which f draws by itself, as in rng.normal(…).
    Raises GradientError in backward when the second run differs from the first, or a tensor was changed in between.
    """
    check_callable("checkpoint", f)
    if not modes.recording:
        return f(*inputs, **options)
    mend = "pass a generator, or a list of them"
    generators = check_items("checkpoint", "rng", as_list(rng), np.random.Generator, mend)

    def run() -> Any:
        return f(*inputs, **options)

    start = next(creation_order)
    with draws_noted(generators) as draws:
        result = run()
    outputs = tensors_of(result)
    edges, leaves = boundary(outputs, start)
    if not edges:
        return result
    # Tensors that were passed are inputs of the node even without gradient: it notices when one is changed.
    known = {id(x.node or x): x for x in (*leaves, *[x for x in inputs if isinstance(x, Tensor)])}
    others = [stand_in(edge) for edge in edges if id(edge) not in known]
    made = Checkpoint(run, [y.data for y in outputs], draws)(*known.values(), *others)
    return made if isinstance(result, Tensor) else made if isinstance(made, tuple) else (made,)


class Checkpoint(Function):
    """y = f(x, θ, …), computed again in backward."""

    def __init__(self, run: Callable[[], Any], results: list[np.ndarray], draws: Draws) -> None:
        self.run, self.results, self.draws = run, results, draws

    def forward(self, *arrays: np.ndarray) -> Any:
        results, self.results = self.results, []
        self.samples = [sampled(y) for y in results]
        self.save_inputs(*range(len(arrays)))
        own = [y.view() if any(y is x for x in arrays) else y for y in results]
        return tuple(own) if len(own) > 1 else own[0]

    def backward(self, *gys: Tensor | None) -> tuple[Tensor | None, ...]:
        for i in range(len(self.edges)):
            self.saved_array(i)  # raises when one was changed in place
        start = next(creation_order)
        with enable_grad(), recomputing(), drawn_again(self.draws):
            outputs = tensors_of(self.run())
        self.check_equal(outputs, start)
        wanted = [edge for edge, need in zip(self.edges, self.needs, strict=True) if need]
        pairs = [(y, g) for y, g in zip(outputs, gys, strict=True) if g is not None and y.requires_grad]
        found = iter(partial_derivatives([y for y, _ in pairs], wanted, [g for _, g in pairs], modes.recording))
        return tuple([next(found) if need else None for need in self.needs])

    def check_equal(self, outputs: list[Tensor], start: int) -> None:
        """Raise GradientError unless the second run gave what the first one gave, from the same tensors."""
        mend = "pass the generators that it draws from as rng=, and leave no state behind in it"
        samples = [sampled(y.data) for y in outputs]
        if [a.shape for a in samples] != [b.shape for b in self.samples]:
            raise GradientError(f"checkpoint: the function gave other shapes when it ran again; {mend}")
        for first, again in zip(self.samples, samples, strict=True):
            scale = TOLERANCE * np.abs(first[np.isfinite(first)]).max(initial=0)
            if not np.allclose(again, first, TOLERANCE, scale, equal_nan=True):
                raise GradientError(f"checkpoint: the function gave other numbers when it ran again; {mend}")
        known = set(map(id, self.edges))
        if any(id(edge) not in known for edge in boundary(outputs, start)[0]):
            raise GradientError(f"checkpoint: the function used other tensors when it ran again; {mend}")


def boundary(outputs: list[Tensor], start: int) -> tuple[list[Edge], list[Tensor]]:
    """The nodes and leaves from before `start` that the outputs were made from, and those that are leaves."""
    seen: dict[int, Edge] = {}
    edges: list[Edge] = []
    stack: list[Edge] = [edge_of(y, "checkpoint") for y in outputs if y.requires_grad]
    while stack:
        edge = stack.pop()
        if edge is None or id(edge) in seen:
            continue
        seen[id(edge)] = edge
        if isinstance(edge, Function) and edge.order > start:
            stack.extend(reversed(edge.edges))
        else:
            edges.append(edge)
    return edges, [edge for edge in edges if isinstance(edge, Tensor)]


def stand_in(edge: Function) -> Tensor:
    """A tensor without memory for the result of a node that f reaches by itself, and keeps itself."""
    x = Tensor(np.broadcast_to(np.zeros((), edge.dtype), edge.shape), requires_grad=True)
    x.node = edge
    return x


def tensors_of(result: Any) -> list[Tensor]:
    """What f returned, as a list."""
    mend = "return a Tensor, or a tuple of them"
    return [result] if isinstance(result, Tensor) else check_items("checkpoint", "the result", result, Tensor, mend)


def sampled(y: np.ndarray) -> np.ndarray:
    """Some elements, evenly spread, and how many there are."""
    step = max(1, y.size // SAMPLED)
    return np.append(y.reshape(-1)[::step].astype(np.float64), y.size)


def as_list(rng: Any) -> list[Any]:
    """None, one generator or several, as a list."""
    return [] if rng is None else list(rng) if isinstance(rng, (list, tuple)) else [rng]


@contextmanager
def drawn_again(draws: Draws) -> Iterator[None]:
    """The generators stand where they stood when the draws were noted; afterwards where they stand now."""
    now = [(rng, get_state(rng)) for rng, _ in draws.values()]
    for rng, state in draws.values():
        set_state(rng, state)
    try:
        yield
    finally:
        for rng, state in now:
            set_state(rng, state)
