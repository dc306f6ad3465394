"""Searches from their command: what is tried, what is told, who may join, what is refused."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from search_helpers import FOLDER, RANGES, ends, trials

from minigen import cli, plots
from minigen.plots.search import save_search
from minigen.training import Run, RunFolder

pytest.importorskip("optuna")


def run(line: str, *more: str) -> int:
    model, *words = line.split() or [""]
    return cli.main(["search", *[model] * bool(model), *more, *words])


def test_the_best_recipe_is_found_named_and_written_down(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setattr(plots, "save_search", save_search)
    assert run("walk --trials 12 --epochs 2", *RANGES) == 0
    out = capsys.readouterr().out
    found = trials()
    complete = [trial for trial in found if trial.figure is not None and trial.state == "complete"]
    best = min(complete, key=lambda trial: trial.figure or 0)
    assert len(found) == 12 and {trial.state for trial in found} == {"complete", "pruned"}
    command = f"minigen train walk --epochs 2 --lr {best.values['lr']:g} --width {best.values['width']}"
    assert f"\n{command}\n" in out and Path(FOLDER, "best.txt").read_text() == f"{command}\n"
    assert f"  trial-{best.number:03d}  {best.figure:.6g} " in out and (FOLDER / "search.png").is_file()
    assert cli.main([*command.split()[1:], "--out", "again", "--no-eval"]) == 0  # the same bits as the trial's
    assert RunFolder.open("again").history()["test_error"][-1] == best.figure
    name = f"trial-{best.number:03d}/metrics.csv"
    assert Path("again/metrics.csv").read_bytes() == (FOLDER / name).read_bytes()
    assert cli.main(["list", str(FOLDER)]) == 0 and capsys.readouterr().out.count("trial-0") == 12


def test_what_falls_behind_is_ended_after_a_round_and_can_be_gone_on_with():
    assert run("walk --trials 12", *RANGES) == 0
    pruned = [trial for trial in trials() if trial.why == "pruned"]
    assert len(pruned) > 1
    for trial in pruned:
        folder = RunFolder.open(FOLDER / f"trial-{trial.number:03d}")
        assert folder.step == 4 * trial.rounds < 12 and not folder.trained
    assert cli.main(["train", "--resume", str(FOLDER / f"trial-{pruned[0].number:03d}")]) == 0
    assert run("walk --trials 12 --out whole --no-prune", *RANGES) == 0
    assert {trial.state for trial in trials(Path("whole"))} == {"complete"}


def test_the_same_seed_gives_the_same_trials_also_in_parts():
    assert run("walk --trials 12 --out a", *RANGES) == 0
    for count in (3, 11, 12):
        assert run(f"walk --trials {count} --out b", *RANGES) == 0
    assert ends(Path("a")) == ends(Path("b"))
    assert run("walk --trials 2 --out c --seed 1", *RANGES) == 0
    assert ends(Path("a"))[:2] != ends(Path("c"))


def test_it_learns_from_what_it_found():
    assert run("walk --trials 30 --epochs 1 --for test_error --over lr=1e-3:0.3:log") == 0
    assert {trial.state for trial in trials()} == {"complete"}  # as no round is left to be saved
    figures = [trial.figure or 0 for trial in trials()]
    assert sum(figures[20:]) < 0.5 * sum(figures[:10])  # those drawn by what was learned, against those by chance


def test_a_figure_of_the_evaluation_may_decide_and_be_large(capsys: pytest.CaptureFixture):
    assert run("walk --trials 3 --for way --mode max", *RANGES) == 0
    told = capsys.readouterr()
    assert told.err.count("way is not logged (loss, test_error are)") == 1
    best = max(trials(), key=lambda trial: trial.figure or 0)
    assert RunFolder.open(FOLDER / f"trial-{best.number:03d}").results == {"way": best.figure}
    assert told.out.count(f"trial-{best.number:03d}  {best.figure:.6g} ") == 1


def test_a_figure_that_there_is_not_is_told_with_those_there_are(capsys: pytest.CaptureFixture):
    assert run("walk --for weigh_error", *RANGES) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "no such figure; it logs loss, test_error; its results are way;" in error
    assert [trial.state for trial in trials()] == ["running"]


def test_a_training_that_diverges_is_a_trial_as_well():
    assert run("walk --trials 6 --for test_error --over lr=0.1,3 width=1:3 --epochs 5") == 0
    states = {(trial.values["lr"], trial.state) for trial in trials()}
    assert states == {(0.1, "complete"), (3.0, "pruned")}
    assert all("diverged" in trial.why for trial in trials() if trial.values["lr"] == 3)


def test_what_the_recipe_refuses_is_drawn_again_and_so_is_what_was_tried():
    assert run("walk --trials 3 --for test_error --over kind=plain,fancy tie=yes,no") == 0
    found = [(trial.values["kind"], trial.values["tie"]) for trial in trials()]
    assert sorted(found) == [("fancy", False), ("plain", False), ("plain", True)]
    assert run("walk --trials 4 --for test_error --over kind=plain,fancy tie=yes,no") == 0  # there is no fourth
    assert len(trials()) == 4


def test_a_trial_that_is_trained_is_left_alone_and_one_that_was_left_is_taken_up(capsys: pytest.CaptureFixture):
    assert run("walk --trials 2", *RANGES) == 0
    whole = ends()
    journal = FOLDER / "journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    told = max(i for i, line in enumerate(lines) if b'"values":[' in line and b'"state":1' in line)
    journal.write_bytes(b"".join(lines[:told]) + lines[told][:9])  # killed in the middle of its last word
    assert trials()[1].state == "running"
    with Run.open(FOLDER / "trial-002").lock:  # as another process's
        capsys.readouterr()
        assert run("walk --trials 2", *RANGES) == 0
        assert "1 of 2 trials: 1 trained to their end, 0 pruned, 1 not over yet" in capsys.readouterr().out
    leavings = [FOLDER / "trial-001" / "lock", FOLDER / "best.txt.999999999.tmp"]  # of others that were killed
    for path in leavings:
        path.write_text("{}")
    assert run("walk --trials 2", *RANGES) == 0
    assert not any(path.exists() for path in leavings)
    assert "trial-002 of 2: " in (out := capsys.readouterr().out) and "from step 12 on" in out
    assert ends() == whole


def test_ctrl_c_saves_and_the_same_command_goes_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    assert run("walk --trials 3 --out whole", *RANGES) == 0
    calls: list[int] = []

    def pressed(self: Run, step: int, **values: float) -> None:
        calls.append(step)
        if len(calls) == 20:  # in the second trial
            signal.raise_signal(signal.SIGINT)
        log(self, step, **values)

    import signal

    log = Run.log
    monkeypatch.setattr(Run, "log", pressed)
    assert run("walk --trials 3", *RANGES) == 130
    assert "interrupted; the same command goes on" in capsys.readouterr().err
    assert [trial.state for trial in trials()] == ["complete", "running"]
    assert run("walk --trials 3", *RANGES) == 0
    assert ends() == ends(Path("whole"))


def test_jobs_share_the_threads_and_the_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from minigen.config import config

    started: list[tuple[list[str], str]] = []

    class Started:
        def __init__(self, line: list[str], env: dict[str, str], process_group: int | None) -> None:
            started.append((line, env["MINIGEN_THREADS"]))
            assert cli.main(line[line.index("minigen") + 1 :]) == 0

        def wait(self) -> int:
            return 0

    monkeypatch.setattr(subprocess, "Popen", Started)
    monkeypatch.setattr(type(config), "__setattr__", object.__setattr__)
    monkeypatch.setattr(config, "threads", 5)
    assert run("walk --jobs 2 --trials 3", *RANGES) == 0
    assert [threads for _, threads in started] == ["2", "2"] and started[0][0][0] == sys.executable
    assert [trial.state for trial in trials()] == ["complete"] * 3


WRONG = [
    ("", "needs the name of a model"),
    ("wolk", "unknown model wolk; did you mean walk?"),
    ("walk", "no figure of walk is known to decide; name one with --for"),
    ("walk --for way", "is it to be small or large? say --mode min, or --mode max"),
    ("walk --for test_error --mode up", "invalid choice: 'up'"),
    ("walk --for test_error --trials 0", "--trials 0"),
    ("walk --for test_error --trials few", "--trials: invalid int value: 'few'"),
    ("walk --for test_error --jobs 0", "--jobs 0; use 1 to"),
    ("walk --for test_error --jobs 900", "--jobs 900; use 1 to"),
    ("walk --for test_error --trails 3", "did you mean --trials?"),
    ("walk --for test_error --seed -1", "seed is -1"),
    ("walk --for test_error --data lost", "the data are lost"),
    ("walk --for test_error --out full", "full is not empty, and holds no search"),
    ("walk --for test_error --out full/file", "is a file"),
    ("walk --for test_error --over lr", "--over lr: write NAME=LOW:HIGH"),
    ("walk --for test_error --over lr=", "--over lr=: write NAME=LOW:HIGH"),
    ("walk --for test_error --over widht=1:2", "the recipe has no widht; did you mean width?"),
    ("walk --for test_error --over zzz=1:2", "the recipe has no zzz; it has epochs, lr, width, "),
    ("walk --for test_error --over lr=1:", "'' is not a number"),
    ("walk --for test_error --over lr=1:2:3", "write NAME=LOW:HIGH"),
    ("walk --for test_error --over lr=2:1", "2 is not below 1"),
    ("walk --for test_error --over lr=0:1:log", "begins above 0, not at 0"),
    ("walk --for test_error --over lr=0:1", "lr is 0.0; use a number above 0"),
    ("walk --for test_error --over lr=nan:1", "nan is no end of a range"),
    ("walk --for test_error --over width=1.5:3", "'1.5' is not a whole number"),
    ("walk --for test_error --over width=2", "give two or more different values"),
    ("walk --for test_error --over width=2,2", "give two or more different values"),
    ("walk --for test_error --over kind=plain:fancy", "plain is no end of a range"),
    ("walk --for test_error --over kind=plain,odd", "'odd' is none of plain, fancy"),
    ("walk --for test_error --over tie=yes,perhaps", "'perhaps' is none of yes, no"),
    ("walk --for test_error --over tie=yes,no --kind fancy", "a fancy walk has nothing to tie"),
    ("walk --for test_error --over lr=1:2 lr=2:3", "lr is there twice"),
    ("walk --for test_error --over lr=1:2 --lr 1", "--lr fixes it for all trials"),
    ("walk --for test_error --over ema=1:none", "none is no end of a range"),
]


def test_wrong_input_gets_one_clear_error_and_leaves_nothing(workplace: Path, capsys: pytest.CaptureFixture):
    Path("full").mkdir()
    Path("full/file").write_text("mine")
    for line, fragment in WRONG:
        capsys.readouterr()
        assert run(line) in (1, 2), line
        error = capsys.readouterr().err
        assert error.startswith("minigen: error: ") and error.count("\n") == 1, (line, error)
        assert fragment in error, (line, error)
        assert not FOLDER.exists() and [path.name for path in Path("full").iterdir()] == ["file"], line


def test_only_the_same_search_joins(capsys: pytest.CaptureFixture):
    assert run("walk --trials 2", *RANGES) == 0
    others = ("--over width=1:2", "--epochs 2", "--for loss", "--mode max", "--no-prune")
    for other in others:
        line = RANGES if "over" not in other else RANGES[:2]
        assert run(f"walk --trials 3 {other}", *line) == 2, other
        assert re.search(r"the search in runs/search-walk has (over|fixed|for|mode|prune) ", capsys.readouterr().err)
    (FOLDER / "search.json").write_text("{")
    assert run("walk --trials 3", *RANGES) == 1
    assert "search.json is damaged" in capsys.readouterr().err
    (FOLDER / "search.json").write_text(json.dumps({}))
    assert run("walk --trials 3", *RANGES) == 1


@pytest.mark.parametrize("line", [b"{\n", b"[]\n", b"{}\n", b"\xff\n"])
def test_a_damaged_journal_is_told(line: bytes, capsys: pytest.CaptureFixture):
    assert run("walk --trials 1", *RANGES) == 0
    journal = FOLDER / "journal.log"
    for damaged in (line + journal.read_bytes(), journal.read_bytes() + line):
        journal.write_bytes(damaged)
        assert run("walk --trials 2", *RANGES) == 1
        assert "journal.log is damaged" in capsys.readouterr().err


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert run("walk", *RANGES) == 2
    assert "pip install 'minigen[search]'" in capsys.readouterr().err
