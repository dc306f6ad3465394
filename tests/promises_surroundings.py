"""Promises of odd surroundings: settings of other programs, closed outputs, forks, folders that are gone."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from promises import Promise, promise

from minigen import plots
from minigen.config import Config
from minigen.errors import ArgumentError
from minigen.training import Progress

CASES: list[Promise] = []
ROOT = Path(__file__).resolve().parent.parent
HISTORY = {"step": [1, 2, 3], "loss": [3.0, 1.0, 2.0]}
PLOT = f"""
from minigen import plots
from minigen.plots.canvas import load_matplotlib
settings = load_matplotlib().rcParams
settings.update({{"lines.linewidth": 9, "font.family": "serif", "savefig.bbox": "tight", "figure.dpi": 30}})
plots.save_curves("curves.png", {HISTORY}, title="losses")
assert settings["lines.linewidth"] == 9
"""
SHEET = """
import numpy as np
from minigen import plots
plots.save_grid("grid.png", np.zeros((4, 8, 8)), title="samples")
"""
COMPUTE = """
import numpy as np
from minigen import kernels
x = np.linspace(-2, 2, 90001, dtype=np.float32)
print(float(kernels.leaky_relu(x, 0.2).sum()), flush=True)
"""
SUM = "36000.80078125"


def run(code: str, folder: Path, **environment: Any) -> tuple[str, str]:
    """What a process prints and says; a variable that is None is taken out of its environment."""
    changed = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    kept = {name: value for name, value in changed.items() if value is not None}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=kept, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def picture(folder: Path) -> str:
    return hashlib.sha256((folder / "curves.png").read_bytes()).hexdigest()


@promise(CASES, "an odd `MPLBACKEND` or matplotlibrc", "pictures are the same bytes; what is broken is said")
def settings_of_matplotlib(folder: Path) -> None:
    plots.save_curves(folder / "curves.png", HISTORY, title="losses")
    expected = picture(folder)
    (folder / "matplotlibrc").write_bytes(b"\xff\xfe\0nothing")
    for code in (PLOT, SHEET):  # a sheet takes its letters from there, too
        _, said = run(code, folder, MPLBACKEND="no such thing")
        assert said.count("Matplotlib can not start with its settings") == 1
    assert picture(folder) == expected


@promise(CASES, "`NUMBA_DISABLE_JIT=1`", "the plain NumPy kernels are used, and that is said")
def without_jit(folder: Path) -> None:
    printed, said = run(COMPUTE, folder, NUMBA_DISABLE_JIT="1")
    assert printed == SUM and said.count("NUMBA_DISABLE_JIT is set") == 1


@promise(CASES, "a `NUMBA_` setting that is none", "Numba's own value is used, and that is one line")
def odd_setting(folder: Path) -> None:
    printed, said = run(COMPUTE, folder, NUMBA_OPT="fast")
    assert printed == SUM and said.count("minigen: ") == 1 and "NUMBA_OPT" in said and "Traceback" not in said


@promise(CASES, "`NUMBA_THREADING_LAYER` of a layer that is not there", "another one is used, and that is said")
def missing_layer(folder: Path) -> None:
    printed, said = run(COMPUTE, folder, NUMBA_THREADING_LAYER="nonsense")
    assert printed == SUM and said.count("NUMBA_THREADING_LAYER=nonsense") == 1


@promise(CASES, "`os.fork()` after kernels ran", "kernels run in the child, on its one thread, with the same numbers")
def forked(folder: Path) -> None:
    child = """
import os
pid = os.fork()
if pid:
    assert os.waitpid(pid, 0)[1] == 0
print(float(kernels.leaky_relu(x, 0.2).sum()), flush=True)
"""
    assert run(COMPUTE + child, folder)[0].split() == [SUM] * 3


@promise(CASES, "standard output and error closed (`>&- 2>&-`)", "commands run, and no file takes the output")
def closed_outputs(folder: Path) -> None:
    command = f"{sys.executable} -m minigen list . >&- 2>&-"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run(command, shell=True, cwd=folder, env=environment, check=False).returncode == 0
    assert list(folder.iterdir()) == []


@promise(CASES, "a terminal of ASCII alone", "signs that it lacks are replaced")
def ascii_terminal(folder: Path) -> None:
    with open(folder / "terminal", "w", encoding="ascii") as stream, Progress(2, stream=stream) as progress:
        progress.update(2, loss=1.0)
    assert "step 2 of 2" in (folder / "terminal").read_text()


@promise(CASES, "no `HOME`, a working directory that was removed", "it works")
def nowhere(folder: Path) -> None:
    code = "import os, pathlib\nos.rmdir(os.getcwd())\n" + COMPUTE
    (folder / "gone").mkdir()
    printed, _ = run(code, folder / "gone", HOME=None, TMPDIR=str(folder), MINIGEN_BACKEND="numpy")
    assert printed == SUM


@promise(CASES, "`MINIGEN_THREADS`, `MINIGEN_DTYPE` … of any content", "ArgumentError that names the variable")
def odd_variables(folder: Path) -> None:
    for value in ("", " ", "0", "-1", "1e3", "½", "٣x", "9" * 5000, "🙂", "None", "1;2"):
        for name in ("MINIGEN_THREADS", "MINIGEN_DTYPE", "MINIGEN_BACKEND"):
            with pytest.raises(ArgumentError, match=f"{name} is "):
                Config.from_environment({name: value})
