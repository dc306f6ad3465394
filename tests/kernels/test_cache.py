"""The cache of compiled kernels: keyed by the sources, safe between processes, never in anyone's way."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minigen.kernels.compiler import cache, kept

SIGNATURES = """
import sys
import numpy as np
from minigen.kernels.convolution.gather import pack
from minigen.kernels.convolution.places import copy_padded_image
dtype = sys.argv[1]
x, out = np.arange(4).astype(dtype), np.zeros(16, dtype)
copy_padded_image(1, x, 2, 2, 1, 1, 1, out, 4, 4)
assert out.reshape(4, 4)[1:3, 1:3].ravel().tolist() == [0, 1, 2, 3], out
packed = np.zeros(8, dtype)
pack(1, x, np.zeros(1, np.int64), 1, 2, 2, 0, 0, 2, 1, 4, packed)
assert packed.tolist() == [0, 1, 0, 0, 2, 3, 0, 0], packed
"""

FOLDER = "from minigen.kernels.compiler.cache import usable_folder; print(usable_folder())"


def files_of(folder: Path) -> list[Path]:
    """The files of compiled code below a folder."""
    return [path for path in sorted(folder.rglob("*")) if "-" in path.name and path.is_file()]


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


def test_unused_folders_are_removed_when_a_new_one_is_made(tmp_path: Path) -> None:
    """Those of other sources, after a month, unless a process still has them open; nothing else in there."""
    names = {"fresh": "0" * 16, "old": "1" * 16, "held": "2" * 16, "foreign": "mine"}
    for name, folder in names.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "used").touch()
        if name != "fresh":
            os.utime(tmp_path / folder / "used", (0, 0))
    with (tmp_path / names["held"] / "used").open() as mark:
        fcntl.flock(mark, fcntl.LOCK_SH)
        folder = Path(finish(start(FOLDER, MINIGEN_CACHE=str(tmp_path)))[0].strip())
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {
        folder.name, names["fresh"], names["held"], names["foreign"]
    }  # fmt: skip
    os.utime(folder / "used", (0, 0))
    finish(start(FOLDER, MINIGEN_CACHE=str(tmp_path)))
    assert (folder / "used").stat().st_mtime > 0  # use is noted
    assert (tmp_path / names["held"]).exists()  # no folder was made, so nothing was removed


def other_user(folder: Path) -> None:
    """Give a folder to another user; skips where this user can not."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.chown(folder, 12345, 12345)


@pytest.mark.parametrize(
    "fault",
    ["open to all", *(pytest.param(f, marks=pytest.mark.slow) for f in ("a file", "somebody else's", "group's"))],
)
def test_a_folder_that_can_not_be_trusted_is_left_for_a_private_one(fault: str, tmp_path: Path) -> None:
    """It says so once, and the private one is kept for the next process."""
    places = {"MINIGEN_CACHE": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    if fault == "a file":
        (tmp_path / "cache").write_text("not a folder")
    else:
        finish(start(FOLDER, **places))
        (folder,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
        if fault == "somebody else's":
            other_user(folder)
        folder.chmod({"open to all": 0o777, "group's": 0o775}.get(fault, 0o755))
    for compiling in (1, 0):
        _, said = finish(start(SIGNATURES, "float32", **places))
        assert said.count("can not be kept") == 1 and "MINIGEN_CACHE" in said
        assert said.count("compiling kernels") == compiling
    private = tmp_path / f"minigen-{os.geteuid()}"
    assert f"keeping them in {private}" in said and files_of(private)
    assert private.stat().st_mode & 0o022 == 0


def test_without_any_folder_it_works_and_says_so_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / f"minigen-{os.geteuid()}").write_text("neither")
    _, said = finish(start(SIGNATURES, "float32", MINIGEN_CACHE=str(tmp_path / "file" / "cache"), TMPDIR=str(tmp_path)))
    assert said.count("compiles them anew") == 1 and "MINIGEN_CACHE" in said
    assert said.count("compiling kernels") == 1


def test_a_private_folder_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / f"minigen-{os.geteuid()}").mkdir()
    other_user(tmp_path / f"minigen-{os.geteuid()}")
    _, said = finish(start(FOLDER, MINIGEN_CACHE=str(tmp_path / "file" / "cache"), TMPDIR=str(tmp_path)))
    assert said.count("compiles them anew") == 1


READ_ONLY = """
import os
opened = os.open
def refuse(path, flags, *rest, **options):
    if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and str(path).startswith(os.environ["MINIGEN_CACHE"]):
        raise OSError(30, "Read-only file system", str(path))
    return opened(path, flags, *rest, **options)
os.open = refuse
"""


def test_a_warm_folder_that_can_not_be_written_is_used(tmp_path: Path) -> None:
    """What it lacks is compiled, and that it is lost is said once."""
    finish(start(SIGNATURES, "float32", MINIGEN_CACHE=str(tmp_path)))
    before = sorted(tmp_path.rglob("*"))
    assert finish(start(READ_ONLY + SIGNATURES, "float32", MINIGEN_CACHE=str(tmp_path)))[1] == ""
    _, said = finish(start(READ_ONLY + SIGNATURES, "float64", MINIGEN_CACHE=str(tmp_path)))
    assert said.count("can not be saved") == said.count("compiling kernels") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_by_another_way_is_used(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    finish(start(SIGNATURES, "float32", MINIGEN_CACHE=str(tmp_path / "link")))
    assert finish(start(SIGNATURES, "float32", MINIGEN_CACHE=str(tmp_path / "there")))[1] == ""


def damage(fault: str, one: Path, other: Path) -> None:
    """What may become of two files on a disk."""
    if fault == "exchanged":
        contents = one.read_bytes(), other.read_bytes()
        other.write_bytes(contents[0])
        one.write_bytes(contents[1])
    for path in (one, other):
        whole = bytearray(path.read_bytes())
        if fault == "a bit":
            whole[len(whole) // 2] ^= 16
        path.write_bytes({"cut": whole[:-1], "empty": b"", "longer": whole + b"\0"}.get(fault, whole))
        if fault == "somebody else's":
            path.chmod(0o666)


@pytest.mark.parametrize(
    ("fault", "form"),
    [
        ("a bit", "inner"),
        *(
            pytest.param(fault, form, marks=pytest.mark.slow)
            for form in ("inner", "plain")
            for fault in ("a bit", "cut", "empty", "longer", "exchanged", "somebody else's")
        ),
    ],
)
def test_damaged_files_are_compiled_again(fault: str, form: str, tmp_path: Path) -> None:
    """And then kept anew."""
    environment = {"MINIGEN_CACHE": str(tmp_path), "MINIGEN_NUMBA": form}
    finish(start(SIGNATURES, "float32", **environment))
    kernels = [path for path in files_of(tmp_path) if path.suffix != ".nbi"]
    assert len(kernels) == 2
    damage(fault, *kernels)
    damaged = [path.stat().st_mtime_ns for path in kernels]
    for compiling in (1, 0):
        _, said = finish(start(SIGNATURES, "float32", **environment))
        assert form == "plain" or said.count("compiling kernels") == compiling
    assert all(path.stat().st_mtime_ns > time for path, time in zip(kernels, damaged, strict=True))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 10))])
def test_any_changed_byte_is_noticed(seed: int, tmp_path: Path) -> None:
    """Flipped bits, cuts and insertions anywhere in a file, at random."""
    rng = np.random.default_rng(seed)
    path = tmp_path / "kernel"
    kept.write(path, rng.bytes(20_000))
    whole = path.read_bytes()
    assert kept.read(path) == whole[kept.DIGEST_BYTES :]
    for _ in range(500):
        changed, at = bytearray(whole), int(rng.integers(len(whole)))
        match rng.integers(3):
            case 0:
                changed[at] ^= 1 << int(rng.integers(8))
            case 1:
                del changed[at:]
            case _:
                changed[at:at] = rng.bytes(1 + int(rng.integers(64)))
        path.write_bytes(changed)
        assert kept.read(path) is None


@pytest.mark.slow
def test_kernels_with_flipped_bits_never_run(tmp_path: Path) -> None:
    """Each process finds every file with some bits flipped: the same numbers, no crash."""
    finish(start(SIGNATURES, "float32", MINIGEN_CACHE=str(tmp_path)))
    rng = np.random.default_rng(0)
    for _ in range(12):
        for path in files_of(tmp_path):
            changed = bytearray(path.read_bytes())
            for at in rng.integers(len(changed), size=1 + int(rng.integers(20))):
                changed[at] ^= 1 << int(rng.integers(8))
            path.write_bytes(changed)
        assert finish(start(SIGNATURES, "float32", MINIGEN_CACHE=str(tmp_path)))[1].count("compiling kernels") == 1


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
