"""layers.jsonl: how weights, gradients and outputs were spread, layer by layer, at the end of each round of a training.

A line is a round: {"step": 938, "weights": {name: spread}, "gradients": {…}, "outputs": {…}}. A spread is [low, high,
counts…]: how many values are in each of BINS equal parts from the lowest to the highest. Outputs are those of the
first call in the step of each module that has no modules inside, while it trains.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from minigen.autograd.observe import Observer
from minigen.autograd.tensor import Tensor
from minigen.errors import RunError
from minigen.files import disk_error, read_regular, write_atomic
from minigen.layers import Module

BINS = 24
KINDS = ("weights", "gradients", "outputs")
LIMIT = 2**25  # bytes of the file, after which it does not grow any more

Spread = list[float | int]


class Outputs(Observer):
    """Hears a step, and keeps how the outputs of a model's innermost modules were spread: `.spreads`, by name."""

    def __init__(self, model: Module) -> None:
        self.model = model
        self.names = {id(module): name for name, module in model.named_modules() if name and not module.children()}
        self.spreads: dict[str, Spread] = {}

    def module_ends(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        name = self.names.get(id(module))
        result = result[0] if isinstance(result, tuple) and result else result
        if name is not None and name not in self.spreads and module.training and isinstance(result, Tensor):
            self.spreads[name] = spread(result.data)


class LayerLog:
    """The file at `path`, which appears with the first round."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, step: int, model: Module, outputs: dict[str, Spread]) -> None:
        """Write a round. Raises RunError when the disk refuses."""
        named = model.named_parameters()
        line = {
            "step": step,
            "weights": {name: spread(p.data) for name, p in named},
            "gradients": {name: spread(p.grad.data) for name, p in named if p.grad is not None},
            "outputs": outputs,
        }
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        try:
            if self.path.exists() and self.path.stat().st_size + len(data) > LIMIT:
                return
            with open(self.path, "ab") as file:
                file.write(data)
        except OSError as error:
            raise disk_error("write", self.path, error) from error

    def trim(self, step: int) -> None:
        """Drop the rounds after `step`, and what can not be read."""
        if os.path.lexists(self.path):
            rounds = [found for found in self.rounds() if found["step"] <= step]
            lines = [json.dumps(found, separators=(",", ":")) + "\n" for found in rounds]
            write_atomic(self.path, "".join(lines).encode())

    def rounds(self) -> list[dict[str, Any]]:
        """What was written, round by round; a line that was cut short by a crash is none."""
        try:
            text = read_regular(self.path, 2 * LIMIT).decode(errors="replace")
        except (FileNotFoundError, RunError):
            return []
        found = []
        for line in text.splitlines():
            try:
                one = json.loads(line)
            except (ValueError, RecursionError):
                break
            if not sound(one):
                break
            found.append(one)
        return found


def spread(values: np.ndarray) -> Spread:
    """[low, high, counts…] of the finite values of an array; [0, 0, 0, …] of none. Never an error."""
    flat = values.reshape(-1).astype(np.float64)
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        return [0.0, 0.0, *[0] * BINS]
    low, high = float(flat.min()), float(flat.max())
    half = high / 2 - low / 2  # the whole may be too large for a float
    shares = (flat / 2 - low / 2) / half if half > 0 else np.zeros(flat.size)
    counts = np.bincount(np.minimum((shares * BINS).astype(int), BINS - 1), minlength=BINS)
    return [float(f"{low:.5g}"), float(f"{high:.5g}"), *counts.tolist()]


def sound(found: Any) -> bool:
    """Whether a line read is a round: a step, and spreads of finite numbers by name."""
    if not isinstance(found, dict) or type(found.get("step")) is not int:
        return False
    parts = [part for part in map(found.get, KINDS) if isinstance(part, dict)]
    return len(parts) == len(KINDS) and all(is_spread(one) for part in parts for one in part.values())


def is_spread(found: Any) -> bool:
    """Whether this is a spread."""
    if not isinstance(found, list) or len(found) != BINS + 2:
        return False
    numbers = all(type(value) in (int, float) and abs(value) < 1e300 for value in found[:2])
    return numbers and all(type(count) is int and 0 <= count < 2**53 for count in found[2:])
