"""Images that lack something: noise taken out, the missing half or a hole filled in, twice the resolution.

By an autoencoder that has learned for one task from pairs of whole and damaged images (P. Vincent, H. Larochelle, Y.
Bengio, P.-A. Manzagol 2008, Extracting and composing robust features with denoising autoencoders); and, where a run of
ddpm is named (minigen eval FOLDER --diffusion runs/ddpm-1), by that as it is: a model that knows what images are like
needs no training for a task, only that what is known is put back at each step (see restore in diffusion/ddpm.py).

The autoencoder gives the mean of what could be there, which has the least squared error and is blurred where much is
possible; diffusion gives one of them. So where much is missing the first wins by PSNR (decibels, of the mean squared
error), and what is asked besides is whether a classifier still reads the right digit.

    noise        Gaussian noise of deviation 0.5 on every pixel
    half         the lower half is missing
    block        a square is missing, of 3/7 of the height, anywhere
    resolution   2×2 pixels are known by their mean

What to expect of the autoencoder, after 5 epochs, 3 minutes on one core: of half an image 18.7 decibels and 94 % of
digits read right (49 % of the damaged ones), of a hole 21.7 and 95 % (67 %), of noise 19.6 and 95 % (8 %), of half the
resolution 25.3 and 99 % (97 %). Of ddpm after 10 epochs, without any training for it: 14.1 and 67 %, 18.8 and 83 %,
21.2 and 99 %, 27.6 and 99 %. It is not told the class, and completes a digit as one that it may have been; what
is noisy or coarse, and all there, it restores better than a network that was made for that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

import minigen as mg
from minigen import catalog, data, layers, metrics, optim, plots
from minigen.autograd import Tensor
from minigen.errors import ArgumentError
from minigen.metrics.images import WINDOW
from minigen.models.parts.images import ImageShape, saved_shape
from minigen.models.parts.latent import convolutional
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import averaging, require_decay, require_positive, scheduling
from minigen.models.parts.reader import look, reader_of
from minigen.training import Run, RunFolder, Steps

Task = Literal["noise", "half", "block", "resolution"]
NOISE = 0.5  # deviation, of grey levels from 0 to 1
HIGHEST = 100.0  # decibels that an image counts with where nothing differs


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # mnist, fashion-mnist, a folder of images, or a .npz file
    size: int | None = None  # pictures of a folder are brought to size × size
    task: Task = "half"  # what images lack
    hidden: int = 256  # width of the layer in the middle
    latent: int = 128  # numbers that an image is made into
    epochs: int = 5  # passes over the training images
    batch_size: int = 128  # images a step
    lr: float = 1e-3  # learning rate of Adam
    schedule: Literal["constant", "cosine"] = "cosine"  # the learning rate over all epochs; cosine: it falls to 0
    ema: float | None = None  # average the weights, by so much of the old ones a step, such as 0.999
    seed: int = 0  # decides everything random: weights, order of the images, what is missing
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "hidden", "latent", "epochs", "batch_size", "lr", "max_steps")
        require_decay(self.ema)


# ---------------------------------------------------------------- what is missing


class Damaged(NamedTuple):
    """Images (N, H, W, C) in [0, 1] but for noise, as far as they are known, and which pixels are (N, H, W, 1)."""

    images: np.ndarray
    known: np.ndarray


def damaged(x: np.ndarray, task: Task, rng: np.random.Generator) -> Damaged:
    """What is left of images (N, H, W, C). Raises ArgumentError for odd sides where pixels are put together."""
    n, height, width, _ = x.shape
    known = np.ones((n, height, width, 1), np.float32)
    if task == "noise":
        return Damaged(x + NOISE * rng.standard_normal(x.shape, dtype=np.float32), known)
    if task == "resolution":
        if height % 2 or width % 2:
            raise ArgumentError(f"restore: images are {height}×{width}, which can not be halved; use even sides")
        return Damaged(np.repeat(np.repeat(halved(x), 2, 1), 2, 2), known)
    if task == "half":
        known[:, height // 2 :] = 0
    else:
        side = max(3 * min(height, width) // 7, 1)
        rows, columns = (rng.integers(0, length - side + 1, (n, 1, 1)) for length in (height, width))
        down, right = np.arange(height)[:, None], np.arange(width)
        inside = (down >= rows) & (down < rows + side) & (right >= columns) & (right < columns + side)
        known[inside] = 0
    return Damaged(x * known, known)


def halved(x: np.ndarray) -> np.ndarray:
    """The means of 2×2 pixels, (N, H/2, W/2, C)."""
    n, height, width, channels = x.shape
    return x.reshape(n, height // 2, 2, width // 2, 2, channels).mean((2, 4))


def kept(found: Tensor, given: Damaged, task: Task) -> Tensor:
    """Images in [0, 1] brought to what is known of them: pixels, or the means of four."""
    if task == "noise":
        return found
    if task == "resolution":
        lacking = mg.tensor(given.images) - mg.upsample_nearest(mg.avg_pool2d(found, 2), 2)
        return mg.clip(found + lacking, 0.0, 1.0)
    known = mg.tensor(given.known)
    return known * mg.tensor(given.images) + (1.0 - known) * found


# ---------------------------------------------------------------- the network


class Restorer(layers.Module):
    """Damaged images (N, H, W, C) and which pixels are known (N, H, W, 1) → logits of whole images."""

    def __init__(self, image: ImageShape, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        height, width, channels = image
        seen = (height, width, channels + 1)
        self.encoder, _ = convolutional("restore", seen, recipe.latent, recipe.hidden, rng)
        _, self.decoder = convolutional("restore", image, recipe.latent, recipe.hidden, rng)
        self.code = layers.Linear(recipe.hidden, recipe.latent, rng=rng)
        self.register_buffer("image", np.array(image))  # so that a checkpoint alone can be used

    def forward(self, x: Tensor, known: Tensor) -> Tensor:
        """Logits (N, H, W, C)."""
        return self.decoder(self.code(self.encoder(mg.concatenate([x, known], -1))))


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Minimise the cross-entropy of whole images by Adam, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    reader_of(recipe.data)  # which reads what was restored at the end, and is missed better now
    images, test = (data.load(recipe.data, split, size=recipe.size) for split in ("train", "test"))
    model = Restorer(images.image_shape, recipe, rng)
    optimizer = optim.Adam(model.parameters(), lr=recipe.lr)
    loader = data.DataLoader(images, recipe.batch_size, shuffle=True, rng=rng)
    schedule = scheduling(recipe.schedule, optimizer, recipe.epochs * len(loader))

    @mg.record
    def step(x: np.ndarray, seen: np.ndarray, known: np.ndarray) -> Tensor:
        loss = mg.binary_cross_entropy_with_logits(model(mg.tensor(seen), mg.tensor(known)), x, reduction="sum") / len(
            x
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    state = {"model": model, "optimizer": optimizer, "loader": loader, "rng": rng, "schedule": schedule}
    state |= {"ema": averaging(model, recipe.ema)}
    limits = {"epochs": recipe.epochs, "max_steps": recipe.max_steps}
    with Steps(run, loader, state, **limits, held_out=test) as steps:
        for x, *_ in steps:
            steps.log(every=50, loss=step(x, *damaged(x, recipe.task, rng)))
            with steps.averaged():
                if steps.check_due:
                    x = test[:1000][0]
                    found = repaired(model, damaged(x, recipe.task, mg.random.generator(0)), recipe.task)
                    steps.record(test_error=float(np.square(found - x, dtype=np.float64).mean()))
                if steps.sample_due:
                    x = test[:10][0]
                    given = damaged(x, recipe.task, mg.random.generator(0))
                    sheet = np.concatenate([x, given.images, repaired(model, given, recipe.task)])
                    plots.save_grid(steps.picture_path(), sheet, len(x), title=steps.title)


def load(run: RunFolder) -> Restorer:
    """The network of a run, as it was saved last."""
    model = Restorer(saved_shape(run), run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model)
    return model


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """Images as the network reads them."""
    return data.image_preprocessing(saved_shape(run))


# ---------------------------------------------------------------- restoring


def repaired(model: Restorer, given: Damaged, task: Task) -> np.ndarray:
    """What the autoencoder makes of damaged images, with all that is known as it is; in batches of 500."""
    parts = []
    with evaluating(model):
        for i in range(0, len(given.images), 500):
            part = Damaged(*(array[i : i + 500] for array in given))
            found = mg.sigmoid(model(mg.tensor(part.images), mg.tensor(part.known)))
            parts.append(kept(found, part, task).numpy())
    return np.concatenate(parts)


def diffused(run: RunFolder, given: Damaged, task: Task, rng: np.random.Generator) -> np.ndarray:
    """What a run of ddpm makes of damaged images, in batches of 250."""
    module = catalog.load_model(run.model)
    model, levels, parts = module.load(run), module.Noise(run.load_recipe(module.Recipe)), []
    noise = 2 * NOISE if task == "noise" else 0.0  # in [-1, 1]
    for i in range(0, len(given.images), 250):
        part = Damaged(*(array[i : i + 250] for array in given))

        def corrected(found: Tensor, part: Damaged = part) -> Tensor:
            return 2.0 * kept(0.5 * found + 0.5, part, task) - 1.0

        parts.append(module.restore(model, levels, 2 * part.images - 1, noise, corrected, rng))
    return np.clip(0.5 * np.concatenate(parts) + 0.5, 0, 1)


# ---------------------------------------------------------------- evaluation


@dataclass(frozen=True)
class Evaluation:
    """How a run is measured."""

    diffusion: str | None = None  # a run of ddpm on the same images, which is tried beside the autoencoder
    n: int = 500  # test images

    def __post_init__(self) -> None:
        require_positive(self, "n")


def evaluate(run: RunFolder, wanted: Evaluation = Evaluation()) -> dict[str, float]:
    """PSNR, SSIM, and the share of images that are read right, of what was damaged and what became of it; draws it.

    Raises ArgumentError for a run of another kind, or of images of another size.
    """
    recipe, model = run.load_recipe(Recipe), load(run)
    test = data.load(recipe.data, "test", size=recipe.size)
    x, *labels = test[: wanted.n]
    given = damaged(x, recipe.task, mg.random.generator(0))
    sets: dict[str, np.ndarray] = {
        "damaged": np.clip(given.images, 0, 1),
        "autoencoder": repaired(model, given, recipe.task),
    }
    if wanted.diffusion is not None:
        sets["diffusion"] = diffused(checked(wanted.diffusion, test), given, recipe.task, mg.random.generator(0))
    rows = np.concatenate([x[:10], *(images[:10] for images in sets.values())])
    title = f"restore · whole; {'; '.join(sets)}"
    plots.save_grid(run.path / "restored.png", rows, min(10, len(x)), title=title)
    reader = reader_of(recipe.data)
    measures: dict[str, Callable[[np.ndarray], Any]] = {
        "psnr": lambda images: np.minimum(metrics.psnr(images, x), HIGHEST)
    }
    if min(x.shape[1:3]) >= WINDOW:
        measures["ssim"] = lambda images: metrics.ssim(images, x)
    if reader is not None and labels:
        measures["read"] = lambda images: look(reader, images).labels == labels[0]
    return {
        f"{measure}_{name}": float(np.mean(function(images)))
        for name, images in sets.items()
        for measure, function in measures.items()
    }


def checked(folder: str, test: data.ImageDataset) -> RunFolder:
    """The run of ddpm in a folder."""
    run = catalog.open_run(folder)
    if run.model != "ddpm":
        raise ArgumentError(f"--diffusion {folder}: holds a run of {run.model}; name one of ddpm")
    if saved_shape(run) != test.image_shape:
        shapes = ["×".join(map(str, shape)) for shape in (saved_shape(run), test.image_shape)]
        raise ArgumentError(f"--diffusion {folder}: was trained on images {shapes[0]}, and these are {shapes[1]}")
    return run
