"""An exponential moving average of a model's weights, which often samples and scores better than the last weights."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from minigen.autograd.leaves import check_fit
from minigen.autograd.tensor import Tensor
from minigen.checks import check_count, check_flag, check_number, check_saved, check_state
from minigen.errors import ArgumentError, CheckpointError
from minigen.kernels.noting import host


class HasParameters(Protocol):
    """A Module, as far as EMA needs it."""

    def named_parameters(self) -> Iterable[tuple[str, Tensor]]: ...


class EMA:
    """w̄ ← d w̄ + (1 - d) w at every `update()`, starting from the weights as they are; d is `decay`.

    decay: 0 ≤ decay < 1, such as 0.999. warmup: at the t-th update (t = 0, 1, …) d is the smaller of decay and
    (1 + t) / (10 + t), so that the average soon forgets the weights of the start, of which after 1 / (1 - decay)
    updates of full decay a third would be left (M. Abadi et al. 2016, TensorFlow, ExponentialMovingAverage). Only
    parameters are averaged; buffers, such as batch norm's running statistics, remain the model's. Polyak, Juditsky
    (1992), Acceleration of stochastic approximation by averaging. Raises ArgumentError.
    """

    def __init__(self, model: HasParameters, decay: float, *, warmup: bool = False) -> None:
        self.decay = check_number("EMA", "decay", decay, 0, 1)
        self.warmup, self.t = check_flag("EMA", "warmup", warmup), 0
        if not hasattr(model, "named_parameters"):
            raise ArgumentError(f"EMA: model is {type(model).__name__}; pass a Module")
        self.parameters = dict(model.named_parameters())
        if not self.parameters:
            raise ArgumentError("EMA: the model has no parameters")
        self.weights = {name: p.data.copy() for name, p in self.parameters.items()}

    @host
    def update(self) -> None:
        """Take in the present weights: call it after the optimizer's step."""
        decay = min(self.decay, (1 + self.t) / (10 + self.t)) if self.warmup else self.decay
        for name, p in self.parameters.items():
            average = self.weights[name]
            self.check(name, p)
            average += (1 - decay) * (p.data - average)
        self.t += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """`with ema.applied():` the model works with the averaged weights; afterwards it has its own again."""
        own = {name: p.data for name, p in self.parameters.items()}
        for name, p in self.parameters.items():
            self.check(name, p)
        self.lend({name: average.copy() for name, average in self.weights.items()})
        try:
            yield
        finally:
            self.lend(own)

    def lend(self, arrays: dict[str, np.ndarray]) -> None:
        """Give the model's parameters other arrays: whoever holds those that they have is not disturbed."""
        for name, p in self.parameters.items():
            p.data = arrays[name]
            p.bump_version()

    def check(self, name: str, p: Tensor) -> None:
        """ShapeError or DTypeError when a parameter is not what it was when the average began."""
        check_fit(self.weights[name], np.asarray(p.data), "data", f"EMA, {name}")

    def state_dict(self) -> dict[str, Any]:
        """The number of updates, and the averaged weights by name: copies."""
        return {"t": self.t, "weights": {name: average.copy() for name, average in self.weights.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`. Raises CheckpointError that names what differs; then nothing was changed."""
        check_state("EMA", state, ("t", "weights"))
        weights = state["weights"]
        check_state("EMA", weights, self.weights)
        for name, average in self.weights.items():
            check_saved("EMA", name, weights[name], average)
        try:
            self.t = check_count("EMA", "t", state["t"], 0)
        except ArgumentError as error:
            raise CheckpointError(f"{error} (in the saved state)") from None
        for name, average in self.weights.items():
            np.copyto(average, weights[name])
