"""Tunes from ABC and MIDI: what notation says is read, what is odd is named, and writing and reading agree."""

import builtins
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigen.data.tunes import Note, Tune, abc_of, load_tunes, read_prompt, save_midi, tunes_of
from minigen.data.tunes.abc import read_tune
from minigen.errors import ArgumentError, DataError

mido = pytest.importorskip("mido")


def read(body: str, metre: str = "4/4", unit: str = "1/4", key: str = "C") -> Tune:
    return read_tune(f"X:1\nT:Test\nM:{metre}\nL:{unit}\nK:{key}\n{body}\n")


def pitches(body: str, **header: str) -> list[int | None]:
    return [note.pitch for note in read(body, **header).notes]


def lengths(body: str, **header: str) -> list[int]:
    return [note.length for note in read(body, **header).notes]


def test_the_tunes_in_the_box_are_all_read_and_are_what_they_say(capsys: pytest.CaptureFixture):
    tunes = {tune.title: tune for tune in load_tunes("traditional")}
    assert capsys.readouterr() == ("", "") and len(tunes) == 86
    assert sum(len(tune.notes) for tune in tunes.values()) > 4000
    ode = tunes["Ode to Joy"]
    assert ode.metre == (4, 4) and [note.pitch for note in ode.notes[:8]] == [66, 66, 67, 69, 69, 67, 66, 64]
    assert ode.notes[12:15] == (Note(66, 36), Note(64, 12), Note(64, 48))
    grace = tunes["Amazing grace (New Britain)"]
    assert grace.pickup == 24 and grace.start == 48 and grace.notes[:3] == (Note(62, 24), Note(67, 48), Note(71, 12))
    for tune in tunes.values():
        assert all(48 <= pitch <= 90 for pitch in tune.pitches) and len(tune.pitches) >= 15


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [
        ("C E c c'|C, z2 B,|", {}, [60, 64, 72, 84, 48, None, 59]),
        ("F G ^F F|F _B B =B|", {}, [65, 67, 66, 66, 65, 70, 70, 71]),  # a sign holds until the bar ends
        ("F f c B|", {"key": "D"}, [66, 78, 73, 71]),
        ("F B E A|", {"key": "Eb"}, [65, 70, 63, 68]),
        ("F C G D|", {"key": "F#m"}, [66, 61, 68, 62]),
        ("F C B E|", {"key": "Gmix"}, [65, 60, 71, 64]),
        ("F C B E|", {"key": "D dorian"}, [65, 60, 71, 64]),
        ("F =F ^^F __E|", {"key": "G clef=treble"}, [66, 65, 67, 62]),
        ("[CEG] [c'e]2 {a}G|", {}, [67, 84, 67]),  # the highest of a chord, no grace notes
        ('"Am"A !f!B .c (d|e) ~f uA vB|', {}, [69, 71, 72, 74, 76, 77, 69, 71]),
        ("CDEF|[K:G]F4|[M:4/4]C4|", {}, [60, 62, 64, 65, 66, 60]),
        ("V:1\nCDEF|\nV:2\nCCCC|\nV:1\nG4|", {}, [60, 62, 64, 65, 67]),
        ("CDEF|\nw:a b c d\nG4|% what follows is not read |A4|", {}, [60, 62, 64, 65, 67]),
        ("CDEF|1 G4:|2 A4|]", {}, [60, 62, 64, 65, 69]),  # the last ending
        ("CDEF|[1 G4:|[2 A4||c4|", {}, [60, 62, 64, 65, 69, 72]),
        ("|:C4|1 D4:|2 E4:|3 F4|]", {}, [60, 65]),  # of three, too
        ("|:C4|1 D4:|2 E4:|F4|]", {}, [60, 64, 65]),
        ("|:C4|1 D4:|2 E4|]|:F4|1 G4:|2 A4|]", {}, [60, 64, 65, 69]),
        ('C4|["first" D4:|["last" E4|F4|]', {}, [60, 64, 65]),
        ("C2 [1 D>E:|[2 F2|]", {}, [60, 65]),  # inside a bar
        ("C2D^F-|F4|F4|", {}, [60, 62, 66, 65]),  # a tie keeps its sign, for itself alone
        ("C2D_B-|B4|", {"key": "C"}, [60, 62, 70]),
        ("f4|", {"key": "D Phr ^f"}, [78]),
        ("_g2G2|", {"key": "D exp _b ^g"}, [78, 66]),
        ("B2e2|", {"key": "D exp _b"}, [70, 76]),
        ("F2C2|", {"key": "HP"}, [65, 60]),
        ("F2C2|", {"key": "Hp"}, [66, 61]),
        ("F4|\nK:clef=bass\nF4|[K:bass]F4|", {"key": "G"}, [66, 66, 66]),
        ("V:1\nF4|\nV:2\nK:D\nL:1/8\nF8|\nV:1\nF4|", {}, [65, 65]),  # another voice's key is its own
        ("C4|\nE4:|\nE:|\n", {"metre": "4/4"}, [60, 64, 64]),
    ],
)
def test_pitches(body: str, header: dict[str, str], expected: list[int | None]):
    assert pitches(body, **header) == expected


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [
        ("C D2 E/ F/|", {}, [24, 48, 12, 12]),
        ("C3/2 D/2 E// F// G3/4 A3/4|", {}, [36, 12, 6, 6, 18, 18]),
        ("C>D E<F|C>>D E2|", {}, [36, 12, 12, 36, 42, 6, 48]),
        ("(3CDE F2|", {}, [16, 16, 16, 48]),
        ("(3:2:2C2D E2|", {}, [32, 16, 48]),
        ("C2 D2-|D2 E2|", {}, [48, 96, 48]),  # tied over the bar line
        ("C2-D2|", {}, [48, 48]),  # no tie: another pitch
        ("C4|Z2|D4|", {}, [96, 96, 96, 96]),
        ("CDEFGA|", {"metre": "6/8", "unit": "1/8"}, [12] * 6),
        ("CDEF|", {"metre": "C", "unit": "1/4"}, [24] * 4),
        ("CD|", {"metre": "2/4", "unit": "1/4"}, [24, 24]),
    ],
)
def test_lengths(body: str, header: dict[str, str], expected: list[int]):
    assert lengths(body, **header) == expected


def test_default_lengths_follow_the_metre():
    assert read_tune("X:1\nM:6/8\nK:C\nCDEFGA|\n").notes[0].length == 12
    assert read_tune("X:1\nM:2/4\nK:C\nCDEFGABc|\n").notes[0].length == 6


def test_parts_that_end_early_are_filled():
    whole = read("C|DEFG|ABc:||:d|efga|b4|")  # the pickup of the second part fills the first one's last bar
    assert whole.pickup == 24 and sum(note.length for note in whole.notes) == 24 + 4 * 96
    short = read("C|DEFG|ABc:||:d4|")
    assert short.notes[-2:] == (Note(None, 24), Note(74, 96))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("X:1\nK:C\n", "no notes"),
        ("X:1\nL:1/4\nK:C\nz4|z4|\n", "no notes"),
        ("X:1\nM:4/4\nL:1/4\nK:C\nCDEF|CDE|CDEF|\n", "bar 2 is 3/4 long in a metre of 4/4"),
        ("X:1\nL:1/4\nK:C\nCDEFG|C4|\n", "bar 1 is 5/4 long"),
        ("X:1\nL:1/4\nK:C\nCDE?|\n", "'\\?' is not understood, in CDE"),
        ("X:1\nM:3+2/8\nK:C\nC|\n", "is not a metre"),
        ("X:1\nM:0/4\nK:C\nC|\n", "is not a metre"),
        ("X:1\nL:1/0\nK:C\nC|\n", "is no length"),
        ("X:1\nL:1/4\nK:C\nC/0|\n", "is no length"),
        ("X:1\nK:Q\nC|\n", "is not a key"),
        ("X:1\nK:G#\nC|\n", "has 8 signs"),
        ("X:1\nL:1/4\nK:C\nC4|[M:3/4]C3|\n", "the metre changes"),
        ("X:1\nL:1/64\nK:C\n(5CDEFG|\n", "can not be counted"),
        ("X:1\nK:C\nC4|Z99|\n", "a rest of 99 bars is too long"),
        ("X:1\nK:C\nC" + "9" * 5000 + "|\n", "'9' is not understood"),
        ("X:1\nK:C\nC/" + "9" * 5000 + "|\n", "'9' is not understood"),
        ("X:1\nK:C\nL:1/" + "9" * 5000 + "\nC|\n", "is no length"),
        ("X:1\nK:C\n(3:" + "9" * 5000 + ":2CDE|\n", "is not understood"),
        ("X:1\nM:99/1\nL:1/1\nK:C\nC99|\n", "a note of 396 quarters is too long"),
        ("X:1\nK:C\nC,,,,,,|\n", "pitch -12 is out of range"),
        ("X:1\nK:C\nc" + 5 * "'" + "|\n", "pitch 132 is out of range"),
    ],
)
def test_what_can_not_be_read_is_said(block: str, message: str):
    with pytest.raises(DataError, match=message):
        read_tune(block)


def test_tunes_of_a_text_are_told_apart():
    good, bad, last = tunes_of(
        "% a book\nX:1\nT:One\nL:1/4\nK:C\nCDEF|\n\nwords\nX:2\nT:Two\nK:Q\n\nX:3\nL:1/4\nK:C\nG4|"
    )
    assert isinstance(good, Tune) and good.title == "One" and isinstance(last, Tune) and last.pitches == [67]
    assert isinstance(bad, DataError) and str(bad).startswith("Two: K:Q")


NOTES = st.builds(Note, st.one_of(st.none(), st.integers(24, 100)), st.sampled_from([2, 3, 4, 6, 8, 12, 24, 36, 120]))
TUNES = st.builds(
    lambda notes, metre: Tune((*notes, Note(60, 24)), metre, 0, "Any"),
    st.lists(NOTES, max_size=20),
    st.sampled_from([(2, 4), (3, 4), (4, 4), (6, 8), (9, 8)]),
)


@given(TUNES)
def test_writing_and_reading_abc_agree(tune: Tune):
    again = read_tune(abc_of(tune))

    def plain(notes: tuple[Note, ...]) -> list[Note]:  # rests have no ties
        found: list[Note] = []
        for note in notes:
            if note.pitch is None and found and found[-1].pitch is None:
                note = Note(None, note.length + found.pop().length)
            found.append(note)
        return found

    assert plain(again.notes) == plain(tune.notes) and (again.metre, again.title) == (tune.metre, tune.title)


def test_the_box_survives_writing_in_both_forms(tmp_path: Path):
    for tune in load_tunes("traditional"):
        assert read_tune(abc_of(tune)) == tune
    for i, tune in enumerate(load_tunes("traditional")):
        save_midi(tmp_path / f"{i:02}.mid", [tune])
    for tune, read in zip(load_tunes("traditional"), load_tunes(tmp_path), strict=True):
        if tune.notes[0].pitch is not None:  # or else its rest is one of the pickup
            assert (read.notes, read.metre, read.start) == (sounding(tune), tune.metre, tune.start), tune.title


def sounding(tune: Tune) -> tuple[Note, ...]:
    """Without a rest at the end, and with rests in a row as one."""
    found: list[Note] = []
    for note in tune.notes:
        if note.pitch is None and found and found[-1].pitch is None:
            note = Note(None, note.length + found.pop().length)
        found.append(note)
    return tuple(found[:-1] if found[-1].pitch is None else found)


def test_midi_is_one_voice_on_a_grid(tmp_path: Path):
    track = mido.MidiTrack([mido.MetaMessage("time_signature", numerator=3, denominator=4)])
    for note, velocity, waiting in [(60, 64, 0), (64, 64, 0), (60, 0, 470), (64, 0, 0), (67, 64, 13), (67, 0, 225)]:
        track.append(mido.Message("note_on", note=note, velocity=velocity, time=waiting))  # 480 a quarter
    track += [mido.Message("note_on", note=72, time=10), mido.Message("note_off", note=72, time=950)]
    drums = mido.MidiTrack(mido.Message("note_on", channel=9, note=40, velocity=9, time=5) for _ in range(99))
    mido.MidiFile(tracks=[drums, track], ticks_per_beat=480).save(tmp_path / "a.MID")
    (tune,) = load_tunes(tmp_path)
    assert tune.metre == (3, 4) and tune.notes == (Note(64, 24), Note(67, 12), Note(72, 48))


def track(*messages: tuple, **options) -> Any:
    kinds = {True: "note_on", False: "note_off"}
    notes = [mido.Message(kinds[on], note=note, time=time, channel=channel) for on, note, time, channel in messages]
    return mido.MidiFile(tracks=[mido.MidiTrack(notes)], **{"ticks_per_beat": 480, **options})


def test_midi_of_short_notes_of_several_channels_and_without_ends(tmp_path: Path):
    on, off = True, False
    played = [message for i in range(8) for message in ((on, 60 + i, 0, 0), (off, 60 + i, 60, 0))]
    track(*played).save(tmp_path / "a.mid")
    triplets = [message for i in range(6) for message in ((on, 60 + i, 0, 0), (off, 60 + i, 160, 0))]
    track(*triplets).save(tmp_path / "b.mid")
    track((on, 60, 0, 0), (on, 60, 0, 1), (off, 60, 240, 1), (off, 60, 240, 0)).save(tmp_path / "c.mid")
    track((on, 60, 0, 0), (on, 64, 480, 0), (off, 64, 480, 0)).save(tmp_path / "d.mid")
    a, b, c, d = load_tunes(tmp_path)
    assert a.notes == tuple(Note(60 + i, 3) for i in range(8)) and b.notes == tuple(Note(60 + i, 8) for i in range(6))
    assert c.notes == (Note(60, 24),) and d.notes == (Note(60, 24), Note(64, 24))


def test_midi_that_is_odd_is_refused_in_one_line(tmp_path: Path):
    on, off = True, False
    track((on, 60, 0, 0), (off, 60, 0x0FFFFFFF, 0), ticks_per_beat=1).save(tmp_path / "long.mid")
    track((on, 60, 0x0FFFFFFF, 0), (off, 60, 1, 0), ticks_per_beat=1).save(tmp_path / "late.mid")
    track((on, 2, 0, 0), (off, 2, 480, 0)).save(tmp_path / "low.mid")
    key = "4d546864000000060001000100604d54726b0000001200ff5902100500903c5060803c0000ff2f00"
    (tmp_path / "key.mid").write_bytes(bytes.fromhex(key))
    for name, message in {
        "long": "too long",
        "late": "too long",
        "low": "out of range",
        "key": "not a MIDI file",
    }.items():
        with pytest.raises(DataError, match=rf"{name}.mid: .*{message}"):
            load_tunes(tmp_path / f"{name}.mid")
    for notes, metre in (((Note(128, 24),), (4, 4)), ((Note(60, 24),), (5, 12))):
        with pytest.raises(DataError, match="outside 0 … 127, or an odd metre"):
            save_midi(tmp_path / "x.mid", [Tune(notes, metre)])
    for tempo in (0, -5, 10**6, float("nan")):
        with pytest.raises(ArgumentError, match="tempo"):
            save_midi(tmp_path / "x.mid", [Tune((Note(60, 24),))], tempo)  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="pass them as text"):
        read_prompt(5)  # pyright: ignore[reportArgumentType]


def test_bars_and_keys():
    tune = Tune((Note(60, 24), Note(62, 96), Note(None, 48), Note(64, 48)), (4, 4), pickup=24)
    assert tune.start == 72 and tune.bar == 96
    assert [[(at, note.pitch) for at, note in bar] for bar in tune.bars()] == [
        [(72, 60)],
        [(0, 62)],
        [(0, None), (48, 64)],
    ]
    assert tune.moved(3).notes == (Note(63, 24), Note(65, 96), Note(None, 48), Note(67, 48))
    assert read_prompt("CDEF GABc|c4", "2/2").notes[0] == Note(60, 12) and read_prompt("", "3/4") == Tune((), (3, 4))


def test_refusals_of_files(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(DataError, match="no such file or folder; use traditional"):
        load_tunes(tmp_path / "none")
    with pytest.raises(DataError, match=r"no .abc, .mid or .midi file"):
        load_tunes(tmp_path)
    (tmp_path / "a.txt").write_text("X:1")
    with pytest.raises(DataError, match=r"rename or convert"):
        load_tunes(tmp_path / "a.txt")
    (tmp_path / "empty.abc").write_text("")
    with pytest.raises(DataError, match=r"empty.abc: there are no tunes; each begins with X:1"):
        load_tunes(tmp_path / "empty.abc")
    for content in (b"", b"MThd", b"no midi at all", b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk\0\0\0\4\0\x90"):
        (tmp_path / "b.mid").write_bytes(content)
        with pytest.raises(DataError, match=r"b.mid: (is not a MIDI file|there are no notes)"):
            load_tunes(tmp_path / "b.mid")
    (tmp_path / "c.abc").write_text("X:1\nT:Good\nL:1/4\nK:C\nCDEF|\n\nX:2\nT:Bad\nK:Q\nC|\n")
    assert [tune.title for tune in load_tunes(tmp_path)] == ["Good"]
    assert "2 of 3 tunes are left out, the first: " in capsys.readouterr().err
    with pytest.raises(DataError, match="no tunes to write"):
        save_midi(tmp_path / "x.mid", [])

    real = builtins.__import__

    def without(name: str, *rest):
        if name == "mido":
            raise ImportError
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ArgumentError, match=r"pip install 'minigen\[music\]'"):
        load_tunes(tmp_path / "b.mid")
