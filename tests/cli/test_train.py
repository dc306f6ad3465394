"""`minigen train`: flags out of a recipe, run folders, resuming."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import weight

from minigen import cli, flags
from minigen.catalog import load_model, model_names
from minigen.cli.train import next_folder


def test_train_numbers_its_folders_and_says_where_things_are(capsys: pytest.CaptureFixture):
    assert cli.main(["train", "toy"]) == 0
    assert "runs/toy-1/curves.png" in capsys.readouterr().out
    assert cli.main(["train", "toy", "--epochs", "1"]) == 0
    assert (weight("runs/toy-1"), weight("runs/toy-2")) == (20, 10)


def test_folder_numbers_go_on_after_gaps():
    for name in ("toy-2", "toy-9", "toy-x", "toy-old-11"):
        Path("runs", name).mkdir(parents=True)
    assert next_folder("toy") == Path("runs/toy-10")


def test_flags_reach_the_recipe():
    argv = ["train", "toy", "--lr", "0.1", "--kind", "fancy", "--noisy", "--max-steps", "3", "--out", "here"]
    assert cli.main(argv) == 0
    recipe = json.loads(Path("here/recipe.json").read_text())["recipe"]
    assert recipe == {"epochs": 2, "lr": 0.1, "kind": "fancy", "noisy": True, "data": "mnist", "max_steps": 3}


def test_resume_goes_on_and_may_extend():
    assert cli.main(["train", "toy", "--out", "here", "--max-steps", "3"]) == 0
    assert cli.main(["train", "--resume", "here", "--max-steps", "7"]) == 0
    assert weight("here") == 7
    assert cli.main(["train", "toy", "--resume", "here", "--lr", "0.5"]) == 0  # the stored value is no conflict
    assert weight("here") == 7
    assert cli.main(["train", "toy", "--resume", "here", "--max-steps", "100", "--epochs", "3"]) == 0
    assert weight("here") == 30


def test_dry_run_leaves_nothing(workplace: Path, capsys: pytest.CaptureFixture):
    assert cli.main(["train", "toy", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "max_steps        2" in out
    assert "weight" in out
    assert list(workplace.iterdir()) == []


def test_warmup_leaves_nothing(workplace: Path, capsys: pytest.CaptureFixture):
    assert cli.main(["warmup", "toy"]) == 0
    assert capsys.readouterr().out == "toy: ready\n"
    assert list(workplace.iterdir()) == []


def test_help_shows_every_field_with_comment_and_default(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "toy", "--help"])
    assert stop.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    for text in ("--epochs N passes over ten steps (default: 2)", "100% made up", "--no-noisy", "(default: none)"):
        assert text in out


def test_every_model_documents_every_field():
    for name in model_names():
        module = load_model(name)
        for kind in (module.Recipe, getattr(module, "Request", module.Recipe)):
            comments = flags.field_comments(kind)
            assert [field for field in flags.field_flags(kind) if not comments.get(field)] == [], name


def test_a_run_knows_its_data_from_any_folder(monkeypatch: pytest.MonkeyPatch):
    np.savez("mine.npz", images=np.zeros((20, 8, 8), np.uint8))
    whole = str(Path("mine.npz").resolve())
    assert cli.main(["train", "toy", "--data", "mine.npz", "--out", "here"]) == 0
    assert json.loads(Path("here/recipe.json").read_text())["recipe"]["data"] == whole
    assert cli.main(["train", "--resume", "here", "--data", "mine.npz"]) == 0  # the same file is no conflict
    monkeypatch.chdir("here")
    assert cli.main(["train", "--resume", ".", "--epochs", "3"]) == 0
    Path("mnist").mkdir()
    assert cli.main(["train", "toy", "--data", "mnist", "--out", "named"]) == 0
    assert json.loads(Path("named/recipe.json").read_text())["recipe"]["data"] == "mnist"


def test_a_run_knows_its_text_from_any_folder():
    Path("mine.txt").write_text("a")
    assert cli.main(["train", "talker", "--text", "mine.txt", "--out", "here"]) == 0
    assert json.loads(Path("here/recipe.json").read_text())["recipe"]["text"] == str(Path("mine.txt").resolve())
    Path("shakespeare").mkdir()
    assert cli.main(["train", "talker", "--out", "named"]) == 0
    assert json.loads(Path("named/recipe.json").read_text())["recipe"]["text"] == "shakespeare"


def test_data_that_were_moved_are_named_by_a_flag(capsys: pytest.CaptureFixture):
    np.savez("mine.npz", images=np.zeros((20, 8, 8), np.uint8))
    assert cli.main(["train", "toy", "--data", "mine.npz", "--out", "here", "--max-steps", "3"]) == 0
    Path("mine.npz").rename("moved.npz")
    assert cli.main(["train", "--resume", "here", "--max-steps", "5", "--data", "mnist"]) == 2
    assert "--data mnist does not go with the run" in capsys.readouterr().err
    assert cli.main(["train", "--resume", "here", "--max-steps", "5", "--data", "moved.npz"]) == 0
    assert json.loads(Path("here/recipe.json").read_text())["recipe"]["data"] == str(Path("moved.npz").resolve())
    assert cli.main(["train", "--resume", "here"]) == 0


def test_a_recipe_that_was_edited_is_told(capsys: pytest.CaptureFixture):
    assert cli.main(["train", "toy", "--out", "here", "--max-steps", "3"]) == 0
    file = Path("here/recipe.json")
    for change, said in (('"lr": 0.25', "lr is 0.25, and was 0.5"), ('"max_steps": 2', "max_steps is 2, and was 3")):
        name = change.partition(":")[0]
        recipe = file.read_text()
        file.write_text(
            "\n".join(f"    {change}," if name in line else line for line in recipe.split("\n")).replace(
                ",\n  }", "\n  }"
            )
        )
        for argv in (["train", "--resume", "here"], ["sample", "here"]):
            assert cli.main(argv) == 1
            assert said in capsys.readouterr().err
        file.write_text(recipe)


def test_a_training_that_was_done_takes_no_more_time(capsys: pytest.CaptureFixture):
    assert cli.main(["train", "toy", "--out", "here"]) == 0
    before = json.loads(Path("here/run.json").read_text())
    assert cli.main(["train", "--resume", "here"]) == 0
    assert json.loads(Path("here/run.json").read_text()) == before


def test_a_folder_that_another_process_took_is_left_to_it(monkeypatch: pytest.MonkeyPatch):
    taken = iter([Path("runs/toy-1"), Path("runs/toy-2"), Path("runs/toy-2")])
    Path("runs/toy-1/samples").mkdir(parents=True)
    Path("runs/toy-1/recipe.json").write_text("{}")
    monkeypatch.setattr(sys.modules["minigen.cli.train"], "next_folder", lambda model: next(taken))
    assert cli.main(["train", "toy"]) == 0
    assert Path("runs/toy-2/run.json").exists()
