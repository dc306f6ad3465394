"""The generative adversarial network.

I. Goodfellow et al. (2014), Generative adversarial nets, https://arxiv.org/abs/1406.2661.

A generator G turns noise z ~ N(0, I) into an image; a discriminator D tells the probability that an image is from the
data and not from G. They play a game over

    V(D, G) = E_x[log D(x)] + E_z[log(1 - D(G(z)))]                                          (equation 1)

D maximises V. G, for which the second term is too flat at the start to learn from, maximises log D(G(z)) instead
(section 3, the non-saturating loss). Algorithm 1 with k = 1: one step of D on a batch of images and one of G's, then
one step of G.

What to expect: neither loss falls to a value that says how good the images are. A balanced game hovers with D(x) above
and D(G(z)) below 1/2; the figures to watch are those of `minigen eval` and, above all, the sheets in samples/. If the
images all look alike while `pixel_deviation_samples` is far below that of the data, G has collapsed.
"""

import math
from dataclasses import dataclass

import numpy as np

import minigen as mg
from minigen import data, layers, optim, plots
from minigen.autograd import Tensor
from minigen.training import Run, checkpoint

from . import require_positive

ImageShape = tuple[int, ...]  # (H, W, C)


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
    seed: int = 0  # decides everything random: weights, order of the images, z
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "latent", "epochs", "batch_size", "lr", "max_steps")


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


def discriminator(image: ImageShape, rng: np.random.Generator) -> layers.Sequential:
    """Images (N, H, W, C) → the logit of D, (N, 1)."""
    return layers.Sequential(
        layers.Flatten(),
        layers.Linear(math.prod(image), 512, rng=rng),
        layers.LeakyReLU(0.2),
        layers.Linear(512, 256, rng=rng),
        layers.LeakyReLU(0.2),
        layers.Linear(256, 1, rng=rng),
    )


class GAN(layers.Module):
    """Both players, and the shape (H, W, C) of the images they play with."""

    def __init__(self, generator: layers.Module, discriminator: layers.Module, image: ImageShape) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.register_buffer("image", np.array(image))  # so that a checkpoint alone can be sampled from


def build(image: ImageShape, recipe: Recipe, rng: np.random.Generator) -> GAN:
    """Both networks with their first weights."""
    return GAN(generator(image, recipe, rng), discriminator(image, rng), image)


# ---------------------------------------------------------------- the losses


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-V(D, G), averaged over the batch, from the logits: -log D(x) = softplus(-a), -log(1 - D(x)) = softplus(a)."""
    return mg.softplus(-real).mean() + mg.softplus(fake).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """-log D(G(z)), averaged over the batch, from the logits."""
    return mg.softplus(-fake).mean()


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Play Algorithm 1, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    images = data.load(recipe.data, "train", range=(-1, 1), size=recipe.size)
    model = build(images.image_shape, recipe, rng)
    g, d = model.generator, model.discriminator
    g_optimizer = optim.Adam(g.parameters(), lr=recipe.lr, betas=(recipe.beta1, 0.999))
    d_optimizer = optim.Adam(d.parameters(), lr=recipe.lr, betas=(recipe.beta1, 0.999))
    loader = data.DataLoader(images, recipe.batch_size, shuffle=True, rng=rng)
    total = recipe.epochs * len(loader)
    if recipe.max_steps is not None:
        total = min(total, recipe.max_steps)

    state = {"model": model, "g_optimizer": g_optimizer, "d_optimizer": d_optimizer, "loader": loader, "rng": rng}
    start = run.restore(state)
    with run.progress(total, start) as progress:
        for step, (x, *_) in loader.steps(start, total):
            fake = g(mg.tensor(noise(len(x), recipe.latent, rng)))

            # D's step. `detach`: nothing of this loss goes back into G.
            real_logits, fake_logits = d(mg.tensor(x)), d(fake.detach())
            d_loss = discriminator_loss(real_logits, fake_logits)
            d_optimizer.zero_grad()
            d_loss.backward()
            d_optimizer.step()

            # G's step, through D as it is now. `frozen`: D's own weights need no gradient for it.
            with d.frozen():
                g_loss = generator_loss(d(fake))
            g_optimizer.zero_grad()
            g_loss.backward()
            g_optimizer.step()

            values = {"d_loss": d_loss, "g_loss": g_loss, "d_real": mean_d(real_logits), "d_fake": mean_d(fake_logits)}
            progress.update(step, **values)
            if step % 50 == 0 or loader.epoch_done:
                run.log(step, **values)
            if loader.epoch_done or step == total or progress.interrupted:
                run.save(state, step)
            if loader.epoch_done or step == total:
                z = noise(64, recipe.latent, mg.random.generator(recipe.seed))  # the same for every sheet
                plots.save_grid(run.sample_path(step), draw(model, z))
            if progress.interrupted:
                break
    run.finish(**({} if run.interrupted else evaluate(run)))


def noise(n: int, latent: int, rng: np.random.Generator) -> np.ndarray:
    """n draws z ~ N(0, I), (n, latent)."""
    return rng.standard_normal((n, latent), dtype=np.float32)


def mean_d(logits: Tensor) -> float:
    """The mean of D over a batch, from the logits."""
    return mg.sigmoid(logits.detach()).mean().item()


def load(run: Run) -> GAN:
    """Both networks of a run, as they were saved last."""
    _, saved = checkpoint.read(run.checkpoint_path)
    model = build(tuple(saved["model"]["image"].tolist()), run.load_recipe(Recipe), mg.random.generator(0))
    run.load({"model": model})
    return model


# ---------------------------------------------------------------- sampling and evaluation


def sample(run: Run, n: int, rng: np.random.Generator) -> np.ndarray:
    """n images, (n, H, W, C) in [0, 1]."""
    return draw(load(run), noise(n, run.load_recipe(Recipe).latent, rng))


def draw(model: GAN, z: np.ndarray) -> np.ndarray:
    """The image of each row of z (N, latent), (N, H, W, C) in [0, 1]; in evaluation mode, in batches of 500."""
    model.generator.eval()
    with mg.no_grad():
        batches = [model.generator(mg.tensor(z[i : i + 500])).numpy() for i in range(0, len(z), 500)]
    model.generator.train()
    return np.concatenate(batches) * 0.5 + 0.5


def evaluate(run: Run) -> dict[str, float]:
    """What D says, and how the pixels are spread, on test images and on as many samples."""
    recipe = run.load_recipe(Recipe)
    return measure(load(run), data.load(recipe.data, "test", size=recipe.size), recipe.latent)


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
        "pixel_mean_error": float(np.abs(samples.mean(axis=0) - x.mean(axis=0)).mean()),
        "pixel_deviation_test": float(x.std(axis=0).mean()),
        "pixel_deviation_samples": float(samples.std(axis=0).mean()),
    }


def judge(model: GAN, x: np.ndarray) -> np.ndarray:
    """D of each image in [0, 1], (N, 1); in evaluation mode."""
    model.discriminator.eval()
    with mg.no_grad():
        batches = [mg.sigmoid(model.discriminator(mg.tensor(x[i : i + 500] * 2 - 1))) for i in range(0, len(x), 500)]
    model.discriminator.train()
    return np.concatenate([batch.numpy() for batch in batches])
