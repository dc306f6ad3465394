"""A small convolutional network that reads digits.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998), Gradient-based learning applied to document recognition; with what
was found since: batch normalisation (Ioffe, Szegedy 2015, https://arxiv.org/abs/1502.03167), dropout (Srivastava et al.
2014, JMLR 15) and a learning rate that falls along a cosine (Loshchilov, Hutter 2017, https://arxiv.org/abs/1608.03983).

Three blocks of 3×3 convolution, batch norm, ReLU and 2×2 max-pooling, then one dense layer, trained to give the right
class a high probability p(y|x) = softmax(logits)_y, that is, a low cross-entropy

    L = -1/N Σ_n log p(y_n|x_n).

Every training image is shifted by up to two pixels, anew each time it is seen. One training image in twelve is held out
and only watched (`validation_…` in metrics.csv); the test images are looked at once, at the end.

What to expect on MNIST: about 99.4 % of the test images read right after the six epochs of the default recipe, which
take some three minutes on two cores.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

import minigen as mg
from minigen import data, layers, metrics, optim, plots
from minigen.autograd import Tensor
from minigen.errors import ArgumentError, DataError
from minigen.training import Run, checkpoint

from . import require_positive


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # mnist, fashion-mnist, a folder of images, or a .npz file
    size: int | None = None  # pictures of a folder are brought to size × size
    shift: int = 2  # training images are moved by up to so many pixels; 0 leaves them in place
    dropout: float = 0.3  # share of the features before the last layer that is dropped in training
    epochs: int = 6  # passes over the training images
    batch_size: int = 128  # images a step
    lr: float = 2e-3  # first learning rate of Adam; it falls to 0 over all epochs
    seed: int = 0  # decides everything random: weights, order of the images, shifts, dropout
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "epochs", "batch_size", "lr", "max_steps")


EXTENDABLE = ("max_steps",)  # and not epochs: the learning rate falls over all of them from the first step


# ---------------------------------------------------------------- the network


class Classifier(layers.Module):
    """Images (N, H, W, C) → logits (N, classes)."""

    classes: np.ndarray

    def __init__(self, image: tuple[int, ...], classes: int, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        height, width, channels = image
        if min(height, width) < 8:
            raise ArgumentError(
                f"classifier: images are {height}×{width}; it halves them three times, so use 8×8 or more"
            )
        self.network = layers.Sequential(
            *block(channels, 32, rng),
            *block(32, 64, rng),
            *block(64, 128, rng),
            layers.Flatten(),
            layers.Dropout(recipe.dropout, rng=rng),
            layers.Linear(height // 8 * (width // 8) * 128, classes, rng=rng),
        )
        # So that a checkpoint alone can be loaded.
        self.register_buffer("image", np.array(image))
        self.register_buffer("classes", np.array(classes))

    def forward(self, x: Tensor) -> Tensor:
        """The logits; softmax of them is p(y|x)."""
        return self.network(x)


def block(in_channels: int, out_channels: int, rng: np.random.Generator) -> list[layers.Module]:
    """Convolution, batch norm, ReLU, and pooling to half the height and width."""
    return [
        layers.Conv2d(in_channels, out_channels, 3, padding=1, bias=False, rng=rng),  # batch norm brings the bias
        layers.BatchNorm(out_channels),
        layers.ReLU(),
        layers.MaxPool2d(2),
    ]


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Minimise the cross-entropy by Adam, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    images, held_out = split(labelled(recipe.data, "train", recipe.size))
    model = Classifier(images.image_shape, len(images.classes), recipe, rng)
    optimizer = optim.Adam(model.parameters(), lr=recipe.lr)
    loader = data.DataLoader(images, recipe.batch_size, shuffle=True, rng=rng)
    total = recipe.epochs * len(loader)
    schedule = optim.CosineLR(optimizer, total)
    if recipe.max_steps is not None:
        total = min(total, recipe.max_steps)

    state = {"model": model, "optimizer": optimizer, "schedule": schedule, "loader": loader, "rng": rng}
    start = run.restore(state)
    with run.progress(total, start) as progress:
        for step, (x, y) in loader.steps(start, total):
            x = data.random_shift(x, recipe.shift, rng)
            logits = model(mg.tensor(x))
            loss = mg.cross_entropy(logits, y)

            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()

            accuracy = metrics.accuracy(logits.data.argmax(axis=1), y)
            progress.update(step, loss=loss, accuracy=accuracy)
            if step % 50 == 0:
                run.log(step, loss=loss, accuracy=accuracy)
            if loader.epoch_done:
                logits, labels = outputs(model, held_out)
                run.log(
                    step,
                    validation_loss=mg.cross_entropy(mg.tensor(logits), labels),
                    validation_accuracy=metrics.accuracy(logits.argmax(axis=1), labels),
                )
            if loader.epoch_done or step == total or progress.interrupted:
                run.save(state, step)
            if progress.interrupted:
                break
    run.finish(**({} if run.interrupted else evaluate(run)))


def labelled(name: str, part: str, size: int | None) -> data.ImageDataset:
    """A data set by name or path. Raises DataError when it has no labels to learn."""
    images = data.load(name, part, size=size)
    if images.labels is None:
        raise DataError(f"{images.name} has no labels to learn; use data with one label an image")
    return images


def split(images: data.ImageDataset) -> tuple[data.ImageDataset, data.ImageDataset]:
    """Training images, and every twelfth image (of all classes, however they are sorted) for validation."""
    held, labels = np.arange(len(images)) % 12 == 11, np.asarray(images.labels)
    training, validation = (
        dataclasses.replace(images, images=images.images[part], labels=labels[part]) for part in (~held, held)
    )
    return training, validation


def load(run: Run) -> Classifier:
    """The network of a run, as it was saved last."""
    recipe = run.load_recipe(Recipe)
    _, saved = checkpoint.read(run.checkpoint_path)
    image, classes = tuple(saved["model"]["image"].tolist()), int(saved["model"]["classes"])
    model = Classifier(image, classes, recipe, mg.random.generator(0))
    run.load({"model": model})
    return model


# ---------------------------------------------------------------- evaluation


def evaluate(run: Run) -> dict[str, float]:
    """Accuracy, and precision, recall and F1 averaged over the classes, on test images; draws the confusion matrix."""
    recipe, model = run.load_recipe(Recipe), load(run)
    test = labelled(recipe.data, "test", recipe.size)
    return report(run, test, *outputs(model, test), int(model.classes))


def report(run: Run, test: data.ImageDataset, logits: np.ndarray, labels: np.ndarray, count: int) -> dict[str, float]:
    """The figures of a network that learned `count` classes, from its logits (N, count) for the test images."""
    if len(test.classes) > count:
        raise DataError(f"{test.name} has {len(test.classes)} classes, those of training had {count}")
    predictions = logits.argmax(axis=1)
    matrix = metrics.confusion_matrix(predictions, labels, count)
    names = [*test.classes, *map(str, range(len(test.classes), count))]  # the test images may lack the last classes
    plots.save_confusion(run.folder / "confusion.png", matrix, names)
    mistakes = np.flatnonzero(predictions != labels)
    if len(mistakes):
        plots.save_grid(run.folder / "mistakes.png", test[mistakes[:100]][0])
    scores = metrics.precision_recall_f1(predictions, labels, count)
    return {
        "accuracy": metrics.accuracy(predictions, labels),
        "precision": scores.macro_precision,
        "recall": scores.macro_recall,
        "f1": scores.macro_f1,
    }


def outputs(model: layers.Module, images: data.Dataset, batch_size: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, classes) and labels (N,) of all `images`; the network is in evaluation mode for it."""
    model.eval()
    with mg.no_grad():
        pairs = [(model(mg.tensor(x)).numpy(), y) for x, y in data.DataLoader(images, batch_size)]
    model.train()
    logits, labels = zip(*pairs, strict=True)
    return np.concatenate(logits), np.concatenate(labels)
