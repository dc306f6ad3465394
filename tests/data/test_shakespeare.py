"""The embedded Shakespeare: whole, in the layout it promises, and checked at every load."""

import gzip
import importlib
import re

import pytest

from minigen.data import load_text, shakespeare
from minigen.errors import DataError

module = importlib.import_module("minigen.data.shakespeare")  # the package's `shakespeare` is the function


def test_it_is_whole():
    text = shakespeare()
    assert len(text) == 1_103_975 and len(set(text)) == 66 and text.isascii()
    assert text.startswith("CHORUS:\nTwo households, both alike in dignity,\n")
    assert text.endswith("\nLet your indulgence set me free.\n")
    assert load_text("shakespeare") is load_text("Shakespeare") is text


@pytest.mark.parametrize(
    "speech",
    [
        "ROMEO:\nHe jests at scars that never felt a wound.--\nBut soft! what light through yonder window breaks?\n",
        "HAMLET:\nTo be, or not to be,--that is the question:--\n",
        "ANTONY:\nFriends, Romans, countrymen, lend me your ears;\n",
        "MACBETH:\nShe should have died hereafter;\n",
        "GLOSTER:\n",  # abbreviated in the plain texts
        "KING CLAUDIUS:\n",
    ],
)
def test_famous_speeches(speech):
    assert f"\n\n{speech}" in shakespeare()


def test_every_speech_has_its_speaker_and_some_lines():
    speeches = shakespeare().removesuffix("\n").split("\n\n")
    assert len(speeches) == 7452
    assert [speech for speech in speeches if not re.fullmatch(r"[A-Z][A-Z ]+:(\n\S|\S| (?! ))+", speech)] == []


def test_nothing_unspoken_is_left():
    assert re.findall(r"[][{}0-9_*<>|/]|\bGutenberg|\bExeunt\b|\bSCENE\b|\bACT\b|DRAMATIS", shakespeare()) == []


@pytest.fixture
def own_file(tmp_path, monkeypatch):
    """A path that is read in place of the installed file."""
    monkeypatch.setattr(module, "FILE", tmp_path / "shakespeare.txt.gz")
    module.shakespeare.cache_clear()
    yield module.FILE
    module.shakespeare.cache_clear()


def test_damage_is_found(own_file):
    with pytest.raises(DataError, match="no such file"):
        shakespeare()
    own_file.write_bytes(gzip.compress(b"HAMLET:\nWords, words, words.\n"))
    with pytest.raises(DataError, match=r"shakespeare\.txt\.gz.*SHA-256"):
        shakespeare()
    own_file.write_bytes(own_file.read_bytes()[:20])
    with pytest.raises(DataError, match="damaged gzip"):
        shakespeare()
