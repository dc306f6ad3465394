"""The cache of compiled kernels: keyed by the sources, safe between processes, never in anyone's way."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minigen.kernels.compiler import cache

SIGNATURES = """
import sys
import numpy as np
from minigen.kernels.convolution.gather import copy_padded_image, pack
dtype = sys.argv[1]
x, out = np.arange(4).astype(dtype), np.zeros(16, dtype)
copy_padded_image(1, x, 2, 2, 1, 1, 1, out, 4, 4)
assert out.reshape(4, 4)[1:3, 1:3].ravel().tolist() == [0, 1, 2, 3], out
packed = np.zeros(8, dtype)
pack(1, x, np.zeros(1, np.int64), 1, 2, 2, 0, 0, 2, 1, 4, packed)
assert packed.tolist() == [0, 1, 0, 0, 2, 3, 0, 0], packed
"""


def start(code: str, *arguments: str, **environment: str) -> subprocess.Popen:
    """A process that runs `code`."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env=os.environ | environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process: subprocess.Popen) -> tuple[str, str]:
    """What it printed; fails when it failed."""
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return out, err


def test_folder_is_keyed_by_every_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in sub-folders too, and by where they are."""
    kernels = tmp_path / "kernels"
    shutil.copytree(cache.KERNELS, kernels, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(cache, "KERNELS", kernels)
    names = [cache.cache_folder(), cache.cache_folder()]
    assert names[0] == names[1]
    for folder in [".", *(path.name for path in kernels.iterdir() if path.is_dir())]:
        with (kernels / folder / "__init__.py").open("a") as source:
            source.write("# edited\n")
        names.append(cache.cache_folder())
    (kernels / "rows" / "scalar.py").rename(kernels / "tile" / "scalar.py")
    names.append(cache.cache_folder())
    (kernels / "rows" / "notes.txt").write_text("no source")
    assert len(set(names)) == len(names) - 1 and cache.cache_folder() == names[-1]


def test_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGEN_CACHE", "/a")
    assert cache.cache_folder().parent == Path("/a")
    monkeypatch.delenv("MINIGEN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache.cache_folder().parent == Path("/b/minigen")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/c")
    assert cache.cache_folder().parent == Path("/c/.cache/minigen")


def test_first_run_compiles_aloud_and_the_second_loads(tmp_path: Path) -> None:
    _, said = finish(start(SIGNATURES, "float32", MINIGEN_CACHE=str(tmp_path)))
    assert said.count("compiling kernels") == 1
    _, said = finish(start(SIGNATURES, "float32", MINIGEN_CACHE=str(tmp_path)))
    assert said == ""


def test_processes_at_once_on_an_empty_cache(tmp_path: Path) -> None:
    """Each compiles other signatures of the same functions; afterwards every one must load its own."""
    for process in [start(SIGNATURES, dtype, MINIGEN_CACHE=str(tmp_path)) for dtype in ("float32", "float64") * 2]:
        finish(process)
    for dtype in ("float32", "float64"):
        assert finish(start(SIGNATURES, dtype, MINIGEN_CACHE=str(tmp_path)))[1] == ""


def test_writing_takes_the_lock(tmp_path: Path) -> None:
    """While another process holds the folder's lock, nobody writes there."""
    hold = """
import sys, time
from pathlib import Path
from minigen.kernels.compiler.cache import Lock, cache_folder
cache_folder().mkdir(parents=True)
with Lock(cache_folder()):
    print("held", flush=True)
    sys.stdin.read()
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", hold], env=os.environ | {"MINIGEN_CACHE": str(tmp_path)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    other = start(SIGNATURES, "float32", MINIGEN_CACHE=str(tmp_path))
    with pytest.raises(subprocess.TimeoutExpired):
        other.wait(timeout=2)
    assert not list(tmp_path.rglob("*.nbi"))
    holder.communicate("")
    finish(other)
    assert list(tmp_path.rglob("*.nbi"))


def test_unused_folders_are_removed_when_a_new_one_is_made(tmp_path: Path) -> None:
    """Those of other sources, after a month, unless a process still has them open; nothing else in there."""
    names = {"fresh": "0" * 16, "old": "1" * 16, "held": "2" * 16, "foreign": "mine"}
    for name, folder in names.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "used").touch()
        if name != "fresh":
            os.utime(tmp_path / folder / "used", (0, 0))
    load = "from minigen.kernels.compiler.cache import usable_folder; print(usable_folder())"
    with (tmp_path / names["held"] / "used").open() as mark:
        fcntl.flock(mark, fcntl.LOCK_SH)
        folder = Path(finish(start(load, MINIGEN_CACHE=str(tmp_path)))[0].strip())
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {
        folder.name, names["fresh"], names["held"], names["foreign"]
    }  # fmt: skip
    os.utime(folder / "used", (0, 0))
    finish(start(load, MINIGEN_CACHE=str(tmp_path)))
    assert (folder / "used").stat().st_mtime > 0  # use is noted
    assert (tmp_path / names["held"]).exists()  # no folder was made, so nothing was removed


def test_unwritable_folder_works_and_says_so_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    _, said = finish(start(SIGNATURES, "float32", MINIGEN_CACHE=str(tmp_path / "file" / "cache")))
    assert said.count("can not be kept") == 1 and "MINIGEN_CACHE" in said
    assert said.count("compiling kernels") == 1


def test_damaged_files_are_compiled_again(tmp_path: Path) -> None:
    finish(start(SIGNATURES, "float32", MINIGEN_CACHE=str(tmp_path)))
    files = [*tmp_path.rglob("*.nbc"), *tmp_path.rglob("*.nbi")]
    assert files
    for file in files:
        file.write_bytes(file.read_bytes()[:100])
    finish(start(SIGNATURES, "float32", MINIGEN_CACHE=str(tmp_path)))


def test_other_users_of_numba_keep_their_cache(tmp_path: Path) -> None:
    code = """
import numba
from pathlib import Path
Path("mine.py").write_text("import numba\\n@numba.njit(cache=True)\\ndef f(x):\\n    return x + 1\\n")
before = numba.config.CACHE_DIR
import minigen.kernels.convolution.gather
import sys
sys.path.insert(0, "")
import mine
mine.f(1)
assert numba.config.CACHE_DIR == before
print(mine.f.stats.cache_path)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"MINIGEN_CACHE": str(tmp_path / "ours")},
    )  # fmt: skip
    out, _ = finish(process)
    assert Path(out.strip()) == tmp_path / "__pycache__"
