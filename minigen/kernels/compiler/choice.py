"""Which of Numba's interfaces kernels are compiled by: the inner ones, which are faster, or the public ones alone.

Inner interfaces may change with any release. TESTED names the releases that the test suite runs on. With another one a
process of its own first holds some kernels against their twins (`minigen/kernels/self_test.py`), so that not even a
crash does harm; what it found is kept beside the compiled kernels. MINIGEN_NUMBA=inner or plain decides without asking.
"""

import contextlib
import os
import platform
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import numba

from minigen.errors import ArgumentError
from minigen.kernels.compiler import kept
from minigen.kernels.compiler.cache import usable_folder
from minigen.kernels.compiler.process import SETTINGS

TESTED = ("0.68.",)  # releases of Numba, as they begin
FORMS = ("inner", "plain")
SIGKILL = 9
PATIENCE_SECONDS = 600  # for a self-test, which compiles


def choose() -> str:
    """The form, "inner" or "plain"; says so, once, when it is plain because inner does not work.

    Raises ImportError when neither works or NUMBA_DISABLE_JIT is set, ArgumentError for another MINIGEN_NUMBA.
    """
    if SETTINGS.DISABLE_JIT:
        raise ImportError("NUMBA_DISABLE_JIT is set, which leaves kernels to the interpreter")
    asked = os.environ.get("MINIGEN_NUMBA", "")
    if asked and asked not in FORMS:
        raise ArgumentError(f"MINIGEN_NUMBA is {asked!r}; use inner or plain")
    if asked:
        return asked
    form, failure = by_import() if numba.__version__.startswith(TESTED) else by_self_test()
    if form not in FORMS:
        raise ImportError(
            f"kernels fail their self-test with Numba {numba.__version__}: {failure}; install Numba {TESTED[-1]}x"
        )
    if form == "plain":
        warnings.warn(
            f"minigen: Numba {numba.__version__} lacks something that fast kernels are built on ({failure}); using its "
            f"public interface alone, which is slower. Numba {TESTED[-1]}x has it",
            stacklevel=2,
        )
    return form


def by_import() -> tuple[str, str]:
    """(form, what failed) for a Numba whose inner interfaces work if they are there."""
    try:
        import_module("minigen.kernels.compiler.numba_inner")
    except Exception as error:  # anything may be different
        return "plain", f"{type(error).__name__}: {error}"
    return "inner", ""


def by_self_test() -> tuple[str, str]:
    """(form, what failed) as an earlier process noted, or as the self-test says now; form "none" when both fail."""
    folder = usable_folder()
    file = None if folder is None else folder / f"numba-{sys.implementation.cache_tag}-{platform.machine()}"
    noted_before = None if file is None else kept.read(file)
    if noted_before is not None:
        form, _, failure = noted_before.decode().partition(" ")
        return form, failure
    if sys.stderr is not None:
        print(f"minigen: Numba {numba.__version__} is new here; trying it takes up to a minute, once", file=sys.stderr)
    failures = []
    try:
        for form in FORMS:
            failure = self_test(form)
            if failure is None:
                return noted(file, form, *failures)
            failures.append(failure)
    except (OSError, subprocess.SubprocessError) as error:  # it says nothing of Numba, so it is tried again
        return "plain", f"trying it was not possible: {error}"
    return noted(file, "none", *failures)


def noted(file: Path | None, form: str, *failures: str) -> tuple[str, str]:
    """The result of the self-tests, of which the first failure is told, put into the file."""
    failure = failures[0] if failures else ""
    if file is not None:
        with contextlib.suppress(OSError):  # of a full disk: then it is tried again
            kept.write(file, f"{form} {failure}".encode())
    return form, failure


def self_test(form: str) -> str | None:
    """Why the self-test fails in this form, in a process of its own; None when it passes.

    Raises OSError or SubprocessError when it could not be run to its end.
    """
    path = os.pathsep.join(sys.path)
    environment = os.environ | {"MINIGEN_NUMBA": form, "MINIGEN_BACKEND": "numba", "PYTHONPATH": path}
    command = [sys.executable, "-m", "minigen.kernels.self_test"]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    if done.returncode == -SIGKILL:
        raise subprocess.SubprocessError("it was killed")  # by somebody, or for want of memory
    if done.returncode < 0:
        return f"it was ended by signal {-done.returncode}"
    said = done.stderr.strip().splitlines()
    return None if done.returncode == 0 else said[-1] if said else f"it ended with status {done.returncode}"


FORM = choose()
INNER = FORM == "inner"
