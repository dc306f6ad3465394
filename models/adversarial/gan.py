"""The generative adversarial network.

I. Goodfellow et al. (2014), Generative adversarial nets, https://arxiv.org/abs/1406.2661.

A generator G turns noise z ~ N(0, I) into an image; a discriminator D tells the probability that an image is from the
data and not from G. They play a game over

    V(D, G) = E_x[log D(x)] + E_z[log(1 - D(G(z)))]                                          (equation 1)

D maximises V. G, for which the second term is too flat at the start to learn from, maximises log D(G(z)) instead
(section 3, the non-saturating loss). Algorithm 1 with k = 1: one step of D on a batch of images and one of G's, then
one step of G. Other losses are a choice (--loss), and so are two ways to keep D from being too sure: smoothed labels
(--smoothing 0.1) and weights that stretch nothing (--spectral-norm; Miyato et al. 2018).

What to expect: neither loss falls to a value that says how good the images are. A balanced game hovers with D(x) above
and D(G(z)) below 1/2; what to watch are the figures that the referee (parts/referee.py) logs after each epoch, those of
`minigen eval` and, above all, the sheets in samples/. What has gone wrong, such as a G that draws one image only, is
said in words.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import minigen as mg
from minigen import data, layers, optim, plots
from minigen.models.parts.game import (
    BORDERS,
    GAN,
    Objective,
    discriminator_loss,
    draw,
    generator_loss,
    mean_d,
    measure,
    noise,
    referee,
    require_smoothing,
    restored,
    stretching_nothing,
)
from minigen.models.parts.game import preprocessing as preprocessing
from minigen.models.parts.images import ImageShape, Request, saved_shape
from minigen.models.parts.options import averaging, require_decay, require_positive, scheduling
from minigen.training import Run, RunFolder, Steps


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # mnist, fashion-mnist, a folder of images, or a .npz file
    size: int | None = None  # pictures of a folder are brought to size × size
    latent: int = 100  # how many numbers of noise z an image is made from
    epochs: int = 50  # passes over the training images
    batch_size: int = 128  # images a step
    lr: float = 2e-4  # learning rate of Adam, for both networks
    beta1: float = 0.5  # share of the old mean gradient that Adam keeps
    loss: Objective = "non-saturating"  # what the players minimise; see parts/game.py
    smoothing: float = 0.0  # the label of images, which is 1, is lowered by it for D; 0.1 is usual
    spectral_norm: bool = False  # divide each weight of D by its largest singular value
    schedule: Literal["constant", "cosine"] = "constant"  # the learning rates over all epochs; cosine: they fall to 0
    ema: float | None = None  # average G's weights, by so much of the old ones a step, such as 0.999, to draw with
    seed: int = 0  # decides everything random: weights, order of the images, z
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "latent", "epochs", "batch_size", "lr", "max_steps")
        require_decay(self.ema)
        require_smoothing(self.loss, self.smoothing)


# ---------------------------------------------------------------- the networks


def generator(image: ImageShape, recipe: Recipe, rng: np.random.Generator) -> layers.Sequential:
    """z (N, latent) → images (N, H, W, C) in [-1, 1]."""
    return layers.Sequential(
        layers.Linear(recipe.latent, 256, rng=rng),
        layers.LeakyReLU(0.2),
        layers.Linear(256, 512, rng=rng),
        layers.LeakyReLU(0.2),
        layers.Linear(512, math.prod(image), rng=rng),
        layers.Tanh(),
        layers.Reshape(*image),
    )


def discriminator(image: ImageShape, recipe: Recipe, rng: np.random.Generator) -> layers.Sequential:
    """Images (N, H, W, C) → the logit of D, (N, 1)."""
    network = layers.Sequential(
        layers.Flatten(),
        layers.Linear(math.prod(image), 512, rng=rng),
        layers.LeakyReLU(0.2),
        layers.Linear(512, 256, rng=rng),
        layers.LeakyReLU(0.2),
        layers.Linear(256, 1, rng=rng),
    )
    return stretching_nothing(network, rng) if recipe.spectral_norm else network


def build(image: ImageShape, recipe: Recipe, rng: np.random.Generator) -> GAN:
    """Both networks with their first weights."""
    return GAN(generator(image, recipe, rng), discriminator(image, recipe, rng), image)


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Play Algorithm 1 on the training images, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    images = data.load(recipe.data, "train", range=(-1, 1), size=recipe.size)
    model = build(images.image_shape, recipe, rng)
    play(model, images, data.DataLoader(images, recipe.batch_size, shuffle=True, rng=rng), recipe, run, rng)


def play(
    model: GAN, images: data.ImageDataset, loader: data.DataLoader, recipe: Any, run: Run, rng: np.random.Generator
) -> None:
    """Algorithm 1 with the losses of parts/game.py, for a recipe that has this one's numbers: dcgan plays it too.

    One batch of G's serves both steps. Of the averaged weights (--ema) only G's are kept, and sheets are drawn by them.
    """
    g, d = model.generator, model.discriminator
    g_optimizer = optim.Adam(g.parameters(), lr=recipe.lr, betas=(recipe.beta1, 0.999))
    d_optimizer = optim.Adam(d.parameters(), lr=recipe.lr, betas=(recipe.beta1, 0.999))
    g_schedule, d_schedule = (
        scheduling(recipe.schedule, optimizer, recipe.epochs * len(loader)) for optimizer in (g_optimizer, d_optimizer)
    )

    @mg.record
    def step(x: np.ndarray) -> tuple[mg.Tensor, mg.Tensor, mg.Tensor, mg.Tensor]:
        fake = g(noise(len(x), recipe.latent, rng))

        # D's step. `detach`: nothing of this loss goes back into G.
        real_logits, fake_logits = d(mg.tensor(x)), d(fake.detach())
        d_loss = discriminator_loss(real_logits, fake_logits, recipe.loss, recipe.smoothing)
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()

        # G's step, through D as it is now. `frozen`: D's own weights need no gradient for it.
        with d.frozen():
            g_loss = generator_loss(d(fake), recipe.loss)
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        return d_loss, g_loss, real_logits.detach(), fake_logits.detach()

    state = {"model": model, "g_optimizer": g_optimizer, "d_optimizer": d_optimizer, "loader": loader, "rng": rng}
    state |= {"g_schedule": g_schedule, "d_schedule": d_schedule, "ema": averaging(g, recipe.ema)}
    z = noise(64, recipe.latent, mg.random.generator(recipe.seed))  # the same for every sheet
    watched = referee(model, images, run, recipe.latent, BORDERS[recipe.loss])
    with Steps(run, loader, state, epochs=recipe.epochs, max_steps=recipe.max_steps) as steps:
        for x, *_ in steps:
            d_loss, g_loss, real_logits, fake_logits = step(x)
            d_real, d_fake = mean_d(real_logits, recipe.loss), mean_d(fake_logits, recipe.loss)
            every = 1 if steps.check_due else 50  # the end of an epoch has a row, too
            steps.log(every, d_loss=d_loss, g_loss=g_loss, d_real=d_real, d_fake=d_fake)
            with steps.averaged():
                if steps.check_due:
                    steps.record(**watched.look(steps.step))
                if steps.sample_due:
                    plots.save_grid(steps.picture_path(), draw(model, z), title=steps.title)


def load(run: RunFolder) -> GAN:
    """Both networks of a run, as they were saved last."""
    return restored(build(saved_shape(run), run.load_recipe(Recipe), mg.random.generator(0)), run)


# ---------------------------------------------------------------- sampling and evaluation


def sample(run: RunFolder, request: Request, rng: np.random.Generator) -> np.ndarray:
    """n images, (n, H, W, C) in [0, 1]."""
    return draw(load(run), noise(request.n, run.load_recipe(Recipe).latent, rng))


def evaluate(run: RunFolder) -> dict[str, float]:
    """How good samples are, what D says of them, and how their pixels are spread; see game.measure."""
    recipe = run.load_recipe(Recipe)
    return measure(load(run), run, recipe.latent, recipe.loss)
