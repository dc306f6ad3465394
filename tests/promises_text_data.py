"""Promises of a user's own text."""

import os
from pathlib import Path

import numpy as np
import pytest
from promises import Promise, promise

import minigen as mg
from minigen import data
from minigen.models.parts import text

CASES: list[Promise] = []


@promise(CASES, "text with a byte-order mark, CRLF or CR", "is the text that it is without")
def marks_and_ends(folder: Path) -> None:
    for raw in (b"\xef\xbb\xbfto\r\nbe", b"to\rbe", b"to\nbe"):
        (folder / "a.txt").write_bytes(raw)
        assert data.load_text(folder / "a.txt") == "to\nbe"


@promise(CASES, "text that is no UTF-8, UTF-16, binary, empty, a folder or a pipe", "one line with the mend")
def no_text(folder: Path) -> None:
    path = folder / "a.txt"
    for raw, match in ((b"\xff", "iconv"), ("a".encode("utf-16"), "UTF-16"), (b"a\0b", "binary"), (b"", "empty")):
        path.write_bytes(raw)
        with pytest.raises(mg.errors.DataError, match=match):
            data.load_text(path)
    path.unlink()
    os.mkfifo(path)
    for other in (path, folder):
        with pytest.raises(mg.errors.DataError, match=r"pipe|folder"):
            data.load_text(other)


@promise(CASES, "a text of one character", "DataError: use a longer text")
def one_character(folder: Path) -> None:
    (folder / "a.txt").write_text("a")
    with pytest.raises(mg.errors.DataError, match="use a longer text"):
        text.corpus(str(folder / "a.txt"), "char")


@promise(CASES, "a long text", "one byte a symbol; measured and compared at seeded places, which is said")
def long_text(folder: Path) -> None:
    (folder / "a.txt").write_text("to be or not to be\n" * 100_000)
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr("builtins.print", said.append)
        patch.setattr(text, "SEARCHED", 100 * text.PLACE)
        tokenizer, training, validation = text.corpus(str(folder / "a.txt"), "char")
        held_out, known = text.readable(tokenizer, validation, training)
    assert training.dtype == np.uint8 and validation.dtype == np.int64
    assert len(training) == 1_710_000 and len(validation) == len(held_out) == 120_000 and len(known) == 200_000
    assert said[0] == "validation: 120,000 of its 190,000 symbols, at 60 seeded places" and "copies" in said[1]
    assert set(held_out) == set("to be or not to be\n")
