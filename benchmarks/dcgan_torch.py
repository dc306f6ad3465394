"""A DCGAN trained in PyTorch as a run of minigen was, and both measured alike: same network, schedule and metric.

    python -m benchmarks.dcgan_torch runs/dcgan-1 [--seeds 3]

needs the extra `bench`. The run's data, epochs, batch size, learning rate and beta1 are taken from its recipe; what
changes the game or the network (width, loss, averaged weights, …) has to be as dcgan has it by itself.
"""

# pyright: reportMissingImports=false

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from minigen import data, random
from minigen.benchmarks.torch_workloads import dcgan_players, gan_step
from minigen.errors import ArgumentError
from minigen.models.adversarial.dcgan import Recipe
from minigen.models.parts.images import Drawn
from minigen.models.parts.quality import COUNT, SEEDS, judged
from minigen.models.parts.reader import reader_of
from minigen.training import RunFolder

TAKEN = ("data", "epochs", "batch_size", "lr", "beta1", "seed")  # from the recipe
SHOWN = ("fid", "kid", "precision", "recall", "density", "coverage", "least_class")


def main() -> None:
    """Train as often as the command line says, and print a table with the run's own figures in its first row."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dcgan_torch", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("run", type=Path, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=1, help="so many trainings, of seeds 0, 1, …")
    arguments = parser.parse_args()
    run = RunFolder.open(arguments.run)
    recipe = run.load_recipe(Recipe)
    name = checked(run, recipe)
    print("| trained by | seconds | " + " | ".join(SHOWN) + " |\n|---|---:|" + "---:|" * len(SHOWN))
    print(row(f"minigen, seed {recipe.seed}", run.seconds, run.results))
    for seed in range(arguments.seeds):
        start = time.perf_counter()
        g = trained(recipe, seed)
        seconds = time.perf_counter() - start
        figures = judged(name, [drawn(g, s) for s in range(SEEDS)])
        print(row(f"PyTorch, seed {seed}", seconds, figures), flush=True)


def checked(run: RunFolder, recipe: Recipe) -> str:
    """The reader of the run's images. Raises ArgumentError for a run that has no twin here."""
    plain = Recipe(**{field: getattr(recipe, field) for field in TAKEN})
    name = reader_of(recipe.data)
    if run.model != "dcgan" or recipe != plain or name is None or not run.results:
        raise ArgumentError(
            f"{run.path}: needs a finished run of dcgan on mnist or fashion-mnist, without other options than "
            + ", ".join(f"--{field.replace('_', '-')}" for field in TAKEN[1:])
        )
    return name


def row(title: str, seconds: float, figures: dict[str, float]) -> str:
    """A row of the table."""
    return f"| {title} | {seconds:.0f} | " + " | ".join(f"{figures[key]:.4g}" for key in SHOWN) + " |"


def trained(recipe: Recipe, seed: int) -> nn.Module:
    """G after all epochs, from weights N(0, 0.02²)."""
    torch.manual_seed(seed)
    g, d = dcgan_players()
    for module in (*g.modules(), *d.modules()):
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, std=0.02)
    images = data.load(recipe.data, "train", range=(-1, 1))
    batches = data.DataLoader(images, recipe.batch_size, shuffle=True, rng=random.generator(seed), drop_last=True)
    step = gan_step(g, d, recipe.lr, recipe.beta1)
    for _ in range(recipe.epochs):
        for x, *_ in batches:
            step(torch.from_numpy(x).movedim(-1, 1))
    return g


def drawn(g: nn.Module, seed: int) -> Drawn:
    """COUNT samples of G, with its running statistics."""
    z = torch.from_numpy(random.generator(seed).standard_normal((COUNT, 100), dtype=np.float32))
    g.eval()
    with torch.no_grad():
        images = torch.cat([g(z[i : i + 500]) for i in range(0, COUNT, 500)])
    return Drawn(images.movedim(1, -1).contiguous().numpy() * 0.5 + 0.5)


if __name__ == "__main__":
    main()
