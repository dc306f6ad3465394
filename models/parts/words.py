"""What the models of words share: reading the corpus, asking their vectors, and measuring what these know.

A model of words gives every word a vector so that words which stand in like company point in like directions. How like
two words are is the cosine of the angle between their vectors: 1 for the same direction, about 0 for unrelated ones.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from minigen import data, metrics, plots
from minigen.errors import ArgumentError, DataError
from minigen.models.parts.text import saved_tokenizer
from minigen.training import RunFolder

NEIGHBOURS = 10  # that are shown where nobody says how many
FEWEST_WORDS = 100  # in a text, below which there is nothing to learn
SPEAKER = re.compile(r"^[A-Z][A-Z .'-]*:$", re.MULTILINE)  # the name above each speech of a play
EXPRESSION = re.compile(r"[^\s+-]+(?:\s*[+-]\s*[^\s+-]+)*")  # king - man + woman
SHOWN = ("king", "queen", "father", "brother", "love", "heart", "sword", "blood", "night", "sea", "thou", "sweet")
MAPPED = slice(150, 330)  # the ranks of words for a map of a text without those below: frequent, but no and, to, that

# Words that a reader would call related: kin, rank, opposites, parts of one thing, forms of one word.
RELATED = """
king queen, king prince, king duke, king crown, lord lady, father mother, father son, mother daughter, brother sister,
son daughter, husband wife, uncle nephew, man woman, men women, boy girl, master servant, he she, him her, his hers,
i me, my mine, thou thee, thy thine, you your, we us, our us, they them, art are, hast hath, hath has, doth does, dost
doth, wilt will, shalt shall, would should, can could, may might, love hate, love lover, heart breast, joy grief, weep
tears, sleep dream, sword dagger, sword blade, fight sword, war peace, kill murder, death life, live die, grave tomb,
blood wounds, flesh blood, heaven hell, heaven earth, god heaven, sun moon, day night, morning night,
sea waves, sea ship, wind storm, fire water, summer winter, black white, gold silver, eyes tears, eyes ears, lips
tongue, hand arm, head neck, face cheek, good bad, true false, old young, friend enemy, friends foes, noble worthy,
gentle sweet, fair beauty, speak say, hear see, come go, ever never, one two, two three, hour minute, year month
"""


@dataclass(frozen=True)
class Question:
    """What can be asked of a model of words."""

    prompt: str = ""  # a word, or king - man + woman; nothing: a few words
    n: int = NEIGHBOURS  # neighbours to show of each


def corpus(text: str, vocabulary: int) -> tuple[data.WordTokenizer, np.ndarray]:
    """The tokenizer of a text (a name or a file) and its words (T,), numbered by frequency from 0.

    Words that are too rare for the vocabulary are left out, so that their neighbours come closer together, and so are
    the names above the speeches of a play. Raises DataError for fewer than 100 words.
    """
    speeches = SPEAKER.sub("", data.load_text(text))
    tokenizer = data.WordTokenizer.of(speeches, vocabulary + 1)  # its 0 stands for all the words that it lacks
    ids = tokenizer.encode(speeches)
    ids = ids[ids > 0] - 1
    if tokenizer.size < 3:
        raise DataError(f"{text}: one word is too few to tell words apart; use a larger --vocabulary, or another text")
    if len(ids) < FEWEST_WORDS:
        raise DataError(f"{text}: has {len(ids)} words to learn from; use a text of at least {FEWEST_WORDS}")
    return tokenizer, ids


def saved_words(run: RunFolder) -> tuple[str, ...]:
    """The words that a run was trained on, the most frequent first."""
    return saved_tokenizer(run).symbols[1:]


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """Words of a text as the numbers (T,) that the tables have them under; unknown words are left out."""
    tokenizer = saved_tokenizer(run)

    def numbers(text: str) -> np.ndarray:
        ids = tokenizer.encode(text)
        return ids[ids > 0] - 1

    return data.Preprocessing(f"a text → numbers of its words (T,), of {tokenizer.size - 1}", numbers, tokenizer)


def same_corpus(run: RunFolder, text: str, vocabulary: int) -> np.ndarray:
    """The words of the text that a run was trained on. Raises DataError when that text has other words by now."""
    tokenizer, ids = corpus(text, vocabulary)
    if tokenizer.symbols != saved_tokenizer(run).symbols:
        raise DataError(f"{text}: has other words than this run was trained on; restore the text, or train anew")
    return ids


class Words:
    """Words, the most frequent first, and their vectors (V, D), which are scaled to length 1."""

    def __init__(self, words: Sequence[str], vectors: np.ndarray) -> None:
        self.words = tuple(words)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        self.vectors = vectors / np.maximum(lengths, np.finfo(vectors.dtype).tiny)
        self.numbers = {word: number for number, word in enumerate(self.words)}

    def __contains__(self, word: str) -> bool:
        return word.lower() in self.numbers

    def number(self, word: str) -> int:
        """The rank of a word by frequency, from 0. Raises DataError with near spellings for any other word."""
        if word not in self:
            near = ", ".join(difflib.get_close_matches(word.lower(), self.words))
            mend = f"did you mean {near}?" if near else "take one that is frequent in the text"
            raise DataError(f"the word {word} is not among the {len(self.words):,} of the vocabulary; {mend}")
        return self.numbers[word.lower()]

    def similarity(self, a: str, b: str) -> float:
        """The cosine between two words."""
        return float(self.vectors[self.number(a)] @ self.vectors[self.number(b)])

    def nearest(self, word: str, n: int = NEIGHBOURS) -> list[tuple[str, float]]:
        """The n words most like this one, and their cosines with it."""
        return self.solve({word: 1.0}, n)

    def analogy(self, a: str, b: str, c: str, n: int = NEIGHBOURS) -> list[tuple[str, float]]:
        """a is to b as c is to what? The n words nearest to b - a + c (Mikolov, Yih, Zweig 2013), none of the three."""
        return self.solve({b: 1.0, a: -1.0, c: 1.0}, n)

    def solve(self, terms: Mapping[str, float], n: int = NEIGHBOURS) -> list[tuple[str, float]]:
        """The n words nearest to a sum of vectors, {word: factor}, and their cosines with it; not the words in it."""
        numbers = [self.number(word) for word in terms]
        target = np.array(list(terms.values()), self.vectors.dtype) @ self.vectors[numbers]
        cosines = self.vectors @ target / max(float(np.linalg.norm(target)), 1e-12)
        order = [i for i in np.argsort(-cosines, kind="stable").tolist() if i not in numbers]
        return [(self.words[i], float(cosines[i])) for i in order[:n]]

    def related_pairs(self) -> np.ndarray:
        """The numbers of the pairs in RELATED that the vocabulary has, (pairs, 2)."""
        pairs = [pair.split() for pair in RELATED.replace("\n", " ").split(",")]
        known = [[self.numbers[word] for word in pair] for pair in pairs if all(word in self for word in pair)]
        return np.array(known, np.int64).reshape(-1, 2)

    def relatedness(self) -> dict[str, float]:
        """Do related words have like vectors? Mean cosines of the pairs in RELATED, and of their words otherwise.

        related_rank is the median number of words that are nearer to the first word of a pair than the second is.
        Empty when the vocabulary has none of the pairs.
        """
        pairs = self.related_pairs()
        if not len(pairs):
            return {}
        a, b = pairs.T
        cosines = self.vectors[a] @ self.vectors.T
        related = cosines[np.arange(len(a)), b]
        cosines[np.arange(len(a)), a] = -np.inf  # the word itself
        others = np.unique(pairs)
        among = (self.vectors[others] @ self.vectors[others].T)[np.triu_indices(len(others), 1)]
        nearer = (cosines > related[:, None]).sum(axis=1)
        return {
            "related_cosine": float(related.mean()),
            "other_cosine": float((among.sum() - related.sum()) / max(len(among) - len(related), 1)),
            "related_rank": float(np.median(nearer)),
        }

    def agreement(self, other: "Words", count: int = 500) -> float:
        """Spearman's rank correlation of the cosines in two models, over all pairs of `count` frequent words.

        1: both find the same pairs most alike; 0: they have nothing in common.
        """
        shared = [word for word in self.words if word in other][:count]
        pairs = np.triu_indices(len(shared), 1)
        cosines = []
        for model in (self, other):
            vectors = model.vectors[[model.number(word) for word in shared]]
            cosines.append((vectors @ vectors.T)[pairs])
        return metrics.rank_correlation(*cosines)


def answers(words: Words, prompt: str, n: int) -> Iterator[str]:
    """Line by line, the n words nearest to the prompt, a word or a sum as in "king - man + woman", and their cosines.

    Without a prompt, a few words and what is near to them.
    """
    if not prompt.strip():
        return iter([overview(words, n)])
    found = words.solve(terms_of(prompt), n)
    return ("\n" * (i > 0) + f"{word:<16}{cosine:6.3f}" for i, (word, cosine) in enumerate(found))


def terms_of(prompt: str) -> dict[str, float]:
    """A word or a sum as in "king - man + woman" as {word: factor}. Raises ArgumentError."""
    if not EXPRESSION.fullmatch(prompt.strip()):
        raise ArgumentError(f"prompt {prompt!r}: give one word, or a sum such as king - man + woman")
    terms: dict[str, float] = {}
    for sign, word in re.findall(r"([+-]?)\s*([^\s+-]+)", prompt):
        terms[word] = terms.get(word, 0.0) + (-1.0 if sign == "-" else 1.0)
    if not any(terms.values()):
        raise ArgumentError(f"prompt {prompt!r}: its words cancel each other; ask for another sum")
    return terms


def overview(words: Words, n: int = 8) -> str:
    """One line for each of a few words: what is nearest to it."""
    shown = [word for word in SHOWN if word in words] or words.words[: len(SHOWN)]
    return "\n".join(f"{word:<10}{' '.join(near for near, _ in words.nearest(word, n))}" for word in shown)


def save_map(run: RunFolder, words: Words) -> None:
    """Draw the words of RELATED into map.png, or frequent words of a text that has few of those."""
    numbers = np.unique(words.related_pairs())
    if len(numbers) < 20:
        numbers = np.arange(*MAPPED.indices(len(words.words)))
    if len(numbers) >= 3:
        plots.save_word_map(run.path / "map.png", words.vectors[numbers], [words.words[i] for i in numbers])
