"""Tunes: those in the box, or a user's own, from ABC or MIDI files."""

import os
import sys
from pathlib import Path

from minigen.checks import check_path
from minigen.data.limits import is_folder, read_bytes, shown
from minigen.data.text import decode_utf8
from minigen.data.tunes.abc import read_prompt, tunes_of
from minigen.data.tunes.midi import read_midi, save_midi
from minigen.data.tunes.tune import QUARTER, Note, Tune
from minigen.data.tunes.writing import abc_of
from minigen.errors import DataError

__all__ = ["QUARTER", "Note", "Tune", "abc_of", "load_tunes", "read_prompt", "save_midi", "tunes_of"]

BOX = Path(__file__).parent / "traditional.abc"
ABC, MIDI = (".abc",), (".mid", ".midi")


def load_tunes(source: str | os.PathLike) -> list[Tune]:
    """The tunes of the box ("traditional"), of an ABC or MIDI file, or of all such files in a folder, by name.

    Tunes that can not be read (a metre that changes, bars that are not full) are left out, which is said. Raises
    DataError when nothing is there or nothing can be read, ArgumentError for MIDI without mido.
    """
    path = check_path("load_tunes", source)
    found, problems = [], []
    for file in [BOX] if str(path).lower() == "traditional" else files_of(path):
        for tune in read_file(file):
            if isinstance(tune, DataError):
                problems.append(str(tune))
            else:
                found.append(tune)
    if not found:
        raise DataError(problems[0] if problems else f"{shown(path)}: there are no tunes; each begins with X:1 in ABC")
    if problems:
        of = len(found) + len(problems)
        print(f"{len(problems):,} of {of:,} tunes are left out, the first: {problems[0]}", file=sys.stderr)
    return found


def files_of(path: Path) -> list[Path]:
    """The files to read, a folder's sorted."""
    if is_folder(path):
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in (*ABC, *MIDI))
        if not files:
            raise DataError(f"{shown(path)}: no .abc, .mid or .midi file is in this folder; name another one")
        return files
    if not os.path.exists(path):
        raise DataError(f"{shown(path)}: no such file or folder; use traditional, or ABC or MIDI files of your own")
    if path.suffix.lower() not in (*ABC, *MIDI):
        raise DataError(f"{shown(path)}: tunes are read from .abc, .mid and .midi files; rename or convert it")
    return [path]


def read_file(file: Path) -> list[Tune | DataError]:
    """The tunes of a file, and what is the matter with those that can not be read."""
    try:
        if file.suffix.lower() in MIDI:
            return [read_midi(file)]
        text = decode_utf8(read_bytes(file), file)
        return [DataError(f"{shown(file)}: {t}") if isinstance(t, DataError) else t for t in tunes_of(text)]
    except DataError as error:
        return [error]
