"""Reading a text, and splitting it into what is learned and what is held out."""

import codecs
import os
from pathlib import Path

import numpy as np

from minigen.checks import check_number, check_path
from minigen.data.limits import read_bytes
from minigen.data.shakespeare import shakespeare
from minigen.errors import DataError, ShapeError


def load_text(name_or_path: str | os.PathLike) -> str:
    """The text of that name ("shakespeare") or in that UTF-8 file.

    Lines end in "\\n", whatever they ended in, and a byte-order mark is left out. Raises DataError for a file that is
    missing, empty, binary, or in another encoding.
    """
    path = check_path("load_text", name_or_path)
    if str(path).lower() == "shakespeare":
        return shakespeare()
    if os.path.isdir(path):  # and not path.is_dir(), which raises when a name is too long
        raise DataError(f"{path}: is a folder; name a text file, or shakespeare")
    if not os.path.exists(path):
        raise DataError(f"{str(path)[:100]}: no text of that name and no such file; use shakespeare, or a UTF-8 file")
    text = decode_utf8(read_bytes(path), path)
    if not text:
        raise DataError(f"{path}: is empty; give it some text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decode_utf8(raw: bytes, path: Path) -> str:
    """The text of a file's bytes, or the DataError that says why they are none and what to do."""
    if raw.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):  # first: the mark begins as that of UTF-16 does
        raise DataError(f"{path}: is UTF-32; convert it with: iconv -f UTF-32 -t UTF-8")
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path}: is UTF-16; convert it with: iconv -f UTF-16 -t UTF-8")
    if (position := raw.find(b"\0")) >= 0:
        raise DataError(f"{path}: has a zero byte at offset {position:,}, so that it is binary; give it a text file")
    body = raw.removeprefix(codecs.BOM_UTF8)
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        at = error.start + len(raw) - len(body)
        raise DataError(
            f"{path}: byte 0x{raw[at]:02x} at offset {at:,} is not UTF-8; convert the file, as with "
            "iconv -f LATIN1 -t UTF-8, or train on its bytes, np.fromfile(path, np.uint8)"
        ) from None


def split_text(tokens: np.ndarray, validation: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """(train, validation): the first part and the last, a share of `validation`, of tokens (T,).

    Contiguous, so that no window of one overlaps the other. Both are views. Raises DataError if one is empty.
    """
    share = check_number("split_text", "validation", validation, above=0.0, below=1.0)
    tokens = check_tokens(tokens, "split_text")
    cut = len(tokens) - round(len(tokens) * share)
    if not 0 < cut < len(tokens):
        raise DataError(
            f"split_text: {len(tokens)} tokens leave nothing to one part with validation={share:g}; use a longer text"
        )
    return tokens[:cut], tokens[cut:]


def check_tokens(tokens: np.ndarray, operation: str) -> np.ndarray:
    """`tokens` as an array of integers (T,), or the error that says what is wrong with them."""
    tokens = np.asarray(tokens)
    if tokens.ndim != 1 or (tokens.size and tokens.dtype.kind not in "iu"):
        raise ShapeError(
            f"{operation}: tokens are {tokens.dtype} {tokens.shape}, expected integers (T,); make them with "
            "tokenizer.encode(text)"
        )
    return tokens
