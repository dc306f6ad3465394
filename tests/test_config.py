"""Settings: read from the environment, validated when they are changed."""

from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen.config import Config
from minigen.errors import ArgumentError, GradientError


def test_the_environment_is_read():
    config = Config.from_environment({"MINIGEN_DTYPE": "float64", "MINIGEN_THREADS": "1", "MINIGEN_DEBUG": "1"})
    assert (config.dtype, config.threads, config.backend, config.debug) == (np.float64, 1, "numba", True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("MINIGEN_DTYPE", "half"), ("MINIGEN_THREADS", "0"), ("MINIGEN_THREADS", "two"), ("MINIGEN_BACKEND", "cuda")],
)
def test_a_wrong_variable_is_named(name: str, value: str):
    with pytest.raises(ArgumentError, match=f"{name} is '{value}'"):
        Config.from_environment({name: value})


@pytest.mark.parametrize(("name", "value"), [("dtype", "int32"), ("dtype", None), ("threads", 0), ("backend", "cuda")])
def test_a_wrong_setting_is_refused(name: str, value: Any):
    with pytest.raises(ArgumentError, match=f"config.{name}"):
        setattr(mg.config, name, value)


def test_the_default_dtype_can_be_changed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mg.config, "dtype", "float64")
    assert mg.tensor([0.5]).dtype == np.float64


def test_debug_detects_anomalies(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mg.config, "debug", True)
    with pytest.raises(GradientError, match="Log"):
        mg.log(mg.tensor([-1.0]))
