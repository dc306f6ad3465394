"""Memory stays where it is: a thousand training steps, and a graph that is dropped without a sweep."""

import gc
import resource
import sys
import weakref
from pathlib import Path

import numpy as np

import minigen as mg
from minigen import layers, optim


def resident() -> int:
    """Bytes of this process that are in memory now."""
    if sys.platform == "linux":
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_a_thousand_steps_leave_memory_flat():
    rng = mg.random.generator(0)
    model = layers.Sequential(
        layers.Conv2d(1, 4, 3, padding=1, rng=rng),
        layers.BatchNorm(4),
        layers.ReLU(),
        layers.MaxPool2d(2),
        layers.Dropout(0.2, rng=rng),
        layers.Flatten(),
        layers.Linear(36, 10, rng=rng),
    )
    optimizer = optim.Adam(model.parameters())

    def steps(count: int) -> None:
        for _ in range(count):
            x, y = rng.standard_normal((64, 6, 6, 1), dtype=np.float32), rng.integers(0, 10, 64)
            loss = mg.cross_entropy(model(mg.tensor(x)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    gc.disable()  # nothing may need the cycle collector
    try:
        steps(50)
        before = resident()
        steps(1000)
        assert resident() < 1.05 * before
    finally:
        gc.enable()


def test_a_graph_that_is_never_swept_goes_at_once():
    gc.disable()
    try:
        x = mg.tensor(np.ones(3), requires_grad=True)
        y = mg.tanh(x * 2.0)
        node = weakref.ref(y.node)
        del y
        assert node() is None
    finally:
        gc.enable()
