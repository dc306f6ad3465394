"""Reading a text file, and splitting its tokens."""

import codecs

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigen.data import load_text, split_text
from minigen.errors import ArgumentError, DataError, ShapeError

TEXT = "Größe: 3 µm\nñ 😀\n"


@pytest.mark.parametrize(
    "raw",
    [
        TEXT.encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
    ],
    ids=["unix", "windows", "old mac", "byte-order mark"],
)
def test_one_text_however_it_was_saved(tmp_path, raw):
    path = tmp_path / "corpus.txt"
    path.write_bytes(raw)
    assert load_text(path) == load_text(str(path)) == TEXT


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "is empty"),
        (codecs.BOM_UTF8, "is empty"),
        (b"caf\xe9 au lait", r"byte 0xe9 at offset 3 is not UTF-8; .*iconv.*np\.fromfile"),
        (codecs.BOM_UTF8 + b"caf\xe9", "byte 0xe9 at offset 6 is not UTF-8"),
        ("né".encode()[:-1], "byte 0xc3 at offset 1 is not UTF-8"),
        (b"PK\3\4\0\0", "zero byte at offset 4, .*binary"),
        ("to be".encode("utf-16"), "UTF-16; convert it with: iconv"),
        ("to be".encode("utf-32"), "UTF-32; convert it with: iconv"),
    ],
)
def test_files_that_are_no_text(tmp_path, raw, message):
    path = tmp_path / "corpus.txt"
    path.write_bytes(raw)
    with pytest.raises(DataError, match=rf"corpus\.txt: .*{message}"):
        load_text(path)


def test_paths_that_are_no_file(tmp_path):
    with pytest.raises(DataError, match="no text of that name and no such file"):
        load_text("shakspere")
    with pytest.raises(DataError, match=r"^to be .{,100}: no text of that name and no such file"):
        load_text("to be or not to be " * 400)
    with pytest.raises(DataError, match="is a folder"):
        load_text(tmp_path)


@given(st.integers(2, 500), st.floats(0.01, 0.99))
def test_split_is_a_cut(count, share):
    tokens = np.arange(count)
    if not 0 < round(count * share) < count:
        with pytest.raises(DataError, match=f"{count} tokens .* longer text"):
            split_text(tokens, share)
        return
    train, validation = split_text(tokens, share)
    np.testing.assert_array_equal(np.concatenate([train, validation]), tokens)
    assert abs(len(validation) - share * count) <= 0.5
    assert np.shares_memory(train, tokens) and np.shares_memory(validation, tokens)


def test_the_default_split_keeps_the_last_tenth():
    assert [len(part) for part in split_text(np.arange(1000))] == [900, 100]


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan"), "a tenth"])
def test_bad_share(share):
    with pytest.raises(ArgumentError, match="validation is"):
        split_text(np.arange(100), share)


@pytest.mark.parametrize("tokens", [np.zeros((3, 4), int), np.zeros(4), np.array(list("text"))])
def test_tokens_are_integers_in_a_row(tokens):
    with pytest.raises(ShapeError, match=r"expected integers \(T,\)"):
        split_text(tokens)
