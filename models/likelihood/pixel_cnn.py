"""PixelCNN: an image is written pixel by pixel, each by those before it.

A. van den Oord, N. Kalchbrenner, O. Vinyals, L. Espeholt, A. Graves, K. Kavukcuoglu (2016), Conditional image
generation with PixelCNN decoders, https://arxiv.org/abs/1606.05328; the idea is of the same authors' Pixel recurrent
neural networks, https://arxiv.org/abs/1601.06759.

The probability of an image is that of its pixels, each given those above it and to its left (equation 1):

    log p(x) = Σ_i log p(x_i | x_1 … x_i-1)

A convolution computes all of them at once if no output sees its own pixel or a later one. Two stacks of layers see to
that, without a blind spot (section 2.3): a vertical one, v, which looks at the rows above, and a horizontal one, h,
which looks at the pixels to the left and is told by v. Instead of masks, a kernel has only the half that is seen, and
the image is shifted by a row or a pixel first. A layer's gate (equation 2; of a class y, equation 4) is

    tanh(a) · σ(b),        (a, b) = W * x + V y

To write an image one pixel after the other, nothing needs to be computed twice: a row of v needs the row above it, a
pixel of h the one to its left, so that a sheet costs no more sums than one pass over it.

Images are of zeros and ones, drawn by the grey levels once or anew each time (--binarization), so that figures of
samples against grey images (minigen eval) say less than the nats. With channels, those of a pixel know nothing of each
other.

What to expect: after 3 epochs, 89 minutes on one core beside other work, test images cost 89.9 nats (92.2 after one
epoch, 90.3 after two; 81.3 in the paper, with wider kernels and more layers). Strokes go on as strokes do, and not yet
always to digits: a layer adds one row to what is seen, so that eight of them see 11 rows, less than half of an image.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import minigen as mg
from minigen import data, layers, metrics, optim, plots
from minigen.autograd import Tensor
from minigen.layers import Conv2d
from minigen.models.parts.images import ClassRequest as Request
from minigen.models.parts.images import Drawn, ImageShape, asked_of, in_turn, saved_shape
from minigen.models.parts.labels import complete, labelled
from minigen.models.parts.latent import binarized, given
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import averaging, require_decay, require_positive, scheduling
from minigen.models.parts.quality import quality
from minigen.models.parts.reader import reader_of
from minigen.training import Run, RunFolder, Steps

ROWS, PIXELS = 3, 3  # above, and to the left, that the first layer sees; to each side it sees as many


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # mnist, fashion-mnist, a folder of images, or a .npz file
    size: int | None = None  # pictures of a folder are brought to size × size
    binarization: Literal["static", "dynamic"] = "dynamic"  # zeros and ones drawn once, or anew each time
    conditional: bool = False  # tell the network the class
    channels: int = 32  # of every layer
    depth: int = 8  # gated layers
    epochs: int = 12  # passes over the training images
    batch_size: int = 64  # images a step
    lr: float = 1e-3  # learning rate of Adam
    schedule: Literal["constant", "cosine"] = "cosine"  # the learning rate over all epochs; cosine: it falls to 0
    ema: float | None = 0.999  # average the weights, by so much of the old ones a step, to measure and draw with
    seed: int = 0  # decides everything random: weights, order of the images, binarization
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "channels", "depth", "epochs", "batch_size", "lr", "max_steps")
        require_decay(self.ema)


# ---------------------------------------------------------------- the network


def gate(x: Tensor) -> Tensor:
    """tanh(a) σ(b) of (…, 2C), which is (a, b) → (…, C)."""
    a, b = x.split(x.shape[-1] // 2, -1)
    return mg.tanh(a) * mg.sigmoid(b)


def framed(x: Tensor, above: int, left: int, right: int) -> Tensor:
    """Images (N, H, W, C) with rows of zeros above them, and columns beside them."""
    return mg.pad(x, ((0, 0), (above, 0), (left, right), (0, 0)))


class Gated(layers.Module):
    """A layer of both stacks."""

    def __init__(self, channels: int, classes: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.down = Conv2d(channels, 2 * channels, (2, 3), rng=rng)
        self.across = Conv2d(channels, 2 * channels, (1, 2), rng=rng)
        self.tell = Conv2d(2 * channels, 2 * channels, 1, rng=rng)
        self.out = Conv2d(channels, channels, 1, rng=rng)
        self.of_class = layers.Embedding(classes, 2 * channels, rng=rng) if classes else None

    def vertical(self, v: Tensor, y: np.ndarray | Tensor | None) -> tuple[Tensor, Tensor]:
        """v with a row above and a column on each side, (N, H + 1, W + 2, C) → v (N, H, W, C), and what h is told."""
        a = self.down(v)
        if self.of_class is not None:
            a = a + self.of_class(y).reshape(len(v), 1, 1, -1)
        return gate(a), self.tell(a)

    def horizontal(self, h: Tensor, told: Tensor) -> Tensor:
        """h with a column to the left, (N, H, W + 1, C), told (N, H, W, 2C) → (N, H, W, C)."""
        return h[:, :, 1:] + self.out(gate(self.across(h) + told))


class PixelCNN(layers.Module):
    """Images of zeros and ones (N, H, W, C) and classes → the logit of each pixel's being 1, given those before it."""

    image: np.ndarray
    classes: np.ndarray

    def __init__(self, image: ImageShape, classes: int, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        wide, channels = recipe.channels, image[2]
        self.first_down = Conv2d(channels, wide, (ROWS, 2 * PIXELS + 1), rng=rng)
        self.first_across = Conv2d(channels, wide, (1, PIXELS), rng=rng)
        self.blocks: Any = layers.ModuleList([Gated(wide, classes, rng) for _ in range(recipe.depth)])
        self.head = layers.Sequential(
            layers.ReLU(), Conv2d(wide, 2 * wide, 1, rng=rng), layers.ReLU(), Conv2d(2 * wide, channels, 1, rng=rng)
        )
        # So that a checkpoint alone can be sampled from.
        self.register_buffer("image", np.array(image))
        self.register_buffer("classes", np.array(classes))

    def forward(self, x: Tensor, y: np.ndarray | Tensor | None = None) -> Tensor:
        """Logits (N, H, W, C)."""
        v = self.first_down(framed(x[:, :-1], ROWS, PIXELS, PIXELS))  # a row late: it sees rows above only
        h = self.first_across(framed(x[:, :, :-1], 0, PIXELS, 0))  # a pixel late
        for block in self.blocks:
            v, told = block.vertical(framed(v, 1, 1, 1), y)
            h = block.horizontal(framed(h, 0, 1, 0), told)
        return self.head(h)


def negative_log_likelihood(model: PixelCNN, x: Tensor, y: np.ndarray | None) -> Tensor:
    """-log p(x) in nats, averaged over the images (N, H, W, C)."""
    return mg.binary_cross_entropy_with_logits(model(x, y), x, reduction="sum") / len(x)


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Minimise -log p by Adam, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    reader_of(recipe.data)  # which measures the samples at the end, and is missed better now
    images, test = (read(recipe, split) for split in ("train", "test"))
    model = PixelCNN(images.image_shape, len(images.classes) if recipe.conditional else 0, recipe, rng)
    optimizer = optim.Adam(model.parameters(), lr=recipe.lr)
    loader = data.DataLoader(images, recipe.batch_size, shuffle=True, rng=rng)
    schedule = scheduling(recipe.schedule, optimizer, recipe.epochs * len(loader))

    @mg.record
    def step(x: np.ndarray, y: np.ndarray | None) -> Tensor:
        loss = negative_log_likelihood(model, mg.tensor(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    state = {"model": model, "optimizer": optimizer, "loader": loader, "rng": rng, "schedule": schedule}
    state |= {"ema": averaging(model, recipe.ema)}
    limits = {"epochs": recipe.epochs, "max_steps": recipe.max_steps}
    with Steps(run, loader, state, **limits, held_out=test) as steps:
        for batch in steps:
            steps.log(every=50, nats=step(*given(batch, recipe.binarization, recipe.conditional, rng)))
            with steps.averaged():
                if steps.check_due:
                    steps.record(test_nats=measure(model, test, recipe.binarization))
                if steps.sample_due:
                    sheet = draw(model, 64, mg.random.generator(recipe.seed))
                    plots.save_grid(steps.picture_path(), sheet, title=steps.title)


def read(recipe: Recipe, split: str) -> data.ImageDataset:
    """The images of a split; with --binarization static as zeros and ones, the same ones every time."""
    images = (labelled if recipe.conditional else data.load)(recipe.data, split, size=recipe.size)
    if recipe.conditional and split == "train":
        complete(images)
    return binarized(images) if recipe.binarization == "static" else images


def load(run: RunFolder) -> PixelCNN:
    """The network of a run, as it was saved last."""
    classes = int(run.saved()["model"]["classes"])
    model = PixelCNN(saved_shape(run), classes, run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model)
    return model


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """Images as the network reads them; make zeros and ones of them."""
    return data.image_preprocessing(saved_shape(run))


# ---------------------------------------------------------------- sampling


def sample(run: RunFolder, request: Request, rng: np.random.Generator) -> np.ndarray:
    """n images of zeros and ones, (n, H, W, C), of the class that is asked for."""
    model = load(run)
    y = asked_of(request, run, int(model.classes))
    return draw(model, request.n, rng, y)


def draw(
    model: PixelCNN,
    n: int,
    rng: np.random.Generator,
    y: np.ndarray | None = None,
    known: np.ndarray | None = None,
) -> np.ndarray:
    """n images of zeros and ones, of classes y (n,), or of all in turn; below the rows of `known` (n, h, W, C)."""
    y = in_turn(int(model.classes), n) if y is None else y
    batches = []
    with evaluating(model):
        for i in range(0, n, 500):
            at = slice(i, min(i + 500, n))
            x = np.zeros((at.stop - i, *model.image), np.float32)
            rows = 0 if known is None else known.shape[1]
            x[:, :rows] = 0 if known is None else known[at]
            write(model, x, rows, None if y is None else y[at], rng)
            batches.append(x)
    return np.concatenate(batches)


def write(model: PixelCNN, x: np.ndarray, first: int, y: np.ndarray | None, rng: np.random.Generator) -> None:
    """Draw the rows of images x (N, H, W, C) from `first` on, in place; each pixel is computed once."""
    n, height, width, _ = x.shape
    nothing = mg.zeros(n, 1, 1, model.first_down.out_channels)
    above = [mg.zeros(n, 1, width, nothing.shape[3]) for _ in model.blocks]  # the last row of what each layer reads
    padded = np.pad(x, ((0, 0), (ROWS, 0), (PIXELS, PIXELS), (0, 0)))
    for i in range(height):
        v, told = model.first_down(mg.tensor(padded[:, i : i + ROWS])), []
        for layer, block in enumerate(model.blocks):
            both = framed(mg.concatenate([above[layer], v], 1), 0, 1, 1)
            above[layer] = v
            v, what = block.vertical(both, y)
            told.append(what)
        before = [nothing] * len(told)  # the pixel to the left, of what each layer reads
        for j in range(width if i >= first else 0):
            h = model.first_across(mg.tensor(padded[:, i + ROWS, None, j : j + PIXELS]))
            for layer, block in enumerate(model.blocks):
                both = mg.concatenate([before[layer], h], 2)
                before[layer] = h
                h = block.horizontal(both, told[layer][:, :, j : j + 1])
            chance = mg.sigmoid(model.head(h)).numpy()[:, 0, 0]
            x[:, i, j] = rng.random(chance.shape, dtype=np.float32) < chance
            padded[:, i + ROWS, j + PIXELS] = x[:, i, j]


# ---------------------------------------------------------------- evaluation


def evaluate(run: RunFolder) -> dict[str, float]:
    """-log p of the test images, in nats an image and bits a pixel, and how good samples are; completes halves."""
    recipe, model = run.load_recipe(Recipe), load(run)
    test = read(recipe, "test")
    save_completions(run, model, test, recipe)
    nats = measure(model, test, recipe.binarization)

    def drawn(n: int, rng: np.random.Generator) -> Drawn:
        y = in_turn(int(model.classes), n)
        return Drawn(draw(model, n, rng, y), y)

    bits = metrics.bits_per_dimension(nats, math.prod(test.image_shape))
    return {"negative_log_likelihood": nats, "bits_per_dimension": bits} | quality(drawn, run)


def measure(model: PixelCNN, images: data.ImageDataset, binarization: Literal["static", "dynamic"]) -> float:
    """-log p(x) in nats, averaged over `images`; of "dynamic" zeros and ones the same ones every time."""
    rng, total = mg.random.generator(0), 0.0
    with evaluating(model):
        for batch in data.DataLoader(images, 250):
            x, y = given(batch, binarization, bool(int(model.classes)), rng)
            total += len(x) * negative_log_likelihood(model, mg.tensor(x), y).item()
    return total / len(images)


def save_completions(run: RunFolder, model: PixelCNN, test: data.ImageDataset, recipe: Recipe) -> None:
    """Draw test images, and below them four ways to go on from their upper halves."""
    rng = mg.random.generator(0)
    x, y = given(test[:10], recipe.binarization, recipe.conditional, rng)
    half = x[:, : x.shape[1] // 2]
    rows = [x, *(draw(model, len(x), rng, y, half) for _ in range(4))]
    title = "pixel_cnn · test images, and below them what their upper halves went on to"
    plots.save_grid(run.path / "completions.png", np.concatenate(rows), len(x), title=title)
