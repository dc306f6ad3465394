"""A generative adversarial network of words: the Gumbel-softmax generator.

M. J. Kusner, J. M. Hernández-Lobato (2016), GANs for sequences of discrete elements with the Gumbel-softmax
distribution, https://arxiv.org/abs/1611.04051; E. Jang, S. Gu, B. Poole (2017), Categorical reparameterization with
Gumbel-softmax, https://arxiv.org/abs/1611.01144; C. J. Maddison, A. Mnih, Y. W. Teh (2017), The concrete distribution,
https://arxiv.org/abs/1611.00712; L. Mescheder, A. Geiger, S. Nowozin (2018), Which training methods for GANs do
actually converge?, https://arxiv.org/abs/1801.04406.

A generator G turns noise z ~ N(0, I) into the logits of every letter of a word, all at once. To draw letters is a
choice, through which no gradient passes. But with g_k = -log(-log u_k), u_k uniform,

    letter = argmax_k (logits_k + g_k)          is a draw from softmax(logits)                (Gumbel-max)
    soft   = softmax((logits + g) / tau)        comes near to its one-hot vector as tau → 0   (Gumbel-softmax)

and a discriminator D that was shown soft vectors would know G's words by their not being one-hot, whatever they spell.
So D sees the letter itself, one-hot as those of real words, while the gradient goes back through `soft` as if it had
been seen (straight-through; Jang et al., section 2.2). tau falls during training: from smooth gradients to true ones.

Both play the game of `gan`, each with the non-saturating loss. D's gradient at real words is kept small,

    penalty / 2 · E_x[|∇_x D(x)|²]                                    (R1; Mescheder et al., equation 9)

without which D, for which single letters are easy to tell apart, gives G no direction to follow. Its gradient with
respect to D's weights is one of second order.

What to expect: words are drawn from the text as often as they stand there. G's letters first take their frequencies,
then their places, then short words are spelled right; longer ones remain Jabberwocky. `known` is the share of G's words
that the text has, `overlap_n` that of its runs of n letters. After the 5 epochs of the default recipe about 0.37, 0.85
(n = 3) and 0.49 (n = 4); the same letters, shuffled across the words, reach 0.02, 0.52 and 0.13.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import minigen as mg
from minigen import data, layers, optim
from minigen.autograd import Tensor
from minigen.checks import check_number
from minigen.data.tokenizers import words
from minigen.errors import DataError
from minigen.models.parts.game import discriminator_loss, generator_loss, noise
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import averaging, require_decay, require_positive
from minigen.models.parts.text import Choice, choose, save_text, saved_tokenizer
from minigen.training import Run, RunFolder, Steps

BLANK = " "  # fills up words that are shorter than the longest
JUDGED = 1000  # words that are written to be compared with the text


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    text: str = "shakespeare"  # shakespeare, or a UTF-8 file
    shortest: int = 3  # letters of the shortest word
    longest: int = 10  # letters of the longest word
    latent: int = 64  # how many numbers of noise z a word is made from
    width: int = 64  # channels of the convolutions, in both networks
    temperature: float = 1.0  # tau at the start
    final_temperature: float = 0.5  # tau after annealing_steps steps, and from then on
    annealing_steps: int = 8000  # in how many steps tau falls, by the same factor in each
    penalty: float = 0.3  # weight of D's squared gradient at real words
    epochs: int = 5  # passes over the words of the text
    batch_size: int = 64  # words a step
    lr: float = 1e-3  # first learning rate of Adam, for both networks; it falls to 0 over all epochs
    beta1: float = 0.5  # share of the old mean gradient that Adam keeps
    ema: float | None = None  # average G's weights, by so much of the old ones a step, such as 0.999, to write with
    seed: int = 0  # decides everything random: weights, order of the words, z, letters
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "shortest", "longest", "latent", "width", "temperature", "final_temperature")
        require_positive(self, "annealing_steps", "epochs", "batch_size", "lr", "max_steps")
        require_decay(self.ema)
        check_number("text_gan", "penalty", self.penalty, 0)


EXTENDABLE = ("max_steps",)  # and not epochs: the learning rate falls over all of them from the first step


# ---------------------------------------------------------------- the words


def load_words(recipe: Recipe) -> list[str]:
    """The words of the text, in lower case, that are of the right length, each as often as it stands there."""
    found = [word for word in words(data.load_text(recipe.text)) if recipe.shortest <= len(word) <= recipe.longest]
    if len(set(found)) < 2:
        raise DataError(
            f"text_gan: {recipe.text} has {len(set(found))} different words of {recipe.shortest} to {recipe.longest} "
            "letters; use a longer text, or other --shortest and --longest"
        )
    return found


def letters(found: list[str], tokenizer: data.Tokenizer, length: int) -> np.ndarray:
    """The numbers of the letters of each word, (N, length), filled up with blanks."""
    return tokenizer.encode("".join(word.ljust(length, BLANK) for word in found)).reshape(len(found), length)


# ---------------------------------------------------------------- the networks


class Block(layers.Module):
    """x + what two convolutions over neighbouring letters make of it, (N, 1, length, width)."""

    def __init__(self, width: int, kernel: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.first = layers.Conv2d(width, width, (1, kernel), padding="same", rng=rng)
        self.second = layers.Conv2d(width, width, (1, kernel), padding="same", rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(mg.leaky_relu(self.first(mg.leaky_relu(x, 0.2)), 0.2))


def generator(symbols: int, recipe: Recipe, rng: np.random.Generator) -> layers.Sequential:
    """z (N, latent) → logits (N, length, symbols)."""
    length, width = recipe.longest, recipe.width
    return layers.Sequential(
        layers.Linear(recipe.latent, length * width, rng=rng),
        layers.Reshape(1, length, width),
        Block(width, 5, rng),
        Block(width, 5, rng),
        layers.LeakyReLU(0.2),
        layers.Conv2d(width, symbols, 1, rng=rng),
        layers.Reshape(length, symbols),
    )


def discriminator(symbols: int, recipe: Recipe, rng: np.random.Generator) -> layers.Sequential:
    """One-hot letters (N, length, symbols) → the logit of D, (N, 1)."""
    length, width = recipe.longest, recipe.width
    return layers.Sequential(
        layers.Reshape(1, length, symbols),
        layers.Conv2d(symbols, width, (1, 3), padding="same", rng=rng),
        Block(width, 3, rng),
        Block(width, 3, rng),
        layers.LeakyReLU(0.2),
        layers.Flatten(),
        layers.Linear(length * width, 1, rng=rng),
    )


class TextGAN(layers.Module):
    """Both players."""

    def __init__(self, symbols: int, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        self.generator = generator(symbols, recipe, rng)
        self.discriminator = discriminator(symbols, recipe, rng)


# ---------------------------------------------------------------- letters that gradients pass through


def one_hot(ids: np.ndarray, symbols: int) -> np.ndarray:
    """(…) → (…, symbols), a 1 in the place of each number."""
    return np.eye(symbols, dtype=mg.config.dtype)[ids]


def straight_through(soft: Tensor) -> Tensor:
    """The one-hot vector of the largest of (…, symbols) forward; backward as if it were `soft` itself."""
    return (soft - soft.detach()) + mg.one_hot(mg.argmax(soft, -1), soft.shape[-1]).astype(soft.dtype)


def gumbel_softmax(logits: Tensor, tau: Tensor | float, rng: np.random.Generator) -> Tensor:
    """A draw from softmax(logits) for each place, as one-hot vectors through which gradients pass."""
    return straight_through(mg.gumbel_softmax(logits, tau, rng=rng))


def temperature(step: int, recipe: Recipe) -> float:
    """tau at a step: from the first to the final temperature, by the same factor in each step."""
    share = min(step / recipe.annealing_steps, 1.0)
    return recipe.temperature ** (1 - share) * recipe.final_temperature**share


# ---------------------------------------------------------------- the penalty


def squared_gradient(logits: Tensor, x: Tensor) -> Tensor:
    """|∇_x D(x)|², averaged over the batch, as a tensor that D's weights can be differentiated by."""
    (gx,) = mg.grad(logits.sum(), [x], create_graph=True)
    return (gx * gx).sum() / len(x)


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Play the game, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    found = load_words(recipe)
    tokenizer = data.CharTokenizer.of(BLANK + "".join(found))
    model = TextGAN(tokenizer.size, recipe, rng)
    g, d = model.generator, model.discriminator
    g_optimizer = optim.Adam(g.parameters(), lr=recipe.lr, betas=(recipe.beta1, 0.9))
    d_optimizer = optim.Adam(d.parameters(), lr=recipe.lr, betas=(recipe.beta1, 0.9))
    dataset = data.ArrayDataset(letters(found, tokenizer, recipe.longest))
    loader = data.DataLoader(dataset, recipe.batch_size, shuffle=True, rng=rng)
    length = recipe.epochs * len(loader)
    g_schedule, d_schedule = optim.CosineLR(g_optimizer, length), optim.CosineLR(d_optimizer, length)

    @mg.record
    def step(real: np.ndarray, tau: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        x = mg.tensor(real, requires_grad=True)
        fake = gumbel_softmax(g(noise(len(real), recipe.latent, rng)), mg.tensor(tau), rng)

        # D's step, on one-hot vectors from either side.
        real_logits, fake_logits = d(x), d(fake.detach())
        d_loss = discriminator_loss(real_logits, fake_logits)
        penalty = squared_gradient(real_logits, x)
        d_optimizer.zero_grad()
        (d_loss + 0.5 * recipe.penalty * penalty).backward()
        d_optimizer.step()

        # G's step, through D as it is now.
        with d.frozen():
            g_loss = generator_loss(d(fake))
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        return d_loss, g_loss, penalty.detach()

    state = {"model": model, "g_optimizer": g_optimizer, "d_optimizer": d_optimizer, "loader": loader}
    state |= {"g_schedule": g_schedule, "d_schedule": d_schedule, "tokenizer": tokenizer, "rng": rng}
    state |= {"ema": averaging(g, recipe.ema)}
    with Steps(run, loader, state, epochs=recipe.epochs, max_steps=recipe.max_steps) as steps:
        for (ids,) in steps:
            tau = temperature(steps.step, recipe)
            d_loss, g_loss, penalty = step(one_hot(ids, tokenizer.size), np.array(tau, mg.config.dtype))
            steps.log(every=50, d_loss=d_loss, g_loss=g_loss, penalty=penalty, temperature=tau)
            if steps.check_due:
                with steps.averaged():
                    new = write(model, tokenizer, recipe, 500, Choice(), mg.random.generator(0))
                steps.record(**against(new, found))
            if steps.sample_due:
                with steps.averaged():
                    new = write(model, tokenizer, recipe, 100, Choice(), mg.random.generator(recipe.seed))
                save_text(steps.text_path(), "\n".join(" ".join(new[i : i + 10]) for i in range(0, 100, 10)))


def load(run: RunFolder) -> TextGAN:
    """Both networks of a run, as they were saved last."""
    model = TextGAN(saved_tokenizer(run).size, run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model.generator)
    return model


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """Words of a text as D reads them: one-hot letters (N, length, symbols), filled up with blanks."""
    tokenizer, length = saved_tokenizer(run), run.load_recipe(Recipe).longest

    def shown(text: str) -> np.ndarray:
        return one_hot(letters([word[:length] for word in words(text)], tokenizer, length), tokenizer.size)

    description = f"a text → one-hot letters of its words, cut after {length} (N, {length}, {tokenizer.size})"
    return data.Preprocessing(description, shown, tokenizer)


# ---------------------------------------------------------------- writing


@dataclass(frozen=True)
class Request(Choice):
    """What can be asked of it. There is no prompt: nothing goes before a word."""

    n: int = 64  # words to write


def generate(run: RunFolder, request: Request, rng: np.random.Generator) -> Iterator[str]:
    """n words, a line each."""
    new = write(load(run), saved_tokenizer(run), run.load_recipe(Recipe), request.n, request, rng)
    return ("\n" * (i > 0) + word for i, word in enumerate(new))


def write(
    model: TextGAN, tokenizer: data.Tokenizer, recipe: Recipe, n: int, choice: Choice, rng: np.random.Generator
) -> list[str]:
    """n words of G; each letter is chosen by its logits."""
    z = noise(n, recipe.latent, rng)
    with evaluating(model):
        logits = np.concatenate([model.generator(mg.tensor(z[i : i + 500])).numpy() for i in range(0, n, 500)])
    return [tokenizer.decode(np.array([choose(row, choice, rng) for row in word])).rstrip(BLANK) for word in logits]


# ---------------------------------------------------------------- evaluation


def evaluate(run: RunFolder) -> dict[str, float]:
    """How word-like 1,000 words of G are; …_shuffled: the same for as many of the text, their letters shuffled."""
    recipe = run.load_recipe(Recipe)
    rng, found = mg.random.generator(0), load_words(recipe)
    new = write(load(run), saved_tokenizer(run), recipe, JUDGED, Choice(), rng)
    real = [found[i] for i in rng.integers(0, len(found), JUDGED)]
    loose = iter(rng.permutation(list("".join(real))))
    shuffled = ["".join(next(loose) for _ in word) for word in real]
    figures = against(new, found) | {"distinct_text": len(set(real)) / len(real)}
    return figures | {f"{name}_shuffled": value for name, value in against(shuffled, found).items()}


def against(new: list[str], found: list[str]) -> dict[str, float]:
    """New words beside those of a text.

    known: share of them that the text has. overlap_n: share of their runs of n letters that stand in the text's words.
    distinct: share of them that are different ones. length: letters in the mean.
    """
    known = set(found)
    return {
        "known": sum(word in known for word in new) / len(new),
        **{f"overlap_{n}": overlap(new, known, n) for n in (3, 4)},
        "distinct": len(set(new)) / len(new),
        "length": sum(map(len, new)) / len(new),
    }


def overlap(new: list[str], known: set[str], n: int) -> float:
    """Share of the runs of n letters in new words that stand in a known word; 0 when there are none."""
    found = {run for word in known for run in runs(word, n)}
    hits = [run in found for word in new for run in runs(word, n)]
    return sum(hits) / max(len(hits), 1)


def runs(word: str, n: int) -> list[str]:
    """All runs of n letters in a word."""
    return [word[i : i + n] for i in range(len(word) - n + 1)]
