"""A transformer that fills in blanks: hidden characters are guessed from those on both sides of them.

J. Devlin et al. (2019), BERT: pre-training of deep bidirectional transformers, https://arxiv.org/abs/1810.04805: its
first task, the masked language model (section 3.1, "Task 1"), over characters instead of pieces of words.

The network is that of gpt without the causal mask, so that every position looks at all others. To predict a character
that it can see would teach it nothing; so of each window 15 % are chosen, and of these

    80 %  are hidden: a symbol of its own, the mask, stands in their place,
    10 %  are replaced by a character drawn at random,
    10 %  stay as they are,

the latter two so that no character that it sees can simply be trusted. With x̃ what is left, C the chosen positions and
softmax as in gpt, training minimises the mean over C of

    -log p(x_t | x̃),    in nats per masked character,

over windows drawn at random, and hides others each time (Liu et al. 2019, RoBERTa, section 4.1). The loss stays at that
of the unigram baseline, which knows how frequent each character is and nothing else, until attention has found the
neighbours; then it falls.

What to expect of Shakespeare: the unigram baseline costs 3.4 nats and guesses one character in seven. The loss leaves
it after some 300 steps; the default recipe ends with more than half of them guessed, at 1.6 nats.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import minigen as mg
from minigen import data, layers, optim
from minigen.autograd import Tensor
from minigen.checks import check_number
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import averaging, stopping
from minigen.models.parts.text import Choice, choose, corpus, save_text, saved_tokenizer
from minigen.models.parts.transformer import adamw, blocks, check_transformer, initialize, windows_of
from minigen.training import Run, RunFolder, Steps

BLANK = "_"  # what a prompt says for a character to fill in


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    text: str = "shakespeare"  # shakespeare, or a UTF-8 file
    layers: int = 4  # blocks of attention and MLP, one above the other
    heads: int = 4  # attentions side by side in a block; they share its width
    dim: int = 128  # width: numbers that stand for a position
    context: int = 64  # characters of a window
    masked: float = 0.15  # share of a window's characters that are to be guessed
    dropout: float = 0.0  # share of what is added in each block that is dropped in training
    steps: int = 3000  # steps of training, over which the learning rate rises and falls
    batch_size: int = 32  # windows a step
    lr: float = 2e-3  # largest learning rate of AdamW; the last is a tenth of it
    warmup: float = 0.05  # share of the steps in which the learning rate rises
    weight_decay: float = 0.1  # pulls matrices towards 0
    clip: float = 1.0  # largest norm of the gradients
    every: int = 250  # steps from one checkpoint, with a sample and a look at the validation text, to the next
    ema: float | None = None  # average the weights, by so much of the old ones a step, such as 0.999, to guess with
    patience: int | None = None  # stop when the validation text was no better at so many looks
    seed: int = 0  # decides everything random: weights, order of the windows, what is masked, dropout
    max_steps: int | None = None  # stop after so many steps, whatever steps says

    def __post_init__(self) -> None:
        check_transformer("bert", self)
        check_number("bert", "masked", self.masked, above=0, high=1)


EXTENDABLE = ("max_steps",)  # and not steps: the learning rate falls over all of them from the first step


# ---------------------------------------------------------------- the network


class BERT(layers.Module):
    """Symbols (N, T), `mask` where one is hidden → logits (N, T, symbols + 1) of what stands there; T ≤ context."""

    def __init__(self, symbols: int, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        self.context = recipe.context
        self.mask = symbols  # the symbol after all others
        self.embedding = layers.Embedding(symbols + 1, recipe.dim, rng=rng)
        self.positions = layers.LearnedPositions(recipe.context, recipe.dim, rng=rng)
        self.dropout = layers.Dropout(recipe.dropout, rng=rng)
        self.blocks = blocks(recipe, rng)
        self.norm = layers.LayerNorm(recipe.dim)
        initialize(self, recipe.layers, rng)

    def forward(self, ids: np.ndarray) -> Tensor:
        """The logit of the mask itself is of no use: nothing is ever trained to be it."""
        h = self.dropout(self.positions(self.embedding(ids)))
        for block in self.blocks:
            h = block(h)
        return mg.linear(self.norm(h), self.embedding.weight.T)


# ---------------------------------------------------------------- the task


def conceal(
    ids: np.ndarray, mask: int, share: float, rng: np.random.Generator, hidden: float = 0.8, replaced: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    """x̃, and booleans that are True at the chosen positions; both as ids (N, T). Symbols are 0 … mask - 1.

    In every row the same share of positions is chosen, at least one. Of these about the share `hidden` becomes `mask`,
    the share `replaced` another symbol, perhaps the same; the rest stays.
    """
    chosen = rng.random(ids.shape).argsort(axis=1) < max(round(share * ids.shape[1]), 1)
    fate = rng.random(ids.shape)
    drawn = rng.integers(mask, size=ids.shape)
    shown = np.where(fate < hidden, mask, np.where(fate < hidden + replaced, drawn, ids))
    return np.where(chosen, shown, ids), chosen


def masked_loss(logits: Tensor, ids: np.ndarray, chosen: tuple[np.ndarray, ...]) -> Tensor:
    """The mean of -log p over the chosen positions, (rows, columns), in nats; the others do not count."""
    return mg.cross_entropy(logits, ids, reduction="none")[chosen].mean()


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Minimise the nats per masked character by AdamW, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    tokenizer, training, validation = corpus(recipe.text, "char")
    windows = data.WindowDataset(training, recipe.context)
    model = BERT(tokenizer.size, recipe, rng)
    optimizer, schedule = adamw(model, recipe)
    loader = data.DataLoader(windows, recipe.batch_size, shuffle=True, rng=rng)

    @mg.record
    def step(x: np.ndarray, ids: np.ndarray, chosen: tuple[np.ndarray, ...]) -> tuple[Tensor, float]:
        loss = masked_loss(model(x), ids, chosen)

        optimizer.zero_grad()
        loss.backward()
        norm = optim.clip_grad_norm(optimizer, recipe.clip)
        optimizer.step()
        return loss, norm

    state = {"model": model, "optimizer": optimizer, "schedule": schedule, "loader": loader}
    state |= {"tokenizer": tokenizer, "rng": rng}
    state |= {"ema": averaging(model, recipe.ema), "stopping": stopping(recipe.patience)}
    limits = {"steps": recipe.steps, "max_steps": recipe.max_steps, "round_length": recipe.every}
    with Steps(run, loader, state, **limits, held_out=validation) as steps:
        for ids, _ in steps:
            x, chosen = conceal(ids, model.mask, recipe.masked, rng)
            loss, norm = step(x, ids, np.nonzero(chosen))
            steps.log(every=50, loss=loss, gradient_norm=norm)
            if steps.check_due:
                with steps.averaged():
                    nats, hits, _ = guesses(model, validation, recipe.masked, thinned=4)
                steps.record(validation_loss=nats.mean(), validation_accuracy=hits.mean())
            if steps.sample_due:
                with steps.averaged():
                    save_text(steps.text_path(), example(model, tokenizer, validation[:300], recipe.masked))


def load(run: RunFolder) -> BERT:
    """The network of a run, as it was saved last."""
    model = BERT(saved_tokenizer(run).size, run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model)
    return model


# ---------------------------------------------------------------- filling in


@dataclass(frozen=True)
class Request(Choice):
    """What can be asked of it."""

    prompt: str = ""  # a text with _ for each character to fill in
    n: int = 500  # characters to fill in behind a prompt that has no _


def generate(run: RunFolder, request: Request, rng: np.random.Generator) -> Iterator[str]:
    """The prompt with its blanks, each a "_", filled in; where it has none, n blanks behind it are.

    Raises DataError for another character that the corpus lacks.
    """
    model, prompt = load(run).eval(), request.prompt
    if BLANK not in prompt:
        prompt += BLANK * request.n
    return fill(model, saved_tokenizer(run), preprocessing(run)(prompt)[0], request, rng)


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """A text as the symbols (1, T) that the model reads, the mask for each "_"."""
    tokenizer = saved_tokenizer(run)

    def with_blanks(text: str) -> np.ndarray:
        blank = np.array([character == BLANK for character in text], bool)
        ids = tokenizer.encode(text.replace(BLANK, tokenizer.symbols[0]))
        return np.where(blank, tokenizer.size, ids)[None]

    return data.Preprocessing("a text → symbols (1, T), of which _ is to be guessed", with_blanks, tokenizer)


def fill(
    model: BERT, tokenizer: data.Tokenizer, ids: np.ndarray, choice: Choice, rng: np.random.Generator
) -> Iterator[str]:
    """The text of `ids` (T,) with something in the place of every mask, piece by piece, as far as it is settled.

    One blank after the other is filled: the one that is most certain, that is, whose likeliest symbol has the highest
    probability, for what it turns out to be makes the others more certain. Of a text longer than the context only the
    window around its first blank is looked at.
    """
    ids, context, settled = ids.copy(), model.context, 0
    while settled < len(ids):
        blanks = np.flatnonzero(ids == model.mask)
        end = blanks[0] if len(blanks) else len(ids)
        yield tokenizer.decode(ids[settled:end])
        settled = end
        if len(blanks):
            first = max(min(end - context // 2, len(ids) - context), 0)
            window = ids[first : first + context]
            with mg.no_grad():
                log_p = mg.log_softmax(model(window[None])[0, :, : model.mask]).numpy()
            certainty = np.where(window == model.mask, log_p.max(axis=1), -np.inf)
            best = certainty.argmax()
            window[best] = choose(log_p[best], choice, rng)  # a view: it is in `ids` then


def example(model: BERT, tokenizer: data.Tokenizer, ids: np.ndarray, share: float) -> str:
    """A text with blanks, and how the model fills them in."""
    x, _ = conceal(ids[None], model.mask, share, mg.random.generator(0), hidden=1.0)
    blanked = "".join(BLANK if i == model.mask else tokenizer.symbols[i] for i in x[0])
    with evaluating(model):
        filled = "".join(fill(model, tokenizer, x[0], Choice(temperature=0), mg.random.generator(0)))
    return f"with blanks:\n{blanked}\n\nfilled in:\n{filled}"


# ---------------------------------------------------------------- evaluation


def evaluate(run: RunFolder) -> dict[str, float]:
    """Nats per masked character of the validation text and the share guessed right, beside the unigram baseline's.

    Every chosen character is hidden here, none replaced or left, and the same ones every time.
    """
    recipe, model = run.load_recipe(Recipe), load(run)
    tokenizer, training, validation = corpus(recipe.text, "char", saved_tokenizer(run))
    nats, hits, targets = guesses(model, validation, recipe.masked)
    counts = np.bincount(training, minlength=tokenizer.size) + 1  # none is impossible because it was never seen
    return {
        "nats_per_masked_character": float(nats.mean()),
        "accuracy": float(hits.mean()),
        "unigram_nats": float(-np.log(counts / counts.sum())[targets].mean()),
        "unigram_accuracy": float((targets == counts.argmax()).mean()),
    }


def guesses(model: BERT, ids: np.ndarray, share: float, thinned: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every hidden character in the windows of a text: -log p, whether it is the likeliest, and which it is.

    thinned: read only one of so many windows.
    """
    rng, parts = mg.random.generator(0), []
    with evaluating(model):
        for y, _, new in windows_of(ids, model.context, model.context, thinned):
            x, chosen = conceal(y, model.mask, share, rng, hidden=1.0)
            at = chosen & new
            log_p = mg.log_softmax(model(x)[at][:, : model.mask]).numpy().astype(np.float64)
            parts.append((-log_p[np.arange(len(log_p)), y[at]], log_p.argmax(axis=1) == y[at], y[at]))
    nats, hits, targets = map(np.concatenate, zip(*parts, strict=True))
    return nats, hits, targets
