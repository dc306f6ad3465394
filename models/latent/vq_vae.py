"""The autoencoder whose codes are words of a book, and a transformer that writes such words.

A. van den Oord, O. Vinyals, K. Kavukcuoglu (2017), Neural discrete representation learning,
https://arxiv.org/abs/1711.00937.

The encoder makes a map of vectors of an image (7×7 of 28×28). Each is replaced by the nearest of K vectors e of a book,
of which the decoder makes the image again. The nearest one has no gradient; that of its place is passed straight
through to the encoder's vector z instead, and the book has a term of its own:

    L = -log p(x|e) + |sg(z) - e|² + β |z - sg(e)|²                                           (equation 3)

where sg(·) lets no gradient through: the second term brings the book to the encoder, the third keeps the encoder near
the book. What an image is made into is then a text of 49 words out of K, and a prior over such texts is learned like
one over any text (section 3.3), here by a small transformer that reads words row by row, after a first one that says
the class where there are classes:

    log p(c) = Σ_i log p(c_i | c_1 … c_i-1)

It is trained beside the rest, on the words as they are by then.

What to expect on MNIST: after one epoch -ELBO, which counts the words' nats and compares with that of vae.py on grey
levels, is about 110, and many samples are digits already. Of the book about ten words do most of the work at first.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

import minigen as mg
from minigen import data, layers, metrics, optim, plots
from minigen.autograd import Tensor
from minigen.errors import ArgumentError
from minigen.models.parts.images import ClassRequest as Request
from minigen.models.parts.images import Drawn, ImageShape, asked_of, require_fours, saved_shape
from minigen.models.parts.labels import complete
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import averaging, require_decay, require_positive, require_share, scheduling
from minigen.models.parts.quality import glance, quality
from minigen.models.parts.reader import reader_of
from minigen.models.parts.transformer import blocks, initialize
from minigen.training import Run, RunFolder, Steps


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    data: str = "mnist"  # mnist, fashion-mnist, a folder of images, or a .npz file
    size: int | None = None  # pictures of a folder are brought to size × size
    codes: int = 64  # K, the words of the book
    width: int = 16  # numbers of a word
    channels: int = 64  # of the convolutions
    commitment: float = 0.25  # β
    layers: int = 3  # blocks of the prior's transformer
    heads: int = 4  # attentions side by side in a block; they share its width
    dim: int = 96  # width of the prior
    dropout: float = 0.1  # share of what is added in each block that is dropped in training
    epochs: int = 15  # passes over the training images
    batch_size: int = 128  # images a step
    lr: float = 1e-3  # learning rate of Adam
    schedule: Literal["constant", "cosine"] = "cosine"  # the learning rate over all epochs; cosine: it falls to 0
    ema: float | None = None  # average the weights, by so much of the old ones a step, such as 0.999
    seed: int = 0  # decides everything random: weights, order of the images, dropout
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "size", "codes", "width", "channels", "commitment", "layers", "heads", "dim")
        require_positive(self, "epochs", "batch_size", "lr", "max_steps")
        require_decay(self.ema)
        require_share(self, "dropout")
        if self.channels < 2:
            raise ArgumentError("channels is 1, but the first convolution has half as many; use 2 or more")
        if self.dim % self.heads:
            raise ArgumentError(f"vq_vae: {self.heads} heads can not share a dim of {self.dim}; use a multiple")


# ---------------------------------------------------------------- the networks


class Prior(layers.Module):
    """Words (N, T) that begin with one that says the class → logits (N, T, K) of the word after each."""

    def __init__(self, words: int, classes: int, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        self.embedding = layers.Embedding(recipe.codes + classes, recipe.dim, rng=rng)
        self.positions = layers.LearnedPositions(words, recipe.dim, rng=rng)
        self.blocks = blocks(recipe, rng)
        self.norm = layers.LayerNorm(recipe.dim)
        self.out = layers.Linear(recipe.dim, recipe.codes, rng=rng)
        initialize(self, recipe.layers, rng)

    def forward(self, ids: np.ndarray | Tensor, caches: list[layers.KeyValueCache] | None = None) -> Tensor:
        """With caches, one for each block, `ids` are the words after those that the caches hold."""
        h = self.positions(self.embedding(ids), caches[0].length if caches else 0)
        for i, block in enumerate(self.blocks):
            h = block(h, is_causal=True, cache=caches[i] if caches else None)
        return self.out(self.norm(h))


class VQVAE(layers.Module):
    """Encoder, book, decoder and prior, for images of shape (H, W, C)."""

    classes: np.ndarray

    def __init__(self, image: ImageShape, classes: int, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        height, width, channels = image
        require_fours("vq_vae", image, "the networks halve height and width twice")
        self.map = (height // 4, width // 4)
        wide = recipe.channels
        self.encoder = layers.Sequential(
            layers.Conv2d(channels, wide // 2, 4, stride=2, padding=1, rng=rng),
            layers.ReLU(),
            layers.Conv2d(wide // 2, wide, 4, stride=2, padding=1, rng=rng),
            layers.ReLU(),
            layers.Conv2d(wide, wide, 3, padding=1, rng=rng),
            layers.ReLU(),
            layers.Conv2d(wide, recipe.width, 1, rng=rng),
            layers.BatchNorm(recipe.width),  # so that the encoder's vectors have the size of the book's first ones
        )
        self.book = layers.Embedding(recipe.codes, recipe.width, rng=rng)
        self.decoder = layers.Sequential(
            layers.Conv2d(recipe.width, wide, 3, padding=1, rng=rng),
            layers.ReLU(),
            layers.ConvTranspose2d(wide, wide // 2, 4, stride=2, padding=1, rng=rng),
            layers.ReLU(),
            layers.ConvTranspose2d(wide // 2, channels, 4, stride=2, padding=1, rng=rng),
        )
        self.prior = Prior(math.prod(self.map), max(classes, 1), recipe, rng)
        # So that a checkpoint alone can be sampled from.
        self.register_buffer("image", np.array(image))
        self.register_buffer("classes", np.array(classes))

    def words(self, z: Tensor) -> Tensor:
        """Which word of the book is nearest to each vector z (N, h, w, width): integers (N, h, w)."""
        e = self.book.weight.detach()
        return mg.argmin((e * e).sum(1) - 2.0 * mg.matmul(z.detach(), e.T), axis=-1)

    def told(self, words: np.ndarray | Tensor, y: np.ndarray | Tensor) -> Tensor:
        """Words (N, h, w) as the prior reads them, (N, h·w): the class first, and all but the last."""
        flat = mg.tensor(words).reshape(len(words), -1)
        first = mg.tensor(y).reshape(-1, 1) + len(self.book.weight)
        return mg.concatenate([first, flat[:, :-1]], axis=1)


# ---------------------------------------------------------------- the loss


def distortion(model: VQVAE, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """-log p(x|e), |sg(z) - e|² and |z - sg(e)|², averaged over the N images, and the words (N, h, w)."""
    z = model.encoder(x)
    words = model.words(z)
    e = model.book(words)
    logits = model.decoder(z + (e - z).detach())  # e, with its gradient straight through to z
    reconstruction = mg.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    book, commitment = z.detach() - e, z - e.detach()
    return reconstruction, (book * book).sum() / len(x), (commitment * commitment).sum() / len(x), words


def description(model: VQVAE, words: Tensor, y: np.ndarray) -> Tensor:
    """-log p(c), averaged over the N images, in nats."""
    logits = model.prior(model.told(words, y))
    flat = logits.reshape(-1, logits.shape[-1])
    return mg.cross_entropy(flat, words.reshape(-1), reduction="sum") / len(words)


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Minimise L, and beside it the prior's nats, by Adam, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    reader = reader_of(recipe.data)  # which measures the samples
    images, test = (data.load(recipe.data, split, size=recipe.size) for split in ("train", "test"))
    complete(images)
    classes = 0 if images.labels is None else len(images.classes)
    model = VQVAE(images.image_shape, classes, recipe, rng)
    optimizer = optim.Adam(model.parameters(), lr=recipe.lr)
    loader = data.DataLoader(images, recipe.batch_size, shuffle=True, rng=rng)
    schedule = scheduling(recipe.schedule, optimizer, recipe.epochs * len(loader))

    @mg.record
    def step(x: np.ndarray, y: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        reconstruction, book, commitment, words = distortion(model, mg.tensor(x))
        prior = description(model, words, y)
        loss = reconstruction + book + recipe.commitment * commitment + prior

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach(), reconstruction.detach(), prior.detach()

    state = {"model": model, "optimizer": optimizer, "loader": loader, "rng": rng, "schedule": schedule}
    state |= {"ema": averaging(model, recipe.ema)}
    limits = {"epochs": recipe.epochs, "max_steps": recipe.max_steps}
    with Steps(run, loader, state, **limits, watch="test_negative_elbo", held_out=test) as steps:
        for x, *y in steps:
            loss, reconstruction, prior = step(x, y[0] if y else np.zeros(len(x), np.int64))
            steps.log(every=50, loss=loss, reconstruction=reconstruction, prior=prior)
            with steps.averaged():
                if steps.check_due:
                    figures = {f"test_{name}": value for name, value in measure(model, test).items()}
                    figures |= glance(reader, lambda n: draw(model, n, mg.random.generator(recipe.seed)).images)
                    steps.record(**figures)
                if steps.sample_due:
                    sheet = draw(model, 64, mg.random.generator(recipe.seed)).images
                    plots.save_grid(steps.picture_path(), sheet, title=steps.title)


def load(run: RunFolder) -> VQVAE:
    """The model of a run, as it was saved last."""
    classes = int(run.saved()["model"]["classes"])
    model = VQVAE(saved_shape(run), classes, run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model)
    return model


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """Images as the encoder reads them."""
    return data.image_preprocessing(saved_shape(run))


# ---------------------------------------------------------------- sampling


def sample(run: RunFolder, request: Request, rng: np.random.Generator) -> np.ndarray:
    """n images, (n, H, W, C) in [0, 1], of the class that is asked for."""
    model = load(run)
    y = asked_of(request, run, int(model.classes))
    return draw(model, request.n, rng, y).images


def draw(model: VQVAE, n: int, rng: np.random.Generator, y: np.ndarray | None = None) -> Drawn:
    """n images of texts that the prior writes, of the classes y (n,), or of all in turn; in batches of 500."""
    wanted = np.arange(n) % max(int(model.classes), 1) if y is None else y
    batches = [decode(model, write(model, wanted[i : i + 500], rng)) for i in range(0, n, 500)]
    return Drawn(np.concatenate(batches), wanted if model.classes else None)


def write(model: VQVAE, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Words (N, h, w), each drawn with its probability after those before it."""
    codes, caches = len(model.book.weight), [layers.KeyValueCache() for _ in model.prior.blocks]
    words, last = [], y[:, None] + codes
    with evaluating(model):
        for _ in range(math.prod(model.map)):
            logits = model.prior(last, caches).numpy()[:, -1]
            last = (logits + rng.gumbel(size=logits.shape)).argmax(1)[:, None]  # a draw of softmax(logits)
            words.append(last)
    return np.concatenate(words, axis=1).reshape(len(y), *model.map)


def decode(model: VQVAE, words: np.ndarray) -> np.ndarray:
    """The mean of p(x|e) for words (N, h, w), as images (N, H, W, C) in [0, 1]."""
    with evaluating(model):
        return mg.sigmoid(model.decoder(model.book(words))).numpy()


# ---------------------------------------------------------------- evaluation


def evaluate(run: RunFolder) -> dict[str, float]:
    """-ELBO and its terms on the test images, how much of the book is used, how good samples are; draws both."""
    recipe, model = run.load_recipe(Recipe), load(run)
    test = data.load(recipe.data, "test", size=recipe.size)
    images = test[:50][0]
    with evaluating(model):
        copies = decode(model, model.words(model.encoder(mg.tensor(images))).numpy())
    title = "vq_vae · test images, each over its reconstruction"
    plots.save_reconstructions(run.path / "reconstructions.png", images, copies, title=title)
    return measure(model, test) | quality(lambda n, rng: draw(model, n, rng), run)


def measure(model: VQVAE, images: data.ImageDataset) -> dict[str, float]:
    """Averages over all `images`, in nats per image: -log p(x|e) - log p(c), which is -ELBO, as q(c|x) is sure.

    words: exp of the entropy of the words of all images together, how many of the book are in use.
    """
    totals, counts = np.zeros(2), np.zeros(len(model.book.weight))
    with evaluating(model):
        for x, *y in data.DataLoader(images, 500):
            reconstruction, _, _, words = distortion(model, mg.tensor(x))
            prior = description(model, words, y[0] if y else np.zeros(len(x), np.int64))
            totals += len(x) * np.array([reconstruction.item(), prior.item()])
            counts += np.bincount(words.numpy().reshape(-1), minlength=len(counts))
    reconstruction, prior = totals / len(images)
    figures = {"negative_elbo": reconstruction + prior, "reconstruction": reconstruction, "prior": prior}
    return figures | {"words": metrics.perplexity(entropy(counts / counts.sum()))}


def entropy(shares: np.ndarray) -> float:
    """-Σ p log p, in nats."""
    some = shares[shares > 0]
    return -float((some * np.log(some)).sum())
