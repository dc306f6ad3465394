"""The deep convolutional generative adversarial network.

A. Radford, L. Metz, S. Chintala (2016), Unsupervised representation learning with deep convolutional generative
adversarial networks, https://arxiv.org/abs/1511.06434.

The game is that of gan.py, whose loop is played here too, with the losses

    L_D = E_x[-log D(x)] + E_z[-log(1 - D(G(z)))],        L_G = E_z[-log D(G(z))]

and the players are convolutional. What keeps them stable is, after section 3: strided and transposed convolutions
instead of pooling, batch normalisation in the generator but not in its last layer, tanh at its end, LeakyReLU in the
discriminator, and Adam with a small beta1 (section 4). Weights start as N(0, 0.02²), also section 4. The discriminator
sees images and samples in separate batches; it has dropout, and no batch norm that would tell the two apart by their
statistics. Samples are drawn with the generator's running statistics, so that an image depends on its z alone.

What to expect on MNIST: strokes within the first epoch, some digits after two, most of a sheet readable and all ten
classes on it after ten, which take some twelve minutes on two cores. The losses do not fall: d_loss stays near 1.3,
g_loss near 0.8; see gan.py for what does tell how it goes.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

import minigen as mg
from minigen import data, layers
from minigen.models.adversarial.gan import play
from minigen.models.parts.game import (
    GAN,
    Objective,
    draw,
    measure,
    noise,
    require_smoothing,
    restored,
    stretching_nothing,
)
from minigen.models.parts.game import preprocessing as preprocessing
from minigen.models.parts.images import ImageShape, Request, require_fours, saved_shape
from minigen.models.parts.options import require_batch, require_decay, require_positive, require_share
from minigen.training import Run, RunFolder


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # mnist, fashion-mnist, a folder of images, or a .npz file
    size: int | None = None  # pictures of a folder are brought to size × size
    latent: int = 100  # how many numbers of noise z an image is made from
    width: int = 64  # channels of D's first maps and G's last; the others have twice as many
    epochs: int = 10  # passes over the training images
    batch_size: int = 64  # images a step; a last, smaller batch of an epoch is left out
    lr: float = 1e-4  # learning rate of Adam, for both networks
    beta1: float = 0.5  # share of the old mean gradient that Adam keeps
    loss: Objective = "non-saturating"  # what the players minimise; see parts/game.py
    smoothing: float = 0.0  # the label of images, which is 1, is lowered by it for D; 0.1 is usual
    spectral_norm: bool = False  # divide each weight of D by its largest singular value
    dropout: float = 0.3  # share of the discriminator's features that is dropped in training
    schedule: Literal["constant", "cosine"] = "constant"  # the learning rates over all epochs; cosine: they fall to 0
    ema: float | None = None  # average G's weights, by so much of the old ones a step, such as 0.999, to draw with
    seed: int = 0  # decides everything random: weights, order of the images, z, dropout
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "latent", "width", "epochs", "batch_size", "lr", "max_steps")
        require_decay(self.ema)
        require_share(self, "dropout")
        require_batch(self)
        require_smoothing(self.loss, self.smoothing)


# ---------------------------------------------------------------- the networks

init = partial(layers.init.normal, std=0.02)


def generator(image: ImageShape, latent: int, width: int, rng: np.random.Generator) -> layers.Sequential:
    """z (N, latent) → images (N, H, W, C) in [-1, 1], by way of (H/4, W/4, 2·width) and (H/2, W/2, width)."""
    height, width_of_image, channels = image
    small = (height // 4, width_of_image // 4, 2 * width)
    transposed = partial(layers.ConvTranspose2d, kernel_size=5, padding=2, bias=False, rng=rng, init=init)
    return layers.Sequential(
        layers.Linear(latent, math.prod(small), bias=False, rng=rng, init=init),
        layers.BatchNorm(math.prod(small)),
        layers.LeakyReLU(0.2),
        layers.Reshape(*small),
        transposed(2 * width, 2 * width, stride=1),
        layers.BatchNorm(2 * width),
        layers.LeakyReLU(0.2),
        transposed(2 * width, width, stride=2, output_padding=1),
        layers.BatchNorm(width),
        layers.LeakyReLU(0.2),
        transposed(width, channels, stride=2, output_padding=1),
        layers.Tanh(),
    )


def discriminator(image: ImageShape, width: int, dropout: float, rng: np.random.Generator) -> layers.Sequential:
    """Images (N, H, W, C) → the logit of D, (N, 1)."""
    height, width_of_image, channels = image
    convolution = partial(layers.Conv2d, kernel_size=5, stride=2, padding=2, rng=rng, init=init)
    return layers.Sequential(
        convolution(channels, width),
        layers.LeakyReLU(0.2),
        layers.Dropout(dropout, rng=rng),
        convolution(width, 2 * width),
        layers.LeakyReLU(0.2),
        layers.Dropout(dropout, rng=rng),
        layers.Flatten(),
        layers.Linear(height // 4 * (width_of_image // 4) * 2 * width, 1, rng=rng, init=init),
    )


def build(image: ImageShape, recipe: Recipe, rng: np.random.Generator) -> GAN:
    """Both networks with their first weights. Raises ArgumentError when the images can not be halved twice."""
    check_image("dcgan", image)
    g = generator(image, recipe.latent, recipe.width, rng)
    d = discriminator(image, recipe.width, recipe.dropout, rng)
    return GAN(g, stretching_nothing(d, rng) if recipe.spectral_norm else d, image)


def check_image(model: str, image: ImageShape) -> None:
    """Raises ArgumentError when the networks can not reach images of that shape."""
    require_fours(model, image, "the networks halve and double height and width")


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Play Algorithm 1 of the GAN paper, as gan.py has it, and fill the run folder.

    A batch of G's is normalised by its own statistics.
    """
    rng = mg.random.generator(recipe.seed)
    images = data.load(recipe.data, "train", range=(-1, 1), size=recipe.size)
    model = build(images.image_shape, recipe, rng)
    loader = data.DataLoader(images, recipe.batch_size, shuffle=True, rng=rng, drop_last=True)
    play(model, images, loader, recipe, run, rng)


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
