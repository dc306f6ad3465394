"""Which form of a kernel is used: the compiled one, or its twin when that is asked for or nothing else works."""

import inspect
import os
import subprocess
import sys

import pytest

from minigen import kernels
from minigen.kernels import compiled, reference

CONVOLVE = """
import warnings
import numpy as np
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from minigen import kernels
    x, w = np.ones((1, 4, 4, 2), np.float32), np.ones((3, 3, 2, 1), np.float32)
    for name in ("conv2d", "leaky_relu"):
        print(getattr(kernels, name).__module__)
    assert (kernels.conv2d(x, w, (1, 1), (0, 0, 0, 0), (1, 1), 1) == 18).all()
print(*[str(w.message) for w in caught if "minigen" in str(w.message)], sep="|")
"""
TWINS = ["minigen.kernels.reference.convolution", "minigen.kernels.reference.elementwise"]
WITHOUT_NUMBA = "import sys; sys.modules['numba'] = None\n"


def run(code: str, **environment: str) -> list[str]:
    """The lines that `code` prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_importing_kernels_imports_no_numba() -> None:
    """Nor does looking for what is no kernel."""
    code = "import sys, minigen.kernels as k; print(hasattr(k, 'conv4d'), 'conv2d' in dir(k), 'numba' in sys.modules)"
    assert run(code, MINIGEN_BACKEND="numba") == ["False True False"]


def test_compiled_by_default() -> None:
    module, _, said = run(CONVOLVE, MINIGEN_BACKEND="numba")
    assert module == "minigen.kernels.convolution.conv2d" and said == ""


def test_numpy_backend_uses_the_twins_silently() -> None:
    module, second, said = run(CONVOLVE + "import sys; assert 'numba' not in sys.modules", MINIGEN_BACKEND="numpy")
    assert [module, second] == TWINS and said == ""


def test_without_numba_the_twins_work_and_say_so_once() -> None:
    module, second, said = run(WITHOUT_NUMBA + CONVOLVE, MINIGEN_BACKEND="numba")
    assert [module, second] == TWINS
    assert said.count("Numba can not be used") == 1 and "slower" in said


def test_compiled_kernels_and_twins_have_the_same_names() -> None:
    assert compiled.__all__ == reference.__all__ == sorted(compiled.__all__)


@pytest.mark.parametrize("name", compiled.__all__)
def test_every_kernel_has_a_twin_with_its_signature(name: str) -> None:
    kernel, twin = getattr(compiled, name), getattr(reference, name)
    assert list(inspect.signature(inspect.unwrap(kernel)).parameters) == list(inspect.signature(twin).parameters)


def test_no_module_has_a_kernels_name() -> None:
    """Importing the module would put it in the kernel's place."""
    modules = {name for name, value in vars(kernels).items() if inspect.ismodule(value)}
    assert {"rows", "tile", "reference"} <= modules and not modules & set(compiled.__all__)


def test_unknown_kernel_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no kernel 'conv4d'"):
        getattr(kernels, "conv" + "4d")
