"""Tunes read from ABC notation.

C. Walshaw, The ABC music standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1. Read are the notes of one voice:
of chords the highest note, of voices the first, each part once and with its last ending; words, chord symbols, grace
notes and signs of expression are passed over.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from minigen.data.tunes.tune import WHOLE, Note, Tune, check_length, check_pitch
from minigen.errors import DataError

SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SHARPENED = "FCGDAEB"  # in the order in which a key sharpens them, and from behind flattens them
SIGNS = {"^": 1, "^^": 2, "=": 0, "_": -1, "__": -2}
FIFTHS = {letter: fifth for fifth, letter in enumerate("FCGDAEB", -1)}  # of a major key: its sharps
MODES = {"": 0, "maj": 0, "ion": 0, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4, "loc": -5, "lyd": 1}
METRES = {"C": (4, 4), "C|": (2, 2)}
CLEFS = ("treble", "bass", "alto", "tenor", "perc")
IN_TIME_OF = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # notes of a tuplet → notes in whose time they are played; others: 2

KEY = re.compile(r"([A-G])([#b]?)\s*([A-Za-z]*)")
SYMBOLS = re.compile(
    r"""
    \((?P<tuplet>\d)(?::(?P<time>\d{0,2}))?(?::(?P<count>\d{0,2}))?
    |(?P<passed>"[^"]*"|![^!]*!|\{[^}]*\}|[\s().~\\`$*yH-WYh-w]|\+[^+\s]*\+)
    |\[(?P<field>[A-Za-z]):(?P<value>[^\]]*)\]
    |(?P<bar>::|:*\|+[\]:]*|\[\|)(?P<ending>\d[\d,.-]*)?
    |\[(?P<other_ending>\d[\d,.-]*|"[^"]*")
    |\[(?P<chord>[^\]|]*)\](?P<chord_length>LENGTH)
    |(?P<sign>\^{1,2}|_{1,2}|=)?(?P<letter>[A-Ga-g])(?P<octave>[,']*)(?P<length>LENGTH)
    |(?P<rest>[zxZX])(?P<rest_length>LENGTH)
    |(?P<broken><{1,3}|>{1,3})
    |(?P<tie>-)
    """.replace("LENGTH", r"\d{0,4}/{0,4}\d{0,4}"),
    re.VERBOSE,
)
SIGNED = re.compile(r"(\^{1,2}|_{1,2}|=)([A-Ga-g])")  # a sign of its own in a key, as in K:D ^g
MOST_BARS = 64  # of a rest


@dataclass
class Bar:
    """Pitches with their lengths, in whole notes, and whether they are tied to the next one."""

    notes: list[tuple[int | None, Fraction, bool]] = field(default_factory=list)
    ends_part: bool = False

    @property
    def length(self) -> Fraction:
        """In whole notes."""
        return sum((length for _, length, _ in self.notes), Fraction())


class Reader:
    """Takes in a tune's lines and has its bars."""

    def __init__(self) -> None:
        self.title, self.metre, self.unit = "", (4, 4), Fraction(0)
        self.key: dict[str, int] = {}
        self.signs: dict[str, int] = {}  # of this bar
        self.bars = [Bar()]
        self.voice = ""
        self.passed_over = False  # in another voice than the first
        self.ending: tuple[int, int] | None = None  # the bar and the note in it where the ending began that is read
        self.repeated = False  # that ending is over; what comes is another one, or what follows
        self.tied: tuple[str, str, int] | None = None  # letter, octave and pitch of a note that goes on
        self.tuplet, self.left = Fraction(1), 0
        self.last = ("", "", 0)  # letter, octave and pitch of the last note
        self.stretch = Fraction(1)  # of the next note, after > or <

    def take(self, letter: str, value: str) -> None:
        """A field, such as K:G; of another voice than the first only which one is next."""
        if self.passed_over and letter != "V":
            return
        if letter == "T" and not self.title:
            self.title = value
        elif letter == "M":
            metre = metre_of(value)
            if metre != self.metre and any(bar.notes for bar in self.bars):
                raise DataError(f"the metre changes to {value}")
            self.metre = metre
        elif letter == "L":
            if not re.fullmatch(r"\d{1,4}\s*/\s*[1-9]\d{0,3}|1", value) or not value.strip("0 /"):
                raise DataError(f"L:{value[:20]} is no length")
            self.unit = Fraction(value.replace(" ", ""))
        elif letter == "K":
            self.key = key_of(value, self.key)
        elif letter == "V":
            name = value.split()[0] if value.split() else ""
            self.voice = self.voice or name
            self.passed_over = name != self.voice

    def read(self, line: str) -> None:
        """A line of notes."""
        at = 0
        while at < len(line):
            match = SYMBOLS.match(line, at)
            if match is None:
                raise DataError(f"{line[at]!r} is not understood, in {line.strip()[:60]}")
            at = match.end()
            found = match.groupdict()
            if found["field"]:
                self.take(found["field"], found["value"].strip())
            elif not self.passed_over:
                self.symbol(found)

    def symbol(self, found: dict[str, str | None]) -> None:
        """One thing in a line of notes."""
        ending = found["ending"] or found["other_ending"]
        if found["bar"]:
            self.end_bar(found["bar"])
        if ending:
            self.begin_ending()
        elif found["tuplet"]:
            count = int(found["tuplet"])
            self.tuplet = Fraction(int(found["time"] or IN_TIME_OF.get(count, 2)), max(count, 1))
            self.left = int(found["count"] or count)
        elif found["chord"] is not None:
            self.chord(found["chord"], found["chord_length"] or "")
        elif found["letter"]:
            sign, letter, octave = found["sign"], found["letter"], found["octave"] or ""
            goes_on = self.tied is not None and self.tied[:2] == (letter, octave) and not sign
            pitch = self.tied[2] if self.tied is not None and goes_on else self.pitch(sign, letter, octave)
            self.add(pitch, length_of(found["length"]))
            self.last = (letter, octave, pitch)
        elif found["rest"] in ("z", "x"):
            self.add(None, length_of(found["rest_length"]))
        elif found["rest"]:  # Z2: two bars
            count = int(length_of(found["rest_length"]))
            if count > MOST_BARS:
                raise DataError(f"a rest of {count:,} bars is too long; {MOST_BARS} are the most")
            for _ in range(count):
                self.end_bar("|")
                self.add(None, Fraction(*self.metre) / self.default_unit())
        elif found["broken"] and self.bars[-1].notes:
            part = Fraction(1, 2 ** len(found["broken"]))
            first, second = (2 - part, part) if found["broken"][0] == ">" else (part, 2 - part)
            pitch, length, tied = self.bars[-1].notes[-1]
            self.bars[-1].notes[-1], self.stretch = (pitch, length * first, tied), second
        elif found["tie"] and self.bars[-1].notes:
            pitch, length, _ = self.bars[-1].notes[-1]
            self.bars[-1].notes[-1] = (pitch, length, True)
            self.tied = self.last

    def begin_ending(self) -> None:
        """Another ending in the place of the one before, of which nothing stays."""
        if self.ending is not None:
            bar, note = self.ending
            del self.bars[bar + 1 :], self.bars[bar].notes[note:]
            self.bars[bar].ends_part = False
        elif len(self.bars) > 1 and not self.bars[-1].notes:
            self.bars[-2].ends_part = True
        self.ending, self.repeated = (len(self.bars) - 1, len(self.bars[-1].notes)), False

    def chord(self, inside: str, length: str) -> None:
        """[CEG]2: its highest note."""
        notes = [match.groupdict() for match in SYMBOLS.finditer(inside) if match["letter"]]
        if notes:
            pitch = max(self.pitch(note["sign"], note["letter"], note["octave"] or "") for note in notes)
            self.add(pitch, length_of(notes[0]["length"]) * length_of(length))

    def pitch(self, sign: str | None, letter: str, octave: str) -> int:
        """In semitones, by the key and by the signs that stood in this bar."""
        name = letter.upper()
        if sign:
            self.signs[name] = SIGNS[sign]
        height = 60 + SEMITONES[name] + self.signs.get(name, self.key.get(name, 0))
        height += 12 * (letter.islower() + octave.count("'") - octave.count(","))
        check_pitch(height)
        return height

    def default_unit(self) -> Fraction:
        """L: as it was given, or by the metre (section 3.1.7)."""
        return self.unit or (Fraction(1, 16) if Fraction(*self.metre) < Fraction(3, 4) else Fraction(1, 8))

    def add(self, pitch: int | None, units: Fraction) -> None:
        """A note or a rest."""
        if self.repeated:  # no other ending came
            self.ending, self.repeated = None, False
        self.tied = None
        length = units * self.default_unit() * self.stretch
        self.stretch = Fraction(1)
        if self.left:
            length, self.left = length * self.tuplet, self.left - 1
        self.bars[-1].notes.append((pitch, length, False))

    def end_bar(self, line: str) -> None:
        """|, or a line that ends a part: ||, |], |:, :|."""
        self.signs = {}
        if line.startswith(":"):
            self.repeated = self.ending is not None
        elif line != "|":
            self.ending = None
        if self.bars[-1].notes:
            self.bars[-1].ends_part = line != "|"
            self.bars.append(Bar())

    def tune(self) -> Tune:
        """What was read. Raises DataError when bars are not full, or notes too short to be counted in ticks."""
        whole = Fraction(*self.metre)
        bars = filled([bar for bar in self.bars if bar.notes], whole)
        if not any(pitch is not None for bar in bars for pitch, _, _ in bar.notes):
            raise DataError("there are no notes")
        pickup = bars[0].length if len(bars) > 1 and bars[0].length < whole else Fraction()
        for number, bar in enumerate(bars, 1):
            early = bar.length < whole and number in (1, len(bars))
            if bar.length != whole and not early:
                raise DataError(f"bar {number} is {bar.length} long in a metre of {self.metre[0]}/{self.metre[1]}")
        notes = joined([note for bar in bars for note in bar.notes])
        return Tune(notes, self.metre, int(pickup * WHOLE), self.title)


def filled(bars: list[Bar], whole: Fraction) -> list[Bar]:
    """Bars of which one that ended a part early is filled by the pickup of the next part, or by a rest."""
    full: list[Bar] = []
    for bar in bars:
        before = full[-1] if len(full) > 1 else Bar()  # the first bar may be a pickup itself
        if before.ends_part and before.length + bar.length == whole:
            before.notes += bar.notes
            before.ends_part = bar.ends_part
            continue
        if before.ends_part and before.length < whole:
            before.notes.append((None, whole - before.length, False))
        full.append(bar)
    return full


def joined(notes: list[tuple[int | None, Fraction, bool]]) -> tuple[Note, ...]:
    """Notes in ticks, tied ones as one."""
    whole: list[Note] = []
    tied = False
    for pitch, length, ties in notes:
        ticks = length * WHOLE
        if ticks.denominator != 1 or ticks < 1:
            raise DataError(f"a note of {length} can not be counted in {WHOLE}ths of a whole note")
        check_length(int(ticks))
        if tied and whole[-1].pitch == pitch:
            whole[-1] = Note(pitch, whole[-1].length + int(ticks))
        else:
            whole.append(Note(pitch, int(ticks)))
        tied = ties
    return tuple(whole)


def length_of(text: str | None) -> Fraction:
    """3/2, /2, //, 2 or nothing, in units."""
    above, slash, below = (text or "").partition("/")
    if not slash:
        return Fraction(int(above or 1))
    digits = below.lstrip("/")
    divisor = int(digits) if digits else 2 ** (1 + len(below))
    if not divisor:
        raise DataError(f"{text} is no length")
    return Fraction(int(above or 1), divisor)


def metre_of(value: str) -> tuple[int, int]:
    """(3, 4) of M:3/4. Raises DataError for free and mixed ones."""
    if value in METRES:
        return METRES[value]
    match = re.fullmatch(r"(\d{1,2})\s*/\s*(1|2|4|8|16)", value)
    if match is None or not int(match[1]):
        raise DataError(f"M:{value[:20]} is not a metre such as 3/4")
    return int(match[1]), int(match[2])


def key_of(value: str, before: dict[str, int]) -> dict[str, int]:
    """Which letters a key sharpens (1) or flattens (-1); `before`, where only a clef or the like is changed."""
    words = value.split()
    if words and ("=" in words[0] or words[0].lower() in CLEFS):
        return before
    if not words or words[0].lower() == "none" or words[0] == "HP":
        key = {}
    elif words[0] == "Hp":
        key = {"F": 1, "C": 1}
    else:
        key = signature(value)
    if len(words) > 1 and words[1].lower() == "exp":
        key = {}
    return key | {letter.upper(): SIGNS[sign] for sign, letter in SIGNED.findall(value)}


def signature(value: str) -> dict[str, int]:
    """That of a key such as G, Am or D dorian."""
    match = KEY.match(value)
    if match is None:
        raise DataError(f"K:{value[:20]} is not a key such as G, Am or Ddor")
    letter, sign, mode = match.groups()
    mode = mode.lower()[:3]
    if mode not in MODES:  # K:G clef=treble
        mode = ""
    sharps = FIFTHS[letter] + 7 * {"": 0, "#": 1, "b": -1}[sign] + MODES[mode]
    if abs(sharps) > 7:
        raise DataError(f"K:{value[:20]} has {abs(sharps)} signs; use the key that sounds the same")
    letters = SHARPENED[:sharps] if sharps > 0 else SHARPENED[sharps:] if sharps else ""
    return dict.fromkeys(letters, 1 if sharps > 0 else -1)


def tunes_of(text: str) -> Iterator[Tune | DataError]:
    """The tunes of a text, in order; of those that can not be read, what is the matter with them."""
    for block in re.split(r"^(?=X:)", text, flags=re.MULTILINE):
        if block.startswith("X:"):
            try:
                yield read_tune(block)
            except DataError as error:
                title = re.search(r"^T:(.*)$", block, re.MULTILINE)
                name = title[1].strip() if title else block.partition("\n")[0].strip()
                yield DataError(f"{name}: {error}")


def read_tune(block: str) -> Tune:
    """One tune, from its X: on. Raises DataError."""
    reader, in_body = Reader(), False
    for line in block.splitlines():
        line = re.sub(r"(?<!\\)%.*", "", line)
        if in_body and not line.strip():  # an empty line ends a tune
            break
        match = re.match(r"([A-Za-z+]):(?![|:])(.*)", line)
        if match:
            reader.take(match[1], match[2].strip())
            in_body = in_body or match[1] == "K"
        elif in_body:
            reader.read(line)
    return reader.tune()


def read_prompt(text: str, metre: str = "") -> Tune:
    """How a tune begins, in notes alone; L is an eighth, K is C. Raises DataError."""
    if not isinstance(text, str) or not isinstance(metre, str):
        raise DataError(f"the notes are {type(text).__name__}; pass them as text, such as C2E2 G2c2|")
    reader = Reader()
    reader.take("L", "1/8")
    reader.take("M", metre or "4/4")
    reader.read(text)
    return reader.tune() if text.strip() else Tune((), reader.metre)
