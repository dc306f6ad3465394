"""What the models of text share: choosing a symbol, streaming, and the validation over a whole text."""

import math
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import data, layers
from minigen.errors import ArgumentError, DataError
from minigen.models.parts import text
from minigen.models.parts.modes import evaluating
from minigen.models.parts.text import Choice, choose
from minigen.random import generator

LOGITS = np.log(np.array([0.1, 0.4, 0.3, 0.2], np.float32))


def shares(choice: Any, logits: np.ndarray = LOGITS, draws: int = 4000) -> np.ndarray:
    """How often each symbol is chosen."""
    rng = generator(0)
    return np.bincount([choose(logits, choice, rng) for _ in range(draws)], minlength=len(logits)) / draws


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.1, 0.4, 0.3, 0.2]),
        ({"temperature": 0.5}, np.square([0.1, 0.4, 0.3, 0.2]) / 0.3),
        ({"top_k": 2}, [0, 4 / 7, 3 / 7, 0]),
        ({"top_k": 4}, [0.1, 0.4, 0.3, 0.2]),
        ({"top_k": 400}, [0.1, 0.4, 0.3, 0.2]),
        ({"top_p": 0.69}, [0, 4 / 7, 3 / 7, 0]),
        ({"top_p": 0.71}, [0, 4 / 9, 3 / 9, 2 / 9]),
        ({"top_p": 1.0}, [0.1, 0.4, 0.3, 0.2]),
        ({"top_k": 3, "top_p": 0.5}, [0, 4 / 7, 3 / 7, 0]),  # of the three, 4/9 is not enough
        ({"top_p": 0.39}, [0, 1, 0, 0]),
        ({"top_p": 1e-12}, [0, 1, 0, 0]),
        ({"top_k": 1}, [0, 1, 0, 0]),
        ({"temperature": 0.0}, [0, 1, 0, 0]),
        ({"temperature": 5e-324}, [0, 1, 0, 0]),
        ({"temperature": 1e300}, [0.25, 0.25, 0.25, 0.25]),
    ],
)
def test_symbols_are_drawn_with_their_probabilities(options: dict[str, Any], expected: Any):
    np.testing.assert_allclose(shares(Choice(**options)), expected, atol=0.025)
    assert ((shares(Choice(**options)) > 0) == (np.array(expected) > 0)).all()


def test_a_symbol_that_is_impossible_is_never_drawn():
    np.testing.assert_array_equal(shares(Choice(), np.array([-np.inf, 0, -np.inf, -1e9]), 500), [0, 1, 0, 0])


def test_of_equal_symbols_the_first_is_the_likeliest():
    for choice in (Choice(temperature=0.0), Choice(top_k=1), Choice(top_p=0.1)):
        assert shares(choice, np.zeros(4, np.float32), 50)[0] == 1


def test_the_greedy_choice_draws_nothing():
    rng = generator(0)
    choose(LOGITS, Choice(temperature=0), rng)
    assert rng.random() == generator(0).random()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"temperature": math.inf}, "temperature"),
        ({"temperature": None}, "temperature"),
        ({"top_k": 0}, "top-k"),
        ({"top_k": 1.5}, "top-k"),
        ({"top_p": 0.0}, "top-p"),
        ({"top_p": 1.01}, "top-p"),
        ({"top_p": math.nan}, "top-p"),
    ],
)
def test_a_bad_choice_is_refused(options: dict[str, Any], name: str):
    with pytest.raises(ArgumentError, match=f"{name} is"):
        Choice(**options)


@pytest.mark.parametrize("bad", [[0, math.nan], [0, math.inf], [-math.inf, -math.inf]])
def test_damaged_logits_are_told(bad: list[float]):
    for temperature in (0.0, 1.0):
        with pytest.raises(DataError, match="largest logit"):
            choose(np.array(bad), Choice(temperature=temperature), generator(0))


# ---------------------------------------------------------------- streaming


class Alphabet:
    """A model that is sure of what comes next: the symbol after the last one."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.seen: list[list[int]] = []

    def __call__(self, ids: np.ndarray) -> np.ndarray:
        self.seen.append(ids.tolist())
        return np.where(np.arange(self.size) == (ids[-1] + 1) % self.size, 0.0, -np.inf)


def test_a_stream_is_the_prompt_and_n_symbols_one_by_one():
    model = Alphabet(26)
    tokenizer = data.CharTokenizer("abcdefghijklmnopqrstuvwxyz")
    pieces = list(text.stream(model, tokenizer, "xab", 4, Choice(), generator(0)))
    assert pieces == ["xab", "c", "d", "e", "f"]
    assert model.seen == [[23, 0, 1], [2], [3], [4]]


def test_an_empty_prompt_starts_a_line_or_with_the_first_symbol():
    for symbols, first in (("\nab", "a"), ("a\nb", "b"), ("abc", "b")):
        stream = text.stream(Alphabet(3), data.CharTokenizer(symbols), "", 1, Choice(), generator(0))
        assert list(stream) == [first]


def test_bytes_come_as_whole_characters():
    class Spells(Alphabet):
        def __call__(self, ids: np.ndarray) -> np.ndarray:
            self.seen.append([])
            return np.where(np.arange(256) == "é€".encode()[len(self.seen) - 1], 0.0, -np.inf)

    stream = list(text.stream(Spells(256), data.ByteTokenizer(), "ü", 5, Choice(), generator(0)))
    assert stream == ["ü", "é", "€"]


def test_gradients_are_recorded_again_between_the_pieces():
    recording = []

    def predict(ids: np.ndarray) -> np.ndarray:
        recording.append(mg.is_grad_enabled())
        return np.zeros(3)

    stream = text.stream(predict, data.CharTokenizer("abc"), "a", 3, Choice(), generator(0))
    for _ in stream:
        assert mg.is_grad_enabled()
    assert recording == [False] * 3


def test_an_unknown_character_is_told_before_anything_is_generated():
    model = Alphabet(3)
    with pytest.raises(DataError, match="'z'"):
        next(text.stream(model, data.CharTokenizer("abc"), "az", 3, Choice(), generator(0)))
    assert model.seen == []


# ---------------------------------------------------------------- measuring


@pytest.mark.parametrize("size", [2, 3, 1000, 1001, 2001, 2500, 70_007])
@pytest.mark.parametrize("length", [1, 64, 5000])
def test_every_symbol_but_the_first_counts_once(size: int, length: int):
    if length == 1 and size > 3000:
        return
    ids = generator(0).integers(0, 7, size)
    table = generator(1).standard_normal((7, 7))  # logits of the next symbol by the last one
    log_p = table - np.log(np.exp(table).sum(axis=1, keepdims=True))
    nats = text.mean_nats(lambda x: mg.tensor(table[x]), ids, length)
    np.testing.assert_allclose(nats, -log_p[ids[:-1], ids[1:]].mean(), rtol=1e-10)


def test_streams_go_on_from_piece_to_piece():
    pieces = []

    def predict(x: np.ndarray) -> mg.Tensor:
        pieces.append(x)
        return mg.tensor(np.zeros((*x.shape, 7000)))

    ids = np.arange(3001)
    text.mean_nats(predict, ids, 300)
    rows = np.concatenate(pieces, axis=1)
    assert max(piece.shape[1] for piece in pieces) == 300
    np.testing.assert_array_equal(rows.reshape(-1), ids[:-1])
    assert len(rows) == 3


def test_nothing_to_validate_on_is_told():
    with pytest.raises(DataError, match="longer text"):
        text.mean_nats(lambda x: mg.tensor(np.zeros((*x.shape, 2))), np.zeros(1, np.int64), 4)


def test_evaluating_ends_with_training_mode_and_gradients():
    model = layers.Dropout(0.5, rng=generator(0))
    with pytest.raises(KeyError), evaluating(model):
        assert not model.training and not mg.is_grad_enabled()
        raise KeyError
    assert model.training and mg.is_grad_enabled()


def test_a_copy_is_seen_as_one():
    training, held_out = data.shakespeare()[:20_000], data.shakespeare()[20_000:22_000]
    copy = text.originality(training[3000:4000], held_out, training)
    assert copy["longest_copy"] == 1000 and copy["overlap_8"] == 1
    own = text.originality("Xx" + training[3000:3010] + "xX qq", held_out, training)
    assert 10 <= own["longest_copy"] <= 12 and 0 < own["overlap_8"] < 0.6
    assert own["distinct_4"] == 1 and text.originality("na" * 500, held_out, training)["distinct_4"] == 2 / 997
    assert 0 < copy["held_out_overlap_8"] < 0.5 and copy["held_out_longest_copy"] < 100


def test_texts_of_one_length_are_compared():
    figures = text.originality("abcd" * 20, "abcdefghijklmnop", "abcdabcdabcd")
    assert figures["distinct_4"] == 4 / 13 and figures["held_out_distinct_4"] == 1
    assert text.originality("abcd" * 20, "short", "abcd") == {}
