"""Models that need no training, as a user's own files beside the real ones; and how to look at what a command left."""

import json
from pathlib import Path

from minigen import cli

# A model that needs no training: its weight counts the steps.
TOY = '''
"""A toy: counts steps."""
from dataclasses import dataclass
from typing import Literal
import numpy as np
from minigen import data
from minigen.errors import DataError
from minigen.models.parts.images import Request
from minigen.models.parts.options import require_positive
from minigen.models.parts.text import Continuation
from minigen.training import Steps

@dataclass(frozen=True)
class Recipe:
    """Toy."""
    epochs: int = 2  # passes over ten steps
    lr: float = 0.5  # 100% made up
    kind: Literal["plain", "fancy"] = "plain"  # which one
    noisy: bool = False  # shout
    data: str = "mnist"  # what to read
    max_steps: int | None = None  # stop early
    def __post_init__(self):
        require_positive(self, "epochs", "lr", "max_steps")

class Counter:
    def __init__(self):
        self.weight = np.zeros((1, 2, 2, 1), np.float32)
    def state_dict(self):
        return {"weight": self.weight}
    def load_state_dict(self, state):
        self.weight = state["weight"]
    def named_parameters(self):
        return [("weight", self.weight)]

def train(recipe, run):
    images = data.load(recipe.data, "test")
    counter, loader = Counter(), data.DataLoader(data.ArrayDataset(np.arange(10)), 1)
    state = {"model": counter, "loader": loader}
    with Steps(run, loader, state, epochs=recipe.epochs, max_steps=recipe.max_steps) as steps:
        for _ in steps:
            counter.weight += 1
            steps.log(every=1, loss=1 / steps.step)

def load(run):
    counter = Counter()
    run.load({"model": counter})
    return counter

def sample(run, request, rng):
    return np.repeat(load(run).weight / 100 + 0.1 * (getattr(request, "class_", None) or 0), request.n, axis=0)

def evaluate(run):
    return {"count": float(load(run).weight[0, 0, 0, 0])}
'''


# What makes a text model of it. Its text shows how it was called.
TEXT_FIELD = ('    data: str = "mnist"', '    text: str = "shakespeare"  # what to read\n    data: str = "mnist"')
TALKS = """
Request = Continuation

def generate(run, request, rng):
    if "Ω" in request.prompt:
        raise DataError("no Ω in the corpus")
    yield request.prompt
    for _ in range(request.n):
        yield f" {request.temperature:g} {request.top_k} {request.top_p} {rng.integers(10)}"
"""

# What makes one of it that is asked for a class, as its own file says.
PICKY = (
    "from minigen.models.parts.images import Request",
    """
@dataclass(frozen=True)
class Request:
    n: int = 4  # images
    class_: int | None = None  # the digit to draw; 50 % grey without
""",
)


def weight(folder: str) -> float:
    assert cli.main(["eval", folder]) == 0
    return json.loads(Path(folder, "evaluation.json").read_text())["count"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
