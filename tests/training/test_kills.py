"""Runs that are killed, at random moments and at each write, and gone on with: all files equal the unbroken run's.

The slow test kills trainings of six models 200 times; `python tests/training/test_kills.py` prints what came of it.
"""

import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_run import Recipe, train

from minigen import cli, data, plots
from minigen.training import Run

FILES = ("checkpoint.safetensors", "metrics.csv", "recipe.json")
KILLS = 200
# What is trained, by the flags of its command; DATA and TEXT stand for a small archive and a small text.
TRAININGS = {
    "vae": "--data DATA --epochs 4 --batch-size 16 --hidden 16 --latent 2 --ema 0.9",
    "gan": "--data DATA --epochs 3 --batch-size 16",
    "classifier": "--data DATA --epochs 2 --batch-size 16 --patience 2",
    "char_rnn": "--text TEXT --epochs 2 --batch-size 4 --length 16 --hidden 16",
    "gpt": "--text TEXT --steps 12 --every 3 --layers 1 --dim 16 --context 8 --batch-size 8",
    "word2vec": "--text TEXT --epochs 3 --dim 8",
}
SIGNALS = ["SIGKILL"] * 7 + ["SIGTERM", "SIGHUP", "SIGINT"]
EXITS = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, 130)


def contents(folder: Path) -> dict[str, bytes]:
    """What must be equal: state, log and recipe, and what was drawn or written on the way."""
    paths = [folder / name for name in FILES] + sorted((folder / "samples").iterdir())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


# ---------------------------------------------------------------- at each write


class Killed:
    """Ends the process, as SIGKILL does, before call number `at` of the functions that it stands for."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, function: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            if self.left == 0:
                os._exit(9)
            self.left -= 1
            return function(*args, **options)

        return call


def killed_at(folder: Path, at: int) -> bool:
    """Train in a process of its own that ends at its write number `at`; False when it came to its end before."""
    pid = os.fork()
    if pid == 0:
        killed = Killed(at)
        for name in ("open", "replace", "fsync", "unlink", "rename"):
            setattr(os, name, killed(getattr(os, name)))
        try:
            train(Run.open(folder) if (folder / "recipe.json").exists() else Run.create(folder, "walk", Recipe()), 7)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_every_write_and_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(plots, "save_curves", lambda *_, **__: None)  # which takes longer than all the rest
    train(Run.create(tmp_path / "whole", "walk", Recipe()), 7)
    folder, at = tmp_path / "run", 0
    while killed_at(folder, at):
        started = (folder / "recipe.json").exists()
        train(Run.open(folder) if started else Run.create(folder, "walk", Recipe()), 7)
        assert contents(folder) == contents(tmp_path / "whole"), at
        assert not [*folder.rglob("*.tmp"), *folder.rglob("lock")], at
        shutil.rmtree(folder)
        at += 1
    assert at > 20


# ---------------------------------------------------------------- at random moments


def command(argv: list[str]) -> None:
    """The command line in a process that says nothing; its exit code is the command's."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    sys.exit(cli.main(argv))


def flags(model: str, folder: Path) -> list[str]:
    """The command's arguments for a training in `folder`, begun or to be gone on with."""
    if (folder / "recipe.json").exists():
        return ["train", "--resume", str(folder)]
    text = TRAININGS[model].replace("DATA", str(folder.parent / "digits.npz"))
    return ["train", model, *text.replace("TEXT", str(folder.parent / "story.txt")).split(), "--out", str(folder)]


def killing(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill trainings so many times; raises AssertionError where one ends in other files than the uninterrupted one."""
    os.environ["MINIGEN_BACKEND"] = "numpy"  # nothing to compile, and no threads that a fork would lose
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["minigen.cli", "test_kills"])
    test, rng = data.mnist("test"), random.Random(seed)
    np.savez(folder / "digits.npz", images=test.images[:80], labels=np.asarray(test.labels)[:80])
    (folder / "story.txt").write_text(data.shakespeare()[:6000], encoding="utf-8")
    whole: dict[str, dict[str, bytes]] = {}
    lasted: dict[str, float] = {}
    for model in TRAININGS:
        began = time.monotonic()
        process = context.Process(target=command, args=(flags(model, folder / model),))
        process.start()
        process.join()
        assert process.exitcode == 0, (model, process.exitcode)
        whole[model], lasted[model] = contents(folder / model), time.monotonic() - began
    done, ended, number = Counter[str](), 0, 0
    while done.total() < kills:
        model = list(TRAININGS)[number % len(TRAININGS)]
        run, number = folder / f"{model}-{number}", number + 1
        while True:
            process = context.Process(target=command, args=(flags(model, run),))
            process.start()
            name = rng.choice(SIGNALS)
            process.join(rng.uniform(0.0, 1.1) * lasted[model])
            if process.is_alive() and done.total() < kills:
                os.kill(process.pid or 0, getattr(signal, name))
                done[name] += 1
            process.join(300)
            assert process.exitcode is not None, f"{model}: hangs"
            if process.exitcode == 0:
                break
            assert process.exitcode in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, 130), (
                model,
                process.exitcode,
            )
        assert contents(run) == whole[model], f"{model} in {run}"
        assert not [*run.rglob("*.tmp"), *run.rglob("lock")]
        ended += 1
    return {"kills": dict(done), "runs": ended}


@pytest.mark.slow
def test_killed_at_random_moments_and_gone_on_with(tmp_path: Path):
    figures = killing(tmp_path, KILLS, seed=0)
    assert sum(figures["kills"].values()) == KILLS and figures["runs"] > len(TRAININGS)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(killing(Path(place), int(sys.argv[1]) if sys.argv[1:] else KILLS, seed=0))
