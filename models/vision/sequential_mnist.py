"""A recurrent network that reads a digit line by line, or pixel by pixel.

Q. V. Le, N. Jaitly, G. E. Hinton (2015), A simple way to initialize recurrent networks of rectified linear units,
https://arxiv.org/abs/1504.00941, section 4.2, who made it a test of memory: an image of MNIST is a sequence

    row         of 28 steps of 28 grey levels
    pixel       of 784 steps of one grey level; what the first strokes were has to be kept for hundreds of steps
    permuted    of the same pixels in an order that was drawn once, so that neighbours are no longer neighbours

which a GRU or an LSTM reads to its end (the equations are in models/language/char_rnn.py). Its last state h_T gives
the logits, p(y|x) = softmax(W h_T + b), and it is trained to minimise the cross-entropy -1/N Σ_n log p(y_n|x_n).

A gate with bias b keeps a state for about 1 + e^b steps. So that there are memories of every length from the start,
the biases of z in a GRU are drawn uniform in [0, log(T - 1)], which spreads the lengths evenly over 2, 4, 8, … T steps;
in an LSTM those of the forget gates, and the input gates' are their negatives (after C. Tallec, Y. Ollivier 2018, Can
recurrent neural networks warp time?, https://arxiv.org/abs/1804.11188, section 3, who draw e^b itself uniform: most
memories are long then, and read little of a pixel). Grey levels are read in units of their deviation from their mean.
Gradients are scaled down when their norm is above 1, since through so many steps they can explode.

One training image in twelve is held out and only watched (`validation_…` in metrics.csv); the test images are looked at
once, at the end.

What to expect: by rows about 99 % of the test images of MNIST are read right after the ten epochs of the default
recipe, in a few minutes on two cores. By pixels a step takes ten times as long: 48 minutes, beside other work, for each
of

    minigen train sequential_mnist --by pixel --batch-size 64          98.4 %
    minigen train sequential_mnist --by permuted --batch-size 64       92.9 %
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

import minigen as mg
from minigen import data, layers, metrics, optim
from minigen.autograd import Tensor
from minigen.models.parts.images import hold_out, saved_shape
from minigen.models.parts.labels import labelled, outputs, report, validation
from minigen.models.parts.options import ScheduleName, averaging, require_decay, require_positive, scheduling, stopping
from minigen.training import Run, RunFolder, Steps

By = Literal["row", "pixel", "permuted"]
Cell = Literal["lstm", "gru"]


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # mnist, fashion-mnist, a folder of images, or a .npz file
    size: int | None = None  # pictures of a folder are brought to size × size
    by: By = "row"  # what a step is: a row, a pixel, or a pixel in scrambled order
    cell: Cell = "gru"  # how the state goes on from step to step
    hidden: int = 128  # numbers in the state
    epochs: int = 10  # passes over the training images
    batch_size: int = 128  # images a step
    lr: float = 2e-3  # first learning rate of Adam
    clip: float = 1.0  # largest norm of the gradients
    schedule: ScheduleName = "cosine"  # lr over all epochs; cosine: falls to 0; plateau: halved when nothing improves
    ema: float | None = None  # average the weights, by so much of the old ones a step, such as 0.999, to read with
    patience: int | None = None  # stop when the images held out were no better for so many epochs
    seed: int = 0  # decides everything random: weights, order of the images and of permuted pixels
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "hidden", "epochs", "batch_size", "lr", "clip", "patience", "max_steps")
        require_decay(self.ema)


# ---------------------------------------------------------------- the network

CELLS = {"lstm": layers.LSTM, "gru": layers.GRU}


class Reader(layers.Module):
    """Sequences (N, T, C) → logits (N, classes)."""

    classes: np.ndarray
    grey: np.ndarray

    def __init__(self, image: tuple[int, ...], classes: int, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        height, width, channels = image
        steps, features = (height, width * channels) if recipe.by == "row" else (height * width, channels)
        self.recurrent = CELLS[recipe.cell](features, recipe.hidden, rng=rng)
        self.out = layers.Linear(recipe.hidden, classes, rng=rng)
        remember(self.recurrent, steps, rng)
        # So that a checkpoint alone can be loaded.
        self.register_buffer("image", np.array(image))
        self.register_buffer("classes", np.array(classes))
        self.register_buffer("grey", np.array([0, 1], mg.config.dtype))

    def forward(self, x: Tensor) -> Tensor:
        """The logits; softmax of them is p(y|x)."""
        grey = mg.tensor(self.grey)
        h, _ = self.recurrent((x - grey[0]) / grey[1])
        return self.out(h[:, -1])

    def standardize(self, images: np.ndarray) -> None:
        """Read grey levels in units of their deviation from their mean: one pixel a step is a weak signal otherwise."""
        mean, deviation = images.mean(dtype=np.float64), images.std(dtype=np.float64)
        self.grey[:] = mean, deviation or 1


def remember(recurrent: layers.LSTM | layers.GRU, steps: int, rng: np.random.Generator) -> None:
    """Draw the gates' biases so that the states are kept for 2 … `steps` steps, as often for long as for short."""
    hidden, bias = recurrent.hidden_size, dict(recurrent.named_parameters())["b_0"]
    kept = rng.uniform(0, np.log(max(steps - 1, 1)), hidden)
    with mg.no_grad():
        bias[hidden : 2 * hidden] = kept  # the gates are i, f, g, o in the LSTM, and r, z, n in the GRU
        if isinstance(recurrent, layers.LSTM):
            bias[:hidden] = -kept


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Minimise the cross-entropy by Adam, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    images, held_out = hold_out(labelled(recipe.data, "train", recipe.size))
    model = Reader(images.image_shape, len(images.classes), recipe, rng)
    model.standardize(images[:10_000][0])
    optimizer = optim.Adam(model.parameters(), lr=recipe.lr)
    loader = data.DataLoader(sequences(images, recipe), recipe.batch_size, shuffle=True, rng=rng)
    schedule = scheduling(recipe.schedule, optimizer, recipe.epochs * len(loader))

    @mg.record
    def step(x: np.ndarray, y: np.ndarray) -> tuple[mg.Tensor, mg.Tensor, float]:
        logits = model(mg.tensor(x))
        loss = mg.cross_entropy(logits, y)

        optimizer.zero_grad()
        loss.backward()
        norm = optim.clip_grad_norm(optimizer, recipe.clip)
        optimizer.step()
        return loss, logits.detach(), norm

    state = {"model": model, "optimizer": optimizer, "schedule": schedule, "loader": loader, "rng": rng}
    state |= {"ema": averaging(model, recipe.ema), "stopping": stopping(recipe.patience)}
    with Steps(run, loader, state, epochs=recipe.epochs, max_steps=recipe.max_steps, held_out=held_out) as steps:
        for x, y in steps:
            loss, logits, norm = step(x, y)
            accuracy = metrics.accuracy(logits.data.argmax(axis=1), y)
            steps.log(every=50, loss=loss, accuracy=accuracy, gradient_norm=norm)
            if steps.check_due:
                with steps.averaged():
                    steps.record(**validation(model, sequences(held_out, recipe), recipe.batch_size))


def sequences(images: data.ImageDataset, recipe: Recipe) -> data.SequenceDataset:
    """The images as the recipe reads them."""
    if recipe.by == "row":
        return data.SequenceDataset(images, by="row")
    pixels = int(np.prod(images.image_shape[:2]))
    order = mg.random.generator(recipe.seed).permutation(pixels) if recipe.by == "permuted" else None
    return data.SequenceDataset(images, by="pixel", permutation=order)


def load(run: RunFolder) -> Reader:
    """The network of a run, as it was saved last."""
    classes = int(run.saved()["model"]["classes"])
    model = Reader(saved_shape(run), classes, run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model)
    return model


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """Images as the sequences (N, T, C) that the network reads."""
    recipe, images = run.load_recipe(Recipe), data.image_preprocessing(saved_shape(run))

    def read(x: np.ndarray) -> np.ndarray:
        return sequences(data.ImageDataset(images(x), None, (), "images"), recipe)[:][0]

    return data.Preprocessing(f"{images.description}, by {recipe.by}", read)


# ---------------------------------------------------------------- evaluation


def evaluate(run: RunFolder) -> dict[str, float]:
    """Accuracy, and precision, recall and F1 averaged over the classes, on test images; draws the confusion matrix."""
    recipe, model = run.load_recipe(Recipe), load(run)
    test = labelled(recipe.data, "test", recipe.size)
    return report(run, test, *outputs(model, sequences(test, recipe), recipe.batch_size), int(model.classes))
