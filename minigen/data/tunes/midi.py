"""Tunes as MIDI files, by the library mido (pip install "minigen[music]")."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from minigen.data.limits import read_bytes
from minigen.data.tunes.tune import QUARTER, Note, Tune
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

    Raises ArgumentError without mido, DataError without tunes.
    """
    if not tunes:
        raise DataError("save_midi: there are no tunes to write")
    mido, track, waiting = library(), [], 0
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo)))
    for tune in tunes:
        above, below = tune.metre
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
    except (OSError, EOFError, ValueError, IndexError, KeyError) as error:
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
    return Tune(highest(sounds, QUARTER / file.ticks_per_beat), metre, title=path.stem)


def sounding(track: Any) -> list[tuple[int, int, int]]:
    """(begin, end, pitch) of all notes of a track."""
    time, begun, sounds = 0, {}, []
    for message in track:
        time += message.time
        if message.type not in ("note_on", "note_off") or message.channel == DRUMS:
            continue
        if message.note in begun:
            sounds.append((begun.pop(message.note), time, message.note))
        if message.type == "note_on" and message.velocity:
            begun[message.note] = time
    return sounds


def highest(sounds: list[tuple[int, int, int]], scale: float) -> tuple[Note, ...]:
    """One voice: of notes that begin together the highest, each until the next one begins, at most."""
    voice: dict[int, tuple[int, int]] = {}
    for begin, end, pitch in sounds:
        at = snapped(begin * scale)
        sixteenths = max(int(np.rint((end - begin) * scale / SIXTEENTH)), 1)
        voice[at] = max(voice.get(at, (0, 0)), (pitch, sixteenths * SIXTEENTH))
    notes, time = [], 0
    starts = sorted(voice)
    for at, after in zip(starts, [*starts[1:], None], strict=True):
        pitch, length = voice[at]
        if at > time:
            notes.append(Note(None, at - time))
        if after is not None and after - at - length < SIXTEENTH:  # a short gap is how it was played
            length = after - at
        notes.append(Note(pitch, length))
        time = at + length
    return tuple(notes)


def snapped(ticks: float) -> int:
    """The nearest time on either grid."""
    candidates = [int(np.rint(ticks / grid)) * grid for grid in GRIDS]
    return min(candidates, key=lambda at: abs(at - ticks))
