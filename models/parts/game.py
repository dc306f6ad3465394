"""The game of two players: the GAN's losses, noise and draw, and what can be measured of a game.

A generator G turns noise z into an image, a discriminator D gives the logit of the probability that an image is from
the data. Goodfellow et al. (2014), https://arxiv.org/abs/1406.2661; the steps of both are in adversarial/gan.py.
"""

import numpy as np

import minigen as mg
from minigen import data, layers
from minigen.autograd import Tensor
from minigen.models.parts.images import ImageShape, saved_shape
from minigen.models.parts.modes import evaluating
from minigen.training import RunFolder


class GAN(layers.Module):
    """Both players, and the shape (H, W, C) of the images they play with."""

    def __init__(self, generator: layers.Module, discriminator: layers.Module, image: ImageShape) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.register_buffer("image", np.array(image))  # so that a checkpoint alone can be sampled from


# ---------------------------------------------------------------- the losses


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-V(D, G), averaged over the batch, from the logits: -log D(x) = softplus(-a), -log(1 - D(x)) = softplus(a)."""
    return mg.softplus(-real).mean() + mg.softplus(fake).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """-log D(G(z)), averaged over the batch, from the logits."""
    return mg.softplus(-fake).mean()


# ---------------------------------------------------------------- noise, and what becomes of it


def noise(n: int, latent: int, rng: np.random.Generator) -> Tensor:
    """n draws z ~ N(0, I), (n, latent)."""
    return mg.randn(n, latent, rng=rng)


def mean_d(logits: Tensor) -> float:
    """The mean of D over a batch, from the logits."""
    return mg.sigmoid(logits.detach()).mean().item()


def draw(model: GAN, z: Tensor | np.ndarray) -> np.ndarray:
    """The image of each row of z (N, latent), (N, H, W, C) in [0, 1]; in evaluation mode, in batches of 500."""
    with evaluating(model.generator):
        batches = [model.generator(z[i : i + 500]).numpy() for i in range(0, len(z), 500)]
    return np.concatenate(batches) * 0.5 + 0.5


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """Images as D reads them."""
    return data.image_preprocessing(saved_shape(run), range=(-1, 1))


# ---------------------------------------------------------------- what can be measured


def measure(model: GAN, test: data.ImageDataset, latent: int) -> dict[str, float]:
    """Figures that need no other network. Grey levels run from 0 to 1; the samples are the same ones every time.

    d_test, d_samples: mean of D over test images, and over samples. pixel_mean_error: the mean image of the samples
    against that of the test images, mean absolute difference. pixel_deviation_…: the standard deviation over images,
    averaged over pixels, which is small for images that are all alike.
    """
    x = test[:10_000][0]
    samples = draw(model, noise(len(x), latent, mg.random.generator(0)))
    return {
        "d_test": float(judge(model, x).mean()),
        "d_samples": float(judge(model, samples).mean()),
        "pixel_mean_error": float(
            np.abs(samples.mean(axis=0, dtype=np.float64) - x.mean(axis=0, dtype=np.float64)).mean()
        ),
        "pixel_deviation_test": float(x.std(axis=0, dtype=np.float64).mean()),
        "pixel_deviation_samples": float(samples.std(axis=0, dtype=np.float64).mean()),
    }


def judge(model: GAN, x: np.ndarray) -> np.ndarray:
    """D of each image in [0, 1], (N, 1); in evaluation mode."""
    d = model.discriminator
    with evaluating(d):
        return np.concatenate([mg.sigmoid(d(mg.tensor(x[i : i + 500] * 2 - 1))).numpy() for i in range(0, len(x), 500)])
