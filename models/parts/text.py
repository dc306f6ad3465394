"""What the models of text share: reading a corpus, choosing the next symbol, generating, and measuring.

A model of text gives, for the symbols seen so far, the logits of the next one; p = softmax(logits). From that come its
measure, the mean of -log p over a text that it was not trained on, and its writing: choose a symbol, append it, go on.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import minigen as mg
from minigen import data, metrics
from minigen.autograd import Tensor
from minigen.checks import check_count, check_number
from minigen.errors import DataError
from minigen.files import write_atomic
from minigen.training import RunFolder

SAMPLE = 500  # symbols of a sample that a run keeps
JUDGED = 2000  # symbols that are written to be compared with the text
PLACE = 2000  # symbols of one of the places that are read of a long text,
MEASURED = 60 * PLACE  # so many in all to measure a model, which takes seconds
SEARCHED = 1000 * PLACE  # and so many to look for copies in
STREAMS = 8  # a validation text is read in so many places at once, for speed; each begins knowing nothing,
STREAM_LENGTH = 1000  # so that there are fewer when they would be shorter than this


@dataclass(frozen=True)
class Choice:
    """How a symbol is chosen by its logits.

    temperature: logits are divided by it, so that below 1 likely symbols become likelier; 0 takes the likeliest.
    top_k: only among the k likeliest. top_p: only among the likeliest that together reach the probability p (the
    nucleus; Holtzman et al. 2020, https://arxiv.org/abs/1904.09751), after temperature and top_k. Raises ArgumentError.
    """

    temperature: float = 1.0  # below 1 keeps to likely symbols, 0 to the likeliest
    top_k: int | None = None  # only among so many likeliest symbols
    top_p: float | None = None  # only among the likeliest that together reach this probability

    def __post_init__(self) -> None:
        check_number("sample", "temperature", self.temperature, 0)
        if self.top_k is not None:
            check_count("sample", "top-k", self.top_k)
        if self.top_p is not None:
            check_number("sample", "top-p", self.top_p, above=0, high=1)


@dataclass(frozen=True)
class Continuation(Choice):
    """What can be asked of a model that goes on writing."""

    prompt: str = ""  # what the text goes on from; nothing: the start of a line
    n: int = 500  # symbols to write


def choose(logits: np.ndarray, choice: Choice, rng: np.random.Generator) -> int:
    """The number of one symbol, drawn by its logits (K,). Of equally likely ones the first is the likeliest."""
    if not math.isfinite(logits.max()):
        raise DataError(f"choose: the largest logit is {logits.max()}; the model is damaged")
    if choice.temperature == 0:
        return int(logits.argmax())
    order = np.argsort(-logits, kind="stable")[: choice.top_k]
    with np.errstate(over="ignore"):  # of a temperature near 0
        p = np.exp((logits[order].astype(np.float64) - logits[order[0]]) / choice.temperature)
    cumulative = np.cumsum(p / p.sum())
    if choice.top_p is not None:
        cumulative = cumulative[: np.searchsorted(cumulative, choice.top_p) + 1]
    drawn = np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right")
    return int(order[min(drawn, len(cumulative) - 1)])


# ---------------------------------------------------------------- corpus


def corpus(
    text: str, tokens: str, tokenizer: data.Tokenizer | None = None
) -> tuple[data.Tokenizer, np.ndarray, np.ndarray]:
    """The tokenizer of a text (a name or a file), and the symbols of its first 90 % and of the rest, for validation.

    tokenizer: that of a run, to read the text as the run did; otherwise one is made for "char" or "byte". Of a long
    text validation reads a sample: seeded places, joined, which is said.
    """
    characters = data.load_text(text)
    if tokenizer is None:
        tokenizer = data.CharTokenizer.of(characters) if tokens == "char" else data.ByteTokenizer()
    training, validation = data.split_text(tokenizer.encode(characters, tokenizer.dtype))
    if len(validation) > MEASURED:
        print(f"validation: {MEASURED:,} of its {len(validation):,} symbols, at {MEASURED // PLACE} seeded places")
    return tokenizer, training, some_places(validation, MEASURED).astype(np.int64)


def some_places(ids: np.ndarray, most: int) -> np.ndarray:
    """All of a text (T,), or, of a longer one than `most`, seeded places of 2,000 symbols that make up as many."""
    if len(ids) <= most:
        return ids
    starts = np.sort(mg.random.generator(0).choice(len(ids) // PLACE, most // PLACE, replace=False)) * PLACE
    return np.concatenate([ids[start : start + PLACE] for start in starts])


def readable(tokenizer: data.Tokenizer, validation: np.ndarray, training: np.ndarray) -> tuple[str, str]:
    """The validation text, and the training text to look for copies in: of a long one a sample, which is said."""
    if len(training) > SEARCHED:
        print(f"copies are looked for in {SEARCHED:,} of {len(training):,} symbols, at {SEARCHED // PLACE:,} places")
    return tokenizer.decode(validation), tokenizer.decode(some_places(training, SEARCHED))


def saved_tokenizer(run: RunFolder) -> data.Tokenizer:
    """The tokenizer that a run was trained with."""
    return data.tokenizer_from(run.saved()["tokenizer"])


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """A text as the symbols (1, T) that a model of text reads."""
    return data.text_preprocessing(saved_tokenizer(run))


# ---------------------------------------------------------------- generating


def stream(
    predict: Callable[[np.ndarray], np.ndarray],
    tokenizer: data.Tokenizer,
    prompt: str,
    n: int,
    choice: Choice,
    rng: np.random.Generator,
) -> Iterator[str]:
    """The prompt, then a text of n symbols that goes on from it, piece by piece as it is generated.

    predict: new symbols (t,), all of the prompt at first and then one at a time, → logits (K,) of the symbol after
    them; in evaluation mode. An empty prompt stands for the start of a line. Raises DataError for a character in the
    prompt that the tokenizer lacks, before anything is generated.
    """
    ids = tokenizer.encode(prompt) if prompt else start(tokenizer)
    if prompt:
        yield prompt
    yield from tokenizer.stream(drawn(predict, ids, n, choice, rng))


def drawn(
    predict: Callable[[np.ndarray], np.ndarray], ids: np.ndarray, n: int, choice: Choice, rng: np.random.Generator
) -> Iterator[int]:
    """n symbols that go on from `ids`."""
    for _ in range(n):
        with mg.no_grad():  # not around the loop: it would hold for whoever takes the symbols
            symbol = choose(predict(ids), choice, rng)
        yield symbol
        ids = np.array([symbol])


def start(tokenizer: data.Tokenizer) -> np.ndarray:
    """(1,): the end of a line, or the first symbol where the corpus has no lines."""
    try:
        return tokenizer.encode("\n")
    except DataError:
        return np.zeros(1, np.int64)


def save_text(path: Path, text: str) -> None:
    """Put a text into a file, with a line's end behind it."""
    write_atomic(path, text.encode() + b"\n")


# ---------------------------------------------------------------- measuring


def mean_nats(predict: Callable[[np.ndarray], Tensor], ids: np.ndarray, length: int) -> float:
    """The mean of -log p over all symbols of `ids` but the first, in nats.

    The text is cut into streams of equal length, which are read side by side in pieces of `length`: predict is called
    with (B, length) symbols, the last time with fewer, → logits (B, length, K), and may carry a state from one call to
    the next. In evaluation mode: call it inside `evaluating(model)`.
    """
    x, y = ids[:-1], ids[1:]
    if not len(y):
        raise DataError(f"validation: the text has {len(ids)} symbols to validate on; use a longer text")
    rows = min(STREAMS, max(len(y) // STREAM_LENGTH, 1))
    columns = -(-len(y) // rows)
    filling = rows * columns - len(y)  # the last stream is filled up with symbols that do not count
    x, y, counts = (np.pad(array, (0, filling)).reshape(rows, columns) for array in (x, y, np.ones(len(y), bool)))
    total = 0.0
    for i in range(0, columns, length):
        piece = np.s_[:, i : i + length]
        losses = mg.cross_entropy(predict(x[piece]), y[piece], reduction="none")
        total += float(losses.numpy()[counts[piece]].sum(dtype=np.float64))
    return total / (len(ids) - 1)


def per_character(nats: float, ids: np.ndarray, tokenizer: data.Tokenizer) -> float:
    """Nats per symbol of the text `ids` as nats per character, which is the same unless the symbols are bytes."""
    return nats * len(ids) / max(len(tokenizer.decode(ids)), 1)


def likelihood(nats: float) -> dict[str, float]:
    """Nats per character as the three figures in use."""
    return {
        "nats_per_character": nats,
        "bits_per_character": metrics.bits_per_character(nats),
        "perplexity": metrics.perplexity(nats),
    }


def originality(sample: str, held_out: str, training: str) -> dict[str, float]:
    """Does a sample repeat itself, and does it merely copy the text that it was trained on?

    distinct_4: share of its runs of four characters that are different ones. overlap_8: share of its runs of eight that
    stand in the training text. longest_copy: characters of the longest run that does. held_out_…: the same for as much
    of a text by the same hand that was not trained on, which is what to compare with; where there is less of it, only
    as much of the sample is judged.
    """
    figures, length = {}, min(len(sample), len(held_out))
    for prefix, text in (("", sample[:length]), ("held_out_", held_out[:length])):
        if length >= 8:
            figures[f"{prefix}distinct_4"] = metrics.distinct_n(text, 4)
            figures[f"{prefix}overlap_8"] = metrics.ngram_overlap(text, training, 8)
            figures[f"{prefix}longest_copy"] = metrics.longest_copy(text, training)
    return figures
