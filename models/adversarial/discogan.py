"""Two kinds of images, and the way from each to the other, learned without pairs.

T. Kim et al. (2017), Learning to discover cross-domain relations with generative adversarial networks,
https://arxiv.org/abs/1703.05192.

Of each domain, A and B, there are images, and nobody says which belong to each other: here digits, and other digits
with thicker strokes, turned, or outlined (--change), or a second data set (--other). Two generators translate, two
discriminators judge, and what was translated there and back has to be what it was:

    L_G = E[-log D_B(G_AB(a))] + E[-log D_A(G_BA(b))] + E|G_BA(G_AB(a)) - a|² + E|G_AB(G_BA(b)) - b|²   (section 2.3)

The way back keeps G from making all images the same. It does not say which of the many ways there and back is meant: a
translation that permutes the digits would do as well, and only that networks like to do little speaks against it.

What to expect on MNIST: `cycle` falls first, as the way there and back is learned, and then the translations come to
look like the other domain; distance_ab, where the truth is known, tells whether they are the ones that were meant.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

import minigen as mg
from minigen import data, layers, optim, plots
from minigen.autograd import Tensor
from minigen.errors import DataError
from minigen.models.adversarial.dcgan import check_image, discriminator
from minigen.models.parts.game import discriminator_loss, generator_loss, mean_d
from minigen.models.parts.game import preprocessing as preprocessing
from minigen.models.parts.images import Drawn, ImageShape, saved_shape
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import averaging, require_decay, require_positive, require_share
from minigen.models.parts.pairs import CHANGES, Pictures, asked_pictures, changed, difference
from minigen.models.parts.quality import quality
from minigen.models.parts.referee import Referee
from minigen.training import Run, RunFolder, Steps

Way = Literal["ab", "ba"]  # from A to B, or back


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # domain A: mnist, fashion-mnist, a folder of images, or a .npz file
    other: str | None = None  # domain B, images of the same size; none: the second half of A's, changed
    change: Literal["outline", "thicker", "turned"] = "thicker"  # what makes B's images, unless --other gives them
    size: int | None = None  # pictures of a folder are brought to size × size
    width: int = 64  # channels of all networks' first maps
    cycle: float = 10.0  # weight of the way there and back
    dropout: float = 0.3  # share of the discriminators' features that is dropped in training
    epochs: int = 6  # passes over the training images of both domains
    batch_size: int = 64  # images of each domain a step; a last, smaller batch of an epoch is left out
    lr: float = 2e-4  # learning rate of Adam, for all networks
    beta1: float = 0.5  # share of the old mean gradient that Adam keeps
    ema: float | None = None  # average the generators' weights, by so much of the old ones a step, such as 0.999
    seed: int = 0  # decides everything random: weights, order of the images, dropout
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "width", "cycle", "epochs", "batch_size", "lr", "max_steps")
        require_decay(self.ema)
        require_share(self, "dropout")


# ---------------------------------------------------------------- the networks


def translator(channels: int, width: int, rng: np.random.Generator) -> layers.Sequential:
    """Images (N, H, W, C) in [-1, 1] → images of that shape, by way of (H/4, W/4, 2·width)."""
    halved, doubled = (
        partial(kind, kernel_size=4, stride=2, padding=1, bias=False, rng=rng)
        for kind in (layers.Conv2d, layers.ConvTranspose2d)
    )
    return layers.Sequential(
        halved(channels, width),
        layers.LeakyReLU(0.2),
        halved(width, 2 * width),
        layers.BatchNorm(2 * width),
        layers.LeakyReLU(0.2),
        layers.Conv2d(2 * width, 2 * width, 3, padding=1, bias=False, rng=rng),
        layers.BatchNorm(2 * width),
        layers.LeakyReLU(0.2),
        doubled(2 * width, width),
        layers.BatchNorm(width),
        layers.LeakyReLU(0.2),
        doubled(width, channels),
        layers.Tanh(),
    )


class DiscoGAN(layers.Module):
    """The translators "ab" and "ba", the discriminators "a" and "b", and the shape (H, W, C) of the images."""

    def __init__(self, image: ImageShape, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        check_image("discogan", image)
        self.generators = layers.ModuleDict({way: translator(image[2], recipe.width, rng) for way in ("ab", "ba")})
        self.discriminators = layers.ModuleDict(
            {of: discriminator(image, recipe.width, recipe.dropout, rng) for of in ("a", "b")}
        )
        self.register_buffer("image", np.array(image))


# ---------------------------------------------------------------- training


def domains(recipe: Recipe, split: str) -> tuple[data.ImageDataset, data.ImageDataset]:
    """Images of A and of B, as many of each. Raises DataError when they are of different sizes.

    Training images that are changed are others than those that are not; test images may be the same.
    """
    a = data.load(recipe.data, split, size=recipe.size)
    if recipe.other is None:
        half = len(a) // 2 if split == "train" else len(a)
        return part(a, slice(half)), changed(part(a, slice(-half, None)), recipe.change)
    b = data.load(recipe.other, split, size=recipe.size)
    if a.image_shape != b.image_shape:
        shapes = ["×".join(map(str, images.image_shape)) for images in (a, b)]
        raise DataError(
            f"discogan: images of {a.name} are {shapes[0]}, those of {b.name} {shapes[1]}; bring both to one size, "
            "folders by --size"
        )
    fewer = slice(min(len(a), len(b)))
    return part(a, fewer), part(b, fewer)


def part(images: data.ImageDataset, rows: slice) -> data.ImageDataset:
    """Some of the images."""
    return replace(images, images=images.images[rows], labels=None if images.labels is None else images.labels[rows])


class Both:
    """Two data sets of one length as one, whose items are an image of each, in [-1, 1]."""

    def __init__(self, a: data.ImageDataset, b: data.ImageDataset) -> None:
        self.a, self.b = a, b
        self.name, self.image_shape = f"{a.name}, and {b.name}", a.image_shape

    def __len__(self) -> int:
        return len(self.a)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.batch(index)

    def batch(self, rows: int | slice | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The images at these places of each."""
        return 2 * self.a[rows][0] - 1, 2 * self.b[rows][0] - 1


def train(recipe: Recipe, run: Run) -> None:
    """Play both games at once, and fill the run folder. One of each generator's batches serves both steps."""
    rng = mg.random.generator(recipe.seed)
    (images_a, images_b), (test_a, test_b) = (domains(recipe, split) for split in ("train", "test"))
    model = DiscoGAN(images_a.image_shape, recipe, rng)
    g, d = model.generators, model.discriminators
    g_optimizer, d_optimizer = (
        optim.Adam(players.parameters(), lr=recipe.lr, betas=(recipe.beta1, 0.999)) for players in (g, d)
    )

    @mg.record
    def step(x: np.ndarray, y: np.ndarray) -> tuple[Tensor, ...]:
        a, b = mg.tensor(x), mg.tensor(y)
        fake_b, fake_a = g["ab"](a), g["ba"](b)

        # The discriminators' step.
        real, fake = d["b"](b), d["b"](fake_b.detach())
        d_loss = discriminator_loss(real, fake) + discriminator_loss(d["a"](a), d["a"](fake_a.detach()))
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()

        # The generators' step, through the discriminators as they are now.
        cycle = mg.mse_loss(g["ba"](fake_b), a) + mg.mse_loss(g["ab"](fake_a), b)
        with d.frozen():
            g_loss = generator_loss(d["b"](fake_b)) + generator_loss(d["a"](fake_a)) + recipe.cycle * cycle
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        return d_loss, g_loss, cycle.detach(), real.detach(), fake.detach()

    def judge(which: str, x: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
        with evaluating(d):
            return d["b"](mg.tensor(2 * x - 1)).numpy()

    loader = data.DataLoader(Both(images_a, images_b), recipe.batch_size, shuffle=True, rng=rng, drop_last=True)
    state = {"model": model, "g_optimizer": g_optimizer, "d_optimizer": d_optimizer, "loader": loader, "rng": rng}
    state |= {"ema": averaging(g, recipe.ema)}

    def translated(n: int) -> Drawn:
        return Drawn(translate(model, "ab", test_a[:n][0]))

    watched = Referee(run, {"g": g, "d": d}, translated, judge, images_b, test_b)
    with Steps(run, loader, state, epochs=recipe.epochs, max_steps=recipe.max_steps, held_out=test_a) as steps:
        for x, y in steps:
            d_loss, g_loss, cycle, real, fake = step(x, y)
            every = 1 if steps.check_due else 50  # the end of an epoch has a row, too
            figures = {"d_real": mean_d(real), "d_fake": mean_d(fake)}
            steps.log(every, d_loss=d_loss, g_loss=g_loss, cycle=cycle, **figures)
            with steps.averaged():
                if steps.check_due:
                    steps.record(**watched.look(steps.step))
                if steps.sample_due:
                    save_sheet(steps.picture_path(), model, test_a, test_b, steps.title)


def load(run: RunFolder) -> DiscoGAN:
    """All four networks of a run, as they were saved last."""
    model = DiscoGAN(saved_shape(run), run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model.generators)
    return model


# ---------------------------------------------------------------- translating and evaluation


def translate(model: DiscoGAN, way: Way, x: np.ndarray) -> np.ndarray:
    """Images (N, H, W, C) of one domain as those of the other, in [0, 1]; in batches of 500."""
    generator = model.generators[way]
    with evaluating(generator):
        batches = [generator(mg.tensor(2 * x[i : i + 500] - 1)).numpy() for i in range(0, len(x), 500)]
    return np.concatenate(batches) * 0.5 + 0.5


@dataclass(frozen=True)
class Request(Pictures):
    """What can be asked of a run."""

    way: Way = "ab"  # from A to B, or back


def sample(run: RunFolder, request: Request, rng: np.random.Generator) -> np.ndarray:
    """Images of one domain and, at the right of each, what it becomes in the other: (n, H, 2 W, C) in [0, 1]."""

    def sources() -> np.ndarray:
        a, b = domains(run.load_recipe(Recipe), "test")
        return (a if request.way == "ab" else b)[: request.n][0]

    x = asked_pictures(request, saved_shape(run), sources)
    return np.concatenate([x, translate(load(run), request.way, x)], axis=2)


def save_sheet(path: Path, model: DiscoGAN, a: data.ImageDataset, b: data.ImageDataset, title: str) -> None:
    """Draw images of A over what they become in B, and what that becomes in A; then the same the other way."""
    columns = []
    ways: tuple[tuple[data.ImageDataset, Way, Way], ...] = ((a, "ab", "ba"), (b, "ba", "ab"))
    for images, there, back in ways:
        x = images[:32][0]
        y = translate(model, there, x)
        columns.append(np.concatenate([x, y, translate(model, back, y)], axis=1))
    plots.save_grid(path, np.concatenate(columns), columns=16, title=title)


def evaluate(run: RunFolder) -> dict[str, float]:
    """How near translations are to the truth, where it is known, and how good those into A are; draws a sheet.

    distance_ab, distance_ba: to the true image, the mean absolute difference of grey levels from 0 to 1;
    distance_of_ab: of the image itself before it is translated. cycle: after the way from A there and back. asked: the
    share of those into A that are read as the class of the image they were made of.
    """
    recipe, model = run.load_recipe(Recipe), load(run)
    a, b = domains(recipe, "test")
    save_sheet(run.path / "translations.png", model, a, b, "discogan · image, translated, and back; then from B")
    x = a[:10_000][0]
    figures = {"cycle": difference(translate(model, "ba", translate(model, "ab", x)), x)}
    if recipe.other is not None:
        return figures
    y = CHANGES[recipe.change](x)
    figures["distance_ab"] = difference(translate(model, "ab", x), y)
    figures["distance_ba"] = difference(translate(model, "ba", y), x)
    figures["distance_of_ab"] = difference(x, y)
    test = data.load(recipe.data, "test", size=recipe.size)

    def drawn(n: int, rng: np.random.Generator) -> Drawn:
        sources = CHANGES[recipe.change](test[:n][0])
        return Drawn(translate(model, "ba", sources), test.labels[:n] if test.labels is not None else None)

    return figures | quality(drawn, run, sets=1)
