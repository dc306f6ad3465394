"""Optimizers written in NumPy: their arithmetic goes over blocks that stay in the processor's cache."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from minigen.optim.optimizer import Optimizer

BLOCK_ELEMENTS = 16384


def blocks(span: slice) -> Iterator[slice]:
    """`span` of a flat array in pieces."""
    for start in range(span.start, span.stop, BLOCK_ELEMENTS):
        yield slice(start, min(start + BLOCK_ELEMENTS, span.stop))


class Blockwise(Optimizer):
    """Base of the optimizers that are elementwise: subclasses write `advance`.

    The weight decay is done here: added to the gradient, or, where `decoupled`, taken off the parameters.
    """

    def update(self, span: slice, count: int, options: Mapping[str, Any]) -> None:
        decay, apart = options["weight_decay"], self.decoupled(options)
        for part in blocks(span):
            p, g = self.flat.data[part], self.flat.gradients[part]
            if apart:
                p *= 1 - options["lr"] * decay
            elif decay:
                g = g + decay * p
            self.advance(p, g, part, count, options)

    def decoupled(self, options: Mapping[str, Any]) -> bool:
        """Whether the weight decay acts on the parameters themselves."""
        return options.get("decoupled_weight_decay", False)

    def advance(self, p: np.ndarray, g: np.ndarray, part: slice, count: int, options: Mapping[str, Any]) -> None:
        """Change the parameters p in place by their gradient g, which stays; `part`: where their moments are."""
        raise NotImplementedError(f"{type(self).__name__} has no advance")


def decayed(moment: np.ndarray, rate: float, g: np.ndarray) -> np.ndarray:
    """moment ← rate moment + (1 - rate) g, in place."""
    moment *= rate
    moment += (1 - rate) * g
    return moment
