"""A recurrent network that writes text, one character after another.

J. L. Elman (1990), Finding structure in time, Cognitive Science 14; S. Hochreiter, J. Schmidhuber (1997), Long
short-term memory, Neural Computation 9; K. Cho et al. (2014), Learning phrase representations using RNN
encoder-decoder, https://arxiv.org/abs/1406.1078; A. Graves (2013), Generating sequences with recurrent neural networks,
https://arxiv.org/abs/1308.0850.

The network reads x_1, x_2, … and keeps what it knows of them in a state h_t, from which it predicts the next one:

    p(x_{t+1} | x_1 … x_t) = softmax(W h_t + b)

    rnn    h_t = tanh(W_x x_t + W_h h_{t-1} + b)                                                (Elman)

    lstm   i, f, o = sigmoid(W_x x_t + W_h h_{t-1} + b), three gates, each with its own W and b
           g       = tanh(W_x x_t + W_h h_{t-1} + b)
           c_t = f ∘ c_{t-1} + i ∘ g        what the cell remembers: f keeps of it, i adds to it
           h_t = o ∘ tanh(c_t)                    (Hochreiter, Schmidhuber; f by Gers, Schmidhuber, Cummins 2000)

    gru    r, z = sigmoid(W_x x_t + W_h h_{t-1} + b), two gates
           n    = tanh(W_x x_t + b + r ∘ (W_h h_{t-1} + b'))
           h_t = (1 - z) ∘ n + z ∘ h_{t-1}                                                     (Cho et al.)

in several layers, each reading the states of the one below, and is trained to minimise the mean of

    -log p(x_{t+1} | x_1 … x_t),    in nats per character.

The text is read as 64 streams side by side, 64 characters a step. The state at the end of one step is where the next
one begins, so that the network can know of what lies further back; gradients go back through these 64 characters only
(truncated backpropagation through time), and are scaled down when their norm is above 1, since they can explode.

What to expect: knowing nothing, one character out of 65 costs log 65 = 4.17 nats. After the 12 epochs of the default
recipe a character of Shakespeare that it has not read costs about 1.57; its text has speakers, lines and mostly English
words, and makes no sense.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import minigen as mg
from minigen import data, layers, optim
from minigen.autograd import Tensor
from minigen.checks import check_number
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import ScheduleName, averaging, require_decay, require_positive, scheduling, stopping
from minigen.models.parts.text import (
    JUDGED,
    SAMPLE,
    Choice,
    Continuation,
    corpus,
    likelihood,
    mean_nats,
    originality,
    per_character,
    readable,
    save_text,
    saved_tokenizer,
    stream,
)
from minigen.models.parts.text import preprocessing as preprocessing
from minigen.training import Run, RunFolder, Steps

Request = Continuation
Cell = Literal["rnn", "lstm", "gru"]


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    text: str = "shakespeare"  # shakespeare, or a UTF-8 file
    tokens: Literal["char", "byte"] = "char"  # what is predicted: characters of the text, or bytes of UTF-8
    cell: Cell = "lstm"  # how the state goes on from step to step
    hidden: int = 256  # numbers in the state of a layer
    layers: int = 2  # recurrent layers, one above the other
    dropout: float = 0.2  # share of each layer's output that is dropped in training
    length: int = 64  # characters that a step reads of each stream, and that gradients go back through
    epochs: int = 12  # passes over the training text
    batch_size: int = 64  # streams that are read side by side
    lr: float = 2e-3  # first learning rate of Adam
    clip: float = 1.0  # largest norm of the gradients
    schedule: ScheduleName = "cosine"  # lr over all epochs; cosine: falls to 0; plateau: halved when nothing improves
    ema: float | None = None  # average the weights, by so much of the old ones a step, such as 0.999, to write with
    patience: int | None = None  # stop when the validation text was no better for so many epochs
    seed: int = 0  # decides everything random: weights, dropout, samples
    max_steps: int | None = None  # stop after so many steps, whatever epochs says

    def __post_init__(self) -> None:
        require_positive(self, "hidden", "layers", "length", "epochs", "batch_size", "lr", "clip")
        require_positive(self, "patience", "max_steps")
        require_decay(self.ema)
        check_number("char_rnn", "dropout", self.dropout, 0, 1)


# ---------------------------------------------------------------- the network

CELLS = {"rnn": layers.RNN, "lstm": layers.LSTM, "gru": layers.GRU}
State = Tensor | tuple[Tensor, Tensor]  # h, or (h, c) of the LSTM, each (layers, N, hidden)


class CharRNN(layers.Module):
    """Symbols (N, T) and the state before them → logits (N, T, symbols) of the next ones, and the state after them."""

    def __init__(self, symbols: int, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        width = recipe.hidden
        self.embedding = layers.Embedding(symbols, width, rng=rng)
        self.recurrent = CELLS[recipe.cell](width, width, recipe.layers, dropout=recipe.dropout, rng=rng)
        self.dropout = layers.Dropout(recipe.dropout, rng=rng)
        self.out = layers.Linear(width, symbols, rng=rng)

    def forward(self, ids: np.ndarray, state: State | None = None) -> tuple[Tensor, State]:
        """Without a state it begins with zeros."""
        h, after = self.recurrent(ids, state, embedding=self.embedding.weight)
        return self.out(self.dropout(h)), after


class Carried:
    """The state that one training step hands to the next: arrays without a graph, kept in the checkpoint."""

    def __init__(self, recipe: Recipe) -> None:
        shape = (recipe.layers, recipe.batch_size, recipe.hidden)
        count = 2 if recipe.cell == "lstm" else 1
        self.arrays = [np.zeros(shape, mg.config.dtype) for _ in range(count)]

    def get(self) -> State:
        """What the network is to begin with."""
        parts = [mg.tensor(array) for array in self.arrays]
        return parts[0] if len(parts) == 1 else (parts[0], parts[1])

    def put(self, state: State) -> None:
        """Keep the state that the network ended with."""
        self.arrays = [part.data.copy() for part in (state if isinstance(state, tuple) else (state,))]

    def clear(self) -> None:
        """Begin with zeros, as at the start of the text."""
        self.arrays = [np.zeros_like(array) for array in self.arrays]

    def state_dict(self) -> dict[str, Any]:
        """The arrays."""
        return {"arrays": self.arrays}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.arrays = list(state["arrays"])


# ---------------------------------------------------------------- training


def train(recipe: Recipe, run: Run) -> None:
    """Minimise the nats per character by Adam, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    tokenizer, training, validation = corpus(recipe.text, recipe.tokens)
    model = CharRNN(tokenizer.size, recipe, rng)
    optimizer = optim.Adam(model.parameters(), lr=recipe.lr)
    loader = data.DataLoader(data.StreamDataset(training, recipe.batch_size, recipe.length), recipe.batch_size)
    carried = Carried(recipe)
    schedule = scheduling(recipe.schedule, optimizer, recipe.epochs * len(loader))

    @mg.record
    def step(x: np.ndarray, y: np.ndarray, before: State) -> tuple[Tensor, float, State]:
        logits, after = model(x, before)
        loss = mg.cross_entropy(logits, y)

        optimizer.zero_grad()
        loss.backward()
        norm = optim.clip_grad_norm(optimizer, recipe.clip)
        optimizer.step()
        return loss, norm, after

    state = {"model": model, "optimizer": optimizer, "schedule": schedule, "loader": loader, "carried": carried}
    state |= {"tokenizer": tokenizer, "rng": rng}
    state |= {"ema": averaging(model, recipe.ema), "stopping": stopping(recipe.patience)}
    with Steps(run, loader, state, epochs=recipe.epochs, max_steps=recipe.max_steps, held_out=validation) as steps:
        for x, y in steps:
            loss, norm, after = step(x, y, carried.get())
            carried.put(after)
            if loader.epoch_done:  # the next step begins at the start of the text again
                carried.clear()
            steps.log(every=50, loss=loss, gradient_norm=norm)
            if steps.check_due:
                with steps.averaged():
                    steps.record(validation_loss=measure(model, validation, recipe.length))
            if steps.sample_due:
                with steps.averaged():
                    save_text(steps.text_path(), write(model, tokenizer, SAMPLE, mg.random.generator(recipe.seed)))


def load(run: RunFolder) -> CharRNN:
    """The network of a run, as it was saved last."""
    model = CharRNN(saved_tokenizer(run).size, run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model)
    return model


# ---------------------------------------------------------------- generating


def generate(run: RunFolder, request: Request, rng: np.random.Generator) -> Iterator[str]:
    """The prompt and n symbols that go on from it, piece by piece."""
    return continuation(load(run).eval(), saved_tokenizer(run), request.prompt, request.n, request, rng)


def continuation(
    model: CharRNN, tokenizer: data.Tokenizer, prompt: str, n: int, choice: Choice, rng: np.random.Generator
) -> Iterator[str]:
    """The same with a model at hand, in evaluation mode: the state stands for all that was read and written so far."""
    state: State | None = None

    @mg.record
    def read(ids: np.ndarray, before: State | None) -> tuple[Tensor, State]:
        return model(ids, before)

    def predict(ids: np.ndarray) -> np.ndarray:
        nonlocal state
        logits, state = read(ids[None], state)
        return logits.numpy()[0, -1]

    return stream(predict, tokenizer, prompt, n, choice, rng)


def write(model: CharRNN, tokenizer: data.Tokenizer, n: int, rng: np.random.Generator) -> str:
    """A text of n symbols, each drawn with its own probability."""
    with evaluating(model):
        return "".join(continuation(model, tokenizer, "", n, Choice(), rng))


# ---------------------------------------------------------------- evaluation


def evaluate(run: RunFolder) -> dict[str, float]:
    """Nats per character of the validation text, and how a sample compares with the training text."""
    recipe, model = run.load_recipe(Recipe), load(run)
    tokenizer, training, validation = corpus(recipe.text, recipe.tokens, saved_tokenizer(run))
    nats = measure(model, validation, recipe.length)
    sample = write(model, tokenizer, JUDGED, mg.random.generator(0))
    return {
        **likelihood(per_character(nats, validation, tokenizer)),
        **originality(sample, *readable(tokenizer, validation, training)),
    }


def measure(model: CharRNN, ids: np.ndarray, length: int) -> float:
    """Nats per symbol of a whole text, the state carried along."""
    state: State | None = None

    def predict(x: np.ndarray) -> Tensor:
        nonlocal state
        logits, state = model(x, state)
        return logits

    with evaluating(model):
        return mean_nats(predict, ids, length)
