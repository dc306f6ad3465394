"""Flow matching in the plane, trained while one waits: the paths from one cloud of points to eight.

    python -m benchmarks.plane

The same loss as in models/diffusion/flow_matching.py, with a small dense network; then anew on the ends of its own
paths ("reflow", Liu et al. 2023, section 2.2), whose lines do not cross any more, so that the second flow is nearly
straight. Writes docs/images/straight_paths.png.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

import minigen as mg
from minigen import layers, optim, plots
from minigen.autograd import Tensor
from minigen.benchmarks.results import ROOT

PICTURE = ROOT / "docs" / "images" / "straight_paths.png"
STEPS = 40  # of Euler

Pairs = Callable[[int], tuple[np.ndarray, np.ndarray]]  # n → starts and ends of lines, (n, 2) each


def main() -> None:
    """Train both flows, and draw their paths."""
    print(PICTURE, *save_toy(PICTURE, mg.random.generator(0), steps=3000))


def clusters(n: int, rng: np.random.Generator) -> np.ndarray:
    """Points (n, 2) of eight small clouds on a circle of radius 2."""
    angles = rng.integers(0, 8, n) * (np.pi / 4)
    centres = 2 * np.stack([np.cos(angles), np.sin(angles)], 1)
    return (centres + 0.1 * rng.standard_normal((n, 2))).astype(np.float32)


def fitted(pairs: Pairs, rng: np.random.Generator, steps: int) -> layers.Module:
    """A field of velocities (N, 3) → (N, 2), of places and times, learned along lines between such pairs."""
    network = layers.Sequential(
        layers.Linear(3, 64, rng=rng),
        layers.SiLU(),
        layers.Linear(64, 64, rng=rng),
        layers.SiLU(),
        layers.Linear(64, 64, rng=rng),
        layers.SiLU(),
        layers.Linear(64, 2, rng=rng),
    )
    optimizer = optim.Adam(network.parameters(), lr=2e-3)
    schedule = optim.CosineLR(optimizer, steps)

    @mg.record
    def step(start: np.ndarray, end: np.ndarray) -> Tensor:
        t, a, b = mg.rand(len(start), 1, rng=rng), mg.tensor(start), mg.tensor(end)
        loss = mg.mse_loss(network(mg.concatenate([(1.0 - t) * a + t * b, t], 1)), b - a)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(steps):
        step(*pairs(256))
        schedule.step()
    return network


def paths(network: layers.Module, start: np.ndarray) -> np.ndarray:
    """Where points (N, 2) are after each step of Euler, (STEPS + 1, N, 2)."""
    places = [start]
    with mg.no_grad():
        for i in range(STEPS):
            t = np.full((len(start), 1), i / STEPS, np.float32)
            places.append(places[-1] + network(mg.tensor(np.concatenate([places[-1], t], 1))).numpy() / STEPS)
    return np.stack(places)


def bend(walked: np.ndarray) -> float:
    """S of paths (S + 1, N, D): the mean over them of |(x_1 - x_0) - v|²; 0 is straight."""
    velocities = np.diff(walked, axis=0) * (len(walked) - 1)
    return float(np.square(walked[-1] - walked[0] - velocities, dtype=np.float64).sum(2).mean())


def save_toy(path: Path, rng: np.random.Generator, steps: int) -> tuple[float, float]:
    """Draw the paths of a flow, and of the one that is learned on their ends; returns S of both."""

    def cloud(n: int) -> np.ndarray:
        return rng.standard_normal((n, 2), dtype=np.float32)

    first = fitted(lambda n: (cloud(n), clusters(n, rng)), rng, steps)
    ends = paths(first, cloud(20_000))[[0, -1]]

    def known(n: int) -> tuple[np.ndarray, np.ndarray]:
        return tuple(ends[:, rng.integers(0, ends.shape[1], n)])

    second = fitted(known, rng, steps)
    start = cloud(300)
    walked = [paths(network, start) for network in (first, second)]
    bends = [bend(one) for one in walked]
    titles = [
        f"{name}: S = {s:.3f}"
        for name, s in zip(("learned from noise", "learned anew, on its ends"), bends, strict=True)
    ]
    plots.save_paths(path, dict(zip(titles, walked, strict=True)))
    return bends[0], bends[1]


if __name__ == "__main__":
    main()
