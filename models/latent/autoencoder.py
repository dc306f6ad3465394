"""The autoencoder, and the one that takes noise out of images.

G. E. Hinton, R. R. Salakhutdinov (2006), Reducing the dimensionality of data with neural networks, Science 313; with
noise: P. Vincent et al. (2008), Extracting and composing robust features with denoising autoencoders, ICML.

An encoder f makes a few numbers z of an image x, and a decoder g an image of them. Both learn to give x back:

    L = E_x[-log p(x|g(f(x̃)))]

where p is a Bernoulli for every pixel, a grey level taken as a probability, and x̃ is x itself or x with noise: Gaussian
(--noise 0.5, its deviation) or a share of the pixels set to 0 (--mask 0.3). With noise the code can not be a copy, even
where it is as large as the image: what is learned is what images have in common.

What to expect on MNIST: images come back readable after an epoch, and noise of deviation 0.4 is taken out to an eighth
of its square. There is no prior on z: walks between images work, points drawn at random do not (vae.py mends that).
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

import minigen as mg
from minigen import data, layers, optim, plots
from minigen.autograd import Tensor
from minigen.errors import ArgumentError
from minigen.models.parts.images import ImageShape, hold_out, saved_shape
from minigen.models.parts.latent import convolutional, mlp, save_pictures
from minigen.models.parts.options import ScheduleName, averaging, require_decay, require_positive, scheduling, stopping
from minigen.training import Run, RunFolder, Steps


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # mnist, fashion-mnist, a folder of images, or a .npz file
    size: int | None = None  # pictures of a folder are brought to size × size
    architecture: Literal["mlp", "convolutional"] = "mlp"  # the networks of encoder and decoder
    latent: int = 32  # how many numbers z an image is made into
    hidden: int = 512  # width of the hidden layers
    depth: int = 1  # hidden layers of the mlp
    noise: float = 0.0  # deviation of the Gaussian noise on the encoder's images, of grey levels from 0 to 1
    mask: float = 0.0  # share of the encoder's pixels that are set to 0
    epochs: int = 20  # passes over the training images
    batch_size: int = 128  # images a step
    lr: float = 1e-3  # learning rate of Adam
    schedule: ScheduleName = "constant"  # lr over all epochs; cosine: falls to 0; plateau: halved when nothing improves
    ema: float | None = None  # average the weights, by so much of the old ones a step, such as 0.999
    patience: int | None = None  # stop when images held out were no better for so many epochs
    seed: int = 0  # decides everything random: weights, order of the images, noise
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "latent", "hidden", "depth", "epochs", "batch_size", "lr", "patience")
        require_positive(self, "max_steps")
        require_decay(self.ema)
        if not 0 <= self.noise < math.inf or not 0 <= self.mask < 1:
            raise ArgumentError(
                f"noise is {self.noise} and mask {self.mask}; use a deviation from 0 on, and a share from 0 up to 1"
            )
        if self.architecture == "convolutional" and self.depth != 1:
            raise ArgumentError("depth is that of the mlp; leave it out")


# ---------------------------------------------------------------- the networks


class Autoencoder(layers.Module):
    """Images (N, H, W, C) → codes (N, latent) → logits of images (N, H, W, C)."""

    def __init__(self, image: ImageShape, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        if recipe.architecture == "mlp":
            networks = mlp(image, recipe.latent, recipe.hidden, recipe.depth, layers.ReLU, rng)
        else:
            networks = convolutional("autoencoder", image, recipe.latent, recipe.hidden, rng)
        self.encoder, self.decoder = networks
        self.code = layers.Linear(recipe.hidden, recipe.latent, rng=rng)
        self.register_buffer("image", np.array(image))  # so that a checkpoint alone can be loaded

    def encode(self, x: Tensor) -> Tensor:
        """f(x)."""
        return self.code(self.encoder(x))

    def forward(self, x: Tensor) -> Tensor:
        """The logits of g(f(x))."""
        return self.decoder(self.encode(x))


def spoiled(x: np.ndarray, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    """x̃: images in [0, 1] with the recipe's noise; x itself without any."""
    if recipe.noise:
        x = x + np.float32(recipe.noise) * rng.standard_normal(x.shape, dtype=np.float32)
    if recipe.mask:
        x = np.where(rng.random(x.shape, dtype=np.float32) < recipe.mask, np.float32(0), x)
    return x


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Minimise L by Adam, and fill the run folder. One training image in twelve is held out and only watched."""
    rng = mg.random.generator(recipe.seed)
    images, held_out = hold_out(data.load(recipe.data, "train", size=recipe.size))
    model = Autoencoder(images.image_shape, recipe, rng)
    optimizer = optim.Adam(model.parameters(), lr=recipe.lr)
    loader = data.DataLoader(images, recipe.batch_size, shuffle=True, rng=rng)
    schedule = scheduling(recipe.schedule, optimizer, recipe.epochs * len(loader))

    @mg.record
    def step(given: np.ndarray, x: np.ndarray) -> Tensor:
        loss = mg.binary_cross_entropy_with_logits(model(mg.tensor(given)), mg.tensor(x), reduction="sum") / len(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    state = {"model": model, "optimizer": optimizer, "loader": loader, "rng": rng, "schedule": schedule}
    state |= {"ema": averaging(model, recipe.ema), "stopping": stopping(recipe.patience)}
    shown = held_out[:32][0]
    with Steps(run, loader, state, epochs=recipe.epochs, max_steps=recipe.max_steps, held_out=held_out) as steps:
        for x, *_ in steps:
            steps.log(every=100, loss=step(spoiled(x, recipe, rng), x))
            with steps.averaged():
                if steps.check_due:
                    figures = measure(model, held_out, recipe)
                    steps.record(validation_loss=figures["loss"], validation_squared_error=figures["squared_error"])
                if steps.sample_due:
                    given = spoiled(shown, recipe, mg.random.generator(recipe.seed))
                    plots.save_reconstructions(steps.picture_path(), given, rebuilt(model, given), title=steps.title)


def load(run: RunFolder) -> Autoencoder:
    """The model of a run, as it was saved last."""
    model = Autoencoder(saved_shape(run), run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model)
    return model


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """Images as the encoder reads them."""
    return data.image_preprocessing(saved_shape(run))


# ---------------------------------------------------------------- evaluation


def rebuilt(model: Autoencoder, x: np.ndarray) -> np.ndarray:
    """g(f(x)), as images in [0, 1]."""
    with mg.no_grad():
        return mg.sigmoid(model(mg.tensor(x))).numpy()


def encode(model: Autoencoder, x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
    """f(x), (N, latent)."""
    with mg.no_grad():
        return model.encode(mg.tensor(x)).numpy()


def decode(model: Autoencoder, z: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
    """g(z), as images in [0, 1]."""
    with mg.no_grad():
        return mg.sigmoid(model.decoder(mg.tensor(z))).numpy()


def evaluate(run: RunFolder) -> dict[str, float]:
    """How well test images come back; draws them, walks through the codes, and what becomes of noise."""
    recipe, model = run.load_recipe(Recipe), load(run)
    test = data.load(recipe.data, "test", size=recipe.size)
    save_pictures(run, model, test, encode, decode)
    if recipe.noise or recipe.mask:
        given = spoiled(test[:50][0], recipe, mg.random.generator(0))
        title = "autoencoder · test images with noise, each over what becomes of it"
        plots.save_reconstructions(run.path / "denoised.png", given, rebuilt(model, given), title=title)
    return measure(model, test, recipe)


def measure(model: Autoencoder, images: data.ImageDataset, recipe: Recipe) -> dict[str, float]:
    """L in nats an image, and of a pixel, of grey levels from 0 to 1, the mean squared error of what comes back.

    With noise also that of what was given, squared_error_of_noise. The noise is the same every time.
    """
    rng = mg.random.generator(0)
    totals = np.zeros(3)
    with mg.no_grad():
        for x, *_ in data.DataLoader(images, 1000):
            given = spoiled(x, recipe, rng)
            logits = model(mg.tensor(given))
            loss = mg.binary_cross_entropy_with_logits(logits, mg.tensor(x), reduction="sum").item()
            errors = [float(np.square(y - x, dtype=np.float64).mean()) for y in (mg.sigmoid(logits).numpy(), given)]
            totals += [loss, *(len(x) * error for error in errors)]
    loss, error, noise = totals / len(images)
    figures = {"loss": loss, "squared_error": error}
    return figures | ({"squared_error_of_noise": noise} if recipe.noise or recipe.mask else {})
