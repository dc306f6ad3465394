"""The game of two players: the GAN's losses, noise and draw, and what can be measured of a game.

A generator G turns noise z into an image, a discriminator D gives the logit of the probability that an image is from
the data. Goodfellow et al. (2014), https://arxiv.org/abs/1406.2661; the steps of both are in adversarial/gan.py.
"""

from typing import Literal, TypeVar

import numpy as np

import minigen as mg
from minigen import data, layers
from minigen.autograd import Tensor
from minigen.errors import ArgumentError
from minigen.models.parts.images import Drawn, ImageShape, saved_shape
from minigen.models.parts.modes import evaluating
from minigen.models.parts.quality import quality
from minigen.models.parts.referee import COUNT, Referee
from minigen.training import Run, RunFolder


class GAN(layers.Module):
    """Both players, and the shape (H, W, C) of the images they play with."""

    def __init__(self, generator: layers.Module, discriminator: layers.Module, image: ImageShape) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.register_buffer("image", np.array(image))  # so that a checkpoint alone can be sampled from


Players = TypeVar("Players", bound=GAN)

# ---------------------------------------------------------------- the losses

Objective = Literal["non-saturating", "minimax", "least-squares", "hinge"]
BORDERS: dict[Objective, float] = {  # D's output between "image" and "sample"
    "non-saturating": 0.0,
    "minimax": 0.0,
    "least-squares": 0.5,
    "hinge": 0.0,
}


def require_smoothing(objective: Objective, smoothing: float) -> None:
    """Raises ArgumentError unless labels can be smoothed so; the hinge loss has none."""
    if not 0 <= smoothing < 0.5:
        raise ArgumentError(f"smoothing is {smoothing}; use a number from 0 up to 0.5, such as 0.1")
    if smoothing and objective == "hinge":
        raise ArgumentError(f"smoothing is {smoothing}, but the hinge loss has no labels; leave it out")


def discriminator_loss(
    real: Tensor, fake: Tensor, objective: Objective = "non-saturating", smoothing: float = 0.0
) -> Tensor:
    """What D minimises, averaged over the batch, from its outputs a for images and b for samples.

    non-saturating and minimax: -V(D, G), D = 1 / (1 + e⁻ᵃ): -log D = softplus(-a), -log(1 - D) = softplus(b).
    least-squares: ½ (a - 1)² + ½ b² (Mao et al. 2017, equation 9). hinge: max(0, 1 - a) + max(0, 1 + b) (Lim, Ye 2017,
    equation 10). smoothing: s makes 1 - s of the label of images, which is 1 (Salimans et al. 2016, section 3.4).
    """
    if objective == "hinge":
        return mg.relu(1.0 - real).mean() + mg.relu(1.0 + fake).mean()
    if objective == "least-squares":
        miss = real - (1.0 - smoothing)
        return 0.5 * (miss * miss).mean() + 0.5 * (fake * fake).mean()
    loss = mg.softplus(-real).mean() + mg.softplus(fake).mean()
    return loss + smoothing * real.mean() if smoothing else loss  # s softplus(a) - s softplus(-a) = s a


def generator_loss(fake: Tensor, objective: Objective = "non-saturating") -> Tensor:
    """What G minimises, averaged over the batch, from D's outputs b for samples.

    non-saturating: -log D; minimax: log(1 - D), which is flat where D is sure; least-squares: ½ (b - 1)²; hinge: -b.
    """
    if objective == "hinge":
        return -fake.mean()
    if objective == "least-squares":
        return 0.5 * ((fake - 1.0) * (fake - 1.0)).mean()
    return -mg.softplus(fake).mean() if objective == "minimax" else mg.softplus(-fake).mean()


def stretching_nothing(network: layers.Sequential, rng: np.random.Generator) -> layers.Sequential:
    """The network with every weight divided by its largest singular value (Miyato et al. 2018, equation 8)."""
    for layer in network:
        if isinstance(layer, (layers.Linear, layers.Conv2d)):
            layers.spectral_norm(layer, rng=rng)
    return network


def restored(model: Players, run: RunFolder) -> Players:
    """Both networks with the weights that a run saved last; G with the averaged ones where there are some."""
    run.load_weights(model, averaged=model.generator)
    return model


# ---------------------------------------------------------------- noise, and what becomes of it


def noise(n: int, latent: int, rng: np.random.Generator) -> Tensor:
    """n draws z ~ N(0, I), (n, latent)."""
    return mg.randn(n, latent, rng=rng)


def opinion(outputs: Tensor, objective: Objective = "non-saturating") -> Tensor:
    """What D says of a batch: the probability of being an image where its outputs are logits, else the outputs."""
    return mg.sigmoid(outputs) if objective in ("non-saturating", "minimax") else outputs


def mean_d(outputs: Tensor, objective: Objective = "non-saturating") -> float:
    """The mean of D's opinion over a batch."""
    return opinion(outputs.detach(), objective).mean().item()


def draw(model: GAN, z: Tensor | np.ndarray) -> np.ndarray:
    """The image of each row of z (N, latent), (N, H, W, C) in [0, 1]; in evaluation mode, in batches of 500."""
    with evaluating(model.generator):
        batches = [model.generator(z[i : i + 500]).numpy() for i in range(0, len(z), 500)]
    return np.concatenate(batches) * 0.5 + 0.5


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """Images as D reads them."""
    return data.image_preprocessing(saved_shape(run), range=(-1, 1))


# ---------------------------------------------------------------- what can be measured


def measure(
    model: GAN, run: RunFolder, latent: int, objective: Objective | None = "non-saturating"
) -> dict[str, float]:
    """How good as many samples are as there are test images, of the same noise every time; see quality.quality.

    Besides, grey levels running from 0 to 1: d_test, d_samples: the mean of D's opinion of test images, and of samples
    (of a critic, objective None, its outputs'). pixel_mean_error: the mean image of the samples against that of the
    test images, mean absolute difference. pixel_deviation_…: the standard deviation over images, averaged over pixels,
    which is small for images that are all alike.
    """
    x = data.load(run.recipe["data"], "test", size=run.recipe["size"])[:10_000][0]
    samples = draw(model, noise(len(x), latent, mg.random.generator(0)))
    says = [opinion(mg.tensor(judge(model, images)), objective or "hinge").mean().item() for images in (x, samples)]
    pixels = {
        "d_test": says[0],
        "d_samples": says[1],
        "pixel_mean_error": float(
            np.abs(samples.mean(axis=0, dtype=np.float64) - x.mean(axis=0, dtype=np.float64)).mean()
        ),
        "pixel_deviation_test": float(x.std(axis=0, dtype=np.float64).mean()),
        "pixel_deviation_samples": float(samples.std(axis=0, dtype=np.float64).mean()),
    }
    return quality(lambda n, rng: Drawn(draw(model, noise(n, latent, rng))), run) | pixels


def referee(model: GAN, images: data.ImageDataset, run: Run, latent: int, border: float | None = 0.0) -> Referee:
    """Who watches the game; see referee.Referee."""
    z = noise(COUNT, latent, mg.random.generator(0))
    held_out = data.load(run.recipe["data"], "test", size=run.recipe["size"])
    players = {"g": model.generator, "d": model.discriminator}
    return Referee(
        run, players, lambda n: Drawn(draw(model, z[:n])), lambda part, x, y: judge(model, x), images, held_out, border
    )


def judge(model: GAN, x: np.ndarray) -> np.ndarray:
    """D's output for each image in [0, 1], (N, 1); in evaluation mode."""
    d = model.discriminator
    with evaluating(d):
        return np.concatenate([d(mg.tensor(x[i : i + 500] * 2 - 1)).numpy() for i in range(0, len(x), 500)])
