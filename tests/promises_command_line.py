"""Promises of the command line: what is misspelt, signals, output that nobody reads."""

import contextlib
import ctypes
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from promises import Promise, promise
from promises_runs import Recipe

from minigen import cli, plots
from minigen.cli.interrupts import not_swallowed
from minigen.errors import ArgumentError, RunError
from minigen.files import write_atomic
from minigen.training import Progress, Run

CASES: list[Promise] = []


def failed(*argv: str) -> str:
    """The message of a command that is refused."""
    with pytest.raises((ArgumentError, RunError)) as caught:
        cli.dispatch(list(argv))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@promise(CASES, "`minigen train VAE`, `minigen Train`", "ArgumentError: did you mean vae? train?")
def wrong_case(folder: Path) -> None:
    assert "did you mean vae?" in failed("train", "VAE")
    assert "did you mean train?" in failed("Train")


@promise(CASES, "`minigen sample RUN --prompt x` of a model that draws", "ArgumentError that lists the flags it knows")
def flag_of_another_model(folder: Path) -> None:
    (folder / "recipe.json").write_text(json.dumps({"model": "vae", "recipe": {}}))
    assert "unknown flag --prompt; known are -h, --help, -o, --out, --seed, --debug, -n" in failed(
        "sample", str(folder), "--prompt", "x"
    )


@promise(CASES, "`-o` in a folder that does not exist", "RunError that does not speak of what was saved before")
def no_such_folder(folder: Path) -> None:
    with pytest.raises(RunError, match=r"its folder does not exist; make it first, or choose another path$"):
        plots.save_grid(folder / "none" / "grid.png", np.zeros((1, 4, 4)))
    (folder / "file").mkdir()
    with pytest.raises(RunError, match=r"it is a folder; move it away, or choose another path$"):
        write_atomic(folder / "file", b"")


@promise(CASES, "`minigen compare` of runs elsewhere", "compare.png in the folder that holds them; says where")
def where_the_comparison_is(folder: Path) -> None:
    for name in ("a", "b"):
        run = Run.create(folder / "runs" / name, "walk", Recipe())
        run.log(1, loss=2.0)
        run.log(2, loss=1.0)
    assert cli.dispatch(["compare", str(folder / "runs" / "a"), str(folder / "runs" / "b")]) == 0
    assert (folder / "runs" / "compare.png").is_file()


@promise(CASES, "Nobody reads the output any more (`| head -3`); a hang-up", "Saves and ends, as after Ctrl-C")
def output_that_is_gone(folder: Path) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    now = [0.0]
    with Progress(9, stream=Gone(), clock=lambda: now[0]) as progress:
        progress.update(1)
        assert not progress.interrupted
        now[0] = 20
        progress.update(2)
        assert progress.interrupted and progress.lost
    if hasattr(signal, "SIGHUP"):
        with Progress(9, stream=io.StringIO()) as progress:
            for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):  # a shell passes them on, and so twice
                signal.raise_signal(number)
            assert progress.interrupted


@promise(CASES, "A process without standard output", "Trains in silence")
def no_output(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        with Progress(9) as progress:
            progress.update(9)
        assert not progress.interrupted


@promise(CASES, "`nohup minigen train …`", "A hang-up stays ignored")
def ignored_hang_up(folder: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Progress(9, stream=io.StringIO()) as progress:
            signal.raise_signal(signal.SIGHUP)
            assert not progress.interrupted
    finally:
        signal.signal(signal.SIGHUP, before)


@promise(CASES, "Ctrl-C where nothing is to be saved, as in a dry run", "Ends at once; nothing is said of saving")
def nothing_to_save(folder: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with Progress(9, stream=io.StringIO(), saving=False):
        assert signal.getsignal(signal.SIGINT) is before


@promise(CASES, "Ctrl-C while the command is still starting", "Ends without a traceback")
def while_starting(folder: Path) -> None:
    code = """
import importlib.abc, os, signal, sys
class Stops(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "minigen.autograd":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Stops())
sys.argv = ["/usr/bin/minigen", "info"]
import minigen
print("went on")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


@promise(CASES, "Ctrl-C where Python drops exceptions: in a callback of the compiler", "Ends all the same")
def in_a_callback(folder: Path) -> None:
    @ctypes.CFUNCTYPE(None)
    def callback() -> None:
        raise KeyboardInterrupt

    before = sys.unraisablehook, signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyboardInterrupt), not_swallowed():
        callback()
        time.sleep(20)  # which the interruption ends
    assert (sys.unraisablehook, signal.getsignal(signal.SIGALRM)) == before


@promise(CASES, "A second Ctrl-C that is dropped there, in a training", "Ends in the next step")
def in_a_callback_of_a_training(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Progress(9, stream=io.StringIO()) as progress:
        signal.raise_signal(signal.SIGINT)
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        progress.update(1)


@promise(CASES, "MINIGEN_BACKEND=foo", "The command line refuses it in one line, once")
def unknown_backend(folder: Path) -> None:
    environment = {**os.environ, "MINIGEN_BACKEND": "foo"}
    done = subprocess.run([sys.executable, "-m", "minigen", "info"], env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == "minigen: error: MINIGEN_BACKEND is 'foo'; use numba or numpy\n"
