"""A tune: one voice of notes and rests, in a metre."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from minigen.errors import DataError

QUARTER = 24  # ticks of a quarter note: sixteenths, triplets of them and thirty-seconds are whole numbers
WHOLE = 4 * QUARTER
LOWEST, HIGHEST = 12, 115  # pitches, so that half an octave more either way is one of MIDI's
LONGEST = 16 * WHOLE  # ticks of a note or a rest


class Note(NamedTuple):
    """pitch: semitones, 60 is middle C (MIDI's numbers); None: a rest. length: in ticks, 24 a quarter note."""

    pitch: int | None
    length: int


@dataclass(frozen=True)
class Tune:
    """notes, one after another; metre: (3, 4) for 3/4; pickup: ticks before the first whole bar."""

    notes: tuple[Note, ...]
    metre: tuple[int, int] = (4, 4)
    pickup: int = 0
    title: str = ""

    @property
    def bar(self) -> int:
        """Ticks of a whole bar."""
        return WHOLE * self.metre[0] // self.metre[1]

    @property
    def start(self) -> int:
        """How far into a bar the tune begins, in ticks."""
        return -self.pickup % self.bar

    @property
    def pitches(self) -> list[int]:
        """Those of all notes, without the rests."""
        return [note.pitch for note in self.notes if note.pitch is not None]

    def moved(self, semitones: int) -> "Tune":
        """The tune, so much higher."""
        notes = (Note(None if pitch is None else pitch + semitones, length) for pitch, length in self.notes)
        return replace(self, notes=tuple(notes))

    def bars(self) -> list[list[tuple[int, Note]]]:
        """The notes that begin in each bar, with how far into it they do, in ticks; a pickup is the first bar."""
        bars: list[list[tuple[int, Note]]] = []
        time = self.start
        for note in self.notes:
            bars += [[] for _ in range(time // self.bar - len(bars) + 1)]
            bars[-1].append((time % self.bar, note))
            time += note.length
        return bars


def check_pitch(pitch: int) -> None:
    """Raises DataError for what no instrument plays."""
    if not LOWEST <= pitch <= HIGHEST:
        raise DataError(f"a note of pitch {pitch} is out of range; use {LOWEST} to {HIGHEST}, where 60 is middle C")


def check_length(ticks: int) -> None:
    """Raises DataError for what nobody holds."""
    if ticks > LONGEST:
        raise DataError(f"a note of {ticks / QUARTER:,.0f} quarters is too long; {LONGEST // QUARTER} are the most")
