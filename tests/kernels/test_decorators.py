"""The decorators of compiled code, the settings they compile with, and what they set for the whole process."""

import platform
import subprocess
import sys

import numba
import numpy as np
import pytest

from minigen.kernels.compiler import jit, numba_inner, numba_plain


def test_constants_and_unsigned_numbers_are_not_compiled_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba_inner, "usable_folder", lambda: None)  # so that it is compiled here and now

    @jit.compiled
    def twice(i):
        return i + i

    @jit.compiled
    def call(n):
        return twice(0) + twice(n) + twice(np.uint64(n))

    assert call(3) == 12
    assert len(twice.signatures) == 1


def test_parts_are_compiled_inside_kernels_only() -> None:
    @jit.part
    def twice(x):
        return x + x

    @jit.part
    def four_times(x):
        return twice(twice(x))

    @jit.jit
    def call(x):
        return four_times(x) + twice(x)

    assert call(3) == 18 and call(0.5) == 3
    with pytest.raises(TypeError, match="twice is a part of kernels"):
        twice(3)


def test_inline_is_as_if_written_in_place() -> None:
    @jit.inline
    def twice(x):
        return x + x

    @jit.part
    def four_times(x):
        return twice(twice(x))

    @jit.jit
    def call(x):
        return four_times(x) + twice(x)

    assert call(3) == 18


@pytest.mark.parametrize("form", [numba_inner, numba_plain])
def test_tasks_of_one_name_in_modules_of_one_name_are_kept_apart(form) -> None:
    """The cache tells kernels apart by name and by the last part of their module's."""

    def work(i, out):
        out[i] = 1

    def other(i, out):
        out[i] = 2

    other.__name__, work.__module__, other.__module__ = "work", "one.loops", "two.loops"
    kernels = [form.launcher(function)() for function in (work, other)]
    if form is numba_inner:
        codegen = kernels[0].targetctx.codegen()
        paths = {kernel._cache.path((), codegen) for kernel in kernels}
    else:
        paths = {kernel._cache._cache_file._index_path for kernel in kernels}
    assert len(paths) == 2


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc's malloc")
def test_freed_memory_is_kept() -> None:
    """An array's pages are faulted in once, not each time the array is made anew."""
    code = """
import resource
import numpy as np
import minigen.kernels.compiler.jit
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(4_000_000, np.float32)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(*[faults() for _ in range(4)])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    counts = [int(count) for count in done.stdout.split()]
    assert counts[0] > 0 and max(counts[2:]) < 100


def test_kernels_never_assume_numbers_are_finite() -> None:
    assert numba_plain.FASTMATH.isdisjoint({"nnan", "ninf", "fast"})
    assert numba.njit is not jit.jit
