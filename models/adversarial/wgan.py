"""The Wasserstein GAN.

M. Arjovsky, S. Chintala, L. Bottou (2017), Wasserstein generative adversarial networks,
https://arxiv.org/abs/1701.07875.

The Wasserstein distance of images and samples is the largest difference of means that a function with slope at most 1
can make between them:

    W = max_f E_x[f(x)] - E_z[f(G(z))]        over all f with |f(a) - f(b)| ≤ |a - b|        (equation 2)

A critic C is that function up to a factor: its weights are cut to [-c, c] after each step, which bounds its slope. G
makes the distance small. Where images and samples share no point, a discriminator is sure of everything and tells
G nothing, and the distance still has a slope. Algorithm 1: five steps of the critic for each of G, by RMSprop, as the
moments of Adam disturb a critic whose target moves (section 4).

What to expect on MNIST: `distance` rises first, and then falls while samples become better, which no loss of gan.py
does: it can be watched (its scale is that of the cut weights, and means nothing). Cutting makes the critic simpler than
it need be (Gulrajani et al. 2017, section 3.1), which wgan_gp.py mends.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigen as mg
from minigen import data, optim, plots
from minigen.autograd import Tensor
from minigen.models.adversarial import dcgan
from minigen.models.parts.game import GAN, draw, measure, noise, referee, restored
from minigen.models.parts.game import preprocessing as preprocessing
from minigen.models.parts.images import ImageShape, Request, saved_shape
from minigen.models.parts.options import averaging, require_batch, require_decay, require_positive
from minigen.training import Run, RunFolder, Steps


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # mnist, fashion-mnist, a folder of images, or a .npz file
    size: int | None = None  # pictures of a folder are brought to size × size
    latent: int = 100  # how many numbers of noise z an image is made from
    width: int = 64  # channels of the critic's first maps and G's last; the others have twice as many
    critic_steps: int = 5  # steps of the critic for each of the generator
    clip: float = 0.01  # c, the largest size of a weight of the critic
    epochs: int = 40  # passes over the training images
    batch_size: int = 64  # images a step of the critic; what is left of an epoch is left out
    lr: float = 5e-5  # learning rate of RMSprop, for both networks
    ema: float | None = None  # average G's weights, by so much of the old ones a step, such as 0.999, to draw with
    seed: int = 0  # decides everything random: weights, order of the images, z
    max_steps: int | None = None  # stop after so many steps of G, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "latent", "width", "critic_steps", "clip")
        require_positive(self, "epochs", "batch_size", "lr", "max_steps")
        require_decay(self.ema)
        require_batch(self)


# ---------------------------------------------------------------- the networks


def build(image: ImageShape, recipe: Recipe, rng: np.random.Generator) -> GAN:
    """Those of dcgan.py; D's logit, without dropout, is C. Raises ArgumentError when images can not be halved twice."""
    dcgan.check_image("wgan", image)
    return GAN(
        dcgan.generator(image, recipe.latent, recipe.width, rng),
        dcgan.discriminator(image, recipe.width, 0.0, rng),
        image,
    )


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Algorithm 1, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    images = data.load(recipe.data, "train", range=(-1, 1), size=recipe.size)
    model = build(images.image_shape, recipe, rng)
    players = (model.generator, model.discriminator)
    g_optimizer, c_optimizer = (optim.RMSprop(player.parameters(), lr=recipe.lr) for player in players)

    def cut() -> None:
        optim.clip_weights(c_optimizer, recipe.clip)

    play(model, images, recipe, run, rng, (g_optimizer, c_optimizer), after=cut)


def play(
    model: GAN,
    images: data.ImageDataset,
    recipe: Any,
    run: Run,
    rng: np.random.Generator,
    optimizers: tuple[optim.Optimizer, optim.Optimizer],
    penalty: Callable[[Tensor, Tensor], Tensor] | None = None,
    after: Callable[[], None] | None = None,
) -> None:
    """Algorithm 1 for a recipe that has this one's numbers: wgan_gp plays it too.

    The critic is bounded by penalty(images, samples), added to what it minimises, or by what is done after its step.
    """
    g, c = model.generator, model.discriminator
    g_optimizer, c_optimizer = optimizers
    size = recipe.batch_size

    @mg.record
    def step(x: np.ndarray) -> tuple[Tensor, Tensor]:
        distance = bound = mg.tensor(0.0)
        for i in range(0, len(x), size):
            real = mg.tensor(x)[i : i + size]
            with mg.no_grad():
                fake = g(noise(size, recipe.latent, rng))
            distance = c(real).mean() - c(fake).mean()
            bound = mg.tensor(0.0) if penalty is None else penalty(real, fake)
            c_optimizer.zero_grad()
            (bound - distance).backward()
            c_optimizer.step()
            if after is not None:
                after()

        with c.frozen():
            loss = -c(g(noise(size, recipe.latent, rng))).mean()
        g_optimizer.zero_grad()
        loss.backward()
        g_optimizer.step()
        return distance.detach(), bound.detach()

    several = min(recipe.critic_steps, max(len(images) // size, 1)) * size
    loader = data.DataLoader(images, several, shuffle=True, rng=rng, drop_last=True)
    state = {"model": model, "g_optimizer": g_optimizer, "c_optimizer": c_optimizer, "loader": loader, "rng": rng}
    state |= {"ema": averaging(g, recipe.ema)}
    z = noise(64, recipe.latent, mg.random.generator(recipe.seed))  # the same for every sheet
    watched = referee(model, images, run, recipe.latent, border=None)
    with Steps(run, loader, state, epochs=recipe.epochs, max_steps=recipe.max_steps) as steps:
        for x, *_ in steps:
            distance, bound = step(x)
            figures = {"distance": distance} if penalty is None else {"distance": distance, "penalty": bound}
            steps.log(1 if steps.check_due else 20, **figures)
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
    """How good samples are, what the critic says of them, and how their pixels are spread; see game.measure."""
    return measure(load(run), run, run.load_recipe(Recipe).latent, None)
