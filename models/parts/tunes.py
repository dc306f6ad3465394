"""What a model of tunes needs: notes as numbers, tunes moved to any key, and what is like a tune in a sample."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigen.data.tunes import Note, Tune
from minigen.errors import DataError

END, REST = 0, 1  # in the place of a pitch: a tune ends, or it begins after one; no sound
BACK = (1, 2, 4, 8)  # bars, in which tunes repeat themselves
PITCHES = [0, *range(4, 4 + 2 * len(BACK), 2)]  # columns of rows that are pitches
SHIFTS = range(-5, 7)  # semitones: into all twelve keys
MAJOR = (0, 2, 4, 5, 7, 9, 11)  # semitones of its notes above the first


class Notation:
    """The numbers of pitches, lengths and metres that stand in some tunes, moved to any key.

    openings: the metre and the pickup of each tune. Raises DataError when none of them has a note.
    """

    def __init__(
        self, lowest: int, pitches: int, lengths: Sequence[int], openings: Sequence[tuple[int, int, int]]
    ) -> None:
        self.lowest, self.pitches = lowest, pitches
        self.lengths, self.openings = list(lengths), [tuple(opening) for opening in openings]

    @classmethod
    def of(cls, tunes: Sequence[Tune]) -> "Notation":
        """Of these tunes in all keys."""
        heights = [pitch for tune in tunes for pitch in tune.pitches]
        if not heights:
            raise DataError("the tunes have no notes")
        lowest, highest = min(heights) + SHIFTS[0], max(heights) + SHIFTS[-1]
        lengths = sorted({note.length for tune in tunes for note in tune.notes})
        return cls(lowest, highest - lowest + 3, lengths, [(*tune.metre, tune.pickup) for tune in tunes])

    @property
    def metres(self) -> list[tuple[int, int]]:
        """Those of the tunes, in order."""
        return sorted({(above, below) for above, below, _ in self.openings})

    def opening(self, rng: np.random.Generator) -> Tune:
        """The metre and the pickup of one of the tunes, without any notes."""
        above, below, pickup = self.openings[rng.integers(len(self.openings))]
        return Tune((), (above, below), pickup)

    @property
    def places(self) -> int:
        """Ticks in the longest bar."""
        return max(Tune((), metre).bar for metre in self.metres)

    def state_dict(self) -> dict[str, Any]:
        """What it is made of."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Be that of `state`."""
        self.__init__(**state)

    def encode(self, tune: Tune) -> np.ndarray:
        """(notes + 1, 12): the pitch and the length of each note, the metre, the place in the bar where it begins;
        and the pitch and 1 + the length of what began at this place 1, 2, 4 and 8 bars before, 0 where nothing did.

        The last row is the end. Raises DataError for a pitch, a length or a metre that is not of this notation.
        """
        time, rows, begun = tune.start, [], {}
        if tune.metre not in self.metres:
            raise DataError(f"{tune.metre[0]}/{tune.metre[1]} is none of the metres that were learned: {self.shown}")
        metre = self.metres.index(tune.metre)
        for pitch, length in tune.notes:
            height = REST if pitch is None else pitch - self.lowest + 2
            if length not in self.lengths or not 0 < height < self.pitches:
                raise DataError(f"a note of pitch {pitch} and length {length} is none that was learned")
            number = self.lengths.index(length)
            begun[time] = (height, number + 1)
            rows.append((height, number, metre, time % tune.bar, *before(begun, time, tune.bar)))
            time += length
        return np.array([*rows, (END, 0, metre, time % tune.bar, *before(begun, time, tune.bar))])

    @property
    def shown(self) -> str:
        """The metres."""
        return ", ".join(f"{above}/{below}" for above, below in self.metres)

    def note(self, pitch: int, length: int) -> Note:
        """What a pitch's and a length's number stand for."""
        return Note(None if pitch == REST else pitch + self.lowest - 2, self.lengths[length])


def before(begun: dict[int, tuple[int, int]], time: int, bar: int) -> list[int]:
    """Pitch and 1 + length of what began some bars before a time, by the times of all that did."""
    return [number for bars in BACK for number in begun.get(time - bars * bar, (0, 0))]


class MovedTunes:
    """Tunes drawn by chance, each moved by chance into one of the twelve keys: a data set of `length` of them."""

    def __init__(self, tunes: Sequence[Tune], notation: Notation, length: int, seed: int) -> None:
        self.rows = [notation.encode(tune) for tune in tunes]
        self.length, self.seed, self.name = length, seed, "tunes"

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[np.ndarray]:
        return (self.batch(np.array([index]))[0][0],)

    def digest(self) -> str:
        """What decides the tunes."""
        return f"{self.seed} {[rows.tolist() for rows in self.rows]}"

    def one(self, index: int) -> np.ndarray:
        """The rows of one of them."""
        rng = np.random.default_rng([self.seed, index])
        rows = self.rows[rng.integers(len(self.rows))].copy()
        pitches = rows[:, PITCHES]
        rows[:, PITCHES] = np.where(pitches > REST, pitches + rng.choice(SHIFTS), pitches)
        return rows

    def batch(self, rows: np.ndarray | slice) -> tuple[np.ndarray]:
        """(N, T, 12), filled up with ends to a multiple of 32, so that lengths are few."""
        numbers = np.arange(self.length)[rows] if isinstance(rows, slice) else rows
        return (filled([self.one(int(i)) for i in numbers]),)


def filled(tunes: Sequence[np.ndarray]) -> np.ndarray:
    """(N, T, 12) of tunes (notes + 1, 12), filled up with their last rows to a multiple of 32."""
    longest = -(-max(map(len, tunes)) // 32) * 32
    return np.stack([np.pad(rows, ((0, longest - len(rows)), (0, 0)), mode="edge") for rows in tunes])


# ---------------------------------------------------------------- what is like a tune


def in_key(tune: Tune) -> float:
    """The share of its notes that are of one major key, or of the minor one of the same notes: the best of twelve."""
    counts = np.bincount([pitch % 12 for pitch in tune.pitches], minlength=12)
    return max(float(sum(counts[(key + step) % 12] for step in MAJOR)) for key in range(12)) / max(counts.sum(), 1)


def likeness(tunes: Sequence[Tune], known: Sequence[Tune]) -> dict[str, float]:
    """What can be counted in tunes, as means over them.

    in_key: see there. in_time: share of bars that begin with a note. repeated: share of bars that stood in the tune
    before. step: semitones from note to note. notes: their number. copied: the longest run of notes, by intervals and
    lengths, that is also in one of the `known` tunes.
    """
    kept = [tune for tune in tunes if tune.pitches]
    if not kept:
        return {}
    figures: dict[str, list[float]] = defaultdict(list)
    numbers: dict[Move | None, int] = defaultdict(lambda: len(numbers))
    library = np.array([numbers[move] for tune in known for move in (*moves(tune), None)])
    for tune in kept:
        bars = tune.bars()
        whole = bars[1 if tune.pickup else 0 :]
        figures["in_key"].append(in_key(tune))
        figures["in_time"].append(float(np.mean([bool(bar) and bar[0][0] == 0 for bar in whole])) if whole else 1.0)
        figures["repeated"].append(1 - len({tuple(bar) for bar in bars}) / len(bars))
        figures["step"].append(float(np.abs(np.diff(tune.pitches)).mean()) if len(tune.pitches) > 1 else 0.0)
        figures["notes"].append(len(tune.pitches))
        figures["copied"].append(longest_run([numbers[move] for move in moves(tune)], library))
    return {name: float(np.mean(values)) for name, values in figures.items()}


class Move(NamedTuple):
    """From the note before: an interval, None after or into a rest, and the length of the note."""

    interval: int | None
    length: int


LAST = Move(None, 0)  # the end of a tune


def moves(tune: Tune) -> list[Move]:
    """A tune as what no other key changes."""
    found, before = [], None
    for pitch, length in tune.notes:
        found.append(Move(None if pitch is None or before is None else pitch - before, length))
        before = pitch
    return found


def longest_run(run: Sequence[int], library: np.ndarray) -> int:
    """The length of the longest stretch of `run` that is in the library, too."""
    best, ending = 0, np.zeros(len(library) + 1, int)  # of a stretch that ends before each place
    for number in run:
        ending[1:] = np.where(library == number, ending[:-1] + 1, 0)
        best = max(best, int(ending.max()))
    return best


def chain_nats(training: Sequence[Tune], held_out: Sequence[Tune], notation: Notation, order: int = 2) -> float:
    """-log p of a held-out note, in nats, by counting which move follows which: what a network has to do better than.

    p of a move after the `order` before it is mixed with that after one fewer, and so on down to even odds, by how many
    different moves were seen there (I. Witten, T. Bell 1991, The zero-frequency problem). The end is a move; the pitch
    of the first note is any, at even odds.
    """
    choices = notation.pitches * len(notation.lengths)
    counts: dict[tuple[Move, ...], Counter] = defaultdict(Counter)
    for tune in training:
        row = [*moves(tune), LAST]
        for i, move in enumerate(row):
            for back in range(min(order, i) + 1):
                counts[tuple(row[i - back : i])][move] += 1
    total, number = 0.0, 0
    for tune in held_out:
        row = [*moves(tune), LAST]
        total += np.log(notation.pitches)
        for i, move in enumerate(row):
            p = 1 / choices
            for back in range(min(order, i) + 1):
                seen = counts.get(tuple(row[i - back : i]))
                if seen:
                    p = (seen[move] + len(seen) * p) / (seen.total() + len(seen))
            total -= np.log(p)
            number += 1
    return float(total / max(number, 1))
