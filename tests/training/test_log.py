"""metrics.csv: growing columns, trimming, damage, disks that refuse."""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigen.errors import ArgumentError, RunError
from minigen.training import MetricLog


@pytest.fixture
def log(tmp_path: Path) -> MetricLog:
    return MetricLog(tmp_path / "metrics.csv")


def content(log: MetricLog) -> str:
    return log.path.read_bytes().decode()


def test_rows_and_late_columns(log: MetricLog) -> None:
    assert log.history() == {}
    log.append(1, {"loss": 0.5})
    log.append(2, {"loss": np.float32(0.1), "kl": np.array([3])})
    log.append(2, {"accuracy": True, "kl": None})
    log.append(3, {"loss": float("nan"), "kl": float("-inf")})
    assert content(log) == "step,loss,kl,accuracy\n1,0.5,,\n2,0.100000001,3,\n2,,,1\n3,nan,-inf,\n"
    history = MetricLog(log.path).history()
    assert history["step"] == [1, 2, 2, 3] and history["accuracy"] == [None, None, 1.0, None]
    assert np.isnan(history["loss"][3]) and history["kl"][3] == -np.inf


def test_float32_values_survive(log: MetricLog) -> None:
    values = np.random.default_rng(0).standard_normal(200).astype(np.float32)
    for step, value in enumerate(values):
        log.append(step, {"x": value})
    np.testing.assert_array_equal(np.array(log.history()["x"], np.float32), values)


def test_trim_drops_later_rows_and_their_columns(log: MetricLog) -> None:
    for step in range(1, 6):
        log.append(step, {"loss": step / 2} | ({"late": 1.0} if step > 3 else {}))
    log.trim(3)
    assert content(log) == "step,loss\n1,0.5\n2,1\n3,1.5\n" and log.columns == ["step", "loss"]
    log.append(4, {"late": 2})
    assert content(log).splitlines()[-1] == "4,,2"
    log.trim(0)
    assert not log.path.exists() and log.columns == []
    log.trim(0)


def test_a_row_cut_short_is_no_row(log: MetricLog) -> None:
    log.append(1, {"loss": 1, "kl": 2})
    with open(log.path, "a") as file:
        file.write("2,0.")
    assert log.history()["step"] == [1]
    log.trim(5)
    assert content(log) == "step,loss,kl\n1,1,2\n"


@pytest.mark.parametrize(
    "text", ["", "loss,step\n1,2\n", "step,a\n1,2,3\n", "step,a\n1\n", "step,a\nx,1\n", "step,a,a\n", "step,a\n1,b\n"]
)
def test_damage_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(RunError, match=r"metrics.csv is damaged.*--resume"):
        MetricLog(path)


@pytest.mark.parametrize(
    ("step", "values"),
    [
        (-1, {}),
        (1.5, {}),
        (True, {}),
        (1, {"a": "text"}),
        (1, {"a": np.ones(2)}),
        (1, {"a": [1]}),
        (1, {"a": 1j}),
        (1, {"a": np.array("x")}),
        (1, {"a,b": 1}),
        (1, {"": 1}),
        (1, {"a\n": 1}),
        (1, {"step": 1}),
    ],
)
def test_bad_values_are_refused(log: MetricLog, step: Any, values: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        log.append(step, values)
    assert not log.path.exists()


def test_a_full_disk_leaves_whole_rows(log: MetricLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append(1, {"loss": 1.0})
    before = content(log)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        for action in (lambda: log.append(2, {"new": 2.0}), log.sync, lambda: log.trim(1)):
            with pytest.raises(RunError, match="disk is full"):
                action()
    assert content(log) == before
    log.append(2, {"new": 2.0})
    assert content(log) == "step,loss,new\n1,1,\n2,,2\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_row_that_does_not_fit(log: MetricLog) -> None:
    log.append(1, {"loss": 1.0})
    log.path.unlink()
    log.path.symlink_to("/dev/full")
    with pytest.raises(RunError, match="cannot write"):
        log.append(2, {"loss": 1.0})
