"""Early stopping."""

import math
from typing import Any

import pytest

from minigen.errors import ArgumentError, CheckpointError
from minigen.training import EarlyStopping


@pytest.mark.parametrize(
    ("options", "values", "stops"),
    [
        ({"patience": 2}, [3, 2, 2.5, 2, 1], [False, False, False, True, False]),
        ({"patience": 1, "mode": "max"}, [0.5, 0.6, 0.6], [False, False, True]),
        ({"patience": 2, "min_delta": 0.1}, [1.0, 0.95, 0.85, 0.8, 0.79], [False, False, False, False, True]),
        ({"patience": 2}, [math.nan, math.nan], [False, True]),
        ({"patience": 2}, [math.nan, 1.0, math.nan, math.inf], [False, False, False, True]),
        ({"patience": 1, "mode": "max"}, [-math.inf, 0.0, math.inf, math.inf], [False, False, False, True]),
    ],
)
def test_when_it_stops(options: dict[str, Any], values: list[float], stops: list[bool]) -> None:
    stopping = EarlyStopping(**options)
    assert [stopping.update(value) for value in values] == stops


def test_best_and_improved() -> None:
    stopping = EarlyStopping(3, "max")
    improved = []
    for value in (0.5, 0.4, math.nan, 0.7):
        stopping.update(value)
        improved.append(stopping.improved)
    assert improved == [True, False, False, True] and stopping.best == 0.7 and stopping.waited == 0


def test_its_state_continues() -> None:
    first, second = EarlyStopping(2), EarlyStopping(2)
    first.update(1.0)
    first.update(2.0)
    second.load_state_dict(first.state_dict())
    assert second.best == 1.0 and second.update(1.5)
    with pytest.raises(CheckpointError, match="expected best"):
        second.load_state_dict({"best": 1.0})


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 0},
        {"patience": 1, "mode": "low"},
        {"patience": 1, "min_delta": -1},
        {"patience": 1, "min_delta": math.nan},
    ],
)
def test_options(options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="EarlyStopping"):
        EarlyStopping(**options)
