"""The variational autoencoder.

D. P. Kingma, M. Welling (2014), Auto-Encoding Variational Bayes, https://arxiv.org/abs/1312.6114.

An image x is thought to come from a few hidden numbers z ~ N(0, I) through a decoder p(x|z). The encoder q(z|x), a
Gaussian with diagonal covariance, guesses z from x. Both are trained at once by maximising the lower bound on log p(x)

    ELBO(x) = E_q(z|x)[log p(x|z)] - KL(q(z|x) ‖ p(z))                                       (equation 3)

with z = mu + sigma·eps, eps ~ N(0, I), so that the gradient passes through the sample (section 2.4), and

    KL = -1/2 Σ_j (1 + log sigma_j² - mu_j² - sigma_j²)                                      (appendix B)

p(x|z) is a Bernoulli for every pixel (appendix C.1); a grey level is taken as a probability, as is customary.

What to expect on MNIST: both terms are in nats per image, summed over pixels and over the numbers of z. After the 20
epochs of the default recipe -ELBO on the test images is about 103, of which the KL term is about 25.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

import minigen as mg
from minigen import data, layers, optim, plots
from minigen.autograd import Tensor
from minigen.errors import ArgumentError
from minigen.models.parts.images import ImageShape, Request, hold_out, saved_shape
from minigen.models.parts.options import ScheduleName, averaging, require_decay, require_positive, scheduling, stopping
from minigen.training import Run, RunFolder, Steps


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # mnist, fashion-mnist, a folder of images, or a .npz file
    size: int | None = None  # pictures of a folder are brought to size × size
    architecture: Literal["mlp", "convolutional"] = "mlp"  # the networks of encoder and decoder
    latent: int = 20  # how many hidden numbers z describe an image; 2 gives a map of all digits
    hidden: int = 512  # width of the hidden layer
    epochs: int = 20  # passes over the training images
    batch_size: int = 128  # images a step
    lr: float = 1e-3  # learning rate of Adam
    schedule: ScheduleName = "constant"  # lr over all epochs; cosine: falls to 0; plateau: halved when nothing improves
    ema: float | None = None  # average the weights, by so much of the old ones a step, such as 0.999
    patience: int | None = None  # stop when images held out were no better for so many epochs
    seed: int = 0  # decides everything random: weights, order of the images, eps
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "latent", "hidden", "epochs", "batch_size", "lr", "patience", "max_steps")
        require_decay(self.ema)


# ---------------------------------------------------------------- the networks


def mlp(image: ImageShape, recipe: Recipe, rng: np.random.Generator) -> tuple[layers.Sequential, layers.Sequential]:
    """Image → h and z → logits, with one hidden layer each (appendix C)."""
    pixels = math.prod(image)
    encoder = layers.Sequential(
        layers.Flatten(),
        layers.Linear(pixels, recipe.hidden, rng=rng),
        layers.ReLU(),
    )
    decoder = layers.Sequential(
        layers.Linear(recipe.latent, recipe.hidden, rng=rng),
        layers.ReLU(),
        layers.Linear(recipe.hidden, pixels, rng=rng),
        layers.Reshape(*image),
    )
    return encoder, decoder


def convolutional(
    image: ImageShape, recipe: Recipe, rng: np.random.Generator
) -> tuple[layers.Sequential, layers.Sequential]:
    """The same with convolutions: two that halve height and width, and two transposed ones that double them."""
    height, width, channels = image
    if height % 4 or width % 4:
        raise ArgumentError(
            f"vae: images are {height}×{width}, but the convolutional networks halve height and width twice; "
            "use --architecture mlp, or images whose sides are multiples of 4"
        )
    small = (height // 4, width // 4, 64)
    features = math.prod(small)
    encoder = layers.Sequential(
        layers.Conv2d(channels, 32, 4, stride=2, padding=1, rng=rng),
        layers.ReLU(),
        layers.Conv2d(32, 64, 4, stride=2, padding=1, rng=rng),
        layers.ReLU(),
        layers.Flatten(),
        layers.Linear(features, recipe.hidden, rng=rng),
        layers.ReLU(),
    )
    decoder = layers.Sequential(
        layers.Linear(recipe.latent, recipe.hidden, rng=rng),
        layers.ReLU(),
        layers.Linear(recipe.hidden, features, rng=rng),
        layers.ReLU(),
        layers.Reshape(*small),
        layers.ConvTranspose2d(64, 32, 4, stride=2, padding=1, rng=rng),
        layers.ReLU(),
        layers.ConvTranspose2d(32, channels, 4, stride=2, padding=1, rng=rng),
    )
    return encoder, decoder


class VAE(layers.Module):
    """Encoder q(z|x) and decoder p(x|z) for images of shape (H, W, C)."""

    def __init__(self, image: ImageShape, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        networks = mlp if recipe.architecture == "mlp" else convolutional
        self.encoder, self.decoder = networks(image, recipe, rng)
        self.mu = layers.Linear(recipe.hidden, recipe.latent, rng=rng)
        self.logvar = layers.Linear(recipe.hidden, recipe.latent, rng=rng)
        self.register_buffer("image", np.array(image))  # so that a checkpoint alone can be sampled from

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu and log sigma² of q(z|x), each (N, latent)."""
        h = self.encoder(x)
        return self.mu(h), self.logvar(h)

    def forward(self, x: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """The logits of p(x|z) for one sample z of q(z|x), (N, H, W, C), and mu and log sigma²."""
        mu, logvar = self.encode(x)
        return self.decoder(reparametrize(mu, logvar, rng)), mu, logvar


def reparametrize(mu: Tensor, logvar: Tensor, rng: np.random.Generator) -> Tensor:
    """z = mu + sigma·eps: a sample of q(z|x) through which mu and sigma get their gradients (section 2.4)."""
    return mu + mg.exp(0.5 * logvar) * mg.randn_like(mu, rng=rng)


# ---------------------------------------------------------------- the loss


def negative_elbo(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
    """The two terms of -ELBO, in nats, averaged over the N images: -log p(x|z), and KL(q(z|x) ‖ p(z))."""
    reconstruction = mg.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = mg.gaussian_kl(mu, logvar, reduction="sum") / len(x)
    return reconstruction, kl


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Maximise the ELBO by Adam, and fill the run folder.

    Where a figure decides (--patience, --schedule plateau) every twelfth training image is held out for it.
    """
    rng = mg.random.generator(recipe.seed)
    images, test = (data.load(recipe.data, split, size=recipe.size) for split in ("train", "test"))
    held_out = None
    if recipe.patience is not None or recipe.schedule == "plateau":
        images, held_out = hold_out(images)
    model = VAE(images.image_shape, recipe, rng)
    optimizer = optim.Adam(model.parameters(), lr=recipe.lr)
    loader = data.DataLoader(images, recipe.batch_size, shuffle=True, rng=rng)
    schedule = scheduling(recipe.schedule, optimizer, recipe.epochs * len(loader))

    @mg.record
    def step(x: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        images = mg.tensor(x)
        logits, mu, logvar = model(images, rng)
        reconstruction, kl = negative_elbo(logits, images, mu, logvar)
        loss = reconstruction + kl

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, reconstruction, kl

    state = {"model": model, "optimizer": optimizer, "loader": loader, "rng": rng, "schedule": schedule}
    state |= {"ema": averaging(model, recipe.ema), "stopping": stopping(recipe.patience)}
    watch = "validation_negative_elbo"
    measured = test if held_out is None else held_out
    limits = {"epochs": recipe.epochs, "max_steps": recipe.max_steps}
    with Steps(run, loader, state, **limits, watch=watch, held_out=measured) as steps:
        for x, *_ in steps:
            loss, reconstruction, kl = step(x)
            steps.log(every=100, loss=loss, reconstruction=reconstruction, kl=kl)
            if steps.check_due:
                with steps.averaged():
                    figures = {f"test_{name}": value for name, value in measure(model, test).items()}
                    if held_out is not None:
                        figures[watch] = measure(model, held_out)["negative_elbo"]
                steps.record(**figures)
            if steps.sample_due:
                with steps.averaged():
                    sheet = draw(model, 64, mg.random.generator(recipe.seed))
                plots.save_grid(steps.picture_path(), sheet, title=steps.title)


def load(run: RunFolder) -> VAE:
    """The model of a run, as it was saved last."""
    model = VAE(saved_shape(run), run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model)
    return model


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """Images as the encoder reads them."""
    return data.image_preprocessing(saved_shape(run))


# ---------------------------------------------------------------- sampling


def sample(run: RunFolder, request: Request, rng: np.random.Generator) -> np.ndarray:
    """n images, (n, H, W, C) in [0, 1]."""
    return draw(load(run), request.n, rng)


def draw(model: VAE, n: int, rng: np.random.Generator) -> np.ndarray:
    """The means of p(x|z) for n draws z ~ N(0, I)."""
    return decode(model, rng.standard_normal((n, model.mu.out_features), dtype=np.float32))


def decode(model: VAE, z: np.ndarray) -> np.ndarray:
    """The mean of p(x|z) for each row of z (N, latent), as images (N, H, W, C) in [0, 1]."""
    with mg.no_grad():
        return mg.sigmoid(model.decoder(mg.tensor(z))).numpy()


def encode(model: VAE, x: np.ndarray) -> np.ndarray:
    """The mean mu of q(z|x) for each image, (N, latent)."""
    with mg.no_grad():
        return model.encode(mg.tensor(x))[0].numpy()


# ---------------------------------------------------------------- evaluation


def evaluate(run: RunFolder) -> dict[str, float]:
    """-ELBO and its two terms on the test images, in nats per image; draws reconstructions and the latent space."""
    recipe = run.load_recipe(Recipe)
    model, test = load(run), data.load(recipe.data, "test", size=recipe.size)
    latent = model.mu.out_features
    images = test[:50][0]
    copies, title = decode(model, encode(model, images)), "vae · test images, each over its reconstruction"
    plots.save_reconstructions(run.path / "reconstructions.png", images, copies, title=title)
    pairs = images[: min(16, len(images) // 2 * 2)]
    if len(pairs):
        walks, title = interpolations(model, pairs), "vae · from one test image to another, on a straight line in z"
        plots.save_interpolation(run.path / "interpolation.png", walks, title=title)
    if latent >= 2:
        mu = np.concatenate([encode(model, x) for x, *_ in data.DataLoader(test, 1000)])
        manifold = partial(decode, model) if latent == 2 else None  # the paper's figure 4
        plots.save_latent_map(run.path / "latent.png", mu, test.labels, test.classes, manifold)
    return measure(model, test)


def measure(model: VAE, images: data.Dataset) -> dict[str, float]:
    """Averages over all `images`, in nats per image, with one sample z for each, the same ones every time."""
    rng = mg.random.generator(0)
    terms = np.zeros(2)
    with mg.no_grad():
        for x, *_ in data.DataLoader(images, 1000):
            logits, mu, logvar = model(mg.tensor(x), rng)
            terms += len(x) * np.array([term.item() for term in negative_elbo(logits, mg.tensor(x), mu, logvar)])
    reconstruction, kl = terms / len(images)
    return {"negative_elbo": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}


def interpolations(model: VAE, x: np.ndarray, steps: int = 10) -> np.ndarray:
    """(N/2, steps, H, W, C): from the first image of each pair to the second, on the straight line between their mu."""
    first, second = encode(model, x[0::2])[:, None], encode(model, x[1::2])[:, None]
    t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    z = (1 - t) * first + t * second
    return decode(model, z.reshape(-1, z.shape[-1])).reshape(*z.shape[:2], *x.shape[1:])
