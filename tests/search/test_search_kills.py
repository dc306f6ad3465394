"""Workers that are killed: at their writes, one of two, and at random moments; there are as many trials as asked for.

`python tests/search/test_search_kills.py` kills workers at random moments, and prints what came of it.
"""

import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from search_helpers import FOLDER, RANGES, WALK, ends, trials

from minigen import cli, models
from minigen.search.locks import FileLock

pytest.importorskip("optuna")
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
WRITES = ("open", "replace", "unlink", "write")
COUNT = 20  # kills


def command(count: int) -> list[str]:
    return ["search", "walk", "--trials", str(count), *RANGES]


def quiet() -> None:
    """Let this process say nothing."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


class Killed:
    """Ends the process, as SIGKILL does, before call number `at` of the functions that it stands for."""

    def __init__(self, at: int | None) -> None:
        self.left = at

    def __call__(self, function: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            if self.left is not None:
                if self.left == 0:
                    os._exit(9)
                self.left -= 1
            return function(*args, **options)

        return call


def worker(count: int, at: int | None = None) -> int:
    """A process of its own that searches, and ends at its write number `at`; its number."""
    pid = os.fork()
    if pid == 0:
        killed = Killed(at)
        for name in WRITES:
            setattr(os, name, killed(getattr(os, name)))
        os.fsync = killed(lambda descriptor: None)
        code = 1
        try:
            quiet()
            code = cli.main(command(count))
        finally:
            os._exit(code)
    return pid


def code_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@forks
def test_killed_at_its_writes_and_gone_on_with(monkeypatch: pytest.MonkeyPatch, workplace: Path):
    assert cli.main([*command(3), "--out", "whole"]) == 0
    whole, at = ends(Path("whole")), 0
    while True:
        place = workplace / f"at-{at}"
        place.mkdir()
        monkeypatch.chdir(place)
        if code_of(worker(3, at)) == 0:
            break
        assert cli.main(command(3)) == 0, at
        assert ends() == whole, at
        assert sorted(path.name for path in FOLDER.glob("trial-*")) == ["trial-001", "trial-002", "trial-003"], at
        assert not [*FOLDER.rglob("*.tmp"), *FOLDER.glob("*/lock")], at
        at += 29
    assert at > 100


@forks
@pytest.mark.parametrize("at", [45, 110])
def test_one_of_two_is_killed_and_both_are_gone_on_with(at: int):
    codes = sorted(map(code_of, [worker(8, at), worker(8)]))
    assert codes == [0, 9]
    assert cli.main(command(8)) == 0
    found = trials()
    assert [trial.number for trial in found] == [*range(1, 9)]
    assert {trial.state for trial in found} <= {"complete", "pruned"}
    assert len({tuple(trial.values.items()) for trial in found}) == 8


def test_what_a_killed_writer_left_of_a_line_is_cut_off(tmp_path: Path):
    file = tmp_path / "lines"
    for before, after in ((b"", b""), (b"a\n", b"a\n"), (b"a\nb", b"a\n"), (b"ab", b""), (b"a\n\nbc", b"a\n\n")):
        file.write_bytes(before)
        with FileLock(tmp_path / "lock", lines=file):
            assert file.read_bytes() == after


# ---------------------------------------------------------------- at random moments


def searching(count: int) -> None:
    """The command in a process that says nothing; its exit code is the command's."""
    quiet()
    toys()
    sys.exit(cli.main(command(count)))


def toys() -> None:
    """Let there be the toy model, in the current folder."""
    room = Path("extra") / "toys"
    room.mkdir(parents=True, exist_ok=True)
    if not (room / "walk.py").exists():
        (room / "__init__.py").write_text('"""Toys."""')
        (room / "walk.py").write_text(WALK)
    if str(room.parent.resolve()) not in models.__path__:
        models.__path__.append(str(room.parent.resolve()))


def killing(kills: int, seed: int, count: int = 40) -> dict[str, Any]:
    """Kill one of two workers so many times, in one search after another; AssertionError where trials are wrong."""
    os.environ["MINIGEN_BACKEND"] = "numpy"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["minigen.cli", "optuna", "test_search_kills"])
    rng, done, left, found, searches = random.Random(seed), 0, 0, Counter[str](), 0
    toys()
    while done < kills:
        if FOLDER.exists():
            FOLDER.rename(f"done-{searches}")
        for last in [False] * 6 + [True]:  # the other one comes to the end
            pair = [context.Process(target=searching, args=(count,)) for _ in range(2)]
            for process in pair:
                process.start()
            time.sleep(rng.uniform(0.1, 1.0))
            if pair[0].is_alive():
                os.kill(pair[0].pid or 0, signal.SIGKILL)
                done += 1
            if not last and pair[1].is_alive():
                os.kill(pair[1].pid or 0, signal.SIGKILL)
                done += 1
            for process in pair:
                process.join(300)
                assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
            left += sum(trial.state == "running" for trial in trials()) if (FOLDER / "journal.log").exists() else 0
        assert cli.main(command(count)) == 0
        ended = trials()
        assert [trial.number for trial in ended] == [*range(1, count + 1)]
        assert len({str(trial.values) for trial in ended}) == count
        assert len([*FOLDER.glob("trial-*/recipe.json")]) == count
        assert not [*FOLDER.rglob("*.tmp"), *FOLDER.glob("*/lock")]
        found.update(trial.state for trial in ended)
        searches += 1
    return {"kills": done, "left": left, "searches": searches, "trials": dict(found)}


@pytest.mark.slow
def test_killed_at_random_moments_and_gone_on_with():
    figures = killing(COUNT, seed=0)
    assert figures["kills"] >= COUNT and "running" not in figures["trials"]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        print(killing(int(sys.argv[1]) if sys.argv[1:] else COUNT, seed=0))
