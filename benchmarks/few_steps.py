"""How good samples are that were drawn in few steps, or in many, and what they cost: a table in Markdown.

    python -m benchmarks.few_steps runs/ddpm-1 [--samples 2000] [--steps 10 25 50 1000] [--guidance 2]

for a run of ddpm or flow_matching on MNIST or Fashion-MNIST. Figures of so few samples are not those of 10,000: the
kernel distance is unbiased, the Fréchet distance is higher. Of 1,000 steps a quarter as many samples are drawn.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from minigen import data, metrics
from minigen.catalog import load_model
from minigen.errors import ArgumentError
from minigen.models.parts.reader import look, reader_of
from minigen.random import generator
from minigen.training import RunFolder

COUNTS = (10, 25, 50, 1000)  # steps
MANY = 1000


def main() -> None:
    """Print the table for the run that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.few_steps", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, metavar="FOLDER")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--steps", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--guidance", type=float)
    arguments = parser.parse_args()
    run = RunFolder.open(arguments.run)
    module, name = load_model(run.model), reader_of(str(run.recipe.get("data")))
    if not hasattr(module, "Asked") or name is None:
        raise ArgumentError(f"{run.path}: needs a run of ddpm or flow_matching on mnist or fashion-mnist")
    print("| sampler | steps | seconds for 64 | samples | fid | kid | asked |\n|---|---:|---:|---:|---:|---:|---:|")
    usual = module.Request()
    if arguments.guidance is not None:
        usual = replace(usual, guidance=arguments.guidance)
    others = [kind for kind in ("ancestral", "midpoint") if kind in str(module.Asked.__annotations__["sampler"])]
    for sampler in (usual.sampler, *others):
        for steps in arguments.steps:
            n = arguments.samples // 4 if steps == MANY else arguments.samples
            print(row(run, module, name, replace(usual, sampler=sampler, steps=steps), n), flush=True)


def row(run: RunFolder, module: ModuleType, name: str, request: Any, n: int) -> str:
    """A row of the table."""
    start = time.perf_counter()
    module.sample(run, replace(request, n=64), generator(0))
    seconds = time.perf_counter() - start
    seen = look(name, module.sample(run, replace(request, n=n), generator(0)))
    real = look(name, data.load(name, "test")[:n][0]).features
    kid, _ = metrics.kernel_distance(real, seen.features, generator(0), subsets=10, size=min(n, 1000))
    right = (seen.labels == np.arange(n) % 10).mean()
    fid = metrics.frechet_distance(real, seen.features)
    return f"| {request.sampler} | {request.steps} | {seconds:.1f} | {n} | {fid:.4f} | {kid:.4f} | {right:.2%} |"


if __name__ == "__main__":
    main()
