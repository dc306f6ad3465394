"""An exponential moving average of a model's weights, which often samples and scores better than the last weights."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from minigen.autograd.tensor import Tensor
from minigen.errors import ArgumentError, CheckpointError


class HasParameters(Protocol):
    """A Module, as far as EMA needs it."""

    def named_parameters(self) -> Iterable[tuple[str, Tensor]]: ...


class EMA:
    """w̄ ← decay w̄ + (1 - decay) w at every `update()`, starting from the weights as they are.

    decay: 0 ≤ decay < 1, such as 0.999. Only parameters are averaged; buffers, such as batch norm's running statistics,
    remain the model's. Polyak, Juditsky (1992), Acceleration of stochastic approximation by averaging. Raises
    ArgumentError.
    """

    def __init__(self, model: HasParameters, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ArgumentError(f"EMA: decay is {decay!r}; use a number from 0, below 1")
        self.decay = decay
        self.parameters = dict(model.named_parameters())
        if not self.parameters:
            raise ArgumentError("EMA: the model has no parameters")
        self.weights = {name: p.data.copy() for name, p in self.parameters.items()}

    def update(self) -> None:
        """Take in the present weights: call it after the optimizer's step."""
        for name, p in self.parameters.items():
            average = self.weights[name]
            average += (1 - self.decay) * (p.data - average)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """`with ema.applied():` the model works with the averaged weights; afterwards it has its own again."""
        own = {name: p.data.copy() for name, p in self.parameters.items()}
        self.write(self.weights)
        try:
            yield
        finally:
            self.write(own)

    def write(self, arrays: dict[str, np.ndarray]) -> None:
        """Copy `arrays` into the model's parameters."""
        for name, p in self.parameters.items():
            np.copyto(p.data, arrays[name])
            p.bump_version()

    def state_dict(self) -> dict[str, Any]:
        """The averaged weights by name: copies."""
        return {name: average.copy() for name, average in self.weights.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`. Raises CheckpointError that names what differs; then nothing was changed."""
        if set(state) != set(self.weights):
            missing, unknown = sorted(set(self.weights) - set(state)), sorted(set(state) - set(self.weights))
            raise CheckpointError(f"EMA: the saved state lacks {missing} and has {unknown}, which the model has not")
        for name, average in self.weights.items():
            found = np.asarray(state[name])
            if found.shape != average.shape or found.dtype != average.dtype:
                raise CheckpointError(
                    f"EMA: saved {name} is {found.dtype} {found.shape}, expected {average.dtype} {average.shape}"
                )
        for name, average in self.weights.items():
            np.copyto(average, state[name])
