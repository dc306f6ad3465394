"""One run, one writer: who holds a folder is said, and a process that was killed holds none."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from minigen.errors import RunError
from minigen.training import lock
from minigen.training.lock import RunLock

HOLD = """
import sys
from pathlib import Path
from minigen.training.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
DEAD = 2**22 + 1  # above the largest number that Linux gives to a process


def test_it_is_entered_again_inside_and_leaves_nothing(tmp_path: Path):
    own = RunLock(tmp_path)
    held = rf"trained by process {os.getpid()} on {socket.gethostname()}, since 20"
    with own, own, pytest.raises(RunError, match=held):
        RunLock(tmp_path).__enter__()
    with RunLock(tmp_path):
        assert (tmp_path / "lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_live_process_is_named_and_a_killed_one_holds_nothing(tmp_path: Path):
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match=f"process {other.pid} on .*wait for it, or let it save .* kill -INT"):
            RunLock(tmp_path).__enter__()
        other.kill()
        other.wait()
    assert (tmp_path / "lock").exists()
    with RunLock(tmp_path):
        assert json.loads((tmp_path / "lock").read_bytes())["pid"] == os.getpid()


def test_without_file_locks_the_number_in_the_file_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lock, "fcntl", None)
    for pid, host, free in [
        (DEAD, socket.gethostname(), True),
        (os.getpid(), socket.gethostname(), False),
        (DEAD, "elsewhere", False),
    ]:
        (tmp_path / "lock").write_text(json.dumps({"pid": pid, "host": host, "since": "noon"}))
        if free:
            with RunLock(tmp_path):
                pass
        else:
            with pytest.raises(RunError, match=rf"process {pid} on {host}, since noon"):
                RunLock(tmp_path).__enter__()
    (tmp_path / "lock").write_text('{"pid": "no')
    with RunLock(tmp_path):
        pass


@pytest.mark.skipif(os.name != "posix", reason="needs named pipes")
def test_what_is_no_lock_file_is_told(tmp_path: Path):
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(RunError, match="not the lock file of a run; move it away"):
        RunLock(tmp_path).__enter__()
    (tmp_path / "lock").unlink()
    (tmp_path / "lock").mkdir()
    with pytest.raises(RunError, match=r"cannot lock .*is a folder; move it away"):
        RunLock(tmp_path).__enter__()
    with pytest.raises(RunError, match=r"cannot lock .*its folder does not exist"):
        RunLock(tmp_path / "none").__enter__()


def test_temporary_files_of_dead_writers_go_and_others_stay(tmp_path: Path):
    (tmp_path / "samples").mkdir()
    gone = [f"run.json.{DEAD}.tmp", f"samples/step-000001.png.{DEAD}.tmp", f"metrics.csv.{os.getpid()}.tmp"]
    stays = [f"run.json.{os.getppid()}.tmp", "notes.tmp", f"notes.{DEAD}.tmp.txt", f"{DEAD}.tmp"]
    for name in gone + stays:
        (tmp_path / name).write_text("half")
    (tmp_path / f"folder.{DEAD}.tmp").mkdir()
    with RunLock(tmp_path):
        pass
    assert not any((tmp_path / name).exists() for name in gone)
    assert all((tmp_path / name).exists() for name in [*stays, f"folder.{DEAD}.tmp"])
