"""What models with hidden numbers of an image share: networks, images of zeros and ones, pictures of their space."""

import dataclasses
import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import numpy as np

import minigen as mg
from minigen import data, layers, plots
from minigen.models.parts.images import ImageShape, require_fours
from minigen.training import RunFolder

# ---------------------------------------------------------------- the networks


def mlp(
    image: ImageShape,
    latent: int,
    hidden: int,
    depth: int,
    activation: Callable[[], layers.Module],
    rng: np.random.Generator,
) -> tuple[layers.Sequential, layers.Sequential]:
    """Images → h (N, hidden) and z (N, latent) → logits of images, with `depth` hidden layers each."""
    pixels = math.prod(image)

    def hidden_layers(width: int) -> list[layers.Module]:
        widths = [width] + [hidden] * depth
        return [layer for a, b in pairwise(widths) for layer in (layers.Linear(a, b, rng=rng), activation())]

    encoder = layers.Sequential(layers.Flatten(), *hidden_layers(pixels))
    decoder = layers.Sequential(*hidden_layers(latent), layers.Linear(hidden, pixels, rng=rng), layers.Reshape(*image))
    return encoder, decoder


def convolutional(
    model: str, image: ImageShape, latent: int, hidden: int, rng: np.random.Generator
) -> tuple[layers.Sequential, layers.Sequential]:
    """The same with convolutions: two that halve height and width, and two transposed ones that double them.

    Raises ArgumentError when the images can not be halved twice.
    """
    height, width, channels = image
    why = "the convolutional networks halve height and width twice"
    require_fours(model, image, why, "--architecture mlp, or ")
    small = (height // 4, width // 4, 64)
    features = math.prod(small)
    encoder = layers.Sequential(
        layers.Conv2d(channels, 32, 4, stride=2, padding=1, rng=rng),
        layers.ReLU(),
        layers.Conv2d(32, 64, 4, stride=2, padding=1, rng=rng),
        layers.ReLU(),
        layers.Flatten(),
        layers.Linear(features, hidden, rng=rng),
        layers.ReLU(),
    )
    decoder = layers.Sequential(
        layers.Linear(latent, hidden, rng=rng),
        layers.ReLU(),
        layers.Linear(hidden, features, rng=rng),
        layers.ReLU(),
        layers.Reshape(*small),
        layers.ConvTranspose2d(64, 32, 4, stride=2, padding=1, rng=rng),
        layers.ReLU(),
        layers.ConvTranspose2d(32, channels, 4, stride=2, padding=1, rng=rng),
    )
    return encoder, decoder


# ---------------------------------------------------------------- images of zeros and ones


Binarization = Literal["grey", "static", "dynamic"]  # grey levels as they are; drawn once; drawn anew each time


def zeros_and_ones(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Images in which every pixel is 1 with the probability that its grey level in [0, 1] gives, else 0."""
    return (rng.random(x.shape, dtype=np.float32) < x).astype(np.float32)


def given(
    batch: tuple[np.ndarray, ...], binarization: Binarization, told: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None]:
    """Images as a model is given them, "dynamic" drawn by `rng`, and their classes where it is told them, else None."""
    x, *y = batch
    return zeros_and_ones(x, rng) if binarization == "dynamic" else x, y[0] if told else None


def binarized(images: data.ImageDataset) -> data.ImageDataset:
    """The data set as zeros and ones, drawn once, by the seed 0."""
    drawn = zeros_and_ones(images[:][0], mg.random.generator(0))
    return dataclasses.replace(images, images=(255 * drawn).astype(np.uint8))


# ---------------------------------------------------------------- pictures

Coder = Callable[[Any, np.ndarray, np.ndarray | None], np.ndarray]


def save_pictures(
    run: RunFolder, model: Any, test: data.ImageDataset, encode: Coder, decode: Coder, told: bool = False
) -> None:
    """Draw reconstructions, walks between test images, walks along each hidden number, and the map of the plane.

    encode(model, x, y) → z (N, latent), decode(model, z, y) → images in [0, 1]; y is None unless `told`.
    """
    images, labels = in_part(test, 50, told)
    z = encode(model, images, labels)
    title = f"{run.model} · test images, each over its reconstruction"
    plots.save_reconstructions(run.path / "reconstructions.png", images, decode(model, z, labels), title=title)
    pairs = min(16, len(images) // 2 * 2)
    if pairs:
        walks = straight(z[0:pairs:2], z[1:pairs:2])
        classes = None if labels is None else np.repeat(labels[0:pairs:2], walks.shape[1])
        title = f"{run.model} · from one test image to another, on a straight line in z"
        save_walks(run, "interpolation.png", walks, partial(decode, model), classes, title)
    axes = min(z.shape[1], 10)
    walks = np.repeat(np.repeat(z[:1], axes, axis=0)[:, None], 11, axis=1)
    spread = encode(model, *in_part(test, 1000, told)).std(axis=0)
    widest = np.argsort(-spread)[:axes]
    for axis, i in enumerate(widest):
        walks[axis, :, i] = np.linspace(-3, 3, 11) * max(spread[i], 1e-6)
    classes = None if labels is None else np.repeat(labels[:1], axes * 11)
    title = f"{run.model} · hidden number {', '.join(map(str, widest))}, a row each, from -3 to 3 deviations"
    save_walks(run, "traversal.png", walks, partial(decode, model), classes, title)
    if z.shape[1] >= 2 and not told:
        mu = np.concatenate([encode(model, x, None) for x, *_ in data.DataLoader(test, 1000)])
        manifold = (lambda at: decode(model, at, None)) if z.shape[1] == 2 else None  # the VAE paper's figure 4
        plots.save_latent_map(run.path / "latent.png", mu, test.labels, test.classes, manifold)


def in_part(test: data.ImageDataset, n: int, told: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """The first images, and their classes where a model is told them."""
    return test[:n][0], test.labels[:n] if told and test.labels is not None else None


def straight(first: np.ndarray, second: np.ndarray, steps: int = 10) -> np.ndarray:
    """(N, steps, latent): from each row of first (N, latent) to that of second on a straight line."""
    t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    return (1 - t) * first[:, None] + t * second[:, None]


def save_walks(
    run: RunFolder, name: str, walks: np.ndarray, decode: Callable[..., np.ndarray], y: np.ndarray | None, title: str
) -> None:
    """Draw the images along walks (rows, steps, latent), each a row."""
    images = decode(walks.reshape(-1, walks.shape[-1]).astype(np.float32), y)
    plots.save_interpolation(run.path / name, images.reshape(*walks.shape[:2], *images.shape[1:]), title=title)
