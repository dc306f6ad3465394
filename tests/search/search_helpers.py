"""Models that train in no time, as a user's own files beside the real ones; and what a search left behind."""

import json
from pathlib import Path
from typing import Any

from minigen.search.goal import Goal
from minigen.search.journal import Journal, Trial
from minigen.search.space import space_of

# One number walks towards 3 by NumPy alone, so that a process that runs it can be forked. It flies away from lr 1 on.
WALK = '''
"""A walk to 3."""
from dataclasses import dataclass
from typing import Literal
import numpy as np
from minigen import data
from minigen.errors import ArgumentError
from minigen.models.parts.options import require_positive, require_share
from minigen.training import Steps

@dataclass(frozen=True)
class Recipe:
    """Walk."""
    epochs: int = 3  # of four steps
    lr: float = 0.01  # share of the way
    width: int = 6  # of nothing
    kind: Literal["plain", "fancy"] = "plain"  # which one
    tie: bool = False  # or not
    momentum: float = 0.9  # of nothing
    decay: float = 0.0  # of nothing
    ema: float | None = None  # of nothing
    data: str = "none"  # what to read
    seed: int = 0  # of nothing
    max_steps: int | None = None  # stop early
    def __post_init__(self):
        require_positive(self, "epochs", "lr", "width", "max_steps")
        require_share(self, "momentum")
        if self.kind == "fancy" and self.tie:
            raise ArgumentError("a fancy walk has nothing to tie; leave out --tie")

class Place:
    def __init__(self):
        self.x = np.zeros(1)
    def state_dict(self):
        return {"x": self.x}
    def load_state_dict(self, state):
        self.x = state["x"]

def train(recipe, run):
    if recipe.data == "lost":
        raise ArgumentError("the data are lost; find them")
    place, loader = Place(), data.DataLoader(data.ArrayDataset(np.arange(4)), 1)
    state = {"model": place, "loader": loader}
    with Steps(run, loader, state, epochs=recipe.epochs, max_steps=recipe.max_steps) as steps:
        for _ in steps:
            place.x = place.x - 2 * recipe.lr * (place.x - 3)
            miss = float(((place.x - 3) ** 2).sum())
            steps.log(every=1, loss=miss)
            if steps.check_due:
                steps.record(test_error=miss + 0.1 * recipe.width)

def load(run):
    place = Place()
    run.load({"model": place})
    return place

def evaluate(run):
    return {"way": float(load(run).x[0])}
'''

# The same by gradients, in a recorded step, under a schedule that would change the rate.
SLOPE = '''
"""Down a slope."""
from dataclasses import dataclass
import numpy as np
import minigen as mg
from minigen import data, layers, optim
from minigen.training import Steps

@dataclass(frozen=True)
class Recipe:
    """Slope."""
    epochs: int = 3  # of four steps
    players: int = 1  # that go down
    named: str = "loss"  # what it logs
    way: float = 1.0  # 0: flat
    lr: float = 0.1  # of SGD
    max_steps: int | None = None  # stop early

def train(recipe, run):
    spots = [layers.Parameter(np.zeros(2, np.float32)) for _ in range(max(recipe.players, 1))]
    optimizers = [optim.SGD([spot], recipe.lr) for spot in spots]
    loader = data.DataLoader(data.ArrayDataset(np.arange(4)), 1)

    @mg.record
    def step(x):
        loss = recipe.way * ((spots[0] - 3.0) * (spots[0] - 3.0)).sum()
        optimizers[0].zero_grad()
        loss.backward()
        optimizers[0].step()
        return loss

    state = {f"optimizer_{i}": optimizer for i, optimizer in enumerate(optimizers[: recipe.players])}
    state |= {"loader": loader, "schedule": optim.CosineLR(optimizers[0], recipe.epochs * 4)}
    with Steps(run, loader, state, epochs=recipe.epochs, max_steps=recipe.max_steps) as steps:
        for _ in steps:
            steps.log(every=50, **{recipe.named: step(np.zeros(1, np.float32))})
            if steps.check_due:
                steps.record(test_loss=0.0)
'''

# The ranges and flags of most searches here, and where their folder is.
RANGES = ["--for", "test_error", "--over", "lr=1e-3:0.3:log", "width=2:9"]
FOLDER = Path("runs/search-walk")


def trials(folder: Path = FOLDER) -> list[Trial]:
    """All trials of a search of walk."""
    settings = json.loads((folder / "search.json").read_text())
    from minigen.catalog import load_model

    base = load_model("walk").Recipe()
    space = space_of(base, (), [f"{name}={values}" for name, values in settings["over"].items()])
    return Journal(folder, Goal(settings["for"], settings["mode"]).mode, space, pruning=True).trials()


def ends(folder: Path = FOLDER) -> list[tuple[Any, ...]]:
    """What a search came to: values, state and figure of each trial, and the bytes of what it logged."""
    return [
        (one.values, one.state, one.figure, (folder / f"trial-{one.number:03d}" / "metrics.csv").read_bytes())
        for one in trials(folder)
    ]
