"""Tunes made up: what is counted in them is right, notes follow in any key, samples are ABC, MIDI and a picture."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.cli import main
from minigen.cli.train import train_and_evaluate
from minigen.data.tunes import Note, Tune, tunes_of
from minigen.errors import DataError
from minigen.models.applications import melody
from minigen.models.parts import tunes as parts
from minigen.random import generator
from minigen.training import Run, RunFolder

mido = pytest.importorskip("mido")
SMALL: dict[str, Any] = {"hidden": 24, "layers": 1, "dropout": 0.0, "batch_size": 8, "every": 20, "lr": 0.01}
SCALE = Tune(tuple(Note(pitch, 24) for pitch in (60, 62, 64, 65, 67, 69, 71, 72)), title="Scale")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    recipe = melody.Recipe(**SMALL, steps=40)
    run = Run.create(tmp_path_factory.mktemp("melody") / "run", "melody", recipe)
    train_and_evaluate(melody, recipe, run, evaluating=False)
    return run


def test_training_lowers_the_loss(run: Run):
    rows = RunFolder.open(run.path).history()
    losses = [loss for loss in rows["loss"] if loss is not None]
    assert losses[-1] < losses[0] - 1.0
    assert "X:1\nT:Tune 1" in next((run.path / "samples").glob("*.txt")).read_text()


def test_a_moved_tune_has_the_same_moves_and_its_notation_is_undone():
    notation = parts.Notation.of([SCALE, Tune((Note(None, 12), Note(50, 12)), (3, 4), 12)])
    assert notation.metres == [(3, 4), (4, 4)] and notation.places == 96 and notation.lengths == [12, 24]
    rows = np.zeros((0, 12))
    for shift in parts.SHIFTS:
        tune = SCALE.moved(shift)
        rows = notation.encode(tune)
        assert [notation.note(pitch, length) for pitch, length, *_ in rows[:-1]] == list(tune.notes)
        assert parts.moves(tune) == parts.moves(SCALE)
    assert rows[:, 3].tolist() == [0, 24, 48, 72] * 2 + [0] and rows[-1, 0] == parts.END
    again = parts.Notation.of([SCALE])
    again.load_state_dict(notation.state_dict())
    assert again.state_dict() == notation.state_dict()
    with pytest.raises(DataError, match="5/4 is none of the metres that were learned: 3/4, 4/4"):
        notation.encode(Tune((), (5, 4)))
    with pytest.raises(DataError, match="is none that was learned"):
        notation.encode(Tune((Note(60, 7),)))
    with pytest.raises(DataError, match="no notes"):
        parts.Notation.of([Tune((Note(None, 24),))])


def test_training_tunes_are_moved_into_all_keys_by_chance():
    notation = parts.Notation.of([SCALE])
    moved = parts.MovedTunes([SCALE], notation, 200, seed=1)
    batch = moved.batch(slice(None))[0]
    assert batch.shape == (200, 32, 12) and set(batch[:, 0, 0] + notation.lowest - 2 - 60) == set(parts.SHIFTS)
    np.testing.assert_array_equal(batch[5, : len(moved[5][0])], moved[5][0])
    assert (batch[:, 8:, 0] == parts.END).all()
    assert moved.digest() != parts.MovedTunes([SCALE], notation, 200, seed=2).digest()


def test_what_is_counted_in_a_tune():
    assert parts.in_key(SCALE) == 1 and parts.in_key(SCALE.moved(4)) == 1
    chromatic = Tune(tuple(Note(60 + i, 24) for i in range(12)))
    assert parts.in_key(chromatic) == pytest.approx(7 / 12)
    twice = Tune(SCALE.notes * 2, (4, 4))
    late = Tune((Note(60, 36), *SCALE.notes), (4, 4))
    assert parts.likeness([SCALE], [SCALE]) == {
        "in_key": 1.0,
        "in_time": 1.0,
        "repeated": 0.0,
        "step": 12 / 7,
        "notes": 8.0,
        "copied": 8.0,
    }
    assert parts.likeness([twice], [])["repeated"] == 0.5
    assert parts.likeness([late], [SCALE.moved(5)]) == {
        "in_key": 1.0,
        "in_time": 1 / 3,
        "repeated": 0.0,
        "step": 12 / 8,
        "notes": 9.0,
        "copied": 7.0,
    }
    assert parts.likeness([Tune(())], [SCALE]) == {}


def test_counting_knows_what_it_has_seen():
    notation = parts.Notation.of([SCALE])
    other = Tune(tuple(Note(pitch, 24) for pitch in (60, 71, 63, 66, 61, 70, 64)))
    known = parts.chain_nats([SCALE] * 30, [SCALE], notation)
    strange = parts.chain_nats([SCALE] * 30, [other], notation)
    assert known < 1.0 < 3 < strange
    nothing = parts.chain_nats([], [SCALE], notation)
    choices = notation.pitches * len(notation.lengths)
    assert nothing == pytest.approx((9 * np.log(choices) + np.log(notation.pitches)) / 9)


def test_a_note_depends_on_those_before_it_alone():
    notation = parts.Notation.of([SCALE])
    model = melody.Composer(notation, melody.Recipe(**SMALL), generator(0)).eval()
    rows = notation.encode(SCALE)[None]
    model.repeat_pitch.weight.data[:] = 0
    model.repeat_pitch.bias = layers.Parameter(np.array([9, 0, 0, 0], np.float32))  # copy the bar before
    with mg.no_grad():
        h, _ = model.read(before := melody.known_before(rows))
        plain = model.to_pitch(h).numpy()
        more = model.pitches(h, before).numpy() - plain
    assert (more[0, 4:8].argmax(1) == rows[0, :4, 0]).all() and not more[0, :4].any()
    changed = rows.copy()
    changed[:, 5, :2] = notation.encode(SCALE.moved(1))[5, :2]
    assert (
        rows[0, 5, 4:6].tolist() == (rows[0, 1, :2] + (0, 1)).tolist() and rows[0, 5, 6:].tolist() == [0] * 6
    )  # a bar before
    outputs = []
    with mg.no_grad():
        for notes in (rows, changed):
            lesson = melody.Lesson.of(notes)
            outputs.append([part.numpy() for part in model(lesson.before, lesson.pitch)])
    (pitch, length), (other_pitch, other_length) = outputs
    np.testing.assert_array_equal(pitch[:, :6], other_pitch[:, :6])
    np.testing.assert_array_equal(length[:, :5], other_length[:, :5])
    assert not np.allclose(pitch[:, 6], other_pitch[:, 6]) and not np.allclose(length[:, 5], other_length[:, 5])
    lesson = melody.Lesson.of(parts.filled([rows[0]]))
    assert lesson.there[0].tolist() == [1] * 9 + [0] * 23 and lesson.sounding[0].tolist() == [1] * 8 + [0] * 24
    by_hand = melody.nats(model, melody.Lesson.of(rows)).item()
    assert melody.nats(model, lesson).item() == pytest.approx(by_hand, rel=1e-6)  # what fills up does not count


def test_samples_are_text_sound_and_picture(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture):
    folder = str(run.path)
    assert main(["sample", folder, "-n", "2", "--seed", "3"]) == 0
    text = capsys.readouterr().out
    made = list(tunes_of(text))
    assert [tune.title for tune in made if isinstance(tune, Tune)] == ["Tune 1", "Tune 2"]
    for name in ("tune.mid", "tune.png", "tune.abc"):
        assert main(["sample", folder, "-n", "2", "--seed", "3", "-o", str(tmp_path / name)]) == 0
        assert capsys.readouterr().out == text
    assert (tmp_path / "tune.abc").read_text().strip() == text.strip()
    assert (tmp_path / "tune.png").read_bytes().startswith(b"\x89PNG")
    heard = [one.note for one in mido.MidiFile(tmp_path / "tune.mid") if one.type == "note_on"]
    assert heard == [pitch for tune in made if isinstance(tune, Tune) for pitch in tune.pitches]
    assert main(["sample", folder, "-n", "1", "--prompt", "C2E2 G2c2|", "--metre", "4/4", "--temperature", "0"]) == 0
    (tune,) = tunes_of(capsys.readouterr().out)
    assert isinstance(tune, Tune) and tune.notes[:3] == (Note(60, 24), Note(64, 24), Note(67, 24))
    wrong = {"--metre 5/4": "none of the metres", "--prompt ?": "is not understood", "-o x.wav": "end in .abc, .mid"}
    for arguments, message in wrong.items():
        assert main(["sample", folder, *arguments.split()]) in (1, 2)
        assert message in capsys.readouterr().err


def test_evaluation_and_loading(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(melody, "JUDGED", 3)
    folder = RunFolder.open(run.path)
    figures = melody.evaluate(folder)
    assert 2 < figures["nats_per_note"] < 6 and 3 < figures["nats_per_note_by_counting"] < 5
    assert figures["held_out_in_key"] > 0.9 and figures["held_out_in_time"] > 0.9
    assert (run.path / "score.png").exists()
    model = mg.load(run.path)
    assert model.preprocessing("C2E2 G2c2|").shape == (1, 5, 12)


def test_too_few_tunes(tmp_path: Path):
    (tmp_path / "one.abc").write_text("X:1\nL:1/4\nK:C\nCDEF|\n")
    with pytest.raises(DataError, match="has one tune"):
        melody.split(str(tmp_path))


def test_own_tunes_may_move_between_training_and_going_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    for i in range(3):
        (tmp_path / "own" / f"{i}.abc").write_text(f"X:1\nT:{i}\nL:1/4\nK:C\nCDEF|GABc|d{i + 1}|\n")
    flags = ["--hidden", "8", "--layers", "1", "--batch-size", "2", "--every", "2", "--no-eval"]
    assert main(["train", "melody", "--tunes", "own", "--max-steps", "2", "--out", "run", *flags]) == 0
    assert RunFolder.open("run").recipe["tunes"] == str(tmp_path / "own")
    (tmp_path / "own").rename(tmp_path / "other")
    assert main(["train", "--resume", "run", "--tunes", "other", "--max-steps", "4", "--no-eval"]) == 0
    assert RunFolder.open("run").step == 4
