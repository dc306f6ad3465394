"""How good a model of text is, and how much of what it writes is its own.

Texts are strings, arrays of token ids (T,), or lists of words. Runs of n tokens ("n-grams") are compared exactly, by
numbering them, also over corpora of millions of tokens.
"""

import math
from typing import Any

import numpy as np

from minigen.checks import check_count
from minigen.errors import DataError, DTypeError, ShapeError
from minigen.metrics.arrays import real


def bits_per_character(nats: float) -> float:
    """A mean negative log-likelihood in bits: nats / ln 2. Per character if `nats` is so, per byte for byte tokens."""
    return real("bits_per_character", nats) / math.log(2)


def perplexity(nats: float) -> float:
    """exp(nats), of a mean negative log-likelihood per token: as uncertain as a choice among so many equals."""
    with np.errstate(over="ignore"):
        return float(np.exp(real("perplexity", nats)))


def distinct_n(text: Any, n: int) -> float:
    """Different n-grams / all n-grams of a text, in (0, 1]: low for text that repeats itself.

    It falls with the length of any text: compare texts of one length. Raises DataError for fewer than n tokens.
    J. Li et al. (2016), A Diversity-Promoting Objective Function for Neural Conversation Models, section 5
    (arXiv:1510.03055).
    """
    (tokens,) = numbered("distinct_n", text)
    check_length("distinct_n", tokens, n)
    grams = ngrams(tokens, n)
    return (int(grams.max()) + 1) / len(grams)


def ngram_overlap(sample: Any, corpus: Any, n: int) -> float:
    """Share of the sample's n-grams, each counted as often as it stands there, that stand in the corpus too; in [0, 1].

    High for small n where the sample reads like the corpus, high for large n where it copies: compare it with what
    held-out text scores. Raises DataError for a sample of fewer than n tokens.
    """
    tokens, known = numbered("ngram_overlap", sample, corpus)
    check_length("ngram_overlap", tokens, n)
    grams = ngrams(np.concatenate([tokens, known]), n)
    return float(common(grams, len(tokens), len(known), n).mean())


def longest_copy(sample: Any, corpus: Any) -> int:
    """Length in tokens of the longest piece of the sample that stands in the corpus word for word; 0 when none does.

    The length is doubled while some piece of it is in both, and then narrowed down by halves.
    """
    tokens, known = numbered("longest_copy", sample, corpus)
    sizes = len(tokens), len(known)
    grams, length = np.concatenate([tokens, known]), 1
    if not common(grams, *sizes, length).any():
        return 0
    while (longer := lengthened(grams, *sizes, length, length)) is not None:
        grams, length = longer, 2 * length
    step = length // 2
    while step:
        if (longer := lengthened(grams, *sizes, length, step)) is not None:
            grams, length = longer, length + step
        step //= 2
    return length


def lengthened(grams: np.ndarray, size: int, known: int, n: int, step: int) -> np.ndarray | None:
    """The numbers of the runs of n + step tokens, from those of n; None when sample and corpus share no such run."""
    if n + step > min(size, known):
        return None
    longer = joined(grams, step)
    return longer if common(longer, size, known, n + step).any() else None


def ngrams(tokens: np.ndarray, n: int) -> np.ndarray:
    """(T - n + 1,): for each n-gram of `numbered` tokens (T,) a number from 0 on, equal where the n-grams are."""
    grams, length = tokens, 1
    while length < n:
        step = min(length, n - length)
        grams, length = joined(grams, step), length + step
    return grams


def joined(grams: np.ndarray, step: int) -> np.ndarray:
    """The numbers of longer runs, by `step`: a run is known by the one at its start and the one that lies `step` on.

    grams: (M,) numbers of runs no shorter than `step`; gives (M - step,).
    """
    pairs = grams[:-step].astype(np.int64) * (int(grams.max()) + 1) + grams[step:]
    return np.unique(pairs, return_inverse=True)[1]


def common(grams: np.ndarray, size: int, known: int, n: int) -> np.ndarray:
    """Which n-grams of a sample stand in the corpus, (size - n + 1,) bool.

    grams: numbers of the n-grams of both, the sample of `size` tokens first, then the corpus of `known`. The n - 1 that
    lie across the seam are of neither.
    """
    in_corpus = np.zeros(int(grams.max(initial=0)) + 1, bool)
    in_corpus[grams[size : size + max(known - n + 1, 0)]] = True
    return in_corpus[grams[: max(size - n + 1, 0)]]


def numbered(operation: str, *texts: Any) -> list[np.ndarray]:
    """Each text as int64 numbers (T,) from 0 on, the same number for the same token in all of them."""
    arrays = [tokens_of(operation, text) for text in texts]
    if len({array.dtype.kind for array in arrays if array.size}) > 1:
        raise DTypeError(
            f"{operation}: the texts are of different kinds; pass all as strings, as ids, or as lists of words"
        )
    numbers = np.unique(np.concatenate([array for array in arrays if array.size] or arrays), return_inverse=True)[1]
    return np.split(numbers.astype(np.int64), np.cumsum([len(array) for array in arrays])[:-1])


def tokens_of(operation: str, text: Any) -> np.ndarray:
    """A string as code points "u", ids as integers "i", words as strings "U"; each (T,)."""
    if isinstance(text, str):
        return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    tokens = np.asarray(text)
    if tokens.ndim != 1:
        raise ShapeError(f"{operation}: the text is {tokens.shape}, expected (T,); pass one text at a time")
    if tokens.size and tokens.dtype.kind not in "iuU":
        raise DTypeError(f"{operation}: the text is {tokens.dtype}; pass a string, integer ids, or a list of words")
    return tokens.astype(np.int64) if tokens.dtype.kind == "u" else tokens


def check_length(operation: str, tokens: np.ndarray, n: int) -> None:
    """Raises unless n is a whole number ≥ 1 and there are n tokens."""
    if len(tokens) < check_count(operation, "n", n):
        raise DataError(f"{operation}: the text has {len(tokens)} tokens, fewer than n = {n}; use a longer text")
