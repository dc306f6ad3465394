"""Measures of text beside their definitions, written out with Python's sets and strings."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigen.errors import ArgumentError, DataError, DTypeError, ShapeError
from minigen.metrics import bits_per_character, distinct_n, longest_copy, ngram_overlap, perplexity

few_letters = st.text("abc", max_size=40)  # few, so that texts share long pieces
number = st.integers(1, 6)


def grams(text: str, n: int) -> list[str]:
    return [text[i : i + n] for i in range(len(text) - n + 1)]


@given(st.one_of(few_letters, st.text()), number)
def test_distinct_n_is_its_definition(text, n):
    if len(text) < n:
        with pytest.raises(DataError, match=f"{len(text)} tokens, fewer than n = {n}"):
            distinct_n(text, n)
    else:
        assert distinct_n(text, n) == len(set(grams(text, n))) / len(grams(text, n))


@given(few_letters, few_letters, number)
def test_ngram_overlap_is_its_definition(sample, corpus, n):
    if len(sample) < n:
        with pytest.raises(DataError, match="fewer than n"):
            ngram_overlap(sample, corpus, n)
    else:
        assert ngram_overlap(sample, corpus, n) == pytest.approx(np.mean([g in corpus for g in grams(sample, n)]))


@given(few_letters, few_letters)
def test_longest_copy_is_its_definition(sample, corpus):
    lengths = [n for n in range(1, len(sample) + 1) if any(g in corpus for g in grams(sample, n))]
    assert longest_copy(sample, corpus) == max(lengths, default=0)


@given(few_letters, few_letters, st.text("abcd", min_size=0, max_size=300))
def test_a_planted_copy_is_found_whole(before, after, piece):
    assert longest_copy(before + "x" + piece + "y", after + "z" + piece + before) >= len(piece)
    assert longest_copy(piece, piece) == len(piece)


def test_a_run_across_the_seam_of_sample_and_corpus_does_not_count():
    assert longest_copy("xab", "cdy") == 0
    assert ngram_overlap("ab", "cab", 2) == 1.0 and ngram_overlap("bc", "ab", 2) == 0.0


@pytest.mark.parametrize("n", [1, 2, 3])
def test_ids_and_words_count_as_characters_do(n):
    sample, corpus = "to be or not to be", "not to be believed"
    words, letters = sample.split(), [ord(letter) for letter in sample]
    assert distinct_n(words, 2) == 4 / 5
    assert distinct_n(np.array(letters, np.uint8), n) == distinct_n(letters, n) == distinct_n(sample, n)
    other = [ord(letter) for letter in corpus]
    assert ngram_overlap(letters, other, n) == ngram_overlap(sample, corpus, n)
    assert longest_copy(words, corpus.split()) == 3 and longest_copy(letters, other) == len("not to be")


def test_likelihoods():
    assert bits_per_character(math.log(2)) == pytest.approx(1.0, abs=1e-15)
    assert perplexity(0) == 1.0
    assert perplexity(math.log(65)) == pytest.approx(65, rel=1e-14)
    assert perplexity(1e4) == math.inf
    assert math.isnan(perplexity(math.nan)) and math.isnan(bits_per_character(math.nan))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: distinct_n("abc", 0), ArgumentError, "n is 0"),
        (lambda: distinct_n("abc", 1.5), ArgumentError, "n is 1.5"),  # pyright: ignore[reportArgumentType]
        (lambda: distinct_n(np.zeros((2, 3), int), 1), ShapeError, r"\(2, 3\)"),
        (lambda: distinct_n([0.5, 1.0], 1), DTypeError, "float64"),
        (lambda: longest_copy("abc", [1, 2]), DTypeError, "different kinds"),
        (lambda: ngram_overlap("abc", ["a"], 1), DTypeError, "different kinds"),
        (lambda: perplexity("1"), DTypeError, "nats is str"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
