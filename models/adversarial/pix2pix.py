"""From one kind of image to another, learned from pairs.

P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros (2017), Image-to-image translation with conditional adversarial networks,
https://arxiv.org/abs/1611.07004.

A generator G makes an image y of a source x, here the whole digit of its outline or of its upper half. It shall be near
the true one, and such that a discriminator D, which sees source and image beside each other, takes the two for a pair:

    L = E[log D(x, y)] + E[log(1 - D(x, G(x)))] + λ E[|y - G(x)|]                            (equations 1, 3 and 4)

The distance alone would give the mean of all images that fit, which is blurred; D alone would give any that fits. G is
a U-Net (section 3.2.1): what the encoder saw at each size goes to the decoder at that size. D judges patches, each by
itself (section 3.2.2). There is no noise z, which G learns to ignore (section 3.1), and dropout is off when G is used.

What to expect on MNIST: `distance` falls fast, and outlines are filled within an epoch. Of the upper half a lower one
is made up that fits, at times another digit's: a 7 and a 9 begin alike.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

import minigen as mg
from minigen import data, layers, optim, plots
from minigen.autograd import Tensor
from minigen.models.adversarial.dcgan import check_image
from minigen.models.parts.game import GAN, discriminator_loss, generator_loss, mean_d, restored
from minigen.models.parts.game import preprocessing as preprocessing
from minigen.models.parts.images import Drawn, ImageShape, saved_shape
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import averaging, require_decay, require_positive, require_share
from minigen.models.parts.pairs import CHANGES, Change, Pictures, asked_pictures, difference
from minigen.models.parts.quality import quality
from minigen.models.parts.referee import Referee
from minigen.training import Run, RunFolder, Steps


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # mnist, fashion-mnist, a folder of images, or a .npz file
    size: int | None = None  # pictures of a folder are brought to size × size
    source: Literal["outline", "upper-half"] = "outline"  # what the image is to be made of
    width: int = 32  # channels of the U-Net's first maps, and of D's
    distance: float = 100.0  # λ, the weight of the distance to the true image
    dropout: float = 0.5  # share of the U-Net's features that is dropped in training
    epochs: int = 4  # passes over the training images
    batch_size: int = 64  # images a step; a last, smaller batch of an epoch is left out
    lr: float = 2e-4  # learning rate of Adam, for both networks
    beta1: float = 0.5  # share of the old mean gradient that Adam keeps
    ema: float | None = None  # average G's weights, by so much of the old ones a step, such as 0.999, to draw with
    seed: int = 0  # decides everything random: weights, order of the images, dropout
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "width", "distance", "epochs", "batch_size", "lr", "max_steps")
        require_decay(self.ema)
        require_share(self, "dropout")


# ---------------------------------------------------------------- the networks


class UNet(layers.Module):
    """Sources (N, H, W, C) in [-1, 1] → images of that shape, by way of (H/4, W/4)."""

    def __init__(self, channels: int, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        halved = partial(layers.Conv2d, kernel_size=4, stride=2, padding=1, rng=rng)
        doubled = partial(layers.ConvTranspose2d, kernel_size=4, stride=2, padding=1, rng=rng)
        w, same = recipe.width, partial(layers.Conv2d, kernel_size=3, padding=1, rng=rng)
        self.enter = layers.Sequential(same(channels, w), layers.LeakyReLU(0.2))
        self.down = layers.Sequential(halved(w, 2 * w), layers.BatchNorm(2 * w), layers.LeakyReLU(0.2))
        self.bottom = layers.Sequential(halved(2 * w, 4 * w), layers.BatchNorm(4 * w), layers.LeakyReLU(0.2))
        self.rise = layers.Sequential(
            doubled(4 * w, 2 * w), layers.BatchNorm(2 * w), layers.Dropout(recipe.dropout, rng=rng), layers.ReLU()
        )
        self.up = layers.Sequential(doubled(4 * w, w), layers.BatchNorm(w), layers.ReLU())
        self.leave = layers.Sequential(same(2 * w, channels), layers.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        """G(x)."""
        first = self.enter(x)
        second = self.down(first)
        h = self.up(mg.concatenate([self.rise(self.bottom(second)), second], axis=-1))
        return self.leave(mg.concatenate([h, first], axis=-1))


class Patches(layers.Module):
    """Sources and images, each (N, H, W, C) → the logit of D for each patch, (N, H/4, W/4, 1)."""

    def __init__(self, channels: int, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        w, halved = recipe.width, partial(layers.Conv2d, kernel_size=4, stride=2, padding=1, rng=rng)
        self.network = layers.Sequential(
            halved(2 * channels, w),
            layers.LeakyReLU(0.2),
            halved(w, 2 * w),
            layers.BatchNorm(2 * w),
            layers.LeakyReLU(0.2),
            layers.Conv2d(2 * w, 1, 3, padding=1, rng=rng),
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The logit of D(x, y)."""
        return self.network(mg.concatenate([x, y], axis=-1))


def build(image: ImageShape, recipe: Recipe, rng: np.random.Generator) -> GAN:
    """Both networks with their first weights. Raises ArgumentError when the images can not be halved twice."""
    check_image("pix2pix", image)
    return GAN(UNet(image[2], recipe, rng), Patches(image[2], recipe, rng), image)


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Play the game of pairs, and fill the run folder. One of G's batches serves both steps."""
    rng = mg.random.generator(recipe.seed)
    images, held_out = (data.load(recipe.data, split, size=recipe.size) for split in ("train", "test"))
    model = build(images.image_shape, recipe, rng)
    g, d = model.generator, model.discriminator
    g_optimizer, d_optimizer = (
        optim.Adam(player.parameters(), lr=recipe.lr, betas=(recipe.beta1, 0.999)) for player in (g, d)
    )
    change = CHANGES[recipe.source]

    @mg.record
    def step(source: np.ndarray, target: np.ndarray) -> tuple[Tensor, ...]:
        x, y = mg.tensor(source), mg.tensor(target)
        fake = g(x)

        # D's step, on pairs.
        real_logits, fake_logits = d(x, y), d(x, fake.detach())
        d_loss = 0.5 * discriminator_loss(real_logits, fake_logits)
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()

        # G's step, through D as it is now.
        distance = mg.l1_loss(fake, y)
        with d.frozen():
            g_loss = generator_loss(d(x, fake)) + recipe.distance * distance
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        return d_loss, g_loss, distance.detach(), real_logits.detach(), fake_logits.detach()

    def judge(part: str, y: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
        x = change(held_out[: len(y)][0] if part == "fake" else y)
        with evaluating(d):
            return d(mg.tensor(2 * x - 1), mg.tensor(2 * y - 1)).numpy().mean((1, 2))

    def translated(n: int) -> Drawn:
        return Drawn(translate(model, change(held_out[:n][0])))

    loader = data.DataLoader(images, recipe.batch_size, shuffle=True, rng=rng, drop_last=True)
    state = {"model": model, "g_optimizer": g_optimizer, "d_optimizer": d_optimizer, "loader": loader, "rng": rng}
    state |= {"ema": averaging(g, recipe.ema)}
    watched = Referee(run, {"g": g, "d": d}, translated, judge, images, held_out)
    with Steps(run, loader, state, epochs=recipe.epochs, max_steps=recipe.max_steps, held_out=held_out) as steps:
        for y, *_ in steps:
            d_loss, g_loss, distance, real_logits, fake_logits = step(2 * change(y) - 1, 2 * y - 1)
            every = 1 if steps.check_due else 50  # the end of an epoch has a row, too
            figures = {"d_real": mean_d(real_logits), "d_fake": mean_d(fake_logits)}
            steps.log(every, d_loss=d_loss, g_loss=g_loss, distance=distance, **figures)
            with steps.averaged():
                if steps.check_due:
                    steps.record(**watched.look(steps.step))
                if steps.sample_due:
                    save_sheet(steps.picture_path(), model, held_out, change, steps.title)


def load(run: RunFolder) -> GAN:
    """Both networks of a run, as they were saved last."""
    return restored(build(saved_shape(run), run.load_recipe(Recipe), mg.random.generator(0)), run)


# ---------------------------------------------------------------- translating and evaluation


def translate(model: GAN, x: np.ndarray) -> np.ndarray:
    """G(x) of sources (N, H, W, C), both in [0, 1]; in batches of 500."""
    with evaluating(model.generator):
        batches = [model.generator(mg.tensor(2 * x[i : i + 500] - 1)).numpy() for i in range(0, len(x), 500)]
    return np.concatenate(batches) * 0.5 + 0.5


Request = Pictures


def sample(run: RunFolder, request: Request, rng: np.random.Generator) -> np.ndarray:
    """Sources and, at the right of each, what is made of it: (n, H, 2 W, C) in [0, 1]."""
    recipe = run.load_recipe(Recipe)

    def sources() -> np.ndarray:
        return CHANGES[recipe.source](data.load(recipe.data, "test", size=recipe.size)[: request.n][0])

    x = asked_pictures(request, saved_shape(run), sources)
    return np.concatenate([x, translate(load(run), x)], axis=2)


def save_sheet(path: Path, model: GAN, images: data.ImageDataset, change: Change, title: str) -> None:
    """Draw sources, what is made of them, and the true images, below each other."""
    y = images[:32][0]
    x = change(y)
    plots.save_grid(path, np.concatenate([x, translate(model, x), y], axis=1), columns=16, title=title)


def evaluate(run: RunFolder) -> dict[str, float]:
    """How far translations of test images are from the true ones, and how good they are; draws a sheet of them.

    distance: mean absolute difference of grey levels from 0 to 1; distance_of_source: that of the sources themselves.
    asked: the share that is read as the class of the true image.
    """
    recipe, model = run.load_recipe(Recipe), load(run)
    test, change = data.load(recipe.data, "test", size=recipe.size), CHANGES[recipe.source]
    save_sheet(run.path / "translations.png", model, test, change, "pix2pix · source, translation, truth")
    y = test[:10_000][0]
    x = change(y)
    figures = {"distance": difference(translate(model, x), y), "distance_of_source": difference(x, y)}

    def drawn(n: int, rng: np.random.Generator) -> Drawn:
        return Drawn(translate(model, x[:n]), test.labels[:n] if test.labels is not None else None)

    return figures | quality(drawn, run, sets=1)
