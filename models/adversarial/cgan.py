"""The conditional GAN: digits of the class that one asks for.

M. Mirza, S. Osindero (2014), Conditional generative adversarial nets, https://arxiv.org/abs/1411.1784.

The game of gan.py, in which both players are told the class y of an image:

    V(D, G) = E_x[log D(x|y)] + E_z[log(1 - D(G(z|y)|y))]                                    (equation 2)

so that a sample has to look like an image of its class, and not of any. The networks are those of dcgan.py. G reads y
beside z, as a one-hot vector. D takes it in as a projection (Miyato, Koyama 2018, https://arxiv.org/abs/1802.05637,
equation 4), which follows from writing log p(x|y) / q(x|y) as a class's part and a common one:

    D's logit = v_y · φ(x) / √n + ψ(φ(x)),   φ the convolutions, of n numbers, v_y learned for the class, ψ linear

What to expect on MNIST: each column of a sheet is of one class within two epochs; after ten, with averaged weights
(--ema 0.999), 98 of a hundred samples are read as what was asked for.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

import minigen as mg
from minigen import data, layers, optim, plots
from minigen.autograd import Tensor
from minigen.models.adversarial import dcgan
from minigen.models.parts.game import GAN, discriminator_loss, generator_loss, mean_d, noise, restored
from minigen.models.parts.game import preprocessing as preprocessing
from minigen.models.parts.images import ClassRequest as Request
from minigen.models.parts.images import Drawn, ImageShape, asked, class_names, saved_shape
from minigen.models.parts.labels import LONGEST, complete, labelled
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import (
    averaging,
    require_batch,
    require_decay,
    require_positive,
    require_share,
    scheduling,
)
from minigen.models.parts.quality import quality
from minigen.models.parts.referee import COUNT, Referee
from minigen.training import Run, RunFolder, Steps


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # mnist, fashion-mnist, a folder of images with a folder a class, or a .npz file with labels
    size: int | None = None  # pictures of a folder are brought to size × size
    latent: int = 100  # how many numbers of noise z an image is made from
    width: int = 64  # channels of D's first maps and G's last; the others have twice as many
    epochs: int = 10  # passes over the training images
    batch_size: int = 64  # images a step; a last, smaller batch of an epoch is left out
    lr: float = 2e-4  # learning rate of Adam, for both networks
    beta1: float = 0.5  # share of the old mean gradient that Adam keeps
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


# ---------------------------------------------------------------- the networks


class Generator(layers.Module):
    """z (N, latent) and classes y (N,) → images (N, H, W, C) in [-1, 1]."""

    def __init__(self, image: ImageShape, classes: int, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        self.classes = classes
        self.network = dcgan.generator(image, recipe.latent + classes, recipe.width, rng)

    def forward(self, z: Tensor, y: np.ndarray | Tensor) -> Tensor:
        """G(z|y)."""
        return self.network(mg.concatenate([z, mg.one_hot(y, self.classes).astype("float32")], axis=1))


class Discriminator(layers.Module):
    """Images (N, H, W, C) and classes y (N,) → the logit of D, (N, 1)."""

    def __init__(self, image: ImageShape, classes: int, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        *convolutions, self.last = dcgan.discriminator(image, recipe.width, recipe.dropout, rng)
        self.features = layers.Sequential(*convolutions)
        self.of_class = layers.Embedding(classes, self.last.parameters()[0].shape[0], rng=rng)

    def forward(self, x: Tensor, y: np.ndarray | Tensor) -> Tensor:
        """v_y · φ(x) / √n + ψ(φ(x)), φ(x) of n numbers."""
        features = self.features(x)
        own = (self.of_class(y) * features).sum(1, keepdims=True) / features.shape[1] ** 0.5
        return self.last(features) + own


class CGAN(GAN):
    """Both players, the shape of the images, and the number of classes."""

    classes: np.ndarray

    def __init__(self, image: ImageShape, classes: int, recipe: Recipe, rng: np.random.Generator) -> None:
        dcgan.check_image("cgan", image)
        super().__init__(Generator(image, classes, recipe, rng), Discriminator(image, classes, recipe, rng), image)
        self.register_buffer("classes", np.array(classes))


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Algorithm 1 of the GAN paper with classes, and fill the run folder. One batch of G's serves both steps."""
    rng = mg.random.generator(recipe.seed)
    images = complete(labelled(recipe.data, "train", recipe.size, range=(-1, 1)))
    held_out = labelled(recipe.data, "test", recipe.size)
    classes = len(images.classes)
    model = CGAN(images.image_shape, classes, recipe, rng)
    g, d = model.generator, model.discriminator
    g_optimizer, d_optimizer = (
        optim.Adam(player.parameters(), lr=recipe.lr, betas=(recipe.beta1, 0.999)) for player in (g, d)
    )
    loader = data.DataLoader(images, recipe.batch_size, shuffle=True, rng=rng, drop_last=True)
    g_schedule, d_schedule = (
        scheduling(recipe.schedule, optimizer, recipe.epochs * len(loader)) for optimizer in (g_optimizer, d_optimizer)
    )

    @mg.record
    def step(x: np.ndarray, y: np.ndarray) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        fake = g(noise(len(x), recipe.latent, rng), y)

        # D's step: images and samples of the same classes.
        real_logits, fake_logits = d(mg.tensor(x), y), d(fake.detach(), y)
        d_loss = discriminator_loss(real_logits, fake_logits)
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()

        # G's step, through D as it is now.
        with d.frozen():
            g_loss = generator_loss(d(fake, y))
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        return d_loss, g_loss, real_logits.detach(), fake_logits.detach()

    state = {"model": model, "g_optimizer": g_optimizer, "d_optimizer": d_optimizer, "loader": loader, "rng": rng}
    state |= {"g_schedule": g_schedule, "d_schedule": d_schedule, "ema": averaging(g, recipe.ema)}
    z = noise(max(10 * classes, COUNT), recipe.latent, mg.random.generator(recipe.seed))  # the same for every sheet

    def drawn(n: int) -> Drawn:
        y = np.arange(n) % classes
        return Drawn(draw(model, z[:n], y), y)

    watched = Referee(run, {"g": g, "d": d}, drawn, lambda part, x, y: judge(model, x, y), images, held_out)
    with Steps(run, loader, state, epochs=recipe.epochs, max_steps=recipe.max_steps) as steps:
        for x, y in steps:
            d_loss, g_loss, real_logits, fake_logits = step(x, y)
            every = 1 if steps.check_due else 50  # the end of an epoch has a row, too
            steps.log(every, d_loss=d_loss, g_loss=g_loss, d_real=mean_d(real_logits), d_fake=mean_d(fake_logits))
            with steps.averaged():
                if steps.check_due:
                    steps.record(**watched.look(steps.step))
                if steps.sample_due:
                    sheet = drawn(10 * classes).images
                    plots.save_grid(steps.picture_path(), sheet, columns=classes, title=steps.title)


def load(run: RunFolder) -> CGAN:
    """Both networks of a run, as they were saved last."""
    classes = int(run.saved()["model"]["classes"])
    return restored(CGAN(saved_shape(run), classes, run.load_recipe(Recipe), mg.random.generator(0)), run)


# ---------------------------------------------------------------- sampling and evaluation


def sample(run: RunFolder, request: Request, rng: np.random.Generator) -> np.ndarray:
    """n images, (n, H, W, C) in [0, 1], of the class that is asked for."""
    model = load(run)
    y = asked(request.class_, request.n, run, int(model.classes))
    return draw(model, noise(request.n, run.load_recipe(Recipe).latent, rng), y)


def draw(model: CGAN, z: Tensor, y: np.ndarray) -> np.ndarray:
    """The image of each row of z (N, latent) and class (N,), (N, H, W, C) in [0, 1]; in batches of 500."""
    with evaluating(model.generator):
        batches = [model.generator(z[i : i + 500], y[i : i + 500]).numpy() for i in range(0, len(y), 500)]
    return np.concatenate(batches) * 0.5 + 0.5


def judge(model: CGAN, x: np.ndarray, y: np.ndarray | None) -> np.ndarray:
    """D's output for each image in [0, 1] and its class, (N, 1)."""
    y = np.zeros(len(x), np.int64) if y is None else y
    d, spans = model.discriminator, [slice(i, i + 500) for i in range(0, len(x), 500)]
    with evaluating(d):
        return np.concatenate([d(mg.tensor(x[span] * 2 - 1), y[span]).numpy() for span in spans])


def evaluate(run: RunFolder) -> dict[str, float]:
    """How good samples are, as many of each class; see quality.quality. Draws a sheet of all classes."""
    recipe, model = run.load_recipe(Recipe), load(run)

    def drawn(n: int, rng: np.random.Generator) -> Drawn:
        y = np.arange(n) % int(model.classes)
        return Drawn(draw(model, noise(n, recipe.latent, rng), y), y)

    names = class_names(run, int(model.classes))
    sheet = drawn(10 * len(names), mg.random.generator(0)).images
    captions = [name[:LONGEST] for name in names] * 10
    plots.save_grid(
        run.path / "classes.png", sheet, columns=len(names), title="cgan · what was asked", captions=captions
    )
    x, y = labelled(recipe.data, "test", recipe.size)[:10_000]
    says = {"d_test": judge(model, x, y), "d_samples": judge(model, *drawn(len(x), mg.random.generator(0)))}
    figures = {name: float(mg.sigmoid(mg.tensor(logits)).mean().item()) for name, logits in says.items()}
    return quality(drawn, run) | figures
