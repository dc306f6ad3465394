"""The game of two networks in the plane, played in memory while one looks: a GAN whose samples are points.

I. Goodfellow et al. (2014), https://arxiv.org/abs/1406.2661; looked at in this way by M. Kahng et al. (2019), GAN Lab,
https://arxiv.org/abs/1809.01587. The losses are those of models/parts/game.py.
"""

import math
from typing import Any, get_args

import numpy as np

import minigen as mg
from minigen import layers, optim
from minigen.models.parts.game import Objective, discriminator_loss, generator_loss, opinion
from minigen.pages.asked import Query, number, one_of, whole

SHAPES = ("eight", "ring", "two", "line")
LOSSES: dict[str, Objective] = {name: name for name in get_args(Objective)}
BATCH = 128
SHOWN = 200  # points
ARROWS = 80
SIDE = 24  # of the discriminator's field
REACH = 2.0  # the picture goes from -REACH to REACH, each way
WIDTH = 64
TABS = 8
MOST = 200  # steps at once
RATES = {"g": 1e-3, "d": 3e-3}  # learning rates; equal ones lose most of the clusters


class Games:
    """The games of the tabs that ask, each by the name that it gives itself; the few that were played last."""

    def __init__(self) -> None:
        self.games: dict[str, Plane] = {}

    def ask(self, query: Query) -> dict[str, Any]:
        """As the game of that name."""
        name = query.get("game", "")[:40]
        game = self.games.pop(name, None) or Plane()
        self.games[name] = game
        while len(self.games) > TABS:
            del self.games[next(iter(self.games))]
        return game.ask(query)


class Plane:
    """One game."""

    def __init__(self) -> None:
        self.begin({})

    def begin(self, query: Query) -> None:
        """Shuffle the cards: shape of the data, loss, both learning rates, seed."""
        data, loss = one_of(query, "data", SHAPES), LOSSES[one_of(query, "loss", tuple(LOSSES))]
        rates = [number(query, f"{player}_lr", usual, 1e-6, 1.0) for player, usual in RATES.items()]
        seed = whole(query, "seed", 0, 0, 2**31)
        self.loss: Objective = loss  # from here on all of it is right
        self.shape, self.rng = data, mg.random.generator(seed)
        self.g, self.d = (network(2, size, self.rng) for size in (2, 1))
        players = zip((self.g, self.d), rates, strict=True)
        self.g_optimizer, self.d_optimizer = (
            optim.Adam(player.parameters(), lr=lr, betas=(0.5, 0.999)) for player, lr in players
        )
        self.fixed = mg.randn(SHOWN, 2, rng=self.rng)
        self.real = points(self.shape, SHOWN, self.rng)
        self.step, self.losses = 0, (math.nan, math.nan)  # none yet

    def ask(self, query: Query) -> dict[str, Any]:
        """The game as it stands, after so many steps more, or after a new beginning."""
        do = one_of(query, "do", ("look", "step", "new"))
        if do == "new":
            self.begin(query)
        for _ in range(whole(query, "n", 1, 1, MOST) if do == "step" else 0):
            self.play()
        return self.picture()

    def play(self) -> None:
        """One step of each player: Algorithm 1."""
        fake = self.g(mg.randn(BATCH, 2, rng=self.rng))
        real = mg.tensor(points(self.shape, BATCH, self.rng))
        d_loss = discriminator_loss(self.d(real), self.d(fake.detach()), self.loss)
        self.d_optimizer.zero_grad()
        d_loss.backward()
        self.d_optimizer.step()
        with self.d.frozen():
            g_loss = generator_loss(self.d(fake), self.loss)
        self.g_optimizer.zero_grad()
        g_loss.backward()
        self.g_optimizer.step()
        self.step, self.losses = self.step + 1, (d_loss.item(), g_loss.item())

    def picture(self) -> dict[str, Any]:
        """Points of both kinds, where D says what, and where each sample is pulled: minus the gradient of G's loss."""
        axis = np.linspace(-REACH, REACH, SIDE, dtype=np.float32)
        grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
        with mg.no_grad():
            fake = self.g(self.fixed).numpy()
            field = opinion(self.d(mg.tensor(grid)), self.loss).numpy().reshape(SIDE, SIDE)
        pulled = mg.tensor(fake[:ARROWS], requires_grad=True)
        with self.d.frozen():
            (slope,) = mg.grad(generator_loss(self.d(pulled), self.loss) * ARROWS, [pulled])
        return {
            "step": self.step,
            "losses": [finite(value) for value in self.losses],
            "real": self.real.round(3).tolist(),
            "fake": listed(fake),
            "arrows": listed(-slope.numpy()),
            "field": listed(np.clip(field, 0, 1)),
            "reach": REACH,
        }


def network(inputs: int, outputs: int, rng: np.random.Generator) -> layers.Sequential:
    """(N, 2) → (N, outputs), by two hidden layers."""
    return layers.Sequential(
        layers.Linear(inputs, WIDTH, rng=rng),
        layers.ReLU(),
        layers.Linear(WIDTH, WIDTH, rng=rng),
        layers.ReLU(),
        layers.Linear(WIDTH, outputs, rng=rng),
    )


def points(shape: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """n draws (n, 2) of the data."""
    noise = 0.06 * rng.standard_normal((n, 2))
    if shape == "line":
        t = rng.uniform(-1.3, 1.3, n)
        found = np.stack([t, 0.8 * np.sin(2.4 * t)], 1)
    else:
        corners = {"eight": 8, "two": 2}.get(shape)
        angles = (
            rng.uniform(0, 2 * np.pi, n) if corners is None else rng.integers(0, corners, n) * (2 * np.pi / corners)
        )
        found = 1.3 * np.stack([np.cos(angles), np.sin(angles)], 1)
    return (found + noise).astype(np.float32)


def listed(values: np.ndarray) -> list:
    """An array as lists of numbers of three digits; NaN, of a game that has diverged, as 0."""
    return np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0).round(3).tolist()


def finite(value: float) -> float | None:
    """None for NaN and infinity."""
    return value if np.isfinite(value) else None
