"""A model with an optimizer and a generator, twice: a step as it is and the same step recorded, side by side."""

from collections.abc import Callable
from typing import Any

import numpy as np

import minigen as mg
from minigen import layers, optim
from minigen.random import generator

Step = Callable[..., Any]


class World:
    """A model, its optimizer and a generator, and what a step on them is."""

    def __init__(self, make: "Callable[[World], Step]", record: bool) -> None:
        self.rng = generator(0)
        self.model: Any = layers.Sequential(
            layers.Linear(6, 8, rng=self.rng),
            layers.BatchNorm(8),
            layers.ReLU(),
            layers.Dropout(0.5, rng=self.rng),
            layers.Linear(8, 3, rng=self.rng),
        )
        self.optimizer = optim.Adam(self.model.parameters(), 1e-2)
        self.plain = make(self)
        self.step: Any = mg.record(self.plain) if record else self.plain

    def state(self) -> list[np.ndarray]:
        """All that a step may change."""
        arrays = [p.data for p in self.model.parameters()] + list(self.model.buffers())
        arrays += [self.optimizer.m, self.optimizer.v, self.optimizer.steps]
        arrays += [p.grad.data for p in self.model.parameters() if p.grad is not None]
        return [array.copy() for array in (*arrays, np.array([self.rng.bit_generator.state["state"]["state"] % 2**62]))]


def batches(count: int = 8, n: int = 10) -> list[tuple[np.ndarray, np.ndarray]]:
    """Data of the right shapes."""
    rng = generator(1)
    return [(rng.normal(size=(n, 6)).astype(np.float32), rng.integers(0, 3, n)) for _ in range(count)]


def training(world: World) -> Step:
    """The usual step."""

    def step(x: np.ndarray, y: np.ndarray) -> Any:
        loss = mg.cross_entropy(world.model(mg.tensor(x)), y)
        world.optimizer.zero_grad()
        loss.backward()
        norm = optim.clip_grad_norm(world.optimizer, 0.5)
        world.optimizer.step()
        return {"loss": loss, "norm": norm, "name": "step"}

    return step


def values(result: Any) -> Any:
    """A result without tensors."""
    if isinstance(result, dict):
        return {name: values(value) for name, value in result.items()}
    if isinstance(result, (tuple, list)):
        return [values(value) for value in result]
    return result.data.tobytes() if isinstance(result, mg.Tensor) else result


def side_by_side(
    make: Callable[[World], Step], data: Any = None, between: Callable[[World, int], Any] | None = None
) -> World:
    """Run both on the same data; the recorded world."""
    plain, recorded = World(make, False), World(make, True)
    for i, batch in enumerate(batches() if data is None else data):
        if between is not None:
            between(plain, i)
            between(recorded, i)
        assert values(plain.step(*batch)) == values(recorded.step(*batch)), i
        for ours, theirs in zip(recorded.state(), plain.state(), strict=True):
            assert ours.tobytes() == theirs.tobytes(), i
    return recorded
