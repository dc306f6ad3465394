"""GloVe: vectors of words from how often they stand near each other.

J. Pennington, R. Socher, C. D. Manning (2014), GloVe: global vectors for word representation, EMNLP,
https://aclanthology.org/D14-1162.

X_ij counts how often word j stands near word i in the whole text; two words d apart add 1/d (section 4.2). Every word
gets two vectors w and w̃ and two numbers b and b̃, with which the products of vectors shall give the logarithms:

    J = Σ f(X_ij) (w_i · w̃_j + b_i + b̃_j - log X_ij)²                                           (equation 8)

over all pairs of words that stand near each other at all. A pair counts the more the oftener it was seen, up to a
bound, so that neither chance nor "of the" decides:

    f(x) = min(1, (x / x_max)^(3/4))                                                             (equation 9)

Then ratios of probabilities, which tell words apart, are differences of vectors. X is symmetric, so that w and w̃ differ
by their first values only; a word's vector is their sum (section 4.2).

What to expect on Shakespeare, 170,000 words with 900,000 pairs: J, as the mean of a pair, falls from 0.05 to 0.006 in
the 15 epochs of the default recipe, a quarter of a minute, and is 0.02 on pairs held out, where more epochs raise it.
Father is near to mother, and king - man + woman is nearest to queen; docs/words.md shows more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

import minigen as mg
from minigen import data, layers, optim
from minigen.autograd import Tensor
from minigen.checks import check_number
from minigen.errors import DataError
from minigen.layers import init
from minigen.models.parts.options import require_positive, stopping
from minigen.models.parts.text import save_text
from minigen.models.parts.words import Question, Words, answers, corpus, overview, same_corpus, save_map, saved_words
from minigen.models.parts.words import preprocessing as preprocessing
from minigen.training import Run, RunFolder, Steps

Request = Question


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    text: str = "shakespeare"  # shakespeare, or a UTF-8 file
    vocabulary: int = 2000  # how many words get a vector, the most frequent ones
    dim: int = 100  # numbers in a vector
    window: int = 20  # how far apart two words may stand to be counted
    x_max: float = 100.0  # the count from which on all pairs weigh the same
    power: float = 0.75  # how the weight grows up to there
    epochs: int = 15  # passes over all pairs of words
    batch_size: int = 4096  # pairs of words a step
    lr: float = 0.3  # learning rate of AdaGrad
    patience: int | None = None  # stop when what was held out was no better for so many epochs
    seed: int = 0  # decides everything random: weights, order of the pairs
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "vocabulary", "dim", "window", "x_max", "epochs", "batch_size", "lr")
        require_positive(self, "patience", "max_steps")
        check_number("glove", "power", self.power, 0)


# ---------------------------------------------------------------- counting


def cooccurrences(ids: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """i, j, X_ij of all pairs of words at most `window` apart in a text (T,), each (pairs,); X is symmetric.

    Every two positions d apart add 1/d to X_ij and to X_ji.
    """
    words = int(ids.max()) + 1
    keys, counts = np.empty(0, np.int64), np.empty(0)
    for distance in range(1, min(window, len(ids) - 1) + 1):
        a, b = ids[:-distance], ids[distance:]
        new = np.minimum(a, b) * words + np.maximum(a, b)
        weights = np.concatenate([counts, np.full(len(new), 1 / distance)])
        keys, place = np.unique(np.concatenate([keys, new]), return_inverse=True)
        counts = np.bincount(place, weights)
    i, j = keys // words, keys % words
    other = i != j
    counts[~other] *= 2
    return np.r_[i, j[other]], np.r_[j, i[other]], np.r_[counts, counts[other]]


def split(ids: np.ndarray, window: int) -> tuple[data.ArrayDataset, data.ArrayDataset]:
    """Pairs of words to learn from, and every twentieth to measure on, X_ij together with X_ji: (i, j, X_ij) each."""
    i, j, x = cooccurrences(ids, window)
    held_out = (i + j) % 20 == 0
    if held_out.all() or not held_out.any():
        raise DataError(f"glove: the text has only {len(x)} pairs of words, too few to hold some out; use a longer one")
    training, validation = (data.ArrayDataset(i[part], j[part], x[part]) for part in (~held_out, held_out))
    return training, validation


# ---------------------------------------------------------------- the model


class GloVe(layers.Module):
    """The tables w, w̃ and b, b̃."""

    def __init__(self, words: int, dim: int, rng: np.random.Generator) -> None:
        super().__init__()
        start = partial(init.uniform, low=-0.5 / dim, high=0.5 / dim)
        self.w, self.w_tilde = (layers.Embedding(words, dim, rng=rng, init=start) for _ in range(2))
        self.b, self.b_tilde = (layers.Embedding(words, 1, rng=rng, init=start) for _ in range(2))

    def forward(self, i: np.ndarray, j: np.ndarray) -> Tensor:
        """Two words, each (N,) → w_i · w̃_j + b_i + b̃_j, (N,)."""
        return (self.w(i) * self.w_tilde(j)).sum(axis=1) + (self.b(i) + self.b_tilde(j)).reshape(-1)

    def vectors(self) -> np.ndarray:
        """w + w̃, (words, dim)."""
        return self.w.weight.data + self.w_tilde.weight.data


def weighted_squares(predicted: Tensor, x: np.ndarray, x_max: float, power: float) -> Tensor:
    """Equations 8 and 9, the mean over the N pairs instead of the sum. predicted, x: (N,)."""
    count = mg.tensor(x, dtype=np.float64)
    f, target = mg.minimum(1.0, (count / x_max) ** power), mg.log(count)
    error = predicted - target.astype(predicted.dtype)
    return (f.astype(predicted.dtype) * error * error).mean()


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Minimise J by AdaGrad, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    tokenizer, ids = corpus(recipe.text, recipe.vocabulary)
    words = tokenizer.symbols[1:]
    training, validation = split(ids, recipe.window)
    model = GloVe(len(words), recipe.dim, rng)
    optimizer = optim.Adagrad(model.parameters(), lr=recipe.lr)
    loader = data.DataLoader(training, recipe.batch_size, shuffle=True, rng=rng)

    @mg.record
    def step(i: np.ndarray, j: np.ndarray, x: np.ndarray) -> Tensor:
        loss = weighted_squares(model(i, j), x, recipe.x_max, recipe.power)

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    state = {"model": model, "optimizer": optimizer, "loader": loader, "tokenizer": tokenizer, "rng": rng}
    state |= {"stopping": stopping(recipe.patience)}
    with Steps(run, loader, state, epochs=recipe.epochs, max_steps=recipe.max_steps, held_out=validation) as steps:
        for i, j, x in steps:
            steps.log(every=100, loss=step(i, j, x))
            if steps.check_due:
                steps.record(validation_loss=measure(model, validation, recipe))
            if steps.sample_due:
                save_text(steps.text_path(), overview(Words(words, model.vectors())))


def load(run: RunFolder) -> GloVe:
    """The model of a run, as it was saved last."""
    model = GloVe(len(saved_words(run)), run.load_recipe(Recipe).dim, mg.random.generator(0))
    run.load_weights(model)
    return model


# ---------------------------------------------------------------- asking it


def vectors(run: RunFolder) -> Words:
    """The words of a run and their vectors w + w̃, to be asked for neighbours, analogies and agreement with others."""
    return Words(saved_words(run), load(run).vectors())


def generate(run: RunFolder, request: Request, rng: np.random.Generator) -> Iterator[str]:
    """The n words nearest to the prompt, a word or a sum as in "king - man + woman", and their cosines."""
    return answers(vectors(run), request.prompt, request.n)


# ---------------------------------------------------------------- evaluation


def evaluate(run: RunFolder) -> dict[str, float]:
    """J on the pairs of words held out, the mean of a pair, and the cosines of related words; draws the map."""
    recipe, words = run.load_recipe(Recipe), vectors(run)
    ids = same_corpus(run, recipe.text, recipe.vocabulary)
    save_map(run, words)
    return {"loss": measure(load(run), split(ids, recipe.window)[1], recipe), **words.relatedness()}


def measure(model: GloVe, pairs: data.ArrayDataset, recipe: Recipe) -> float:
    """The mean of J over all these pairs of words."""
    total = 0.0
    with mg.no_grad():
        for i, j, x in data.DataLoader(pairs, 65536):
            total += weighted_squares(model(i, j), x, recipe.x_max, recipe.power).item() * len(x)
    return total / len(pairs)
