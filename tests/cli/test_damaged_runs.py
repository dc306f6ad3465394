"""Run folders damaged in every way: each command works rightly or says one line, and nothing altered is accepted.

`python tests/cli/test_damaged_runs.py 800` tries so many cases and prints what it found; they run in a process of their
own, without compiled kernels, so that what takes memory or hangs is seen.
"""

import contextlib
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FILES = ("recipe.json", "run.json", "metrics.csv", "checkpoint.safetensors", "samples/step-000006.png")
TRAINING = ["--epochs", "2", "--batch-size", "16", "--hidden", "8", "--latent", "2"]
ODD = ["1e999", "-1", "0", "1" * 30, "-1e-400", "NaN", "null", '"text"', "true", "[]", "{}", "0.5", "99999999999"]
SECONDS = 30  # a case that takes longer hangs
GIGABYTES = 4.0


# ---------------------------------------------------------------- what may happen to a file


def flip(path: Path, rng: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 8])):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    path.write_bytes(raw)


def truncate(path: Path, rng: random.Random) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[: rng.choice([0, 1, len(raw) - 1, rng.randrange(len(raw))])])


def extend(path: Path, rng: random.Random) -> None:
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.choice([1, 100])))


def garble(path: Path, rng: random.Random) -> None:
    path.write_bytes(rng.randbytes(rng.choice([3, 1000])))


def swap(path: Path, rng: random.Random) -> None:
    """Two stretches of the file change places."""
    raw = bytearray(path.read_bytes())
    a, b = sorted(rng.sample(range(len(raw) - 8), 2))
    raw[a : a + 8], raw[b : b + 8] = raw[b : b + 8], raw[a : a + 8]
    path.write_bytes(raw)


def remove(path: Path, rng: random.Random) -> None:
    path.unlink()


def rename(path: Path, rng: random.Random) -> None:
    path.rename(path.with_name(path.name + rng.choice(["~", ".bak", "-old-1"])))


def pipe(path: Path, rng: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()


def loop(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.symlink_to(path.name)


def endless(path: Path, rng: random.Random) -> None:
    """A file of eight gigabytes of nothing."""
    with open(path, "r+b") as file:
        file.truncate(2**33)


def nested(path: Path, rng: random.Random) -> None:
    path.write_text(rng.choice(["[", '{"recipe":']) * 100_000)


def edit(path: Path, rng: random.Random) -> None:
    """One number of the text becomes another value, or something that is none."""
    words = path.read_text(encoding="latin-1")
    places = [i for i, c in enumerate(words) if c.isdigit()]
    at = rng.choice(places)
    path.write_text(words[:at] + rng.choice([*ODD, "3", "7"]) + words[at + 1 :], encoding="latin-1")


def replace(path: Path, rng: random.Random) -> None:
    """One value of the document becomes another one."""
    document = json.loads(path.read_text())
    part = document
    while True:
        key = rng.choice(list(part))
        if not isinstance(part[key], dict) or not part[key] or rng.random() < 0.2:
            break
        part = part[key]
    part[key] = "@"
    path.write_text(json.dumps(document).replace('"@"', rng.choice(ODD)))


def other_run(path: Path, rng: random.Random) -> None:
    """The file of a run with another recipe."""
    shutil.copy(path.parent.parent / "other" / path.name, path)


EVERY: list[Callable[[Path, random.Random], None]] = [flip, truncate, extend, garble, swap, remove, rename]
EVERY += [pipe, folder, loop, endless]
DOCUMENT = [nested, edit, replace]
MORE = {"recipe.json": [*DOCUMENT, other_run], "run.json": [*DOCUMENT, other_run], "metrics.csv": [edit, other_run]}
MORE["checkpoint.safetensors"] = [other_run]


# ---------------------------------------------------------------- what comes of it


class Hangs(BaseException):
    """A command took too long."""


def attempt(argv: list[str]) -> tuple[int, str, str]:
    """Exit code, what was said, and what is wrong with how it was said."""
    from minigen import cli

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(argv)
    said = err.getvalue()
    wrong = "" if not code or (said.startswith("minigen: error:") and said.count("\n") == 1) else f"said {said!r}"
    return code, out.getvalue() + said, wrong


def contents(run: Path) -> dict[str, bytes | None]:
    """Every file by name; None for what is too large to be one of a run, or none."""
    paths = [path for path in run.rglob("*") if not path.is_dir() or path.is_symlink()]
    usual = {path: path.is_file() and path.stat().st_size < 2**20 for path in paths}
    return {str(path.relative_to(run)): path.read_bytes() if usual[path] else None for path in paths}


def findings(place: Path, seed: int, outcomes: Counter[str]) -> list[str]:
    """What is wrong with how the commands take one damaged copy of place/whole."""
    import minigen as mg

    rng = random.Random(seed)
    name = rng.choice(FILES)
    damage = rng.choice(EVERY + MORE.get(name, []))
    run = place / f"run-{seed}"
    shutil.copytree(place / "whole", run)
    before = contents(run)
    damage(run / name, rng)
    after, found, case = contents(run), [], f"{seed}: {damage.__name__} {name}"
    altered = after != before
    try:
        signal.alarm(SECONDS)
        codes = {}
        out = str(place / "grid.png")
        for argv in (["list", str(place)], ["list", str(run)], ["compare", str(run), str(place / "whole"), "-o", out]):
            codes[argv[0]], _, wrong = attempt(argv)
            found += [f"{case}: {argv[0]} {wrong}"] if wrong else []
        codes["sample"], _, wrong = attempt(["sample", str(run), "-n", "2", "-o", out])
        found += [f"{case}: sample {wrong}"] if wrong else []
        try:
            mg.load(run)
            loaded = True
        except mg.MinigenError:
            loaded = False
        if altered and name == "checkpoint.safetensors" and (loaded or codes["sample"] == 0):
            found.append(f"{case}: an altered checkpoint is accepted")
        if contents(run) != after:
            found.append(f"{case}: reading changed something")
        code, said, wrong = attempt(["train", "--resume", str(run), "--epochs", "3"])
        found += [f"{case}: resume {wrong}"] if wrong else []
        outcomes["refused" if code else "went on"] += 1
        if code == 0:
            same = (run / "checkpoint.safetensors").read_bytes() == (
                place / "longer/checkpoint.safetensors"
            ).read_bytes()
            same &= (run / "metrics.csv").read_bytes() == (place / "longer/metrics.csv").read_bytes()
            if not same and "metrics.csv is missing" not in said:
                found.append(f"{case}: went on to another end, without a word")
    except Hangs:
        found.append(f"{case}: hangs")
    except Exception as error:
        found.append(f"{case}: {type(error).__name__}: {str(error)[:200]}")
    finally:
        signal.alarm(0)
    shutil.rmtree(run)
    return found


def tried(place: Path, cases: int) -> dict[str, Any]:
    """The findings of so many cases, and the most memory that the process took, in GB."""
    from minigen import plots

    def hangs(*_: Any) -> None:
        raise Hangs

    signal.signal(signal.SIGALRM, hangs)
    plots.save_curves = plots.save_runs = lambda *_, **__: None  # which would take most of the time
    pixels = np.random.default_rng(0).integers(0, 256, (44, 8, 8), np.uint8)
    np.savez(place / "digits.npz", images=pixels)
    data = ["--data", str(place / "digits.npz")]
    for name, flags in {"whole": [], "longer": ["--epochs", "3"], "other": ["--latent", "3"]}.items():
        code, said, _ = attempt(["train", "vae", *TRAINING, *data, *flags, "--out", str(place / name)])
        assert code == 0, said
    outcomes = Counter[str]()
    found = [finding for seed in range(cases) for finding in findings(place, seed, outcomes)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"cases": cases, **outcomes, "gigabytes": round(peak, 2), "findings": found}


def in_a_process(cases: int) -> dict[str, Any]:
    """`tried` in a process of its own."""
    environment = {**os.environ, "MINIGEN_BACKEND": "numpy"}
    said = subprocess.run([sys.executable, __file__, str(cases)], env=environment, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout.splitlines()[-1])


@pytest.mark.parametrize("cases", [12, pytest.param(1000, marks=pytest.mark.slow)])
def test_damaged_runs_are_told_in_one_line(cases: int):
    result = in_a_process(cases)
    assert result["findings"] == [] and result["gigabytes"] < GIGABYTES


if __name__ == "__main__":
    os.environ.setdefault("MINIGEN_BACKEND", "numpy")
    with tempfile.TemporaryDirectory() as there:
        result = tried(Path(there), int(sys.argv[1]))
    print(Counter(finding.split(": ")[1] for finding in result["findings"]), file=sys.stderr)
    print(json.dumps(result))
