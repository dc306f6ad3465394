"""Holding a compiled kernel against its plain NumPy twin; used by the tests in this folder."""

from typing import Any

import numpy as np
import pytest

from minigen import kernels
from minigen.config import config
from minigen.kernels import reference

TOLERANCE = {np.dtype(np.float32): 3e-6, np.dtype(np.float64): 1e-12}
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
LAYOUTS = pytest.mark.parametrize("layout", ["C", "F", "strided"])


def laid_out(x: np.ndarray, layout: str) -> np.ndarray:
    """The same values in row order, in column order, or as every second element of a larger array."""
    if layout != "strided":
        return np.asarray(x, order="F") if layout == "F" else np.asarray(x, order="C")
    wide = np.full((*x.shape[:-1], 2 * x.shape[-1]), 99, x.dtype) if x.ndim else x
    if x.ndim:
        wide[..., ::2] = x
    return wide[..., ::2] if x.ndim else x


def agree(name: str, *arguments: Any, scale: float = 1.0) -> Any:
    """Run the kernel and its twin, demand equal shapes, dtypes and values, and return the kernel's result.

    Values may differ by the tolerance of their dtype times max(|value|, scale).
    """
    before = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    with np.errstate(all="ignore"):
        expected = getattr(reference, name)(*[a.copy() if isinstance(a, np.ndarray) else a for a in arguments])
        result = getattr(kernels, name)(*arguments)
    for given, kept in zip(arguments, before, strict=True):
        if isinstance(given, np.ndarray):
            np.testing.assert_array_equal(given, kept, err_msg=f"{name} changed an input")
    several = isinstance(expected, tuple)
    for ours, theirs in zip(result if several else (result,), expected if several else (expected,), strict=True):
        assert isinstance(ours, np.ndarray)
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        close(ours, theirs, scale)
    return result


def close(ours: np.ndarray, theirs: np.ndarray, scale: float = 1.0) -> None:
    """Equal within the dtype's tolerance; NaN and infinities in the same places."""
    if theirs.dtype.kind == "i":
        np.testing.assert_array_equal(ours, theirs)
        return
    tolerance = TOLERANCE[theirs.dtype]
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale)


def same_on_any_threads(monkeypatch: pytest.MonkeyPatch, name: str, *arguments: Any) -> None:
    """The kernel gives the same bits on one thread and on all."""
    results = []
    for threads in (1, config.threads):
        monkeypatch.setattr(config, "threads", threads)
        result = getattr(kernels, name)(*arguments)
        results.append(result if isinstance(result, tuple) else (result,))
    for one, several in zip(*results, strict=True):
        np.testing.assert_array_equal(one, several)
