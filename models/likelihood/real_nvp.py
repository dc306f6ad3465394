"""RealNVP: a chain of invertible steps from images to noise, which tells the probability of an image exactly.

L. Dinh, J. Sohl-Dickstein, S. Bengio (2017), Density estimation using Real NVP, https://arxiv.org/abs/1605.08803.

If z = f(x) is invertible and z ~ N(0, I), then (equation 3)

    log p(x) = log N(z; 0, I) + log |det ∂f/∂x|

A coupling (equations 7 and 8) leaves a part of x as it is, and scales and shifts the other by what a network makes of
the first, so that the determinant is a sum, and the inverse needs no inverse of the network:

    y_a = x_a,        y_b = x_b · exp(s(x_a)) + t(x_a),        log |det| = Σ s(x_a)

Which part that is changes from step to step: the squares of a checkerboard, or half of the channels (section 3.4).
Every 2×2 pixels become four channels of one ("squeeze", section 3.6); then half of the channels are done, and the other
half goes on (equation 14).

Grey levels k of 256 become numbers by (k + u) / 256, u ~ U[0, 1), which are stretched to all of ℝ by the logit of
α + (1 - 2α) x with α = 0.05 (section 4.1); both are counted in the figures, which are bits for each pixel.

What to expect on MNIST: after the 10 epochs of the default recipe 1.45 bits a pixel on the test images (1.53 after
five; ddpm's bound is 1.66). The strokes of its samples are those of digits, but few samples are whole ones: a
flow of this size knows what lies next to what, and little of what lies far apart.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import minigen as mg
from minigen import data, layers, optim, plots
from minigen.autograd import Tensor
from minigen.layers import Conv2d
from minigen.models.parts.first_weights import zeroed
from minigen.models.parts.images import Drawn, ImageShape, Request, require_fours, saved_shape
from minigen.models.parts.latent import straight
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import averaging, require_decay, require_positive, scheduling
from minigen.models.parts.quality import glance, quality
from minigen.models.parts.reader import reader_of
from minigen.training import Run, RunFolder, Steps

ALPHA = 0.05  # how far from 0 and 1 a grey level stays


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # mnist, fashion-mnist, a folder of images, or a .npz file
    size: int | None = None  # pictures of a folder are brought to size × size
    width: int = 32  # channels of the networks at full size; twice as many at half of it
    blocks: int = 2  # residual blocks of each network
    couplings: int = 3  # of each kind
    epochs: int = 10  # passes over the training images
    batch_size: int = 64  # images a step
    lr: float = 1e-3  # learning rate of Adam
    schedule: Literal["constant", "cosine"] = "cosine"  # the learning rate over all epochs; cosine: it falls to 0
    ema: float | None = 0.999  # average the weights, by so much of the old ones a step, to measure and draw with
    seed: int = 0  # decides everything random: weights, order of the images, u
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "width", "blocks", "couplings", "epochs", "batch_size", "lr", "max_steps")
        require_decay(self.ema)


# ---------------------------------------------------------------- the steps


def checkerboard(shape: ImageShape, odd: bool) -> np.ndarray:
    """1 on the squares of one colour, 0 on the others, (H, W, C)."""
    height, width, channels = shape
    squares = (np.arange(height)[:, None] + np.arange(width) + odd) % 2
    return np.repeat(squares[..., None], channels, axis=2)


def halves(shape: ImageShape, odd: bool) -> np.ndarray:
    """1 in the first half of the channels, or in the second one, (H, W, C)."""
    first = np.arange(shape[2]) < shape[2] // 2
    return np.broadcast_to(first != odd, shape)


class Coupling(layers.Module):
    """Numbers (N, H, W, C) where mask is 0, scaled and shifted by what a network makes of those where it is 1."""

    def __init__(self, mask: np.ndarray, width: int, blocks: int, rng: np.random.Generator) -> None:
        super().__init__()
        channels = mask.shape[2]
        self.mask = mg.tensor(mask.astype(np.float32))
        self.first = Conv2d(channels, width, 3, padding=1, rng=rng)
        self.blocks = layers.ModuleList(
            [
                layers.Sequential(
                    layers.ReLU(),
                    Conv2d(width, width, 3, padding=1, rng=rng),
                    layers.ReLU(),
                    Conv2d(width, width, 1, rng=rng),
                )
                for _ in range(blocks)
            ]
        )
        self.last = zeroed(Conv2d(width, 2 * channels, 3, padding=1, rng=rng))
        self.scale = layers.Parameter(np.ones(channels, np.float32))

    def change(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        """s and t, (N, H, W, C), 0 where the mask is 1; s is held within ±scale, which is learned."""
        h = self.first(kept)
        for block in self.blocks:
            h = h + block(h)
        s, t = self.last(mg.relu(h)).split(kept.shape[3], -1)
        free = 1.0 - self.mask
        return mg.tanh(s) * self.scale * free, t * free

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y, and log |det ∂y/∂x| (N,)."""
        s, t = self.change(x * self.mask)
        return x * mg.exp(s) + t, s.sum((1, 2, 3))

    def inverse(self, y: Tensor) -> Tensor:
        """x."""
        s, t = self.change(y * self.mask)
        return (y - t) * mg.exp(-s)


class RealNVP(layers.Module):
    """Numbers (N, H, W, C) → noise of as many numbers, (N, H·W·C), and back."""

    image: np.ndarray

    def __init__(self, image: ImageShape, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        height, width, channels = image
        require_fours("real_nvp", image, "they are squeezed twice")
        half, quarter = (height // 2, width // 2, 4 * channels), (height // 4, width // 4, 8 * channels)
        self.half = half

        def steps(mask, shape: ImageShape, wide: int, count: int) -> layers.ModuleList:
            return layers.ModuleList(
                [Coupling(mask(shape, i % 2 == 1), wide, recipe.blocks, rng) for i in range(count)]
            )

        self.full = steps(checkerboard, image, recipe.width, recipe.couplings)
        self.squeezed = steps(halves, half, 2 * recipe.width, recipe.couplings)
        self.small = steps(halves, quarter, 2 * recipe.width, recipe.couplings)
        self.smallest = steps(checkerboard, quarter, 2 * recipe.width, recipe.couplings + 1)
        self.register_buffer("image", np.array(image))  # so that a checkpoint alone can be sampled from

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z (N, H·W·C), and log |det ∂z/∂x| (N,)."""
        x, total = through(self.full, x, 0.0)
        x, total = through(self.squeezed, mg.pixel_unshuffle(x, 2), total)
        done, x = x.split(x.shape[3] // 2, -1)
        x, total = through(self.small, mg.pixel_unshuffle(x, 2), total)
        x, total = through(self.smallest, x, total)
        return mg.concatenate([done.reshape(len(x), -1), x.reshape(len(x), -1)], 1), total

    def inverse(self, z: Tensor) -> Tensor:
        """x (N, H, W, C)."""
        height, width, channels = self.half
        count = z.shape[1] // 2
        done, x = z[:, :count], z[:, count:]
        x = x.reshape(len(z), height // 2, width // 2, 2 * channels)
        x = mg.pixel_shuffle(back(self.small, back(self.smallest, x)), 2)
        x = mg.concatenate([done.reshape(len(z), height, width, channels // 2), x], -1)
        return back(self.full, mg.pixel_shuffle(back(self.squeezed, x), 2))


def through(steps: layers.ModuleList, x: Tensor, total: Any) -> tuple[Tensor, Tensor]:
    """x after couplings, and the sum of log |det| so far."""
    for step in steps:
        x, logs = step(x)
        total = total + logs
    return x, total


def back(steps: layers.ModuleList, x: Tensor) -> Tensor:
    """x before couplings."""
    coupling: Any
    for coupling in reversed(list(steps)):
        x = coupling.inverse(x)
    return x


# ---------------------------------------------------------------- probability


def stretched(x: np.ndarray | Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Grey levels x (N, H, W, C) in [0, 1] as numbers, made continuous by u in [0, 1), and log |det| of it (N,)."""
    inside = ALPHA + (1 - 2 * ALPHA) / 256 * (255.0 * mg.tensor(x) + u)
    y = mg.log(inside) - mg.log(1.0 - inside)
    slopes = math.log((1 - 2 * ALPHA) / 256) - mg.log(inside) - mg.log(1.0 - inside)
    return y, slopes.sum((1, 2, 3))


def shrunk(y: Tensor) -> np.ndarray:
    """Numbers as images in [0, 1]."""
    return np.clip((mg.sigmoid(y).numpy() - ALPHA) / (1 - 2 * ALPHA), 0, 1)


def log_probability(model: RealNVP, x: np.ndarray | Tensor, u: Tensor) -> Tensor:
    """log p(x) of each image, (N,), in nats, on 256 levels: a lower bound, as u is one draw."""
    y, first = stretched(x, u)
    z, second = model(y)
    return first + second - 0.5 * (z * z + math.log(2 * math.pi)).sum(1)


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Maximise log p by Adam, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    reader = reader_of(recipe.data)  # which measures the samples
    images, test = (data.load(recipe.data, split, size=recipe.size) for split in ("train", "test"))
    model = RealNVP(images.image_shape, recipe, rng)
    optimizer = optim.Adam(model.parameters(), lr=recipe.lr)
    loader = data.DataLoader(images, recipe.batch_size, shuffle=True, rng=rng)
    schedule = scheduling(recipe.schedule, optimizer, recipe.epochs * len(loader))
    bit = math.prod(images.image_shape) * math.log(2)

    @mg.record
    def step(x: np.ndarray) -> Tensor:
        loss = -log_probability(model, x, mg.rand(*x.shape, rng=rng)).mean() / bit
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    def drawn(n: int) -> np.ndarray:
        return draw(model, n, mg.random.generator(recipe.seed))

    state = {"model": model, "optimizer": optimizer, "loader": loader, "rng": rng, "schedule": schedule}
    state |= {"ema": averaging(model, recipe.ema)}
    limits = {"epochs": recipe.epochs, "max_steps": recipe.max_steps}
    with Steps(run, loader, state, **limits, held_out=test) as steps:
        for x, *_ in steps:
            steps.log(every=50, bits=step(x))
            with steps.averaged():
                if steps.check_due:
                    steps.record(test_bits=measure(model, test), **glance(reader, drawn))
                if steps.sample_due:
                    plots.save_grid(steps.picture_path(), drawn(64), title=steps.title)


def load(run: RunFolder) -> RealNVP:
    """The model of a run, as it was saved last."""
    model = RealNVP(saved_shape(run), run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model)
    return model


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """Images as `stretched` reads them."""
    return data.image_preprocessing(saved_shape(run))


# ---------------------------------------------------------------- sampling and evaluation


def sample(run: RunFolder, request: Request, rng: np.random.Generator) -> np.ndarray:
    """n images, (n, H, W, C) in [0, 1]."""
    return draw(load(run), request.n, rng)


def draw(model: RealNVP, n: int, rng: np.random.Generator) -> np.ndarray:
    """The images of n draws z ~ N(0, I), (n, H, W, C) in [0, 1]."""
    return decode(model, rng.standard_normal((n, int(model.image.prod())), dtype=np.float32))


def decode(model: RealNVP, z: np.ndarray) -> np.ndarray:
    """The image of each row of z, (N, H, W, C) in [0, 1]; in batches of 250."""
    with evaluating(model):
        return np.concatenate([shrunk(model.inverse(mg.tensor(z[i : i + 250]))) for i in range(0, len(z), 250)])


def evaluate(run: RunFolder) -> dict[str, float]:
    """Bits per dimension of the test images, and how good samples are; draws walks between test images."""
    recipe, model = run.load_recipe(Recipe), load(run)
    test = data.load(recipe.data, "test", size=recipe.size)
    save_walks(run, model, test)
    bits = measure(model, test)
    return {"bits_per_dimension": bits} | quality(lambda n, rng: Drawn(draw(model, n, rng)), run)


def measure(model: RealNVP, images: data.ImageDataset) -> float:
    """-log p(x) in bits for each pixel and channel, averaged over `images`, with one u each, the same every time."""
    rng, total = mg.random.generator(0), 0.0
    with evaluating(model):
        for x, *_ in data.DataLoader(images, 250):
            total -= log_probability(model, x, mg.rand(*x.shape, rng=rng)).sum().item()
    return total / len(images) / math.prod(images.image_shape) / math.log(2)


def save_walks(run: RunFolder, model: RealNVP, test: data.ImageDataset) -> None:
    """Draw the images on straight lines in z from one test image to another, row by row."""
    count = min(16, len(test) // 2 * 2)
    if not count:
        return
    x = test[:count][0]
    with evaluating(model):
        z = model(stretched(x, mg.full(x.shape, 0.5))[0])[0].numpy()
    walks = straight(z[::2], z[1::2])
    images = decode(model, walks.reshape(-1, z.shape[1]))
    title = "real_nvp · from one test image to another, on a straight line in z"
    plots.save_interpolation(
        run.path / "interpolation.png", images.reshape(*walks.shape[:2], *x.shape[1:]), title=title
    )
