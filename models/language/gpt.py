"""A transformer that writes text: each character is predicted from those before it, by attention.

A. Vaswani et al. (2017), Attention is all you need, https://arxiv.org/abs/1706.03762; A. Radford et al. (2019),
Language models are unsupervised multitask learners ("GPT-2"), whose network and first weights these are, in small. The
setting is the one that A. Karpathy's nanoGPT (https://github.com/karpathy/nanoGPT) gives for a CPU, but for a learning
rate three times as high.

    h_0 = E[x] + P                                     a vector for each symbol, plus one for each position
    a   = h_{l-1} + W_o attention(norm(h_{l-1}))       each position gathers from those before it
    h_l = a + W_2 GELU(W_1 norm(a))                    and works on what it has gathered
    p(x_{t+1} | x_1 … x_t) = softmax(Eᵀ norm(h_L))_t   the same E as at the entrance ("weight tying")

    attention = concat over heads of softmax(Q Kᵀ / √D + M) V                                   (Vaswani, equation 1)

where D = dim / heads, and M is -∞ where a position would look at a later one, so that all positions of a window are
predicted at once, and each as if the text ended there. Training minimises the mean of

    -log p(x_{t+1} | x_1 … x_t),    in nats per character,

over windows drawn at random, by AdamW: 100 steps of warm-up, then the learning rate falls along a cosine to a tenth.

What to expect: knowing nothing, one character out of 65 costs log 65 = 4.17 nats. Of Shakespeare an unread one costs
about 1.83 after the 2,000 steps of the default recipe (1.91 with nanoGPT's --lr 1e-3): its text has speakers, lines,
and many words that are English. That learning rate was chosen by the same validation text, so the figure flatters a
little.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

import minigen as mg
from minigen import data, layers, optim
from minigen.autograd import Tensor
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import averaging, stopping
from minigen.models.parts.text import (
    JUDGED,
    SAMPLE,
    Choice,
    Continuation,
    corpus,
    likelihood,
    originality,
    per_character,
    readable,
    save_text,
    saved_tokenizer,
    stream,
)
from minigen.models.parts.text import preprocessing as preprocessing
from minigen.models.parts.transformer import adamw, blocks, check_transformer, initialize, windows_of
from minigen.training import Run, RunFolder, Steps

Request = Continuation


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    text: str = "shakespeare"  # shakespeare, or a UTF-8 file
    tokens: Literal["char", "byte"] = "char"  # what is predicted: characters of the text, or bytes of UTF-8
    layers: int = 4  # blocks of attention and MLP, one above the other
    heads: int = 4  # attentions side by side in a block; they share its width
    dim: int = 128  # width: numbers that stand for a position
    context: int = 64  # how many symbols it can look back at
    tie: bool = True  # one matrix for symbols at the entrance and at the exit
    gelu: Literal["exact", "tanh"] = "exact"  # x Φ(x) itself, or GPT-2's approximation of it by tanh
    dropout: float = 0.0  # share of what is added in each block that is dropped in training
    steps: int = 2000  # steps of training, over which the learning rate rises and falls
    batch_size: int = 12  # windows a step
    lr: float = 3e-3  # largest learning rate of AdamW; the last is a tenth of it
    warmup: float = 0.05  # share of the steps in which the learning rate rises
    weight_decay: float = 0.1  # pulls matrices towards 0
    clip: float = 1.0  # largest norm of the gradients
    every: int = 250  # steps from one checkpoint, with a sample and a look at the validation text, to the next
    ema: float | None = None  # average the weights, by so much of the old ones a step, such as 0.999, to write with
    patience: int | None = None  # stop when the validation text was no better at so many looks
    seed: int = 0  # decides everything random: weights, order of the windows, dropout, samples
    max_steps: int | None = None  # stop after so many steps, whatever steps says

    def __post_init__(self) -> None:
        check_transformer("gpt", self)


EXTENDABLE = ("max_steps",)  # and not steps: the learning rate falls over all of them from the first step


# ---------------------------------------------------------------- the network


class GPT(layers.Module):
    """Symbols (N, T) → logits (N, T, symbols) of the next ones; T at most the context."""

    def __init__(self, symbols: int, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        self.recipe, self.context = recipe, recipe.context
        self.embedding = layers.Embedding(symbols, recipe.dim, rng=rng)
        self.positions = layers.LearnedPositions(recipe.context, recipe.dim, rng=rng)
        self.dropout = layers.Dropout(recipe.dropout, rng=rng)
        self.blocks = blocks(recipe, rng, "tanh" if recipe.gelu == "tanh" else "none")
        self.norm = layers.LayerNorm(recipe.dim)
        self.out = None if recipe.tie else layers.Linear(recipe.dim, symbols, bias=False, rng=rng)
        initialize(self, recipe.layers, rng)

    def forward(self, ids: np.ndarray, caches: Sequence[layers.KeyValueCache] = ()) -> Tensor:
        """With caches, one for each block, `ids` are the symbols after those that the caches hold."""
        h = self.positions(self.embedding(ids), caches[0].length if caches else 0)
        h = self.dropout(h)
        for i, block in enumerate(self.blocks):
            h = block(h, is_causal=True, cache=caches[i] if caches else None)
        h = self.norm(h)
        return mg.linear(h, self.embedding.weight.T) if self.out is None else self.out(h)


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Minimise the nats per character by AdamW, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    tokenizer, training, validation = corpus(recipe.text, recipe.tokens)
    windows = data.WindowDataset(training, recipe.context)
    model = GPT(tokenizer.size, recipe, rng)
    optimizer, schedule = adamw(model, recipe)
    loader = data.DataLoader(windows, recipe.batch_size, shuffle=True, rng=rng)

    @mg.record
    def step(x: np.ndarray, y: np.ndarray) -> tuple[Tensor, float]:
        loss = mg.cross_entropy(model(x), y)

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
        for x, y in steps:
            loss, norm = step(x, y)
            steps.log(every=50, loss=loss, gradient_norm=norm)
            if steps.check_due:
                with steps.averaged():
                    steps.record(validation_loss=measure(model, validation, thinned=10))
            if steps.sample_due:
                with steps.averaged():
                    save_text(steps.text_path(), write(model, tokenizer, SAMPLE, mg.random.generator(recipe.seed)))


def load(run: RunFolder) -> GPT:
    """The network of a run, as it was saved last."""
    model = GPT(saved_tokenizer(run).size, run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model)
    return model


# ---------------------------------------------------------------- generating


class Reader:
    """New symbols (t,) → logits (symbols,) of the one after them and all that was read before.

    The keys and values of what was read are kept, so that a new symbol costs the work of one position. When the context
    is full, the last half of it is read anew from its start on, and what lies further back is forgotten.
    """

    def __init__(self, model: GPT) -> None:
        self.model = model
        self.read = np.zeros(0, np.int64)
        self.caches = [layers.KeyValueCache() for _ in model.blocks]

    def __call__(self, ids: np.ndarray) -> np.ndarray:
        """The model must be in evaluation mode, and no gradients be recorded."""
        self.read = np.concatenate([self.read, ids])
        if len(self.read) > self.model.context:
            ids = self.read = self.read[-max(self.model.context // 2, 1) :]
            for cache in self.caches:
                cache.reset()
        return self.model(ids[None], self.caches).numpy()[0, -1]


def generate(run: RunFolder, request: Request, rng: np.random.Generator) -> Iterator[str]:
    """The prompt and n symbols that go on from it, piece by piece."""
    model = load(run).eval()
    return stream(Reader(model), saved_tokenizer(run), request.prompt, request.n, request, rng)


def write(model: GPT, tokenizer: data.Tokenizer, n: int, rng: np.random.Generator) -> str:
    """A text of n symbols, each drawn with its own probability."""
    with evaluating(model):
        return "".join(stream(Reader(model), tokenizer, "", n, Choice(), rng))


# ---------------------------------------------------------------- evaluation


def evaluate(run: RunFolder) -> dict[str, float]:
    """Nats per character of the validation text, and how a sample of 2,000 characters compares with that of training.

    The text is cut into windows of the context's length, each of which begins knowing nothing; "sliding" lets every
    window begin in the middle of the one before, and counts the second half, which knows of half a context or more.
    """
    recipe, model = run.load_recipe(Recipe), load(run)
    tokenizer, training, validation = corpus(recipe.text, recipe.tokens, saved_tokenizer(run))
    sample = write(model, tokenizer, JUDGED, mg.random.generator(0))
    nats, sliding = measure(model, validation), measure(model, validation, stride=max(recipe.context // 2, 1))
    return {
        **likelihood(per_character(nats, validation, tokenizer)),
        "sliding_nats_per_character": per_character(sliding, validation, tokenizer),
        **originality(sample, *readable(tokenizer, validation, training)),
    }


def measure(model: GPT, ids: np.ndarray, stride: int | None = None, thinned: int = 1) -> float:
    """The mean of -log p over the symbols of `ids` but the first, in nats.

    Windows of the context's length begin every `stride` symbols (default: the context, so that they lie side by side).
    Each counts the symbols that the window before it did not. thinned: read only one of so many windows.
    """
    total = count = 0
    with evaluating(model):
        for x, y, new in windows_of(ids, model.context, stride or model.context, thinned):
            losses = mg.cross_entropy(model(x), y, reduction="none").numpy()[new]
            total += float(losses.sum(dtype=np.float64))
            count += losses.size
    return total / count
