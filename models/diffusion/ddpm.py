"""Denoising diffusion: an image is drowned in noise step by step, and a network learns the way back.

J. Ho, A. Jain, P. Abbeel (2020), Denoising diffusion probabilistic models, https://arxiv.org/abs/2006.11239; the cosine
schedule by A. Nichol, P. Dhariwal (2021), https://arxiv.org/abs/2102.09672; fewer steps by J. Song, C. Meng, S. Ermon
(2021), https://arxiv.org/abs/2010.02502.

Noise is added in T steps, so that after t of them (equation 4)

    x_t = √ᾱ_t x_0 + √(1 - ᾱ_t) ε,        ε ~ N(0, I),

and ᾱ falls from 1 to nearly 0. The network sees x_t, t and the class, and guesses ε (equation 14), or, which does
better where there is more noise than image, v = √ᾱ_t ε - √(1 - ᾱ_t) x_0 (T. Salimans, J. Ho 2022, appendix D):

    L = E_{t, x_0, ε} |f(x_t, t) - v|²

Either one says what x_0 and ε would be. Samples begin as noise x_T, and go from t to an earlier s by

    x_s = √ᾱ_s x̂_0 + √(1 - ᾱ_s - σ²) ε̂ + σ z,        σ = η √((1 - ᾱ_s) / (1 - ᾱ_t)) √(1 - ᾱ_t / ᾱ_s)

(Song et al., equations 12 and 16): with η = 1, all T of the steps are the sampler of Ho et al.; with η = 0 ("ddim")
nothing is drawn on the way, and 25 steps are enough. A share of the classes is not told in training, so that guidance
is possible; see unet.py.

What to expect on MNIST: digits after the first epoch; the loss falls little after it, the samples go on improving.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

import minigen as mg
from minigen import data, optim, plots
from minigen.autograd import Tensor
from minigen.errors import ArgumentError
from minigen.models.parts.images import ClassRequest, Drawn, ImageShape, asked, saved_shape
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import averaging, require_decay, require_positive, scheduling
from minigen.models.parts.quality import glance, quality
from minigen.models.parts.reader import reader_of
from minigen.models.parts.unet import UNet, require_width
from minigen.training import Run, RunFolder, Steps


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # mnist, fashion-mnist, a folder of images, or a .npz file
    size: int | None = None  # pictures of a folder are brought to size × size
    conditional: bool = True  # tell the network the class, where the data has classes
    untold: float = 0.1  # share of the images whose class is not told, so that guidance is possible
    width: int = 32  # channels at full size; twice and four times as many further in
    noise_steps: int = 1000  # T, in which an image becomes noise
    noise: Literal["cosine", "linear"] = "cosine"  # how ᾱ falls
    prediction: Literal["v", "noise"] = "v"  # what the network guesses
    epochs: int = 15  # passes over the training images
    batch_size: int = 64  # images a step
    lr: float = 1e-3  # learning rate of Adam
    schedule: Literal["constant", "cosine"] = "cosine"  # the learning rate over all epochs; cosine: it falls to 0
    ema: float | None = 0.999  # average the weights, by so much of the old ones a step, to draw with
    seed: int = 0  # decides everything random: weights, order of the images, noise
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "width", "noise_steps", "epochs", "batch_size", "lr", "max_steps")
        require_decay(self.ema)
        require_width(self.width)
        if not 0 <= self.untold < 1:
            raise ArgumentError(f"untold is {self.untold}; use a share from 0 up to 1, such as 0.1")


@dataclass(frozen=True)
class Sampling:
    """How samples are drawn."""

    steps: int = 25  # of the network; at most as many as noise was added in
    guidance: float = 1.0  # above 1 the class counts for more than it does in the data
    sampler: Literal["ddim", "ancestral"] = "ddim"  # ancestral: noise is added on the way, too

    def __post_init__(self) -> None:
        require_positive(self, "steps")
        if not math.isfinite(self.guidance):
            raise ArgumentError(f"guidance is {self.guidance}; use a number, such as 2")


@dataclass(frozen=True)
class Request(Sampling, ClassRequest):
    """What can be asked of a run."""


@dataclass(frozen=True)
class Evaluation(Sampling):
    """How a run is measured."""


# ---------------------------------------------------------------- noise


class Noise:
    """How much of the image and of noise is left after t = 0 … T steps: √ᾱ_t and √(1 - ᾱ_t), each (T + 1,)."""

    def __init__(self, recipe: Recipe) -> None:
        steps = recipe.noise_steps
        if recipe.noise == "cosine":  # Nichol and Dhariwal, equation 17
            angles = (np.arange(steps + 1) / steps + 0.008) / 1.008 * (math.pi / 2)
            levels = np.cos(angles) ** 2
            betas = np.minimum(1 - levels[1:] / levels[:-1], 0.999)
        else:  # Ho et al., section 4, for T = 1000
            betas = np.minimum(np.linspace(1e-4, 0.02, steps) * (1000 / steps), 0.999)
        kept = np.concatenate([[1.0], np.cumprod(1 - betas)])
        self.steps, self.prediction = steps, recipe.prediction
        self.signal, self.noise = np.sqrt(kept), np.sqrt(1 - kept)

    def at(self, t: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """For times t (N,): t / T, (N,), and the shares of image and noise, (N, 1, 1, 1)."""
        shares = (array[t].astype(np.float32).reshape(-1, 1, 1, 1) for array in (self.signal, self.noise))
        signal, noise = map(mg.tensor, shares)
        return mg.tensor((t / self.steps).astype(np.float32)), signal, noise

    def image(self, x: Tensor, guess: Tensor, signal: Tensor, noise: Tensor) -> Tensor:
        """x̂_0 in [-1, 1], from x_t and what the network said of it."""
        found = signal * x - noise * guess if self.prediction == "v" else (x - noise * guess) / signal
        return mg.clip(found, -1.0, 1.0)


def objective(
    model: UNet,
    noise: Noise,
    x: Tensor,
    eps: Tensor,
    y: np.ndarray | None,
    times: Tensor,
    signal: Tensor,
    level: Tensor,
) -> Tensor:
    """L of images x drowned in eps (N, H, W, C), each to its own time."""
    target = signal * eps - level * x if noise.prediction == "v" else eps
    return mg.mse_loss(model(signal * x + level * eps, times, y), target)


class DDPM(UNet):
    """The network, and the numbers that a checkpoint alone can be sampled from by."""

    def __init__(self, image: ImageShape, classes: int, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__(image, classes, recipe.width, rng)
        self.register_buffer("image", np.array(image))
        self.register_buffer("classes", np.array(classes))


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Minimise L by Adam, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    reader = reader_of(recipe.data)  # which measures the samples
    images, test = (data.load(recipe.data, split, range=(-1, 1), size=recipe.size) for split in ("train", "test"))
    classes = len(images.classes) if recipe.conditional and images.labels is not None else 0
    model, noise = DDPM(images.image_shape, classes, recipe, rng), Noise(recipe)
    optimizer = optim.Adam(model.parameters(), lr=recipe.lr)
    loader = data.DataLoader(images, recipe.batch_size, shuffle=True, rng=rng, drop_last=True)
    schedule = scheduling(recipe.schedule, optimizer, recipe.epochs * len(loader))

    @mg.record
    def step(x: np.ndarray, y: np.ndarray | None, times: Tensor, signal: Tensor, level: Tensor) -> Tensor:
        loss = objective(model, noise, mg.tensor(x), mg.randn(*x.shape, rng=rng), y, times, signal, level)

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    state = {"model": model, "optimizer": optimizer, "loader": loader, "rng": rng, "schedule": schedule}
    state |= {"ema": averaging(model, recipe.ema)}
    limits = {"epochs": recipe.epochs, "max_steps": recipe.max_steps}
    few = Sampling(min(25, noise.steps))

    def drawn(n: int) -> np.ndarray:
        return draw(model, noise, n, mg.random.generator(recipe.seed), few)

    with Steps(run, loader, state, **limits, held_out=test) as steps:
        for x, *labels in steps:
            y = np.where(rng.random(len(x)) < recipe.untold, classes, labels[0]) if classes else None
            loss = step(x, y, *noise.at(rng.integers(1, noise.steps + 1, len(x))))
            steps.log(every=50, loss=loss)
            with steps.averaged():
                if steps.check_due:
                    steps.record(test_loss=measure(model, noise, test), **glance(reader, drawn))
                if steps.sample_due:
                    sheet = drawn(10 * classes or 64)
                    plots.save_grid(steps.picture_path(), sheet, columns=classes or None, title=steps.title)


def load(run: RunFolder) -> DDPM:
    """The network of a run, as it was saved last."""
    classes = int(run.saved()["model"]["classes"])
    model = DDPM(saved_shape(run), classes, run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model)
    return model


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """Images as the network reads them."""
    return data.image_preprocessing(saved_shape(run), range=(-1, 1))


# ---------------------------------------------------------------- sampling


def walk(
    model: DDPM, noise: Noise, x: Tensor, y: np.ndarray | None, wanted: Sampling, rng: np.random.Generator
) -> Iterator[Tensor]:
    """From noise x (N, H, W, C) to images in [-1, 1]: what x is after each step."""
    times = np.linspace(noise.steps, 0, wanted.steps + 1).round().astype(int)
    for t, s in itertools.pairwise(times):
        share, signal, level = noise.at(np.full(len(x), t))
        found = noise.image(x, model.guided(x, share, y, wanted.guidance), signal, level)
        eps = (x - signal * found) / level
        (kept, free), (kept_then, free_then) = (
            (noise.signal[at] ** 2, noise.noise[at] ** 2) for at in (int(t), int(s))
        )
        sigma = math.sqrt(free_then / free * (1 - kept / kept_then)) if wanted.sampler == "ancestral" else 0.0
        x = math.sqrt(kept_then) * found + math.sqrt(max(free_then - sigma**2, 0.0)) * eps
        if sigma:
            x = x + sigma * mg.randn(*x.shape, rng=rng)
        yield x


def draw(
    model: DDPM,
    noise: Noise,
    n: int,
    rng: np.random.Generator,
    wanted: Sampling = Sampling(),
    y: np.ndarray | None = None,
) -> np.ndarray:
    """n images (n, H, W, C) in [0, 1], of classes y (n,), or of all in turn; in batches of 250."""
    if y is None and int(model.classes):
        y = np.arange(n) % int(model.classes)
    batches = []
    with evaluating(model):
        for i in range(0, n, 250):
            x = mg.randn(min(250, n - i), *model.image, rng=rng)
            told = None if y is None else y[i : i + 250]
            *_, x = walk(model, noise, x, told, wanted, rng)
            batches.append(x.numpy())
    return np.concatenate(batches) * 0.5 + 0.5


def sample(run: RunFolder, request: Request, rng: np.random.Generator) -> np.ndarray:
    """n images, (n, H, W, C) in [0, 1], of the class that is asked for."""
    check_fits(run, request)
    y = asked(request.class_, request.n, run.data["classes"]) if knows_classes(run) else None
    return draw(load(run), Noise(run.load_recipe(Recipe)), request.n, rng, request, y)


def knows_classes(run: RunFolder) -> bool:
    """Whether the network of a run was told classes."""
    return bool(run.saved()["model"]["classes"])


def check_fits(run: RunFolder, wanted: Sampling) -> None:
    """Raises ArgumentError when the network of a run can not be asked so."""
    recipe = run.load_recipe(Recipe)
    if wanted.steps > recipe.noise_steps:
        raise ArgumentError(
            f"steps is {wanted.steps}, but the run was trained on {recipe.noise_steps:,} of noise; ask for fewer"
        )
    if knows_classes(run):
        return
    if wanted.guidance != 1 or getattr(wanted, "class_", None) is not None:
        raise ArgumentError("the run knows no classes to be asked for or guided by; train one on labelled images")


# ---------------------------------------------------------------- evaluation


def evaluate(run: RunFolder, wanted: Evaluation = Evaluation()) -> dict[str, float]:
    """How good samples are, as many of each class, and the bound of the likelihood; draws how noise becomes images."""
    recipe = run.load_recipe(Recipe)
    if wanted == Evaluation():
        wanted = Evaluation(min(wanted.steps, recipe.noise_steps))
    check_fits(run, wanted)
    model, noise = load(run), Noise(recipe)
    test = data.load(recipe.data, "test", range=(-1, 1), size=recipe.size)
    save_pictures(run, model, noise, wanted)

    def drawn(n: int, rng: np.random.Generator) -> Drawn:
        y = np.arange(n) % int(model.classes) if int(model.classes) else None
        return Drawn(draw(model, noise, n, rng, wanted, y), y)

    return {"test_loss": measure(model, noise, test), **bound(model, noise, test)} | quality(drawn, run)


def measure(model: DDPM, noise: Noise, test: data.ImageDataset, count: int = 1000) -> float:
    """L over the first `count` images, by the same times and noise every time."""
    rng, (x, *y) = mg.random.generator(0), test[:count]
    t, eps = rng.integers(1, noise.steps + 1, len(x)), rng.standard_normal(x.shape, dtype=np.float32)
    total = 0.0
    with evaluating(model):
        for i in range(0, len(x), 250):
            at = slice(i, i + 250)
            told = y[0][at] if y and int(model.classes) else None
            loss = objective(model, noise, mg.tensor(x[at]), mg.tensor(eps[at]), told, *noise.at(t[at]))
            total += len(x[at]) * loss.item()
    return total / len(x)


def bound(model: DDPM, noise: Noise, test: data.ImageDataset, draws: int = 5) -> dict[str, float]:
    """-ELBO of the images on 256 levels, in bits per dimension (Ho et al., equation 5), and its three parts.

    prior: KL(q(x_T|x_0) ‖ N(0, I)). steps: Σ_t KL(q(x_t-1|x_t, x_0) ‖ p(x_t-1|x_t)) from t = 2 on, of which each image
    has `draws`, evenly spread, and which is ½ (SNR_t-1 - SNR_t) |x_0 - x̂_0|² for p of q's variance, SNR = ᾱ / (1 - ᾱ).
    pixels: -log p(x_0|x_1), each level's share of N(x̂_0, β_1) (section 3.3).
    """
    rng, last, kept = mg.random.generator(0), noise.steps, noise.signal**2
    ratio = np.append(np.inf, kept[1:] / noise.noise[1:] ** 2)
    sums = {"prior": 0.0, "steps": 0.0, "pixels": 0.0}

    def found(x: np.ndarray, y: np.ndarray | None, t: np.ndarray) -> np.ndarray:
        times, signal, level = noise.at(t)
        drowned = signal * mg.tensor(x) + level * mg.randn(*x.shape, rng=rng)
        return noise.image(drowned, model(drowned, times, y), signal, level).numpy().astype(np.float64)

    with evaluating(model):
        for batch, *labels in data.DataLoader(test, 250):
            x = (np.rint((batch + 1) * 127.5) / 127.5 - 1).astype(np.float32)
            y = labels[0] if labels and int(model.classes) else None
            sums["prior"] += 0.5 * (kept[last] * (x * x - 1.0) - np.log1p(-kept[last])).sum()
            for j in range(draws if last > 1 else 0):
                t = 2 + ((j + rng.random(len(x))) / draws * (last - 1)).astype(int)
                gaps = ((x - found(x, y, t)) ** 2).reshape(len(x), -1).sum(1)
                sums["steps"] += (last - 1) / draws * (0.5 * (ratio[t - 1] - ratio[t]) * gaps).sum()
            sums["pixels"] -= level_logs(x, found(x, y, np.ones(len(x), int)), noise.noise[1]).sum()
    dimensions = len(test) * math.prod(test.image_shape)
    parts = {f"bits_{name}": value / dimensions / math.log(2) for name, value in sums.items()}
    return {"bits_per_dimension": sum(parts.values()), **parts}


def level_logs(x: np.ndarray, mean: np.ndarray, deviation: float) -> np.ndarray:
    """log of the share of N(mean, deviation²) that falls on the level of each pixel x, of 256 from -1 to 1.

    The outermost levels have all that lies beyond them.
    """
    edges = ((x - mean + half) / (deviation * math.sqrt(2)) for half in (1 / 255, -1 / 255))
    upper, lower = (0.5 * (1 + mg.erf(mg.tensor(edge)).numpy()) for edge in edges)
    upper, lower = np.where(x > 0.999, 1.0, upper), np.where(x < -0.999, 0.0, lower)
    return np.log(np.maximum(upper - lower, 1e-12))


def save_pictures(run: RunFolder, model: DDPM, noise: Noise, wanted: Sampling) -> None:
    """Draw a film of noise that becomes a sheet of samples, and what few and many steps make of the same noise."""
    classes = int(model.classes)
    n, side = (10 * classes, classes) if classes else (64, 8)
    rng, y = mg.random.generator(0), np.arange(n) % classes if classes else None
    with evaluating(model):
        x = mg.randn(n, *model.image, rng=rng)
        frames = [x, *walk(model, noise, x, y, wanted, rng)]
        plots.save_animation(run.path / "denoising.gif", [frame.numpy() for frame in frames], side, (-1, 1))
        counts = [steps for steps in (1, 2, 5, 10, 25, 50, 100) if steps <= noise.steps]
        few, told = x[:side], None if y is None else y[:side]
        rows = [[*walk(model, noise, few, told, replace(wanted, steps=steps), rng)][-1].numpy() for steps in counts]
    title = f"ddpm · the same noise in {', '.join(map(str, counts))} steps"
    plots.save_grid(run.path / "steps.png", np.concatenate(rows), side, (-1, 1), title)
