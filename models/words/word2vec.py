"""Skip-gram with negative sampling: vectors of words from the words around them.

T. Mikolov, I. Sutskever, K. Chen, G. Corrado, J. Dean (2013), Distributed representations of words and phrases and
their compositionality, https://arxiv.org/abs/1310.4546.

Every word w has two vectors: v_w, which is wanted, and v'_w for when it stands in the neighbourhood of another. For a
word I and a word O at most `window` words away from it, and noise words W drawn from P(W), the loss is

    -log σ(v'_O · v_I) - k E_{W ~ P} log σ(-v'_W · v_I)                                          (equation 4)

so that true neighbours get a large product and chance ones a small one. P(W) is the frequency of W to the power 3/4
(section 2.2). Of frequent words, which say little, many occurrences are left out: a word of relative frequency f is
kept with probability √(t / f) (equation 5), here each time it would stand in a pair. Near neighbours count more: the
window of each occurrence is drawn from 1 … window, as in the authors' program.

The expectation over noise words is taken as the mean over `noise` of them that all pairs of a step share: the same
gradient in the mean as k words a pair, of less variance, and one matrix product instead of a hundred thousand look-ups.

What to expect on Shakespeare, 170,000 words: knowing nothing, a pair costs (1 + k) log 2 = 4.16 nats. After the 15
epochs of the default recipe, half a minute, one of the text costs 2.45 and one of the words held out 2.7; night is near
to day, father to mother, sea to shore. Asked what is to "he" as "art" is to "thou", the vectors say "himself": so small
a text teaches kinds of words better than their grammar. docs/words.md shows more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

import minigen as mg
from minigen import data, layers, optim
from minigen.autograd import Tensor
from minigen.checks import check_number
from minigen.layers import init
from minigen.models.parts.options import require_positive, stopping
from minigen.models.parts.text import save_text
from minigen.models.parts.words import Question, Words, answers, corpus, overview, same_corpus, save_map, saved_words
from minigen.models.parts.words import preprocessing as preprocessing
from minigen.training import Run, RunFolder, Steps

Request = Question
VALIDATION = 0.02  # share of the words, the last ones, that are held out


FILLED = 1024  # the pairs of a step are filled up to a multiple of it


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    text: str = "shakespeare"  # shakespeare, or a UTF-8 file
    vocabulary: int = 2000  # how many words get a vector, the most frequent ones
    dim: int = 300  # numbers in a vector
    window: int = 5  # how far away a neighbour may stand
    negatives: float = 5.0  # k, the weight of the noise words against one true neighbour
    noise: int = 128  # noise words drawn in a step
    subsample: float = 1e-3  # t: words more frequent than this share of the text are thinned out
    epochs: int = 15  # passes over the text
    batch_size: int = 4096  # words a step, each with its neighbours
    lr: float = 0.025  # first learning rate of AdamW; it falls to 0 over all epochs
    weight_decay: float = 0.2  # of AdamW: keeps vectors of rare words from learning chance by heart
    patience: int | None = None  # stop when what was held out was no better for so many epochs
    seed: int = 0  # decides everything random: weights, order, pairs, noise words
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "vocabulary", "dim", "window", "negatives", "noise", "epochs", "batch_size", "lr")
        require_positive(self, "patience", "max_steps")
        check_number("word2vec", "subsample", self.subsample, above=0)
        check_number("word2vec", "weight_decay", self.weight_decay, 0)


EXTENDABLE = ("max_steps",)  # and not epochs: the learning rate falls over all of them from the first step


# ---------------------------------------------------------------- the model


class Word2Vec(layers.Module):
    """The two tables: v of words, and v' of words as neighbours."""

    def __init__(self, words: int, dim: int, rng: np.random.Generator) -> None:
        super().__init__()
        start = partial(init.uniform, low=-0.5 / dim, high=0.5 / dim)
        self.word = layers.Embedding(words, dim, rng=rng, init=start)
        self.neighbour = layers.Embedding(words, dim, rng=rng, init=partial(init.constant, value=0.0))

    def forward(self, word: np.ndarray, neighbour: np.ndarray, noise: np.ndarray) -> tuple[Tensor, Tensor]:
        """word, neighbour (N,), noise (M,) → the products v'_O · v_I (N,) and v'_W · v_I (N, M)."""
        v = self.word(word)
        return (v * self.neighbour(neighbour)).sum(axis=1), v @ self.neighbour(noise).T


def negative_sampling(true: Tensor, noise: Tensor, k: float, real: np.ndarray | None = None) -> Tensor:
    """Equation 4, averaged over the N pairs; -log σ(x) = softplus(-x), and the mean over noise words is E.

    real (N,): 1 for a pair that counts, 0 for one that fills up; None: all count.
    """
    losses = mg.softplus(-true) + mg.softplus(noise).sum(axis=1) * (k / noise.shape[1])
    if real is None:
        return losses.sum() / max(len(true), 1)
    return (losses * mg.tensor(real)).sum() / mg.maximum(mg.tensor(real).sum(), 1.0)


# ---------------------------------------------------------------- pairs and noise


class Pairs:
    """Draws training pairs and noise words by the frequencies of a text: ids (T,), numbers below `words`."""

    def __init__(self, ids: np.ndarray, words: int, recipe: Recipe) -> None:
        frequency = np.bincount(ids, minlength=words) / len(ids)
        self.keep = np.minimum(1, np.sqrt(recipe.subsample / np.maximum(frequency, 1e-12)))
        self.cumulative = np.cumsum(frequency**0.75)
        self.cumulative /= self.cumulative[-1]
        self.offsets = np.setdiff1d(np.arange(-recipe.window, recipe.window + 1), 0)
        self.window, self.count = recipe.window, recipe.noise

    def around(self, ids: np.ndarray, at: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (word, neighbour), each (N,), of the words at these positions of a text."""
        places = at[:, None] + self.offsets
        inside = (places >= 0) & (places < len(ids))
        neighbours = ids[np.where(inside, places, 0)]
        near = np.abs(self.offsets) <= rng.integers(1, self.window + 1, (len(at), 1))
        kept = (rng.random((len(at), 1)) < self.keep[ids[at, None]]) & (
            rng.random(places.shape) < self.keep[neighbours]
        )
        row, column = np.nonzero(inside & near & kept)
        return ids[at[row]], neighbours[row, column]

    def filled(self, word: np.ndarray, neighbour: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pairs (N,) as many as one of few numbers, so that a recorded step sees few shapes; and 1 for real ones."""
        real = np.ones(len(word), mg.config.dtype)
        missing = (0, -len(word) % FILLED)
        return np.pad(word, missing), np.pad(neighbour, missing), np.pad(real, missing)

    def noise(self, rng: np.random.Generator) -> np.ndarray:
        """Noise words (M,), by their frequency to the power 3/4."""
        drawn = np.searchsorted(self.cumulative, rng.random(self.count), side="right")
        return np.minimum(drawn, len(self.cumulative) - 1)


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Minimise equation 4 by AdamW, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    tokenizer, ids = corpus(recipe.text, recipe.vocabulary)
    words = tokenizer.symbols[1:]
    training, validation = data.split_text(ids, VALIDATION)
    pairs = Pairs(training, len(words), recipe)
    model = Word2Vec(len(words), recipe.dim, rng)
    optimizer = optim.AdamW(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
    loader = data.DataLoader(data.ArrayDataset(np.arange(len(training))), recipe.batch_size, shuffle=True, rng=rng)
    schedule = optim.CosineLR(optimizer, recipe.epochs * len(loader))

    @mg.record
    def step(word: np.ndarray, neighbour: np.ndarray, real: np.ndarray, noise: np.ndarray) -> Tensor:
        true, drawn = model(word, neighbour, noise)
        loss = negative_sampling(true, drawn, recipe.negatives, real)

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    state = {"model": model, "optimizer": optimizer, "schedule": schedule, "loader": loader, "rng": rng}
    state |= {"tokenizer": tokenizer, "stopping": stopping(recipe.patience)}
    limits = {"epochs": recipe.epochs, "max_steps": recipe.max_steps}
    with Steps(run, loader, state, **limits, held_out=validation, data=training) as steps:
        for (at,) in steps:
            word, neighbour, real = pairs.filled(*pairs.around(training, at, rng))
            steps.log(every=50, loss=step(word, neighbour, real, pairs.noise(rng)))
            if steps.check_due:
                steps.record(validation_loss=measure(model, validation, pairs, recipe))
            if steps.sample_due:
                save_text(steps.text_path(), overview(Words(words, model.word.weight.data)))


def load(run: RunFolder) -> Word2Vec:
    """The model of a run, as it was saved last."""
    model = Word2Vec(len(saved_words(run)), run.load_recipe(Recipe).dim, mg.random.generator(0))
    run.load_weights(model)
    return model


# ---------------------------------------------------------------- asking it


def vectors(run: RunFolder) -> Words:
    """The words of a run and their vectors v, to be asked for neighbours, analogies and agreement with others."""
    return Words(saved_words(run), load(run).word.weight.data)


def generate(run: RunFolder, request: Request, rng: np.random.Generator) -> Iterator[str]:
    """The n words nearest to the prompt, a word or a sum as in "king - man + woman", and their cosines."""
    return answers(vectors(run), request.prompt, request.n)


# ---------------------------------------------------------------- evaluation


def evaluate(run: RunFolder) -> dict[str, float]:
    """The loss on the held-out words, in nats per pair, and the cosines of related words; draws the map."""
    recipe, model, words = run.load_recipe(Recipe), load(run), vectors(run)
    ids = same_corpus(run, recipe.text, recipe.vocabulary)
    training, validation = data.split_text(ids, VALIDATION)
    save_map(run, words)
    loss = measure(model, validation, Pairs(training, len(words.words), recipe), recipe)
    return {"loss": loss, **words.relatedness()}


def measure(model: Word2Vec, ids: np.ndarray, pairs: Pairs, recipe: Recipe) -> float:
    """The loss over the pairs of a text, with the same pairs and noise words every time."""
    rng = mg.random.generator(0)
    total, count = 0.0, 0
    with mg.no_grad():
        for first in range(0, len(ids), 4096):
            at = np.arange(first, min(first + 4096, len(ids)))
            word, neighbour = pairs.around(ids, at, rng)
            true, noise = model(word, neighbour, pairs.noise(rng))
            total += negative_sampling(true, noise, recipe.negatives).item() * len(word)
            count += len(word)
    return total / max(count, 1)
