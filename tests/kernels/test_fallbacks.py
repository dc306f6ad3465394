"""Machines that lack something: it runs, says once what it does instead, and the numbers stay the same.

Each case is a process of its own, since vector extensions, cores and Numba are looked at when minigen is imported.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

# Kernels of every family against their twins, of sizes that are shared out among threads and fill no tile evenly.
# Prints a digest of all results.
COMPUTE = """
import hashlib
import numpy as np
import minigen as mg
from minigen import kernels
from minigen.kernels import reference

rng = np.random.default_rng(0)
def draw(*shape):
    return rng.standard_normal(shape, np.float32)

def calls():
    yield "matmul", draw(67, 130), draw(130, 259)
    yield "matmul", draw(130, 67).T, draw(259, 130).T
    for depth, columns, stride, padding in ((1, 21, (1, 1), (1, 1, 1, 1)), (33, 35, (2, 2), (2, 1, 2, 1))):
        x, w = draw(9, 15, 14, depth), draw(3, 3, depth, columns)
        options = stride, padding, (1, 1), 1
        gy = reference.conv2d(x, w, *options)
        yield "conv2d", x, w, *options
        yield "conv2d_input_grad", gy, w, x.shape[1:3], *options
        yield "conv2d_weight_grad", x, gy, (3, 3), *options
    yield "leaky_relu", draw(90001), 0.2
    yield "dropout", draw(90001), 7, 0.3
    yield "batch_norm", draw(4000, 33), draw(33), draw(33), 1e-5

digest = hashlib.sha256()
for name, *arguments in calls():
    results, expected = getattr(kernels, name)(*arguments), getattr(reference, name)(*arguments)
    for one, twin in zip(*((r if isinstance(r, tuple) else (r,)) for r in (results, expected)), strict=True):
        np.testing.assert_allclose(one, twin, rtol=1e-5, atol=1e-5 * np.abs(twin).max(), err_msg=name)
        digest.update(one.tobytes())
print(digest.hexdigest())
"""
X86_64 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="extensions of x86-64")
TILE = "from minigen.kernels.tile.shape import ROWS, VECTORS, VECTOR_BYTES; print(ROWS, VECTORS, VECTOR_BYTES)\n"


def run(code: str, **environment: str) -> tuple[list[str], str]:
    """The lines that a process prints, and all that it says on stderr."""
    kept = {name: value for name, value in os.environ.items() if name not in ("MINIGEN_THREADS", "MINIGEN_BACKEND")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


@X86_64
@pytest.mark.parametrize(
    ("processor", "features", "tile"),
    [
        ("haswell", "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma", "6 2 32"),
        pytest.param("x86-64", "+sse,+sse2", "3 4 16", marks=pytest.mark.slow),
    ],
)
def test_without_avx512_and_without_avx(processor: str, features: str, tile: str) -> None:
    """Tiles for smaller register files. Code for this and for other processors lies in one cache folder."""
    (shape, _), said = run(TILE + COMPUTE, NUMBA_CPU_NAME=processor, NUMBA_CPU_FEATURES=features)
    assert shape == tile
    assert said.replace("\n", "").strip() == "" or said.count("compiling kernels") == said.count("\n") == 1


def test_any_number_of_threads_gives_the_same_bits() -> None:
    digests, said = zip(
        run(COMPUTE),
        run(COMPUTE, MINIGEN_THREADS="1"),
        run("import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n" + COMPUTE),
        run(COMPUTE, MINIGEN_THREADS="64"),
        run("import minigen\nminigen.config.threads = 64\nminigen.config.threads = 64\n" + COMPUTE),
        strict=True,
    )
    assert all(digest == digests[0] for digest in digests)
    assert [text.count("64 threads asked for; using") for text in said] == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("threads", ["0", "-1", "two"])
def test_no_number_of_threads_is_one_error(threads: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "minigen", "train", "gan", "--out", str(tmp_path / "run")],
        env=os.environ | {"MINIGEN_THREADS": threads}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"minigen: error: MINIGEN_THREADS is '{threads}'; use a whole number from 1 to")
    assert done.stderr.count("\n") == 1 and not (tmp_path / "run").exists()


@pytest.mark.parametrize("failure", ["ImportError('needs another NumPy')", "AttributeError('no _core')", "SystemError"])
def test_broken_numba(failure: str, tmp_path: Path) -> None:
    """An installation that fails on import, with whatever it raises."""
    (tmp_path / "numba.py").write_text(f"raise {failure}\n")
    (_, backend, name), said = run(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + COMPUTE
        + "print(mg.config.backend)\nfrom minigen import info\nprint(dict(info.collect())['backend'])\n"
    )  # fmt: skip
    assert backend == "numpy" and name.startswith("numpy")
    assert said.count("Numba can not be used") == 1 and failure.partition("(")[0] in said


def test_unwritable_cache_folder_gives_the_same_numbers(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    code = """
import numpy as np
from minigen import kernels
x = np.linspace(-2, 2, 90001, dtype=np.float32)
print(kernels.leaky_relu(x, 0.2).sum(), kernels.sigmoid(x).sum(), kernels.dropout(x, 7, 0.3).sum())
"""
    numbers, said = run(code, MINIGEN_CACHE=str(tmp_path / "file" / "cache"), TMPDIR=str(tmp_path))
    assert said.count("can not be kept") == said.count("compiling kernels") == 1
    assert run(code)[0] == numbers
