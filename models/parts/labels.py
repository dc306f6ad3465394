"""What the models that read labelled images share: the data, a network's outputs, and the report of its mistakes."""

import numpy as np

import minigen as mg
from minigen import data, layers, metrics, plots
from minigen.errors import DataError
from minigen.models.parts.images import ImageShape
from minigen.models.parts.modes import evaluating
from minigen.training import RunFolder

LONGEST = 20  # characters of a class's name that stand under an image


def labelled(name: str, part: str, size: int | None, range: tuple[float, float] = data.UNIT_RANGE) -> data.ImageDataset:
    """A data set by name or path. Raises DataError when it has no labels to learn."""
    images = data.load(name, part, range, size)
    if images.labels is None:
        raise DataError(
            f"{images.name} has no labels to learn; put the images of each class into a folder of its own, "
            "or use data with one label an image"
        )
    return images


def complete(images: data.ImageDataset) -> data.ImageDataset:
    """The data set itself, for a model that is to draw each of its classes. Raises DataError when one has no image."""
    if images.labels is not None:
        counts = np.bincount(images.labels, minlength=len(images.classes))
        empty = [name for name, count in zip(images.classes, counts, strict=True) if not count]
        if empty:
            shown = ", ".join(empty[:5]) + (", …" if len(empty) > 5 else "")
            raise DataError(
                f"{images.name}: {len(empty)} of {len(images.classes)} classes have no image to learn from ({shown}); "
                "number the others anew, without gaps"
            )
    return images


def small_classifier(image: ImageShape, classes: int, rng: np.random.Generator) -> layers.Sequential:
    """Images (N, H, W, C) → logits (N, classes), by two convolutions; trained in seconds."""
    height, width, channels = image
    return layers.Sequential(
        layers.Conv2d(channels, 16, 3, stride=2, padding=1, rng=rng),
        layers.ReLU(),
        layers.Conv2d(16, 32, 3, stride=2, padding=1, rng=rng),
        layers.ReLU(),
        layers.Flatten(),
        layers.Linear(-(-height // 4) * -(-width // 4) * 32, classes, rng=rng),
    )


def outputs(model: layers.Module, images: data.Dataset, batch_size: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, classes) and labels (N,) of all `images`; the network is in evaluation mode for it."""
    with evaluating(model):
        pairs = [(model(mg.tensor(x)).numpy(), y) for x, y in data.DataLoader(images, batch_size)]
    logits, labels = zip(*pairs, strict=True)
    return np.concatenate(logits), np.concatenate(labels)


def validation(model: layers.Module, images: data.Dataset, batch_size: int = 1000) -> dict[str, float]:
    """Cross-entropy and accuracy on images that were held out, as metrics.csv calls them."""
    logits, labels = outputs(model, images, batch_size)
    return {
        "validation_loss": mg.cross_entropy(mg.tensor(logits), labels).item(),
        "validation_accuracy": metrics.accuracy(logits.argmax(axis=1), labels),
    }


def report(
    run: RunFolder, test: data.ImageDataset, logits: np.ndarray, labels: np.ndarray, count: int
) -> dict[str, float]:
    """The figures of a network that learned `count` classes, from its logits (N, count) for the test images."""
    if len(test.classes) > count:
        raise DataError(f"{test.name} has {len(test.classes)} classes, those of training had {count}")
    predictions = logits.argmax(axis=1)
    matrix = metrics.confusion_matrix(predictions, labels, count)
    names = [*test.classes, *map(str, range(len(test.classes), count))]  # the test images may lack the last classes
    plots.save_confusion(run.path / "confusion.png", matrix, names)
    mistakes = np.flatnonzero(predictions != labels)
    if len(mistakes):
        shown = mistakes[:100]
        captions = [f"{names[labels[i]][:LONGEST]}\n→ {names[predictions[i]][:LONGEST]}" for i in shown]
        title = f"{run.model} · {len(mistakes):,} of {len(labels):,} mistaken: true class → guessed"
        plots.save_grid(run.path / "mistakes.png", test[shown][0], title=title, captions=captions)
    scores = metrics.precision_recall_f1(predictions, labels, count)
    return {
        "accuracy": metrics.accuracy(predictions, labels),
        "precision": scores.macro_precision,
        "recall": scores.macro_recall,
        "f1": scores.macro_f1,
    }
