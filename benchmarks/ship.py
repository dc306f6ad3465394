"""Trained weights that come with minigen: runs without what only training needs.

    python -m benchmarks.ship runs/dcgan-1 [NAME]

puts the weights of a finished run with its recipe and results into models/shipped/NAME (the model's own name unless
given), a run folder of its own, which `minigen sample NAME` draws from. Averaged weights are put in the place of the
last ones. Prints the SHA-256 of the weights, which models/parts/reader.py pins of the two frozen classifiers.
"""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

from minigen.benchmarks.results import command
from minigen.catalog import SHIPPED, load_model
from minigen.errors import DataError
from minigen.training import RunFolder, checkpoint

LARGEST = 2_000_000  # bytes of a file of weights
NEEDED = ("tokenizer",)  # besides the weights, to use a model


def main() -> None:
    """Ship the run folder that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ship", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, metavar="FOLDER")
    parser.add_argument("name", nargs="?", metavar="NAME")
    arguments = parser.parse_args()
    run = RunFolder.open(arguments.run)
    file = ship(run, SHIPPED / (arguments.name or run.model))
    print(hashlib.sha256(file.read_bytes()).hexdigest(), f"{file.stat().st_size:,} bytes", file)


class Plain:
    """A state that is only saved."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def state_dict(self) -> dict[str, Any]:
        """As it was saved before."""
        return self.state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As it is saved."""
        self.state = state


def ship(run: RunFolder, target: Path) -> Path:
    """Make `target` a run folder of the weights of `run`; returns their file.

    Raises DataError for a run without results, or weights too large to come with a package.
    """
    if not run.results:
        raise DataError(f"{run.path}: the run stands at step {run.step} without results; finish it with --resume")
    model = load_model(run.model).load(run)
    size = sum(array.nbytes for array in model.state_dict().values())
    if size > LARGEST:
        raise DataError(f"{run.path}: its weights are {size:,} bytes, and shipped are at most {LARGEST:,}")
    document = json.loads((run.path / "recipe.json").read_text())
    trained_by = command(document)
    if "ema" in document["recipe"]:
        document["recipe"]["ema"] = None  # the averaged weights are the weights now
    target.mkdir(parents=True, exist_ok=True)
    (target / "recipe.json").write_text(json.dumps(document, indent=2) + "\n")
    summary = {"step": run.step, "seconds": run.seconds, "results": run.results}
    summary["data"] = {**run.data, "command": trained_by}
    (target / "run.json").write_text(json.dumps(summary, indent=2) + "\n")
    file = target / run.checkpoint_path.name
    kept = {"model": model, **{name: Plain(run.saved()[name]) for name in NEEDED if name in run.saved()}}
    checkpoint.save(file, kept, run.step, {"model": run.model, "recipe": document["recipe"]})
    return file


if __name__ == "__main__":
    main()
