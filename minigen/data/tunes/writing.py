"""Tunes written as ABC notation, which `abc.py` reads."""

from collections.abc import Iterator
from fractions import Fraction

from minigen.data.tunes.tune import WHOLE, Tune

NAMES = ("C", "^C", "D", "^D", "E", "F", "^F", "G", "^G", "A", "^A", "B")


def abc_of(tune: Tune, number: int = 1) -> str:
    """A tune as ABC, in C with a sign before each sharpened note, four bars a line."""
    lines = [f"X:{number}", f"T:{tune.title}", f"M:{tune.metre[0]}/{tune.metre[1]}", "L:1/8", "K:C"]
    bars = [bar for bar in written_bars(tune) if bar]
    lines += ["|".join(bars[i : i + 4]) + ("|" if i + 4 < len(bars) else "|]") for i in range(0, len(bars), 4)]
    return "\n".join(lines) + "\n"


def written_bars(tune: Tune) -> Iterator[str]:
    """Bar by bar; a note across a bar line is two, tied."""
    bar: list[str] = []
    signs: dict[str, str] = {}
    time = tune.start
    for pitch, length in tune.notes:
        while length:
            part = min(length, tune.bar - time)
            tie = "-" if length > part and pitch is not None else ""
            bar.append(name_of(pitch, signs) + units(part) + tie)
            length, time = length - part, time + part
            if time == tune.bar:
                yield "".join(bar)
                bar, signs, time = [], {}, 0
    yield "".join(bar)


def name_of(pitch: int | None, signs: dict[str, str]) -> str:
    """A pitch in letters; `signs` are those that stood in the bar, which hold on."""
    if pitch is None:
        return "z"
    octave, step = divmod(pitch - 60, 12)
    sign, letter = NAMES[step][:-1], NAMES[step][-1]
    shown = "" if signs.get(letter, "") == sign else sign or "="
    signs[letter] = sign
    high = octave >= 1
    return shown + (letter.lower() if high else letter) + "'" * (octave - 1) + "," * -octave


def units(ticks: int) -> str:
    """A length in eighths: "", 2, 3/2, /2."""
    length = Fraction(ticks, WHOLE // 8)
    above = "" if length.numerator == 1 else str(length.numerator)
    return above if length.denominator == 1 else f"{above}/{length.denominator}"
