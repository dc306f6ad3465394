"""How good samples are: figures on the features of a frozen classifier (reader.py), each beside its floor and spread.

The floor of a figure is what as many training images score against the same test images: no generator can be expected
to do better, and one that does has learned the test, or repeats itself. The spread is the standard deviation over three
sets of samples.
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

import minigen as mg
from minigen import data, metrics, optim, plots
from minigen.models.parts.images import Drawn, closeness, neighbours
from minigen.models.parts.labels import small_classifier, validation
from minigen.models.parts.reader import CLASSES, Seen, look, reader_of
from minigen.training import RunFolder

COUNT = 10_000  # samples, and test images, that are compared
SEEDS = 3  # sets of samples
GLANCE = 500  # samples that are looked at during a training
NEAREST = 500  # of a set that are held against every training image
SHARE = 0.01  # of the samples that a class has at least, to count as covered


def quality(
    draw: Callable[[int, np.random.Generator], Drawn], run: RunFolder, sets: int | None = None
) -> dict[str, float]:
    """Figures of what `draw(n, rng)` gives, for the model of a run, see `judged`; none for data without a reader.

    sets: of what is the same every time one, else SEEDS. Draws a sheet of samples, each over its nearest training
    image, into the run's folder.
    """
    name = reader_of(run.recipe["data"])
    if name is None:
        return {}
    drawn = [draw(COUNT, mg.random.generator(seed)) for seed in range(sets or SEEDS)]
    shown = drawn[0].images[:50]
    title = f"{run.model} · samples, each over the training image that is nearest"
    copies = neighbours(shown, data.load(name, "train"))
    plots.save_reconstructions(run.path / "neighbours.png", shown, copies, title=title)
    return judged(name, drawn)


def judged(name: str, sets: Sequence[Drawn]) -> dict[str, float]:
    """Figures of sets of samples, each of COUNT, by the reader of that name.

    fid, kid: distances of the distributions. class_score: in the manner of the inception score. precision, recall,
    density, coverage: by neighbours. class_entropy, classes, least_class: how evenly the classes are spread (1 is
    evenly), how many have a share of SHARE at least, and the smallest share. nearest: the median distance of a sample
    to the nearest training image, over that of a test image; far below 1 where samples are copies. learned: accuracy on
    test images of a classifier that has seen samples alone. asked: share of the samples that are of the class that was
    asked for. With _floor: the same of training images; with _spread: over sets of samples.
    """
    real, floor = reference(name)
    seen = [look(name, drawn.images) for drawn in sets]
    each, figures = [compared(real, one) for one in seen], {}
    for key in floor:
        values = [one[key] for one in each]
        figures |= {key: float(np.mean(values)), f"{key}_floor": floor[key]}
        if len(sets) > 1:
            figures[f"{key}_spread"] = float(np.std(values))
    first = sets[0]
    test, train = (data.load(name, part) for part in ("test", "train"))
    figures |= closeness(first.images[:NEAREST], test[:NEAREST][0], train)
    figures["nearest_floor"] = 1.0  # of test images
    figures["learned"] = learned(name, first.images, seen[0].labels if first.asked is None else first.asked)
    figures["learned_floor"] = learned_floor(name)
    if first.asked is not None:
        figures["asked"] = float(np.mean([(a.labels == b.asked).mean() for a, b in zip(seen, sets, strict=True)]))
    return figures


def glance(name: str | None, draw: Callable[[int], np.ndarray]) -> dict[str, float]:
    """`distances` of what `draw(n)` gives; none without a reader."""
    return {} if name is None else distances(name, look(name, draw(GLANCE)))


def distances(name: str, seen: Seen) -> dict[str, float]:
    """Fréchet and kernel distance of GLANCE samples to as many test images, to follow a training by.

    The first is far above that of COUNT samples; the second is not, only less sure.
    """
    real = first_features(name)
    distance, _ = metrics.kernel_distance(real, seen.features, mg.random.generator(0), subsets=1, size=GLANCE)
    return {f"fid_{GLANCE}": metrics.frechet_distance(real, seen.features), f"kid_{GLANCE}": distance}


@cache
def first_features(name: str) -> np.ndarray:
    """The features of the first GLANCE test images."""
    return look(name, data.load(name, "test")[:GLANCE][0]).features


@cache
def reference(name: str) -> tuple[Seen, dict[str, float]]:
    """What the reader makes of the test images, and the figures of as many training images."""
    real, known = (look(name, data.load(name, part)[:COUNT][0]) for part in ("test", "train"))
    return real, compared(real, known)


def compared(real: Seen, seen: Seen) -> dict[str, float]:
    """The figures that two sets of features and of classes give."""
    neighbours, density = metrics.precision_recall_density_coverage(real.features, seen.features)
    balance = metrics.class_balance(seen.labels, CLASSES, SHARE)
    return {
        "fid": metrics.frechet_distance(real.features, seen.features),
        "kid": metrics.kernel_distance(real.features, seen.features, mg.random.generator(0))[0],
        "class_score": metrics.class_score(seen.probabilities)[0],
        "precision": neighbours.precision,
        "recall": neighbours.recall,
        "density": density.density,
        "coverage": density.coverage,
        "class_entropy": balance.entropy,
        "classes": balance.covered,
        "least_class": balance.least,
    }


@cache
def learned_floor(name: str) -> float:
    """`learned` of as many training images, with their own labels."""
    return learned(name, *data.load(name, "train")[:COUNT])


def learned(name: str, samples: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy on test images of a small network that has seen nothing but samples and their labels, three times each.

    Ravuri, Vinyals 2019, section 3, with the labels of the reader where the samples have none.
    """
    rng = mg.random.generator(0)
    model = small_classifier(samples.shape[1:], CLASSES, rng)
    optimizer = optim.Adam(model.parameters(), lr=2e-3)

    @mg.record
    def step(x: np.ndarray, y: np.ndarray) -> None:
        loss = mg.cross_entropy(model(mg.tensor(x)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for _ in range(3):
        for x, y in data.DataLoader(data.ArrayDataset(samples, labels), 64, shuffle=True, rng=rng):
            step(x, y)
    return validation(model, data.load(name, "test"))["validation_accuracy"]
