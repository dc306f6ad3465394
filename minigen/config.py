"""Settings of the whole process: default dtype, threads, kernel backend, debug, fusion, advice.

Read once from the environment (MINIGEN_DTYPE, MINIGEN_THREADS, MINIGEN_BACKEND, MINIGEN_DEBUG, MINIGEN_FUSE,
MINIGEN_ADVICE); `config` can be changed afterwards, except the backend, which is fixed when the first kernel is used.
"""

import functools
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen import startup
from minigen.errors import ArgumentError

BACKENDS = ("numba", "numpy")
FLOAT_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


@dataclass
class Config:
    """The settings.

    dtype: dtype of tensors made from Python numbers and of new parameters, float32 or float64.
    threads: threads that parallel kernels use, at least 1. More than there are cores count as that many.
    backend: "numba" (compiled kernels) or "numpy" (their plain twins).
    debug: full tracebacks in the command line, and anomaly detection in `backward`.
    fuse: `Sequential` runs a layer and the ReLU or LeakyReLU after it as one operation.
    advice: warn, once each, of calls that are allowed but hardly ever meant (see `minigen.advice`).
    """

    dtype: np.dtype
    threads: int
    backend: str
    debug: bool
    fuse: bool = True
    advice: bool = True

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "dtype":
            if value is None or value not in ("float32", "float64", *FLOAT_DTYPES, np.float32, np.float64):
                raise ArgumentError(f"config.dtype: {value!r} can not be trained; use float32 or float64")
            value = np.dtype(value)
        if name == "threads":
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ArgumentError(f"config.threads: {value!r}; use a whole number ≥ 1")
            if value > available_cores():
                say_fewer(value, available_cores())
                value = available_cores()
        if name == "backend" and value not in BACKENDS:
            raise ArgumentError(f"config.backend: {value!r}; use numba or numpy")
        if name in ("debug", "fuse", "advice") and not isinstance(value, (bool, np.bool_)):
            raise ArgumentError(f"config.{name}: {value!r}; use True or False")
        if name not in Config.__dataclass_fields__:
            raise ArgumentError(f"config has no {name}; there are {', '.join(Config.__dataclass_fields__)}")
        super().__setattr__(name, value)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Config":
        """Settings named in `environ`, defaults for the rest. Raises ArgumentError on a value that is none."""
        dtype = environ.get("MINIGEN_DTYPE", "float32")
        if dtype not in ("float32", "float64"):
            raise ArgumentError(f"MINIGEN_DTYPE is {dtype!r}; use float32 or float64")
        cores = available_cores()
        threads = environ.get("MINIGEN_THREADS", str(cores))
        if not threads.isdecimal() or len(threads) > 9 or int(threads) < 1:
            raise ArgumentError(f"MINIGEN_THREADS is {threads!r}; use a whole number from 1 to {cores}")
        backend = environ.get("MINIGEN_BACKEND", "numba")
        if backend not in BACKENDS:
            raise ArgumentError(f"MINIGEN_BACKEND is {backend!r}; use numba or numpy")
        debug = environ.get("MINIGEN_DEBUG", "") not in ("", "0")
        fuse = environ.get("MINIGEN_FUSE", "1") not in ("", "0")
        advice = environ.get("MINIGEN_ADVICE", "1") not in ("", "0")
        return cls(np.dtype(dtype), int(threads), backend, debug, fuse, advice)


def available_cores() -> int:
    """Cores this process may run on, which in a container is fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def say_fewer(asked: int, cores: int) -> None:
    """Say, once, that there are not so many cores."""
    warnings.warn(f"minigen: {asked} threads asked for; using {cores}, one for each core", stacklevel=3)


try:
    config = Config.from_environment(os.environ)
except ArgumentError as problem:  # `import minigen` still works; the command line refuses
    if not startup.is_command():
        warnings.warn_explicit(f"{problem}; using the defaults", UserWarning, "minigen", 0)
    config = Config.from_environment({})
