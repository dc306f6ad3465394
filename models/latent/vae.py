"""The variational autoencoder.

D. P. Kingma, M. Welling (2014), Auto-Encoding Variational Bayes, https://arxiv.org/abs/1312.6114.

An image x is thought to come from a few hidden numbers z ~ N(0, I) through a decoder p(x|z). The encoder q(z|x), a
Gaussian with diagonal covariance, guesses z from x. Both are trained at once by maximising the lower bound on log p(x)

    ELBO(x) = E_q(z|x)[log p(x|z)] - KL(q(z|x) ‖ p(z))                                       (equation 3)

with z = mu + sigma·eps, eps ~ N(0, I), so that the gradient passes through the sample (section 2.4), and

    KL = -1/2 Σ_j (1 + log sigma_j² - mu_j² - sigma_j²)                                      (appendix B)

p(x|z) is a Bernoulli for every pixel (appendix C.1) or a Gaussian (--likelihood gaussian). For the first, a grey level
is taken as a probability, as is customary, or images are made of zeros and ones by it, once or anew each time
(--binarization static, dynamic): three kinds of data, whose figures do not compare.

Further: KL weighted (--beta; Higgins et al. 2017), or free below a number of nats for each z_j (--free-bits; Kingma et
al. 2016, https://arxiv.org/abs/1606.04934, section B.8); encoder and decoder told the class (--conditional; Sohn et al.
2015); and the tighter bound of k samples (--k; Burda et al. 2016, https://arxiv.org/abs/1509.00519, equation 8)

    L_k(x) = E[log 1/k Σ_i p(x|z_i) p(z_i) / q(z_i|x)],        z_1 … z_k ~ q(z|x).

What to expect on MNIST: all terms are in nats per image, summed over pixels and over the numbers of z. After the 20
epochs of the default recipe -ELBO on the test images, as grey levels, is about 103, of which the KL term is about 25.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

import minigen as mg
from minigen import data, layers, metrics, optim, plots
from minigen.autograd import Tensor
from minigen.checks import check_number
from minigen.errors import ArgumentError
from minigen.models.parts.images import ClassRequest as Request
from minigen.models.parts.images import Drawn, ImageShape, asked_of, hold_out, saved_shape
from minigen.models.parts.labels import complete, labelled
from minigen.models.parts.latent import Binarization, binarized, convolutional, given, mlp, save_pictures
from minigen.models.parts.options import ScheduleName, averaging, require_decay, require_positive, scheduling, stopping
from minigen.models.parts.quality import glance, quality
from minigen.models.parts.reader import reader_of
from minigen.training import Run, RunFolder, Steps


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # mnist, fashion-mnist, a folder of images, or a .npz file
    size: int | None = None  # pictures of a folder are brought to size × size
    architecture: Literal["mlp", "convolutional"] = "mlp"  # the networks of encoder and decoder
    latent: int = 20  # how many hidden numbers z describe an image; 2 gives a map of all digits
    hidden: int = 512  # width of the hidden layers
    depth: int = 1  # hidden layers of the mlp
    activation: Literal["relu", "tanh"] = "relu"  # of the mlp
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"  # p(x|z) of a pixel
    binarization: Binarization = "grey"  # grey levels as they are, or as zeros and ones
    beta: float = 1.0  # weight of the KL term
    free_bits: float = 0.0  # nats of the KL term of each hidden number that cost nothing more
    conditional: bool = False  # tell encoder and decoder the class
    k: int = 1  # samples of z for an image; more give the importance-weighted bound
    epochs: int = 20  # passes over the training images
    batch_size: int = 128  # images a step
    lr: float = 1e-3  # learning rate of Adam
    schedule: ScheduleName = "constant"  # lr over all epochs; cosine: falls to 0; plateau: halved when nothing improves
    ema: float | None = None  # average the weights, by so much of the old ones a step, such as 0.999
    patience: int | None = None  # stop when images held out were no better for so many epochs
    seed: int = 0  # decides everything random: weights, order of the images, eps
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "latent", "hidden", "depth", "k", "epochs", "batch_size", "lr", "patience")
        require_positive(self, "max_steps")
        check_number("vae", "beta", self.beta, 0)  # 0: an autoencoder whose codes are noisy
        require_decay(self.ema)
        if not 0 <= self.free_bits < math.inf:
            raise ArgumentError(f"free-bits is {self.free_bits}; use a number of nats from 0 on")
        if self.k > 1 and (self.beta != 1 or self.free_bits):
            raise ArgumentError("the bound of k samples has no KL term: leave out --beta and --free-bits, or --k")
        if self.likelihood == "gaussian" and self.binarization != "grey":
            raise ArgumentError("a Gaussian likelihood is for grey levels; leave out --binarization")
        if self.architecture == "convolutional" and (self.depth, self.activation) != (1, "relu"):
            raise ArgumentError("depth and activation are those of the mlp; leave them out")


@dataclass(frozen=True)
class Evaluation:
    """What `minigen eval` can be asked for."""

    samples: int | None = None  # estimate log p(x) by so many samples an image; Burda et al. take 5000


# ---------------------------------------------------------------- the networks


class VAE(layers.Module):
    """Encoder q(z|x) and decoder p(x|z) for images of shape (H, W, C), both given the class where there are classes."""

    classes: np.ndarray
    log_deviation: layers.Parameter | None

    def __init__(self, image: ImageShape, recipe: Recipe, rng: np.random.Generator, classes: int = 0) -> None:
        super().__init__()
        if recipe.architecture == "mlp":
            shape = (recipe.hidden, recipe.depth, layers.ReLU if recipe.activation == "relu" else layers.Tanh)
            self.encoder, self.decoder = mlp(image, recipe.latent + classes, *shape, rng)
        else:
            self.encoder, self.decoder = convolutional("vae", image, recipe.latent + classes, recipe.hidden, rng)
        self.mu = layers.Linear(recipe.hidden + classes, recipe.latent, rng=rng)
        self.logvar = layers.Linear(recipe.hidden + classes, recipe.latent, rng=rng)
        self.log_deviation = None
        if recipe.likelihood == "gaussian":
            self.log_deviation = layers.Parameter(np.array(-1.0, np.float32))  # of a pixel, one for all
        # So that a checkpoint alone can be sampled from.
        self.register_buffer("image", np.array(image))
        if classes:
            self.register_buffer("classes", np.array(classes))

    def encode(self, x: Tensor, y: np.ndarray | None = None) -> tuple[Tensor, Tensor]:
        """mu and log sigma² of q(z|x, y), each (N, latent)."""
        h = self.told(self.encoder(x), y)
        return self.mu(h), self.logvar(h)

    def decode(self, z: Tensor, y: np.ndarray | None = None) -> Tensor:
        """The logits of the mean of p(x|z, y), (N, H, W, C)."""
        return self.decoder(self.told(z, y))

    def told(self, h: Tensor, y: np.ndarray | None) -> Tensor:
        """h with the classes y (N,), as one-hot vectors, beside it."""
        if y is None:
            return h
        return mg.concatenate([h, mg.one_hot(y, int(self.classes)).astype("float32")], axis=1)

    def forward(
        self, x: Tensor, rng: np.random.Generator, y: np.ndarray | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The logits of p(x|z, y) for one sample z of q(z|x, y), (N, H, W, C), and mu and log sigma²."""
        mu, logvar = self.encode(x, y)
        return self.decode(reparametrize(mu, logvar, rng), y), mu, logvar


def reparametrize(mu: Tensor, logvar: Tensor, rng: np.random.Generator) -> Tensor:
    """z = mu + sigma·eps: a sample of q(z|x) through which mu and sigma get their gradients (section 2.4)."""
    return mu + mg.exp(0.5 * logvar) * mg.randn_like(mu, rng=rng)


# ---------------------------------------------------------------- the loss


def negative_elbo(
    logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, log_deviation: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The two terms of -ELBO, in nats, averaged over the N images: -log p(x|z), and KL(q(z|x) ‖ p(z)).

    p(x|z) is a Bernoulli, or with log_deviation a Gaussian.
    """
    if log_deviation is None:
        reconstruction = mg.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    else:
        reconstruction = distortion(logits, x, log_deviation).mean()
    kl = mg.gaussian_kl(mu, logvar, reduction="sum") / len(x)
    return reconstruction, kl


def distortion(logits: Tensor, x: Tensor, log_deviation: Tensor | None) -> Tensor:
    """-log p(x|z) of each image, (N,), in nats."""
    if log_deviation is None:
        pixels = mg.binary_cross_entropy_with_logits(logits, x, reduction="none")
    else:
        scaled = (x - mg.sigmoid(logits)) * mg.exp(-log_deviation)
        pixels = 0.5 * scaled * scaled + (log_deviation + 0.5 * math.log(2 * math.pi))
    return pixels.reshape(len(x), -1).sum(1)


def free_kl(mu: Tensor, logvar: Tensor, free: float) -> Tensor:
    """The KL term in which each hidden number, averaged over the batch, counts `free` nats at least."""
    each = -0.5 * (1.0 + logvar - mu * mu - mg.exp(logvar)).mean(0)
    return mg.maximum(each, free).sum()


def log_weights(
    logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, z: Tensor, log_deviation: Tensor | None
) -> Tensor:
    """log p(x|z) + log p(z) - log q(z|x) of each row, (N,)."""
    eps = (z - mu) * mg.exp(-0.5 * logvar)
    ratio = 0.5 * (eps * eps + logvar - z * z).sum(1)  # of p(z) and q(z|x), whose constants are the same
    return ratio - distortion(logits, x, log_deviation)


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Maximise the bound by Adam, and fill the run folder.

    Where a figure decides (--patience, --schedule plateau) every twelfth training image is held out for it.
    """
    rng = mg.random.generator(recipe.seed)
    reader = reader_of(recipe.data)  # which measures the samples
    images, test = (read(recipe, split) for split in ("train", "test"))
    held_out = None
    if recipe.patience is not None or recipe.schedule == "plateau":
        images, held_out = hold_out(images)
    classes = len(images.classes) if recipe.conditional else 0
    model = VAE(images.image_shape, recipe, rng, classes)
    optimizer = optim.Adam(model.parameters(), lr=recipe.lr)
    loader = data.DataLoader(images, recipe.batch_size, shuffle=True, rng=rng)
    schedule = scheduling(recipe.schedule, optimizer, recipe.epochs * len(loader))

    @mg.record
    def step(x: np.ndarray, y: np.ndarray | None) -> tuple[Tensor, Tensor, Tensor]:
        images = mg.tensor(x)
        logits, mu, logvar = model(images, rng, y)
        reconstruction, kl = negative_elbo(logits, images, mu, logvar, model.log_deviation)
        cost = free_kl(mu, logvar, recipe.free_bits) if recipe.free_bits else kl
        loss = reconstruction + (cost if recipe.beta == 1 else recipe.beta * cost)

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, reconstruction, kl.detach()

    @mg.record
    def weighted_step(x: np.ndarray, y: np.ndarray | None) -> tuple[Tensor, ...]:
        """The same for the bound of k samples; x and y hold every image k times."""
        images = mg.tensor(x)
        mu, logvar = model.encode(images, y)
        z = reparametrize(mu, logvar, rng)
        weights = log_weights(model.decode(z, y), images, mu, logvar, z, model.log_deviation)
        loss = math.log(recipe.k) - mg.logsumexp(weights.reshape(-1, recipe.k), 1).mean()

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return (loss,)

    state = {"model": model, "optimizer": optimizer, "loader": loader, "rng": rng, "schedule": schedule}
    state |= {"ema": averaging(model, recipe.ema), "stopping": stopping(recipe.patience)}
    watch = "validation_negative_elbo"
    measured = test if held_out is None else held_out
    limits = {"epochs": recipe.epochs, "max_steps": recipe.max_steps}
    with Steps(run, loader, state, **limits, watch=watch, held_out=measured) as steps:
        for batch in steps:
            x, y = given(batch, recipe.binarization, recipe.conditional, rng)
            if recipe.k == 1:
                figures = dict(zip(("loss", "reconstruction", "kl"), step(x, y), strict=True))
            else:
                several = np.repeat(x, recipe.k, axis=0), None if y is None else np.repeat(y, recipe.k, axis=0)
                figures = {"loss": weighted_step(*several)[0]}
            steps.log(every=100, **figures)
            if steps.check_due:
                with steps.averaged():
                    figures = {
                        f"test_{name}": value for name, value in measure(model, test, recipe.binarization).items()
                    }
                    figures |= glance(reader, lambda n: draw(model, n, mg.random.generator(recipe.seed)))
                    if held_out is not None:
                        figures[watch] = measure(model, held_out, recipe.binarization)["negative_elbo"]
                steps.record(**figures)
            if steps.sample_due:
                with steps.averaged():
                    sheet = draw(model, 10 * classes or 64, mg.random.generator(recipe.seed))
                plots.save_grid(steps.picture_path(), sheet, columns=classes or None, title=steps.title)


def read(recipe: Recipe, split: str) -> data.ImageDataset:
    """The images of a split; with --binarization static as zeros and ones, the same ones every time."""
    load_part = labelled if recipe.conditional else data.load
    images = load_part(recipe.data, split, size=recipe.size)
    if recipe.conditional and split == "train":
        complete(images)
    return binarized(images) if recipe.binarization == "static" else images


def load(run: RunFolder) -> VAE:
    """The model of a run, as it was saved last."""
    classes = int(run.saved()["model"].get("classes", 0))
    model = VAE(saved_shape(run), run.load_recipe(Recipe), mg.random.generator(0), classes)
    run.load_weights(model, averaged=model)
    return model


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """Images as the encoder reads them."""
    return data.image_preprocessing(saved_shape(run))


# ---------------------------------------------------------------- sampling


def sample(run: RunFolder, request: Request, rng: np.random.Generator) -> np.ndarray:
    """n images, (n, H, W, C) in [0, 1], of the class that is asked for."""
    model = load(run)
    y = asked_of(request, run, int(getattr(model, "classes", 0)))
    return draw(model, request.n, rng, y)


def draw(model: VAE, n: int, rng: np.random.Generator, y: np.ndarray | None = None) -> np.ndarray:
    """The means of p(x|z, y) for n draws z ~ N(0, I); where classes are told and y is None, of all in turn."""
    if y is None and hasattr(model, "classes"):
        y = np.arange(n) % int(model.classes)
    return decode(model, rng.standard_normal((n, model.mu.out_features), dtype=np.float32), y)


def decode(model: VAE, z: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
    """The mean of p(x|z, y) for each row of z (N, latent), as images (N, H, W, C) in [0, 1]."""
    with mg.no_grad():
        return mg.sigmoid(model.decode(mg.tensor(z), y)).numpy()


def encode(model: VAE, x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
    """The mean mu of q(z|x, y) for each image, (N, latent)."""
    with mg.no_grad():
        return model.encode(mg.tensor(x), y)[0].numpy()


# ---------------------------------------------------------------- evaluation


def evaluate(run: RunFolder, wanted: Evaluation = Evaluation()) -> dict[str, float]:
    """-ELBO and its two terms on test images, in nats per image, and how good samples are; draws the latent space."""
    recipe = run.load_recipe(Recipe)
    require_positive(wanted, "samples")
    model, test = load(run), read(recipe, "test")
    save_pictures(run, model, test, encode, decode, recipe.conditional)
    figures = measure(model, test, recipe.binarization)
    if recipe.k > 1:
        figures["negative_bound"] = estimate(model, test, recipe.binarization, recipe.k)
    if wanted.samples is not None:
        figures["negative_log_likelihood"] = estimate(model, test, recipe.binarization, wanted.samples)

    def drawn(n: int, rng: np.random.Generator) -> Drawn:
        return Drawn(draw(model, n, rng), np.arange(n) % int(model.classes) if recipe.conditional else None)

    return figures | quality(drawn, run)


def measure(model: VAE, images: data.ImageDataset, binarization: Binarization = "grey") -> dict[str, float]:
    """Averages over all `images`, in nats per image, with one sample z for each, the same ones every time.

    bits_per_dimension: of a Gaussian, -ELBO in bits for each pixel of 256 levels.
    """
    rng = mg.random.generator(0)
    terms = np.zeros(2)
    with mg.no_grad():
        for batch in data.DataLoader(images, 1000):
            x, y = given(batch, binarization, hasattr(model, "classes"), rng)
            logits, mu, logvar = model(mg.tensor(x), rng, y)
            both = negative_elbo(logits, mg.tensor(x), mu, logvar, model.log_deviation)
            terms += len(x) * np.array([term.item() for term in both])
    reconstruction, kl = terms / len(images)
    figures = {"negative_elbo": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}
    if model.log_deviation is not None:
        nats, pixels = float(reconstruction + kl), math.prod(images.image_shape)
        figures["bits_per_dimension"] = metrics.bits_per_dimension(nats, pixels) + 8
    return figures


def estimate(model: VAE, images: data.ImageDataset, binarization: Binarization, samples: int) -> float:
    """-log p(x) in nats, averaged over `images`, by the importance-weighted bound of so many samples an image."""
    rng, total, most = mg.random.generator(0), 0.0, 100  # samples at once
    with mg.no_grad():
        for batch in data.DataLoader(images, 20):
            x, y = given(batch, binarization, hasattr(model, "classes"), rng)
            bound = metrics.ImportanceBound(len(x))
            mu, logvar = model.encode(mg.tensor(x), y)
            for done in range(0, samples, most):
                rows = np.repeat(np.arange(len(x)), min(most, samples - done))
                means, logvars = mu[rows], logvar[rows]
                z = reparametrize(means, logvars, rng)
                logits = model.decode(z, None if y is None else y[rows])
                weights = log_weights(logits, mg.tensor(x[rows]), means, logvars, z, model.log_deviation)
                bound.add(weights.numpy().reshape(len(x), -1))
            total -= bound.nats().sum()
    return total / len(images)
