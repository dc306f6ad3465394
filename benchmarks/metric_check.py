"""Do the figures of quality order images as a person would? A table of known sets against the test images.

    python -m benchmarks.metric_check [fashion-mnist]

prints, for training images and for what was made of them, every figure of models/parts/quality.py as a table in
Markdown; docs/zoo.md keeps it.
"""

import argparse
from collections.abc import Callable

import numpy as np

from minigen import data
from minigen.models.parts.images import Drawn
from minigen.models.parts.quality import COUNT, SEEDS, judged
from minigen.models.parts.reader import READERS
from minigen.random import generator

SHOWN = ("fid", "kid", "class_score", "precision", "recall", "density", "coverage")
SHOWN += ("class_entropy", "classes", "nearest", "learned")


def main() -> None:
    """Print the table for the data set that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.metric_check", description=__doc__)
    parser.add_argument("name", nargs="?", default="mnist", choices=READERS)
    name = parser.parse_args().name
    print("| samples | " + " | ".join(key.replace("_", " ") for key in SHOWN) + " |")
    print("|---|" + "---:|" * len(SHOWN))
    for title, draw in known_sets(data.load(name, "train")).items():
        figures = judged(name, [draw(COUNT, generator(seed)) for seed in range(SEEDS)])
        print(f"| {title} | " + " | ".join(f"{figures[key]:.4g}" for key in SHOWN) + " |", flush=True)


def known_sets(images: data.ImageDataset) -> dict[str, Callable[[int, np.random.Generator], Drawn]]:
    """Ways to draw n images that anyone could put in order, from good to bad."""
    labels = np.asarray(images.labels)

    def some(n: int, rng: np.random.Generator, of: np.ndarray | None = None) -> np.ndarray:
        return images[rng.choice(len(images) if of is None else of, n)][0]

    def noisy(n: int, rng: np.random.Generator) -> np.ndarray:
        x = some(n, rng)
        return np.clip(x + 0.3 * rng.standard_normal(x.shape, dtype=np.float32), 0, 1)

    def blurred(n: int, rng: np.random.Generator) -> np.ndarray:
        padded = np.pad(some(n, rng), ((0, 0), (1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
        return windows.mean((-2, -1), dtype=np.float32)

    def shuffled(n: int, rng: np.random.Generator) -> np.ndarray:
        x = some(n, rng)
        return x.reshape(n, -1)[:, rng.permutation(x[0].size)].reshape(x.shape)

    makers: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
        "training images": some,
        "with noise of 0.3": noisy,
        "blurred, 3×3": blurred,
        "one class only": lambda n, rng: some(n, rng, np.flatnonzero(labels == 1)),
        "pixels shuffled": shuffled,
        "noise alone": lambda n, rng: rng.random((n, *images.image_shape), dtype=np.float32),
    }
    return {title: lambda n, rng, make=make: Drawn(make(n, rng)) for title, make in makers.items()}


if __name__ == "__main__":
    main()
