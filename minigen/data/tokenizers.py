"""Text as numbers: tokenizers of characters, of bytes and of words, which are saved with the model trained on them.

`encode` gives the token ids of a text, (T,) integers in 0 … size-1, `decode` the text of ids, `stream` the same text
piece by piece, while the ids are still made. For characters and bytes decode(encode(text)) == text.
"""

import codecs
import re
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from minigen.checks import check_count, check_items, check_state, shown
from minigen.errors import CheckpointError, DataError, DTypeError, ShapeError

UTF32 = ("utf-32-le", "surrogatepass")  # one 32-bit number a character, for whatever a Python string can hold
UNKNOWN = "<unk>"  # the word of all words that a vocabulary lacks; id 0
PIECE = 1 << 20  # characters that are read at once
SPACE = re.compile(r"[ \n]")
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")  # letters and digits, apostrophes inside: o'er, king's


class Tokenizer(ABC):
    """What all tokenizers share. symbols: what each id stands for; two tokenizers of the same symbols are equal."""

    kind: ClassVar[str]  # its name in a checkpoint

    def __init__(self, symbols: Iterable[str]) -> None:
        self.symbols = tuple(symbols)

    @property
    def size(self) -> int:
        """Number of symbols: ids are 0 … size-1."""
        return len(self.symbols)

    @property
    def dtype(self) -> np.dtype:
        """The smallest dtype that holds every id: what a long text is best encoded in."""
        return np.min_scalar_type(self.size - 1)

    @abstractmethod
    def encode(self, text: str, dtype: Any = np.int64) -> np.ndarray:
        """The ids of a text, (T,), read in pieces, so that a long text takes little more than itself and them."""

    @abstractmethod
    def decode(self, ids: Any) -> str:
        """The text of ids (T,). Raises DataError for an id outside 0 … size-1."""

    @abstractmethod
    def stream(self, ids: Iterable[int]) -> Iterator[str]:
        """The text of `ids`, each piece as soon as it is known: "".join(stream(ids)) == decode(ids)."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """What `tokenizer_from` makes the same tokenizer of; JSON can hold it."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Check that `state` is of an equal tokenizer, as a run that is resumed must: raises CheckpointError if not."""
        saved = tokenizer_from(state)
        if saved != self:
            raise CheckpointError(
                f"tokenizer: the saved one has {saved.size} symbols ({saved.kind}), this one has {self.size} "
                f"({self.kind}), and they differ; resume with the text that the run was started with"
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokenizer) and (self.kind, self.symbols) == (other.kind, other.symbols)

    def __hash__(self) -> int:
        return hash((self.kind, self.symbols))

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {self.size} symbols"


class CharTokenizer(Tokenizer):
    """One token a character. symbols: different characters, in the order of their ids; best made by `of(text)`."""

    kind = "char"

    def __init__(self, symbols: Iterable[str]) -> None:
        super().__init__(check_items("CharTokenizer", "symbols", symbols, str, "pass characters"))
        if not self.symbols:
            raise DataError("CharTokenizer: the text is empty; give it at least one character")
        if any(len(symbol) != 1 for symbol in self.symbols) or len(set(self.symbols)) < self.size:
            raise DataError(f"CharTokenizer: symbols are {shown(self.symbols)}; give single, different characters")
        self._codes = codes("".join(self.symbols))
        # _table[code] is the id, -1 for a character without one; the last entry serves all codes beyond it
        self._table = np.full(int(self._codes.max()) + 2, -1, np.int64)
        self._table[self._codes] = np.arange(self.size)

    @classmethod
    def of(cls, text: str) -> "CharTokenizer":
        """The tokenizer of the characters that `text` has, in the order of their code points."""
        seen = np.zeros(sys.maxunicode + 1, bool)
        for piece in pieces(text):
            seen[codes(piece)] = True
        return cls(chr(code) for code in np.flatnonzero(seen))

    def encode(self, text: str, dtype: Any = np.int64) -> np.ndarray:
        """The ids of a text, (T,). Raises DataError that shows a character which has none."""
        ids, done = np.empty(len(check_text(text)), dtype), 0
        for piece in pieces(text):
            found = self._table[np.minimum(codes(piece), len(self._table) - 1)]
            self._check_known(found, text, done)
            ids[done : done + len(piece)] = found
            done += len(piece)
        return ids

    def _check_known(self, ids: np.ndarray, text: str, start: int) -> None:
        """Raises DataError for an id of -1 among those of the piece of `text` that begins at `start`."""
        if ids.min() < 0:
            position = start + int(np.argmax(ids < 0))
            character = text[position]
            raise DataError(
                f"CharTokenizer: {character!r} (U+{ord(character):04X}, position {position}) is not among the "
                f"{self.size} characters of the vocabulary, {shown(''.join(self.symbols))}; leave it out, or train on "
                "a text that has it"
            )

    def decode(self, ids: Any) -> str:
        return str(self._codes[check_ids(ids, self.size)].tobytes(), *UTF32)

    def stream(self, ids: Iterable[int]) -> Iterator[str]:
        for token in ids:
            yield self.symbols[check_id(token, self.size)]

    def state_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "symbols": "".join(self.symbols)}


class ByteTokenizer(Tokenizer):
    """One token a byte of the text's UTF-8: 256 symbols that can say any text, with up to four tokens a character.

    Bytes that are no UTF-8, as an untrained model makes them, decode to U+FFFD, the replacement character.
    """

    kind = "byte"

    def __init__(self) -> None:
        printable = range(ord(" "), ord("~") + 1)
        super().__init__(chr(byte) if byte in printable else f"\\x{byte:02x}" for byte in range(256))

    def encode(self, text: str, dtype: Any = np.int64) -> np.ndarray:
        """The bytes of a text, (T,). Raises DataError for half a surrogate pair, which UTF-8 can not say."""
        try:
            return np.frombuffer(check_text(text).encode(), np.uint8).astype(dtype)
        except UnicodeEncodeError as error:
            raise DataError(
                f"ByteTokenizer: {text[error.start]!r} (position {error.start}) is half a surrogate pair, which is no "
                "character; remove it"
            ) from None

    def decode(self, ids: Any) -> str:
        return check_ids(ids, self.size).astype(np.uint8).tobytes().decode(errors="replace")

    def stream(self, ids: Iterable[int]) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        for token in ids:
            if piece := decoder.decode(bytes([check_id(token, self.size)])):
                yield piece
        if piece := decoder.decode(b"", final=True):
            yield piece

    def state_dict(self) -> dict[str, Any]:
        return {"kind": self.kind}


class WordTokenizer(Tokenizer):
    """One token a word, for embeddings of words: lower case, punctuation dropped, rare words all taken for "<unk>".

    A word is letters and digits, with apostrophes inside ("o'er"). symbols: "<unk>", then the words, all different.
    """

    kind = "word"

    def __init__(self, symbols: Iterable[str]) -> None:
        super().__init__(symbols)
        if self.symbols[:1] != (UNKNOWN,) or self.size < 2:
            raise DataError(f"WordTokenizer: symbols are {shown(self.symbols)}; give {UNKNOWN!r}, then at least a word")
        self._ids = {word: token for token, word in enumerate(self.symbols)}
        if len(self._ids) < self.size:
            raise DataError("WordTokenizer: a word stands twice among the symbols; give different ones")

    @classmethod
    def of(cls, text: str, size: int) -> "WordTokenizer":
        """The tokenizer of the `size` - 1 most frequent words of `text` and "<unk>": `size` symbols, or all there are.

        The more frequent the word, the smaller its id; of equally frequent words the alphabet decides.
        """
        check_count("WordTokenizer", "size", size, 2)
        counts: Counter[str] = Counter()
        for piece in pieces(text, at_space=True):
            counts.update(words(piece))
        if not counts:
            raise DataError("WordTokenizer: the text has no words; give it at least one")
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls([UNKNOWN, *ranked[: size - 1]])

    def encode(self, text: str, dtype: Any = np.int64) -> np.ndarray:
        """The ids of a text's words, (T,), 0 for those that the vocabulary lacks."""
        get = self._ids.get
        parts = [np.array([get(word, 0) for word in words(piece)], dtype) for piece in pieces(text, at_space=True)]
        return np.concatenate(parts) if parts else np.zeros(0, dtype)

    def decode(self, ids: Any) -> str:
        """The words of ids (T,), a space between any two."""
        return " ".join(self.symbols[token] for token in check_ids(ids, self.size))

    def stream(self, ids: Iterable[int]) -> Iterator[str]:
        for position, token in enumerate(ids):
            yield (" " if position else "") + self.symbols[check_id(token, self.size)]

    def state_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "symbols": list(self.symbols)}


def tokenizer_from(state: Any) -> Tokenizer:
    """The tokenizer whose state_dict() gave `state`. Raises CheckpointError if that is damaged."""
    kind = state.get("kind") if isinstance(state, dict) else None
    if kind == ByteTokenizer.kind:
        check_state("tokenizer", state, {"kind"})
        return ByteTokenizer()
    if kind not in (CharTokenizer.kind, WordTokenizer.kind):
        raise CheckpointError(f"tokenizer: the saved kind is {kind!r}; minigen has char, byte and word: damaged")
    check_state("tokenizer", state, {"kind", "symbols"})
    symbols: str | Sequence[str] = state["symbols"]
    whole = isinstance(symbols, str) if kind == "char" else isinstance(symbols, (list, tuple))
    if not whole or not all(isinstance(symbol, str) for symbol in symbols):
        raise CheckpointError(f"tokenizer: the saved symbols are {shown(symbols)}: damaged")
    try:
        return CharTokenizer(symbols) if kind == "char" else WordTokenizer(symbols)
    except DataError as error:
        raise CheckpointError(f"tokenizer: damaged: {error}") from error


def codes(text: str) -> np.ndarray:
    """The code points of a text, (T,), 32 bits each."""
    return np.frombuffer(check_text(text).encode(*UTF32), "<u4")


def pieces(text: str, at_space: bool = False) -> Iterator[str]:
    """A text in pieces of about a million characters, none empty.

    at_space: the cuts are before a space or a line's end, so that no word is cut.
    """
    start, length = 0, len(check_text(text))
    while start < length:
        stop = min(start + PIECE, length)
        if at_space and stop < length:
            found = SPACE.search(text, stop)
            stop = found.start() if found else length
        yield text[start:stop]
        start = stop


def words(text: str) -> list[str]:
    """The words of a text in lower case, in their order."""
    return WORD.findall(check_text(text).lower().replace("\u2019", "'"))


def check_text(text: str) -> str:
    """`text` itself, or DTypeError when it is no string."""
    if not isinstance(text, str):
        raise DTypeError(f"encode: the text is {type(text).__name__}; pass a string")
    return text


def check_ids(ids: Any, size: int) -> np.ndarray:
    """`ids` as an array of integers (T,), or the error that says what is wrong with them."""
    ids = np.asarray(ids)
    if ids.ndim != 1:
        raise ShapeError(f"decode: ids are {ids.shape}, expected (T,); decode one row at a time")
    if not ids.size:
        return ids.astype(np.int64)
    if ids.dtype.kind not in "iu":
        raise DTypeError(f"decode: ids are {ids.dtype}; they must be integers")
    if ids.min() < 0 or ids.max() >= size:
        raise DataError(f"decode: ids run from {ids.min()} to {ids.max()}; this tokenizer has 0 … {size - 1}")
    return ids


def check_id(token: int, size: int) -> int:
    """`token` as an int, or the error that says why the tokenizer has no such id."""
    if not isinstance(token, (int, np.integer)):
        raise DTypeError(f"decode: an id is {type(token).__name__}; ids must be integers")
    if not 0 <= token < size:
        raise DataError(f"decode: id {token} is outside 0 … {size - 1}, the ids of this tokenizer")
    return int(token)
