"""Which of Numba's interfaces kernels are built on: a Numba that changed breaks no import, no training, no number."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minigen.errors import ArgumentError
from minigen.kernels.compiler import cache, choice

COMPUTE = """
import sys
import warnings
import numpy as np
warnings.simplefilter("always")
import minigen
from minigen import kernels
from minigen.kernels import reference
rng = np.random.default_rng(0)
a, b, x = (rng.standard_normal(shape, np.float32) for shape in ((67, 300), (300, 131), 90001))
for name, arguments in (("matmul", (a, b)), ("leaky_relu", (x, 0.2))):
    np.testing.assert_allclose(getattr(kernels, name)(*arguments), getattr(reference, name)(*arguments), 1e-4, 1e-4)
module = sys.modules.get("minigen.kernels.compiler.choice")
print(minigen.config.backend, getattr(module, "FORM", ""))
"""
WITHOUT_INNER = "import numba.core.codegen\ndel numba.core.codegen.JITCodeLibrary\n"


def run(code: str, **environment: str) -> tuple[str, str]:
    """What a process prints, and all that it says on stderr."""
    kept = {name: value for name, value in os.environ.items() if name not in ("MINIGEN_NUMBA", "MINIGEN_BACKEND")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def inner_imports(source: str) -> list[str]:
    """Modules of Numba and llvmlite that a source imports, apart from Numba's public ones."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found += [name for name in names if name.split(".")[0] in ("numba", "llvmlite") and name != "numba"]
    return found


def test_inner_interfaces_stand_in_two_files() -> None:
    sources = {
        str(path.relative_to(cache.KERNELS)): inner_imports(path.read_text()) for path in cache.KERNELS.rglob("*.py")
    }
    assert {name for name, found in sources.items() if found} == {"compiler/numba_inner.py", "compiler/chain.py"}


def test_this_numba_is_a_tested_one() -> None:
    assert choice.FORM == "inner" and choice.by_import() == ("inner", "")


def test_a_missing_inner_name_is_said_once_and_done_without() -> None:
    printed, said = run(WITHOUT_INNER + COMPUTE)
    assert printed == "numba plain"
    assert said.count("lacks something") == 1 and "JITCodeLibrary" in said and "slower" in said


def test_a_numba_without_public_names_leaves_the_twins() -> None:
    printed, said = run("import numba\ndel numba.config\n" + COMPUTE)
    assert printed.split() == ["numpy"]
    assert said.count("Numba can not be used") == 1


def test_another_choice_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGEN_NUMBA", "fast")
    with pytest.raises(ArgumentError, match="MINIGEN_NUMBA is 'fast'; use inner or plain"):
        choice.choose()


@pytest.mark.parametrize("failures", [{}, {"inner": "matmul differs"}, {"inner": "first", "plain": "second"}], ids=str)
def test_a_new_numba_is_tried_once(failures: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def self_test(form: str) -> str | None:
        tried.append(form)
        return failures.get(form)

    monkeypatch.delenv("MINIGEN_NUMBA", raising=False)
    monkeypatch.setattr(choice.numba, "__version__", "9.9.0")
    monkeypatch.setattr(choice, "self_test", self_test)
    monkeypatch.setattr(choice, "usable_folder", lambda: tmp_path)
    forms = ["inner", "plain"][: len(failures) + 1]
    for _ in range(2):
        if not failures:
            assert choice.choose() == "inner"
        elif len(failures) == 1:
            with pytest.warns(UserWarning, match=r"Numba 9.9.0 lacks something .*matmul differs"):
                assert choice.choose() == "plain"
        else:
            with pytest.raises(ImportError, match=r"self-test with Numba 9.9.0: first"):
                choice.choose()
        assert tried == forms


def test_a_self_test_that_was_killed_says_nothing_of_numba(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = "import os, signal\nif os.environ.get('MINIGEN_NUMBA') == 'inner': os.kill(os.getpid(), signal.SIGKILL)"
    (tmp_path / "sitecustomize.py").write_text(killed)
    (tmp_path / "noted").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(choice, "usable_folder", lambda: tmp_path / "noted")
    assert choice.by_self_test() == ("plain", "trying it was not possible: it was killed")
    assert [*(tmp_path / "noted").iterdir()] == []


@pytest.mark.parametrize("form", ["inner", pytest.param("plain", marks=pytest.mark.slow)])
def test_both_forms_pass_the_self_test(form: str) -> None:
    assert choice.self_test(form) is None


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        # numbers: lanes of a vector stay where they are
        ("import llvmlite.ir as ir\nir.IRBuilder.shuffle_vector = lambda self, a, b, mask: a", "matmul differs"),
        ("import os\nif os.environ.get('MINIGEN_NUMBA') == 'inner': os.abort()", "it was ended by signal 6"),
        ("import numba.core.caching as caching\ndel caching.FunctionCache", "FunctionCache"),
    ],
)
def test_the_self_test_finds_faults(fault: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(fault)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setenv("MINIGEN_CACHE", str(tmp_path / "cache"))
    assert found in (choice.self_test("inner") or "")


@pytest.mark.slow
def test_training_in_the_plain_form(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "minigen", "train", "gan", "--max-steps", "3", "--out", str(tmp_path / "run")]
    done = subprocess.run(
        command, env=os.environ | {"MINIGEN_NUMBA": "plain"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()
