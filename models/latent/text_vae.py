"""A variational autoencoder of sentences.

S. R. Bowman et al. (2016), Generating sentences from a continuous space, https://arxiv.org/abs/1511.06349.

A sentence x = x_1 … x_T is thought to come from a few hidden numbers z ~ N(0, I). An LSTM reads it, and its last state
gives mu and sigma of q(z|x) = N(mu, sigma²); a second LSTM, which begins in a state made from z, writes it again, word
after word. Both are trained to maximise the lower bound on log p(x)

    ELBO(x) = E_q(z|x)[Σ_t log p(x_t | x_1 … x_{t-1}, z)] - KL(q(z|x) ‖ p(z))                (equation 1)

Such a decoder can do without z: it knows the words before, and the KL term is a price that it need not pay. Two means
against that (section 3.1). The weight of the KL term grows from 0 to 1 over the first steps, so that z is worth
something before it costs. And a share of the words that the decoder reads is replaced by a blank, so that it must look
up in z what they were. A third one comes from D. P. Kingma et al. (2016), https://arxiv.org/abs/1606.04934, equation
15: the first nats of each number of z are free, max(free_bits, KL_j) in place of KL_j.

What to expect: a sentence here is a line of the text, its words in lower case without punctuation, the rare ones as
"<unk>". -ELBO is in nats a sentence, its end included; of it the KL term is what z tells, and 0 would mean that z is
ignored. After the 10 epochs of the default recipe -ELBO is about 47.5 on held-out lines of Shakespeare, of which KL is
about 10: enough to begin a line as the original begins and to go on in its manner, not enough to know it by heart.
With --free-bits 0 less is remembered, KL 3.6, and the bound is better, 45.0: the decoder can do much without z.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

import minigen as mg
from minigen import data, layers, optim
from minigen.advice import advise
from minigen.autograd import Tensor
from minigen.checks import check_count, check_number
from minigen.data.tokenizers import words as spoken
from minigen.errors import ArgumentError, DataError
from minigen.models.latent.vae import reparametrize
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import ScheduleName, averaging, require_decay, require_positive, scheduling, stopping
from minigen.models.parts.text import Choice, choose, originality, save_text, saved_tokenizer
from minigen.training import Run, RunFolder, Steps

UNKNOWN = 0  # the number of "<unk>", which is read but never written
JUDGED = 500  # sentences that are written to be compared with the text, and with those they were read from
ACTIVE = 0.01  # variance of mu_j above which z_j is in use (Burda et al. 2016, section 5.2)


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    text: str = "shakespeare"  # shakespeare, or a UTF-8 file
    shortest: int = 3  # words of the shortest sentence
    longest: int = 12  # words of the longest sentence
    vocabulary: int = 4000  # words that are told apart, the most frequent ones
    latent: int = 32  # how many hidden numbers z describe a sentence
    hidden: int = 192  # numbers in the state of each LSTM, and in the vector of a word
    word_dropout: float = 0.4  # share of the words that are blanked for the decoder
    annealing: Literal["linear", "logistic"] = "logistic"  # how the weight of the KL term grows from 0 to 1
    annealing_steps: int = 2500  # in how many steps it does
    free_bits: float = 0.3  # nats of each number of z that cost nothing
    epochs: int = 10  # passes over the training sentences
    batch_size: int = 64  # sentences a step
    lr: float = 2e-3  # learning rate of Adam
    clip: float = 5.0  # largest norm of the gradients
    schedule: ScheduleName = "constant"  # lr over all epochs; cosine: falls to 0; plateau: halved when nothing improves
    ema: float | None = None  # average the weights, by so much of the old ones a step, such as 0.999, to write with
    patience: int | None = None  # stop when the held-out sentences were no better for so many epochs
    seed: int = 0  # decides everything random: weights, order of the sentences, blanks, eps
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "shortest", "longest", "vocabulary", "latent", "hidden", "annealing_steps", "epochs")
        require_positive(self, "batch_size", "lr", "clip", "patience", "max_steps")
        require_decay(self.ema)
        check_count("text_vae", "vocabulary", self.vocabulary, 2)
        check_number("text_vae", "word-dropout", self.word_dropout, 0, high=1)
        check_number("text_vae", "free-bits", self.free_bits, 0)


# ---------------------------------------------------------------- the sentences


def load_sentences(
    recipe: Recipe, tokenizer: data.Tokenizer | None = None
) -> tuple[data.Tokenizer, data.ArrayDataset, data.ArrayDataset]:
    """The tokenizer, and the different lines of the text that are of the right length: the first 90 %, and the rest."""
    text = data.load_text(recipe.text)
    tokenizer = tokenizer or data.WordTokenizer.of(text, recipe.vocabulary)
    small = tokenizer.dtype  # as bytes, since a long text has millions of lines
    different = dict.fromkeys(tokenizer.encode(line, small).tobytes() for line in text.splitlines())
    lengths = range(recipe.shortest * small.itemsize, recipe.longest * small.itemsize + 1)
    usable = [np.frombuffer(words, small) for words in different if len(words) in lengths]
    train = min(round(0.9 * len(usable)), len(usable) - 1)
    if train < 1:
        raise DataError(
            f"text_vae: {recipe.text} has {len(usable)} different lines of {recipe.shortest} to {recipe.longest} "
            "words, too few; use a text with a sentence or verse a line, or other --shortest and --longest"
        )
    first, rest = (padded(part, recipe.longest, tokenizer.size) for part in (usable[:train], usable[train:]))
    return tokenizer, first, rest


def padded(sentences: list, longest: int, end: int) -> data.ArrayDataset:
    """Sentences as rows (longest + 1,) that are filled up with the symbol `end`, and how many words each has."""
    ids = np.full((len(sentences), longest + 1), end)
    for row, sentence in zip(ids, sentences, strict=True):
        row[: len(sentence)] = sentence
    return data.ArrayDataset(ids, np.array([len(sentence) for sentence in sentences], np.int64))


# ---------------------------------------------------------------- the networks


class TextVAE(layers.Module):
    """Encoder q(z|x) and decoder p(x|z) of sentences. Two symbols are added to the `words`: the end, and the blank."""

    def __init__(self, words: int, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        self.end, self.blank, self.longest = words, words + 1, recipe.longest
        width = recipe.hidden
        self.embedding = layers.Embedding(words + 2, width, rng=rng)
        self.encoder = layers.LSTM(width, width, rng=rng)
        self.mu = layers.Linear(width, recipe.latent, rng=rng)
        self.logvar = layers.Linear(width, recipe.latent, rng=rng)
        self.start = layers.Linear(recipe.latent, 2 * width, rng=rng)  # z → first state of the decoder
        self.hint = layers.Linear(recipe.latent, width, rng=rng)  # z → added to each of its inputs
        self.decoder = layers.LSTM(width, width, rng=rng)
        self.out = layers.Linear(width, words + 1, rng=rng)

    def encode(self, ids: np.ndarray, counts: np.ndarray) -> tuple[Tensor, Tensor]:
        """mu and log sigma² of q(z|x), each (N, latent), for the first `counts` words of each row of `ids` (N, T)."""
        _, (h, _) = self.encoder(self.embedding(ids), mask=mg.arange(ids.shape[1]) < mg.tensor(counts[:, None]))
        return self.mu(h[-1]), self.logvar(h[-1])

    def begin(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The state (h, c) in which the decoder begins to write of z, each (1, N, hidden)."""
        state = self.start(z).reshape(1, len(z), -1)
        h, c = mg.chunk(state, 2, axis=-1)
        return mg.tanh(h), c

    def read(
        self, ids: np.ndarray | Tensor, z: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """What the decoder makes of further words (N, T), (N, T, hidden), and its state after them."""
        return self.decoder(self.embedding(ids) + mg.expand_dims(self.hint(z), 1), state)

    def forward(
        self, ids: np.ndarray, counts: np.ndarray, rng: np.random.Generator, word_dropout: float = 0.0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """-log p(x|z) for one sample z of q(z|x), in nats a sentence, and mu and log sigma² (N, latent)."""
        mu, logvar = self.encode(ids, counts)
        z = reparametrize(mu, logvar, rng)
        before = mg.tensor(ids[:, :-1])
        if word_dropout:
            before = mg.where(mg.rand(*before.shape, rng=rng, dtype=np.float64) < word_dropout, self.blank, before)
        before = mg.concatenate([mg.full((len(ids), 1), self.end), before], 1)  # a sentence begins at an end
        h, _ = self.read(before, z, self.begin(z))
        losses = mg.cross_entropy(self.out(h), ids, reduction="none")
        real = mg.arange(ids.shape[1]) <= mg.tensor(counts[:, None])  # the words and the end behind them, no fillers
        return mg.where(real, losses, 0.0).sum() / len(ids), mu, logvar


# ---------------------------------------------------------------- the loss


def divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(q(z_j|x) ‖ p(z_j)) of each number z_j, averaged over the sentences: (latent,), in nats."""
    return 0.5 * (mu * mu + mg.exp(logvar) - 1 - logvar).mean(axis=0)


def kl_weight(step: int, recipe: Recipe) -> float:
    """The weight of the KL term: from 0 to 1 along a straight line, or along a sigmoid (from 0.007 to 0.993)."""
    share = step / recipe.annealing_steps
    return min(share, 1.0) if recipe.annealing == "linear" else 1 / (1 + math.exp(5 - 10 * min(share, 2.0)))


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Maximise the ELBO by Adam, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    tokenizer, sentences, held_out = load_sentences(recipe)
    model = TextVAE(tokenizer.size, recipe, rng)
    optimizer = optim.Adam(model.parameters(), lr=recipe.lr)
    loader = data.DataLoader(sentences, recipe.batch_size, shuffle=True, rng=rng)
    schedule = scheduling(recipe.schedule, optimizer, recipe.epochs * len(loader))

    @mg.record
    def step(ids: np.ndarray, counts: np.ndarray, weight: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        reconstruction, mu, logvar = model(ids, counts, rng, recipe.word_dropout)
        kl = divergence(mu, logvar)
        loss = reconstruction + mg.tensor(weight) * mg.maximum(kl, recipe.free_bits).sum()

        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm(optimizer, recipe.clip)
        optimizer.step()
        return loss, reconstruction, kl.sum()

    state = {"model": model, "optimizer": optimizer, "loader": loader, "tokenizer": tokenizer, "rng": rng}
    state |= {"schedule": schedule, "ema": averaging(model, recipe.ema), "stopping": stopping(recipe.patience)}
    limits = {"epochs": recipe.epochs, "max_steps": recipe.max_steps}
    with Steps(run, loader, state, **limits, watch="validation_negative_elbo", held_out=held_out) as steps:
        for ids, counts in steps:
            weight = kl_weight(steps.step, recipe)
            loss, reconstruction, kl = step(ids[:, : counts.max() + 1], counts, np.array(weight, mg.config.dtype))
            steps.log(every=50, loss=loss, reconstruction=reconstruction, kl=kl, kl_weight=weight)
            if steps.check_due:
                with steps.averaged():
                    figures = measure(model, tokenizer, held_out)
                steps.record(**{f"validation_{name}": value for name, value in figures.items()})
            if steps.sample_due:
                with steps.averaged():
                    save_text(steps.text_path(), show(model, tokenizer, held_out, mg.random.generator(recipe.seed)))


def load(run: RunFolder) -> TextVAE:
    """The networks of a run, as they were saved last."""
    model = TextVAE(saved_tokenizer(run).size, run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model)
    return model


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """A sentence as the encoder reads it: its words as a row (1, T), and their number (1,)."""
    tokenizer = saved_tokenizer(run)

    def row(sentence: str) -> tuple[np.ndarray, np.ndarray]:
        words = tokenizer.encode(sentence)
        return words[None], np.array([len(words)])

    return data.Preprocessing("a sentence → words (1, T) and how many (1,)", row, tokenizer)


# ---------------------------------------------------------------- writing


@dataclass(frozen=True)
class Request(Choice):
    """What can be asked of it."""

    prompt: str = ""  # a sentence, or one | another for the way between them; nothing: new sentences
    n: int = 16  # sentences to write


def generate(run: RunFolder, request: Request, rng: np.random.Generator) -> Iterator[str]:
    """n sentences, a line each. What they come from is the prompt:

    empty                         z drawn from the prior
    a sentence                    z drawn from q(z|x): the sentence as it is remembered
    one sentence | another one    z on the straight line between the means of both (section 4.3)
    """
    model, tokenizer, prompt, n = load(run), saved_tokenizer(run), request.prompt, request.n
    parts = [part.strip() for part in prompt.split("|")] if prompt.strip() else []
    if len(parts) > 2:
        raise ArgumentError(f"text_vae: the prompt has {len(parts)} sentences; use none, one, or: one | another")
    z, rngs = rng.standard_normal((n, model.mu.out_features), dtype=np.float32), [rng] * n
    if parts:
        known = [encode(tokenizer, part, model.longest) for part in parts]
        mu, sigma = posterior(model, padded(known, model.longest, model.end))
        z = mu + sigma * z if len(parts) == 1 else between(mu[0], mu[1], n)
    if len(parts) == 2:
        seed = mg.random.key(rng)
        rngs = [mg.random.generator(seed) for _ in range(n)]  # the same draws for each: only z makes the difference
    sentences = read_out(tokenizer, write(model, z, request, rngs))
    return ("\n" * (i > 0) + sentence for i, sentence in enumerate(sentences))


def encode(tokenizer: data.Tokenizer, sentence: str, longest: int) -> np.ndarray:
    """The words of a sentence that a user gives. Raises DataError for none, too many, or none that is known."""
    words = tokenizer.encode(sentence)
    if not 0 < len(words) <= longest:
        raise DataError(f"text_vae: {sentence!r} has {len(words)} words; this run knows sentences of 1 to {longest}")
    if (words == UNKNOWN).all():
        raise DataError(f"text_vae: this run knows none of the words of {sentence!r}; use words of its text")
    unknown = [word for word, number in zip(spoken(sentence), words, strict=True) if number == UNKNOWN]
    if unknown:
        names = ", ".join(unknown)
        advise(f"text_vae {names}", f"text_vae: this run does not know {names}, and reads <unk>; use words of its text")
    return words


def posterior(model: TextVAE, sentences: data.ArrayDataset) -> tuple[np.ndarray, np.ndarray]:
    """mu and sigma of q(z|x) for all sentences, (N, latent)."""
    with evaluating(model):
        parts = [model.encode(*batch) for batch in data.DataLoader(sentences, 500)]
    mu, logvar = (np.concatenate([x.numpy() for x in part]) for part in zip(*parts, strict=True))
    return mu, np.exp(0.5 * logvar)


def between(first: np.ndarray, last: np.ndarray, n: int) -> np.ndarray:
    """n points on the straight line from the first z to the last, (n, latent), both ends included."""
    t = np.linspace(0, 1, n, dtype=np.float32)[:, None]
    return (1 - t) * first + t * last


def write(model: TextVAE, z: np.ndarray, choice: Choice, rngs: list[np.random.Generator]) -> np.ndarray:
    """What the decoder writes of each row of z (N, latent), by the draws of that row's generator: (N, longest + 1).

    The last symbol of a row is the end; what stands behind the first one is not meant to be read.
    """
    written = [np.full((len(z), 1), model.end)]
    with evaluating(model):
        latent = mg.tensor(z)
        state = model.begin(latent)
        for _ in range(model.longest):
            h, state = model.read(written[-1], latent, state)
            logits = model.out(h[:, 0]).numpy()
            logits[:, UNKNOWN] = -np.inf
            written.append(np.array([[choose(row, choice, rng)] for row, rng in zip(logits, rngs, strict=True)]))
    return np.concatenate([*written[1:], written[0]], axis=1)


def read_out(tokenizer: data.Tokenizer, ids: np.ndarray) -> list[str]:
    """The sentences of rows (N, longest + 1), each up to its end."""
    return [tokenizer.decode(row[: np.argmax(row == tokenizer.size)]) for row in ids]


def show(model: TextVAE, tokenizer: data.Tokenizer, sentences: data.ArrayDataset, rng: np.random.Generator) -> str:
    """What a file in samples/ holds: sentences as they are remembered, new ones, and the way between two of them."""
    ids, counts = sentences[rng.permutation(len(sentences))[:8]]
    mu, _ = posterior(model, data.ArrayDataset(ids, counts))
    z = np.concatenate([mu, between(mu[0], mu[-1], 8)])
    likeliest = read_out(tokenizer, write(model, z, Choice(temperature=0), [rng] * len(z)))
    z = rng.standard_normal((8, mu.shape[1]), dtype=np.float32)
    new, originals = read_out(tokenizer, write(model, z, Choice(), [rng] * 8)), read_out(tokenizer, ids)
    pairs = [f"{original}\n  → {again}" for original, again in zip(originals, likeliest, strict=False)]
    way = f"from “{originals[0]}” to “{originals[-1]}”:"
    return "\n".join([*pairs, "", "drawn from the prior:", *new, "", way, *likeliest[len(ids) :]])


# ---------------------------------------------------------------- evaluation


def evaluate(run: RunFolder) -> dict[str, float]:
    """The bound on sentences that were held out, what z tells of them, and how new ones compare with the training text.

    active_units: how many numbers of z vary with the sentence. recovered: share of the words of a sentence that stand
    in their place when it is written again from its mu; recovered_from_another: from the mu of another sentence.
    """
    recipe, model, tokenizer = run.load_recipe(Recipe), load(run), saved_tokenizer(run)
    _, training, held_out = load_sentences(recipe, tokenizer)
    rng, (ids, counts) = mg.random.generator(0), held_out[:JUDGED]
    z = rng.standard_normal((JUDGED, recipe.latent), dtype=np.float32)
    new = write(model, z, Choice(), [rng] * len(z))
    mu, _ = posterior(model, held_out)
    figures: dict[str, float] = {"active_units": int((mu.var(axis=0, dtype=np.float64) > ACTIVE).sum())}
    words = np.arange(recipe.longest + 1) < counts[:, None]
    for name, z in {"recovered": mu[:JUDGED], "recovered_from_another": np.roll(mu[:JUDGED], 1, axis=0)}.items():
        again = write(model, z, Choice(temperature=0), [rng] * len(z))
        figures[name] = float((again == ids)[words].mean())
    plain = held_out[:][0][(held_out[:][0] != UNKNOWN).all(axis=1)]  # new sentences have no unknown words either
    texts = ("\n".join(read_out(tokenizer, rows)) for rows in (new, plain, training[:][0]))
    return measure(model, tokenizer, held_out) | figures | originality(*texts)


def measure(model: TextVAE, tokenizer: data.Tokenizer, sentences: data.ArrayDataset) -> dict[str, float]:
    """Averages over all sentences, with one sample z for each, the same ones every time; in nats a sentence.

    nats_per_word and nats_per_character count the end of a sentence as one of them. Both are of a text whose rare words
    are "<unk>", and therefore no figures to hold against those of models that spell.
    """
    rng, characters = mg.random.generator(0), 0
    sums = np.zeros(2)
    with evaluating(model):
        for ids, counts in data.DataLoader(sentences, 500):
            reconstruction, mu, logvar = model(ids, counts, rng)
            sums += len(ids) * np.array([reconstruction.item(), divergence(mu, logvar).sum().item()])
            characters += sum(len(sentence) + 1 for sentence in read_out(tokenizer, ids))
    words, total = int((sentences[:][1] + 1).sum()), float(sums.sum())
    reconstruction, kl = (sums / len(sentences)).tolist()
    figures = {"negative_elbo": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}
    return figures | {"nats_per_word": total / words, "nats_per_character": total / characters}
