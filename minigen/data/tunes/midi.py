"""Tunes as MIDI files, by the library mido (pip install "minigen[music]")."""

import io
import math
from pathlib import Path
from typing import Any

from minigen.checks import check_number
from minigen.data.limits import read_bytes
from minigen.data.tunes.tune import QUARTER, Note, Tune, check_length, check_pitch
from minigen.errors import ArgumentError, DataError
from minigen.files import write_atomic

SIXTEENTH = QUARTER // 4
GRIDS = (SIXTEENTH, QUARTER // 3)  # times are moved to the nearest sixteenth, or third of a quarter note
DRUMS = 9  # the channel that is not of pitches
MOST = 100_000  # notes of a file


def library() -> Any:
    """mido. Raises ArgumentError where it is not installed."""
    try:
        import mido
    except ImportError:
        raise ArgumentError("MIDI files need the library mido; install it with: pip install 'minigen[music]'") from None
    return mido


def save_midi(path: str | Path, tunes: list[Tune], tempo: int = 100) -> None:
    """Write tunes one after another into a MIDI file, two bars of silence between them; tempo in quarters a minute.

    Raises ArgumentError without mido or for another tempo than 4 to 1,000, DataError without tunes, or for one that
    MIDI has no notes or no metre for.
    """
    check_number("save_midi", "tempo", tempo, 4, 1000)
    if not tunes:
        raise DataError("save_midi: there are no tunes to write")
    mido, track, waiting = library(), [], 0
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo)))
    for tune in tunes:
        above, below = tune.metre
        if below & (below - 1) or not all(0 <= pitch <= 127 for pitch in tune.pitches):
            raise DataError(f"save_midi: {tune.title or 'a tune'} has notes outside 0 … 127, or an odd metre")
        track.append(mido.MetaMessage("time_signature", numerator=above, denominator=below, time=waiting))
        waiting = tune.start
        for pitch, length in tune.notes:
            if pitch is None:
                waiting += length
                continue
            track.append(mido.Message("note_on", note=pitch, velocity=80, time=waiting))
            track.append(mido.Message("note_off", note=pitch, time=length))
            waiting = 0
        waiting += 2 * tune.bar
    file = mido.MidiFile(ticks_per_beat=QUARTER, tracks=[mido.MidiTrack(track)])
    buffer = io.BytesIO()
    file.save(file=buffer)
    write_atomic(Path(path), buffer.getvalue())


def read_midi(path: Path) -> Tune:
    """The highest voice of the fullest track of a MIDI file, its times moved to sixteenths or triplets.

    Raises ArgumentError without mido, DataError when the file is none, has no notes, or changes its metre.
    """
    mido = library()
    try:
        file = mido.MidiFile(file=io.BytesIO(read_bytes(path)))
    except Exception as error:  # of any kind: mido raises what it comes upon in a damaged file
        problem = f" ({error})" if str(error) else ""
        raise DataError(f"{path}: is not a MIDI file that can be read{problem}") from None
    if file.type == 2 or file.ticks_per_beat < 1:
        raise DataError(f"{path}: holds several songs, or counts in seconds; save it as an ordinary MIDI file")
    metres = {(m.numerator, m.denominator) for track in file.tracks for m in track if m.type == "time_signature"}
    if len(metres) > 1:
        raise DataError(f"{path}: the metre changes")
    sounds = max((sounding(track) for track in file.tracks), key=len, default=[])
    if not sounds:
        raise DataError(f"{path}: there are no notes")
    if len(sounds) > MOST:
        raise DataError(f"{path}: has {len(sounds):,} notes; give it tunes of {MOST:,} at most")
    metre = metres.pop() if metres else (4, 4)
    if metre[1] > 16 or not metre[0]:
        raise DataError(f"{path}: {metre[0]}/{metre[1]} is not a metre such as 3/4")
    try:
        return tune_of(highest(sounds, QUARTER / file.ticks_per_beat), metre, path.stem)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def tune_of(notes: tuple[Note, ...], metre: tuple[int, int], title: str) -> Tune:
    """A tune whose silence at the beginning, of less than a bar, is what its pickup leaves of one."""
    for pitch, length in notes:
        check_length(length)
        if pitch is not None:
            check_pitch(pitch)
    whole = Tune((), metre)
    if notes[0].pitch is None and notes[0].length < whole.bar:
        return Tune(notes[1:], metre, whole.bar - notes[0].length, title)
    return Tune(notes, metre, 0, title)


def sounding(track: Any) -> list[tuple[int, int, int]]:
    """(begin, end, pitch) of all notes of a track; one that nothing ends sounds as long as the track."""
    time, sounds = 0, []
    begun: dict[tuple[int, int], int] = {}  # by channel and pitch
    for message in track:
        time += message.time
        if message.type not in ("note_on", "note_off") or message.channel == DRUMS:
            continue
        key = message.channel, message.note
        if key in begun:
            sounds.append((begun.pop(key), time, message.note))
        if message.type == "note_on" and message.velocity:
            begun[key] = time
    return sounds + [(begin, time, note) for (_, note), begin in begun.items() if time > begin]


def highest(sounds: list[tuple[int, int, int]], scale: float) -> tuple[Note, ...]:
    """One voice: of notes that begin together the highest, each until the next one begins, at most.

    Times that are whole ticks stay; otherwise all are moved to sixteenths, or thirds of a quarter.
    """
    exact = all(abs(time * scale - round(time * scale)) < 0.01 for begin, end, _ in sounds for time in (begin, end))
    voice: dict[int, tuple[int, int]] = {}
    for begin, end, pitch in sounds:
        at, length = (round(begin * scale), round((end - begin) * scale)) if exact else (snapped(begin * scale), 0)
        length = length or max(round((end - begin) * scale / SIXTEENTH), 1) * SIXTEENTH
        voice[at] = max(voice.get(at, (0, 0)), (pitch, length))
    notes, time = [], 0
    starts = sorted(voice)
    for at, after in zip(starts, [*starts[1:], None], strict=True):
        pitch, length = voice[at]
        if at > time:
            notes.append(Note(None, at - time))
        gap = math.inf if after is None else after - at - length
        if gap < 0 or (not exact and gap < SIXTEENTH):  # a short gap is how it was played
            length += int(gap)
        notes.append(Note(pitch, length))
        time = at + length
    return tuple(notes)


def snapped(ticks: float) -> int:
    """The nearest time on either grid."""
    return min((round(ticks / grid) * grid for grid in GRIDS), key=lambda at: abs(at - ticks))
