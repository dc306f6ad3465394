"""Tokenizers: what is decoded is what was encoded, and a saved one is the one that was saved."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigen.data import ByteTokenizer, CharTokenizer, WordTokenizer, shakespeare, tokenizer_from, tokenizers
from minigen.errors import ArgumentError, CheckpointError, DataError, DTypeError, ShapeError
from minigen.training import checkpoint

WORDS = WordTokenizer.of("The cat's on the mat. The rat's not; the CAT’S 2 cats!", 5)
EVERY = [CharTokenizer.of("né 😀\n"), ByteTokenizer(), WORDS]


@given(st.text(st.characters(), min_size=1))
def test_characters_there_and_back(text):
    tokenizer = CharTokenizer.of(text)
    ids = tokenizer.encode(text)
    assert ids.dtype == np.int64 and ids.shape == (len(text),)
    assert tokenizer.size == len(set(text)) and list(tokenizer.symbols) == sorted(set(text))
    assert [tokenizer.symbols[token] for token in ids] == list(text)
    assert tokenizer.decode(ids) == "".join(tokenizer.stream(iter(ids))) == text


@given(st.text())
def test_bytes_there_and_back(text):
    tokenizer = ByteTokenizer()
    ids = tokenizer.encode(text)
    assert ids.dtype == np.int64 and ids.tolist() == list(text.encode())
    assert tokenizer.decode(ids) == "".join(tokenizer.stream(ids.tolist())) == text


@given(st.lists(st.integers(0, 255)))
def test_any_bytes_stream_as_they_decode(ids):
    tokenizer = ByteTokenizer()
    assert "".join(tokenizer.stream(ids)) == tokenizer.decode(ids) == bytes(ids).decode(errors="replace")


def test_a_character_is_streamed_when_its_last_byte_comes():
    taken = []

    def ids():
        for token in "é!".encode():
            taken.append(token)
            yield token

    stream = ByteTokenizer().stream(ids())
    assert (next(stream), len(taken)) == ("é", 2)
    assert (next(stream), len(taken)) == ("!", 3)


def test_byte_symbols():
    symbols = ByteTokenizer().symbols
    assert len(set(symbols)) == 256 and symbols[65] == "A" and symbols[10] == "\\x0a" and symbols[255] == "\\xff"


def test_words():
    assert WORDS.symbols == ("<unk>", "the", "cat's", "2", "cats")  # by frequency, then by the alphabet
    ids = WORDS.encode("The CAT'S mat, the dog (<unk>): 'cats'")
    assert ids.dtype == np.int64 and ids.tolist() == [1, 2, 0, 1, 0, 0, 4]
    assert WORDS.decode(ids) == "".join(WORDS.stream(ids)) == "the cat's <unk> the <unk> <unk> cats"
    assert WordTokenizer.of("a b", 100).size == 3
    assert WORDS.encode("...").shape == (0,)


def test_words_of_shakespeare():
    tokenizer = WordTokenizer.of(shakespeare(), 1000)
    ids = tokenizer.encode(shakespeare())
    counts = np.bincount(ids, minlength=1000)
    assert tokenizer.size == 1000 and (np.diff(counts[1:]) <= 0).all()
    assert {"hamlet", "romeo", "king", "love", "o'er"} <= set(tokenizer.symbols)


@given(st.text(min_size=1), st.integers(2, 20))
def test_known_words_decode_to_themselves(text, size):
    try:
        tokenizer = WordTokenizer.of(text, size)
    except DataError:
        return
    known = [word for word in tokenizer.symbols if word != "<unk>"]
    assert tokenizer.size <= size
    assert tokenizer.decode(tokenizer.encode(" ".join(known))) == " ".join(known)


@pytest.mark.parametrize("tokenizer", EVERY, ids=repr)
class TestEvery:
    """What holds for any tokenizer."""

    def test_empty(self, tokenizer):
        assert tokenizer.encode("").shape == (0,) and tokenizer.encode("").dtype == np.int64
        assert tokenizer.decode([]) == "".join(tokenizer.stream([])) == ""

    def test_saved_and_made_again(self, tokenizer, tmp_path):
        again = tokenizer_from(json.loads(json.dumps(tokenizer.state_dict())))
        assert again == tokenizer and hash(again) == hash(tokenizer) and type(again) is type(tokenizer)
        checkpoint.save(tmp_path / "c.safetensors", {"tokenizer": tokenizer}, 3)
        assert checkpoint.load(tmp_path / "c.safetensors", {"tokenizer": again}) == 3
        assert tokenizer_from(checkpoint.read(tmp_path / "c.safetensors")[1]["tokenizer"]) == tokenizer

    def test_another_is_not_restored(self, tokenizer):
        other = CharTokenizer.of("abc")
        assert other != tokenizer
        with pytest.raises(CheckpointError, match="they differ; resume with the text"):
            tokenizer.load_state_dict(other.state_dict())

    @pytest.mark.parametrize(
        ("ids", "error", "message"),
        [
            ([0, 256], DataError, "from 0 to 256"),
            ([-1], DataError, "from -1"),
            ([[0, 1]], ShapeError, "one row at a time"),
            (0, ShapeError, "expected"),
            ([0.0], DTypeError, "float64"),
        ],
    )
    def test_ids_that_it_lacks(self, tokenizer, ids, error, message):
        with pytest.raises(error, match=message):
            tokenizer.decode(ids)

    @pytest.mark.parametrize(("token", "error"), [(256, DataError), (-1, DataError), (0.5, DTypeError)])
    def test_ids_that_it_can_not_stream(self, tokenizer, token, error):
        with pytest.raises(error, match="decode: "):
            list(tokenizer.stream([0, token]))

    @pytest.mark.parametrize("text", [b"bytes", None, 3])
    def test_only_strings_are_encoded(self, tokenizer, text):
        with pytest.raises(DTypeError, match="pass a string"):
            tokenizer.encode(text)


@pytest.mark.parametrize("character", ["q", "\n", "é", "😀", "\0"])
def test_unknown_character_is_shown_with_the_vocabulary(character):
    with pytest.raises(DataError) as caught:
        CharTokenizer.of("ROME:").encode(f"ROME{character}")
    message = str(caught.value)
    assert repr(character) in message and f"U+{ord(character):04X}, position 4" in message
    assert "5 characters of the vocabulary, ':EMOR'" in message


def test_half_a_surrogate_pair_has_no_bytes():
    with pytest.raises(DataError, match=r"position 1\) is half a surrogate pair"):
        ByteTokenizer().encode("a\ud83d")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: CharTokenizer.of(""), DataError, "empty"),
        (lambda: CharTokenizer(["ab", "c"]), DataError, "single, different"),
        (lambda: CharTokenizer("aba"), DataError, "single, different"),
        (lambda: WordTokenizer.of("?!", 10), DataError, "no words"),
        (lambda: WordTokenizer.of("a b", 1), ArgumentError, "size is 1"),
        (lambda: WordTokenizer(["the", "cat"]), DataError, "'<unk>', then"),
        (lambda: WordTokenizer(["<unk>", "the", "the"]), DataError, "twice"),
    ],
)
def test_what_no_tokenizer_is_made_of(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "state",
    [
        None,
        "char",
        {},
        {"kind": "syllable", "symbols": []},
        {"kind": "char"},
        {"kind": "char", "symbols": 3},
        {"kind": "char", "symbols": ""},
        {"kind": "char", "symbols": "aa"},
        {"kind": "char", "symbols": ["a", "b"]},
        {"kind": "byte", "symbols": "a"},
        {"kind": "word", "symbols": "<unk>"},
        {"kind": "word", "symbols": ["<unk>", 1]},
        {"kind": "word", "symbols": ["a", "<unk>"]},
    ],
)
def test_damaged_state(state):
    with pytest.raises(CheckpointError, match="tokenizer: "):
        tokenizer_from(state)


@pytest.mark.parametrize("tokenizer", EVERY, ids=repr)
def test_a_text_in_pieces_is_the_whole_text(tokenizer, monkeypatch):
    text = "né 😀\nn é😀é nnn\n\n né" * 3
    whole = tokenizer.encode(text)
    monkeypatch.setattr(tokenizers, "PIECE", 4)
    np.testing.assert_array_equal(tokenizer.encode(text), whole)
    assert tokenizer.encode(text, tokenizer.dtype).dtype == tokenizer.dtype == np.uint8
    with pytest.raises(DataError, match="position 6") as caught:
        CharTokenizer.of("abc").encode("abcabcX")
    assert "'X'" in str(caught.value)


def test_words_are_never_cut(monkeypatch):
    text = "the cat's on the mat\nthe rat's on the hat " * 3
    whole = WordTokenizer.of(text, 9)
    monkeypatch.setattr(tokenizers, "PIECE", 2)
    assert WordTokenizer.of(text, 9) == whole and CharTokenizer.of(text).symbols == tuple(sorted(set(text)))
    assert list("".join(tokenizers.pieces(text, at_space=True))) == list(text)
